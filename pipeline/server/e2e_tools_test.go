package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// agent is a client of one language that carries nothing but what the language has: ids, names,
// arguments. Each turn it sends its history and reads what the model calls or says.
type agent struct {
	path    string
	head    func(model string) map[string]any
	history func(items []any) map[string]any
	user    func(text string) any
	read    func(t *testing.T, r reply) (items []any, calls []agentCall, text string)
	result  func(c agentCall, out string) any
	joined  bool // results stand in one item
}

type agentCall struct{ id, name, args string }

func object(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

var cities = object("type", "object", "properties", object("city", object("type", "string")), "required", []string{"city"})

func agents() map[string]agent {
	return map[string]agent{"chat": chatAgent(), "responses": responsesAgent(), "messages": messagesAgent()}
}

func chatAgent() agent {
	tool := func(name string) any {
		return object("type", "function", "function", object("name", name, "parameters", cities))
	}
	return agent{
		path: "/v1/chat/completions",
		head: func(model string) map[string]any {
			return object("model", model, "tools", []any{tool("get_weather"), tool("get_time")})
		},
		history: func(items []any) map[string]any { return object("messages", items) },
		user:    func(text string) any { return object("role", "user", "content", text) },
		read: func(t *testing.T, r reply) (items []any, calls []agentCall, text string) {
			var got struct {
				Choices []struct {
					Message struct {
						Content   string
						ToolCalls []struct {
							ID       string
							Function struct{ Name, Arguments string }
						} `json:"tool_calls"`
					}
					FinishReason string `json:"finish_reason"`
				}
			}
			mustRead(t, r, &got)
			m := got.Choices[0].Message
			var plain []any
			for _, c := range m.ToolCalls {
				calls = append(calls, agentCall{c.ID, c.Function.Name, c.Function.Arguments})
				plain = append(plain, object("id", c.ID, "type", "function", "function", object("name", c.Function.Name, "arguments", c.Function.Arguments)))
			}
			if len(calls) > 0 != (got.Choices[0].FinishReason == "tool_calls") {
				t.Errorf("finish reason %s with %d calls", got.Choices[0].FinishReason, len(calls))
			}
			return []any{object("role", "assistant", "content", nil, "tool_calls", plain)}, calls, m.Content
		},
		result: func(c agentCall, out string) any {
			return object("role", "tool", "tool_call_id", c.id, "content", out)
		},
	}
}

func responsesAgent() agent {
	tool := func(name string) any {
		return object("type", "function", "name", name, "parameters", cities, "strict", true)
	}
	return agent{
		path: "/v1/responses",
		head: func(model string) map[string]any {
			return object("model", model, "tools", []any{tool("get_weather"), tool("get_time")})
		},
		history: func(items []any) map[string]any { return object("input", items) },
		user:    func(text string) any { return object("role", "user", "content", text) },
		read: func(t *testing.T, r reply) (items []any, calls []agentCall, text string) {
			var got struct {
				Output []struct {
					Type, Name, Arguments string
					CallID                string `json:"call_id"`
					Content               []struct{ Text string }
				}
			}
			mustRead(t, r, &got)
			for _, o := range got.Output {
				switch o.Type {
				case "function_call":
					calls = append(calls, agentCall{o.CallID, o.Name, o.Arguments})
					items = append(items, object("type", "function_call", "call_id", o.CallID, "name", o.Name, "arguments", o.Arguments))
				case "message":
					text += o.Content[0].Text
				}
			}
			return items, calls, text
		},
		result: func(c agentCall, out string) any {
			return object("type", "function_call_output", "call_id", c.id, "output", out)
		},
	}
}

func messagesAgent() agent {
	tool := func(name string) any { return object("name", name, "input_schema", cities) }
	return agent{
		path: "/v1/messages",
		head: func(model string) map[string]any {
			return object("model", model, "max_tokens", 4096, "tools", []any{tool("get_weather"), tool("get_time")})
		},
		history: func(items []any) map[string]any { return object("messages", items) },
		user:    func(text string) any { return object("role", "user", "content", text) },
		read: func(t *testing.T, r reply) (items []any, calls []agentCall, text string) {
			var got struct {
				Content []struct {
					Type, Text, ID, Name string
					Input                json.RawMessage
				}
				StopReason string `json:"stop_reason"`
			}
			mustRead(t, r, &got)
			var plain []any
			for _, b := range got.Content {
				switch b.Type {
				case "tool_use":
					calls = append(calls, agentCall{b.ID, b.Name, string(b.Input)})
					plain = append(plain, object("type", "tool_use", "id", b.ID, "name", b.Name, "input", b.Input))
				case "text":
					text += b.Text
				}
			}
			if len(calls) > 0 != (got.StopReason == "tool_use") {
				t.Errorf("stop reason %s with %d calls", got.StopReason, len(calls))
			}
			return []any{object("role", "assistant", "content", plain)}, calls, text
		},
		result: func(c agentCall, out string) any {
			return object("type", "tool_result", "tool_use_id", c.id, "content", out)
		},
		joined: true,
	}
}

func mustRead(t *testing.T, r reply, into any) {
	t.Helper()
	if r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
}

// run plays the dialogue to its end: the calls of each step, and the last text.
func (a agent) run(t *testing.T, g *gateway, model, prompt string, between func(step int)) (steps [][]agentCall, text string) {
	items := []any{a.user(prompt)}
	for step := range 6 {
		body := a.head(model)
		for k, v := range a.history(items) {
			body[k] = v
		}
		said, calls, text := a.read(t, g.post(a.path, mustJSON(t, body)))
		if len(calls) == 0 {
			return steps, text
		}
		steps = append(steps, calls)
		items = append(items, said...)
		var results []any
		for _, c := range calls {
			results = append(results, a.result(c, fmt.Sprintf(`{"for":%q}`, c.args)))
		}
		if a.joined {
			results = []any{object("role", "user", "content", results)}
		}
		items = append(items, results...)
		if between != nil {
			between(step)
		}
	}
	t.Fatal("the dialogue does not end")
	return nil, ""
}

// A step with two calls, then one with one, then words: the first call of each step must come back
// with its thought signature, which none of these languages carries.
func TestAgents(t *testing.T) {
	t.Parallel()
	const prompt = `call get_weather {"city":"Oslo"} call get_weather {"city":"Rome"} then call get_time {"city":"Oslo"}`
	for name, a := range agents() {
		for kind, l := range map[string]launch{"accounts": {accounts: 1}, "keys": {keys: 1}, "both in turn": {accounts: 1, keys: 1, config: "[pool]\ncalls_per_rotation = 1\n"}} {
			for _, model := range []string{"gemini-2.5-flash", "gemini-3-flash-preview"} {
				t.Run(name+" "+kind+" "+model, func(t *testing.T) {
					t.Parallel()
					l := l
					l.sim = google(t, l.accounts, l.keys)
					g := start(t, l)
					steps, text := a.run(t, g, model, prompt, nil)
					if len(steps) != 2 || len(steps[0]) != 2 || len(steps[1]) != 1 || steps[0][0].id == steps[0][1].id {
						t.Fatalf("steps %+v, text %q", steps, text)
					}
					if c := steps[0][1]; c.name != "get_weather" || !strings.Contains(c.args, "Rome") {
						t.Errorf("second call %+v", c)
					}
					if !strings.Contains(text, "result of get_time") || !strings.Contains(text, "Oslo") {
						t.Errorf("text %q", text)
					}
					if model != "gemini-3-flash-preview" {
						return
					}
					last := lastCall(l.sim)
					if kind == "both in turn" { // the signature of the other kind gives way before Google can refuse it
						backends := map[simulator.Backend]bool{}
						for _, c := range l.sim.CallsOf("generateContent") {
							if backends[c.Backend] = true; c.Status != 200 {
								t.Errorf("%s refused: %s", c.Backend, c.Body)
							}
						}
						if len(backends) != 2 || !strings.Contains(string(last.Body), simulator.Sentinel) || strings.Count(string(last.Body), "thoughtSignature") != 2 {
							t.Errorf("served by %v, at last %s", backends, last.Body)
						}
						return
					}
					if strings.Contains(string(last.Body), simulator.Sentinel) || strings.Count(string(last.Body), "thoughtSignature") != 2 {
						t.Errorf("the signatures did not come back: %s", last.Body)
					}
				})
			}
		}
	}
}

func lastCall(sim *simulator.Server) simulator.Call {
	calls := sim.CallsOf("generateContent")
	return calls[len(calls)-1]
}

// A gateway that was killed knows the signatures all the same, and nobody else is told of them.
func TestSignaturesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	a := chatAgent()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, dirty: true})
	items := []any{a.user("call get_weather {}")}
	turn := func(g *gateway, items []any) reply {
		body := a.head("gemini-3-flash-preview")
		body["messages"] = items
		return g.post(a.path, mustJSON(t, body))
	}
	said, calls, _ := a.read(t, turn(g, items))
	items = append(append(items, said...), a.result(calls[0], "warm"))
	_ = g.cmd.Process.Kill()
	<-g.ended
	g = start(t, launch{sim: sim, accounts: 1, dir: g.dir})
	if r := turn(g, items); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	last := lastCall(sim)
	if body := string(last.Body); !strings.Contains(body, "thoughtSignature") || strings.Contains(body, simulator.Sentinel) {
		t.Errorf("the signature is lost: %s", body)
	}
	// The same history with an id that nobody knows: the sentinel.
	mine, other := mustJSON(t, items), strings.ReplaceAll(mustJSON(t, items), calls[0].id, "call_of_somebody")
	if mine == other {
		t.Fatal("the id is not in the history")
	}
	var strange []any
	_ = json.Unmarshal([]byte(other), &strange)
	if r := turn(g, strange); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	last = lastCall(sim)
	if !strings.Contains(string(last.Body), simulator.Sentinel) {
		t.Errorf("no sentinel: %s", last.Body)
	}
}

// A Gemini client whose signature is of another model, or missing, is served with the sentinel, after
// Google has refused what it sent.
func TestNativeSignatureIsMended(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1})
	for name, sign := range map[string]string{
		"missing":               ``,
		"of another family":     `,"thoughtSignature":` + quoted(sim.Signature("gemini-2.5-flash", "f")),
		"corrupted":             `,"thoughtSignature":"AAAA"`,
		"snake_case, corrupted": `,"thought_signature":"AAAA"`,
	} {
		body := `{"tools":[{"functionDeclarations":[{"name":"f"}]}],"contents":[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}` + sign +
			`}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"ok":true}}}]}]}`
		before := len(sim.CallsOf("generateContent", "streamGenerateContent"))
		for _, path := range []string{":generateContent", ":streamGenerateContent?alt=sse"} {
			r := g.post("/v1beta/models/gemini-3-flash-preview"+path, body)
			if r.status != http.StatusOK || !strings.Contains(string(r.body), "result of f") {
				t.Errorf("%s %s: %d %s", name, path, r.status, r.body)
			}
		}
		if n := len(sim.CallsOf("generateContent", "streamGenerateContent")) - before; n != 4 {
			t.Errorf("%s: %d calls, want two for each request", name, n)
		}
	}
}

// Penalties that a model does not take are left out and named; a client of Gemini hears Google.
func TestPenalties(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1})
	for _, stream := range []string{"false", "true"} {
		r := g.post("/v1/chat/completions", `{"model":"`+flash+`","stream":`+stream+`,"temperature":0.5,"presence_penalty":0.5,"frequency_penalty":1,"messages":[{"role":"user","content":"hi"}]}`)
		dropped := strings.Split(r.header.Get("X-Dropped-Params"), ", ")
		slices.Sort(dropped)
		if r.status != 200 || !slices.Equal(dropped, []string{"frequency_penalty", "presence_penalty"}) {
			t.Errorf("%d %q %s", r.status, dropped, r.body)
		}
	}
	calls := sim.CallsOf("generateContent", "streamGenerateContent")
	if last := string(calls[len(calls)-1].Body); strings.Contains(last, "enalty") || !strings.Contains(last, `"temperature":0.5`) {
		t.Errorf("sent %s", last)
	}
	if r := g.post("/v1beta/models/"+flash+":generateContent", `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"presencePenalty":0.5}}`); r.status != 400 {
		t.Errorf("%d %s", r.status, r.body)
	}
}
