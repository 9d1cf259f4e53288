package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
)

// sort takes the pictures out of the content when they are to stand beside it.
func (c *candidate) sort(beside bool) {
	if !beside {
		return
	}
	for i := range c.parts {
		if p := &c.parts[i]; p.kind == blob {
			if mime, _ := blobOf(p.value); isPicture(mime) {
				p.kind = picture
			}
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
			dst = appendBlob(dst, p.value)
		case code:
			dst = appendCode(dst, p.value)
		case result:
			dst = appendResult(dst, p.value)
		default:
			continue
		}
		r.ours(dst[from:])
	}
	return append(dst, '"')
}

// appendBlob appends the inside of a string: Markdown with a data URL.
func appendBlob(dst, v []byte) []byte {
	if mime, _ := blobOf(v); isPicture(mime) {
		dst = append(dst, "![image]("...)
	} else {
		dst = append(dst, "[file]("...)
	}
	return append(appendDataURL(dst, v), ')')
}

// appendDataURL appends the inside of a string.
func appendDataURL(dst, v []byte) []byte {
	mime, data := blobOf(v)
	dst = append(append(append(dst, "data:"...), mime...), ";base64,"...)
	return append(dst, data...)
}

func blobOf(v []byte) (mime, data []byte) {
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "mimeType":
			mime, _ = wire.Inside(o.Value)
		case "data":
			data, _ = wire.Inside(o.Value)
		}
	}
	return mime, data
}

// isPicture tells whether a MIME type is one of a picture; an unknown one is taken for one.
func isPicture(mime []byte) bool { return len(mime) < 6 || string(mime[:6]) == "image/" }

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
		dst = append(appendDataURL(dst, c.parts[i].value), `"}}`...)
		s.images++
	}
	return append(dst, ']')
}

// fence is a line of three backquotes; line ends are escaped, being inside a string.
const fence = "```"

func appendCode(dst, v []byte) []byte {
	var language, body []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "language":
			language, _ = wire.Inside(o.Value)
		case "code":
			body, _ = wire.Inside(o.Value)
		}
	}
	dst = append(dst, `\n`+fence...)
	if string(language) != "LANGUAGE_UNSPECIFIED" {
		dst = appendLower(dst, language)
	}
	return append(append(append(dst, `\n`...), body...), `\n`+fence+`\n`...)
}

func appendResult(dst, v []byte) []byte {
	var outcome, output []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "outcome":
			outcome, _ = wire.Inside(o.Value)
		case "output":
			output, _ = wire.Inside(o.Value)
		}
	}
	label := "output"
	if len(outcome) > 0 && string(outcome) != "OUTCOME_OK" {
		label = "error"
	}
	dst = append(append(dst, `\n`+fence...), label...)
	return append(append(append(dst, `\n`...), output...), `\n`+fence+`\n`...)
}

// appendLower appends the word in lower case, and nothing when it is not one.
func appendLower(dst, word []byte) []byte {
	begin := len(dst)
	for _, c := range word {
		if c |= 0x20; c < 'a' || c > 'z' {
			return dst[:begin]
		}
		dst = append(dst, c)
	}
	return dst
}
