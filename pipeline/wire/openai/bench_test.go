package openai

import (
	"fmt"
	"strconv"
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

// bodies are the requests that the translation is measured by.
func bodies() map[string][]byte {
	filler := strings.Repeat(`The quick brown fox jumps over the lazy dog, \"twice\" a day. `, 5)
	var tools, turns strings.Builder
	for i := range 40 {
		fmt.Fprintf(&tools, `,{"type":"function","function":{"name":"tool_%d","description":"`+filler+`","parameters":{"type":"object","properties":{"path":{"type":"string","description":"Where it is"},"depth":{"type":["integer","null"]},"flags":{"type":"array","items":{"type":"string","enum":["a","b"]}}},"required":["path"],"additionalProperties":false}}}`, i)
	}
	for i := range 50 { // four messages each
		fmt.Fprintf(&turns, `,{"role":"user","content":"`+filler+`"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_%d","type":"function","function":{"name":"tool_1","arguments":"{\"path\":\"/src\"}"}}]},`+
			`{"role":"tool","tool_call_id":"call_%d","content":"`+filler+`"},{"role":"assistant","content":"`+filler+`"}`, i, i)
	}
	return map[string][]byte{
		"chat2KB":  chatBody(),
		"40tools":  []byte(`{"model":"m","messages":[` + hi + `],"tools":[` + tools.String()[1:] + `]}`),
		"200turns": []byte(`{"model":"m","messages":[` + turns.String()[1:] + `,` + hi + `]}`),
		"image1MB": []byte(dialogue(`{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("iVBORw0K", 1<<17) + `"}}]}`)),
	}
}

func BenchmarkToHub(b *testing.B) {
	for name, body := range bodies() {
		b.Run(name, func(b *testing.B) { measure(b, body) })
	}
}

// BenchmarkSlope shows that the cost grows as the body does: the rate must stay the same.
func BenchmarkSlope(b *testing.B) {
	turn := `,{"role":"user","content":"` + strings.Repeat(`Some words and a line end.\n`, 30) + `"}`
	for _, size := range []int{1 << 10, 32 << 10, 1 << 20, 20 << 20} {
		body := []byte(dialogue(strings.Repeat(turn, max(size/len(turn), 1))[1:]))
		b.Run(strconv.Itoa(size>>10)+"KB", func(b *testing.B) { measure(b, body) })
	}
}

func measure(b *testing.B, body []byte) {
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

// hubEvents are events of all the kinds that come often.
func hubEvents() map[string]string {
	return map[string]string{
		"text":    hubEvent,
		"Chinese": strings.Replace(hubEvent, "Here is a piece", "这是一段文字，with 字母 in 它", 1),
		"thought": strings.Replace(hubEvent, `it comes"`, `it comes","thought":true`, 1),
		"call":    event(`{"functionCall":{"id":"call_1","name":"get_weather","args":{"city":"Oslo"}},"thoughtSignature":"EqQBCqEB"}`, ""),
	}
}

func BenchmarkEvent(b *testing.B) {
	for name, data := range hubEvents() {
		b.Run(name, func(b *testing.B) {
			e, data := benchEncoder(), []byte(data)
			dst := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Event(dst, data); err != nil {
					b.Fatal(err)
				}
			}
		})
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
