package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"regexp"
	"testing"

	"gcli2api/pipeline/simulator"
)

// imageConfig is what a call asked of a picture.
func imageConfig(t *testing.T, c simulator.Call) string {
	t.Helper()
	var body struct {
		GenerationConfig struct {
			ImageConfig        json.RawMessage
			ResponseModalities []string
		}
	}
	if err := json.Unmarshal(c.Body, &body); err != nil {
		t.Errorf("%v: %s", err, c.Body)
	}
	return string(body.GenerationConfig.ImageConfig)
}

// TestPicturesInEveryLanguage: the shape that is asked for arrives, Google's twin takes it, and the picture
// that the client gets has it.
func TestPicturesInEveryLanguage(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	g := start(t, launch{sim: sim, keys: 1, light: true, config: "[models]\nimage_suffixes = true\n[models.alias]\n\"dall-e-*\" = \"gemini-3-pro-image-2k\"\n"})
	chat := func(model, more string) (string, string) {
		return "/v1/chat/completions", `{"model":"` + model + `","messages":[{"role":"user","content":"a fox"}]` + more + `}`
	}
	images := func(model, more string) (string, string) {
		return "/v1/images/generations", `{"model":"` + model + `","prompt":"a fox"` + more + `}`
	}
	responses := func(model, more string) (string, string) {
		return "/v1/responses", `{"model":"` + model + `","input":"a fox","tools":[{"type":"image_generation"` + more + `}]}`
	}
	native := func(model, more string) (string, string) {
		return "/v1beta/models/" + model + ":generateContent", `{"contents":[{"role":"user","parts":[{"text":"a fox"}]}]` + more + `}`
	}
	const pro, small, both = "gemini-3-pro-image", "gemini-2.5-flash-image", `,"modalities":["text","image"]`
	for _, c := range []struct {
		in            func(model, more string) (path, body string)
		model, more   string
		config        string
		width, height int
		dropped       string
	}{
		{chat, pro, both, ``, 10, 10, ``},
		{chat, pro, both + `,"size":"1024x1024"`, `{"aspectRatio":"1:1","imageSize":"1K"}`, 10, 10, ``},
		{chat, small, both + `,"size":"1536x1024"`, `{"aspectRatio":"3:2"}`, 30, 20, ``},
		{chat, pro, `,"size":"16:9","quality":"4K"`, `{"aspectRatio":"16:9","imageSize":"4K"}`, 160, 90, ``},
		{chat, pro, `,"size":"auto","quality":"high"`, ``, 10, 10, `quality`},
		{chat, small, `,"image_config":{"aspect_ratio":"9:16"}`, `{"aspectRatio":"9:16"}`, 90, 160, ``},
		{chat, pro, `,"extra_body":{"google":{"image_config":{"aspect_ratio":"4:5","image_size":"2K"}}}`, `{"aspectRatio":"4:5","imageSize":"2K"}`, 40, 50, ``},
		{chat, pro, `,"google":{"aspect_ratio":"21:9"}`, `{"aspectRatio":"21:9"}`, 210, 90, ``},
		{chat, pro + "-4k-16x9", both, `{"aspectRatio":"16:9","imageSize":"4K"}`, 160, 90, ``},
		{chat, pro + "-16x9-4k", both + `,"size":"1:1"`, `{"aspectRatio":"1:1","imageSize":"4K"}`, 10, 10, `-16x9`},
		{chat, "gemini-3.1-flash-image-512-1x8", ``, `{"aspectRatio":"1:8","imageSize":"512"}`, 10, 80, ``},
		{chat, "dall-e-3-3x2", ``, `{"aspectRatio":"3:2","imageSize":"2K"}`, 30, 20, ``},
		{images, pro + "-9x16", `,"size":"auto"`, `{"aspectRatio":"9:16"}`, 90, 160, ``},
		{images, pro + "-9x16", `,"size":"1024x1024"`, `{"aspectRatio":"1:1","imageSize":"1K"}`, 10, 10, `-9x16`},
		{images, "dall-e-3", `,"size":"1792x1024"`, `{"aspectRatio":"16:9","imageSize":"1K"}`, 160, 90, `size=16:9, -2k`},
		{images, pro, `,"size":"3:4","quality":"2K"`, `{"aspectRatio":"3:4","imageSize":"2K"}`, 30, 40, ``},
		{responses, pro, `,"size":"1024x1536","quality":"2K"`, `{"aspectRatio":"2:3","imageSize":"2K"}`, 20, 30, ``},
		{responses, small + "-4x3", ``, `{"aspectRatio":"4:3"}`, 40, 30, ``},
		{native, pro + "-1k-3x4", ``, `{"aspectRatio":"3:4","imageSize":"1K"}`, 30, 40, ``},
		{native, pro + "-1k", `,"generationConfig":{"imageConfig":{"aspectRatio":"5:4"}}`, `{"aspectRatio":"5:4","imageSize":"1K"}`, 50, 40, ``},
		{native, pro + "-1k", `,"generationConfig":{"imageConfig":{"imageSize":"4K"}}`, `{"imageSize":"4K"}`, 10, 10, `-1k`},
	} {
		path, body := c.in(c.model, c.more)
		r := g.post(path, body)
		if r.status != 200 || r.header.Get("X-Dropped-Params") != c.dropped {
			t.Errorf("%s: %d, dropped %q, want %q: %.300s", body, r.status, r.header.Get("X-Dropped-Params"), c.dropped, r.body)
			continue
		}
		if got := imageConfig(t, lastCall(sim)); got != c.config {
			t.Errorf("%s: Google was asked for %s, want %s", body, got, c.config)
		}
		if got, want := pictureIn(r.body), fmt.Sprintf("%dx%d", c.width, c.height); got != want {
			t.Errorf("%s: a picture of %s, want %s in %.300s", body, got, want, r.body)
		}
	}
}

var base64Text = regexp.MustCompile(`iVBORw0KGgo[A-Za-z0-9+/]*=*`)

// pictureIn is the width and height of the first picture in an answer of any language.
func pictureIn(body []byte) string {
	data, err := base64.StdEncoding.DecodeString(string(base64Text.Find(body)))
	if err != nil {
		return err.Error()
	}
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%dx%d", config.Width, config.Height)
}

// TestPicturesRefused: what the model does not draw is a 400 of the gateway's own, which names the place and
// what there is, and Google is not asked; a model that only writes answers all the same.
func TestPicturesRefused(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	g := start(t, launch{sim: sim, keys: 1, light: true, config: "[models]\nimage_suffixes = true\n"})
	for _, c := range []struct{ model, more, param string }{
		{"gemini-3-pro-image-8k", ``, "model"},
		{"gemini-3-pro-image-512", ``, "model"},
		{"gemini-3-pro-image-1x8", ``, "model"},
		{"gemini-2.5-flash-image-1k", ``, "model"},
		{"gemini-3-pro-image-1k-4k", ``, "model"},
		{"gemini-3-pro-image", `,"size":"huge"`, "size"},
		{"gemini-3-pro-image", `,"image_config":{"aspect_ratio":"7:3"}`, "image_config.aspect_ratio"},
		{"gemini-2.5-flash-image", `,"extra_body":{"google":{"image_config":{"image_size":"2K"}}}`, "extra_body.google.image_config.image_size"},
	} {
		r := g.post("/v1/chat/completions", `{"model":"`+c.model+`","messages":[{"role":"user","content":"a fox"}]`+c.more+`}`)
		if r.status != 400 || r.err().Error.Param != c.param {
			t.Errorf("%s%s: %d %s", c.model, c.more, r.status, r.body)
		}
	}
	if n := len(sim.CallsOf("generateContent")); n != 0 {
		t.Errorf("%d of them reached Google", n)
	}
	r := g.post("/v1/chat/completions", `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hello"}],"modalities":["text","image"],"size":"huge","quality":"4K","image_config":{"aspect_ratio":"7:3"}}`)
	if r.status != 200 || r.header.Get("X-Dropped-Params") != "modalities, size, quality, image_config" || imageConfig(t, lastCall(sim)) != "" {
		t.Errorf("a model that only writes: %d %q %s", r.status, r.header.Get("X-Dropped-Params"), r.body)
	}
	// Google's own words in Google's own format are Google's to refuse, and it does.
	for model, config := range map[string]string{"gemini-3-pro-image": `"aspectRatio":"7:3"`, "gemini-2.5-flash-image": `"imageSize":"1K"`, "gemini-2.5-flash": `"aspectRatio":"1:1"`} {
		r := g.post("/v1beta/models/"+model+":generateContent", `{"contents":[{"role":"user","parts":[{"text":"a fox"}]}],"generationConfig":{"imageConfig":{`+config+`}}}`)
		if r.status != 400 || lastCall(sim).Status != 400 {
			t.Errorf("%s %s: %d %s", model, config, r.status, r.body)
		}
	}
	// Off, a suffix is part of the name, which Google does not know.
	g.reload("[models]\n", "settings changed")
	if r := g.post("/v1/chat/completions", `{"model":"gemini-3-pro-image-4k","messages":[{"role":"user","content":"a fox"}]}`); r.status != 404 || lastCall(sim).Model != "gemini-3-pro-image-4k" {
		t.Errorf("off: %d %s", r.status, r.body)
	}
}
