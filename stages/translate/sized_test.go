package translate

import (
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

// TestSized: a suffix of the model name sets what the request leaves open.
func TestSized(t *testing.T) {
	imagesRoute := pipeline.Route{Format: wire.Images}
	body := func(more string) string { return `{"contents":` + turn + more + `}` }
	both := models.Picture{Size: "4K", Ratio: "16:9"}
	for _, c := range []struct {
		name          string
		route         pipeline.Route
		base, body    string
		picture       models.Picture
		call, dropped string
	}{
		{"nothing said", geminiRoute, "gemini-3-pro-image", body(``), both, body(`,"generationConfig":{"imageConfig":{"aspectRatio":"16:9","imageSize":"4K"}}`), ""},
		{"a stream", streamRoute, "gemini-3-pro-image", body(``), models.Picture{Size: "1K"}, body(`,"generationConfig":{"imageConfig":{"imageSize":"1K"}}`), ""},
		{"other settings stay", geminiRoute, "gemini-3-pro-image", body(`,"generationConfig":{"topK":4,"imageConfig":{"new":1}}`), both,
			body(`,"generationConfig":{"topK":4,"imageConfig":{"new":1,"aspectRatio":"16:9","imageSize":"4K"}}`), ""},
		{"the request wins", geminiRoute, "gemini-3-pro-image", body(`,"generation_config":{"image_config":{"aspect_ratio":"1:1"}}`), both,
			body(`,"generationConfig":{"imageConfig":{"aspect_ratio":"1:1","imageSize":"4K"}}`), "-16x9"},
		{"the request says the same", geminiRoute, "gemini-3-pro-image", body(`,"generationConfig":{"imageConfig":{"aspectRatio":"16:9","imageSize":"4K"}}`), both,
			body(`,"generationConfig":{"imageConfig":{"aspectRatio":"16:9","imageSize":"4K"}}`), ""},
		{"null is nothing", geminiRoute, "gemini-3-pro-image", body(`,"generationConfig":{"imageConfig":null}`), models.Picture{Ratio: "1:1"},
			body(`,"generationConfig":{"imageConfig":{"aspectRatio":"1:1"}}`), ""},
		{"what is none is Google's to refuse", geminiRoute, "gemini-3-pro-image", body(`,"generationConfig":{"imageConfig":[]}`), both,
			body(`,"generationConfig":{"imageConfig":[]}`), "-16x9, -4k"},
		{"another model answers", geminiRoute, "gemini-2.5-flash-image", body(``), both, body(`,"generationConfig":{"imageConfig":{"aspectRatio":"16:9"}}`), "-4k"},
		{"one that only writes", geminiRoute, "gemini-2.5-pro", body(``), both, body(``), "-16x9, -4k"},
		{"to count", countRoute, "gemini-3-pro-image", body(``), both, body(``), ""},
		{"a chat", openaiRoute, "gemini-3-pro-image", `{"model":"m","messages":[{"role":"user","content":"hi"}],"size":"1024x1024"}`, models.Picture{Size: "2K"},
			body(`,"generationConfig":{"imageConfig":{"aspectRatio":"1:1","imageSize":"1K"}}`), "-2k"},
		{"a chat that leaves it open", openaiRoute, "gemini-3-pro-image", `{"model":"m","messages":[{"role":"user","content":"hi"}],"modalities":["image"]}`, both,
			body(`,"generationConfig":{"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"16:9","imageSize":"4K"}}`), ""},
		{"images", imagesRoute, "gemini-3-pro-image", `{"model":"m","prompt":"hi","size":"auto"}`, both,
			body(`,"generationConfig":{"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"16:9","imageSize":"4K"}}`), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := wire.Gemini
			if c.route.Format != wire.Gemini {
				asked = c.route.Format
			}
			x := exchange(c.route, asked, c.body)
			x.Model = models.Model{Asked: "m", Base: c.base, Picture: c.picture}
			if v := made(t).Process(x); v != pipeline.Next || x.Reply.Err != nil {
				t.Fatalf("verdict %v, %v", v, x.Reply.Err)
			}
			if got := string(x.Call.AppendTo(nil)); got != c.call {
				t.Errorf("got  %s\nwant %s", got, c.call)
			}
			if got := x.Header.Get("X-Dropped-Params"); got != c.dropped {
				t.Errorf("dropped %q, want %q", got, c.dropped)
			}
		})
	}
}
