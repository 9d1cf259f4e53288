package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

// ruleOf and askOf are what the stage antitrunc writes; the tests of the server hold the simulator against the stage itself.
func ruleOf(mark string) string {
	return "Rule: below every complete answer write a last line that holds nothing but this mark:\n" + mark + "\nNever speak of it."
}

const askOf = goOnWords + " Go on with the very next character. It ends with:\nx\n"

func TestRuleForTheEnd(t *testing.T) {
	k := start(t, Options{})
	rule := ruleOf(mark1)
	const ordinary = "Hello you"
	for name, c := range map[string]struct{ system, prompt, said, goOn, want string }{
		"no rule":                   {"Be kind.", ordinary, "", "", "echo: Hello you"},
		"no rule, asked to go on":   {"", ordinary, "echo: He", askOf, "echo: " + askOf},
		"no rule, a turn begun":     {"", ordinary, "echo: He", "", "echo: Hello you"},
		"in the instructions":       {rule, ordinary, "", "", "echo: Hello you\n" + mark1},
		"another mark":              {ruleOf("-- fin --"), ordinary, "", "", "echo: Hello you\n-- fin --"},
		"goes on":                   {rule, ordinary, "echo: He", askOf, "llo you\n" + mark1},
		"goes on in its turn":       {rule, ordinary, "echo: He", "", "llo you\n" + mark1},
		"only the mark":             {rule, ordinary, "echo: Hello you", askOf, mark1},
		"only the mark, own turn":   {rule, ordinary, "echo: Hello you", "", "\n" + mark1},
		"the line end was said":     {rule, ordinary, "echo: Hello you\n", askOf, mark1},
		"the client began the turn": {rule, ordinary, "Sure: ", "", "echo: Hello you\n" + mark1},
		"and it broke off":          {rule, ordinary, "Sure: echo: Hel", askOf, "lo you\n" + mark1},
		"another question":          {rule, ordinary, "echo: He", "And now?", "echo: And now?\n" + mark1},
		"a fault is over":           {rule, "!fault cut", "echo: !fault ", askOf, "cut\n" + mark1},
		"in its own turn too":       {rule, "!fault 503", "echo: !fault ", "", "503\n" + mark1},
		"the faults":                {rule, "!fault help", "", "", allFaults() + "\n" + mark1},
		"the rest of the faults":    {rule, "!fault help", allFaults()[:50], askOf, allFaults()[50:] + "\n" + mark1},
		"many words":                {rule, "!fault many 3", "word w", "", "ord word\n" + mark1},
		"the stories":               {rule, "!story", "", "", "There are no stories.\n" + mark1},
		"nothing of it in JSON":     {rule, "!describe", "{", askOf, ""},
	} {
		for _, method := range []string{"generateContent", "streamGenerateContent?alt=sse"} {
			_, all := k.hear("assist", method, talk(c.system, c.prompt, c.said, c.goOn))
			got := joined(all)
			if c.want == "" {
				var d Description
				said, ok := strings.CutSuffix(c.said+got, "\n"+mark1)
				if err := json.Unmarshal([]byte(said), &d); err != nil || !ok || d.System != rule || len(d.Roles) != 1 {
					t.Errorf("%s: %v, %q", name, err, got)
				}
				continue
			}
			if got != c.want || all[len(all)-1].finish() != "STOP" {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	}
}

// A turn of the user may hold the rule; what the answer is made of otherwise stays as it is.
func TestRuleElsewhere(t *testing.T) {
	k := start(t, Options{})
	rule := string(encode(ruleOf(mark1)))
	system := `"systemInstruction":{"parts":[{"text":` + rule + `}]},`
	for name, c := range map[string]struct{ request, text, raw, lacks string }{
		"in the user's turn": {`{"contents":[{"role":"user","parts":[{"text":"Hi"},{"text":` + rule + `}]}]}`, "echo: Hi\n" + mark1, "STOP", ""},
		"a call":             {`{` + system + `"tools":[{"functionDeclarations":[{"name":"f"}]}],"contents":[` + turn("call f {}") + `]}`, "", `"functionCall":{"name":"f"`, mark1},
		"its result": {`{` + system + `"tools":[{"functionDeclarations":[{"name":"f"}]}],"contents":[` + turn("call f {}") +
			`,{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"a":1}}}]}]}`,
			"result of f: {\"a\":1}\n" + mark1, "", ""},
		"JSON":           {`{` + system + `"generationConfig":{"responseMimeType":"application/json"},"contents":[` + turn("x") + `]}`, `{"echo":"x"}`, "", mark1},
		"stopped":        {`{` + system + `"generationConfig":{"stopSequences":["two"]},"contents":[` + turn("one two") + `]}`, "echo: one ", "", mark1},
		"out of tokens":  {`{` + system + `"generationConfig":{"maxOutputTokens":3},"contents":[` + turn("one two three") + `]}`, "echo: one tw", "MAX_TOKENS", mark1},
		"cut by a fault": {`{` + system + `"contents":[` + turn("!fault max-tokens") + `]}`, "echo: !fault max-tokens", "MAX_TOKENS", mark1},
		"searched":       {`{` + system + `"tools":[{"googleSearch":{}}],"contents":[` + turn("one") + `]}`, "echo: one\n" + mark1, `"segment":{"endIndex":9,"text":"echo: one"}`, ""},
		"searched, the rest": {`{` + system + `"tools":[{"googleSearch":{}}],"contents":[` + turn("one") + `,{"role":"model","parts":[{"text":"echo: one"}]},` + turn(askOf) + `]}`,
			mark1, "STOP", "groundingMetadata"},
	} {
		a := k.ask("generateContent", "gemini-2.5-flash", c.request)
		if a.status != 200 || !strings.Contains(string(a.body), c.raw) || c.lacks != "" && strings.Contains(string(a.body), c.lacks) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		} else if got := read(t, a.body).text(); got != c.text {
			t.Errorf("%s: %q, want %q", name, got, c.text)
		}
	}
}

// Faults that are counted strike continuations as well.
func TestRuleCountsFaults(t *testing.T) {
	k := start(t, Options{})
	for i, c := range []struct {
		said   string
		status int
	}{{"", 503}, {"echo: ", 503}, {"echo: ", 200}} {
		if a := k.ask("generateContent", "gemini-2.5-flash", talk(ruleOf(mark1), "!fault times 2 503", c.said, map[bool]string{true: askOf}[i > 0])); a.status != c.status {
			t.Errorf("call %d: %d %s", i, a.status, a.body)
		}
	}
}

func TestPlace(t *testing.T) {
	const changed = "one: 1, what follows is as long as it was before, and stays; the end"
	for _, c := range []struct {
		text, said string
		want       int
	}{
		{"abc", "", 0}, {"abc", "ab", 2}, {"abc", "abc", 3}, {"abc", "xab", 2}, {"abc", "x", 0}, {"abc", "abcx", 0}, {"", "x", 0},
		{"aab", "xaaa", 2}, {"abab", "ababab", 4}, {"ababc", "abababc", 5}, {"aaaa", "baaa", 3}, {"abcabd", "abcabcab", 5},
		{changed, strings.Replace(changed[:60], "1", "true", 1), 60},
		{"echo: ha ha ha ha ha ha ha ha ha ha ha ha", "Well: ha ha ha ha ha ha ha ha", 0}, // more than one place
	} {
		if got := place(c.text, c.said); got != c.want {
			t.Errorf("%q behind %q: %d, want %d", c.text, c.said, got, c.want)
		}
	}
}

func TestStoriesAreListed(t *testing.T) {
	k := start(t, Options{})
	k.Tell("fox", Story{Text: "Yes."})
	k.Tell("bear", Story{Text: "No."})
	const list = "The stories are: bear, fox"
	for _, prompt := range []string{"!story", "!story help", "Please\n !story help \n"} {
		if got := read(k.t, k.ask("generateContent", "gemini-2.5-flash", user(prompt)).body).text(); got != list {
			t.Errorf("%q: %q", prompt, got)
		}
	}
	k.ask("generateContent", "gemini-2.5-flash", user("!story cat")).want(t, 400, "no such story: cat. "+list)
	later := `{"contents":[` + turn("!story help") + `,{"role":"model","parts":[{"text":"` + list + `"}]},`
	k.ask("generateContent", "gemini-2.5-flash", later+turn("Thanks")+`]}`).want(t, 200, `"echo: Thanks"`)
	k.ask("generateContent", "gemini-2.5-flash", later+turn("!story fox")+`]}`).want(t, 200, `"Yes."`)
	k.Tell("help", Story{Text: "Help!"})
	k.ask("generateContent", "gemini-2.5-flash", user("!story help")).want(t, 200, `"Help!"`)
}
