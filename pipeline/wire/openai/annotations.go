package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// cited is what was annotated of a candidate, so that Google's repetitions are not ours.
type cited struct {
	seen      map[uint64]struct{}
	grounding []byte // the last groundingMetadata, until the end
}

// span is a stretch of the content, in characters.
type span struct{ from, to int }

// source is a page that an answer rests on: the insides of strings.
type source struct{ url, title []byte }

// appendAnnotations appends the citations of the candidate that are new: every stretch of the content
// that a page supports, as soon as it is known. At the end the pages that support nothing in
// particular follow, for the whole of the content.
func (s *choice) appendAnnotations(dst []byte, c *candidate, end bool) []byte {
	grounding := c.beside.grounding
	if grounding != nil && !end {
		s.cited.grounding = append(s.cited.grounding[:0], grounding...)
	} else if end && grounding == nil {
		grounding, s.cited.grounding = s.cited.grounding, nil
	}
	if grounding == nil && c.beside.citations == nil {
		return dst
	}
	begin := len(dst)
	dst = append(wire.Key(dst, "annotations"), '[')
	open := len(dst)
	dst = s.citations(dst, c)
	dst = s.grounded(dst, c, grounding, end)
	if len(dst) == open {
		return dst[:begin]
	}
	return append(dst, ']')
}

// citations appends what the model repeated from somewhere.
func (s *choice) citations(dst []byte, c *candidate) []byte {
	for o := wire.ObjectOf(c.beside.citations); o.Next(); {
		if !o.Is("citations") && !o.Is("citationSources") {
			continue
		}
		for a := wire.ArrayOf(o.Value); a.Next(); {
			dst = s.annotate(dst, s.span(a.Value, c), sourceOf(a.Value))
		}
	}
	return dst
}

func (s *choice) grounded(dst []byte, c *candidate, v []byte, end bool) []byte {
	chunks, supports := pick2(v, "groundingChunks", "groundingSupports")
	var room [16]source
	sources := room[:0]
	for a := wire.ArrayOf(chunks); a.Next(); {
		sources = append(sources, chunkOf(a.Value))
	}
	for a := wire.ArrayOf(supports); a.Next(); {
		segment, indices := pick2(a.Value, "segment", "groundingChunkIndices")
		at := s.span(segment, c)
		for n := wire.ArrayOf(indices); n.Next(); {
			if i, ok := wire.Int(n.Value); ok && i >= 0 && i < int64(len(sources)) {
				dst = s.annotate(dst, at, sources[i])
			}
		}
	}
	for i := range sources {
		if _, before := s.cited.seen[gemini.Hash(sources[i].url)]; end && !before {
			dst = s.annotate(dst, span{0, s.ruler.chars}, sources[i])
		}
	}
	return dst
}

// chunkOf reads a chunk of groundingMetadata, whatever kind of page it is.
func chunkOf(v []byte) source {
	for o := wire.ObjectOf(v); o.Next(); {
		if o.Is("web") || o.Is("retrievedContext") || o.Is("maps") {
			return sourceOf(o.Value)
		}
	}
	return source{}
}

func sourceOf(v []byte) (s source) {
	url, title := pick2(v, "uri", "title")
	s.url, _ = wire.Inside(url)
	s.title, _ = wire.Inside(title)
	return s
}

// span reads startIndex, endIndex and partIndex.
func (s *choice) span(v []byte, c *candidate) span {
	start, end, place := pick3(v, "startIndex", "endIndex", "partIndex")
	from, _ := wire.Int(start)
	to, ok := wire.Int(end)
	if n, _ := wire.Int(place); n > 0 {
		base := int64(c.textAt(n))
		from, to = from+base, to+base
	}
	limit := int64(s.ruler.bytes)
	if !ok || to > limit {
		to = limit
	}
	return span{s.ruler.char(int(max(min(from, to), 0)), false), s.ruler.char(int(max(to, 0)), true)}
}

// textAt is where the text in this place of Google's list begins, in bytes; 0 when it is not shown.
func (c *candidate) textAt(place int64) int {
	for i := range c.parts {
		if p := &c.parts[i]; int64(p.place) == place && p.kind == text {
			return int(p.from)
		}
	}
	return 0
}

// annotate appends a citation, when it is new.
func (s *choice) annotate(dst []byte, at span, from source) []byte {
	if len(from.url) == 0 {
		return dst
	}
	if s.cited.seen == nil {
		s.cited.seen = map[uint64]struct{}{}
	}
	page := gemini.Hash(from.url)
	place := gemini.Mix(page + gemini.Mix(uint64(at.from)<<32+uint64(at.to)))
	if _, before := s.cited.seen[place]; before {
		return dst
	}
	s.cited.seen[page], s.cited.seen[place] = struct{}{}, struct{}{}
	dst = strconv.AppendInt(append(wire.Comma(dst), `{"type":"url_citation","url_citation":{"start_index":`...), int64(at.from), 10)
	dst = strconv.AppendInt(append(dst, `,"end_index":`...), int64(at.to), 10)
	dst = append(append(dst, `,"url":"`...), from.url...)
	dst = append(append(dst, `","title":"`...), from.title...)
	return append(dst, `"}}`...)
}
