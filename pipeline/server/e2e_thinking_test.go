package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// asksToThink is one question in one language: how it is put, and what is read of the answer.
type asksToThink struct {
	name string
	path func(model string, stream bool) string
	body func(model, fields string, stream bool) string
	read func(t *testing.T, body []byte) (text, thoughts string)
}

func thinkers() []asksToThink {
	bodied := func(path string) func(string, bool) string {
		return func(string, bool) string { return path }
	}
	return []asksToThink{
		{"openai", bodied("/v1/chat/completions"), func(model, fields string, stream bool) string {
			return fmt.Sprintf(`{"model":%q,"stream":%v%s,"messages":[{"role":"user","content":"!describe"}]}`, model, stream, fields)
		}, func(t *testing.T, body []byte) (string, string) {
			var r struct {
				Choices []struct {
					Message struct {
						Content   string
						Reasoning string `json:"reasoning_content"`
					}
				}
			}
			if err := json.Unmarshal(body, &r); err != nil || len(r.Choices) != 1 {
				t.Fatalf("%v: %s", err, body)
			}
			return r.Choices[0].Message.Content, r.Choices[0].Message.Reasoning
		}},
		{"gemini", func(model string, stream bool) string {
			return "/v1beta/models/" + model + map[bool]string{true: ":streamGenerateContent?alt=sse", false: ":generateContent"}[stream]
		}, func(_, fields string, _ bool) string {
			return `{"contents":[{"role":"user","parts":[{"text":"!describe"}]}]` + fields + `}`
		}, func(t *testing.T, body []byte) (text, thoughts string) {
			var r geminiReply
			if err := json.Unmarshal(body, &r); err != nil || len(r.Candidates) != 1 {
				t.Fatalf("%v: %s", err, body)
			}
			for _, p := range r.Candidates[0].Content.Parts {
				if p.Thought {
					thoughts += p.Text
				} else {
					text += p.Text
				}
			}
			return text, thoughts
		}},
		{"anthropic", bodied("/v1/messages"), func(model, fields string, stream bool) string {
			return fmt.Sprintf(`{"model":%q,"max_tokens":9000,"stream":%v%s,"messages":[{"role":"user","content":"!describe"}]}`, model, stream, fields)
		}, func(t *testing.T, body []byte) (text, thoughts string) {
			var r struct {
				Content []struct{ Text, Thinking string }
			}
			if err := json.Unmarshal(body, &r); err != nil || len(r.Content) == 0 {
				t.Fatalf("%v: %s", err, body)
			}
			for _, c := range r.Content {
				text, thoughts = text+c.Text, thoughts+c.Thinking
			}
			return text, thoughts
		}},
	}
}

// thinkingCase is what arrives at Google of what a client asked.
type thinkingCase struct {
	model, fields string
	want          string // thinkingConfig as Google received it; "" for none
	shown         bool   // the client reads thoughts
	dropped       string
}

func thinkingCases() map[string][]thinkingCase {
	config := func(members string) string { return `,"generationConfig":{"thinkingConfig":{` + members + `}}` }
	return map[string][]thinkingCase{
		"openai": {
			{"gemini-2.5-flash", "", `{"includeThoughts":true}`, true, ""},
			{"gemini-2.5-flash-lite", "", "", false, ""},
			{"gemini-2.5-pro-maxthinking", "", `{"thinkingBudget":32768,"includeThoughts":true}`, true, ""},
			{"gemini-2.5-pro-nothinking", "", `{"thinkingBudget":128}`, false, ""},
			{"gemini-2.5-flash-nothinking", "", `{"thinkingBudget":0}`, false, ""},
			{"gemini-2.5-flash-thinking-99999", "", `{"thinkingBudget":24576,"includeThoughts":true}`, true, "thinkingBudget=24576"},
			{"gemini-3-pro-preview-maxthinking", "", `{"thinkingLevel":"HIGH","includeThoughts":true}`, true, ""},
			{"gemini-3-pro-preview-medium", "", `{"thinkingLevel":"HIGH","includeThoughts":true}`, true, "thinkingLevel=HIGH"},
			{"gemini-3.1-pro-preview-nothinking", "", `{"thinkingLevel":"LOW"}`, false, ""},
			{"gemini-3.1-flash-lite-minimal", "", `{"thinkingLevel":"MINIMAL","includeThoughts":true}`, true, ""},
			{"gemini-3.1-flash-lite-thinking-8192", "", `{"thinkingLevel":"MEDIUM","includeThoughts":true}`, true, "thinkingLevel=MEDIUM"},
			{"gemini-2.5-pro", `,"reasoning_effort":"low"`, `{"thinkingBudget":1024,"includeThoughts":true}`, true, ""},
			{"gemini-2.5-pro-maxthinking", `,"reasoning_effort":"low"`, `{"thinkingBudget":1024,"includeThoughts":true}`, true, "-maxthinking"},
			{"gemini-3-pro-preview", `,"reasoning_effort":"minimal"`, `{"thinkingLevel":"LOW","includeThoughts":true}`, true, ""},
			{"gemini-2.5-pro", `,"reasoning_effort":"none"`, `{"thinkingBudget":128,"includeThoughts":false}`, false, ""},
			{"gemini-2.5-pro-high", `,"extra_body":{"google":{"thinking_config":{"include_thoughts":false}}}`, `{"thinkingBudget":16000,"includeThoughts":false}`, false, ""},
			{"gemini-2.5-pro", `,"thinking":{"thinking_budget":99999}`, `{"thinkingBudget":32768,"includeThoughts":true}`, true, "thinking_budget=32768"},
		},
		"gemini": {
			{"gemini-2.5-flash", "", `{"includeThoughts":true}`, true, ""},
			{"gemini-2.5-flash-low", "", `{"thinkingBudget":1024,"includeThoughts":true}`, true, ""},
			{"gemini-2.5-flash-low", config(`"includeThoughts":false`), `{"thinkingBudget":1024,"includeThoughts":false}`, false, ""},
			{"gemini-2.5-flash-low", config(`"thinkingBudget":2000`), `{"thinkingBudget":2000,"includeThoughts":true}`, true, "-low"},
			{"gemini-2.5-flash", config(`"thinkingBudget":0,"includeThoughts":true`), `{"thinkingBudget":0}`, false, "includeThoughts"},
			{"gemini-2.5-pro", config(`"thinkingBudget":0`), `{"thinkingBudget":128}`, false, "thinkingBudget=128"},
			{"gemini-2.5-pro", config(`"thinkingBudget":50000`), `{"thinkingBudget":32768,"includeThoughts":true}`, true, "thinkingBudget=32768"},
			{"gemini-2.5-pro", config(`"thinkingBudget":-1`), `{"thinkingBudget":-1,"includeThoughts":true}`, true, ""},
			{"gemini-2.5-flash-lite", config(`"thinkingBudget":5`), `{"thinkingBudget":512,"includeThoughts":true}`, true, "thinkingBudget=512"},
			{"gemini-2.5-pro", config(`"thinkingLevel":"HIGH"`), `{"thinkingBudget":24576,"includeThoughts":true}`, true, "thinkingBudget=24576"},
			{"gemini-3.1-flash-lite", config(`"thinkingBudget":0`), `{"thinkingLevel":"MINIMAL"}`, false, "thinkingLevel=MINIMAL"},
			{"gemini-3.1-pro-preview", config(`"thinkingLevel":"minimal"`), `{"thinkingLevel":"LOW","includeThoughts":true}`, true, "thinkingLevel=LOW"},
			{"gemini-3-pro-preview", config(`"thinkingBudget":-1`), `{"includeThoughts":true}`, true, ""},
			{"gemini-2.5-pro", `,"generation_config":{"thinking_config":{"thinking_budget":300,"include_thoughts":true}}`, `{"thinkingBudget":300,"includeThoughts":true}`, true, ""},
		},
		"anthropic": {
			{"gemini-2.5-flash", "", "", false, ""},
			{"gemini-2.5-flash-maxthinking", "", `{"thinkingBudget":24576}`, false, ""},
			{"gemini-3-pro-preview-low", "", `{"thinkingLevel":"LOW"}`, false, ""},
			{"gemini-2.5-pro-low", `,"thinking":{"type":"enabled","budget_tokens":2000}`, `{"thinkingBudget":2000,"includeThoughts":true}`, true, "-low"},
			{"gemini-2.5-pro-low", `,"thinking":{"type":"adaptive"}`, `{"thinkingBudget":1024,"includeThoughts":true}`, true, ""},
			{"gemini-2.5-flash-high", `,"thinking":{"type":"disabled"}`, `{"thinkingBudget":0}`, false, "-high"},
		},
	}
}

// What Google receives of suffixes and fields, by whichever back end and in whichever language.
func TestThinkingReachesGoogle(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"codeassist", "geminiapi"} {
		sim := google(t, 0, 1)
		sim.AddAccount(simulator.Account{Email: "ann0@example.com"})
		l := launch{sim: sim, accounts: 1, light: true}
		if kind == "geminiapi" {
			l.accounts, l.keys = 0, 1
		}
		g := start(t, l)
		for _, in := range thinkers() {
			for _, c := range thinkingCases()[in.name] {
				t.Run(kind+"/"+in.name+"/"+c.model+c.fields, func(t *testing.T) {
					r := g.post(in.path(c.model, false), in.body(c.model, c.fields, false))
					if r.status != 200 {
						t.Fatalf("%d %s", r.status, r.body)
					}
					text, thoughts := in.read(t, r.body)
					var d struct {
						ThinkingConfig json.RawMessage
					}
					if err := json.Unmarshal([]byte(text), &d); err != nil {
						t.Fatalf("%v: %s", err, text)
					}
					if want := map[bool]string{true: "null", false: c.want}[c.want == ""]; !sameJSON(d.ThinkingConfig, []byte(want)) {
						t.Errorf("Google received %s, want %s", d.ThinkingConfig, want)
					}
					if (thoughts != "") != c.shown {
						t.Errorf("thoughts %q", thoughts)
					}
					if got := r.header.Get("X-Dropped-Params"); got != c.dropped {
						t.Errorf("dropped %q, want %q", got, c.dropped)
					}
				})
			}
			r := g.post(in.path("gemini-2.5-pro-maxthinking", true), in.body("gemini-2.5-pro-maxthinking", "", true))
			calls := sim.CallsOf("streamGenerateContent")
			if last := string(calls[len(calls)-1].Body); r.status != 200 || !strings.Contains(last, `"thinkingBudget":32768`) {
				t.Errorf("%s stream: %d %s", in.name, r.status, last)
			}
		}
	}
}

// return_thoughts = false shows thoughts to who asks for them and to nobody else.
func TestThoughtsAreKeptFromTheClient(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true, env: map[string]string{"RETURN_THOUGHTS_TO_FRONTEND": "false"}})
	for i, c := range []struct {
		model, fields string // of a chat completion, then of a Gemini request
		shown         bool
	}{
		{"gemini-2.5-pro", "", false},
		{"gemini-2.5-pro-maxthinking", "", false},
		{"gemini-2.5-pro", `,"reasoning_effort":"high"`, false},
		{"gemini-2.5-pro", `,"reasoning_effort":"high","thinking":{"include_thoughts":true}`, true},
		{"gemini-2.5-pro", "", false},
		{"gemini-2.5-pro-low", `,"generationConfig":{"thinkingConfig":{"includeThoughts":true}}`, true},
	} {
		in := thinkers()[i/4]
		r := g.post(in.path(c.model, false), in.body(c.model, c.fields, false))
		if _, thoughts := in.read(t, r.body); (thoughts != "") != c.shown {
			t.Errorf("%s %s%s: thoughts %q", in.name, c.model, c.fields, thoughts)
		}
	}
}

func TestThinkingThatIsRefused(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	g := start(t, launch{sim: sim, keys: 1, light: true})
	const at = "generationConfig.thinkingConfig.thinking"
	for _, c := range []struct{ language, model, fields, param, says string }{
		{"gemini", "gemini-3-pro-preview", `,"generationConfig":{"thinkingConfig":{"thinkingBudget":1000,"thinkingLevel":"LOW"}}`, at + "Budget", at + "Level"},
		{"gemini", "gemini-2.5-pro", `,"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOUD"}}`, at + "Level", "HIGH"},
		{"gemini", "gemini-2.0-flash-maxthinking", "", "model", "-maxthinking"},
		{"openai", "gemini-2.0-flash-low", "", "model", "-low"},
		{"openai", "gemini-2.5-pro-low-high", "", "model", "-high"},
		{"openai", "gemini-2.5-pro", `,"reasoning_effort":"low","thinking":{"thinking_budget":5}`, "reasoning_effort", "budget"},
		{"anthropic", "gemma-4-31b-it-nothinking", "", "model", "-nothinking"},
	} {
		for _, in := range thinkers() {
			if in.name != c.language {
				continue
			}
			for _, stream := range []bool{false, true} {
				r := g.post(in.path(c.model, stream), in.body(c.model, c.fields, stream))
				if r.status != 400 || !strings.Contains(string(r.body), c.param) || !strings.Contains(string(r.body), c.says) {
					t.Errorf("%s %s%s: %d %s", c.language, c.model, c.fields, r.status, r.body)
				}
			}
		}
	}
	if n := len(sim.CallsOf("generateContent", "streamGenerateContent")); n != 0 {
		t.Errorf("%d calls for what is refused", n)
	}
	r := g.post("/v1beta/models/gemini-2.0-flash:generateContent", `{"contents":[{"parts":[{"text":"!describe"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":5}}}`)
	if r.status != 200 || r.header.Get("X-Dropped-Params") != "thinkingConfig" {
		t.Errorf("%d %s, dropped %q", r.status, r.body, r.header.Get("X-Dropped-Params"))
	}
}

// The table of the configuration, while running.
func TestThinkingTable(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	config := "[models.thinking]\n\"gemini-2.5-pro\" = { default = 8192 }\n\"gemini-2.5-flash\" = { thinks = false }\n" +
		"\"gemini-3.1-flash-lite\" = { levels = [\"low\", \"high\"], default = \"low\" }\n"
	g := start(t, launch{sim: sim, accounts: 1, light: true, config: config})
	for model, want := range map[string]string{
		"gemini-2.5-pro": `"thinkingConfig":{"thinkingBudget":8192,"includeThoughts":true}`, "gemini-2.5-pro-low": `"thinkingBudget":1024`,
		"gemini-3.1-flash-lite": `"thinkingLevel":"LOW"`, "gemini-3.1-flash-lite-medium": `"thinkingLevel":"HIGH"`,
	} {
		path, body := ask{}.http(model, "hello")
		if r := g.post(path, body); r.status != 200 || !strings.Contains(string(lastCall(sim).Body), want) {
			t.Errorf("%s: %d, Google received %s", model, r.status, lastCall(sim).Body)
		}
	}
	path, body := ask{}.http(flash, "hello")
	if r := g.post(path, body); r.status != 200 || strings.Contains(string(lastCall(sim).Body), "thinkingConfig") {
		t.Errorf("Google received %s", lastCall(sim).Body)
	}
	g.reload("[models.thinking]\n\"gemini-2.5-pro\" = { default = 5 }\n", ".default: must be -1 or from 128 to 32768")
}

// Without the stage a suffix is refused, and the rest is as the translation has it.
func TestThinkingOff(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true, config: "[stage.thinking]\nenabled = false\n"})
	for _, a := range asks() {
		path, body := a.http("gemini-2.5-pro-maxthinking", "hello")
		r := g.post(path, body)
		if r.status != 400 || !strings.Contains(string(r.body), "model") {
			t.Errorf("%s: %d %s", a.name, r.status, r.body)
		}
		checkEnvelope(t, a, r, "feature_disabled")
	}
	if r := g.get("/v1/models"); strings.Contains(string(r.body), "thinking") {
		t.Errorf("suffixes are listed: %s", r.body)
	}
	in := thinkers()
	for i, want := range []string{`"thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}`, `"thinkingConfig":{ "thinkingBudget":7000 }`} {
		fields := []string{`,"reasoning_effort":"low"`, `,"generationConfig":{"thinkingConfig":{ "thinkingBudget":7000 }}`}[i]
		r := g.post(in[i].path("gemini-2.5-pro", false), in[i].body("gemini-2.5-pro", fields, false))
		if r.status != 200 || !strings.Contains(string(lastCall(sim).Body), want) {
			t.Errorf("%d, Google received %s", r.status, lastCall(sim).Body)
		}
	}
}
