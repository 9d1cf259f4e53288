package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestBadInput: every refusal has its status and names what is wrong, in the route's format, and
// costs no call to Google.
func TestBadInput(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, env: map[string]string{"BODY_LIMIT": "64KiB"}})
	const chat, gem, str, count = "/v1/chat/completions", "/v1beta/models/gemini-2.5-flash:generateContent",
		"/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "/v1beta/models/gemini-2.5-flash:countTokens"
	user := `"messages":[{"role":"user","content":"hi"}]`
	big := strings.Repeat("x", 64<<10)
	for _, tt := range []struct {
		name, path, body string
		status           int
		code, param      string // param as it must be named
	}{
		{"not JSON", chat, `hello`, 400, "bad_request", ""},
		{"not JSON", gem, `hello`, 400, "bad_request", ""},
		{"half", chat, `{"model":"m",` + user, 400, "bad_request", ""},
		{"half", str, `{"contents":[`, 400, "bad_request", ""},
		{"two documents", chat, `{"model":"m",` + user + `}{}`, 400, "bad_request", ""},
		{"a list", chat, `[]`, 400, "bad_request", ""},
		{"empty", chat, ``, 400, "bad_request", ""},
		{"empty", gem, ``, 400, "bad_request", ""},
		{"too large", chat, `{"model":"m","x":"` + big + `"}`, 413, "too_large", ""},
		{"too large", gem, `{"x":"` + big + `"}`, 413, "too_large", ""},
		{"no model", chat, `{` + user + `}`, 400, "bad_request", "model"},
		{"model of a wrong type", chat, `{"model":5,` + user + `}`, 400, "bad_request", "model"},
		{"empty model", chat, `{"model":"",` + user + `}`, 400, "bad_request", "model"},
		{"model twice", chat, `{"model":"a","model":"b",` + user + `}`, 400, "bad_request", "model"},
		{"no messages", chat, `{"model":"gemini-2.5-flash"}`, 400, "bad_request", "messages"},
		{"messages of a wrong type", chat, `{"model":"gemini-2.5-flash","messages":"hi"}`, 400, "bad_request", "messages"},
		{"empty messages", chat, `{"model":"gemini-2.5-flash","messages":[]}`, 400, "bad_request", "messages"},
		{"no such role", chat, `{"model":"gemini-2.5-flash","messages":[{"role":"robot","content":"hi"}]}`, 400, "bad_request", "messages[0].role"},
		{"stream of a wrong type", chat, `{"model":"gemini-2.5-flash","stream":"yes",` + user + `}`, 400, "bad_request", "stream"},
		{"temperature", chat, `{"model":"gemini-2.5-flash","temperature":3,` + user + `}`, 400, "bad_request", "temperature"},
		{"n", chat, `{"model":"gemini-2.5-flash","n":2,` + user + `}`, 400, "bad_request", "n"},
		{"a tool of no known kind", chat, `{"model":"gemini-2.5-flash","tools":[{"type":"file_search"}],` + user + `}`, 400, "bad_request", "tools[0].type"},
		{"a schema of a wrong type", chat, `{"model":"gemini-2.5-flash","response_format":{"type":"json_schema","json_schema":{"schema":5}},` + user + `}`, 400, "bad_request", "response_format.json_schema.schema"},
		{"an image from nowhere", chat, `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///a.png"}}]}]}`, 400, "bad_request", "messages[0].content[0].image_url.url"},
		{"a sound of no known kind", chat, `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"midi"}}]}]}`, 400, "bad_request", "messages[0].content[0].input_audio.format"},
		{"no contents", gem, `{}`, 400, "bad_request", "contents"},
		{"no contents", str, `{"generationConfig":{}}`, 400, "bad_request", "contents"},
		{"no contents", count, `{}`, 400, "bad_request", "contents"},
		{"empty contents", gem, `{"contents":[]}`, 400, "bad_request", "contents"},
		{"contents of a wrong type", gem, `{"contents":"hi"}`, 400, "bad_request", "contents"},
	} {
		a := ask{gemini: tt.path != chat}
		for _, stream := range []bool{false, true} {
			body := tt.body
			if stream {
				if a.gemini || !strings.HasPrefix(body, `{"model":"gemini`) || strings.Contains(body, `"stream"`) {
					continue
				}
				body = `{"stream":true,` + body[1:]
			}
			t.Run(tt.name+"/"+tt.path, func(t *testing.T) {
				r := g.post(tt.path, body)
				if r.status != tt.status {
					t.Errorf("status %d, want %d: %s", r.status, tt.status, r.body)
				}
				checkEnvelope(t, a, r, tt.code)
				e := r.err()
				if !a.gemini && e.Error.Param != "" && !strings.HasPrefix(e.Error.Param, tt.param) || tt.param != "" && !strings.Contains(string(r.body), tt.param) {
					t.Errorf("the field %q is not named: %s", tt.param, r.body)
				}
			})
		}
	}
	if n := len(sim.CallsOf("generateContent", "streamGenerateContent", "countTokens")); n != 0 {
		t.Errorf("bad input caused %d calls", n)
	}
}

// What Google itself refuses comes back with its words, once.
func TestGooglesRefusalNamesTheField(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	g := start(t, launch{sim: sim, accounts: 2})
	r := g.post("/v1beta/models/gemini-2.5-flash:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"temperature":"hot"}}`)
	if r.status != 400 || !strings.Contains(string(r.body), "generation_config.temperature") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if got := pattern(sim); got != "a" {
		t.Errorf("calls %q", got)
	}
}

// An upload without a length is held to the same limit, and its sender hears why.
func TestChunkedUploadBeyondTheLimit(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1, env: map[string]string{"BODY_LIMIT": "1MiB"}})
	for path, want := range map[string]string{"/v1/chat/completions": `"too_large"`, "/v1beta/models/m:generateContent": `"code":413`} {
		body := io.MultiReader(strings.NewReader(`{"model":"m","x":"`), strings.NewReader(strings.Repeat("x", 3<<20)))
		req, err := http.NewRequest("POST", g.url+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 413 || !strings.Contains(string(got), want) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, got)
		}
	}
}

// The body decides what a request is written in, not the route.
func TestBodyOfTheOtherFormat(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, env: map[string]string{"RETURN_THOUGHTS_TO_FRONTEND": "false"}}) // they count against the tokens
	for _, a := range asks() {
		path, _ := a.http(flash, "")
		body := `{"model":"gemini-2.5-flash","stream":` + map[bool]string{true: "true", false: "false"}[a.stream] +
			`,"contents":[{"role":"user","parts":[{"text":"crossed"}]}],"generationConfig":{"maxOutputTokens":2}}`
		if a.gemini {
			body = `{"model":"ignored","stream":` + map[bool]string{true: "false", false: "true"}[a.stream] + `,"max_tokens":2,"messages":[{"role":"user","content":"crossed"}]}`
		}
		got := understand(t, a, g.post(path, body))
		if want := map[bool]string{true: "MAX_TOKENS", false: "length"}[a.gemini]; got.text != "echo: cr" || got.finish != want || !got.whole {
			t.Errorf("%s: %+v", a.name, got)
		}
	}
	for _, c := range sim.CallsOf("generateContent", "streamGenerateContent") {
		if c.Model != flash {
			t.Errorf("the model was %q: on a Gemini route the path says it", c.Model)
		}
	}
}
