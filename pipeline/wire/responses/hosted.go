package responses

import (
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// run opens a code interpreter call: the code is there, its output is not.
func (e *encoder) run(dst, source []byte) []byte {
	dst = e.close(dst)
	e.start(running, "ci_")
	dst = e.added(dst, e.interpreter(nil, "in_progress", nil))
	dst = e.tell(dst, "response.code_interpreter_call.in_progress")
	e.text = append(e.text, source...)
	dst = e.piece(dst, piece{"response.code_interpreter_call_code.delta", "", "delta"}, source)
	dst = e.piece(dst, piece{"response.code_interpreter_call_code.done", "", "code"}, source)
	return e.tell(dst, "response.code_interpreter_call.interpreting")
}

// ran completes it.
func (e *encoder) ran(dst []byte, p *said) []byte {
	if e.open != running {
		dst = e.run(dst, nil)
	}
	dst = e.tell(dst, "response.code_interpreter_call.completed")
	status := "completed"
	if len(p.mime) > 0 && string(p.mime) != "OUTCOME_OK" {
		status = "failed"
	}
	logs := p.text
	if logs == nil {
		logs = []byte{}
	}
	return e.done(dst, e.interpreter(make([]byte, 0, len(e.text)+len(logs)+200), status, logs))
}

// interpreter appends the open code interpreter call. Its output is told when the request asks for it.
func (e *encoder) interpreter(dst []byte, status string, logs []byte) []byte {
	dst = append(append(append(dst, `{"id":"`...), e.id...), `","type":"code_interpreter_call","status":"`...)
	dst = append(append(dst, status...), `","container_id":"cntr_`...)
	dst = append(gemini.AppendID(dst, e.seed, 0, 32), `","code":"`...)
	dst = append(append(dst, e.text...), `","outputs":`...)
	if logs == nil || !e.outputs {
		return append(dst, "null}"...)
	}
	return append(append(append(dst, `[{"type":"logs","logs":"`...), logs...), `"}]}`...)
}

// search writes what Google searched for, once, when there is anything to tell.
func (e *encoder) search(dst []byte) []byte {
	queries, pages := wire.Get(e.ground, "webSearchQueries"), wire.Get(e.ground, "groundingChunks")
	q, p := wire.ArrayOf(queries), wire.ArrayOf(pages)
	if e.searched || !q.Next() && !p.Next() {
		return dst
	}
	e.searched = true
	e.start(nothing, "ws_")
	dst = e.added(dst, e.searchCall(nil, "in_progress"))
	dst = e.tell(dst, "response.web_search_call.in_progress")
	dst = e.tell(dst, "response.web_search_call.searching")
	dst = e.tell(dst, "response.web_search_call.completed")
	return e.done(dst, e.searchCall(nil, "completed"))
}

func (e *encoder) searchCall(dst []byte, status string) []byte {
	dst = append(append(append(dst, `{"id":"`...), e.id...), `","type":"web_search_call","status":"`...)
	dst = append(append(dst, status...), `","action":{"type":"search","query":`...)
	begin := len(dst)
	for a := wire.ArrayOf(wire.Get(e.ground, "webSearchQueries")); a.Next(); {
		if wire.KindOf(a.Value) != wire.KindString {
			continue
		}
		if len(dst) > begin {
			dst = append(dst, ',')
		} else { // the first one is "the" query as well
			dst = append(wire.AppendLine(dst, a.Value), `,"queries":[`...)
			begin = len(dst)
		}
		dst = wire.AppendLine(dst, a.Value)
	}
	if dst[begin-1] == '[' {
		dst = append(dst, ']')
	} else {
		dst = append(dst, `"","queries":[]`...)
	}
	if !e.sources {
		return append(dst, "}}"...)
	}
	dst = append(dst, `,"sources":[`...)
	for a := wire.ArrayOf(wire.Get(e.ground, "groundingChunks")); a.Next(); {
		if uri := wire.Get(a.Value, "web", "uri"); wire.KindOf(uri) == wire.KindString {
			dst = wire.AppendLine(append(wire.Comma(dst), `{"type":"url","url":`...), uri)
			dst = append(dst, '}')
		}
	}
	return append(dst, "]}}"...)
}

// annotate appends the events about the pages that the open message cites, and gives the annotations.
func (e *encoder) annotate(dst []byte) (out, notes []byte) {
	supports := wire.ArrayOf(wire.Get(e.ground, "groundingSupports"))
	var pages [][]byte
	for a := wire.ArrayOf(wire.Get(e.ground, "groundingChunks")); a.Next(); {
		pages = append(pages, wire.Get(a.Value, "web"))
	}
	if len(pages) == 0 || e.cited {
		return dst, nil
	}
	text := counter{text: wire.AppendText(make([]byte, 0, len(e.text)), quoted(e.text))}
	for n := 0; supports.Next(); {
		segment := wire.Get(supports.Value, "segment")
		from, _ := wire.Int(wire.Get(segment, "startIndex"))
		to, _ := wire.Int(wire.Get(segment, "endIndex"))
		if from < 0 || to <= from || from >= int64(len(text.text)) {
			continue
		}
		begin, end := text.letters(from), text.letters(to)
		for a := wire.ArrayOf(wire.Get(supports.Value, "groundingChunkIndices")); a.Next(); {
			i, ok := wire.Int(a.Value)
			if !ok || i < 0 || i >= int64(len(pages)) || wire.KindOf(wire.Get(pages[i], "uri")) != wire.KindString {
				continue
			}
			note := appendCitation(nil, pages[i], [2]int{begin, end})
			dst = e.annotated(dst, note, n)
			if n++; len(notes) > 0 {
				notes = append(notes, ',')
			}
			notes = append(notes, note...)
		}
	}
	e.cited = len(notes) > 0
	return dst, notes
}
