package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

const (
	robot      = "robot@proj-r.iam.gserviceaccount.com"
	expressKey = "AQ.express-key-of-the-tests-000000000001"
)

// vertexLaunches are the forms in which Vertex AI comes, each with a simulator of its own.
func vertexLaunches() map[string]func(t *testing.T) launch {
	with := func(sim *simulator.Server, file string, data []byte) launch {
		return launch{sim: sim, files: map[string]string{file: string(data)}}
	}
	return map[string]func(t *testing.T) launch{
		"service account": func(t *testing.T) launch {
			sim := google(t, 0, 0)
			return with(sim, "robot.json", sim.AddServiceAccount(robot, "proj-r"))
		},
		"express key": func(t *testing.T) launch {
			sim := google(t, 0, 0)
			sim.AddKey(expressKey, simulator.KeyOnly(simulator.Vertex))
			return with(sim, "express.json", sim.ExpressKeyFile(expressKey))
		},
		"express key of the environment": func(t *testing.T) launch {
			sim := google(t, 0, 0)
			sim.AddKey(expressKey, simulator.KeyOnly(simulator.Vertex))
			return launch{sim: sim, env: map[string]string{"VERTEX_API_KEY": expressKey}}
		},
	}
}

// TestVertex lets each language speak through each form, whole and streaming.
func TestVertex(t *testing.T) {
	t.Parallel()
	for form, make := range vertexLaunches() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			l := make(t)
			g := start(t, l)
			for _, a := range asks() {
				r := g.put(a, "hello vertex")
				if got := understand(t, a, r); r.status != 200 || !got.whole || got.text != "echo: hello vertex" {
					t.Errorf("%s: %d %+v %s", a.name, r.status, got, r.body)
				}
			}
			for _, stream := range []string{"false", "true"} {
				r := g.post("/v1/messages", `{"model":"gemini-2.5-pro","max_tokens":9000,"stream":`+stream+`,"system":"be brief","messages":[{"role":"user","content":"to anthropic"}]}`)
				if r.status != 200 || !strings.Contains(string(r.body), "end_turn") || !strings.Contains(string(r.body), "echo") {
					t.Errorf("messages, stream %s: %d %s", stream, r.status, r.body)
				}
			}
			r := g.post("/v1beta/models/gemini-2.5-flash:countTokens", `{"generateContentRequest":{"model":"models/gemini-2.5-flash","contents":[{"parts":[{"text":"eight by"}]}],"systemInstruction":{"parts":[{"text":"four"}]}}}`)
			if r.status != 200 || !strings.Contains(string(r.body), `"totalTokens":3`) || r.header.Get("X-Token-Count") != "" {
				t.Errorf("count: %d %s %s", r.status, r.body, r.header.Get("X-Token-Count"))
			}
			r = g.post("/v1beta/models/gemini-2.5-flash:generateContent", `{"store":true,"labels":{"team":"x"},"contents":[{"parts":[{"text":"no role"}]}]}`)
			if r.status != 200 || r.header.Get("X-Dropped-Params") != "store" || !strings.Contains(string(lastCall(l.sim).Body), `"labels"`) {
				t.Errorf("Vertex's own and others' members: %d %s, told %q, sent %s", r.status, r.body, r.header.Get("X-Dropped-Params"), lastCall(l.sim).Body)
			}
			if r := g.post("/v1/images/generations", `{"model":"gemini-2.5-flash-image","prompt":"a fox"}`); r.status != 200 || !strings.Contains(string(r.body), `"b64_json":"`) {
				t.Errorf("pictures: %d %.300s", r.status, r.body)
			}
			if r := g.post("/v1/embeddings", `{"model":"gemini-embedding-001","input":"a"}`); r.status != 501 || !strings.Contains(string(r.body), "API key of Google AI Studio") {
				t.Errorf("embeddings: %d %s", r.status, r.body)
			}
			want := "/v1/publishers/google/models/"
			if form == "service account" {
				want = "/v1/projects/proj-r/locations/global/publishers/google/models/"
			}
			for _, c := range l.sim.CallsOf("generateContent", "streamGenerateContent", "countTokens") {
				if c.Backend != simulator.Vertex || !strings.HasPrefix(c.Path, want) || c.Status != 200 {
					t.Errorf("%d for %s: %s", c.Status, c.Path, c.Body)
				}
			}
			tokens, other := len(l.sim.CallsOf("token")), len(l.sim.CallsOf("loadCodeAssist", "userinfo", "projects"))
			if tokens != map[bool]int{true: 1}[form == "service account"] || other != 0 {
				t.Errorf("%d tokens asked for, %d other questions", tokens, other)
			}
			g.keepsSecrets(l)
		})
	}
}

// keepsSecrets looks for what is secret in all that the gateway says of its credentials.
func (g *gateway) keepsSecrets(l launch) {
	g.t.Helper()
	status := string(g.get("/creds/status").body)
	all := status + g.stdout.String() + g.stderr.String() + g.read("gateway.log")
	for _, secret := range []string{expressKey, "BEGIN PRIVATE KEY", "assertion"} {
		if strings.Contains(all, secret) {
			g.t.Errorf("%q is told", secret)
		}
	}
	var file struct {
		Key string `json:"private_key"`
	}
	if json.Unmarshal([]byte(l.files["robot.json"]), &file) == nil && file.Key != "" && strings.Contains(all, strings.Split(file.Key, "\n")[3]) {
		g.t.Error("a piece of the private key is told")
	}
	if !strings.Contains(status, `"vertex"`) {
		g.t.Errorf("the status does not say what kind it is: %s", status)
	}
}

// TestVertexAgents runs dialogues of many steps: signatures come back, ids never reach Vertex, and a
// conversation may change the kind of credential at each step.
func TestVertexAgents(t *testing.T) {
	t.Parallel()
	const prompt = `call get_weather {"city":"Oslo"} call get_weather {"city":"Rome"} then call get_time {"city":"Oslo"}`
	forms := vertexLaunches()
	delete(forms, "express key of the environment")
	forms["all kinds in turn"] = func(t *testing.T) launch {
		sim := google(t, 1, 1)
		return launch{sim: sim, accounts: 1, keys: 1, config: "[pool]\ncalls_per_rotation = 1\n",
			files: map[string]string{"robot.json": string(sim.AddServiceAccount(robot, "proj-r"))}}
	}
	for form, make := range forms {
		for name, a := range agents() {
			t.Run(form+" "+name, func(t *testing.T) {
				t.Parallel()
				l := make(t)
				g := start(t, l)
				steps, text := a.run(t, g, "gemini-3-flash-preview", prompt, nil)
				if len(steps) != 2 || len(steps[0]) != 2 || len(steps[1]) != 1 || !strings.Contains(text, "result of get_time") {
					t.Fatalf("steps %+v, text %q", steps, text)
				}
				var backends []simulator.Backend
				for _, c := range l.sim.CallsOf("generateContent") {
					if backends = append(backends, c.Backend); c.Status != 200 {
						t.Errorf("%s refused: %s", c.Backend, c.Body)
					}
				}
				slices.Sort(backends)
				if n := len(slices.Compact(backends)); n != map[bool]int{true: 3, false: 1}[form == "all kinds in turn"] {
					t.Errorf("served by %v", backends)
				}
				if last := string(lastCall(l.sim).Body); form != "all kinds in turn" && (strings.Contains(last, simulator.Sentinel) || strings.Count(last, "thoughtSignature") != 2) {
					t.Errorf("the signatures did not come back: %s", last)
				}
			})
		}
	}
}

// TestVertexErrors is about what Google says to a service account and to a key in express mode.
func TestVertexErrors(t *testing.T) {
	t.Parallel()
	forms := vertexLaunches()
	for _, tt := range []struct {
		name, form string
		before     func(sim *simulator.Server) // behind the first good answer
		status     int
		calls      int // for the second request
		tokens     int // asked for, in all
		reason     string
	}{
		{"an expired token is renewed once", "service account", func(s *simulator.Server) { s.ExpireTokens(robot) }, 200, 2, 2, ""},
		{"refused for ever", "service account", func(s *simulator.Server) {
			s.Script(simulator.Fault{Do: "401", Count: -1})
		}, 503, 2, 2, "tokens"},
		{"shared capacity is waited for", "service account", func(s *simulator.Server) { s.Script(simulator.Fault{Do: "429"}) }, 200, 2, 1, ""},
		{"shared capacity of a key", "express key", func(s *simulator.Server) { s.Script(simulator.Fault{Do: "429"}) }, 200, 2, 0, ""},
		{"no right to the project", "service account", func(s *simulator.Server) {
			s.UpdateAccount(robot, func(a *simulator.Account) { a.Project = "another" })
		}, 503, 1, 1, "aiplatform.endpoints.predict"},
		{"the API is off and may not be enabled", "service account", func(s *simulator.Server) {
			s.UpdateAccount(robot, func(a *simulator.Account) { a.APIDisabled, a.CannotEnable = true, true })
		}, 503, 1, 1, "Vertex AI API"},
		{"a dead key", "express key", func(s *simulator.Server) { s.Script(simulator.Fault{Do: "400-key"}) }, 503, 1, 0, "does not know this API key"},
		{"the key was deleted", "service account", func(s *simulator.Server) {
			s.RenewServiceKey(robot)
			s.ExpireTokens(robot)
		}, 503, 1, 2, "Invalid JWT Signature"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := forms[tt.form](t)
			l.light = true
			g := start(t, l)
			if r := g.put(ask{}, "hello"); r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
			before := len(l.sim.CallsOf("generateContent"))
			tt.before(l.sim)
			r := g.put(ask{}, "again")
			if got := len(l.sim.CallsOf("generateContent")) - before; r.status != tt.status || got != tt.calls {
				t.Errorf("%d after %d calls, want %d after %d: %s", r.status, got, tt.status, tt.calls, r.body)
			}
			if got := len(l.sim.CallsOf("token")); got != tt.tokens {
				t.Errorf("%d tokens were asked for, want %d", got, tt.tokens)
			}
			wait(t, "the status says "+tt.reason, func() bool { return strings.Contains(string(g.get("/creds/status").body), tt.reason) })
			if strings.Contains(string(r.body), "proj-r") {
				t.Errorf("answer %s", r.body)
			}
		})
	}
}

// TestVertexServiceIsEnabled: the API that is off is switched on, and then the credential serves again.
func TestVertexServiceIsEnabled(t *testing.T) {
	t.Parallel()
	l := vertexLaunches()["service account"](t)
	l.sim.UpdateAccount(robot, func(a *simulator.Account) { a.APIDisabled = true })
	g := start(t, l)
	g.put(ask{}, "hello")
	wait(t, "the API is enabled", func() bool { c := l.sim.CallsOf("enable"); return len(c) > 0 && c[0].Done })
	calls := l.sim.CallsOf("enable")
	if len(calls) != 1 || !strings.Contains(calls[0].Path, "aiplatform.googleapis.com") || calls[0].Status != 200 {
		t.Errorf("%+v", calls)
	}
}

// TestVertexLocation: models are asked for where the setting says, previews of Gemini 3 in global.
func TestVertexLocation(t *testing.T) {
	t.Parallel()
	l := vertexLaunches()["service account"](t)
	l.env = map[string]string{"GOOGLE_CLOUD_LOCATION": "europe-west4"}
	g := start(t, l)
	for _, c := range [][2]string{{"gemini-2.5-pro", "europe-west4"}, {"gemini-3-flash-preview", "global"}, {"gemini-2.5-flash-preview-09-2025", "europe-west4"}} {
		_, body := (ask{}).http(c[0], "hello")
		if r := g.post("/v1/chat/completions", body); r.status != 200 || !strings.Contains(lastCall(l.sim).Path, "/locations/"+c[1]+"/") {
			t.Errorf("%s: %d %s %s", c[0], r.status, lastCall(l.sim).Path, r.body)
		}
	}
}

// TestModelGoesToItsKind: with all three kinds in one pool each request goes to those that serve it.
func TestModelGoesToItsKind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path, body string
		has              string // kinds in the pool
		status           int
		kinds            []simulator.Backend
		says             string
	}{
		{"text", "/v1/chat/completions", `{"model":"gemini-2.5-pro","messages":[{"role":"user","content":"hi"}]}`, "agv", 200, []simulator.Backend{simulator.AIStudio, simulator.CodeAssist, simulator.Vertex}, ""},
		{"pictures", "/v1/images/generations", `{"model":"gemini-2.5-flash-image","prompt":"a fox"}`, "agv", 200, []simulator.Backend{simulator.AIStudio, simulator.Vertex}, ""},
		{"pictures of Vertex alone", "/v1/images/generations", `{"model":"gemini-2.5-flash-image","prompt":"a fox"}`, "av", 200, []simulator.Backend{simulator.Vertex}, ""},
		{"no pictures", "/v1/images/generations", `{"model":"gemini-2.5-flash-image","prompt":"a fox"}`, "a", 501, nil, "VERTEX_API_KEY"},
		{"embeddings", "/v1/embeddings", `{"model":"gemini-embedding-001","input":"a"}`, "agv", 200, []simulator.Backend{simulator.AIStudio}, ""},
		{"no embeddings", "/v1/embeddings", `{"model":"gemini-embedding-001","input":"a"}`, "av", 501, nil, "AI Studio"},
		{"search beside functions", "/v1/chat/completions", `{"model":"gemini-3-flash-preview-search","tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"hi"}]}`, "agv", 200, []simulator.Backend{simulator.AIStudio}, ""},
		{"a cache of Vertex", "/v1beta/models/gemini-2.5-pro:generateContent", `{"cachedContent":"projects/proj-r/locations/global/cachedContents/1","contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "agv", 200, []simulator.Backend{simulator.Vertex}, ""},
		{"a cache of AI Studio", "/v1beta/models/gemini-2.5-pro:generateContent", `{"cachedContent":"cachedContents/1","contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "agv", 200, []simulator.Backend{simulator.AIStudio}, ""},
		{"no cache of Vertex", "/v1beta/models/gemini-2.5-pro:generateContent", `{"cachedContent":"projects/proj-r/locations/global/cachedContents/1","contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "ag", 503, nil, "Vertex AI"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim := google(t, 1, 1)
			l := launch{sim: sim, light: true, files: map[string]string{}, config: "[pool]\ncalls_per_rotation = 1\n"}
			l.accounts, l.keys = strings.Count(tt.has, "a"), strings.Count(tt.has, "g")
			if strings.Contains(tt.has, "v") {
				l.files["robot.json"] = string(sim.AddServiceAccount(robot, "proj-r"))
			}
			g := start(t, l)
			for range 6 {
				if r := g.post(tt.path, tt.body); r.status != tt.status || !strings.Contains(string(r.body), tt.says) {
					t.Errorf("%d %.300s", r.status, r.body)
				}
			}
			var seen []simulator.Backend
			for _, c := range sim.CallsOf("generateContent", "batchEmbedContents", "embedContent") {
				seen = append(seen, c.Backend)
			}
			slices.Sort(seen)
			if seen = slices.Compact(seen); fmt.Sprint(seen) != fmt.Sprint(tt.kinds) {
				t.Errorf("served by %v, want %v", seen, tt.kinds)
			}
		})
	}
}
