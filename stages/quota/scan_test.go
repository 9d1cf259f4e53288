package quota

import (
	"encoding/json"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/store/apikey"
)

func TestWhatCannotBePriced(t *testing.T) {
	for name, body := range map[string]string{"no model": `{}`, "two models": `{"model":"a","model":"b"}`, "an escaped name": `{"mode\u006c":"a"}`, "no JSON": `{`,
		"a number": `{"model":3}`, "nothing": `{"model":""}`, "spaces": `{"model":"  "}`, "a list": `[]`, "no body": ``, "too long": `{"model":"` + strings.Repeat("x", 300) + `"}`} {
		s := newTill(t, apikey.Terms{Quota: 100})
		x := s.chat(body)
		v := s.Process(x)
		if s.End(x); v != pipeline.Respond || x.Reply.Err.Code != apierror.BadRequest || s.left() != 100 || x.Charge != (pipeline.Charge{}) {
			t.Errorf("%s: verdict %v, reply %v, left %d", name, v, x.Reply.Err, s.left())
		}
	}
}

func native(model string) pipeline.Request {
	in := on(wire.Gemini)
	in.Model = model
	return in
}

func embed(in pipeline.Request) pipeline.Request {
	in.Route.Verb = pipeline.Embed
	return in
}

// How often the price of one call is taken: what is refused names the member.
func TestHowOften(t *testing.T) {
	chat, flash := on(wire.OpenAI), native("gemini-2.5-flash")
	messages := `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hi"}],`
	of := func(n string) string { return messages + `"n":` + n + `}` }
	config := func(inside string) string {
		return `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{` + inside + `}}`
	}
	for _, c := range []struct {
		in    pipeline.Request
		body  string
		times int64  // 0 is refused
		param string // then
	}{
		{chat, of("1"), 1, ""}, {chat, of("3"), 3, ""}, {chat, of("3.0"), 3, ""}, {chat, of("null"), 1, ""}, {chat, of("128"), 128, ""},
		{chat, of("0"), 0, "n"}, {chat, of("-1"), 0, "n"}, {chat, of("1.5"), 0, "n"}, {chat, of(`"3"`), 0, "n"}, {chat, of("1e9"), 0, "n"}, {chat, of("99999999999999999999"), 0, "n"}, {chat, of("[1]"), 0, "n"},
		{chat, of(`1,"n":2`), 0, "n"}, {chat, of(`1,"\u006e":2`), 0, "n"}, {chat, messages + `"\u006e":3}`, 3, ""}, {chat, of(`null,"n":3`), 0, "n"},
		{on(wire.Completions), of("2"), 2, ""}, {on(wire.Completions), of("0"), 0, "n"},
		{on(wire.Images), of("1"), 1, ""}, {on(wire.Images), of("2"), 0, "n"}, {on(wire.Images), of("0"), 0, "n"},
		{on(wire.Anthropic), of("7"), 1, ""}, {on(wire.Responses), of("7"), 1, ""}, // no member of theirs
		{flash, config(""), 1, ""}, {flash, config(`"candidateCount":8`), 8, ""}, {flash, config(`"candidate_count":3`), 3, ""}, {flash, config(`"candidateCoun\u0074":4`), 4, ""}, {flash, config(`"candidateCount":null`), 1, ""},
		{flash, `{"generation_config":{"candidate_count":5},"contents":[]}`, 5, ""}, {flash, `{"generationConfi\u0067":{"candidateCount":5},"contents":[]}`, 5, ""},
		{flash, config(`"candidateCount":9`), 0, "generationConfig.candidateCount"}, {flash, config(`"candidateCount":0`), 0, "generationConfig.candidateCount"},
		{flash, config(`"candidateCount":-1`), 0, "generationConfig.candidateCount"}, {flash, config(`"candidateCount":"3"`), 0, "generationConfig.candidateCount"}, {flash, config(`"candidateCount":1.5`), 0, "generationConfig.candidateCount"},
		{flash, config(`"candidateCount":1,"candidateCount":8`), 0, "generationConfig.candidateCount"}, {flash, config(`"candidateCount":1,"candidate_count":8`), 0, "generationConfig.candidateCount"},
		{flash, config(`"candidateCount":1,"candidate_coun\u0074":8`), 0, "generationConfig.candidateCount"},
		{flash, `{"generationConfig":{},"generation_config":{"candidateCount":8}}`, 0, "generationConfig"}, {flash, `{"generationConfig":7}`, 1, ""},
		{flash, config(`"maxOutputTokens":1,"max_output_tokens":2`), 0, "generationConfig.maxOutputTokens"},
		{flash, config(`"routingConfig":{"manualMode":{"modelName":"gemini-2.5-pro"}}`), 0, "generationConfig.routingConfig"}, {flash, config(`"model_selection_config":{}`), 0, "generationConfig.modelSelectionConfig"}, {flash, config(`"routingConfig":null`), 1, ""},
		{chat, `{"model":"gemini-2.5-flash","contents":[{"parts":[]}],"generationConfig":{"candidateCount":6}}`, 6, ""}, // a Gemini body on the route of OpenAI
		{chat, `{"model":"gemini-2.5-flash","contents":[{"parts":[]}],"generationConfig":{},"n":6}`, 1, ""},
		{flash, of("4"), 4, ""}, // and the other way round
		{flash, `{"messages":[],"generationConfig":{"candidateCount":4}}`, 4, ""},
		{embed(chat), `{"model":"gemini-2.5-flash","input":"a"}`, 1, ""}, {embed(chat), `{"model":"gemini-2.5-flash","input":["a","b","c"]}`, 3, ""}, {embed(chat), `{"model":"gemini-2.5-flash","input":[1,2,3,4]}`, 1, ""},
		{embed(chat), `{"model":"gemini-2.5-flash","input":[[1,2],[3]]}`, 2, ""}, {embed(chat), `{"model":"gemini-2.5-flash","input":[]}`, 1, ""}, {embed(chat), `{"model":"gemini-2.5-flash","input":["a",1]}`, 2, ""},
		{embed(chat), `{"model":"gemini-2.5-flash","input":"a","input":["b","c"]}`, 0, "input"}, {embed(chat), `{"model":"gemini-2.5-flash","input":"a","i\u006eput":["b","c"]}`, 0, "input"},
		{embed(flash), `{"content":{"parts":[{"text":"a"}]}}`, 1, ""}, {embed(flash), `{"requests":[{},{},{}]}`, 3, ""}, {embed(flash), `{"requests":[{}],"requests":[{},{}]}`, 0, "requests"},
		{embed(flash), `{"requests":[{"model":"models/gemini-2.5-flash"},{"model":"gemini-2.5-flash"},{"model":null}]}`, 3, ""},
		{embed(flash), `{"requests":[{},{"model":"models/gemini-2.5-pro"}]}`, 0, "requests[1].model"}, {embed(flash), `{"requests":[{"mode\u006c":"gemini-2.5-pro"}]}`, 0, "requests[0].model"},
		{embed(flash), `{"requests":[{"model":"gemini-2.5-flash","model":"gemini-2.5-pro"}]}`, 0, "requests[0].model"}, {embed(flash), `{"requests":7}`, 1, ""},
	} {
		s := newTill(t, apikey.Terms{Quota: 1000})
		x := s.ask(c.in, c.body)
		s.Process(x)
		switch f := x.Reply.Err; {
		case c.times > 0 && (f != nil || x.Charge.Units != 2*c.times):
			t.Errorf("%v %s: %+v, %v", c.in.Route, c.body, x.Charge, f)
		case c.times == 0 && (f == nil || f.Status != 400 || f.Param != c.param || s.left() != 1000):
			t.Errorf("%v %s: %+v, charged %+v", c.in.Route, c.body, f, x.Charge)
		}
	}
}

// Where the route alone says what a body is written in, its members count as those of that language.
func TestHowOftenByRoute(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 1000})
	s.detects = false
	x := s.chat(`{"model":"gemini-2.5-flash","contents":[{"parts":[]}],"generationConfig":{"candidateCount":6},"n":2}`)
	if s.Process(x); x.Charge.Units != 4 {
		t.Errorf("%+v, %v", x.Charge, x.Reply.Err)
	}
}

// The highest price that there is, many times over, is refused as any that is too high.
func TestDearestPrice(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 1e11})
	if err := s.book.Costs.Set(t.Context(), "dear", apikey.Cost{Units: apikey.MaxCost}); err != nil {
		t.Fatal(err)
	}
	x := s.chat(`{"model":"dear","n":128}`)
	if s.Process(x) != pipeline.Respond || x.Reply.Err.Code != apierror.InsufficientQuota || s.left() != 1e11 {
		t.Errorf("%v, %+v", x.Reply.Err, x.Charge)
	}
}

func TestEstimate(t *testing.T) {
	picture := strings.Repeat("iVBORw0KGgoAAAANSUhEUgAA", 50_000) // 1.2 MB
	for _, c := range []struct {
		name        string
		body        string
		least, most int64
	}{
		{"nothing", "", 0, 0},
		{"short", "abcde", 2, 2},
		{"prose", strings.Repeat("The quick brown fox jumps over it. ", 10_000), 87_500, 87_500},
		{"Chinese", strings.Repeat("敏捷的棕色狐狸", 10_000), 52_500, 52_500},
		{"a picture", `{"inlineData":{"mimeType":"image/png","data":"` + picture + `"}}`, 1100, 1130},
		{"an address of data", `{"url":"data:image/png;base64,` + picture + `"}`, 1100, 1120},
		{"with escaped slashes", `{"url":"data:image\/png;base64,` + strings.Repeat(`iVBORw0KGgoAAAANSUhEUg\/A`, 50_000) + `"}`, 1100, 1120},
		{"two pictures", `["` + picture + `","` + picture + `"]`, 2200, 2210},
		{"a small one", `["` + picture[:3000] + `"]`, 600, 760},
		{"a picture and prose", `["` + picture + `","` + strings.Repeat("some words ", 4000) + `"]`, 12_100, 12_120},
		{"code with long names", strings.Repeat("aVeryLongNameOfAFunctionThatSomebodyWroteInJavaOrAnotherSuchOne(x) ", 1000), 16_000, 17_000},
		{"one long word without an end", `["` + picture, 300_000, 300_003},
	} {
		if got := estimate([]byte(c.body)); got < c.least || got > c.most {
			t.Errorf("%s: %d, want %d to %d", c.name, got, c.least, c.most)
		}
	}
}

func BenchmarkEstimate(b *testing.B) {
	for name, body := range map[string][]byte{
		"prose":   []byte(strings.Repeat(`{"role":"user","content":"The quick brown fox jumps over it. "},`, 50_000)),
		"picture": []byte(`["` + strings.Repeat("iVBORw0KGgoAAAANSUhEUgAA", 100_000) + `"]`),
		"almost":  []byte(`["` + strings.Repeat(strings.Repeat("y", 3000)+" ", 10_000) + `"]`),
		"short":   []byte(`["` + strings.Repeat(`x",`+strings.Repeat("y", 64)+`,"`, 50_000) + `"]`),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				estimate(body)
			}
		})
	}
}

// The answers that are paid for are never fewer than what a tolerant reader would find in the body.
func FuzzOrder(f *testing.F) {
	for _, seed := range []string{`{"model":"x","n":2}`, `{"n":2,"n":3}`, `{"\u006e":2}`, `{"generationConfig":{"candidateCount":2,"candidate_count":3}}`, `{"generation_config":{"candidateCoun\u0074":7}}`,
		`{"generationConfig":{"generationConfig":{"candidateCount":2}}}`, `{"contents":[[[[{"n":3}]]]],"n":1}`, `{"requests":[{},{"model":"y"}]}`, `{"input":["a",["b"]]}`, `{"input":[1,2]}`, strings.Repeat(`{"a":[`, 200), `{"n":1e400}`} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	s := &stage{}
	f.Fuzz(func(t *testing.T, body []byte, gemini bool) {
		format := wire.OpenAI
		if gemini {
			format = wire.Gemini
		}
		for _, verb := range []pipeline.Verb{pipeline.Generate, pipeline.Embed} {
			in := pipeline.Request{Route: pipeline.Route{Format: format, Verb: verb}, Model: "x", Client: pipeline.Fixed{Data: body}}
			x := pipeline.NewExchange(t.Context(), in)
			o, fail := s.order(x, s.read("x"))
			if fail != nil {
				if fail.Status != 400 {
					t.Fatal(fail)
				}
				continue
			}
			if o.answers < 1 || o.items < 1 || estimate(body) < 0 {
				t.Fatalf("%+v", o)
			}
			if want := told(body, gemini, verb); float64(o.times()) < want {
				t.Fatalf("%d times, the body asks for %v", o.times(), want)
			}
		}
	})
}

// told reads a body as the standard library does.
func told(body []byte, gemini bool, verb pipeline.Verb) (times float64) {
	switch {
	case verb == pipeline.Embed && gemini:
		return float64(len(list(body, "requests")))
	case verb == pipeline.Embed:
		all := list(body, "input")
		if len(all) > 0 {
			if _, number := all[0].(float64); number {
				return 1
			}
		}
		return float64(len(all))
	case gemini && member(body, "messages") == nil:
		for _, spelling := range []string{"generationConfig", "generation_config"} {
			config, _ := member(body, spelling).(map[string]any)
			for _, name := range []string{"candidateCount", "candidate_count"} {
				n, _ := config[name].(float64)
				times = max(times, n)
			}
		}
		return times
	case gemini || member(body, "contents") != nil || member(body, "generationConfig") != nil || member(body, "generation_config") != nil || member(body, "systemInstruction") != nil || member(body, "system_instruction") != nil:
		return 1 // which language it is decides what counts
	}
	n, _ := member(body, "n").(float64)
	return n
}

func member(body []byte, name string) any {
	var all map[string]any
	_ = json.Unmarshal(body, &all)
	return all[name]
}

func list(body []byte, name string) []any {
	all, _ := member(body, name).([]any)
	return all
}
