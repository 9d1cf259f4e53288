package gemini

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"unicode/utf8"
)

// says is a call with one text.
func says(text string) string {
	b, _ := json.Marshal(text)
	return `{"contents":[{"role":"user","parts":[{"text":` + string(b) + `}]}]}`
}

func TestEstimate(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       int64
	}{
		{"four letters are a token", says("abcd"), 1},
		{"rounded up", says("abcde"), 2},
		{"an empty text is one", says(""), 1},
		{"each text by itself", `{"contents":[{"parts":[{"text":"a"},{"text":"b"}]},{"parts":[{"text":"c"}]}]}`, 3},
		{"accents are Latin", says("éàüñ"), 1},
		{"Cyrillic is half a token", says("привет"), 3},
		{"Chinese is one a character", says("你好，世界"), 5},
		{"Japanese and Korean", says("こんにちは안녕"), 7},
		{"an emoji is one", says("🦊🦊"), 2},
		{"mixed", says("abcd你好"), 3},
		{"escapes count as what they mean", `{"contents":[{"parts":[{"text":"\u4f60\u597d\n\t\"\\"}]}]}`, 3},
		{"a surrogate pair is one character", `{"contents":[{"parts":[{"text":"\ud83e\udd8a\uD83E\uDD8A"}]}]}`, 2},
		{"thoughts do not count", `{"contents":[{"parts":[{"text":"long long thought","thought":true,"thoughtSignature":"AAAA"},{"text":"abcd","thoughtSignature":"AAAAAAAA"}]}]}`, 1},
		{"nothing but thoughts", `{"contents":[{"parts":[{"text":"hm","thought":true}]}]}`, 0},
		{"the system instruction", `{"contents":[{"parts":[{"text":"abcd"}]}],"systemInstruction":{"parts":[{"text":"abcdefgh"}]}}`, 3},
		{"in snake case, as a string", `{"contents":[{"parts":[{"text":"abcd"}]}],"system_instruction":"abcdefgh"}`, 3},
		{"tools are their JSON", `{"contents":[{"parts":[{"text":"abcd"}]}],"tools":[{"googleSearch":{}}]}`, 1 + 6},
		{"a call is its JSON", `{"contents":[{"parts":[{"functionCall":{"name":"f"}}]}]}`, 3},
		{"code and its result", `{"contents":[{"parts":[{"executableCode":{"a":1}},{"codeExecutionResult":{"a":1}}]}]}`, 4},
		{"an answer is its JSON", `{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"a":"你"}}}]}]}`, 7},
		{"the file of an answer", `{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}]}`, 5 + 258},
		{"a file elsewhere", `{"contents":[{"parts":[{"fileData":{"fileUri":"gs://a/b","mimeType":"application/pdf"}}]}]}`, 258},
		{"in snake case", `{"contents":[{"parts":[{"file_data":{"file_uri":"gs://a/b"}},{"inline_data":{"mime_type":"text/plain","data":"YWJjZGVmZ2g="}}]}]}`, 258 + 3},
		{"text in a file", `{"contents":[{"parts":[{"inlineData":{"mimeType":"text/plain","data":"YWJjZGVmZ2hpamts"}}]}]}`, 3},
		{"a whole request", `{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"abcd"}]}],"system_instruction":{"parts":[{"text":"abcd"}]},"tools":[]}}`, 3},
		{"null is nothing", `{"contents":[{"parts":null},{"parts":[{"text":null}]}],"systemInstruction":null,"tools":null}`, 0},
		{"settings do not count", `{"contents":[{"parts":[{"text":"abcd"}]}],"generationConfig":{"stopSequences":["a long sequence"]},"toolConfig":{}}`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mustCall(t, tt.body)
			if got, fail := Estimate(&c); fail != nil || got != tt.want {
				t.Errorf("%d, %v; want %d", got, fail, tt.want)
			}
		})
	}
}

// What Google could not read is no prompt to be counted.
func TestEstimateRefuses(t *testing.T) {
	for body, names := range map[string]string{
		`{"contents":"hi"}`:                                                 "contents",
		`{"contents":[{"parts":[{"text":"a"}]},5]}`:                         "contents[1]",
		`{"contents":[{"parts":"hi"}]}`:                                     "contents[0].parts",
		`{"contents":[{"parts":[{"text":"a"},"hi"]}]}`:                      "contents[0].parts[1]",
		`{"contents":[{"parts":[{"text":["hi"]}]}]}`:                        "contents[0].parts[0].text",
		`{"contents":[],"systemInstruction":7}`:                             "systemInstruction",
		`{"contents":[],"systemInstruction":{"parts":[1]}}`:                 "systemInstruction.parts[0]",
		`{"generateContentRequest":{"contents":[{"parts":[{"text":{}}]}]}}`: "contents[0].parts[0].text",
	} {
		c := mustCall(t, body)
		if _, fail := Estimate(&c); fail == nil || fail.Status != 400 || fail.Param != names {
			t.Errorf("%s: %+v, want a 400 that names %s", body, fail, names)
		}
	}
}

// picture is a PNG, JPEG or GIF of that size in base64.
func picture(t testing.TB, kind string, width, height int) string {
	t.Helper()
	var b bytes.Buffer
	var err error
	img := image.NewGray(image.Rect(0, 0, width, height))
	switch kind {
	case "png":
		err = png.Encode(&b, img)
	case "jpeg":
		err = jpeg.Encode(&b, img, nil)
	case "gif":
		err = gif.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func TestTiles(t *testing.T) {
	for _, tt := range []struct {
		kind          string
		width, height int
		want          int64
	}{
		{"png", 1, 1, 1}, {"png", 384, 384, 1}, {"png", 385, 200, 2},
		{"png", 960, 540, 6}, // Google's own example
		{"jpeg", 960, 540, 6}, {"gif", 960, 540, 6},
		{"png", 768, 768, 4}, {"jpeg", 3072, 3072, 16}, {"png", 4000, 4000, 16}, {"png", 10, 9000, 16},
	} {
		data := picture(t, tt.kind, tt.width, tt.height)
		for how, written := range map[string]string{"as usual": data, "for URLs": strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(data),
			"with escapes": strings.ReplaceAll(data, "/", `\/`), "cut behind the head": data[:min(len(data), 2000)]} {
			if got := tiles([]byte(written)); got != tt.want {
				t.Errorf("%s of %dx%d, %s: %d tiles, want %d", tt.kind, tt.width, tt.height, how, got, tt.want)
			}
		}
	}
	for _, unknown := range []string{"", "iVBOR", "iVBORw0KGgo", "/9j/4AAQ", "R0lGODlh", "UklGRgAA", "!!!!", "iVBOR!"} {
		if got := tiles([]byte(unknown)); got != 1 {
			t.Errorf("%q: %d tiles, want 1", unknown, got)
		}
	}
}

// FuzzEstimate: no body may harm; the same body is worth the same, and never more than its bytes
// and its files can be.
func FuzzEstimate(f *testing.F) {
	for _, seed := range []string{says("hello"), says("你好🦊"), `{"contents":[{"parts":[{"text":"\ud83e\udd8a\"\\"},{"thought":true}]}],"tools":[{}]}`,
		`{"generateContentRequest":{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgoAAAANSUhEUgAAA8AAAAIcCAAAAAA="}}]}]}}`,
		`{"contents":[{"parts":[{"functionResponse":{"parts":[{"fileData":{}}]}},{"functionCall":{}}]}],"systemInstruction":{"parts":[{"text":1}]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, fail := NewCall(body)
		if fail != nil {
			return
		}
		got, fail := Estimate(&c)
		again, _ := Estimate(&c)
		most := int64(len(body)) + tileTokens*mostTiles*int64(bytes.Count(body, []byte("{"))+1)
		if got != again || got < 0 || got > most {
			t.Errorf("%d, then %d, at most %d", got, again, most)
		}
		if fail != nil && (fail.Status != 400 || fail.Param == "" || !utf8.ValidString(fail.Message)) {
			t.Errorf("%+v", fail)
		}
	})
}

// BenchmarkEstimate counts a megabyte of text and a picture of four.
func BenchmarkEstimate(b *testing.B) {
	for name, text := range map[string]string{"latin": strings.Repeat("hello there, ", 80_000), "chinese": strings.Repeat("你好，世界。", 58_000)} {
		b.Run(name, func(b *testing.B) {
			body := says(text)
			c := mustCall(b, body)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, fail := Estimate(&c); fail != nil {
					b.Fatal(fail)
				}
			}
		})
	}
	b.Run("picture", func(b *testing.B) {
		body := `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"` + picture(b, "png", 960, 540) + strings.Repeat("A", 4<<20) + `"}}]}]}`
		c := mustCall(b, body)
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if n, _ := Estimate(&c); n != 6*tileTokens {
				b.Fatal(n)
			}
		}
	})
}
