package anthropic

import "gcli2api/pipeline/wire"

// mostCitations bounds what an answer can make us write.
const mostCitations = 256

// last closes the block that is open at the end of the answer. A text gets its citations: Google
// tells what an answer rests on when it is written.
func (e *encoder) last(dst []byte) []byte {
	if e.open != text || len(e.ground) == 0 {
		return e.close(dst)
	}
	if e.whole {
		dst = append(dst, `","citations":[`...)
	}
	dst = e.citations(dst)
	if e.whole {
		dst = append(dst, "]}"...)
	}
	return e.closed(dst)
}

// citations appends one for every place in the text and every page that it rests on.
func (e *encoder) citations(dst []byte) []byte {
	pages := make([][]byte, 0, 16)
	for a := wire.ArrayOf(wire.Get(e.ground, "groundingChunks")); a.Next() && len(pages) < mostCitations; {
		pages = append(pages, objectOrNil(wire.Get(a.Value, "web")))
	}
	left := mostCitations
	for a := wire.ArrayOf(wire.Get(e.ground, "groundingSupports")); a.Next(); {
		said, _ := wire.Inside(wire.Get(a.Value, "segment", "text"))
		for in := wire.ArrayOf(wire.Get(a.Value, "groundingChunkIndices")); in.Next() && left > 0; {
			n, ok := wire.Int(in.Value)
			if !ok || n < 0 || n >= int64(len(pages)) || pages[n] == nil {
				continue
			}
			dst = e.citation(dst, said, pages[n])
			left--
		}
	}
	return dst
}

// citation appends one; said is the inside of a string.
func (e *encoder) citation(dst, said, page []byte) []byte {
	url, _ := wire.Inside(wire.Get(page, "uri"))
	title, titled := wire.Inside(wire.Get(page, "title"))
	if e.whole {
		dst = wire.Comma(dst)
	} else {
		dst = append(e.delta(dst), `{"type":"citations_delta","citation":`...)
	}
	begin := len(dst)
	dst = append(append(dst, `{"type":"web_search_result_location","cited_text":"`...), said...)
	dst = append(append(dst, `","url":"`...), url...)
	if dst = append(dst, `","title":`...); titled {
		dst = append(append(append(dst, '"'), title...), '"')
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"encrypted_index":""}`...)
	if e.look(dst[begin:]); e.whole {
		return dst
	}
	return append(dst, "}}\n\n"...)
}
