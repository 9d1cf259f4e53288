package openai

import (
	"bytes"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// medium is a picture, a sound or a file: data, or the address of it.
type medium struct {
	mime, data []byte // the data as written, inside a string
	remote     []byte // the inside of a string
	name       string // of the member that the data are in
}

// media are the members of a part that hold one.
type media struct{ image, audio, file []byte }

// medium reads the part of this type.
func (t *turns) medium(kind string, v media) (medium, *fault) {
	switch kind {
	case "image_url":
		return t.image(v.image)
	case "input_audio":
		return t.audio(v.audio)
	}
	return t.file(v.file)
}

// image reads what an image_url, an object or a bare string, means.
func (t *turns) image(v []byte) (medium, *fault) {
	m := medium{name: ".image_url"}
	if wire.KindOf(v) == wire.KindObject {
		url := pick1(v, "url")
		v, m.name = url, ".image_url.url"
	}
	inner, ok := wire.Inside(v)
	if !ok {
		return m, &fault{below: m.name, why: "must be a string"}
	}
	if m.mime, m.data, ok = wire.CutDataURL(t.room[:0], inner); ok {
		return m, m.limit()
	}
	if !remote(inner) {
		return m, &fault{below: m.name, why: "must be data:<mime>;base64,<data> or an http or https address"}
	}
	m.remote = inner
	return m, nil
}

// remote tells whether the inside of a string is an address of the web.
func remote(inner []byte) bool {
	head := inner[:min(len(inner), 64)]
	if cut := bytes.IndexByte(head, '"'); cut >= 0 {
		head = head[:cut]
	}
	var room [64]byte
	var quoted [68]byte
	head = wire.AppendText(room[:0], append(append(append(quoted[:0], '"'), bytes.TrimRight(head, `\`)...), '"'))
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(head) > len(scheme) && bytes.EqualFold(head[:len(scheme)], []byte(scheme)) {
			return true
		}
	}
	return false
}

// audio reads input_audio.
func (t *turns) audio(v []byte) (medium, *fault) {
	m := medium{name: ".input_audio.data"}
	if wire.KindOf(v) != wire.KindObject {
		return m, &fault{below: ".input_audio", why: "must be an object"}
	}
	data, format := pick2(v, "data", "format")
	inner, ok := wire.Inside(data)
	if !ok || len(inner) == 0 {
		return m, &fault{below: m.name, why: "must be a string of base64"}
	}
	if m.mime, m.data, ok = wire.CutDataURL(t.room[:0], inner); ok {
		return m, m.limit()
	}
	word, _ := wire.Text(format)
	mime, ok := audioType(word)
	if !ok {
		return m, &fault{below: ".input_audio.format", why: "must be wav, mp3, aiff, aac, ogg, flac, m4a, opus or webm"}
	}
	m.mime, m.data = []byte(mime), inner
	return m, m.limit()
}

func audioType(format string) (string, bool) {
	switch format {
	case "wav", "mp3", "aiff", "aac", "ogg", "flac", "m4a", "opus", "webm":
		return "audio/" + format, true
	}
	return "", false
}

// file reads a file with its data; what OpenAI keeps is out of reach.
func (t *turns) file(v []byte) (medium, *fault) {
	m := medium{name: ".file.file_data"}
	if wire.KindOf(v) != wire.KindObject {
		return m, &fault{below: ".file", why: "must be an object"}
	}
	data, name, id := pick3(v, "file_data", "filename", "file_id")
	if name != nil && wire.KindOf(name) != wire.KindString {
		return m, &fault{below: ".file.filename", why: "must be a string"}
	}
	inner, ok := wire.Inside(data)
	switch {
	case data == nil && id != nil:
		return m, &fault{below: ".file.file_id", why: "is not supported: the file is kept at OpenAI, send it as file_data"}
	case !ok || len(inner) == 0:
		return m, &fault{below: m.name, why: "must be data:<mime>;base64,<data> or a string of base64"}
	}
	filename, _ := wire.Text(name)
	mime, known := fileType(filename)
	if m.mime, m.data, ok = wire.CutDataURL(t.room[:0], inner); !ok {
		if m.data = inner; !known {
			return m, &fault{below: ".file.filename", why: "must end in what tells the type of the file, as .pdf does"}
		}
		m.mime = []byte(mime)
	} else if known && string(m.mime) == "application/octet-stream" {
		m.mime = []byte(mime)
	}
	return m, m.limit()
}

func (m *medium) limit() *fault {
	if len(m.data) > wire.MaxBase64 {
		return &fault{below: m.name, why: gemini.TooLarge}
	}
	return nil
}

// put writes the medium where the draft stands.
func (t *turns) put(m *medium) *fault {
	if m.remote != nil {
		t.form.Remote++
		t.Remote(m.remote)
		return nil
	}
	var ok bool
	t.Blob(m.mime)
	if t.B, ok = wire.AppendBase64(t.B, m.data); !ok {
		return &fault{below: m.name, why: "has data that is not base64"}
	}
	t.EndBlob()
	return nil
}

// aside writes the medium as a part on a sheet of its own.
func (t *turns) aside(m *medium) ([]byte, *fault) {
	if m.remote != nil {
		t.form.Remote++
		return append(append([]byte(`{"fileData":{"fileUri":"`), m.remote...), `"}}`...), nil
	}
	b := append(make([]byte, 0, len(m.data)+64), `{"inlineData":{"mimeType":"`...)
	b, ok := wire.AppendBase64(append(append(b, m.mime...), `","data":"`...), m.data)
	if !ok {
		return nil, &fault{below: m.name, why: "has data that is not base64"}
	}
	return append(b, `"}}`...), nil
}
