package simulator

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Canned is a fixed answer for benchmarks: bytes that are sent as they stand, without a look at the request.
type Canned struct {
	Body   []byte        // answer of generateContent
	Events [][]byte      // payloads of streamGenerateContent, without "data: "
	Gap    time.Duration // between two events; none means a burst that is still flushed event by event
}

// NewCanned makes a canned answer: a body of about size bytes, and so many events (the last one carries finish reason and
// counts). wrapped puts everything into the envelope of Code Assist.
func NewCanned(size, events int, gap time.Duration, wrapped bool) Canned {
	wrap := func(inner string) []byte {
		if wrapped {
			return []byte(`{"response":` + inner + `,"traceId":"b1e2c3d4a5f60718"}`)
		}
		return []byte(inner)
	}
	event := func(text, more, usage string) []byte {
		return wrap(`{"candidates":[{"content":{"role":"model","parts":[{"text":"` + text + `"}]}` + more + `,"index":0}],"usageMetadata":` +
			usage + `,"modelVersion":"bench","responseId":"bench-response"}`)
	}
	final := `{"promptTokenCount":12,"candidatesTokenCount":` + strconv.Itoa(size/4) + `,"totalTokenCount":` + strconv.Itoa(size/4+12) + `}`
	c := Canned{Gap: gap, Body: event(strings.Repeat("lorem ipsum ", max(size/12, 1)), `,"finishReason":"STOP"`, final)}
	for range max(events, 1) - 1 {
		c.Events = append(c.Events, event("lorem ipsum dolor sit amet, ", "", `{"promptTokenCount":12,"totalTokenCount":12}`))
	}
	c.Events = append(c.Events, event("", `,"finishReason":"STOP"`, final))
	return c
}

// benchName reads the parameters in a model name: bench-sse-40-10ms are 40 events ten milliseconds apart,
// bench-json-2048 is a body of two kilobytes. Without parameters: 40 events in a burst, 2048 bytes.
func benchName(model string) (size, events int, gap time.Duration, ok bool) {
	words := strings.Split(model, "-")
	if len(words) < 2 || words[0] != "bench" || words[1] != "json" && words[1] != "sse" {
		return 0, 0, 0, false
	}
	size, events = 2048, 40
	if len(words) > 2 {
		n, err := strconv.Atoi(words[2])
		if err != nil || n < 1 || n > 1<<24 {
			return 0, 0, 0, false
		}
		size, events = n, min(n, 100_000)
		if words[1] == "sse" {
			size = 2048
		} else {
			events = 40
		}
	}
	if len(words) > 3 {
		var err error
		if gap, err = time.ParseDuration(words[3]); err != nil {
			return 0, 0, 0, false
		}
	}
	return size, events, gap, true
}

// benchModel finds the name of a bench model in the body of a Code Assist call without reading the rest of it.
func benchModel(body []byte) string {
	i := bytes.Index(body, []byte(`"bench-`))
	if i < 0 || i > 512 { // it stands in front, or it is part of a prompt
		return ""
	}
	name, _, _ := bytes.Cut(body[i+1:], []byte(`"`))
	return string(name)
}

// cannedFor finds the canned answer of a model: one of Options.Canned, or a bench model.
func (s *Server) cannedFor(d dialect, model string) (Canned, bool) {
	if c, ok := s.opts.Canned[model]; ok {
		return c, true
	}
	if !strings.HasPrefix(model, "bench-") {
		return Canned{}, false
	}
	size, events, gap, ok := benchName(model)
	if !ok {
		return Canned{}, false
	}
	return NewCanned(size, events, gap, d == assist), true
}

// can answers with fixed bytes; nothing of the request is checked.
func (x *exchange) can(c Canned, model string, stream bool) {
	x.note(func(r *Call) { r.Model = model })
	if !stream {
		x.whole(http.StatusOK, "application/json; charset=UTF-8", c.Body)
		return
	}
	x.head(http.StatusOK, "text/event-stream")
	var out []byte
	for i, e := range c.Events {
		if i > 0 && c.Gap > 0 && !x.pause(c.Gap) {
			return
		}
		out = append(append(append(out[:0], "data: "...), e...), "\r\n\r\n"...)
		if !x.write(out) {
			return
		}
	}
}
