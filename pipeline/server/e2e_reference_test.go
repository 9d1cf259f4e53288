package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What the behaviour reference says of the chat routes (2.1 to 2.3, with 0.3b, which replaces some of
// it), and where it is held:
//
//	2.1 every place of a secret, on both families       TestRoutesOfTheReference, TestPasswordInEveryPlace
//	2.1 all are tried, the first valid one wins         TestPasswordInEveryPlace
//	2.1 ?api_key= is for API keys                       TestAKeyInEveryPlaceAndFormat
//	2.1 401 in the envelope of the format               TestRoutesOfTheReference
//	2.1 an exhausted key is a 429                       TestOldProduct; stages/quota
//	2.1 no secret in a log, none compared by time       TestLogs; stages/auth
//	2.2 the list, created a number that stays           TestRoutesOfTheReference
//	2.2 the list is public                              otherwise (0.3b): public_models, TestPublicModels
//	2.2 ranges of fields, unknown ones tolerated        TestFieldsOfTheReference; n above 1 is refused: Google gives one answer
//	2.2 what is no JSON                                 TestBadInput
//	2.2 enable_anti_truncation                          TestFieldsOfTheReference: does nothing
//	2.2 the aliases of other base addresses             TestRoutesOfTheReference
//	2.2 max_tokens, top_k cut down                      TestFieldsOfTheReference: to the model's limit and to 64, and said so
//	2.2 messages without content are left out           wire/openai; those with tool calls come with the tools
//	2.3 four prefixes, each route, each verb            TestRoutesOfTheReference
//	2.3 OpenAI's shape on the exact path /v1/models     and on /v1/models/{model}, but for callers with Google's header or
//	                                                    ?key=, who are Google's SDKs: TestRoutesOfTheReference
//	2.3 always SSE                                      otherwise (0.3b): an array without alt=sse
//	2.3 slashes, Chinese, a leading models/             TestRoutes, TestModelNamesInPaths, TestNamesReachGoogle
//	2.3 the entry of a model, its limits                TestRoutesOfTheReference, TestModelEntry
//	2.3 contents missing or empty                       TestBadInput
//	2.3 maxOutputTokens and topK cut down, not created  TestFieldsOfTheReference
//	2.3 other fields pass                               TestFieldsOfTheReference, stages/translate
//	2.3 countTokens                                     TestCountTokens, TestCountTokensOffline

// place is where a caller puts the password.
type place struct {
	name   string
	gemini bool // Google's SDKs put it there
	set    func(*http.Request, string)
}

func places() []place {
	list := []place{
		{"Authorization", false, func(r *http.Request, v string) { r.Header.Set("Authorization", "Bearer "+v) }},
		{"?key=", true, func(r *http.Request, v string) { r.URL.RawQuery += "&key=" + v }},
	}
	for _, name := range []string{"x-goog-api-key", "x-api-key", "access_token", "anthropic-auth-token", "x-anthropic-auth-token"} {
		list = append(list, place{name, name == "x-goog-api-key", func(r *http.Request, v string) { r.Header[name] = []string{v} }})
	}
	return list
}

// served is one route of the reference. shape is how an answer begins; shared routes have another
// one for Google's SDKs.
type served struct {
	method, path, body string
	shape, shared      string
	gemini             bool // family of its errors
}

func reference() []served {
	_, chat := ask{}.http(flash, "hello")
	_, chunks := ask{stream: true}.http(flash, "hello")
	_, native := ask{gemini: true}.http(flash, "hello")
	const list, one, models, model = `{"object":"list","data":[{"id":"gemini-2.5-pro","object":"model","created":1700000000,"owned_by":"google"}`,
		`{"id":"gemini-2.5-flash","object":"model","created":1700000000,"owned_by":"google"}`,
		`{"models":[{"name":"models/gemini-2.5-pro"`, `{"name":"models/gemini-2.5-flash","baseModelId":"gemini-2.5-flash"`
	var all []served
	for _, p := range []string{"/v1", "/v1beta/openai", ""} {
		all = append(all,
			served{"POST", p + "/chat/completions", chat, `{"id":"chatcmpl-`, "", false},
			served{"POST", p + "/chat/completions", chunks, `data: {"id":"chatcmpl-`, "", false})
		if p != "/v1" {
			all = append(all, served{"GET", p + "/models", "", list, "", false}, served{"GET", p + "/models/gemini-2.5-flash", "", one, "", false})
		}
	}
	for _, p := range []string{"/v1", "/v1beta", "/v1/v1beta", "/v1/v1"} {
		if p == "/v1" {
			all = append(all, served{"GET", p + "/models", "", list, models, false}, served{"GET", p + "/models/gemini-2.5-flash", "", one, model, false})
		} else {
			all = append(all, served{"GET", p + "/models", "", models, "", true}, served{"GET", p + "/models/gemini-2.5-flash", "", model, "", true})
		}
		p += "/models/gemini-2.5-flash:"
		all = append(all,
			served{"POST", p + "generateContent", native, `{"candidates":[`, "", true},
			served{"POST", p + "streamGenerateContent", native, `[{"candidates":[`, "", true},
			served{"POST", p + "streamGenerateContent?alt=sse", native, `data: {"candidates":[`, "", true},
			served{"POST", p + "countTokens", native, `{"totalTokens":2}`, "", true},
			served{"POST", p + "countTokens", `{"generateContentRequest":{"model":"models/gemini-2.5-flash",` + native[1:] + `}`, `{"totalTokens":2}`, "", true})
	}
	return all
}

// TestRoutesOfTheReference: each route with the password in each place, with a wrong one, with none,
// and with every other method.
func TestRoutesOfTheReference(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1, config: namedConfig})
	bare := header("Authorization")
	for i, route := range reference() {
		t.Run(fmt.Sprint(i, " ", route.method, " ", route.path), func(t *testing.T) {
			for _, p := range places() {
				want := route.shape
				if p.gemini && route.shared != "" {
					want = route.shared
				}
				r := g.do(route.method, route.path, route.body, bare, func(r *http.Request) { p.set(r, secret) })
				if r.status != 200 || !strings.HasPrefix(string(r.body), want) || r.header.Get("X-Request-Id") == "" {
					t.Errorf("%s: %d %.200s, want %s", p.name, r.status, r.body, want)
				}
				r = g.do(route.method, route.path, route.body, bare, func(r *http.Request) { p.set(r, "wrong") })
				refused(t, p.name, r, 401, route.gemini || p.gemini && route.shared != "")
			}
			refused(t, "no password", g.do(route.method, route.path, route.body, bare), 401, route.gemini)
			query := func(r *http.Request) { r.URL.RawQuery += "&api_key=" + secret }
			refused(t, "?api_key=", g.do(route.method, route.path, route.body, bare, query), 401, route.gemini)
			g.otherMethods(t, route)
		})
	}
}

// refused checks an error in the envelope of its family.
func refused(t *testing.T, who string, r reply, status int, gemini bool) {
	t.Helper()
	e := r.err().Error
	if r.status != status || e.Message == "" || gemini != (e.Status != "") || gemini == (e.Type != "") {
		t.Errorf("%s: %d %s, want %d, Gemini %v", who, r.status, r.body, status, gemini)
	}
}

func (g *gateway) otherMethods(t *testing.T, route served) {
	t.Helper()
	allow := map[string]string{"GET": "GET, HEAD, OPTIONS", "POST": "POST, OPTIONS"}[route.method]
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} {
		if method == route.method {
			continue
		}
		r := g.do(method, route.path, "")
		switch {
		case method == "HEAD" && route.method == "GET":
			if r.status != 200 || len(r.body) != 0 {
				t.Errorf("HEAD: %d %s", r.status, r.body)
			}
			continue
		case method == "HEAD":
			if r.status != 405 || len(r.body) != 0 {
				t.Errorf("HEAD: %d %s", r.status, r.body)
			}
		default:
			refused(t, method, r, 405, route.gemini)
		}
		if r.header.Get("Allow") != allow {
			t.Errorf("%s: Allow %q, want %q", method, r.header.Get("Allow"), allow)
		}
	}
	if r := g.do("OPTIONS", route.path, "", header("Origin", "https://chat.example"), header("Authorization")); r.status != 204 || r.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS: %d %v", r.status, r.header)
	}
}

// The entry of a model, in the list and alone.
func TestModelEntry(t *testing.T) {
	t.Parallel()
	g := start(t, launch{light: true, config: "[models]\nlisting = \"base\"\nknown = [\"gemini-2.5-pro\", \"small\"]\n[models.limits]\nsmall = { input = 1000, output = 100 }\n"})
	want := func(name string, in, out int) string {
		return fmt.Sprintf(`{"name":"models/%[1]s","baseModelId":"%[1]s","version":"001","displayName":"%[1]s","description":"Gemini %[1]s model",`+
			`"inputTokenLimit":%d,"outputTokenLimit":%d,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"],`+
			`"temperature":1,"maxTemperature":2,"topP":0.95,"topK":64}`, name, in, out)
	}
	pro, small := want("gemini-2.5-pro", 1048576, 65536), want("small", 1000, 100)
	for path, body := range map[string]string{"/v1beta/models": `{"models":[` + pro + `,` + small + `]}`,
		"/v1beta/models/gemini-2.5-pro": pro, "/v1beta/models/models%2Fsmall": small, "/v1/v1/models/models/models/small": small} {
		if r := g.get(path); !sameJSON(r.body, []byte(body)) {
			t.Errorf("%s: %s, want %s", path, r.body, body)
		}
	}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

// TestFieldsOfTheReference: the ranges of the fields, and what goes up to Google.
func TestFieldsOfTheReference(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true})
	for _, tt := range []struct {
		field   string
		refused string // the parameter that is named; "" is served
		config  string // in generationConfig as Google sees it
		dropped string
	}{
		{`"temperature":0`, "", `"temperature":0`, ""}, {`"temperature":2`, "", `"temperature":2`, ""},
		{`"temperature":2.1`, "temperature", "", ""}, {`"temperature":-0.1`, "temperature", "", ""}, {`"temperature":"hot"`, "temperature", "", ""},
		{`"top_p":0`, "", `"topP":0`, ""}, {`"top_p":1`, "", `"topP":1`, ""}, {`"top_p":1.01`, "top_p", "", ""}, {`"top_p":-1`, "top_p", "", ""},
		{`"max_tokens":1`, "", `"maxOutputTokens":1`, ""}, {`"max_tokens":0`, "max_tokens", "", ""}, {`"max_tokens":1.5`, "max_tokens", "", ""},
		{`"max_tokens":65537`, "", `"maxOutputTokens":65536`, "max_tokens=65536"},
		{`"frequency_penalty":0`, "", "", ""}, {`"frequency_penalty":2.1`, "frequency_penalty", "", ""},
		{`"presence_penalty":0`, "", "", ""}, {`"presence_penalty":-2.1`, "presence_penalty", "", ""},
		{`"n":1`, "", "", ""}, {`"n":0`, "n", "", ""}, {`"n":129`, "n", "", ""}, {`"n":2`, "n", "", ""},
		{`"top_k":1`, "", `"topK":1`, ""}, {`"top_k":0`, "top_k", "", ""}, {`"top_k":65`, "", `"topK":64`, "top_k=64"},
		{`"enable_anti_truncation":true`, "", "", ""}, {`"nobody_knows":{"a":1}`, "", "", "nobody_knows"},
		{`"temperature":null,"top_p":null,"max_tokens":null,"n":null,"top_k":null`, "", "", ""},
	} {
		sim.ForgetCalls()
		r := g.post("/v1/chat/completions", `{"model":"gemini-2.5-flash",`+tt.field+`,"messages":[{"role":"user","content":"hello"}]}`)
		calls := sim.CallsOf("generateContent")
		if tt.refused != "" {
			if e := r.err().Error; r.status != 400 || e.Param != tt.refused || len(calls) != 0 {
				t.Errorf("%s: %d %s, %d calls", tt.field, r.status, r.body, len(calls))
			}
			continue
		}
		if r.status != 200 || len(calls) != 1 || !strings.Contains(string(calls[0].Body), tt.config) || r.header.Get("X-Dropped-Params") != tt.dropped {
			t.Errorf("%s: %d %.200s, dropped %q, %+v", tt.field, r.status, r.body, r.header.Get("X-Dropped-Params"), calls)
		}
	}
	for config, want := range map[string]string{
		`{"topK":100,"maxOutputTokens":99999}`: `"generationConfig":{"topK":64,"maxOutputTokens":65536,"thinkingConfig":{"includeThoughts":true}}`,
		`{"topK":40,"maxOutputTokens":10}`:     `"generationConfig":{"topK":40,"maxOutputTokens":10,"thinkingConfig":{"includeThoughts":true}}`,
		`{"seed":7}`:                           `"generationConfig":{"seed":7,"thinkingConfig":{"includeThoughts":true}}`,
	} {
		sim.ForgetCalls()
		r := g.post("/v1beta/models/gemini-2.5-flash:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hello"}]}],"generationConfig":`+config+`}`)
		if calls := sim.CallsOf("generateContent"); r.status != 200 || len(calls) != 1 || !strings.Contains(string(calls[0].Body), want) {
			t.Errorf("%s: %d %s %+v", config, r.status, r.body, calls)
		}
	}
}
