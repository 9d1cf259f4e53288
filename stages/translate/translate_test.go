package translate

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

func made(t testing.TB) *stage {
	t.Helper()
	s := models.Defaults()
	s.Limits = map[string]models.Limits{"gemini-2.5-flash": {Output: 1000}}
	c, err := models.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return &stage{catalogue: c, turns: make(chan struct{}, 4), log: slog.New(slog.DiscardHandler)}
}

// exchange is one that format and model have settled.
func exchange(route pipeline.Route, asked wire.Format, body string) *pipeline.Exchange {
	x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: "t", Route: route, Client: pipeline.Fixed{Data: []byte(body)}})
	x.Asked = asked
	x.Model = models.Model{Asked: "gemini-2.5-pro", Base: "gemini-2.5-pro"}
	return x
}

var (
	openaiRoute = pipeline.Route{Format: wire.OpenAI}
	geminiRoute = pipeline.Route{Format: wire.Gemini}
	streamRoute = pipeline.Route{Format: wire.Gemini, Verb: pipeline.Streaming}
	countRoute  = pipeline.Route{Format: wire.Gemini, Verb: pipeline.Count}
)

const turn = `[{"role":"user","parts":[{"text":"hi"}]}]`

func TestCall(t *testing.T) {
	for _, c := range []struct {
		name    string
		route   pipeline.Route
		asked   wire.Format
		body    string
		call    string
		dropped string
	}{
		{"Gemini body byte for byte", geminiRoute, wire.Gemini, `{ "contents" : ` + turn + ` , "new": {"x":1.0} }`, `{"contents" : ` + turn + `,"new": {"x":1.0}}`, ""},
		{"Gemini body, stream", streamRoute, wire.Gemini, `{"contents":` + turn + `}`, `{"contents":` + turn + `}`, ""},
		{"Gemini body on the OpenAI route", openaiRoute, wire.Gemini, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"contents":` + turn + `,"tools":[{"googleSearch":{}}]}`,
			`{"contents":` + turn + `,"tools":[{"googleSearch":{}}]}`, ""},
		{"OpenAI body", openaiRoute, wire.OpenAI, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, `{"contents":` + turn + `}`, ""},
		{"OpenAI body on the Gemini route", geminiRoute, wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}]}`, `{"contents":` + turn + `}`, ""},
		{"OpenAI body on the Gemini stream route", streamRoute, wire.OpenAI, `{"stream":false,"messages":[{"role":"user","content":"hi"}]}`, `{"contents":` + turn + `}`, ""},
		{"OpenAI body to count", countRoute, wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}]}`, `{"contents":` + turn + `}`, ""},
		{"what has no place in a Google request", openaiRoute, wire.OpenAI, `{"model":"m","messages":[{"role":"user","content":"hi"}],"mystery":1,"top_k":99}`,
			`{"contents":` + turn + `,"generationConfig":{"topK":64}}`, "mystery, top_k=64"},
		{"what a Gemini client sets too high", geminiRoute, wire.Gemini, `{"contents":` + turn + `,"generationConfig":{"topK":100,"maxOutputTokens":99999999,"seed":1}}`,
			`{"contents":` + turn + `,"generationConfig":{"seed":1,"topK":64,"maxOutputTokens":65536}}`, "topK=64, maxOutputTokens=65536"},
		{"the same in snake case", geminiRoute, wire.Gemini, `{"contents":` + turn + `,"generation_config":{"top_k":65}}`,
			`{"contents":` + turn + `,"generationConfig":{"topK":64}}`, "topK=64"},
		{"what it may set", geminiRoute, wire.Gemini, `{"contents":` + turn + `,"generationConfig":{"topK":64,"maxOutputTokens":65536}}`,
			`{"contents":` + turn + `,"generationConfig":{"topK":64,"maxOutputTokens":65536}}`, ""},
		{"a number that is none", geminiRoute, wire.Gemini, `{"contents":` + turn + `,"generationConfig":{"topK":"many"}}`,
			`{"contents":` + turn + `,"generationConfig":{"topK":"many"}}`, ""},
		{"to count nothing is cut", countRoute, wire.Gemini, `{"contents":` + turn + `,"generationConfig":{"topK":100}}`,
			`{"contents":` + turn + `,"generationConfig":{"topK":100}}`, ""},
		{"a whole request to count", countRoute, wire.Gemini, `{"generateContentRequest":{"contents":` + turn + `}}`, `{"generateContentRequest":{"contents":` + turn + `}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchange(c.route, c.asked, c.body)
			s := made(t)
			if v := s.Process(x); v != pipeline.Next {
				t.Fatalf("verdict %v: %v", v, x.Reply.Err)
			}
			if got := string(x.Call.AppendTo(nil)); got != c.call {
				t.Errorf("got  %s\nwant %s", got, c.call)
			}
			if got := x.Header.Get("X-Dropped-Params"); got != c.dropped {
				t.Errorf("X-Dropped-Params %q, want %q", got, c.dropped)
			}
			s.End(x)
		})
	}
}

// The limits of the table of models count, not a number for all.
func TestOutputLimitOfTheModel(t *testing.T) {
	for asked, body := range map[wire.Format]string{
		wire.Gemini: `{"contents":` + turn + `,"generationConfig":{"maxOutputTokens":5000}}`,
		wire.OpenAI: `{"messages":[{"role":"user","content":"hi"}],"max_tokens":5000}`,
	} {
		x := exchange(openaiRoute, asked, body)
		x.Model.Base = "gemini-2.5-flash"
		made(t).Process(x)
		if got, _ := x.Call.GetIn("generationConfig", "maxOutputTokens"); string(got) != "1000" {
			t.Errorf("%v: %s", asked, got)
		}
	}
}

// What becomes of reasoning_effort depends on the family of the model.
func TestFamilies(t *testing.T) {
	for base, want := range map[string]string{"gemini-2.5-pro": "thinkingBudget", "gemini-3.1-pro-preview": "thinkingLevel", "gemini-2.0-flash": ""} {
		x := exchange(openaiRoute, wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}],"reasoning_effort":"low"}`)
		x.Model.Base = base
		if v := made(t).Process(x); v != pipeline.Next {
			t.Fatalf("%s: %v", base, x.Reply.Err)
		}
		got, ok := x.Call.GetIn("generationConfig", "thinkingConfig")
		if ok != (want != "") || !strings.Contains(string(got), want) {
			t.Errorf("%s: thinkingConfig %s", base, got)
		}
	}
}

// Whether thoughts are shown that nobody spoke of is decided by the stage thinking, where there is one.
func TestWhoShowsThoughts(t *testing.T) {
	for _, c := range []struct {
		said        string
		alone, both string // what is said of thoughts, without and with that stage
	}{
		{`"reasoning_effort":"low"`, "true", ""},
		{`"reasoning_effort":"none"`, "", "false"}, // no thinking is wanted, though this model knows no way to do without
		{`"reasoning_effort":"low","thinking":{"include_thoughts":false}`, "false", "false"},
		{`"thinking":{"include_thoughts":true}`, "true", "true"},
		{`"thinking":{"thinking_budget":500}`, "", ""},
	} {
		for _, on := range []bool{false, true} {
			s := made(t)
			s.thinking = on
			x := exchange(openaiRoute, wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}],`+c.said+`}`)
			if v := s.Process(x); v != pipeline.Next {
				t.Fatalf("%s: %v", c.said, x.Reply.Err)
			}
			want := c.alone
			if on {
				want = c.both
			}
			config, _ := x.Call.GetIn("generationConfig", "thinkingConfig")
			if got := string(wire.Get(config, "includeThoughts")); got != want {
				t.Errorf("%s, thinking %v: %s", c.said, on, config)
			}
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		route pipeline.Route
		asked wire.Format
		body  string
		param string
	}{
		{"no contents", geminiRoute, wire.Gemini, `{"generationConfig":{}}`, "contents"},
		{"empty contents", geminiRoute, wire.Gemini, `{"contents":[]}`, "contents"},
		{"contents null", geminiRoute, wire.Gemini, `{"contents":null}`, "contents"},
		{"contents a text", geminiRoute, wire.Gemini, `{"contents":"hi"}`, "contents"},
		{"no contents, stream", streamRoute, wire.Gemini, `{}`, "contents"},
		{"no contents on the OpenAI route", openaiRoute, wire.Gemini, `{"model":"m","generationConfig":{}}`, "contents"},
		{"nothing to count", countRoute, wire.Gemini, `{}`, "contents"},
		{"a whole request without contents", countRoute, wire.Gemini, `{"generateContentRequest":{}}`, "generateContentRequest.contents"},
		{"a whole request with empty contents", countRoute, wire.Gemini, `{"generateContentRequest":{"contents":[]}}`, "generateContentRequest.contents"},
		{"a whole request beside contents", countRoute, wire.Gemini, `{"contents":` + turn + `,"generateContentRequest":{"contents":` + turn + `}}`, "generateContentRequest"},
		{"a whole request where only count takes one", geminiRoute, wire.Gemini, `{"generateContentRequest":{"contents":` + turn + `}}`, "contents"},
		{"contents twice", geminiRoute, wire.Gemini, `{"contents":` + turn + `,"contents":[]}`, "contents"},
		{"generationConfig in two spellings", geminiRoute, wire.Gemini, `{"contents":` + turn + `,"generationConfig":{},"generation_config":{}}`, "generationConfig"},
		{"no messages", openaiRoute, wire.OpenAI, `{"model":"m"}`, "messages"},
		{"empty messages", openaiRoute, wire.OpenAI, `{"model":"m","messages":[]}`, "messages"},
		{"no messages on the Gemini route", geminiRoute, wire.OpenAI, `{"messages":[]}`, "messages"},
		{"a field out of range", openaiRoute, wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}],"temperature":3}`, "temperature"},
		{"a tool that is none", openaiRoute, wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function"}]}`, "tools[0].function"},
		{"messages twice", openaiRoute, wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}],"messages":[]}`, "messages"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchange(c.route, c.asked, c.body)
			s := made(t)
			v := s.Process(x)
			if f := x.Reply.Err; v != pipeline.Respond || f == nil || f.Code != apierror.BadRequest || f.Status != 400 || f.Param != c.param || f.Upstream {
				t.Errorf("verdict %v, %+v", v, f)
			}
			s.End(x)
		})
	}
}

func TestOffTakesHubBodiesOnly(t *testing.T) {
	x := exchange(openaiRoute, wire.Gemini, `{"model":"m","contents":`+turn+`}`)
	if v := hubOnly(x); v != pipeline.Next || string(x.Call.AppendTo(nil)) != `{"contents":`+turn+`}` {
		t.Errorf("verdict %v, %v", v, x.Reply.Err)
	}
	x = exchange(geminiRoute, wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}]}`)
	v := hubOnly(x)
	if f := x.Reply.Err; v != pipeline.Respond || f == nil || f.Status != 400 || f.Param != "contents" {
		t.Errorf("verdict %v, %+v", v, f)
	}
	x = exchange(geminiRoute, wire.Gemini, `{}`)
	if v := hubOnly(x); v != pipeline.Respond || x.Reply.Err.Param != "contents" {
		t.Errorf("verdict %v, %v", v, x.Reply.Err)
	}
}

// The rewritten request lives in a lent buffer, which goes back once.
func TestBufferGoesBack(t *testing.T) {
	x := exchange(openaiRoute, wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}]}`)
	s := made(t)
	s.Process(x)
	b := x.Note(bufferKey{}).(*wire.Buffer)
	s.Process(x) // a rewind may lead here again
	if again := x.Note(bufferKey{}).(*wire.Buffer); again != b {
		t.Error("the second walk took another buffer and lost the first")
	}
	if got := string(x.Call.AppendTo(nil)); got != `{"contents":`+turn+`}` {
		t.Errorf("after the second walk: %s", got)
	}
	if s.End(x); b.B != nil {
		t.Error("the buffer was not given back")
	}
	s.End(x)
}

func BenchmarkTranslate(b *testing.B) {
	text := strings.Repeat("Some words of a user. ", 80)
	for name, c := range map[string]struct {
		asked wire.Format
		body  string
	}{
		"gemini2k": {wire.Gemini, `{"contents":[{"role":"user","parts":[{"text":"` + text + `"}]}],"generationConfig":{"temperature":0.7}}`},
		"openai2k": {wire.OpenAI, `{"model":"gemini-2.5-pro","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"` + text + `"}],"temperature":0.7}`},
	} {
		b.Run(name, func(b *testing.B) {
			s := made(b)
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				x := exchange(geminiRoute, c.asked, c.body)
				if s.Process(x) != pipeline.Next {
					b.Fatal(x.Reply.Err)
				}
				s.End(x)
			}
		})
	}
}
