package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// chat is a request of many short turns: n is its size in bytes, more or less.
func chat(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"contents":[`)
	for i := 0; b.Len() < n; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"role":"user","parts":[{"text":"turn %d: what does \"inode\" mean?\nPlease explain it in three short sentences, with an example."}]}`, i)
	}
	b.WriteString(`],"generationConfig":{"temperature":0.7,"maxOutputTokens":8192},"model":"gemini-2.5-pro"}`)
	return b.Bytes()
}

// picture is a request with one inline image of n bytes.
func picture(n int) []byte {
	return []byte(`{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"` +
		strings.Repeat("iVBORw0K", n/8) + `"}},{"text":"what is it?"}]}],"model":"gemini-2.5-pro"}`)
}

func corpus() map[string][]byte {
	return map[string][]byte{"chat2k": chat(2 << 10), "chat1m": chat(1 << 20), "image20m": picture(20 << 20)}
}

func BenchmarkScan(b *testing.B) {
	for name, doc := range corpus() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			members := make([]Member, 0, 16)
			for b.Loop() {
				if _, err := Scan(doc, members); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	for name, doc := range corpus() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Check(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for name, doc := range corpus() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if Get(doc, "model") == nil {
					b.Fatal("no model")
				}
			}
		})
	}
}

func BenchmarkSSE(b *testing.B) {
	event := `data: {"response":{"candidates":[{"content":{"role":"model","parts":[{"text":"some words of an answer"}]}}]},"traceId":"t"}` + "\r\n\r\n"
	for name, body := range map[string]string{
		"small": strings.Repeat(event, 1000), "image8m": `data: {"data":"` + strings.Repeat("A", 8<<20) + "\"}\r\n\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				s := NewSSE(Plain(strings.NewReader(body)), 0)
				n := 0
				for _, _, err := s.Next(); err == nil; _, _, err = s.Next() {
					n++
				}
				s.Close()
				if n != strings.Count(body, "data:") {
					b.Fatal(n)
				}
			}
		})
	}
}

func BenchmarkAppendQuoted(b *testing.B) {
	for name, s := range map[string]string{
		"ascii": strings.Repeat("some words of an answer, ", 40), "chinese": strings.Repeat("\u4f60\u597d\uff0c\u4e16\u754c", 60),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = AppendQuoted(dst[:0], s)
			}
		})
	}
}

// TestNothingIsAllocated holds what the data path counts on.
func TestNothingIsAllocated(t *testing.T) {
	doc := chat(4 << 10)
	members := make([]Member, 0, 16)
	for name, f := range map[string]func(){
		"Scan":  func() { Scan(doc, members) },
		"Check": func() { Check(doc) },
		"Get":   func() { Get(doc, "generationConfig", "temperature") },
		"iterate": func() {
			for a := ArrayOf(Get(doc, "contents")); a.Next(); {
				for o := ObjectOf(a.Value); o.Next(); {
					o.Is("role")
				}
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	event := strings.Repeat("data: {\"a\":1}\r\n\r\n", 5000)
	s := NewSSE(Plain(strings.NewReader(event)), 0)
	defer s.Close()
	if n := testing.AllocsPerRun(2000, func() { s.Next() }); n > 0 {
		t.Errorf("an SSE event allocates %v times", n)
	}
}
