package wire

import (
	"bytes"
	"testing"
)

func TestNotText(t *testing.T) {
	for doc, want := range map[string]int{
		``: -1, `{"a":"b"}`: -1, `{"a":"天"}`: -1, "{\"a\":\"\xff\"}": 6, "{\"a\":\"\xed\xa0\x80\"}": 6, "\xe5\xa4": 0,
		`"\ud83d\ude00"`: -1, `"\uD83D\uDE00"`: -1, `"\ud83d"`: 1, `"x\ude00"`: 2, `"\ud83d\ud83d\ude00"`: 1, `"\ud83dx"`: 1,
		`"\\ud83d"`: -1, `"\\\ud83d"`: 3, `"\u00e9\ud7ff\ue000"`: -1, `"\ud83d\n"`: 1, `"\ud83d\u0041"`: 1, `\ud8`: -1, `\ud`: -1, `\u`: -1,
	} {
		if got := NotText([]byte(doc)); got != want {
			t.Errorf("%q: %d, want %d", doc, got, want)
		}
	}
}

func BenchmarkNotText(b *testing.B) {
	for name, doc := range map[string][]byte{
		"ascii":   bytes.Repeat([]byte("plain words of a dialogue. "), 1<<15),
		"escapes": bytes.Repeat([]byte(`\u4f60\u597d\n`), 1<<15),
		"chinese": bytes.Repeat([]byte("你好，"), 1<<15),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if NotText(doc) >= 0 {
					b.Fatal("is text")
				}
			}
		})
	}
}
