package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

const countPath = "/v1beta/models/gemini-2.5-flash:countTokens"

// counted is how countTokens is answered.
type counted struct {
	status   int
	says     string // in the body
	estimate bool
	calls    int // to Google; 0 is not looked at
}

func (c counted) check(t *testing.T, r reply) {
	t.Helper()
	told := ""
	if c.estimate {
		told = "estimate"
	}
	if r.status != c.status || !strings.Contains(string(r.body), c.says) || r.header.Get("X-Token-Count") != told {
		t.Errorf("%d %s, X-Token-Count %q; want %+v", r.status, r.body, r.header.Get("X-Token-Count"), c)
	}
}

// TestCountTokens: Google counts where anybody can make it, with both kinds of credential; else the
// gateway estimates and says so; a mistake of the client is an error in either case.
func TestCountTokens(t *testing.T) {
	t.Parallel()
	const contents = `"contents":[{"role":"user","parts":[{"text":"eight by"}]}]`
	google2, estimate2 := counted{200, `"totalTokens":2`, false, 1}, counted{200, `{"totalTokens":2}`, true, 0}
	for _, tt := range []struct {
		name, fault, on string // on: the account that has it, both when empty
		want            counted
	}{
		{"nothing wrong", "", "", google2},
		{"the other credential counts", "429-reset 30s", "ann0@example.com", counted{200, `{"totalTokens":2}`, false, 2}},
		{"banned, the other one counts", "403-tos", "ann0@example.com", counted{200, `{"totalTokens":2}`, false, 2}},
		{"used up", "429-perday", "", counted{200, `{"totalTokens":2}`, true, 2}},
		{"refused", "403-tos", "", counted{200, `{"totalTokens":2}`, true, 2}},
		{"out of order", "503", "", estimate2},
		{"a page", "502-html", "", estimate2},
		{"not from here", "400-location", "", counted{200, `{"totalTokens":2}`, true, 1}},
		{"the client's mistake", "400", "", counted{400, `"INVALID_ARGUMENT"`, false, 1}},
		{"too long", "400-tokens", "", counted{400, "exceeds the maximum", false, 1}},
		{"unknown model", "404", "", counted{404, `"NOT_FOUND"`, false, 2}},
	} {
		for kind, l := range map[string]launch{"accounts": {accounts: 2}, "keys": {keys: 2}} {
			if tt.on != "" && kind == "keys" { // the scripts name accounts
				continue
			}
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				l := l
				l.light, l.sim = true, google(t, 2, 2)
				if tt.fault != "" {
					l.sim.Script(simulator.Fault{Do: tt.fault, Verb: "countTokens", Credential: tt.on, Count: -1})
				}
				g := start(t, l)
				for _, body := range []string{`{` + contents + `}`, `{"generateContentRequest":{"model":"models/gemini-2.5-flash",` + contents + `}}`} {
					l.sim.ForgetCalls()
					tt.want.check(t, g.post(countPath, body))
					if n := len(l.sim.CallsOf("countTokens")); tt.want.calls != 0 && n != tt.want.calls && body[2] == 'c' {
						t.Errorf("%d calls, want %d", n, tt.want.calls)
					}
				}
				if tt.want.estimate && !g.waitLine("tokens estimated") {
					t.Error("the log does not say so")
				}
			})
		}
	}
}

// Without any credential, and without any Google, there is an estimate for whoever may ask.
func TestCountTokensOffline(t *testing.T) {
	t.Parallel()
	key := fmt.Sprintf(`{"type":"gemini_api_key","api_key":%q}`, apiKey(0))
	for name, l := range map[string]launch{"no credential": {}, "no Google": {files: map[string]string{"key.json": key}},
		"no retry": {files: map[string]string{"key.json": key}, config: "[stage.retry]\nenabled = false\n"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l.light = true
			g := start(t, l)
			for body, want := range map[string]counted{
				`{"contents":[{"parts":[{"text":"eight by"}]}]}`:                                                             {200, `{"totalTokens":2}`, true, 0},
				`{"contents":[{"parts":[{"text":"你好，世界"}]}]}`:                                                                {200, `{"totalTokens":5}`, true, 0},
				`{"generateContentRequest":{"contents":[{"parts":[{"text":"abcd"}]}],"tools":[{"googleSearch":{}}]}}`:        {200, `{"totalTokens":7}`, true, 0},
				`{"contents":[{"parts":[{"text":"abcd"},{"text":"a long thought","thought":true,"thoughtSignature":"A"}]}]}`: {200, `{"totalTokens":1}`, true, 0},
				`{"messages":[{"role":"system","content":"abcd"},{"role":"user","content":"abcd"}]}`:                         {200, `{"totalTokens":2}`, true, 0},
				`{"contents":[{"parts":[{"text":5}]}]}`:                                                                      {400, "contents[0].parts[0].text", false, 0},
				`{"contents":[{"parts":"hi"}]}`:                                                                              {400, "contents[0].parts", false, 0},
				`{"contents":[]}`:                                                                                            {400, `"contents\" is empty`, false, 0},
				`{"contents":`:                                                                                               {400, "not valid JSON", false, 0},
				`{"contents":[{"parts":[{"text":"a"}]}],"generateContentRequest":{"contents":[{"parts":[{"text":"a"}]}]}}`:   {400, "exclude each other", false, 0},
			} {
				want.check(t, g.post(countPath, body))
			}
			counted{401, `"UNAUTHENTICATED"`, false, 0}.check(t, g.post(countPath, `{"contents":[{"parts":[{"text":"a"}]}]}`, header("Authorization", "Bearer wrong")))
			page := header("Origin", "https://chat.example")
			if r := g.post(countPath, `{"contents":[{"parts":[{"text":"a"}]}]}`, page); !strings.Contains(r.header.Get("Access-Control-Expose-Headers"), "X-Token-Count") {
				t.Errorf("a page cannot see that it is an estimate: %v", r.header)
			}
			if r := g.put(ask{gemini: true}, "hello"); r.status == 200 {
				t.Errorf("an answer out of nothing: %s", r.body)
			}
		})
	}
}

// Nobody is told anything who does not wait for it any more.
func TestCountTokensClientGone(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	sim.Script(simulator.Fault{Do: "slow-first 30s 503", Verb: "countTokens", Count: -1})
	g := start(t, launch{sim: sim, accounts: 1, light: true})
	ctx, leave := context.WithCancel(context.Background())
	answered := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, "POST", g.url+countPath, strings.NewReader(`{"contents":[{"parts":[{"text":"a"}]}]}`))
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+g.pass)
			var resp *http.Response
			if resp, err = client.Do(req); err == nil {
				resp.Body.Close()
			}
		}
		answered <- err
	}()
	for end := time.Now().Add(time.Minute); len(sim.CallsOf("countTokens")) == 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if len(sim.CallsOf("countTokens")) == 0 {
		t.Error("no call reached Google")
	}
	leave()
	if err := <-answered; err == nil {
		t.Error("there was an answer")
	}
	if !g.waitLine("code=client_gone") {
		t.Errorf("no such line: %s", g.stdout.String())
	}
	if strings.Contains(g.stdout.String(), "tokens estimated") {
		t.Errorf("it was estimated: %s", g.stdout.String())
	}
}
