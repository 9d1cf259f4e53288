package openai

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

var (
	image25  = gemini.Target{Major: 2, Minor: 5, Image: true}
	image3   = gemini.Target{Major: 3, Image: true}
	image31  = gemini.Target{Major: 3, Minor: 1, Image: true}
	unplaced = gemini.Target{}
)

// drawn is the hub request for a fox, with an imageConfig.
func drawn(config string) string {
	if config != "" {
		config = `,"imageConfig":{` + config + `}`
	}
	return prompted("a fox", `,"generationConfig":{"responseModalities":["TEXT","IMAGE"]`+config+`}`)
}

func TestImageToHub(t *testing.T) {
	const ratio, half, oneK, twoK, fourK = `"aspectRatio":"`, `","imageSize":"512"`, `","imageSize":"1K"`, `","imageSize":"2K"`, `","imageSize":"4K"`
	for _, c := range []struct {
		more, config, ignored string
		model                 gemini.Target
	}{
		{``, ``, ``, image25},
		{`,"size":"auto","n":1,"quality":"auto","background":"auto","moderation":"auto","response_format":"b64_json","stream":false,"partial_images":0,"user":"u"`, ``, ``, image3},
		{`,"size":null,"n":null,"quality":null,"style":null,"output_format":null,"stream":null`, ``, ``, image3},
		{`,"size":"1024x1024"`, ratio + `1:1"`, ``, image25},
		{`,"size":"1024x1024"`, ratio + `1:1"`, ``, unplaced},
		{`,"size":"1024x1024"`, ratio + `1:1` + oneK, ``, image3},
		{`,"size":"1536x1024"`, ratio + `3:2` + oneK, ``, image3},
		{`,"size":"1024x1536"`, ratio + `2:3` + oneK, ``, image31},
		{`,"size":"1792x1024"`, ratio + `16:9` + oneK, `size=16:9`, image3},
		{`,"size":"1024x1792"`, ratio + `9:16"`, `size=9:16`, image25},
		{`,"size":"2048x2048"`, ratio + `1:1` + twoK, ``, image3},
		{`,"size":"2048x2048"`, ratio + `1:1"`, `size=1:1`, image25},
		{`,"size":"3840x2160"`, ratio + `16:9` + fourK, ``, image3},
		{`,"size":"256x256"`, ratio + `1:1` + oneK, `size=1:1`, image3},
		{`,"size":"512x512"`, ratio + `1:1` + half, ``, image31},
		{`,"size":"4096x512"`, ratio + `21:9` + oneK, `size=21:9`, image3},
		{`,"size":"4096x512"`, ratio + `8:1` + oneK, ``, image31},
		{`,"size":"512x2048"`, ratio + `1:4` + oneK, ``, image31},
		{`,"quality":"hd","style":"vivid","output_format":"jpeg","output_compression":50,"moderation":"low","background":"opaque","what":1`, ``,
			`quality, style, output_format, output_compression, moderation, what`, image25},
	} {
		body, members := scanned(t, `{"model":"m","prompt":"a fox"`+c.more+`}`)
		hub, r, err := ImageToHub([]byte("kept"), body, members, c.model)
		if err != nil || string(hub) != "kept"+drawn(c.config) || strings.Join(r.Ignored, ", ") != c.ignored || r.URL || r.Stream {
			t.Errorf("%s: %v, %+v\ngot  %s\nwant %s", c.more, err, r, hub, drawn(c.config))
		}
	}
}

func TestImageBeside(t *testing.T) {
	for more, want := range map[string][2]bool{`"response_format":"url"`: {true, false}, `"stream":true,"partial_images":2,"response_format":"b64_json"`: {false, true}} {
		body, members := scanned(t, `{"prompt":"a fox",`+more+`}`)
		if _, r, err := ImageToHub(nil, body, members, image3); err != nil || [2]bool{r.URL, r.Stream} != want || r.Ignored != nil {
			t.Errorf("%s: %v %+v", more, err, r)
		}
	}
	body, members := scanned(t, `{"prompt":"a fox","stream":true,"response_format":"url"}`)
	if _, _, err := ImageToHub(nil, body, members, image3); err == nil || err.Param != "response_format" {
		t.Errorf("a data URL in a stream: %v", err)
	}
}

func TestImageRefused(t *testing.T) {
	refusals{
		given: map[string]string{"prompt": `"hi"`},
		bad: map[string][]string{
			"prompt": {`null`, `""`, `5`, `["a"]`, `{}`},
			"n":      {`0`, `2`, `10`, `"1"`, `1.5`},
			"size":   {`"big"`, `"1024"`, `"0x0"`, `"1024x"`, `"x1024"`, `"-1x5"`, `"1024X1024"`, `"100000x100000"`, `"1x1x1"`, `" 1x1"`, `5`, `""`, `{}`},
			"background": {
				`"transparent"`, `"blue"`, `true`},
			"response_format": {`"png"`, `{}`}, "quality": {`5`}, "style": {`"sad"`, `1`}, "moderation": {`"none"`, `0`},
			"output_format": {`"gif"`, `7`}, "output_compression": {`101`, `-1`, `"5"`}, "partial_images": {`4`, `-1`, `1.5`, `true`}, "stream": {`1`},
		},
		take: func(body []byte, members []wire.Member) *apierror.Error {
			_, _, err := ImageToHub(nil, body, members, image3)
			return err
		},
		fields: ImageFields(),
	}.run(t)
}

// fox is a picture of 3 by 2 pixels, and its part.
func fox(t testing.TB) (data, part string) {
	t.Helper()
	data = base64.StdEncoding.EncodeToString(pngOf(t, 3, 2))
	return data, `{"inlineData":{"mimeType":"image/png","data":"` + data + `"}}`
}

func TestImageWhole(t *testing.T) {
	data, part := fox(t)
	const usage = `,"usage":{"input_tokens":5,"output_tokens":5,"total_tokens":10,"input_tokens_details":{"text_tokens":5,"image_tokens":0}}`
	for _, c := range []struct {
		hub, want string
		url       bool
	}{
		{event(part, "STOP"), `[{"b64_json":"` + data + `"}],"output_format":"png","size":"3x2"`, false},
		{event(`{"text":"here"},`+part, "STOP"), `[{"url":"data:image/png;base64,` + data + `"}],"output_format":"png","size":"3x2"`, true},
		{event(`{"thought":true,"inlineData":{"mimeType":"image/png","data":"AAAA"}},`+part, "STOP"), `[{"b64_json":"` + data + `"}],"output_format":"png","size":"3x2"`, false},
		{event(`{"inlineData":{"mimeType":"image\/jpeg","data":"AA\u003d\u003d"}}`, "STOP"), `[{"b64_json":"AA\u003d\u003d"}],"output_format":"jpeg"`, false},
		{event(part+`,{"inlineData":{"mimeType":"audio/wav","data":"AA=="}},`+part, "STOP"), `[{"b64_json":"` + data + `"},{"b64_json":"` + data + `"}],"output_format":"png","size":"3x2"`, false},
		{strings.Replace(event(part, "STOP"), `{`, usageEvent[:len(usageEvent)-1]+",", 1), `[{"b64_json":"` + data + `"}],"output_format":"png","size":"3x2"` + usage, false},
	} {
		out, err := NewImageEncoder(ImageOptions{Created: 4, URL: c.url}).Whole([]byte("kept"), []byte(c.hub))
		if want := `kept{"created":4,"data":` + c.want + `}`; err != nil || string(out) != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", c.hub, err, out, want)
		}
	}
}

// noPicture are answers without one, and what the client is told.
func noPicture() map[string][2]string {
	long := strings.Repeat("天", 150)
	return map[string][2]string{
		event(`{"text":"I cannot "},{"text":"draw \"that\".\n"}`, "STOP"): {"empty_answer", `the model made no picture: I cannot draw "that".`},
		event(``, "NO_IMAGE"):                                                    {"empty_answer", "the model made no picture (NO_IMAGE)"},
		event(`{"text":"sorry"}`, "IMAGE_SAFETY"):                                {"content_filter", "the model made no picture (IMAGE_SAFETY): sorry"},
		event(``, "PROHIBITED_CONTENT"):                                          {"content_filter", "the model made no picture (PROHIBITED_CONTENT)"},
		`{"promptFeedback":{"blockReason":"OTHER"}}`:                             {"content_filter", "Google blocked the prompt"},
		event(`{"text":"`+long+`"}`, "STOP"):                                     {"empty_answer", "the model made no picture: " + strings.Repeat("天", 100) + "..."},
		event(`{"text":"hm","thought":true}`, "STOP"):                            {"empty_answer", "the model made no picture"},
		event(`{"inlineData":{"mimeType":"audio/wav","data":"AA"}}`, "STOP"):     {"empty_answer", "the model made no picture"},
		event(`{"inlineData":{"mimeType":"image/png","data":""}}`, "x\\r\\n: y"): {"empty_answer", "the model made no picture (x?r?n??y)"},
		`{}`: {"empty_answer", "the model made no picture"},
	}
}

func TestImageWithoutPicture(t *testing.T) {
	for data, want := range noPicture() {
		out, err := NewImageEncoder(ImageOptions{}).Whole([]byte("kept"), []byte(data))
		f := apierror.From(err)
		if err == nil || string(f.Code) != want[0] || f.Message != want[1] || string(out) != "kept" {
			t.Errorf("%s\ngot  %v\nwant %v", data, err, want)
		}
		e := NewImageEncoder(ImageOptions{})
		out, err = e.Event(nil, []byte(data))
		if err != nil || len(out) != 0 {
			t.Errorf("%s: %v %s", data, err, out)
		}
		if got := string(e.Finish(nil)); got != string(NewImageEncoder(ImageOptions{}).Error(nil, f)) {
			t.Errorf("%s: %s", data, got)
		}
		if got := e.Finish(nil); len(got) != 0 {
			t.Errorf("said twice: %s", got)
		}
	}
}

func TestImageStream(t *testing.T) {
	data, part := fox(t)
	e := NewImageEncoder(ImageOptions{Created: 4})
	var out []byte
	for _, hub := range []string{event(`{"text":"hm","thought":true}`, ""), event(part, ""), event(``, "STOP"), usageEvent} {
		buf := []byte(hub)
		var err error
		if out, err = e.Event(out, buf); err != nil || len(out) > 0 {
			t.Fatalf("%v %s", err, out)
		}
		clear(buf) // it belongs to the stream: nothing of it may be kept
	}
	want := "event: image_generation.completed\n" + `data: {"type":"image_generation.completed","b64_json":"` + data + `","created_at":4,"output_format":"png","size":"3x2",` +
		`"usage":{"input_tokens":5,"output_tokens":5,"total_tokens":10,"input_tokens_details":{"text_tokens":5,"image_tokens":0}}}` + "\n\n"
	if out = e.Finish(out); string(out) != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
	unbroken(t, out, true)
	if _, err := e.Event(nil, []byte(`{"candidates":[`)); apierror.From(err).Code != apierror.StreamBroken {
		t.Error(err)
	}
	if beat := string(e.Beat().Open); beat != ": ping\n\n" {
		t.Errorf("%q", beat)
	}
}

// The simulator draws in the ratio that it was asked for, and refuses ratios and sizes that a model
// does not have.
func TestImageAtGoogle(t *testing.T) {
	s := google(t)
	for model, target := range map[string]gemini.Target{"gemini-2.5-flash-image": image25, "gemini-3-pro-image-preview": image3, "gemini-3.1-flash-image-preview": image31} {
		for _, size := range []string{"auto", "1024x1024", "1536x1024", "1024x1536", "1792x1024", "256x256", "512x512", "3840x2160", "8x1", "99999x1", "1x99999", "1000x1333"} {
			body, members := scanned(t, `{"prompt":"a \"fox\"","size":"`+size+`"}`)
			hub, _, bad := ImageToHub(nil, body, members, target)
			if bad != nil {
				t.Fatal(bad)
			}
			status, answer := ask(t, s, model+":generateContent", hub)
			out, err := NewImageEncoder(ImageOptions{Created: 1}).Whole(nil, answer)
			if status != 200 || err != nil {
				t.Errorf("%s %s: %d %v %s", model, size, status, err, answer)
				continue
			}
			got := decoded[struct {
				Data []struct {
					B64 []byte `json:"b64_json"`
				}
				Size   string
				Format string `json:"output_format"`
				Usage  struct {
					Total int `json:"total_tokens"`
				}
			}](t, out)
			picture, err := png.DecodeConfig(bytes.NewReader(got.Data[0].B64))
			if err != nil || got.Format != "png" || got.Usage.Total == 0 {
				t.Errorf("%s %s: %v %s", model, size, err, out)
			}
			if size == "1536x1024" && (picture.Width*2 != picture.Height*3 || got.Size != "30x20") {
				t.Errorf("%s: %s", got.Size, out)
			}
		}
	}
	body, members := scanned(t, `{"prompt":"a fox"}`)
	hub, _, _ := ImageToHub(nil, body, members, image3)
	_, answer := ask(t, s, "gemini-3-pro-image-preview:streamGenerateContent?alt=sse", hub)
	e := NewImageEncoder(ImageOptions{})
	for _, ev := range sseEvents(answer) {
		if _, err := e.Event(nil, ev); err != nil {
			t.Fatal(err)
		}
	}
	if out := e.Finish(nil); !bytes.Contains(out, []byte(`"image_generation.completed"`)) || !bytes.Contains(out, []byte(`"usage"`)) {
		t.Errorf("%s", out)
	}
}

func FuzzImageToHub(f *testing.F) {
	for _, seed := range []string{`{"prompt":"hi"}`, `{"prompt":"a\n\u00e9","size":"1x99999","n":1,"stream":true}`, `{"prompt":"a","size":"1024x1024","response_format":"url","quality":"\r\n"}`} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, body []byte, major uint8) {
		members, err := wire.Scan(body, nil)
		if err != nil {
			return
		}
		hub, r, bad := ImageToHub(nil, body, members, gemini.Target{Major: int(major & 7), Minor: int(major >> 3)})
		if bad != nil {
			if bad.Status != 400 || bad.Message == "" {
				t.Fatalf("%+v", bad)
			}
			return
		}
		for _, name := range r.Ignored {
			if strings.ContainsAny(name, "\r\n,") {
				t.Fatalf("%q is for no header", name)
			}
		}
		if _, fail := gemini.NewCall(hub); fail != nil || !json.Valid(hub) {
			t.Fatalf("%v: %s", fail, hub)
		}
		var plain struct{ Prompt string }
		var got struct {
			Contents []struct{ Parts []struct{ Text string } }
		}
		if json.Unmarshal(body, &plain) != nil || caseless(members, "prompt") {
			return
		}
		if err := json.Unmarshal(hub, &got); err != nil || got.Contents[0].Parts[0].Text != plain.Prompt {
			t.Fatalf("%s became %s", body, hub)
		}
	})
}

func FuzzImageEncoder(f *testing.F) {
	_, part := fox(f)
	for data := range noPicture() {
		f.Add([]byte(data))
	}
	f.Add([]byte(event(part+`,{"inlineData":{"mimeType":"image/\"x\u0000","data":"\n"}}`, "STOP")))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, url := range []bool{false, true} {
			out, err := NewImageEncoder(ImageOptions{URL: url}).Whole(nil, data)
			if err == nil && !json.Valid(out) {
				t.Fatalf("no JSON: %s\nof %s", out, data)
			}
		}
		e := NewImageEncoder(ImageOptions{})
		_, _ = e.Event(nil, data)
		_, _ = e.Event(nil, data)
		unbroken(t, e.Finish(nil), true)
	})
}

func BenchmarkImageToHub(b *testing.B) {
	body, members := scanned(b, `{"model":"m","prompt":"`+strings.Repeat("a fox in the snow, ", 50)+`","size":"1536x1024","n":1,"response_format":"b64_json"}`)
	dst := make([]byte, 0, 4096)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ImageToHub(dst, body, members, image3); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkImageWhole(b *testing.B) {
	data, _ := fox(b)
	hub := []byte(event(`{"inlineData":{"mimeType":"image/png","data":"`+data[:len(data)&^3]+strings.Repeat("AAAA", 1<<18)+`"}}`, "STOP"))
	dst := make([]byte, 0, 2<<20)
	b.SetBytes(int64(len(hub)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewImageEncoder(ImageOptions{}).Whole(dst, hub); err != nil {
			b.Fatal(err)
		}
	}
}
