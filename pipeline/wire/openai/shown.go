package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// sort takes the pictures out of the content when they are to stand beside it.
func (c *candidate) sort(beside bool) {
	if !beside {
		return
	}
	for i := range c.parts {
		if p := &c.parts[i]; p.kind == blob && gemini.InlinedOf(p.value).Picture() {
			p.kind = picture
		}
	}
}

func (c *candidate) appendThoughts(dst []byte) []byte {
	dst = append(dst, '"')
	for i := range c.parts {
		if c.parts[i].kind == thought {
			dst = append(dst, c.parts[i].value...)
		}
	}
	return append(dst, '"')
}

// appendContent appends all that is shown as one string. Texts are joined as they were written.
func (c *candidate) appendContent(dst []byte, r *ruler) []byte {
	dst = append(dst, '"')
	for i := range c.parts {
		p, from := &c.parts[i], len(dst)
		switch p.from = int32(r.bytes); p.kind {
		case text:
			r.text(p.value)
			dst = append(dst, p.value...)
			continue
		case blob:
			dst = gemini.InlinedOf(p.value).AppendMarkdown(dst)
		case code:
			dst = gemini.AppendCode(dst, p.value)
		case result:
			dst = gemini.AppendCodeResult(dst, p.value)
		default:
			continue
		}
		r.ours(dst[from:])
	}
	return append(dst, '"')
}

// appendPictures appends the list of the pictures that stand beside the content, in the form that
// other gateways have made known.
func (c *candidate) appendPictures(dst []byte, s *choice) []byte {
	dst = append(dst, '[')
	for i := range c.parts {
		if c.parts[i].kind != picture {
			continue
		}
		dst = strconv.AppendInt(append(wire.Comma(dst), `{"type":"image_url","index":`...), int64(s.images), 10)
		dst = append(dst, `,"image_url":{"url":"`...)
		dst = append(gemini.InlinedOf(c.parts[i].value).AppendURL(dst), `"}}`...)
		s.images++
	}
	return append(dst, ']')
}
