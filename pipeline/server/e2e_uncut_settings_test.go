package server_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// A mark of one's own is looked for byte by byte as the built-in one is, which means nothing then.
func TestUncutOwnMark(t *testing.T) {
	t.Parallel()
	for name, mark := range map[string]string{"repetitive": "aaaaaaaaaaaaaaaa", "with spaces": "T H E   E N D", "like Markdown": "----", "long": strings.Repeat("0123456789abcdef", 4)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := google(t, 2, 0)
			b := &storyBench{sim: sim, g: start(t, launch{sim: sim, accounts: 2, light: true, config: "[stage.antitrunc]\nmark = " + quoted(mark) + "\n"})}
			text := "First " + mark + " then\n" + mark + " \n" + mark[:3] + "b\n" + endMark + "\nand a" + strings.Repeat("a", 20)
			for _, h := range hearers() {
				for at := range len("\n"+mark) + 1 {
					s := simulator.Story{Text: text, Mark: mark, Pieces: []int{3}, Endings: []simulator.Ending{{How: "eof", At: len(text) + at}}}
					got, told, _ := b.tell(t, h, s)
					sameText(t, got.text, text)
					if t.Failed() {
						t.Fatalf("%s: broken off at byte %d of the mark: %q", h.name, at, endings(told))
					}
				}
			}
		})
	}
}

// The first call counts as an attempt.
func TestUncutAttempts(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[int]string{1: tellText[:110], 2: tellText[:220], 4: tellText[:440], 5: tellText} {
		t.Run(fmt.Sprint(attempts), func(t *testing.T) {
			t.Parallel()
			sim := google(t, 2, 0)
			b := &storyBench{sim: sim, g: start(t, launch{sim: sim, accounts: 2, light: true, config: fmt.Sprintf("[stage.antitrunc]\nmax_attempts = %d\n", attempts)})}
			var ends []simulator.Ending
			for i := range 4 {
				ends = append(ends, simulator.Ending{How: "max-tokens", At: 110 * (i + 1)})
			}
			for _, h := range hearers() {
				s := simulator.Story{Text: tellText, Mark: endMark, Endings: ends}
				got, told, _ := b.tell(t, h, s)
				sameText(t, got.text, want)
				got.must(t, h, map[bool]string{true: "STOP", false: "MAX_TOKENS"}[attempts == 5])
				costs(t, h, s, got.usage, told)
				if len(told) != attempts {
					t.Errorf("%q", endings(told))
				}
			}
		})
	}
}

// What the client tells the model stays as it is, before what the gateway adds; a prompt that has the
// mark in it is no reason to look for it elsewhere.
func TestUncutKeepsTheRequest(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true})
	sim.Tell("kept", simulator.Story{Text: tellText, Mark: endMark, Endings: []simulator.Ending{{How: "eof", At: 310}}})
	h := hearers()[1]
	got, _ := h.ask(t, g, uncut, "What does "+endMark+" mean?\n"+endMark+"\n!story kept", func(body map[string]any) {
		body["systemInstruction"] = object("parts", []any{object("text", "Be kind.")})
		body["contents"] = append([]any{object("role", "user", "parts", []any{object("text", "Hi")}),
			object("role", "model", "parts", []any{object("text", "Hello\n"+endMark)})}, body["contents"].([]any)...)
		body["generationConfig"] = object("temperature", 0.5, "stopSequences", []any{"no such words"})
	})
	sameText(t, got.text, tellText)
	got.must(t, h, "STOP")
	calls := sim.CallsOf("streamGenerateContent")
	if len(calls) != 2 {
		t.Fatalf("%d calls", len(calls))
	}
	first := askedOf(t, calls[0])
	askedOf(t, calls[1]).holds(t, first, tellText[:310], true)
	if s := string(first.SystemInstruction); !strings.Contains(s, "Be kind.") || strings.Index(s, endMark) < strings.Index(s, "Be kind.") {
		t.Errorf("instructions: %s", s)
	}
	if s := string(first.GenerationConfig); !strings.Contains(s, "no such words") || !strings.Contains(s, "0.5") {
		t.Errorf("settings: %s", s)
	}
	if len(first.Contents) != 3 || first.Contents[1].Parts[0].Text != "Hello\n"+endMark {
		t.Errorf("contents: %+v", first.Contents)
	}
}

// Fake streaming around it fetches the answer as a whole, and it is one.
func TestUncutFakeStream(t *testing.T) {
	t.Parallel()
	for kind, b := range storyTellers(t, "") {
		for _, h := range hearers() {
			t.Run(kind+"/"+h.name, func(t *testing.T) {
				t.Parallel()
				name := "faked for " + h.name
				s := simulator.Story{Text: tellText, Mark: endMark, Endings: []simulator.Ending{{How: "max-tokens", At: 310}, {How: "cut", At: 500}}}
				b.sim.Tell(name, s)
				got, r := h.ask(t, b.g, uncut+"-fake-stream", "!story "+name, thinking(h, true))
				sameText(t, got.text, tellText)
				got.must(t, h, "STOP")
				told := b.sim.Told(name)
				costs(t, h, s, got.usage, told)
				if d := r.header.Get("X-Dropped-Params"); len(told) != 3 || d != "" {
					t.Errorf("%q, dropped %q", endings(told), d)
				}
			})
		}
	}
}

// The demo's story breaks off for everybody, and for nobody who asks for it with the feature.
func TestUncutDemo(t *testing.T) {
	t.Parallel()
	port := strconv.Itoa(freePort(t))
	g := start(t, launch{args: []string{"demo", "-port", port}, dirty: true, light: true})
	g.url, g.pass = "http://127.0.0.1:"+port, "pwd"
	for _, h := range append(hearers(), hearers()[0]) {
		if got, _ := h.ask(t, g, "gemini-2.5-flash", "!story fox"); got.fail == "" || strings.Contains(got.text, "At last") {
			t.Errorf("%s, without the feature: %+v", h.name, got)
		}
		got, _ := h.ask(t, g, uncut, "!story fox")
		got.must(t, h, "STOP")
		if strings.Count(got.text, "\n40. ") != 1 || strings.Count(got.text, "\n21. ") != 1 || !strings.HasSuffix(got.text, "the cheese falls.") {
			t.Errorf("%s: %s", h.name, got.text)
		}
	}
}

// A model that falls back, and an answer that is gone on with: a continuation that fails is an attempt and no more,
// however the client hears the answer, and the gateway goes back for nothing behind the first words.
func TestUncutBesideAFallback(t *testing.T) {
	t.Parallel()
	const rest = `,"messages":[{"role":"user","content":"!story S"}]}`
	for name, body := range map[string]string{
		"plain":  `{"model":"gemini-2.5-pro-anti-truncation"` + rest,
		"faked":  `{"model":"gemini-2.5-pro-anti-truncation-fake-stream","stream":true` + rest,
		"stream": `{"model":"gemini-2.5-pro-anti-truncation","stream":true` + rest,
	} {
		for script, c := range map[string]struct {
			faults  []simulator.Fault
			endings []simulator.Ending
			calls   string
		}{
			"the fallback fails in between": {[]simulator.Fault{{Do: "404", Model: "gemini-2.5-pro", Count: -1}},
				[]simulator.Ending{{How: "max-tokens", At: 300}, {How: "500"}}, "pro flash flash flash"},
			"the model fails behind its first words": {[]simulator.Fault{{Do: "503-capacity", Model: "gemini-2.5-pro", Skip: 1, Count: 1}},
				[]simulator.Ending{{How: "max-tokens", At: 300}}, "pro pro pro"},
		} {
			t.Run(name+"/"+script, func(t *testing.T) {
				t.Parallel()
				sim := google(t, 1, 0)
				g := start(t, launch{sim: sim, accounts: 1, light: true, config: proFallsBack + "[stage.retry]\nmax_calls = 1\n[stage.antitrunc]\nmax_attempts = 5\nplain = true\n"})
				sim.Tell("S", simulator.Story{Text: tellText, Mark: endMark, Endings: c.endings})
				sim.Script(c.faults...)
				r := g.post("/v1/chat/completions", body)
				heard := understand(t, ask{stream: name != "plain"}, r)
				if got := strings.Join(modelsCalled(sim), " "); r.status != 200 || heard.text != tellText || !heard.whole || got != c.calls {
					t.Errorf("%d, asked %s, want %s: %.300s", r.status, got, c.calls, r.body)
				}
				if strings.Contains(g.stdout.String(), "mark never came") {
					t.Errorf("it says that the mark never came: %s", g.stdout.String())
				}
			})
		}
	}
}
