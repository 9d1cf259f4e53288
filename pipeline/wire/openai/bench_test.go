package openai

import (
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// chatBody is a usual request of 1.5 KB.
func chatBody() []byte {
	filler := strings.Repeat(`The quick brown fox jumps over the lazy dog, \"twice\" a day. `, 5)
	return []byte(`{"model":"gemini-2.5-pro","stream":true,"stream_options":{"include_usage":true},"temperature":0.7,` +
		`"top_p":0.95,"max_tokens":4096,"messages":[{"role":"system","content":"You are terse."},` +
		`{"role":"user","content":"` + filler + `"},{"role":"assistant","content":"` + filler + `"},` +
		`{"role":"user","content":[{"type":"text","text":"` + filler + `"},{"type":"text","text":"And then?\n"}]}]}`)
}

func BenchmarkToHub(b *testing.B) {
	body := chatBody()
	members, err := wire.Scan(body, nil)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 2*len(body))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ToHub(dst[:0], body, members, gemini.Target{MaxOutput: 65536, Major: 2, Minor: 5, Pro: true, Thinks: true}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScanToHub is the whole cost of a request in this language.
func BenchmarkScanToHub(b *testing.B) {
	body := chatBody()
	dst := make([]byte, 0, 2*len(body))
	var room [16]wire.Member
	b.ReportAllocs()
	for b.Loop() {
		members, err := wire.Scan(body, room[:0])
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := ToHub(dst[:0], body, members, gemini.Target{}); err != nil {
			b.Fatal(err)
		}
	}
}

const hubEvent = `{"candidates": [{"content": {"parts": [{"text": "Here is a piece of \"text\", as it comes"}],"role": "model"},"index": 0}],` +
	`"usageMetadata": {"promptTokenCount": 50,"candidatesTokenCount": 9,"thoughtsTokenCount": 18,"totalTokenCount": 77,` +
	`"promptTokensDetails": [{"modality": "TEXT","tokenCount": 50}]},"modelVersion": "gemini-2.5-pro","responseId": "r1"}`

func benchEncoder() wire.Encoder {
	return NewEncoder(EncoderOptions{ID: "0123456789abcdef01234567", Model: "gemini-2.5-pro", Created: 1764580000, IncludeUsage: true})
}

func BenchmarkEvent(b *testing.B) {
	e, data := benchEncoder(), []byte(hubEvent)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Event(dst, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWhole(b *testing.B) {
	text := strings.Repeat(`A sentence of an answer with a line end.\n`, 45)
	data := []byte(strings.Replace(hubEvent, "Here is", text, 1))
	dst := make([]byte, 0, 8192)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := benchEncoder().Whole(dst, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckEvent(b *testing.B) {
	data := []byte(hubEvent)
	for b.Loop() {
		if err := wire.Check(data); err != nil {
			b.Fatal(err)
		}
	}
}
