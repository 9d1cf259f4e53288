package upstream

import (
	"context"
	"io"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/stages/upstream/codeassist"
)

// tape is a body that gives the same event for ever.
type tape struct {
	data []byte
	at   int
}

func (t *tape) Read(p []byte) (int, error) {
	n := copy(p, t.data[t.at:])
	t.at = (t.at + n) % len(t.data)
	return n, nil
}

func (t *tape) Buffered() int       { return len(t.data) - t.at }
func (t *tape) Hurry(time.Duration) {}
func (t *tape) Close() error        { return nil }

func BenchmarkEvent(b *testing.B) {
	const hub = `{"candidates":[{"content":{"role":"model","parts":[{"text":"a few words of an answer, as they come"}]},"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"totalTokenCount":13},"modelVersion":"gemini-2.5-pro","responseId":"abcdefgh"}`
	body := &tape{data: []byte(event(hub))}
	e := &events{x: pipeline.NewExchange(context.Background(), pipeline.Request{}), d: codeassist.New(address("")),
		resp: &outbound.Response{Body: body}, sse: wire.NewSSE(body, 0)}
	defer e.Close()
	b.ReportAllocs()
	b.SetBytes(int64(len(body.data)))
	for b.Loop() {
		if _, err := e.Next(); err != nil && err != io.EOF {
			b.Fatal(err)
		}
	}
}
