package upstream

import (
	"context"
	"io"
	"net/http"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire/gemini"
)

// Behind the finish reason nothing is missing, however the connection ends, and nobody waits for
// what does not come.
func TestBehindTheEnd(t *testing.T) {
	const two = `{"contents":[],"generationConfig":{"candidateCount":2}}`
	for _, c := range []struct {
		name, call string
		sent       string
		cut        bool // the connection ends at once; else it stays open
		passed     int
		whole      bool
		resumes    bool // the rest of an answer was asked for
	}{
		{"cut", "", event(text) + event(stop), true, 2, true, false},
		{"nothing is left to say", "", event(stop), true, 1, true, true},
		{"nothing was said", "", event(stop), true, 0, false, false},
		{"cut after a refused prompt", "", event(blocked), true, 1, true, false},
		{"cut in the middle of a count", "", event(answer) + `data: {"resp`, true, 1, true, false},
		{"kept open", "", event(text) + event(stop), false, 2, true, false},
		{"cut before the end", "", event(text), true, 1, false, false},
		{"the first of two answers is not the end", two, event(answer), true, 1, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, q *http.Request) {
				_, _ = io.Copy(io.Discard, q.Body)
				_, _ = io.WriteString(w, c.sent)
				_ = http.NewResponseController(w).Flush()
				if c.cut {
					panic(http.ErrAbortHandler)
				}
				<-q.Context().Done()
			})
			r.short = true
			x := exchange(t, context.Background(), "codeassist", pipeline.Streaming)
			if c.call != "" {
				x.Call, _ = gemini.NewCall([]byte(c.call))
			}
			x.WantsStream, x.Resumes = true, c.resumes
			r.stage.Process(x)
			passed, err := pull(x.Reply.Stream)
			if len(passed) != c.passed || (err == io.EOF) != c.whole {
				t.Errorf("passed %q, ended with %v", passed, err)
			}
			finish(t, r.stage, x)
			if last := x.Lease.(*lease).reports[0]; (last == nil) != c.whole {
				t.Errorf("reported %v", last)
			}
		})
	}
}
