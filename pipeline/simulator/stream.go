package simulator

import (
	"bytes"
	"net/http"
	"time"
)

// writer sends one answer, whole or as events.
type writer struct {
	x         *exchange
	request   *request
	answer    *answer
	play      play
	trace, id string
	sse       bool
	written   int
}

// events renders the answer as the events of a stream: thoughts, text, picture, calls, and a last one with the finish
// reason and the final counts. firstText is the index of the first event with text in it.
func (w *writer) events() (events [][]byte, firstText int) {
	a := w.answer
	add := func(u *usage, parts ...replyPart) {
		events = append(events, w.reply(candidate{}, parts, u))
	}
	if a.feedback != nil {
		return [][]byte{w.reply(candidate{}, nil, w.usage(0, true))}, 0
	}
	if a.show && a.thought != "" {
		for _, piece := range pieces(a.thought, 6) {
			part := textPart(piece)
			part.Thought = true
			add(w.usage(0, false), part)
		}
	}
	firstText = len(events)
	soFar := 0
	for _, piece := range w.textPieces() {
		soFar += len([]rune(piece))
		add(w.usage((soFar+3)/4, false), textPart(piece))
	}
	if a.picture != nil {
		add(nil, w.picturePart())
	}
	if len(a.calls) > 0 {
		add(nil, w.callParts()...)
	}
	return append(events, w.last()), firstText
}

func (w *writer) textPieces() []string {
	if len(w.answer.pieces) > 0 {
		return runs(w.answer.text, w.answer.pieces)
	}
	switch w.play.shape {
	case "big":
		return []string{w.answer.text}
	case "many":
		return pieces(w.answer.text, 1)
	}
	return pieces(w.answer.text, w.x.s.opts.WordsPerEvent)
}

// last is the final event: an empty text, signed when text was the answer of a Gemini 3 model, finish reason and counts.
func (w *writer) last() []byte {
	a := w.answer
	c := candidate{Finish: a.finish, Message: a.message, Ratings: a.ratings, Grounding: a.search}
	var parts []replyPart
	if w.play.shape == "" || a.text != "" {
		parts = []replyPart{textPart("")}
		if w.signs() && a.text != "" {
			parts[0].Signature = sign(w.request.model.family(), "")
		}
	}
	return w.reply(c, parts, w.usage(a.replyTokens, true))
}

// stream sends the events as SSE, or as one JSON array when alt=sse was not asked for.
func (w *writer) stream() {
	w.sse = w.x.r.URL.Query().Get("alt") == "sse"
	events, text := w.events()
	if w.play.midway == "eof" { // the last event is the one with the finish reason
		events = events[:len(events)-1]
	}
	w.begin()
	if w.play.midway == "slow-event" && !(w.x.write(nil) && w.x.pause(w.play.wait)) {
		return
	}
	turn := min(text+1, len(events)-1) // the event before which the fault strikes
	if w.answer.story {
		turn = len(events) - 1
	}
	gap := w.x.s.opts.EventGap
	for i, e := range events {
		if i > 0 && w.play.shape != "many" && !w.x.pause(gap) {
			return
		}
		if i == max(turn, 0) && !w.midway() {
			return
		}
		if !w.event(e) {
			return
		}
	}
	if w.sse {
		return
	}
	if w.written == 0 {
		w.x.write([]byte("["))
	}
	w.x.write([]byte("]"))
}

func (w *writer) begin() {
	kind := "application/json; charset=UTF-8"
	if w.sse {
		kind = "text/event-stream"
	}
	if w.request.dialect == assist {
		w.x.w.Header().Set("X-Cloudaicompanion-Trace-Id", w.trace)
	}
	w.x.head(http.StatusOK, kind)
}

// event sends one event and flushes it.
func (w *writer) event(data []byte) bool {
	if w.x.context.Err() != nil && !w.x.pause(0) {
		return false
	}
	var out []byte
	switch {
	case w.sse && w.play.midway == "split-data": // a line end between two tokens is no harm to JSON
		out = append(out, "data: {\r\ndata: "...)
		out = append(out, data[1:]...)
		out = append(out, "\r\n\r\n"...)
	case w.sse:
		out = make([]byte, 0, len(data)+10)
		out = append(append(append(out, "data: "...), data...), "\r\n\r\n"...)
	case w.written == 0:
		out = append([]byte("["), data...)
	default:
		out = append([]byte(",\r\n"), data...)
	}
	if !w.x.write(out) {
		return false
	}
	w.written++
	w.x.note(func(c *Call) { c.Events++ })
	return true
}

// midway plays what happens in the middle of a transfer; false ends it.
func (w *writer) midway() bool {
	switch w.play.midway {
	case "silence":
		return w.x.pause(w.play.wait) && !w.answer.story
	case "cut":
		w.x.pause(20 * time.Millisecond) // let the events before the reset reach the reader
		w.x.reset()
		return false
	case "garbage":
		return w.event([]byte(`{"candidates": [{"content": {"parts" oops`))
	case "no-response-member":
		return w.event(w.wrap(nil))
	case "error-event":
		w.event(w.play.midError.body(false))
		return false
	case "error-line":
		w.x.write(append(bytes.Clone(w.play.midError.body(true)), "\r\n"...))
		return false
	}
	return true
}

// unary sends the answer as one body.
func (w *writer) unary() {
	x := w.x
	if w.request.dialect == assist {
		x.w.Header().Set("X-Cloudaicompanion-Trace-Id", w.trace)
	}
	if !x.pause(w.play.wait) {
		return
	}
	const kind = "application/json; charset=UTF-8"
	switch w.play.midway {
	case "garbage":
		x.whole(http.StatusOK, kind, []byte(`{"candidates": [{"content": {"parts" oops`))
	case "error-event":
		x.whole(http.StatusOK, kind, w.play.midError.body(false))
	case "error-line":
		x.whole(http.StatusOK, kind, w.play.midError.body(true))
	case "no-response-member":
		x.whole(http.StatusOK, kind, w.wrap(nil))
	case "cut":
		w.half(w.body())
	case "eof":
		w.answer.finish = ""
		x.whole(http.StatusOK, kind, w.body())
	default:
		x.whole(http.StatusOK, kind, w.body())
	}
}

// half sends the first half of a body that was announced whole, then breaks the connection.
func (w *writer) half(body []byte) {
	w.x.w.Header().Set("Content-Length", number10(int64(len(body))))
	w.x.head(http.StatusOK, "application/json; charset=UTF-8")
	if w.x.write(body[:len(body)/2]) {
		w.x.pause(20 * time.Millisecond)
		w.x.reset()
	}
}

func (w *writer) body() []byte {
	a := w.answer
	if a.feedback != nil {
		return w.reply(candidate{}, nil, w.usage(0, true))
	}
	var parts []replyPart
	if a.show && a.thought != "" {
		p := textPart(a.thought)
		p.Thought = true
		parts = append(parts, p)
	}
	if a.text != "" {
		p := textPart(a.text)
		if w.signs() {
			p.Signature = sign(w.request.model.family(), "")
		}
		parts = append(parts, p)
	}
	if a.picture != nil {
		parts = append(parts, w.picturePart())
	}
	parts = append(parts, w.callParts()...)
	c := candidate{Finish: a.finish, Message: a.message, Ratings: a.ratings, Grounding: a.search}
	return w.reply(c, parts, w.usage(a.replyTokens, true))
}
