package responses

import (
	"fmt"
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// agentBody is what an agent sends: so many tools, so many turns with a call each.
func agentBody(tools, turns int) []byte {
	filler := strings.Repeat(`The quick brown fox jumps over the lazy dog, \"twice\" a day. `, 5)
	var b strings.Builder
	b.WriteString(`{"model":"gemini-2.5-pro","stream":true,"temperature":0.7,"instructions":"You are terse.","reasoning":{"effort":"low","summary":"auto"},"tools":[`)
	for i := range tools {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"function","name":"tool_%d","description":"%s","strict":false,"parameters":{"type":"object","properties":{"path":{"type":"string","description":"where"},"limit":{"type":"integer"},"how":{"enum":["a","b"]}},"required":["path"]}}`, i, filler[:100])
	}
	b.WriteString(`],"input":[{"role":"user","content":[{"type":"input_text","text":"` + filler + `"}]}`)
	for i := range turns {
		fmt.Fprintf(&b, `,{"type":"reasoning","id":"rs_%d","summary":[]},{"type":"function_call","call_id":"call_%d","name":"tool_0","arguments":"{\"path\":\"/a/%d\"}"}`+
			`,{"type":"function_call_output","call_id":"call_%d","output":"%s"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"%s","annotations":[]}]},{"role":"user","content":"And then?\n"}`, i, i, i, i, filler, filler[:100])
	}
	return []byte(b.String() + `]}`)
}

func pictureBody(size int) []byte {
	return []byte(asking(`{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,` + strings.Repeat("QUJD", size/4) + `"}]}`))
}

func BenchmarkToHub(b *testing.B) {
	for _, c := range []struct {
		name string
		body []byte
	}{
		{"2KB", agentBody(1, 1)}, {"40tools", agentBody(40, 1)}, {"200turns", agentBody(1, 200)},
		{"1MBimage", pictureBody(1 << 20)}, {"20MBimage", pictureBody(20 << 20)},
	} {
		b.Run(c.name, func(b *testing.B) {
			members, err := wire.Scan(c.body, nil)
			if err != nil {
				b.Fatal(err)
			}
			dst := make([]byte, 0, 2*len(c.body)+1024)
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, fail := ToHub(dst[:0], Input{Body: c.body, Members: members}, pro3()); fail != nil {
					b.Fatal(fail)
				}
			}
		})
	}
}

const hubEvent = `{"candidates": [{"content": {"parts": [{"text": "Here is a piece of \"text\", as it comes"}],"role": "model"},"index": 0}],` +
	`"usageMetadata": {"promptTokenCount": 50,"candidatesTokenCount": 9,"thoughtsTokenCount": 18,"totalTokenCount": 77,` +
	`"promptTokensDetails": [{"modality": "TEXT","tokenCount": 50}]},"modelVersion": "gemini-2.5-pro","responseId": "r1"}`

func benchEncoder(stream bool) *encoder {
	return NewEncoder(EncoderOptions{ID: "0123456789abcdef01234567", Model: "gemini-2.5-pro", Created: 1764580000, Stream: stream}).(*encoder)
}

func BenchmarkEvent(b *testing.B) {
	e, data := benchEncoder(true), []byte(hubEvent)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if len(e.text) > 1<<20 { // no answer is longer
			e = benchEncoder(true)
		}
		if _, err := e.Event(dst, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWhole(b *testing.B) {
	data := []byte(strings.Replace(hubEvent, "Here is", strings.Repeat(`A sentence of an answer with a line end.\n`, 45), 1))
	dst := make([]byte, 0, 8192)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := benchEncoder(false).Whole(dst, data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStream is an answer of so many events from beginning to end: the cost must grow with them.
func BenchmarkStream(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			data := []byte(hubEvent)
			dst := make([]byte, 0, 1<<20)
			b.ReportAllocs()
			for b.Loop() {
				e := benchEncoder(true)
				for range n {
					if _, err := e.Event(dst, data); err != nil {
						b.Fatal(err)
					}
				}
				e.Finish(dst)
			}
		})
	}
}

func TestEventsDoNotAllocate(t *testing.T) {
	e := benchEncoder(true)
	dst := make([]byte, 0, 4096)
	data := []byte(hubEvent)
	if _, err := e.Event(dst, data); err != nil {
		t.Fatal(err)
	}
	e.text = append(make([]byte, 0, 1<<20), e.text...) // that it grows is its own cost, and not one an event
	if n := testing.AllocsPerRun(100, func() {
		if _, err := e.Event(dst, data); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestRecallIsOptional(t *testing.T) {
	body := agentBody(2, 3)
	out, _, fail := translate(t, string(body), "", pro3())
	if fail != nil || strings.Count(out, gemini.Sentinel) != 3 {
		t.Errorf("%v %s", fail, out)
	}
}
