package gemini

import (
	"strings"
	"testing"
)

const event = `{"candidates":[{"content":{"role":"model","parts":[{"text":"Some words of an answer, not many."}]}}],"usageMetadata":{"promptTokenCount":50,"candidatesTokenCount":1,"thoughtsTokenCount":18,"totalTokenCount":69},"modelVersion":"gemini-3.1-pro-preview","responseId":"r1"}`

// BenchmarkSplice renders a body with one picture of 20 MB and two edits: one copy.
func BenchmarkSplice(b *testing.B) {
	body := []byte(`{"model":"gemini-2.5-pro","contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"` +
		strings.Repeat("iVBORw0K", 20<<17) + `"}}]}],"generationConfig":{"temperature":1}}`)
	dst := make([]byte, 0, len(body)+1024)
	b.Run("render", func(b *testing.B) {
		c := mustCall(b, string(body))
		c.Delete("model")
		c.SetIn("generationConfig", "topP", []byte("0.9"))
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			c.AppendTo(dst)
		}
	})
	b.Run("scan and render", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			c, err := NewCall(body)
			if err != nil {
				b.Fatal(err)
			}
			c.Delete("model")
			c.SetIn("generationConfig", "topP", []byte("0.9"))
			c.AppendTo(dst)
		}
	})
}

func BenchmarkNewCallSmall(b *testing.B) {
	body := []byte(`{"contents":[{"role":"user","parts":[{"text":"` + strings.Repeat("hello there, ", 100) + `"}]}],"generationConfig":{"temperature":1},"tools":[]}`)
	dst := make([]byte, 0, 4096)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		c, err := NewCall(body)
		if err != nil {
			b.Fatal(err)
		}
		c.Set("tools", []byte("[1]"))
		c.AppendTo(dst)
	}
}

func BenchmarkUnwrap(b *testing.B) {
	envelope := []byte(`{"response":` + event + `,"traceId":"t1"}`)
	b.SetBytes(int64(len(envelope)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Unwrap(envelope); !ok {
			b.Fatal("no response")
		}
	}
}

func BenchmarkLook(b *testing.B) {
	data := []byte(event)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if g := Look(data); !g.Text {
			b.Fatal("no text")
		}
	}
}

func BenchmarkEncoder(b *testing.B) {
	data, dst := []byte(event), make([]byte, 0, 4096)
	for name, array := range map[string]bool{"sse": false, "array": true} {
		b.Run(name, func(b *testing.B) {
			e := NewEncoder(true, array)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				e.Event(dst, data)
			}
		})
	}
}

func BenchmarkGather(b *testing.B) {
	data := []byte(event)
	b.SetBytes(int64(len(data)) * 40)
	b.ReportAllocs()
	for b.Loop() {
		var g Gather
		for range 40 {
			g.Add(data)
		}
		g.Append(nil)
	}
}

func BenchmarkParseError(b *testing.B) {
	body := []byte(variantB)
	b.ReportAllocs()
	for b.Loop() {
		ParseError(429, "", body, now)
	}
}
