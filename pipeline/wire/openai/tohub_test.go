package openai

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

var pro25 = gemini.Target{MaxOutput: 65536, Major: 2, Minor: 5, Limits: limits("gemini-2.5-pro")}

// The turns that gemini.Draft adds.
const (
	obey     = "Please do as the instructions say."
	beginner = "(The conversation starts here.)"
)

func translate(t testing.TB, body string, o gemini.Target) (string, *Request, *apierror.Error) {
	t.Helper()
	members, err := wire.Scan([]byte(body), nil)
	if err != nil {
		t.Fatalf("the test body is no JSON: %v\n%s", err, body)
	}
	const before = "kept"
	hub, r, bad := ToHub([]byte(before), []byte(body), members, o)
	if bad != nil {
		return "", nil, bad
	}
	if !strings.HasPrefix(string(hub), before) {
		t.Fatalf("dst was not appended to: %s", hub)
	}
	hub = hub[len(before):]
	if !json.Valid(hub) {
		t.Fatalf("no JSON: %s", hub)
	}
	if _, err := gemini.NewCall(hub); err != nil {
		t.Fatalf("no hub request: %v: %s", err, hub)
	}
	return string(hub), &r, nil
}

// dialogue is a body with these messages; turnsOf is what it must become.
func dialogue(messages string) string { return `{"model":"m","messages":[` + messages + `]}` }

const hi = `{"role":"user","content":"hi"}`

const hiTurn = `{"role":"user","parts":[{"text":"hi"}]}`

func TestTurns(t *testing.T) {
	for name, c := range map[string]struct{ messages, hub string }{
		"one":        {hi, `{"contents":[` + hiTurn + `]}`},
		"no decode":  {`{"role":"user","content":"a\u0041\/\n\"é\ud83d\ude00😀"}`, `{"contents":[{"role":"user","parts":[{"text":"a\u0041\/\n\"é\ud83d\ude00😀"}]}]}`},
		"multi-turn": {hi + `,{"role":"assistant","content":"yo"},{"role":"user","content":"2"}`, `{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"yo"}]},{"role":"user","parts":[{"text":"2"}]}]}`},
		"system run": {`{"role":"system","content":"a"},{"role":"developer","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]},` + hi,
			`{"systemInstruction":{"parts":[{"text":"a"},{"text":"b"},{"text":"c"}]},"contents":[` + hiTurn + `]}`},
		"later system": {hi + `,{"role":"assistant","content":"yo"},{"role":"system","content":"be brief"},{"role":"user","content":"2"}`,
			`{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"yo"}]},{"role":"user","parts":[{"text":"be brief"},{"text":"2"}]}]}`},
		"only system":      {`{"role":"system","content":"a"}`, `{"systemInstruction":{"parts":[{"text":"a"}]},"contents":[{"role":"user","parts":[{"text":"` + obey + `"}]}]}`},
		"same role":        {hi + `,{"role":"user","content":"2"}`, `{"contents":[{"role":"user","parts":[{"text":"hi"},{"text":"2"}]}]}`},
		"last assistant":   {hi + `,{"role":"assistant","content":"yo"}`, `{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"yo"}]}]}`},
		"first assistant":  {`{"role":"assistant","content":"yo"},` + hi, `{"contents":[{"role":"user","parts":[{"text":"` + beginner + `"}]},{"role":"model","parts":[{"text":"yo"}]},` + hiTurn + `]}`},
		"system assistant": {`{"role":"system","content":"a"},{"role":"assistant","content":"yo"},` + hi, `{"systemInstruction":{"parts":[{"text":"a"}]},"contents":[{"role":"user","parts":[{"text":"` + beginner + `"}]},{"role":"model","parts":[{"text":"yo"}]},` + hiTurn + `]}`},
		"empty ones": {`{"role":"system","content":""},{"role":"user","content":" \n"},{"role":"system","content":"s"},{"role":"assistant","content":""},` + hi + `,{"role":"assistant","content":null},{"role":"assistant"},{"role":"user","content":[]},{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"x"}]}`,
			`{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"hi"},{"text":"x"}]}]}`},
		"blank part":   {`{"role":"user","content":[{"type":"text","text":"\n"},{"type":"text","text":"x"}]}`, `{"contents":[{"role":"user","parts":[{"text":"\n"},{"text":"x"}]}]}`},
		"reasoning":    {hi + `,{"role":"assistant","reasoning_content":"hm","content":"yo","tool_calls":[],"function_call":null},` + hi, `{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"yo"}]},` + hiTurn + `]}`},
		"refusal":      {hi + `,{"role":"assistant","content":null,"refusal":"no"},` + hi, `{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"no"}]},` + hiTurn + `]}`},
		"refusal part": {hi + `,{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]},` + hi, `{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"no"}]},` + hiTurn + `]}`},
		"escaped keys": {`{"\u0072ole":"us\u0065r","c\u006fntent":"hi"}`, `{"contents":[` + hiTurn + `]}`},
		"picture in history": {hi + `,{"role":"assistant","content":"see ![image](data:image\/png;base64,AAAA) and ![b](https://x/y.png) [c](data:x) ![d](data:a;base64,B)."},` + hi,
			`{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"see [image] and ![b](https://x/y.png) [c](data:x) [image]."}]},` + hiTurn + `]}`},
	} {
		t.Run(name, func(t *testing.T) {
			hub, _, err := translate(t, dialogue(c.messages), pro25)
			if err != nil {
				t.Fatal(err)
			}
			if hub != c.hub {
				t.Errorf("got  %s\nwant %s", hub, c.hub)
			}
		})
	}
}

func TestImages(t *testing.T) {
	long := "data:image/png;" + strings.Repeat("a", 300) + ";base64,AA"
	for name, c := range map[string]struct{ part, hub, param string }{
		"object":       {part: `{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}`, hub: `"image/png","data":"iVBORw0KGgo="`},
		"string":       {part: `{"type":"image_url","image_url":"data:image/webp;base64,AA"}`, hub: `"image/webp","data":"AA"`},
		"parameters":   {part: `{"type":"image_url","image_url":"data:image/png;charset=utf-8;name=a.png;base64,AA"}`, hub: `"image/png","data":"AA"`},
		"jpg":          {part: `{"type":"image_url","image_url":"data:image/jpg;base64,AA"}`, hub: `"image/jpeg","data":"AA"`},
		"pdf":          {part: `{"type":"image_url","image_url":"DATA:application/pdf;BASE64,AA"}`, hub: `"application/pdf","data":"AA"`},
		"php":          {part: `{"type":"image_url","image_url":"data:image\/png;base64,iVB\/Rw"}`, hub: `"image/png","data":"iVB/Rw"`},
		"line ends":    {part: `{"type":"image_url","image_url":"data:image/png;base64,iVB\nRwA\r\n"}`, hub: `"image/png","data":"iVBRwA"`},
		"unicode data": {part: `{"type":"image_url","image_url":"data:image/png;base64,\u0041A"}`, hub: `"image/png","data":"AA"`},
		".NET":         {part: `{"type":"image_url","image_url":"data:image/png;base64,A\u002BA\u002fAA\u003D\u003D\u000D\u000A"}`, hub: `"image/png","data":"A+A/AA=="`},
		"a quote":      {part: `{"type":"image_url","image_url":"data:image/png;base64,A\u0022A"}`, param: ".image_url"},
		"no letter":    {part: `{"type":"image_url","image_url":"data:image/png;base64,A\u00e9A"}`, param: ".image_url"},
		"elsewhere":    {part: `{"type":"image_url","image_url":{"url":"gs://b/a.png"}}`, param: ".image_url.url"},
		"no address":   {part: `{"type":"image_url","image_url":"https://"}`, param: ".image_url"},
		"a file here":  {part: `{"type":"image_url","image_url":"file:///etc/passwd"}`, param: ".image_url"},
		"not base64":   {part: `{"type":"image_url","image_url":"data:image/svg+xml,%3Csvg"}`, param: ".image_url"},
		"no type":      {part: `{"type":"image_url","image_url":"data:;base64,AA"}`, param: ".image_url"},
		"bad type":     {part: `{"type":"image_url","image_url":"data:a\"/b;base64,AA"}`, param: ".image_url"},
		"no data":      {part: `{"type":"image_url","image_url":"data:image/png;base64,"}`, param: ".image_url"},
		"long header":  {part: `{"type":"image_url","image_url":"` + long + `"}`, param: ".image_url"},
		"absent":       {part: `{"type":"image_url"}`, param: ".image_url"},
		"empty object": {part: `{"type":"image_url","image_url":{}}`, param: ".image_url.url"},
		"number":       {part: `{"type":"image_url","image_url":5}`, param: ".image_url"},
	} {
		t.Run(name, func(t *testing.T) {
			hub, _, err := translate(t, dialogue(`{"role":"user","content":[{"type":"text","text":"see"},`+c.part+`]}`), pro25)
			if c.param != "" {
				if err == nil || err.Status != 400 || err.Param != "messages[0].content[1]"+c.param {
					t.Errorf("got %+v, hub %s", err, hub)
				}
				return
			}
			want := `{"contents":[{"role":"user","parts":[{"text":"see"},{"inlineData":{"mimeType":` + c.hub + `}}]}]}`
			if err != nil || hub != want {
				t.Errorf("got  %s %v\nwant %s", hub, err, want)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	for fields, c := range map[string]struct {
		config  string
		ignored []string
	}{
		`"temperature":0.70,"top_p":1`:                {config: `"temperature":0.70,"topP":1`},
		`"temperature":0`:                             {config: `"temperature":0`},
		`"temperature":null,"n":null,"tools":null`:    {},
		`"top_k":40`:                                  {config: `"topK":40`},
		`"top_k":200`:                                 {config: `"topK":64`, ignored: []string{"top_k=64"}},
		`"max_tokens":100`:                            {config: `"maxOutputTokens":100`},
		`"max_tokens":1e2`:                            {config: `"maxOutputTokens":100`},
		`"max_completion_tokens":7,"max_tokens":9`:    {config: `"maxOutputTokens":7`},
		`"max_completion_tokens":100000`:              {config: `"maxOutputTokens":65536`, ignored: []string{"max_completion_tokens=65536"}},
		`"frequency_penalty":0,"presence_penalty":-0`: {},
		`"frequency_penalty":0.5`:                     {config: `"frequencyPenalty":0.5`},
		`"presence_penalty":2`:                        {config: `"presencePenalty":1.99`},
		`"seed":42`:                                   {config: `"seed":42`},
		`"seed":-3.0`:                                 {config: `"seed":-3`},
		`"seed":4294967296`:                           {config: `"seed":1`},
		`"stop":"END"`:                                {config: `"stopSequences":["END"]`},
		`"stop":["a\n","","b"]`:                       {config: `"stopSequences":["a\n","b"]`},
		`"stop":["1","2","3","4","5"]`:                {config: `"stopSequences":["1","2","3","4","5"]`},
		`"stop":[]`:                                   {},
		`"stop":""`:                                   {},
		`"stop":[""],"seed":1`:                        {config: `"seed":1`},
		`"response_format":{"type":"json_object"}`:    {config: `"responseMimeType":"application/json"`},
		`"response_format":{"type":"text"}`:           {},
		`"modalities":["text"]`:                       {},
		`"modalities":["text","image"]`:               {ignored: []string{"modalities"}},
		`"n":1,"tools":[],"functions":[],"tool_choice":"auto","function_call":"none","logit_bias":{},"logprobs":false,"top_logprobs":0`:      {},
		`"user":"u","metadata":{"a":1},"store":true,"parallel_tool_calls":false,"service_tier":"auto","safety_identifier":"x"`:               {},
		`"prompt_cache_key":"k","prompt_cache_retention":"24h","enable_anti_truncation":true,"audio":null,"prediction":null,"logprobs":null`: {},
		`"verbosity":"low","min_p":0.1`:     {ignored: []string{"verbosity", "min_p"}},
		`"bad header\r\nSet-Cookie: a=b":1`: {ignored: []string{"bad?header??Set-Cookie??a?b"}},
		`"模":1,"":2`:                        {ignored: []string{"???", "?"}},
	} {
		t.Run(fields, func(t *testing.T) {
			hub, r, err := translate(t, `{`+fields+`,"messages":[`+hi+`]}`, pro25)
			if err != nil {
				t.Fatal(err)
			}
			want := `{"contents":[` + hiTurn + `]}`
			if c.config != "" {
				want = want[:len(want)-1] + `,"generationConfig":{` + c.config + `}}`
			}
			if hub != want {
				t.Errorf("got  %s\nwant %s", hub, want)
			}
			if !reflect.DeepEqual(r.Ignored, c.ignored) {
				t.Errorf("ignored %q, want %q", r.Ignored, c.ignored)
			}
		})
	}
}

func TestWhatDoesNotFitIsCounted(t *testing.T) {
	var fields strings.Builder
	for i := range 19 {
		fmt.Fprintf(&fields, `"x%d":1,`, i)
	}
	_, r, err := translate(t, `{`+fields.String()+`"messages":[`+hi+`]}`, pro25)
	if err != nil || len(r.Ignored) != 17 || r.Ignored[15] != "x15" || r.Ignored[16] != "3 more" {
		t.Errorf("got %+v %v", r, err)
	}
	_, r, err = translate(t, `{"`+strings.Repeat("y", 1000)+`":1,"messages":[`+hi+`]}`, pro25)
	if err != nil || len(r.Ignored) != 1 || r.Ignored[0] != strings.Repeat("y", 64)+"..." {
		t.Errorf("got %+v %v", r, err)
	}
}

func TestStreamFlags(t *testing.T) {
	for fields, want := range map[string]Request{
		`"stream":true`: {Beside: gemini.Beside{Stream: true}},
		`"stream":false,"stream_options":{"include_usage":true}`:                            {IncludeUsage: true},
		`"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}`: {Beside: gemini.Beside{Stream: true}, IncludeUsage: true},
		`"stream":null,"stream_options":{"include_usage":null}`:                             {},
		`"stream_options":null`: {},
	} {
		_, r, err := translate(t, `{`+fields+`,"messages":[`+hi+`]}`, pro25)
		if err != nil || !reflect.DeepEqual(*r, want) {
			t.Errorf("%s: got %+v %v, want %+v", fields, r, err, want)
		}
	}
}

func TestMessageNameIsReportedOnce(t *testing.T) {
	_, r, err := translate(t, dialogue(`{"role":"user","name":"bob","content":"a"},{"role":"user","name":"eve","content":"b"}`), pro25)
	if err != nil || !reflect.DeepEqual(r.Ignored, []string{"messages.name"}) {
		t.Errorf("got %+v %v", r, err)
	}
}

// limits is what the table says of a model.
func limits(base string) gemini.Limits { return gemini.Limits(models.FamilyOf(base).Thinking()) }

// thinkers are models of every way to think, for targets that are made of a number.
var thinkers = [8]string{"gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite",
	"gemini-3-pro", "gemini-3.1-pro", "gemini-3-flash", "gemini-flash-latest"}
