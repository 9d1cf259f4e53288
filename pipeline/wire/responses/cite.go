package responses

import (
	"strconv"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
)

// annotated appends the event about one annotation.
func (e *encoder) annotated(dst, note []byte, n int) []byte {
	if !e.o.Stream {
		return dst
	}
	dst = append(e.about(dst, "response.output_text.annotation.added"), `,"content_index":0,"annotation_index":`...)
	dst = append(strconv.AppendInt(dst, int64(n), 10), `,"annotation":`...)
	return append(append(dst, note...), "}\n\n"...)
}

// appendCitation appends the annotation for a page.
func appendCitation(dst, page []byte, span [2]int) []byte {
	dst = strconv.AppendInt(append(dst, `{"type":"url_citation","start_index":`...), int64(span[0]), 10)
	dst = strconv.AppendInt(append(dst, `,"end_index":`...), int64(span[1]), 10)
	dst = wire.AppendLine(append(dst, `,"url":`...), wire.Get(page, "uri"))
	dst = append(dst, `,"title":`...)
	if title := wire.Get(page, "title"); wire.KindOf(title) == wire.KindString {
		dst = wire.AppendLine(dst, title)
	} else {
		dst = append(dst, `""`...)
	}
	return append(dst, '}')
}

// counter turns Google's offsets, which count bytes, into OpenAI's, which count letters.
type counter struct {
	text []byte
	at   int // bytes counted
	n    int // letters in them
}

// letters counts those before the offset. Offsets come in order, mostly.
func (c *counter) letters(offset int64) int {
	to := int(min(offset, int64(len(c.text))))
	if to < c.at {
		c.at, c.n = 0, 0
	}
	c.n += utf8.RuneCount(c.text[c.at:to])
	c.at = to
	return c.n
}
