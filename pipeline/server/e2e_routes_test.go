package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const namedConfig = `
[models]
listing = "base"
known = ["gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-image"]
[models.alias]
"中文/模型" = "gemini-2.5-flash"
`

// raw writes a request line as it stands: net/http would encode it.
func (g *gateway) raw(line string, headers ...string) string {
	g.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", line, strings.Join(append(headers, ""), "\r\n"))
	b, err := io.ReadAll(c)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(b)
}

func (g *gateway) rawPost(path, body string) string {
	g.t.Helper()
	return g.raw("POST "+path, "Authorization: Bearer "+g.pass, "Content-Type: application/json",
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 1)
	g := start(t, launch{sim: sim, accounts: 1, keys: 1, config: namedConfig})
	openai := ask{name: "openai"}
	_, chatBody := openai.http(flash, "hello routes")
	for _, path := range []string{"/v1/chat/completions", "/chat/completions", "/v1beta/openai/chat/completions",
		"//v1//chat/completions/", "/V1/Chat/Completions", "/v1/chat%2Fcompletions"} {
		t.Run("POST "+path, func(t *testing.T) {
			if got := understand(t, openai, g.post(path, chatBody)); got.text != "echo: hello routes" || got.finish != "stop" {
				t.Errorf("%+v", got)
			}
		})
	}
	_, geminiBody := ask{gemini: true}.http(flash, "hello routes")
	for _, prefix := range []string{"/v1", "/v1beta", "/v1/v1beta", "/v1/v1"} {
		for _, model := range []string{flash, "models/" + flash, "models%2F" + flash} {
			for verb, a := range map[string]ask{":generateContent": {gemini: true}, "%3AgenerateContent": {gemini: true},
				":streamGenerateContent": {gemini: true, stream: true, array: true}, ":streamGenerateContent?alt=json": {gemini: true, stream: true, array: true},
				":streamGenerateContent?alt=sse": {gemini: true, stream: true}} {
				path := prefix + "/models/" + model + verb
				t.Run("POST "+path, func(t *testing.T) {
					r := g.post(path, geminiBody)
					if got := understand(t, a, r); r.status != 200 || got.text != "echo: hello routes" || got.finish != "STOP" || !got.whole {
						t.Errorf("%d %+v", r.status, got)
					}
				})
			}
			t.Run("POST "+prefix+" countTokens "+model, func(t *testing.T) {
				r := g.post(prefix+"/models/"+model+":countTokens", geminiBody)
				if r.status != 200 || !strings.Contains(string(r.body), `"totalTokens":3`) {
					t.Errorf("%d %s", r.status, r.body)
				}
			})
		}
	}
}

// The gateway's own choice of the stream without alt=sse.
func TestGeminiStreamDefault(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, env: map[string]string{"GEMINI_STREAM_DEFAULT": "sse"}})
	path, body := ask{gemini: true, stream: true, array: true}.http(flash, "hello")
	if got := understand(t, ask{gemini: true, stream: true}, g.post(path, body)); !got.whole || got.text != "echo: hello" {
		t.Errorf("%+v", got)
	}
}

func TestModelNamesInPaths(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, config: namedConfig})
	off := start(t, launch{sim: sim, accounts: 1, config: "[stage.model]\nenabled = false\n"})
	_, body := ask{gemini: true}.http(flash, "hello")
	for name, model := range map[string]string{"raw": "中文/模型", "encoded": "%E4%B8%AD%E6%96%87%2F%E6%A8%A1%E5%9E%8B", "half": "%E4%B8%AD%E6%96%87/模型"} {
		t.Run("alias "+name, func(t *testing.T) {
			if got := g.rawPost("/v1beta/models/"+model+":generateContent", body); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, "echo: hello") {
				t.Error(got)
			}
		})
	}
	if r := g.post("/v1/chat/completions", `{"model":"中文/模型","messages":[{"role":"user","content":"hello"}]}`); r.status != 200 || !strings.Contains(string(r.body), `"model":"中文/模型"`) {
		t.Errorf("in a body: %d %s", r.status, r.body)
	}
	// A feature whose stage is off is refused by name, so the whole name was read.
	bare := start(t, launch{sim: sim, accounts: 1, light: true, config: "[stage.fakestream]\nenabled = false\n[stage.antitrunc]\nenabled = false\n"})
	for name, model := range map[string]string{"prefix": "流式抗截断/gemini-2.5-pro", "prefix encoded": "%E6%B5%81%E5%BC%8F%E6%8A%97%E6%88%AA%E6%96%AD%2Fgemini-2.5-pro",
		"suffix": "gemini-2.5-pro-假流式", "english": "gemini-2.5-pro-fake-stream"} {
		t.Run("feature "+name, func(t *testing.T) {
			got := bare.rawPost("/v1beta/models/"+model+":generateContent", body)
			if !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "feature_disabled") {
				t.Error(got)
			}
		})
	}
	// With the stage off the name goes up as it is.
	for model, name := range map[string]string{"流式抗截断/gemini-2.5-pro": "流式抗截断/gemini-2.5-pro", "%E6%B5%81%E5%BC%8F%2Fgemini-2.5-pro": "流式/gemini-2.5-pro"} {
		t.Run("unparsed "+model, func(t *testing.T) {
			sim.ForgetCalls()
			got := off.rawPost("/v1beta/models/"+model+":generateContent", body)
			calls := sim.CallsOf("generateContent")
			if !strings.HasPrefix(got, "HTTP/1.1 404 ") || len(calls) != 1 || calls[0].Model != name {
				t.Errorf("%+v %s", calls, got)
			}
		})
	}
}

func TestWhatIsNotServed(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1})
	_, body := ask{gemini: true}.http(flash, "hello")
	for _, tt := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"POST", "/v1beta/models/m:asyncBatchEmbedContent", 501, `"UNIMPLEMENTED"`},
		{"POST", "/v1beta/files", 501, `"UNIMPLEMENTED"`},
		{"POST", "/v1/audio/speech", 501, `"unsupported"`},
		{"POST", "/v1beta/models/m:predict", 501, `"UNIMPLEMENTED"`},
		{"POST", "/v1beta/models/m:generateAnswer", 501, "generateAnswer"},
		{"GET", "/v1/chat/completions", 405, "method_not_allowed"},
		{"PUT", "/v1/chat/completions", 405, "method_not_allowed"},
		{"POST", "/v1/models", 405, "method_not_allowed"},
		{"PROPFIND", "/v1/chat/completions", 405, "method_not_allowed"}, // fiber knows no such method
		{"QUERY", "/v1beta/models/m:generateContent", 405, "method_not_allowed"},
		{"PURGE", "/v1/nothing", 404, `"not_found"`},
		{"DELETE", "/v1beta/models/m", 405, "method_not_allowed"},
		{"GET", "/v1beta/models/m:generateContent", 405, "method_not_allowed"},
		{"POST", "/v1beta/models/:generateContent", 400, "no model"},
		{"POST", "/v1beta/models/%zz:generateContent", 400, `"INVALID_ARGUMENT"`},
		{"POST", "/v1/%zz", 400, `"invalid_request_error"`},
		{"GET", "/v1/nothing", 404, `"not_found"`},
		{"GET", "/v1beta/nothing", 404, `"NOT_FOUND"`},
		{"GET", "/", 404, `"not_found"`},
		{"POST", "/v1/../v1/chat/completions", 404, `"not_found"`},
		{"POST", "/v1/message", 404, `"not_found"`},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			got := g.raw(tt.method+" "+tt.path, "Authorization: Bearer "+g.pass, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
			if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", tt.status)) || !strings.Contains(got, tt.says) || !strings.Contains(got, `{"error":{`) {
				t.Errorf("want %d with %q, got %s", tt.status, tt.says, got)
			}
			if tt.status == 405 && !strings.Contains(got, "\r\nAllow: ") {
				t.Errorf("no Allow: %s", got)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	g := start(t, launch{})
	anonymous := header("Authorization")
	for _, path := range []string{"/health", "/keepalive"} {
		if r := g.get(path, anonymous); r.status != 200 || string(r.body) != `{"status":"ok","store":{"engine":"file","up":true}}` {
			t.Errorf("GET %s: %d %s", path, r.status, r.body)
		}
		if r := g.do("HEAD", path, "", anonymous); r.status != 200 || len(r.body) != 0 {
			t.Errorf("HEAD %s: %d %s", path, r.status, r.body)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1})
	page := func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Set("Origin", "https://chat.example")
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "authorization,x-stainless-os")
	}
	for _, path := range []string{"/v1/chat/completions", "/chat/completions", "/v1/models", "/v1beta/models", "/v1beta/models/m",
		"/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse", "/v1/v1beta/models/m:countTokens"} {
		r := g.do("OPTIONS", path, "", page)
		h := r.header
		if r.status != 204 || h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") ||
			h.Get("Access-Control-Allow-Headers") != "authorization,x-stainless-os" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("preflight of %s: %d %v", path, r.status, h)
		}
	}
	for _, a := range asks() {
		path, body := a.http(flash, "hello")
		if r := g.post(path, body, header("Origin", "https://chat.example")); r.status != 200 || r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", a.name, r.status, r.header)
		}
	}
	if r := g.post("/v1/chat/completions", "{}", header("Authorization", "Bearer wrong"), header("Origin", "https://chat.example")); r.status != 401 || r.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("a page cannot read the refusal: %d %v", r.status, r.header)
	}
	for _, path := range []string{"/pipeline", "/creds/status", "/usage/stats", "/usage/aggregated"} {
		for _, r := range []reply{g.do("OPTIONS", path, "", page), g.get(path, header("Origin", "https://evil.example")), g.post(path, "{}", header("Origin", "https://evil.example"))} {
			for name := range r.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s: %d has %s", path, r.status, name)
				}
			}
		}
	}
}

// gets lists what GET answers, as the two shapes of a listing.
type listing struct {
	Object string
	Data   []struct {
		ID, Object string
		Created    *int64
		OwnedBy    string `json:"owned_by"`
	}
	Models []struct {
		Name             string
		InputTokenLimit  int
		OutputTokenLimit int
		Methods          []string `json:"supportedGenerationMethods"`
	}
}

func TestModelListing(t *testing.T) {
	t.Parallel()
	g := start(t, launch{config: namedConfig})
	bearer := header("Authorization", "Bearer "+secret)
	googleKey := func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("x-goog-api-key", secret) }
	for _, tt := range []struct {
		path   string
		who    func(*http.Request)
		gemini bool
	}{
		{"/v1/models", bearer, false}, {"/models", bearer, false}, {"/v1beta/openai/models", bearer, false}, {"/v1beta/openai/models", googleKey, false},
		{"/v1/models", googleKey, true}, {"/v1/models?key=" + secret, header("Authorization"), true},
		{"/v1beta/models", bearer, true}, {"/v1/v1beta/models", bearer, true}, {"/v1/v1/models", bearer, true},
	} {
		r := g.get(tt.path, tt.who)
		var got listing
		if err := json.Unmarshal(r.body, &got); err != nil || r.status != 200 {
			t.Errorf("%s: %d %v %s", tt.path, r.status, err, r.body)
		}
		if tt.gemini && (len(got.Models) != 3 || got.Models[0].Name != "models/gemini-2.5-pro" || got.Models[0].InputTokenLimit != 1048576 ||
			got.Models[0].OutputTokenLimit != 65536 || len(got.Models[0].Methods) != 3) {
			t.Errorf("%s: not Gemini's list: %s", tt.path, r.body)
		}
		if !tt.gemini && (len(got.Data) != 3 || got.Object != "list" || got.Data[0].ID != "gemini-2.5-pro" || got.Data[0].Object != "model" ||
			got.Data[0].Created == nil || got.Data[0].OwnedBy == "") {
			t.Errorf("%s: not OpenAI's list: %s", tt.path, r.body)
		}
	}
	for path, says := range map[string]string{"/v1/models/gemini-2.5-pro": `{"id":"gemini-2.5-pro","object":"model"`, "/v1beta/models/gemini-2.5-pro": `{"name":"models/gemini-2.5-pro"`,
		"/v1beta/openai/models/gemini-2.5-pro": `{"id":"gemini-2.5-pro"`} {
		if r := g.get(path); r.status != 200 || !strings.HasPrefix(string(r.body), says) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for path, says := range map[string]string{"/v1/models/nobody": `"code":"model_not_found"`, "/v1beta/models/nobody": `"status":"NOT_FOUND"`} {
		if r := g.get(path); r.status != 404 || !strings.Contains(string(r.body), says) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

func TestPublicModels(t *testing.T) {
	t.Parallel()
	closed := start(t, launch{})
	public := start(t, launch{env: map[string]string{"PUBLIC_MODELS": "true"}})
	anonymous := header("Authorization")
	for _, path := range []string{"/v1/models", "/v1beta/models", "/v1/models/gemini-2.5-pro"} {
		if r := closed.get(path, anonymous); r.status != 401 {
			t.Errorf("%s without a password: %d", path, r.status)
		}
		if r := public.get(path, anonymous); r.status != 200 {
			t.Errorf("public %s: %d %s", path, r.status, r.body)
		}
	}
	if r := public.post("/v1/chat/completions", `{"model":"m","messages":[]}`, anonymous); r.status != 401 {
		t.Errorf("chat without a password: %d", r.status)
	}
}
