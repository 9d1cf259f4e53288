package responses

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// part is an element of a message or of an output.
type part struct {
	sort  partSort
	value []byte // raw: the text, the address or the data
	name  []byte // of a file
	below string // the member that value is of
}

type partSort uint8

const (
	written partSort = iota
	shown            // a picture
	filed            // a file
	spoken           // audio; name is its format
)

// in puts the fault of a part where it stands in its list.
func (f *fault) in(list string, at int) *fault {
	return &fault{list + "[" + strconv.Itoa(at) + "]" + f.below, f.why, f.path}
}

const noFiles = "is not supported: files are not kept here, send the data"

// readPart finds out what the part is; only texts are checked to the end.
func readPart(v []byte) (p part, bad *fault) {
	if wire.KindOf(v) != wire.KindObject {
		return p, &fault{why: "must be an object"}
	}
	var kind, text, refusal, image, data, address, id, audio, sound []byte
	for c := wire.CursorOf(v); c.Member(); {
		key, v := wire.PlainKey(c.Key), c.Value()
		switch string(key) {
		case "type":
			kind = v
		case "text":
			text = v
		case "refusal":
			refusal = v
		case "image_url":
			image = v
		case "file_data":
			data = v
		case "file_url":
			address = v
		case "file_id":
			id = v
		case "filename":
			p.name = v
		case "input_audio":
			audio = v
		case "audio_url":
			sound = v
		}
	}
	switch word(kind) {
	case "input_text", "output_text", "text":
		p.value, p.below = text, ".text"
	case "refusal":
		p.value, p.below = refusal, ".refusal"
	case "input_image", "image_url":
		if p.sort, p.value, p.below = shown, image, ".image_url"; wire.KindOf(image) == wire.KindObject {
			p.value, p.below = wire.Get(image, "url"), ".image_url.url"
		}
	case "input_file":
		p.sort, p.value, p.below = filed, data, ".file_data"
		if wire.Given(address) {
			return p, &fault{below: ".file_url", why: "is not supported: only pictures are fetched, send the file as file_data"}
		}
	case "input_audio":
		p.sort, p.value, p.name, p.below = spoken, wire.Get(audio, "data"), wire.Get(audio, "format"), ".input_audio.data"
		if wire.Given(sound) {
			p.value, p.below = sound, ".audio_url"
		}
	default:
		if !wire.Given(kind) {
			return p, &fault{below: ".type", why: "is missing"}
		}
		return p, &fault{below: ".type", why: "must be input_text, input_image, input_file, input_audio, output_text or refusal"}
	}
	if wire.Given(id) && !wire.Given(p.value) {
		return p, &fault{below: ".file_id", why: noFiles}
	}
	if wire.KindOf(p.value) != wire.KindString {
		return p, &fault{below: p.below, why: "must be a string"}
	}
	return p, nil
}

// append writes a part that is no text.
func (p *part) append(d *gemini.Draft, b *gemini.Beside) *fault {
	inner, _ := wire.Inside(p.value)
	var room [wire.MaxDataHead]byte
	mime, data, ok := wire.CutDataURL(room[:0], inner)
	switch {
	case ok:
	case p.sort == shown && remote(inner):
		d.Remote(inner)
		b.Remote++
		return nil
	case p.sort == shown:
		return &fault{below: p.below, why: "must be an http(s) address, or of the form data:<mime>;base64,<data>"}
	default:
		if mime = p.mime(); mime == nil || len(inner) == 0 || bytes.IndexByte(inner[:min(len(inner), wire.MaxDataHead)], ':') >= 0 {
			return &fault{below: p.below, why: "must be of the form data:<mime>;base64,<data>, or base64 with a name that tells what it is"}
		}
		data = inner
	}
	if len(data) > wire.MaxBase64 {
		return &fault{below: p.below, why: gemini.TooLarge}
	}
	d.Blob(mime)
	if d.B, ok = wire.AppendBase64(d.B, data); !ok {
		return &fault{below: p.below, why: "has data that is not base64"}
	}
	d.EndBlob()
	return nil
}

// remote tells an address that can be fetched, given as the inside of a string.
func remote(inner []byte) bool {
	head, _, ok := bytes.Cut(inner[:min(len(inner), len("https:"))], []byte(":"))
	return ok && (bytes.EqualFold(head, []byte("http")) || bytes.EqualFold(head, []byte("https")))
}

// mime is what the name of a file or the format of a sound says, nil when it says nothing.
func (p *part) mime() []byte {
	name := word(p.name)
	if p.sort == filed {
		at := bytes.LastIndexByte([]byte(name), '.')
		if at < 0 {
			return nil
		}
		name = name[at+1:]
	}
	var mime string
	switch string(bytes.ToLower([]byte(name))) {
	case "pdf":
		mime = "application/pdf"
	case "txt", "log", "md", "json", "xml", "yaml", "yml", "toml", "go", "py", "js", "ts", "java", "c", "h", "cpp", "rs", "sh":
		mime = "text/plain"
	case "csv":
		mime = "text/csv"
	case "html", "htm":
		mime = "text/html"
	case "png":
		mime = "image/png"
	case "jpg", "jpeg":
		mime = "image/jpeg"
	case "webp":
		mime = "image/webp"
	case "wav":
		mime = "audio/wav"
	case "mp3":
		mime = "audio/mp3"
	default:
		return nil
	}
	return []byte(mime)
}
