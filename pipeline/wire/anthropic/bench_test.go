package anthropic

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
)

// chatBody is a usual request of 2 KB.
func chatBody() []byte {
	filler := strings.Repeat(`The quick brown fox jumps over the lazy dog, \"twice\" a day. `, 9)
	return []byte(`{"model":"gemini-2.5-pro","stream":true,"temperature":0.7,"top_p":0.95,"max_tokens":4096,` +
		`"system":[{"type":"text","text":"You are terse.","cache_control":{"type":"ephemeral"}}],"metadata":{"user_id":"u"},` +
		`"messages":[{"role":"user","content":"` + filler + `"},{"role":"assistant","content":[{"type":"text","text":"` + filler + `"}]},` +
		`{"role":"user","content":[{"type":"text","text":"` + filler + `"},{"type":"text","text":"And then?\n","cache_control":{"type":"ephemeral"}}]}]}`)
}

// toolBody has so many tools.
func toolBody(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"m","max_tokens":4096,"messages":[` + hi + `],"tools":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":"tool_` + strconv.Itoa(i) + `","description":"Reads the file at a path and gives its lines, numbered.","input_schema":{"type":"object",` +
			`"properties":{"path":{"type":"string","description":"Absolute path."},"limit":{"type":"integer","minimum":1},"mode":{"type":"string","enum":["a","b"]}},"required":["path"],"additionalProperties":false}}`)
	}
	return []byte(b.String() + `]}`)
}

// longBody has so many turns, every second one with a call.
func longBody(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"m","max_tokens":4096,"messages":[` + hi)
	for i := range n / 2 {
		id := strconv.Itoa(i)
		b.WriteString(`,{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_` + id + `","name":"read","input":{"path":"/a/b"}}]}`)
		b.WriteString(`,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_` + id + `","content":[{"type":"text","text":"` + strings.Repeat(`line of a file\n`, 20) + `"}]}]}`)
	}
	return []byte(b.String() + `]}`)
}

func pictureBody(size int) []byte {
	return []byte(dialogueOf(userBlocks(strings.Replace(png, "AAAA", strings.Repeat("ABCD", size/4), 1)), ""))
}

func benchToHub(b *testing.B, body []byte) {
	members, err := wire.Scan(body, nil)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 2*len(body)+1024)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ToHub(dst[:0], body, members, pro25); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToHub(b *testing.B) {
	b.Run("chat 2 KB", func(b *testing.B) { benchToHub(b, chatBody()) })
	b.Run("40 tools", func(b *testing.B) { benchToHub(b, toolBody(40)) })
	b.Run("200 turns", func(b *testing.B) { benchToHub(b, longBody(200)) })
	b.Run("picture 1 MB", func(b *testing.B) { benchToHub(b, pictureBody(1<<20)) })
}

// BenchmarkSlope shows that the cost grows as the body does: MB/s must not fall.
func BenchmarkSlope(b *testing.B) {
	for _, turns := range []int{2, 20, 200, 2000, 20000, 66000} {
		body := longBody(turns)
		b.Run(fmt.Sprintf("%d KB", len(body)>>10), func(b *testing.B) { benchToHub(b, body) })
	}
}

const hubEvent = `{"candidates": [{"content": {"parts": [{"text": "Here is a piece of \"text\", as it comes"}],"role": "model"},"index": 0}],` +
	`"usageMetadata": {"promptTokenCount": 50,"candidatesTokenCount": 9,"thoughtsTokenCount": 18,"totalTokenCount": 77,` +
	`"promptTokensDetails": [{"modality": "TEXT","tokenCount": 50}]},"modelVersion": "gemini-2.5-pro","responseId": "r1"}`

func BenchmarkEvent(b *testing.B) {
	call := event(`{"functionCall":{"id":"toolu_0123456789abcdef01234567","name":"read_file","args":{"path":"/a/b","limit":20}}}`, "")
	for name, data := range map[string]string{"text": hubEvent, "call": call} {
		b.Run(name, func(b *testing.B) {
			e, data, dst := newEncoder(), []byte(data), make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Event(dst, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestEventAllocations(t *testing.T) {
	e, data, dst := newEncoder(), []byte(hubEvent), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := e.Event(dst, data); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkWhole(b *testing.B) {
	text := strings.Repeat(`A sentence of an answer with a line end.\n`, 45)
	data := []byte(strings.Replace(hubEvent, "Here is", text, 1))
	dst := make([]byte, 0, 8192)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newEncoder().Whole(dst, data); err != nil {
			b.Fatal(err)
		}
	}
}
