package server_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// uncut is a model with the feature that these tests are about.
const uncut = "gemini-2.5-flash-anti-truncation"

// storyBench is a simulator and a gateway on it for many stories at a time.
type storyBench struct {
	sim   *simulator.Server
	g     *gateway
	count atomic.Int64
}

// storyTellers starts a gateway for each back end; config is the table [stage.antitrunc] and what follows.
func storyTellers(t testing.TB, config string) map[string]*storyBench {
	t.Helper()
	out := map[string]*storyBench{}
	for kind, l := range map[string]launch{"codeassist": {accounts: 4}, "geminiapi": {keys: 4}} {
		l.sim = google(t, l.accounts, l.keys)
		l.config = "[stage.antitrunc]\n" + config
		l.env = map[string]string{"AUTO_BAN": "false", "RETRY_429_INTERVAL": "0.01"}
		out[kind] = &storyBench{sim: l.sim, g: start(t, l)}
	}
	return out
}

// tell lets the model tell a story to a client.
func (b *storyBench) tell(t *testing.T, h hearer, s simulator.Story, change ...func(map[string]any)) (hearing, []simulator.Telling, reply) {
	t.Helper()
	name := fmt.Sprintf("s%d", b.count.Add(1))
	b.sim.Tell(name, s)
	got, r := h.ask(t, b.g, uncut, "!story "+name, change...)
	told := b.sim.Told(name)
	for _, c := range told {
		if c.Refused != "" {
			t.Errorf("the model is told that it said what it did not say: %s", c.Refused)
		}
	}
	return got, told, r
}

// sum is what all attempts cost, as the language of the hearer counts it.
func sum(h hearer, told []simulator.Telling) heardUsage {
	var u heardUsage
	for _, c := range told {
		u.prompt += c.Prompt
		u.reply += c.Reply
		u.thoughts += c.Thoughts
	}
	u.total = u.prompt + u.reply + u.thoughts
	if !strings.HasPrefix(h.name, "gemini") && h.name != "array" {
		u.reply += u.thoughts
	}
	if h.name == "anthropic" || h.name == "responses" { // have no count of thoughts here
		u.thoughts = 0
	}
	return u
}

// costs compares a count with the sum of all attempts. A connection that is reset may take the last
// events with it, and the count in them; the next attempt shows how much.
func costs(t *testing.T, h hearer, s simulator.Story, got heardUsage, told []simulator.Telling) {
	t.Helper()
	want, slack := sum(h, told), 0
	for i := range min(len(told)-1, len(s.Endings)) {
		if lost := s.Endings[i].At - told[i+1].From; told[i].How == "cut" && lost > 0 {
			slack += lost/4 + 1
		}
	}
	missing := want.reply - got.reply
	if got.reply += missing; missing < 0 || missing > slack || got.total+missing != want.total {
		t.Errorf("%d tokens in all, %d are missing: %+v, want %+v", got.total, missing, got, want)
	}
	if got.total = want.total; got != want {
		t.Errorf("usage %+v, want %+v", got, want)
	}
}

// sameText compares long texts and shows where they part.
func sameText(t testing.TB, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-40)
	t.Errorf("%d bytes, want %d: at byte %d\n got %.120q\nwant %.120q", len(got), len(want), i, got[from:], want[from:])
}

// Long texts, cut up to two times wherever that is clear and in every way, come out to the byte, once,
// with one finish reason and the sum of what all calls cost.
func TestUncutTexts(t *testing.T) {
	t.Parallel()
	uncutTexts(t, 20, func(r *rand.Rand, seed uint64) string {
		if seed%5 == 4 { // with events of single characters a short text makes enough of them
			return randomText(r, 600)
		}
		return randomText(r, 5000)
	})
}

// So do short ones of little else than pieces of the mark, line ends and spaces, cut anywhere.
func TestUncutSoup(t *testing.T) {
	t.Parallel()
	uncutTexts(t, 60, func(r *rand.Rand, _ uint64) string { return soup(r) })
}

// uncutTexts lets stories be told with both kinds of credentials, asked for in both ways, to every kind of
// client; each case has a seed of its own, always the same.
func uncutTexts(t *testing.T, seeds uint64, text func(r *rand.Rand, seed uint64) string) {
	if testing.Short() || raceDetector {
		seeds /= 4
	}
	begun := time.Now()
	var texts, bytes, calls atomic.Int64
	t.Run("all", func(t *testing.T) {
		for m, mode := range []string{"prompt", "prefill"} {
			for kind, b := range storyTellers(t, "max_attempts = 3\ncontinue = \""+mode+"\"\n") {
				for i, h := range hearers() {
					for seed := range seeds {
						name := fmt.Sprintf("%s %s %s %d", mode, kind, h.name, seed)
						t.Run(name, func(t *testing.T) {
							t.Parallel()
							r := rand.New(rand.NewPCG(seed, uint64(100*m+10*len(kind)+i)))
							s, how := randomStory(r, text(r, seed), int(seed)%3)
							got, told, answer := b.tell(t, h, s, thinking(h, seed%4 < 2))
							sameText(t, got.text, s.Text)
							got.must(t, h, "STOP")
							costs(t, h, s, got.usage, told)
							if d := answer.header.Get("X-Dropped-Params"); len(told) != len(s.Endings) || d != "" {
								t.Errorf("%d calls for %d cuts, dropped %q", len(told), len(s.Endings)-1, d)
							}
							if t.Failed() {
								t.Logf("%s:%s\n%q", name, how, endings(told))
							}
							texts.Add(1)
							bytes.Add(int64(len(s.Text)))
							calls.Add(int64(len(told)))
						})
					}
				}
			}
		}
	})
	t.Logf("%d texts with %d bytes in %d calls, seeds 0 to %d for each way to ask: %v", texts.Load(), bytes.Load(), calls.Load(), seeds-1, time.Since(begun))
}

// Without the feature the same texts come whole as well, where nothing cuts them: what the tests above
// see is not the work of the readers.
func TestUncutReaders(t *testing.T) {
	t.Parallel()
	for kind, l := range map[string]launch{"codeassist": {accounts: 1}, "geminiapi": {keys: 1}} {
		l.sim = google(t, l.accounts, l.keys)
		g := start(t, l)
		for i, h := range hearers() {
			t.Run(kind+" "+h.name, func(t *testing.T) {
				for seed := range uint64(4) {
					r := rand.New(rand.NewPCG(seed, uint64(i)))
					s, how := randomStory(r, randomText(r, 2000), 0)
					l.sim.Tell(h.name, s)
					got, _ := h.ask(t, g, "gemini-2.5-flash", "!story "+h.name, thinking(h, seed%2 == 0))
					sameText(t, got.text, s.Text)
					got.must(t, h, "STOP")
					told := l.sim.Told(h.name)
					if want := sum(h, told); got.usage != want || len(told) != 1 || told[0].Asked {
						t.Errorf("usage %+v, want %+v, %+v", got.usage, want, endings(told))
					}
					if thoughts := strings.Contains(got.thoughts, "**Plan**"); thoughts != (seed%2 == 0) {
						t.Errorf("thoughts %q", got.thoughts)
					}
					if t.Failed() {
						t.Fatal(how)
					}
				}
				l.sim.Tell(h.name, simulator.Story{Text: tellText, Endings: []simulator.Ending{{How: "cut", At: 300}}})
				if got, _ := h.ask(t, g, "gemini-2.5-flash", "!story "+h.name); got.text != tellText[:300] || got.fail == "" || got.ends > 0 {
					t.Errorf("a cut: %+v", got)
				}
			})
		}
	}
}

// thinking asks for thoughts in the words of the language, or for none.
func thinking(h hearer, on bool) func(map[string]any) {
	return func(body map[string]any) {
		switch h.name {
		case "openai":
			body["extra_body"] = object("google", object("thinking_config", object("include_thoughts", on)))
		case "gemini", "array":
			body["generationConfig"] = object("thinkingConfig", object("includeThoughts", on))
		case "anthropic":
			if on {
				body["thinking"] = object("type", "enabled", "budget_tokens", 2048)
			}
		default:
			if on {
				body["reasoning"] = object("effort", "low", "summary", "auto")
			}
		}
	}
}

// endings is the record of a story without its texts.
func endings(told []simulator.Telling) (out []string) {
	for _, c := range told {
		out = append(out, fmt.Sprintf("from %d, %d bytes, %s", c.From, len(c.Said), c.How))
	}
	return out
}

// The mark, cut into events at every byte and broken off at every byte, never shows and never takes
// anything of the text with it.
func TestUncutMark(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"prompt", "prefill"} {
		for kind, b := range storyTellers(t, "max_attempts = 3\ncontinue = \""+mode+"\"\n") {
			for _, h := range hearers() {
				t.Run(mode+" "+kind+" "+h.name, func(t *testing.T) {
					t.Parallel()
					text := "He said [[END and then \"" + endMark + "\".\n" + endMark + "\nThat was all, 真的。"
					behind := "\n" + endMark
					for at := range len(behind) + 1 {
						first := len([]rune(text)) + at
						for name, s := range map[string]simulator.Story{
							"in two events":      {Pieces: []int{first, 1 << 20}},
							"byte by byte":       {Pieces: []int{first, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
							"broken":             {Endings: []simulator.Ending{{How: "cut", At: len(text) + at}}},
							"ended":              {Endings: []simulator.Ending{{How: "eof", At: len(text) + at}}},
							"ended byte by byte": {Pieces: []int{1}, Endings: []simulator.Ending{{How: "max-tokens", At: len(text) + at}}},
						} {
							if testing.Short() && name != "in two events" && name != "broken" {
								continue
							}
							s.Text, s.Mark = text, endMark
							got, told, _ := b.tell(t, h, s)
							sameText(t, got.text, text)
							if t.Failed() {
								t.Fatalf("%s at byte %d: %q", name, at, endings(told))
							}
							if at < len(behind) || len(s.Endings) == 0 { // else the model wrote the mark and then broke off
								got.must(t, h, "STOP")
							}
						}
					}
				})
			}
		}
	}
}
