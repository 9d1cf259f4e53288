package openai

import (
	"strings"
	"testing"

	"gcli2api/pipeline/wire/gemini"
)

// TestPictures is what a chat says of the picture that it wants, for models that draw, that only write,
// and of which nothing is known.
func TestPictures(t *testing.T) {
	const both = `"modalities":["text","image"]`
	config := func(inner string) string { return `,"generationConfig":{` + inner + `}` }
	shape := func(inner string) string { return config(`"imageConfig":{` + inner + `}`) }
	for _, c := range []struct {
		says, config, ignored string
		model                 gemini.Target
	}{
		{both, config(`"responseModalities":["TEXT","IMAGE"]`), ``, image25},
		{`"modalities":["image"]`, config(`"responseModalities":["TEXT","IMAGE"]`), ``, image3},
		{`"modalities":["text"]`, ``, ``, image3},
		{both + `,"size":"1024x1024"`, config(`"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"1:1","imageSize":"1K"}`), ``, image3},
		{`"size":"1536x1024"`, shape(`"aspectRatio":"3:2"`), ``, image25},
		{`"size":"16:9"`, shape(`"aspectRatio":"16:9"`), ``, image3},
		{`"size":"32:18"`, shape(`"aspectRatio":"16:9"`), ``, image3},
		{`"size":"8:1"`, shape(`"aspectRatio":"21:9"`), `size=21:9`, image3},
		{`"size":"8:1"`, shape(`"aspectRatio":"8:1"`), ``, image31},
		{`"size":"auto","quality":"auto"`, ``, ``, image3},
		{`"size":"2K"`, shape(`"imageSize":"2K"`), ``, image3},
		{`"size":"2k"`, ``, `size`, image25},
		{`"size":"1K"`, ``, ``, image25}, // the only one it makes
		{`"size":"512"`, shape(`"imageSize":"512"`), ``, image31},
		{`"size":"512"`, shape(`"imageSize":"1K"`), `size`, image3},
		{`"quality":"4K"`, shape(`"imageSize":"4K"`), ``, image3},
		{`"quality":"4K"`, ``, `quality`, image25},
		{`"quality":"hd"`, ``, `quality`, image3},
		{`"quality":"standard"`, ``, ``, image3},
		{`"size":"1024x1024","quality":"2k"`, shape(`"aspectRatio":"1:1","imageSize":"2K"`), ``, image3},
		{`"size":"2048x2048","quality":"4K"`, shape(`"aspectRatio":"1:1"`), `quality, size=1:1`, image25},
		// Google's own words win, and what they win over is told
		{`"image_config":{"aspect_ratio":"4:5","image_size":"4K"}`, shape(`"aspectRatio":"4:5","imageSize":"4K"`), ``, image3},
		{`"image_config":{"aspectRatio":"4:5","imageSize":null}`, shape(`"aspectRatio":"4:5"`), ``, image25},
		{`"aspect_ratio":"21:9"`, shape(`"aspectRatio":"21:9"`), ``, image25},
		{`"google":{"image_config":{"image_size":"1K"},"aspect_ratio":"9:16"}`, shape(`"aspectRatio":"9:16","imageSize":"1K"`), ``, image3},
		{`"extra_body":{"google":{"imageConfig":{"aspect_ratio":"1:8"}}}`, shape(`"aspectRatio":"1:8"`), ``, image31},
		{`"extra_body":{"google":{"aspectRatio":"1:1"}}`, shape(`"aspectRatio":"1:1"`), ``, image3},
		{`"size":"1024x1024","image_config":{"aspect_ratio":"16:9"}`, shape(`"aspectRatio":"16:9","imageSize":"1K"`), `size`, image3},
		{`"size":"1792x1024","image_config":{"aspect_ratio":"16:9","image_size":"2K"}`, shape(`"aspectRatio":"16:9","imageSize":"2K"`), ``, image3},
		{`"quality":"4K","image_config":{"image_size":"2K"}`, shape(`"imageSize":"2K"`), ``, image3},
		{`"image_config":{"output_format":"url","aspect_ratio":"1:1"}`, shape(`"aspectRatio":"1:1"`), `image_config.output_format`, image3},
		// models that only write
		{both + `,"size":"1024x1024","quality":"2K","image_config":{"image_size":"9K"},"aspect_ratio":7,"extra_body":{"google":{"image_config":5}}`, ``,
			`modalities, size, quality, image_config, aspect_ratio, extra_body.google.image_config`, pro25},
		// nothing is known: what Google makes of it is Google's to say, if a picture is asked for
		{both + `,"image_config":{"aspect_ratio":"5:7","image_size":"9K"}`, config(`"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"5:7","imageSize":"9K"}`), ``, unplaced},
		{`"image_config":{"aspect_ratio":"5:7"}`, ``, `image_config`, unplaced},
	} {
		hub, r, err := translate(t, `{`+c.says+`,"messages":[`+hi+`]}`, c.model)
		want := `{"contents":[` + hiTurn + `]` + c.config + `}`
		if err != nil || hub != want || strings.Join(r.Ignored, ", ") != c.ignored {
			t.Errorf("%s\ngot  %s %v\nwant %s", c.says, hub, err, want)
			if r != nil {
				t.Errorf("ignored %q, want %q", r.Ignored, c.ignored)
			}
		}
	}
}

func TestPicturesRefused(t *testing.T) {
	for _, c := range []struct {
		says, param, words string
		model              gemini.Target
	}{
		{`"size":"big"`, "size", "as 1024x1024", image3},
		{`"size":"3K"`, "size", "1K, 2K or 4K", image3},
		{`"size":"0:9"`, "size", "as 16:9", image3},
		{`"size":1024`, "size", "auto", image3},
		{`"quality":5`, "quality", "a string", image3},
		{`"image_config":"16:9"`, "image_config", "an object", image3},
		{`"image_config":{"aspect_ratio":"7:3"}`, "image_config.aspect_ratio", "must be 1:1, 3:2, 2:3, 4:3, 3:4, 5:4, 4:5, 16:9, 9:16, 21:9 for this model", image3},
		{`"image_config":{"aspect_ratio":"1:8"}`, "image_config.aspect_ratio", "21:9 for this model", image3},
		{`"image_config":{"image_size":"8K"}`, "image_config.image_size", "must be 512, 1K, 2K, 4K for this model", image31},
		{`"image_config":{"image_size":"512"}`, "image_config.image_size", "must be 1K, 2K, 4K for this model", image3},
		{`"image_config":{"image_size":"1K"}`, "image_config.image_size", "one size only", image25},
		{`"image_config":{"image_size":1}`, "image_config.image_size", "Google's words", image3},
		{`"aspect_ratio":{}`, "aspect_ratio", "Google's words", image3},
		{`"aspect_ratio":"` + strings.Repeat("1", 17) + `"`, "aspect_ratio", "Google's words", image3},
		{`"google":{"aspect_ratio":"x"}`, "google.aspect_ratio", "for this model", image3},
		{`"extra_body":{"google":{"image_config":{"aspectRatio":"x"}}}`, "extra_body.google.image_config.aspect_ratio", "for this model", image25},
	} {
		hub, _, err := translate(t, `{`+c.says+`,"messages":[`+hi+`]}`, c.model)
		if err == nil || err.Status != 400 || err.Param != c.param || !strings.Contains(err.Message, c.words) {
			t.Errorf("%s: %+v, want %s: %s\n%s", c.says, err, c.param, c.words, hub)
		}
	}
}
