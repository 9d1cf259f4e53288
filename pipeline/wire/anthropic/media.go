package anthropic

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// source is where the data of a picture or document comes from, as it was written.
type source struct {
	kind    string
	mime    []byte // decoded
	data    []byte // raw
	url     []byte
	content []byte
}

func readSource(v []byte) (s source, bad *fault) {
	if wire.KindOf(v) != wire.KindObject {
		return s, &fault{"", "must be an object"}
	}
	var kind, mime []byte
	for c := wire.CursorOf(v); c.Member(); {
		key, v := wire.PlainKey(c.Key), c.Value()
		switch string(key) {
		case "type":
			kind = v
		case "media_type":
			mime = v
		case "data":
			s.data = v
		case "url":
			s.url = v
		case "content":
			s.content = v
		}
	}
	s.kind, _ = wire.Text(kind)
	s.mime = bytes.ToLower(wire.AppendText(nil, mime[:min(len(mime), wire.MaxDataHead)]))
	if string(s.mime) == "image/jpg" { // no such type; Google knows image/jpeg only
		s.mime = []byte("image/jpeg")
	}
	if s.kind == "file" {
		return s, &fault{".type", "is file, and the files of Anthropic's API are not here: send the data as base64"}
	}
	return s, nil
}

// isPicture tells whether the media type is one of pictures, and of letters that need no escape.
func isPicture(mime []byte) bool {
	sub, ok := bytes.CutPrefix(mime, []byte("image/"))
	for _, c := range sub {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '+' && c != '-' {
			return false
		}
	}
	return ok && len(sub) > 0
}

// picture writes an image.
func (d *dialogue) picture(v []byte) *fault {
	s, bad := readSource(v)
	if bad != nil {
		return bad
	}
	switch s.kind {
	case "base64":
		if !isPicture(s.mime) {
			return &fault{".media_type", "must be that of a picture, like image/png"}
		}
		inner, _ := wire.Inside(s.data)
		return d.blob(s.mime, inner).under(".data")
	case "url":
		return d.pictureAt(s.url).under(".url")
	}
	return &fault{".type", "must be base64 or url"}
}

// blob writes data, given as the inside of a string of base64.
func (d *dialogue) blob(mime, inner []byte) *fault {
	if len(inner) == 0 {
		return &fault{"", "must be a string of base64 that is not empty"}
	}
	if len(inner) > wire.MaxBase64 {
		return &fault{"", gemini.TooLarge}
	}
	d.said = true
	ok := true
	if d.result != nil {
		part := append(make([]byte, 0, len(inner)+len(mime)+64), `{"inlineData":{"mimeType":"`...)
		part = append(append(part, mime...), `","data":"`...)
		part, ok = wire.AppendBase64(part, inner)
		d.attach(append(part, `"}}`...))
	} else {
		d.Turn(d.who)
		d.Blob(mime)
		d.B, ok = wire.AppendBase64(d.B, inner)
		d.EndBlob()
	}
	if !ok {
		return &fault{"", "is not base64"}
	}
	return nil
}

// pictureAt writes a picture that is named by its address.
func (d *dialogue) pictureAt(v []byte) *fault {
	inner, ok := wire.Inside(v)
	if !ok {
		return &fault{"", "must be a string"}
	}
	var room [wire.MaxDataHead]byte
	if mime, data, ok := wire.CutDataURL(room[:0], inner); ok {
		if mime = bytes.ToLower(mime); !isPicture(mime) {
			return &fault{"", "must have the media type of a picture, like image/png"}
		}
		return d.blob(mime, data)
	}
	if !remote(inner) {
		return &fault{"", "must be an address with http or https, or data:<mime>;base64,<data>"}
	}
	d.said = true
	d.f.Remote++
	if d.result != nil {
		d.attach(append(append([]byte(`{"fileData":{"fileUri":"`), inner...), `"}}`...))
		return nil
	}
	d.Turn(d.who)
	d.Draft.Remote(inner)
	return nil
}

// remote tells whether the inside of a string is an address that can be fetched.
func remote(inner []byte) bool {
	var room, quoted [40]byte
	head := inner[:min(len(inner), 24)]
	if at := bytes.LastIndexByte(head, '\\'); at >= 0 && at > len(head)-6 { // an escape that may be cut
		head = head[:at]
	}
	text := wire.AppendText(room[:0], append(append(append(quoted[:0], '"'), head...), '"'))
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(text) > len(scheme) && bytes.EqualFold(text[:len(scheme)], []byte(scheme)) {
			return true
		}
	}
	return false
}

// document writes a document: title and context as a text before it.
func (d *dialogue) document(b *block) *fault {
	s, bad := readSource(b.source)
	if bad != nil {
		return bad.under(".source")
	}
	if on, _ := wire.Bool(wire.Get(b.cites, "enabled")); on {
		d.f.once("messages.citations")
	}
	if bad := d.label(b); bad != nil {
		return bad
	}
	switch s.kind {
	case "base64":
		if string(s.mime) != "application/pdf" {
			return &fault{".source.media_type", "must be application/pdf"}
		}
		inner, _ := wire.Inside(s.data)
		return d.blob(s.mime, inner).under(".source.data")
	case "text":
		inner, ok := wire.Inside(s.data)
		if !ok {
			return &fault{".source.data", "must be a string"}
		}
		d.put(inner)
		return nil
	case "content":
		return d.documentBlocks(s.content).under(".source.content")
	case "url":
		return &fault{".source.type", "is url, which is supported for images only: send the document as base64"}
	}
	return &fault{".source.type", "must be base64, text or content"}
}

// label writes the title and the context of a document.
func (d *dialogue) label(b *block) *fault {
	for _, part := range [...]struct {
		name string
		v    []byte
	}{{".title", b.title}, {".context", b.context}} {
		if !wire.Given(part.v) {
			continue
		}
		inner, ok := wire.Inside(part.v)
		if !ok {
			return &fault{part.name, "must be a string"}
		}
		d.put(inner)
	}
	return nil
}

func (d *dialogue) documentBlocks(v []byte) *fault {
	switch wire.KindOf(v) {
	case wire.KindString:
		inner, _ := wire.Inside(v)
		d.put(inner)
		return nil
	case wire.KindArray:
	default:
		return &fault{"", "must be a string or a list of blocks"}
	}
	for a, i := wire.ArrayOf(v), 0; a.Next(); i++ {
		b, bad := readBlock(a.Value)
		switch {
		case bad != nil:
		case b.kind == textBlock, b.kind == imageBlock:
			bad = d.piece(&b)
		default:
			bad = &fault{".type", "must be text or image in a document"}
		}
		if bad != nil {
			return bad.under("[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

// found writes a search_result: title, source and texts.
func (d *dialogue) found(b *block) *fault {
	if on, _ := wire.Bool(wire.Get(b.cites, "enabled")); on {
		d.f.once("messages.citations")
	}
	if bad := d.label(b); bad != nil {
		return bad
	}
	inner, ok := wire.Inside(b.source)
	if !ok {
		return &fault{".source", "must be a string"}
	}
	d.put(inner)
	if wire.KindOf(b.content) != wire.KindArray {
		return &fault{".content", "must be a list of text blocks"}
	}
	for a, i := wire.ArrayOf(b.content), 0; a.Next(); i++ {
		t, bad := readBlock(a.Value)
		if bad == nil && t.kind != textBlock {
			bad = &fault{".type", "must be text in a search_result"}
		}
		if bad == nil {
			bad = d.piece(&t)
		}
		if bad != nil {
			return bad.under(".content[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}
