package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// obeyed is the mark of the default settings. The simulator is a model that obeys.
const obeyed = "[[END OF ANSWER]]"

// continuation is what Google got in a call: the turns, and what asks for the rest.
type continuation struct {
	Contents []struct {
		Role  string
		Parts []struct{ Text string }
	}
	System struct{ Parts []struct{ Text string } } `json:"systemInstruction"`
}

func continued(t *testing.T, c simulator.Call) (out continuation) {
	t.Helper()
	var envelope struct{ Request json.RawMessage }
	if err := json.Unmarshal(c.Body, &envelope); err != nil {
		t.Fatal(err)
	}
	if envelope.Request == nil {
		envelope.Request = c.Body
	}
	if err := json.Unmarshal(envelope.Request, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// An answer that says its mark is whole, one that breaks off in one of Google's ways is gone on with, and
// one that Google withholds is neither.
func TestAntiTruncation(t *testing.T) {
	t.Parallel()
	for kind, from := range map[string]launch{"codeassist": {accounts: 2}, "geminiapi": {keys: 2}} {
		for _, a := range []ask{{name: "openai", stream: true}, {name: "gemini", gemini: true, stream: true}, {name: "array", gemini: true, stream: true, array: true}} {
			for fault, c := range map[string]struct {
				calls       int
				openai, hub string // finish reasons
				text        string
			}{
				"":                  {1, "stop", "STOP", "echo: one two three four five six"},
				"cut":               {2, "stop", "STOP", "echo: one two three four five six"},
				"eof":               {1, "stop", "STOP", "echo: one two three four five six"}, // the mark had come by then
				"max-tokens":        {2, "stop", "STOP", "echo: one two three four five six"},
				"error-event 503":   {2, "stop", "STOP", "echo: one two three four five six"},
				"silence 3s":        {2, "stop", "STOP", "echo: one two three four five six"},
				"safety":            {1, "content_filter", "SAFETY", ""},
				"max-tokens-empty":  {2, "stop", "STOP", "echo: one two three four five six"},
				"thoughts-only":     {2, "stop", "STOP", "echo: one two three four five six"},
				"finish RECITATION": {1, "content_filter", "RECITATION", ""},
			} {
				t.Run(kind+"/"+a.name+"/"+fault, func(t *testing.T) {
					t.Parallel()
					l := from
					l.sim = google(t, l.accounts, l.keys)
					l.env = map[string]string{"ANTI_TRUNCATION_MAX_ATTEMPTS": "2", "UPSTREAM_IDLE_TIMEOUT": "0.5"}
					g := start(t, l)
					if fault != "" {
						l.sim.Script(simulator.Fault{Do: fault})
					}
					path, body := a.http("anti-truncation/"+flash, "one two three four five six")
					got := understand(t, a, g.post(path, body))
					want := c.openai
					if a.gemini {
						want = c.hub
					}
					if got.finish != want || !got.whole || got.text != c.text {
						t.Errorf("%+v", got)
					}
					calls := l.sim.CallsOf("streamGenerateContent")
					if len(calls) != c.calls {
						t.Errorf("%d calls, want %d", len(calls), c.calls)
					}
					first := continued(t, calls[0])
					if len(first.Contents) != 1 || len(first.System.Parts) != 1 || !strings.Contains(first.System.Parts[0].Text, obeyed) {
						t.Errorf("the first call is %s", calls[0].Body)
					}
				})
			}
		}
	}
}

// What the second call holds, and what the client hears of both.
func TestAntiTruncationGoesOn(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	g := start(t, launch{sim: sim, accounts: 2, env: map[string]string{"ANTI_TRUNCATION_MAX_ATTEMPTS": "2"}})
	sim.Script(simulator.Fault{Do: "cut"})
	r := g.post("/v1/chat/completions", `{"model":"`+flash+`-anti-truncation","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"be kind"},{"role":"user","content":"one two three four five six seven eight nine"}]}`)
	calls := sim.CallsOf("streamGenerateContent")
	if r.status != 200 || len(calls) != 2 {
		t.Fatalf("%d, %d calls: %s", r.status, len(calls), r.body)
	}
	second := continued(t, calls[1])
	if len(second.Contents) != 3 || second.Contents[1].Role != "model" || second.Contents[2].Role != "user" || len(second.System.Parts) != 2 {
		t.Fatalf("%s", calls[1].Body)
	}
	said, asked := second.Contents[1].Parts[0].Text, second.Contents[2].Parts[0].Text
	got := understand(t, ask{stream: true}, r)
	if !strings.HasPrefix("echo: one two three four five six seven eight nine", said) || said == "" || got.text != "echo: one two three four five six seven eight nine" || strings.Count(string(r.body), `"role"`) != 1 {
		t.Errorf("said %q, heard %q", said, got.text)
	}
	var last struct {
		Usage struct {
			Prompt int `json:"prompt_tokens"`
		}
	}
	for line := range strings.Lines(string(r.body)) {
		if data, ok := strings.CutPrefix(line, "data: {"); ok {
			_ = json.Unmarshal([]byte("{"+data), &last)
		}
	}
	if one := simulator.Tokens("one two three four five six seven eight nine"); last.Usage.Prompt < 2*one+simulator.Tokens(asked) {
		t.Errorf("%d tokens of prompt in two calls", last.Usage.Prompt)
	}
}

// Where it is not for, it is left out, and the client is told; with plain it is for whole answers too.
func TestAntiTruncationLeftOut(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	chat := func(more string) string {
		return `{"model":"` + flash + `-anti-truncation",` + more + `"messages":[{"role":"user","content":"one"}]}`
	}
	for _, plain := range []bool{false, true} {
		g := start(t, launch{sim: sim, accounts: 1, light: true, config: fmt.Sprintf("[stage.antitrunc]\nplain = %v\n", plain)})
		for name, c := range map[string]struct {
			more string
			off  bool
		}{
			"whole": {"", !plain}, "stream": {`"stream":true,`, false}, "JSON": {`"stream":true,"response_format":{"type":"json_object"},`, true},
		} {
			r := g.post("/v1/chat/completions", chat(c.more))
			told := r.header.Get("X-Dropped-Params") == "anti-truncation"
			calls := sim.CallsOf("generateContent", "streamGenerateContent")
			ruled := strings.Contains(string(calls[len(calls)-1].Body), obeyed)
			if r.status != 200 || told != c.off || ruled == c.off || strings.Contains(string(r.body), "END OF") {
				t.Errorf("plain %v, %s: %d %v %s", plain, name, r.status, r.header, r.body)
			}
		}
	}
	g := start(t, launch{sim: sim, accounts: 1, light: true, config: "[stage.antitrunc]\nenabled = false\n"})
	if r := g.post("/v1/chat/completions", chat("")); r.status != http.StatusBadRequest || r.err().Error.Code != "feature_disabled" {
		t.Errorf("%d %s", r.status, r.body)
	}
}
