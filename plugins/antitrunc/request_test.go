package antitrunc

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

func atOnce(t *testing.T) func(int, string) reel { return reels(t, says("STOP", "One.\n"+mark)) }

// member digs into a request.
func member(t testing.TB, body string, path ...string) string {
	t.Helper()
	if err := wire.Check([]byte(body)); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return string(wire.Get([]byte(body), path...))
}

// Where the model is told of the mark.
func TestInstruction(t *testing.T) {
	rule := string(rulePart(mark))
	for _, c := range []struct {
		name, body, system string
		contents           string // "" when they stay as they are
		compat             bool
	}{
		{"none", `{"contents":[{"parts":[{"text":"hi"}]}]}`, `{"parts":[RULE]}`, "", false},
		{"null", `{"contents":[{"parts":[{"text":"hi"}]}],"systemInstruction":null}`, `{"parts":[RULE]}`, "", false},
		{"one", `{"contents":[{}],"systemInstruction":{"role":"system","parts":[{"text":"a"}]}}`, `{"role":"system","parts":[{"text":"a"},RULE]}`, "", false},
		{"snake", `{"contents":[{}],"system_instruction":{"parts":[ ]}}`, `{"parts":[ RULE]}`, "", false},
		{"a part without a list", `{"contents":[{}],"system_instruction":{"parts":{"text":"a"}}}`, `{"parts":[{"text":"a"},RULE]}`, "", false},
		{"no parts", `{"contents":[{}],"systemInstruction":{}}`, `{"parts":[RULE]}`, "", false},
		{"a string, which Google refuses", `{"contents":[{}],"systemInstruction":"a"}`, `"a"`, "", false},
		{"parts that Google refuses", `{"contents":[{}],"systemInstruction":{"parts":3}}`, `{"parts":3}`, "", false},
		{"user turn", `{"contents":[ {"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]},{"role":"user","parts":[{"text":"c"}]}]}`, ``,
			`[ {"role":"user","parts":[{"text":"a"},RULE]},{"role":"model","parts":[{"text":"b"}]},{"role":"user","parts":[{"text":"c"}]}]`, true},
		{"user turn behind another", `{"contents":[{"role":"model","parts":[{"text":"b"}]},{"parts":[{"text":"c"}]}]}`, ``,
			`[{"role":"model","parts":[{"text":"b"}]},{"parts":[{"text":"c"},RULE]}]`, true},
		{"beside a cache, which has the instructions", `{"cachedContent":"c","contents":[{"role":"user","parts":[{"text":"a"}]}]}`, ``, `[{"role":"user","parts":[{"text":"a"},RULE]}]`, false},
		{"no cache", `{"cachedContent":null,"contents":[{}]}`, `{"parts":[RULE]}`, "", false},
		{"no user turn", `{"contents":[{"role":"model","parts":[{"text":"b"}]}]}`, `{"parts":[RULE]}`, "", true},
	} {
		h := newHouse(t, nil, atOnce(t))
		h.ask(inquiry{body: c.body, change: func(x *pipeline.Exchange) { x.SystemAsUser = c.compat }})
		body := h.bodies[0]
		system := member(t, body, "systemInstruction")
		if system == "" {
			system = member(t, body, "system_instruction")
		}
		if want := strings.ReplaceAll(c.system, "RULE", rule); system != want {
			t.Errorf("%s: %s\nwant %s", c.name, system, want)
		}
		want := member(t, c.body, "contents")
		if c.contents != "" {
			want = strings.ReplaceAll(c.contents, "RULE", rule)
		}
		if got := member(t, body, "contents"); got != want {
			t.Errorf("%s: %s\nwant %s", c.name, got, want)
		}
	}
}

// Requests whose answer the mark would spoil are left alone, and told so.
func TestLeftAlone(t *testing.T) {
	config := func(s string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{` + s + `}}`
	}
	for s, off := range map[string]bool{
		`"responseMimeType":"application/json"`: true, `"response_mime_type":"text/x.enum"`: true, `"responseMimeType":3`: true,
		`"responseMimeType":"text/plain"`: false, `"responseMimeType":""`: false, `"responseMimeType":null`: false,
		`"responseSchema":{}`: true, `"response_json_schema":{"type":"object"}`: true, `"responseFormat":{"text":{}}`: true, `"responseSchema":null`: false,
		`"candidateCount":2`: true, `"candidateCount":1`: false, `"candidateCount":"2"`: true,
		`"responseModalities":["TEXT","IMAGE"]`: true, `"responseModalities":["TEXT"]`: false, `"responseModalities":[]`: false, `"responseModalities":["AUDIO"]`: true,
		`"temperature":1`: false,
	} {
		h := newHouse(t, nil, atOnce(t))
		got := h.ask(inquiry{body: config(s)})
		touched := strings.Contains(h.bodies[0], mark)
		if touched == off || (got.header == name) != off || strings.Contains(got.text, mark) != off {
			t.Errorf("%s: told %q, request %s", s, got.header, h.bodies[0])
		}
	}
	for _, base := range []string{"gemini-2.5-flash-image", "gemini-3-pro-image"} { // models that draw, unasked as well
		h := newHouse(t, nil, atOnce(t))
		if got := h.ask(inquiry{base: base}); got.header != name || h.bodies[0] != hello {
			t.Errorf("%s: told %q, request %s", base, got.header, h.bodies[0])
		}
	}
	h := newHouse(t, nil, atOnce(t))
	got := h.ask(inquiry{change: func(x *pipeline.Exchange) { x.Model.Features = models.Search }})
	if h.bodies[0] != hello || got.header != "" {
		t.Errorf("without the feature: %q %s", got.header, h.bodies[0])
	}
}

// payer is a stage that has taken a price.
type payer struct {
	asked []models.Model
	fail  *apierror.Error
}

func (*payer) Process(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }
func (p *payer) Reprice(_ *pipeline.Exchange, m models.Model) *apierror.Error {
	p.asked = append(p.asked, m)
	return p.fail
}

// A request that does not stream is served only where the operator says so, and pays for it.
func TestPlain(t *testing.T) {
	for _, on := range []bool{false, true} {
		for _, fail := range []*apierror.Error{nil, apierror.New(apierror.QuotaExhausted, "spent")} {
			p := &payer{fail: fail}
			h := newHouse(t, func(s *Settings) { s.Plain = on }, reels(t, says("", "O"), says("", "ne"), says("STOP", " two.\n"+mark)), pipeline.Kind{Name: "pays",
				New: pipeline.New("", func(string, *pipeline.Build) (pipeline.Stage, error) { return p, nil })})
			var fetch pipeline.Fetch
			got := h.ask(inquiry{plain: true, after: func(x *pipeline.Exchange) { fetch = x.Fetch }})
			switch {
			case !on:
				if got.header != name || len(p.asked) != 0 || len(h.bodies) != 1 || h.bodies[0] != hello || fetch != pipeline.AsAsked {
					t.Errorf("off: %+v, %d prices, %q", got, len(p.asked), h.bodies)
				}
			case fail != nil:
				if got.err != fail || len(h.bodies) != 0 {
					t.Errorf("without the means: %+v", got)
				}
			case got.text != "One two." || got.header != "" || len(p.asked) != 1 || !p.asked[0].Features.Has(models.AntiTruncation) || fetch != pipeline.InEvents:
				t.Errorf("on: %+v, %+v", got, p.asked)
			}
		}
	}
}

// A stream that is not gone on with costs what it would without the feature: the price is asked for anew, and by then
// the call shows that no events are asked for on behalf of it.
func TestPriceOfAStreamThatIsLeftAlone(t *testing.T) {
	p := &payer{}
	var fetch pipeline.Fetch
	h := newHouse(t, nil, reels(t, says("STOP", "{}")), pipeline.Kind{Name: "pays",
		New: pipeline.New("", func(string, *pipeline.Build) (pipeline.Stage, error) { return p, nil })})
	got := h.ask(inquiry{body: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"responseMimeType":"application/json"}}`,
		after: func(x *pipeline.Exchange) { fetch = x.Fetch }})
	if got.header != name || len(p.asked) != 1 || fetch != pipeline.AsAsked || len(h.bodies) != 1 {
		t.Errorf("%+v, %d prices, fetched %v", got, len(p.asked), fetch)
	}
}

// What a continuation asks.
func TestContinuation(t *testing.T) {
	long := strings.Repeat("0123456789", 30) + "äöü\n\"quoted\""
	for _, c := range []struct {
		name, base, mode string
		said             []reel
		want             [][]string // turns behind the first, by call; ASK is the request for the rest
	}{
		{"prompt", "", "prompt", []reel{says("", "One t"), says("", "wo")}, [][]string{{"model: One t", "ASK"}, {"model: One two", "ASK"}}},
		{"prefill", "", "prefill", []reel{says("", "One t"), says("", "wo")}, [][]string{{"model: One t"}, {"model: One two"}}},
		{"prefill, any case", "", "Prefill", []reel{says("", "One t")}, [][]string{{"model: One t"}}},
		{"prefill, third generation", "gemini-3-flash-preview", "prefill", []reel{says("", "One t")}, [][]string{{"model: One t", "ASK"}}},
		{"prefill, no generation in the name", "gemini-flash-latest", "prefill", []reel{says("", "One t")}, [][]string{{"model: One t", "ASK"}}},
		{"prefill, nothing new", "", "prefill", []reel{says("", "One t"), {end: broken()}}, [][]string{{"model: One t"}, {"model: One t", "ASK"}}},
		{"nothing said", "", "prompt", []reel{{end: broken()}}, [][]string{nil}},
		{"nothing but white space said", "", "prompt", []reel{says("", "\n \n")}, [][]string{nil}},
		{"white space at the end", "", "prompt", []reel{says("", "One.\n\n")}, [][]string{{"model: One.\n\n", "ASK"}}},
		{"part of the mark", "", "prompt", []reel{says("", "One.\n [[END O")}, [][]string{{"model: One.\n ", "ASK"}}},
		{"mark in the last line", "", "prompt", []reel{says("STOP", "One. "+mark+"\n")}, [][]string{{"model: One. ", "ASK"}}},
		{"a long one", "", "prompt", []reel{says("", long)}, [][]string{{"model: " + long, "ASK"}}},
	} {
		h := newHouse(t, func(s *Settings) { s.Continue = c.mode }, reels(t, append(c.said, says("STOP", "!\n"+mark))...))
		h.ask(inquiry{base: c.base, body: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[]}`})
		if len(h.bodies) != len(c.want)+1 {
			t.Errorf("%s: %d calls", c.name, len(h.bodies))
			continue
		}
		for i, want := range c.want {
			got := dialogue(t, h.bodies[i+1])[1:]
			for j := range got {
				if strings.HasPrefix(got[j], "user: Your answer broke off.") {
					said := []rune(strings.TrimPrefix(got[j-1], "model: "))
					tail := string(said[max(0, len(said)-100):])
					if !strings.Contains(got[j], ":\n"+tail+"\n(end of the quotation)") || strings.Count(got[j], mark) != 1 {
						t.Errorf("%s: %q", c.name, got[j])
					}
					got[j] = "ASK"
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, call %d: %q, want %q", c.name, i+2, got, want)
			}
			if a, b := member(t, h.bodies[0], "systemInstruction"), member(t, h.bodies[i+1], "systemInstruction"); a != b || a == "" {
				t.Errorf("%s: the instructions change to %s", c.name, b)
			}
		}
	}
}

// The text goes back to Google as it came, escapes and all; half of a character does not.
func TestContinuationEscapes(t *testing.T) {
	event := func(raw string) reel {
		return reel{events: []string{strings.Replace(word("TEXT"), "TEXT", raw, 1)}, end: broken()}
	}
	for raw, want := range map[string]string{
		`a\u00e4\n\u2028\/`: `a\u00e4\n\u2028\/`, `\ud83d\ude00`: `\ud83d\ude00`, `a\ud83d`: "a\uFFFD", `\\u0041\\`: `\\u0041\\`,
	} {
		h := newHouse(t, nil, reels(t, event(raw), says("STOP", "\n"+mark)))
		h.ask(inquiry{})
		var contents []json.RawMessage
		_ = json.Unmarshal([]byte(member(t, h.bodies[1], "contents")), &contents)
		if want := `{"role":"model","parts":[{"text":"` + want + `"}]}`; string(contents[1]) != want {
			t.Errorf("%s: %s, want %s", raw, contents[1], want)
		}
	}
}

// A dialogue that ends with a turn of the model was to be gone on with from there: it stays one turn.
func TestContinuationOfThePrefilled(t *testing.T) {
	h := newHouse(t, nil, reels(t, says("", "two "), says("STOP", "three\n"+mark)))
	got := h.ask(inquiry{body: `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"One "}]}]}`})
	turns := dialogue(t, h.bodies[1])
	if got.text != "two three" || len(turns) != 3 || turns[1] != "model: One |two " || !strings.HasPrefix(turns[2], "user: ") {
		t.Errorf("%q, %q", got.text, turns)
	}
}

// A continuation does not ask for thoughts; a budget stays, and so does the request while nothing was said.
func TestContinuationThoughts(t *testing.T) {
	body := func(s string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generation_config":{"temperature":1,"thinking_config":` + s + `}}`
	}
	for in, want := range map[string]string{
		`{"includeThoughts":true,"thinkingBudget":8}`:  `{"thinkingBudget":8,"includeThoughts":false}`,
		`{"include_thoughts":true,"thinkingBudget":8}`: `{"thinkingBudget":8,"includeThoughts":false}`,
		`{"includeThoughts":false}`:                    `{"includeThoughts":false}`,
		`{"thinkingLevel":"LOW"}`:                      `{"thinkingLevel":"LOW"}`,
	} {
		h := newHouse(t, nil, reels(t, reel{end: broken()}, says("", "One"), says("STOP", "\n"+mark)))
		h.ask(inquiry{body: body(in)})
		if h.bodies[0] != h.bodies[1] || !strings.Contains(h.bodies[0], in) {
			t.Errorf("%s: nothing said, and asked %s", in, h.bodies[1])
		}
		var r struct {
			A struct {
				A any `json:"thinkingConfig"`
				B any `json:"thinking_config"`
			} `json:"generationConfig"`
			B struct {
				A any `json:"thinkingConfig"`
				B any `json:"thinking_config"`
			} `json:"generation_config"`
		}
		var expect any
		_, _ = json.Unmarshal([]byte(want), &expect), json.Unmarshal([]byte(h.bodies[2]), &r)
		found := false
		for _, v := range []any{r.A.A, r.A.B, r.B.A, r.B.B} {
			found = found || reflect.DeepEqual(v, expect)
		}
		if !found {
			t.Errorf("%s: asked %s, want %s", in, h.bodies[2], want)
		}
	}
}

func TestMarkSetting(t *testing.T) {
	for mark, ok := range map[string]bool{
		defaultMark: true, "[[]]": true, "a b c": true, strings.Repeat("x", 64): true,
		"": false, "abc": false, strings.Repeat("x", 65): false, " abcd": false, "abcd ": false, `ab"cd`: false, `ab\cd`: false, "ab<cd": false, "ab>cd": false, "ab&cd": false,
		"ab\ncd": false, "abc\x7f": false, "endé": false, "ende\u00a0": false,
	} {
		if err := checkMark(mark); (err == nil) != ok || err != nil && !strings.HasPrefix(err.Error(), "must ") {
			t.Errorf("%q: %v", mark, err)
		}
	}
}
