package openai

import (
	"bytes"

	"gcli2api/pipeline/wire"
)

// image appends the part that an image_url, an object or a bare string, means.
func (t *turns) image(v []byte) *fault {
	name := ".image_url"
	if wire.KindOf(v) == wire.KindObject {
		v, name = wire.Get(v, "url"), ".image_url.url"
	}
	inner, ok := inside(v)
	if !ok {
		return &fault{name, "must be a string"}
	}
	var room [wire.MaxDataHead]byte
	mime, data, ok := wire.CutDataURL(room[:0], inner)
	switch {
	case ok:
	case len(inner) > 4 && bytes.EqualFold(inner[:4], []byte("http")):
		return &fault{name, "is a remote address, which is not supported yet: send the picture as data:<mime>;base64,<data>"}
	default:
		return &fault{name, "must be of the form data:<mime>;base64,<data>"}
	}
	dst := append(append(comma(t.dst), `{"inlineData":{"mimeType":"`...), mime...)
	dst = append(dst, `","data":"`...)
	if dst, ok = wire.AppendBase64(dst, data); !ok {
		return &fault{name, "has data that is not base64"}
	}
	t.dst = append(dst, `"}}`...)
	return nil
}
