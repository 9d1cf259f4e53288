package server_test

import (
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

const proFallsBack = "[models.fallback]\n\"gemini-2.5-pro\" = \"gemini-2.5-flash\"\n"

// language is a way to ask for one model, plain and streaming.
type language struct {
	name, path string
	stream     string // path of a stream, where that differs
	body       string // with MODEL, STREAM and PROMPT in it
	ends       string // what a whole stream has at its end
	names      bool   // its answers name the model
}

func languages() []language {
	return []language{
		{"chat", "/v1/chat/completions", "", `{"model":"MODEL","stream":STREAM,"messages":[{"role":"user","content":"PROMPT"}]}`, "data: [DONE]", true},
		{"gemini", "/v1beta/models/MODEL:generateContent", "/v1beta/models/MODEL:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"PROMPT"}]}]}`, `"finishReason":"STOP"`, false},
		{"messages", "/v1/messages", "", `{"model":"MODEL","max_tokens":1000,"stream":STREAM,"messages":[{"role":"user","content":"PROMPT"}]}`, "event: message_stop", true},
		{"responses", "/v1/responses", "", `{"model":"MODEL","stream":STREAM,"input":"PROMPT"}`, "event: response.completed", true},
	}
}

func (l language) ask(g *gateway, model, prompt string, stream bool) reply {
	g.t.Helper()
	path, on := l.path, "false"
	if stream {
		on = "true"
		if l.stream != "" {
			path = l.stream
		}
	}
	fill := strings.NewReplacer("MODEL", model, "STREAM", on, "PROMPT", prompt)
	return g.post(fill.Replace(path), fill.Replace(l.body))
}

// models lists the models of the generating calls so far.
func modelsCalled(sim *simulator.Server) (names []string) {
	for _, c := range sim.CallsOf("generateContent", "streamGenerateContent") {
		names = append(names, strings.TrimPrefix(c.Model, "gemini-2.5-"))
	}
	return names
}

// says waits until the log has a line with all of these words.
func (g *gateway) says(words ...string) {
	g.t.Helper()
	wait(g.t, "a line with "+strings.Join(words, " and "), func() bool {
		for line := range strings.Lines(g.stdout.String() + g.stderr.String()) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return true
			}
		}
		return false
	})
}

// each tries every language, plain and streaming.
func each(t *testing.T, f func(t *testing.T, l language, stream bool)) {
	for _, l := range languages() {
		for _, stream := range []bool{false, true} {
			name := l.name
			if stream {
				name += " stream"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f(t, l, stream)
			})
		}
	}
}

// A model that is not there, full or used up: the client of every language hears the other one, in a whole
// answer that names what it asked for, and a header says who spoke.
func TestFallback(t *testing.T) {
	for _, c := range []struct {
		fault, config string
		calls         string
	}{
		{"404", "", "pro pro flash"},
		{"503-capacity", "[stage.retry]\nmax_calls = 1\n", "pro flash"},
		{"429-perday", "", "pro pro flash"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			each(t, func(t *testing.T, l language, stream bool) {
				sim := google(t, 2, 0)
				g := start(t, launch{sim: sim, accounts: 2, light: true, config: proFallsBack + "[models.alias]\n\"old-name\" = \"gemini-2.5-pro\"\n" + c.config})
				sim.Script(simulator.Fault{Do: c.fault, Model: "gemini-2.5-pro", Count: -1})
				for i, name := range []string{"gemini-2.5-pro", "old-name"} {
					r := l.ask(g, name, "hello there", stream)
					if r.status != 200 || r.header.Get("X-Model-Fallback") != "gemini-2.5-flash" || !strings.Contains(string(r.body), "echo: hello there") && !stream {
						t.Fatalf("%d, fallback %q: %s", r.status, r.header.Get("X-Model-Fallback"), r.body)
					}
					if stream && !strings.Contains(string(r.body), l.ends) {
						t.Errorf("the stream is not whole: %s", r.body)
					}
					if l.names && (!strings.Contains(string(r.body), `"model":"`+name+`"`) || strings.Contains(string(r.body), "gemini-2.5-flash")) {
						t.Errorf("the answer does not name %q: %s", name, r.body)
					}
					if got := strings.Join(modelsCalled(sim), " "); i == 0 && got != c.calls {
						t.Errorf("calls %q, want %q", got, c.calls)
					}
				}
				// What rests is known: no further call finds out. A model that is only full is asked again.
				if got := modelsCalled(sim); c.config == "" && len(got) != 4 {
					t.Errorf("calls %q", got)
				}
				if r := l.ask(g, "gemini-2.5-flash", "hello", stream); r.status != 200 || r.header.Get("X-Model-Fallback") != "" {
					t.Errorf("the other model itself: %d, header %q", r.status, r.header.Get("X-Model-Fallback"))
				}
				g.says("the fallback is asked", "from=gemini-2.5-pro to=gemini-2.5-flash")
			})
		})
	}
}

// Both fail: the client hears of the model that it asked for, the log of both.
func TestFallbackFailsToo(t *testing.T) {
	each(t, func(t *testing.T, l language, stream bool) {
		sim := google(t, 1, 1)
		g := start(t, launch{sim: sim, keys: 1, light: true, config: proFallsBack + "[stage.retry]\nmax_calls = 1\n"})
		sim.Script(simulator.Fault{Do: "404", Model: "gemini-2.5-pro", Count: -1}, simulator.Fault{Do: "500", Model: "gemini-2.5-flash", Count: -1})
		r := l.ask(g, "gemini-2.5-pro", "hello", stream)
		if r.status != 404 || !strings.Contains(string(r.body), "gemini-2.5-pro") || r.header.Get("X-Model-Fallback") != "" {
			t.Errorf("%d, fallback %q: %s", r.status, r.header.Get("X-Model-Fallback"), r.body)
		}
		g.says("the fallback failed too", "Internal error encountered")
	})
}

// Other failures are those of the request, and an answer that has begun is not another model's to finish.
func TestNoFallback(t *testing.T) {
	for _, c := range []struct {
		fault  string
		stream bool
		status int
	}{{"400", false, 400}, {"400", true, 400}, {"403-tos", true, 503}, {"safety", false, 200}, {"safety", true, 200}, {"error-event 503", true, 200}, {"error-event 404", true, 200}, {"cut", true, 200}} {
		for _, l := range languages() {
			t.Run(c.fault+" "+l.name, func(t *testing.T) {
				t.Parallel()
				sim := google(t, 1, 0)
				g := start(t, launch{sim: sim, accounts: 1, light: true, config: proFallsBack})
				sim.Script(simulator.Fault{Do: c.fault, Model: "gemini-2.5-pro", Count: -1})
				r := l.ask(g, "gemini-2.5-pro", "hello there, this is long enough to be cut", c.stream)
				if r.status != c.status || r.header.Get("X-Model-Fallback") != "" || slices.Contains(modelsCalled(sim), "flash") {
					t.Errorf("%d, calls %q: %s", r.status, modelsCalled(sim), r.body)
				}
			})
		}
	}
}

// A stream that was begun without its first byte is still the other model's to answer; its headers are gone.
func TestFallbackBehindThePing(t *testing.T) {
	t.Parallel()
	for _, l := range languages() {
		sim := google(t, 1, 0)
		g := start(t, launch{sim: sim, accounts: 1, config: proFallsBack + "[stage.shape]\nfirst_byte_grace = \"100ms\"\n"})
		sim.Script(simulator.Fault{Do: "slow-first 400ms 404", Model: "gemini-2.5-pro", Count: -1})
		r := l.ask(g, "gemini-2.5-pro", "hello", true)
		if r.status != 200 || !strings.Contains(string(r.body), l.ends) || r.header.Get("X-Model-Fallback") != "" || !slices.Contains(modelsCalled(sim), "flash") {
			t.Errorf("%s: %d, calls %q: %s", l.name, r.status, modelsCalled(sim), r.body)
		}
	}
}

// The next step of an agent is another generation's: the signatures of the first one are not sent to it, and
// what it needs in their place is.
func TestFallbackInTheMiddleOfADialogue(t *testing.T) {
	t.Parallel()
	for name, a := range agents() {
		for from, to := range map[string]string{"gemini-3-flash-preview": "gemini-2.5-flash", "gemini-2.5-flash": "gemini-3-flash-preview"} {
			sim := google(t, 1, 0)
			g := start(t, launch{sim: sim, accounts: 1, light: true, config: "[models.fallback]\n\"" + from + "\" = \"" + to + "\"\n"})
			steps, text := a.run(t, g, from, `call get_weather {"city":"Oslo"} then call get_time {"city":"Oslo"}`, func(step int) {
				if step == 0 {
					sim.Script(simulator.Fault{Do: "404", Model: from, Count: -1})
				}
			})
			if len(steps) != 2 || !strings.Contains(text, "result of get_time") {
				t.Errorf("%s, from %s: %+v, text %q", name, from, steps, text)
			}
			for _, c := range sim.CallsOf("generateContent") {
				if c.Status == 400 {
					t.Errorf("%s, from %s: %s refused %s", name, from, c.Model, c.Body)
				}
			}
		}
	}
}
