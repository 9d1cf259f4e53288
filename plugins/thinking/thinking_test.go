package thinking

import (
	"context"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

func made(t testing.TB, rows map[string]models.ThinkingSettings) *stage {
	t.Helper()
	set := models.Defaults()
	set.Thinking = rows
	c, err := models.New(set)
	if err != nil {
		t.Fatal(err)
	}
	return &stage{Settings: Settings{ReturnThoughts: true}, catalogue: c}
}

// exchange is one that the stage model has settled, for an answer in this format.
func exchange(s *stage, answer wire.Format, name string) *pipeline.Exchange {
	x := pipeline.NewExchange(context.Background(), pipeline.Request{Route: pipeline.Route{Format: answer}})
	x.Model = s.catalogue.Parse(name)
	return x
}

func thinkingConfig(x *pipeline.Exchange) string {
	v, _ := x.Call.GetIn("generationConfig", "thinkingConfig")
	return string(v)
}

// run puts a thinkingConfig through the stage: what stands there is what a client wrote, "" for nothing.
func run(t testing.TB, s *stage, answer wire.Format, name, config string) (x *pipeline.Exchange, fail *apierror.Error) {
	t.Helper()
	body := `{"contents":[]}`
	if config != "" {
		body = `{"contents":[],"generationConfig":{"topP":0.5,` + config + `}}`
	}
	x = exchange(s, answer, name)
	call, bad := gemini.NewCall([]byte(body))
	if bad != nil {
		t.Fatal(bad)
	}
	x.Call = call
	if s.Process(x) == pipeline.Respond {
		return x, x.Reply.Err
	}
	return x, nil
}

const (
	pro25   = "gemini-2.5-pro"
	flash25 = "gemini-2.5-flash"
	lite25  = "gemini-2.5-flash-lite"
	pro3    = "gemini-3-pro-preview"
	pro31   = "gemini-3.1-pro-preview"
	flash3  = "gemini-3-flash-preview"
)

func TestRequestThenSuffixThenDefault(t *testing.T) {
	n := func(n int64) *int64 { return &n }
	rows := map[string]models.ThinkingSettings{
		"gemini-2.5-flash-preview-09-2025": {Default: int64(4096)},
		"gemini-3.1-flash-lite":            {Default: "low"},
		"mine":                             {Min: n(600), Max: n(700)},
		"gemini-2.5-pro-exp":               {Thinks: new(bool)},
		"off-by-default":                   {Max: n(700), Off: new(true), Default: int64(0)},
	}
	for _, c := range []struct {
		name, config string // as the client wrote it
		want         string // what is in the thinkingConfig
		dropped      string
	}{
		// nothing in the request
		{pro25, "", `"includeThoughts":true`, ""},
		{lite25, "", "", ""}, // it does not think unasked, so there is nothing to show
		{"gemini-flash-latest", "", `"includeThoughts":true`, ""},
		{"gemini-2.5-flash-preview-09-2025", "", `"thinkingBudget":4096,"includeThoughts":true`, ""},
		{"gemini-2.5-flash-preview-09-2025-low", "", `"thinkingBudget":1024,"includeThoughts":true`, ""},
		{"gemini-2.5-flash-preview-09-2025-think", "", `"thinkingBudget":-1,"includeThoughts":true`, ""},
		{"gemini-3.1-flash-lite", "", `"thinkingLevel":"LOW","includeThoughts":true`, ""},
		{"gemini-3.1-flash-lite-think", "", `"includeThoughts":true`, ""}, // the default is not what was asked
		{"off-by-default", "", `"thinkingBudget":0`, ""},
		{"mine-maxthinking", "", `"thinkingBudget":700,"includeThoughts":true`, ""},
		{"mine-nothinking", "", `"thinkingBudget":600`, ""},
		{"mine-high", "", `"thinkingBudget":700,"includeThoughts":true`, "thinkingBudget=700"},

		// the numbers of suffixes
		{pro25 + "-thinking-8192", "", `"thinkingBudget":8192,"includeThoughts":true`, ""},
		{pro25 + "-thinking-100000", "", `"thinkingBudget":32768,"includeThoughts":true`, "thinkingBudget=32768"},
		{pro25 + "-thinking-5", "", `"thinkingBudget":128,"includeThoughts":true`, "thinkingBudget=128"},
		{pro25 + "-thinking-0", "", `"thinkingBudget":128`, "thinkingBudget=128"},
		{flash25 + "-thinking-0", "", `"thinkingBudget":0`, ""},
		{lite25 + "-thinking-100", "", `"thinkingBudget":512,"includeThoughts":true`, "thinkingBudget=512"},
		{flash3 + "-thinking-1024", "", `"thinkingLevel":"LOW","includeThoughts":true`, "thinkingLevel=LOW"},
		{flash3 + "-thinking-8192", "", `"thinkingLevel":"MEDIUM","includeThoughts":true`, "thinkingLevel=MEDIUM"},
		{flash3 + "-thinking-8193", "", `"thinkingLevel":"HIGH","includeThoughts":true`, "thinkingLevel=HIGH"},
		{flash3 + "-thinking-0", "", `"thinkingLevel":"MINIMAL"`, "thinkingLevel=MINIMAL"},
		{pro3 + "-medium", "", `"thinkingLevel":"HIGH","includeThoughts":true`, "thinkingLevel=HIGH"},

		// the request first, member by member
		{pro25 + "-maxthinking", `"thinkingConfig":{"thinkingBudget":2000}`, `"thinkingBudget":2000,"includeThoughts":true`, "-maxthinking"},
		{pro25 + "-thinking-8192", `"thinkingConfig":{"thinkingBudget":2000}`, `"thinkingBudget":2000,"includeThoughts":true`, "-thinking-8192"},
		{pro25 + "-thinking-2000", `"thinkingConfig":{"thinkingBudget":2000}`, `"thinkingBudget":2000,"includeThoughts":true`, ""},
		{pro25 + "-maxthinking", `"thinkingConfig":{"includeThoughts":false}`, `"thinkingBudget":32768,"includeThoughts":false`, ""},
		{pro25 + "-nothinking", `"thinkingConfig":{"includeThoughts":true}`, `"thinkingBudget":128,"includeThoughts":true`, ""},
		{flash25 + "-nothinking", `"thinkingConfig":{"includeThoughts":true}`, `"thinkingBudget":0`, "includeThoughts"},
		{"gemini-3.1-flash-lite", `"thinkingConfig":{"thinkingLevel":"HIGH"}`, `"thinkingLevel":"HIGH","includeThoughts":true`, ""},
		{"gemini-3.1-flash-lite-low", `"thinkingConfig":{"thinkingLevel":"THINKING_LEVEL_UNSPECIFIED"}`, `"thinkingLevel":"LOW","includeThoughts":true`, ""},

		// out of range, in the wrong currency, in another spelling
		{pro25, `"thinkingConfig":{"thinkingBudget":99999}`, `"thinkingBudget":32768,"includeThoughts":true`, "thinkingBudget=32768"},
		{pro25, `"thinkingConfig":{"thinkingBudget":0}`, `"thinkingBudget":128`, "thinkingBudget=128"},
		{pro25, `"thinkingConfig":{"thinkingBudget":0,"includeThoughts":true}`, `"thinkingBudget":128,"includeThoughts":true`, "thinkingBudget=128"},
		{pro25, `"thinkingConfig":{"thinkingBudget":-1}`, `"thinkingBudget":-1,"includeThoughts":true`, ""},
		{pro25, `"thinkingConfig":{"thinkingBudget":-7}`, `"thinkingBudget":128,"includeThoughts":true`, "thinkingBudget=128"},
		{flash25, `"thinkingConfig":{"thinkingBudget":0,"includeThoughts":true}`, `"thinkingBudget":0`, "includeThoughts"},
		{flash25, `"thinkingConfig":{"thinkingBudget":0,"includeThoughts":false}`, `"thinkingBudget":0,"includeThoughts":false`, ""},
		{flash25, `"thinkingConfig":{"thinkingBudget":"512"}`, `"thinkingBudget":512,"includeThoughts":true`, ""},
		{lite25, `"thinkingConfig":{"thinkingBudget":1}`, `"thinkingBudget":512,"includeThoughts":true`, "thinkingBudget=512"},
		{lite25, `"thinkingConfig":{"includeThoughts":true}`, `"includeThoughts":true`, ""},
		{pro25, `"thinkingConfig":{"thinkingLevel":"HIGH"}`, `"thinkingBudget":24576,"includeThoughts":true`, "thinkingBudget=24576"},
		{flash3, `"thinkingConfig":{"thinkingBudget":4000}`, `"thinkingLevel":"MEDIUM","includeThoughts":true`, "thinkingLevel=MEDIUM"},
		{flash3, `"thinkingConfig":{"thinkingBudget":-1}`, `"includeThoughts":true`, ""},
		{flash3, `"thinkingConfig":{"thinkingBudget":0}`, `"thinkingLevel":"MINIMAL"`, "thinkingLevel=MINIMAL"},
		{pro31, `"thinkingConfig":{"thinkingLevel":"MINIMAL"}`, `"thinkingLevel":"LOW","includeThoughts":true`, "thinkingLevel=LOW"},
		{pro31, `"thinkingConfig":{"thinkingLevel":"medium"}`, `"thinkingLevel":"MEDIUM","includeThoughts":true`, ""},
		{pro25, `"thinking_config":{"thinking_budget":200,"include_thoughts":false}`, `"thinkingBudget":200,"includeThoughts":false`, ""},
		{pro25, `"thinkingConfi\u0067":{"thinking\u0042udget":200}`, `"thinkingBudget":200,"includeThoughts":true`, ""},
		{pro25, `"thinkingConfig":{"thinkingBudget":null,"thinkingLevel":null,"includeThoughts":null}`, `"includeThoughts":true`, ""},
		{pro25, `"thinkingConfig":{"later":{"x":[1]},"thinkingBudget":200}`, `"thinkingBudget":200,"includeThoughts":true,"later":{"x":[1]}`, ""},
		{pro25, `"thinkingConfig":null`, `"includeThoughts":true`, ""},

		// models without
		{"gemini-2.0-flash", `"thinkingConfig":{"thinkingBudget":200}`, "", "thinkingConfig"},
		{"gemini-2.0-flash", `"thinking_config":{"thinking_budget":200}`, "", "thinkingConfig"},
		{"gemini-2.0-flash", `"thinkingConfig":{}`, "", ""},
		{"gemma-4-31b-it", "", "", ""},
		{"gemma-4-31b-it", `"thinkingConfig":{"thinkingBudget":200}`, "", "thinkingConfig"},
		{"tunedModels/mine", `"thinkingConfig":{"thinkingBudget":200}`, `"thinkingBudget":200`, ""}, // Google knows
		{"gemini-2.5-pro-exp", `"thinkingConfig":{"includeThoughts":true}`, "", "thinkingConfig"},
		{"gemini-3-pro-image-preview", `"thinkingConfig":{"thinkingLevel":"LOW"}`, `"thinkingLevel":"LOW"`, ""},
		{"gemini-3-pro-image-preview", "", "", ""},
	} {
		t.Run(c.name+" "+c.config, func(t *testing.T) {
			x, fail := run(t, made(t, rows), wire.Gemini, c.name, c.config)
			if fail != nil {
				t.Fatal(fail)
			}
			want := c.want
			if want != "" {
				want = "{" + want + "}"
			}
			if got := thinkingConfig(x); got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
			if got := x.Header.Get("X-Dropped-Params"); got != c.dropped {
				t.Errorf("dropped %q, want %q", got, c.dropped)
			}
			if v, ok := x.Call.GetIn("generationConfig", "topP"); c.config != "" && (!ok || string(v) != "0.5") {
				t.Errorf("the rest is not as it was: %s", x.Call.AppendTo(nil))
			}
		})
	}
}

func TestWhoIsShownThoughts(t *testing.T) {
	for _, answer := range []wire.Format{wire.OpenAI, wire.Gemini, wire.Anthropic, wire.Responses, wire.Completions, wire.Images} {
		for _, set := range []bool{true, false} {
			for _, name := range []string{pro25, pro25 + "-high", flash3, flash3 + "-low"} {
				for config, said := range map[string]string{
					"": "", `"thinkingConfig":{"includeThoughts":true}`: "true", `"thinkingConfig":{"includeThoughts":false}`: "false",
				} {
					s := made(t, nil)
					s.ReturnThoughts = set
					x, fail := run(t, s, answer, name, config)
					if fail != nil {
						t.Fatal(fail)
					}
					want := said
					if want == "" && set && (answer == wire.OpenAI || answer == wire.Gemini) {
						want = "true"
					}
					raw, _ := x.Call.GetIn("generationConfig", "thinkingConfig")
					if got := string(wire.Get(raw, "includeThoughts")); got != want {
						t.Errorf("%v %v %s %s: includeThoughts %q, want %q", answer, set, name, config, got, want)
					}
				}
			}
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	const at = "generationConfig.thinkingConfig"
	for _, c := range []struct{ name, config, param, says string }{
		{pro25, `"thinkingConfig":{"thinkingBudget":200,"thinkingLevel":"LOW"}`, at + ".thinkingBudget", at + ".thinkingLevel"},
		{flash3, `"thinking_config":{"thinking_level":"low","thinking_budget":-1}`, at + ".thinkingBudget", at + ".thinkingLevel"},
		{flash3, `"thinkingConfig":{"thinkingLevel":"LOUD"}`, at + ".thinkingLevel", "MINIMAL"},
		{flash3, `"thinkingConfig":{"thinkingLevel":"none"}`, at + ".thinkingLevel", "MINIMAL"},
		{flash3, `"thinkingConfig":{"thinkingLevel":"xhigh"}`, at + ".thinkingLevel", "MINIMAL"},
		{flash3, `"thinkingConfig":{"thinkingLevel":3}`, at + ".thinkingLevel", "MINIMAL"},
		{pro25, `"thinkingConfig":{"thinkingBudget":1.5}`, at + ".thinkingBudget", "whole number"},
		{pro25, `"thinkingConfig":{"thinkingBudget":"many"}`, at + ".thinkingBudget", "whole number"},
		{pro25, `"thinkingConfig":{"includeThoughts":"yes"}`, at + ".includeThoughts", "true or false"},
		{pro25, `"thinkingConfig":{"thinkingBudget":1,"thinking_budget":2}`, at + ".thinkingBudget", "twice"},
		{pro25, `"thinkingConfig":{},"thinking_config":{}`, at, "twice"},
		{pro25, `"thinkingConfig":[]`, at, "object"},
		{"gemini-2.0-flash-maxthinking", "", "model", `"-maxthinking"`},
		{"gemma-4-31b-it-thinking-100", "", "model", `"-thinking-100"`},
		{"gemini-2.5-flash-image-nothinking", "", "model", `"-nothinking"`},
	} {
		x, fail := run(t, made(t, nil), wire.Gemini, c.name, c.config)
		switch {
		case fail == nil:
			t.Errorf("%s %s is taken: %s", c.name, c.config, x.Call.AppendTo(nil))
		case fail.Code != apierror.BadRequest || fail.Param != c.param || !strings.Contains(fail.Message, c.says):
			t.Errorf("%s %s: %s %q %s", c.name, c.config, fail.Code, fail.Param, fail.Message)
		}
	}
}

// The suffix was meant for the model that failed.
func TestSuffixBeforeAFallbackThatDoesNotThink(t *testing.T) {
	s := made(t, nil)
	x := exchange(s, wire.Gemini, pro25+"-maxthinking")
	x.Fallback, x.Model.Base = "gemini-2.0-flash", "gemini-2.0-flash"
	x.Call, _ = gemini.NewCall([]byte(`{"contents":[]}`))
	if v := s.Process(x); v != pipeline.Next || x.Header.Get("X-Dropped-Params") != "-maxthinking" {
		t.Errorf("%v %v %q", v, x.Reply.Err, x.Header.Get("X-Dropped-Params"))
	}
}

// A second walk over the same call changes nothing.
func TestTwiceIsOnce(t *testing.T) {
	s := made(t, nil)
	for _, name := range []string{pro25, flash25 + "-nothinking", flash3 + "-thinking-8192", lite25 + "-max"} {
		x, fail := run(t, s, wire.OpenAI, name, "")
		if fail != nil {
			t.Fatal(fail)
		}
		once, mark := string(x.Call.AppendTo(nil)), x.Call.Mark()
		if s.Process(x) != pipeline.Next || string(x.Call.AppendTo(nil)) != once || x.Call.Mark() != mark {
			t.Errorf("%s: %s became %s", name, once, x.Call.AppendTo(nil))
		}
	}
}

// What Google refuses never comes out, whatever goes in, and what is not about thinking stays.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `{"thinkingBudget":1}`, `{"thinking_level":"low","x":[{}]}`, `{"includeThoughts":true,"thinkingBudget":"0"}`,
		`{"thinkingBudget":9223372036854775807}`, `{"thinkingBudget":-9e18,"thinking\u004cevel":null}`, `[]`, `"x"`} {
		for i := range 8 {
			f.Add(seed, byte(i*29))
		}
	}
	names := []string{pro25, flash25, lite25, pro3, pro31, flash3, "gemini-flash-latest", "gemini-2.0-flash"}
	suffixes := []string{"", "-maxthinking", "-nothinking", "-minimal", "-thinking-77777", "-think", "-medium"}
	f.Fuzz(func(t *testing.T, config string, o byte) {
		body := []byte(`{"contents":[],"generationConfig":{"a":1,"thinkingConfig":` + config + `,"b":2}}`)
		call, bad := gemini.NewCall(body)
		if bad != nil {
			return
		}
		s := made(t, nil)
		x := exchange(s, wire.Gemini, names[o&7]+suffixes[int(o>>3)%len(suffixes)])
		x.Call = call
		if s.Process(x) != pipeline.Next {
			if x.Reply.Err.Code != apierror.BadRequest || x.Reply.Err.Param == "" {
				t.Errorf("%+v", x.Reply.Err)
			}
			return
		}
		out := x.Call.AppendTo(nil)
		if err := wire.Check(out); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		got, _ := x.Call.GetIn("generationConfig", "thinkingConfig")
		checkTaken(t, gemini.Limits(s.catalogue.Thinking(x.Model.Base).ThinkingLimits), got)
	})
}

// checkTaken holds a thinkingConfig against what the model takes.
func checkTaken(t *testing.T, l gemini.Limits, config []byte) {
	t.Helper()
	budget, level := wire.Get(config, "thinkingBudget"), wire.Get(config, "thinkingLevel")
	n, _ := wire.Int(budget)
	word, _ := wire.Text(level)
	switch {
	case !l.Thinks() && config != nil, budget != nil && level != nil, budget != nil && l.ByLevel(), level != nil && !l.ByLevel():
	case budget != nil && n != -1 && (n != 0 || !l.Off) && (n < l.Least || n > l.Most):
	case level != nil && !strings.Contains(strings.Join(l.Levels, " "), word):
	case budget != nil && n == 0 && string(wire.Get(config, "includeThoughts")) == "true":
	default:
		return
	}
	t.Errorf("%+v does not take %s", l, config)
}
