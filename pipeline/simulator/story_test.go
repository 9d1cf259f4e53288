package simulator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const tale1 = "Once there was a fox.\nIt saw a crow \U0001F426 with 一块奶酪.\n```go\nfmt.Println(\"end\")\n```"

const mark1 = "[[THE END]]"

// talk is a request: a prompt, what the model has said, and a turn that asks to go on; "" leaves one out.
func talk(system, prompt, said, goOn string) string {
	var turns []string
	turns = append(turns, turn(prompt))
	if said != "" {
		turns = append(turns, `{"role":"model","parts":[{"text":`+string(encode(said))+`}]}`)
	}
	if goOn != "" {
		turns = append(turns, turn(goOn))
	}
	if system != "" {
		system = `"systemInstruction":{"parts":[{"text":` + string(encode(system)) + `}]},`
	}
	return `{` + system + `"contents":[` + strings.Join(turns, ",") + `]}`
}

// hear asks on one of the back ends; whole answers are one event.
func (k *kit) hear(backend, method, request string) (answered, []seen) {
	k.t.Helper()
	var a answered
	if backend == "assist" {
		a = k.ask(method, "gemini-2.5-flash", request)
	} else {
		a = k.studio(method, "gemini-2.5-flash", request)
	}
	switch {
	case a.status != 200:
		return a, nil
	case method == "generateContent":
		return a, []seen{read(k.t, a.body)}
	case strings.HasPrefix(string(a.body), "data: "):
		body, _, _ := strings.Cut(string(a.body), "\r\n\r\ndata: {\"error\"")
		return a, events(k.t, []byte(body))
	}
	return a, nil
}

func TestStoryIsToldInPieces(t *testing.T) {
	for _, backend := range []string{"assist", "studio"} {
		for _, method := range []string{"streamGenerateContent?alt=sse", "generateContent"} {
			for _, form := range []string{"prompt", "prefill"} {
				for _, by := range []string{"system", "user"} {
					t.Run(fmt.Sprint(backend, " ", method, " ", form, " ", by), func(t *testing.T) {
						k := start(t, Options{})
						k.Tell("fox", Story{Text: tale1, Mark: mark1, Pieces: []int{7, 1}, Endings: []Ending{{How: "eof", At: 20}, {How: "max-tokens", At: 41}}})
						system, prompt, goOn := "", "Please:\n!story fox\nthanks", ""
						if by == "system" {
							system = "End with " + mark1 + "."
						} else {
							prompt += " End with " + mark1
						}
						if form == "prompt" {
							goOn = "Go on."
						}
						said := ""
						for i, finish := range []string{"", "MAX_TOKENS", "STOP"} {
							_, all := k.hear(backend, method, talk(system, prompt, said, goOn))
							if got := all[len(all)-1].finish(); got != finish {
								t.Errorf("attempt %d ends with %q", i, got)
							}
							said += joined(all)
							if i < 2 && said != tale1[:[]int{20, 41}[i]] {
								t.Errorf("attempt %d: %q", i, said)
							}
						}
						if said != tale1+"\n"+mark1 {
							t.Errorf("in all %q", said)
						}
						told := k.Told("fox")
						if len(told) != 3 || told[2].From != 41 || told[1].Said != tale1[20:41] || told[1].How != "max-tokens" || !told[2].Asked {
							t.Errorf("%+v", told)
						}
					})
				}
			}
		}
	}
}

func TestStoryPieces(t *testing.T) {
	k := start(t, Options{})
	k.Tell("s", Story{Text: "äöü一二三", Mark: mark1, Pieces: []int{2, 1}})
	_, all := k.hear("assist", "streamGenerateContent?alt=sse", talk(mark1, "!story s", "", ""))
	var got []string
	for _, e := range all[:len(all)-1] {
		got = append(got, e.text())
	}
	if want := []string{"äö", "ü", "一二", "三", "\n[", "[", "TH", "E", " E", "N", "D]", "]"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestStoryMark(t *testing.T) {
	k := start(t, Options{})
	for name, c := range map[string]struct {
		story              Story
		system, said, goOn string
		want               string
	}{
		"not asked":         {Story{Text: "a", Mark: mark1}, "write well", "", "", "a"},
		"no mark":           {Story{Text: "a"}, "write well", "", "", "a"},
		"asked":             {Story{Text: "a", Mark: mark1}, mark1, "", "", "a\n" + mark1},
		"forgets":           {Story{Text: "a", Mark: mark1, Forgets: true}, mark1, "", "", "a"},
		"inline":            {Story{Text: "a", Mark: mark1, Inline: true}, mark1, "", "", "a " + mark1},
		"after inline":      {Story{Text: "a", Mark: mark1, Inline: true, Behind: "\n"}, mark1, "a " + mark1 + "\n", "go on", mark1 + "\n"},
		"something behind":  {Story{Text: "a", Mark: mark1, Behind: "\n \n"}, mark1, "", "", "a\n" + mark1 + "\n \n"},
		"only the mark":     {Story{Text: "a", Mark: mark1}, mark1, "a", "go on", mark1},
		"the same as one":   {Story{Text: "a", Mark: mark1}, mark1, "a", "", "\n" + mark1},
		"the line end said": {Story{Text: "a", Mark: mark1}, mark1, "a\n", "go on", mark1},
		"nothing is left":   {Story{Text: "a", Mark: mark1, Forgets: true}, mark1, "a", "go on", ""},
		"inside the mark":   {Story{Text: "a", Mark: mark1, Endings: []Ending{{How: "eof", At: 5}}}, mark1, "", "", "a\n[[T"},
		"said before that":  {Story{Text: "abc", Mark: mark1, Endings: []Ending{{How: "eof", At: 1}}}, mark1, "ab", "go on", ""},
		"preface":           {Story{Text: "abc", Endings: []Ending{{Preface: "Sure: ", Repeat: 2, How: "stop", At: 3}}}, "", "ab", "go on", "Sure: abc"},
		"repeats it all":    {Story{Text: "äbc", Endings: []Ending{{Repeat: 9}}}, "", "ä", "go on", "äbc"},
	} {
		k.Tell("s", c.story)
		_, all := k.hear("assist", "streamGenerateContent?alt=sse", talk(c.system, "!story s", c.said, c.goOn))
		if got := joined(all); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What comes back must be what was said; a preface and a repetition may have been left out.
func TestStoryIsHeldAgainstTheText(t *testing.T) {
	k := start(t, Options{})
	const where = "the beginning of the story \\\"s\\\": at byte "
	for _, c := range []struct{ said, refused string }{
		{"abc", ""}, {"abcdefghij", ""},
		{"abd", where + `2 stands \"d\" where \"cdefghij\" is due`},
		{"abcabc", where + `3 stands \"abc\" where \"defghij\" is due`},
		{"abcdefghij\n[[T", where + `10 stands \"\\n[[T\" where \"the end of the story\" is due`},
		{" abc", where + `0 stands \" abc\" where \"abcdefghij\" is due`},
	} {
		k.Tell("s", Story{Text: "abcdefghij"})
		a, _ := k.hear("studio", "streamGenerateContent?alt=sse", talk("", "!story s", c.said, "go on"))
		if c.refused == "" && a.status != 200 {
			t.Errorf("%q: %d %s", c.said, a.status, a.body)
		}
		if c.refused != "" {
			a.want(t, 400, c.refused)
			if told := k.Told("s"); len(told) != 1 || told[0].Refused == "" {
				t.Errorf("%q: %+v", c.said, told)
			}
		}
	}
	seams := Story{Text: "abcdefghij", Endings: []Ending{{How: "eof", At: 4}, {Preface: "So: ", Repeat: 2, How: "eof", At: 6}, {Repeat: 3, How: "eof", At: 8}}}
	for said, from := range map[string]int{
		"abcdef": 6, "abcdSo: cdef": 6, "abcdSo: ef": 6, "abcdcdef": 6, "abcd": 4, "abcde": 5,
		"abcdefgh": 8, "abcdefdefgh": 8, "abcdSo: efdefgh": 8, "abcdSo: cdefgh": 8,
		"abcdefabc": -1, "So: abc": -1, "abcdefgSo: ": -1, "abcdSo: So: ": -1,
	} {
		k.Tell("s", seams)
		for _, sofar := range []string{"", "abcd", "abcdef"} {
			k.hear("assist", "streamGenerateContent?alt=sse", talk("", "!story s", sofar, ""))
		}
		a, _ := k.hear("assist", "streamGenerateContent?alt=sse", talk("", "!story s", said, "go on"))
		told := k.Told("s")
		if last := told[len(told)-1]; from >= 0 && (a.status != 200 || last.From != from) || from < 0 && a.status != 400 {
			t.Errorf("%q: %d %+v", said, a.status, last)
		}
	}
	k.Tell("s", Story{Text: "abc"})
	k.ask("generateContent", "gemini-2.5-flash", `{"contents":[`+turn("!story s")+`,{"role":"model","parts":[{"text":"hm","thought":true},{"text":"a"}]},`+turn("go on")+`]}`).
		want(t, 400, `have thoughts in them: \"hm\"`)
	k.ask("generateContent", "gemini-2.5-flash", user("!story t")).want(t, 400, "no such story: t")
}

func TestStoryEndings(t *testing.T) {
	k := start(t, Options{})
	tools := `,"tools":[{"functionDeclarations":[{"name":"f"}]}]}`
	request := strings.TrimSuffix(talk(mark1, "!story s", "", ""), "}")
	for _, c := range []struct {
		how, finish, text string
		status            int
		raw               string // in the body
	}{
		{"stop", "STOP", "abcd", 200, ""},
		{"max-tokens", "MAX_TOKENS", "abcd", 200, ""},
		{"safety", "SAFETY", "abcd", 200, `"blocked":true`},
		{"finish OTHER", "OTHER", "abcd", 200, ""},
		{"call", "STOP", "abcd", 200, `"functionCall":{"name":"f"`},
		{"blocked", "", "", 200, "promptFeedback"},
		{"cut", "", "abcd", 200, ""},
		{"eof", "", "abcd", 200, ""},
		{"silence 30ms", "", "abcd", 200, ""},
		{"error-event", "", "abcd", 200, `{"error":{"code":503`},
		{"503", "", "", 503, "overloaded"},
		{"429-quota 1h", "", "", 429, "RESOURCE_EXHAUSTED"},
		{"", "STOP", "abcdefgh\n" + mark1, 200, ""},
	} {
		for _, backend := range []string{"assist", "studio"} {
			k.Tell("s", Story{Text: "abcdefgh", Mark: mark1, Pieces: []int{1}, Endings: []Ending{{How: c.how, At: 4}}})
			a, all := k.hear(backend, "streamGenerateContent?alt=sse", request+tools)
			finish := ""
			if len(all) > 0 {
				finish = all[len(all)-1].finish()
			}
			if a.status != c.status || finish != c.finish || joined(all) != c.text || !strings.Contains(string(a.body), c.raw) || (a.err != nil) != (c.how == "cut") {
				t.Errorf("%s, %s: %d %v %s", c.how, backend, a.status, a.err, a.body)
			}
			if told := k.Told("s"); len(told) != 1 || told[0].Said != c.text || told[0].How != c.how {
				t.Errorf("%s, %s: %+v", c.how, backend, told)
			}
		}
	}
	k.Tell("s", Story{Text: "abcdefgh", Endings: []Ending{{How: "call", At: 4}}})
	if _, all := k.hear("assist", "generateContent", request+"}"); joined(all) != "abcd" || all[0].finish() != "STOP" {
		t.Errorf("a call without functions: %+v", all)
	}
	for _, how := range []string{"never", "big 3", "slow-event 3s", "silence"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the ending %q is taken", how)
				}
			}()
			k.Tell("s", Story{Endings: []Ending{{How: how}}})
		}()
	}
}

func TestStoryLimitsAndThoughts(t *testing.T) {
	k := start(t, Options{})
	ask := func(more string) []seen {
		t.Helper()
		k.Tell("s", Story{Text: "one two three four five six", Thoughts: "**Plan**\n" + mark1, Mark: mark1, Endings: []Ending{{How: "eof", At: 20}}})
		_, all := k.hear("assist", "streamGenerateContent?alt=sse", strings.TrimSuffix(talk(mark1, "!story s", "", ""), "}")+`,"generationConfig":`+more+`}`)
		return all
	}
	all := ask(`{"thinkingConfig":{"includeThoughts":true}}`)
	last, told := all[len(all)-1], k.Told("s")[0]
	if first := all[0].Candidates[0].Content.Parts[0]; !first.Thought || !strings.HasPrefix(first.Text, "**Plan**") {
		t.Errorf("first: %+v", first)
	}
	u := last.UsageMetadata
	if u.ThoughtsTokenCount != Tokens("**Plan**\n"+mark1) || u.CandidatesTokenCount != 5 || u.PromptTokenCount != Tokens(mark1)+Tokens("!story s") ||
		told.Prompt != u.PromptTokenCount || told.Reply != 5 || told.Thoughts != u.ThoughtsTokenCount {
		t.Errorf("usage %+v, told %+v", u, told)
	}
	if all := ask(`{"thinkingConfig":{"thinkingBudget":100}}`); all[0].Candidates[0].Content.Parts[0].Thought || all[0].UsageMetadata.ThoughtsTokenCount == 0 {
		t.Errorf("thoughts that are not shown: %+v", all[0])
	}
	if all := ask(`{"maxOutputTokens":2}`); joined(all) != "one two " || all[len(all)-1].finish() != "MAX_TOKENS" || k.Told("s")[0].Said != "one two " {
		t.Errorf("maxOutputTokens: %+v", all)
	}
	if all := ask(`{"stopSequences":["three"]}`); joined(all) != "one two " || all[len(all)-1].finish() != "STOP" {
		t.Errorf("stopSequences: %+v", all)
	}
	k.Tell("s", Story{Text: "abc", Endings: []Ending{{How: "eof"}}})
	if a, _ := k.hear("assist", "streamGenerateContent?alt=sse", talk("", "!story s", "", "")); len(a.body) != 0 || k.Told("s")[0].Prompt != 0 {
		t.Errorf("nothing: %q %+v", a.body, k.Told("s"))
	}
}

// A fault that is due comes first, and a story that is told anew begins with its first ending.
func TestStoryAndFaults(t *testing.T) {
	k := start(t, Options{})
	k.Tell("s", Story{Text: "abcdef", Anew: true, Endings: []Ending{{How: "eof", At: 3}}})
	k.Script(Fault{Do: "503"})
	if a, _ := k.hear("assist", "generateContent", user("!story s")); a.status != 503 || len(k.Told("s")) != 0 {
		t.Errorf("%d %+v", a.status, k.Told("s"))
	}
	for range 2 {
		for _, c := range [][2]string{{"", "abc"}, {"abc", "def"}} {
			if _, all := k.hear("studio", "generateContent", talk("", "!story s", c[0], "go on")); joined(all) != c[1] {
				t.Errorf("behind %q: %q", c[0], joined(all))
			}
		}
	}
}

func TestStoryOfACallerWhoLeaves(t *testing.T) {
	k := start(t, Options{})
	k.Tell("s", Story{Text: "abcdef", Endings: []Ending{{How: "silence 1h", At: 3}}})
	c, cancel := context.WithCancel(soon(t))
	response := k.open(c, "!story s")
	defer response.Body.Close()
	cancel()
	if err := k.WaitIdle(soon(t)); err != nil {
		t.Fatal(err)
	}
	if calls := k.CallsOf("streamGenerateContent"); len(calls) != 1 || !calls[0].Gone || k.Told("s")[0].Call != calls[0].Number {
		t.Errorf("%+v", calls)
	}
}
