package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// tongue is a way to ask one question in a language that is neither chat completions nor Gemini.
type tongue struct {
	name, path string
	body       func(prompt string, stream bool) string
	envelope   func(t *testing.T, body []byte) (kind, message string) // of an error reply
	ends       string                                                 // what a whole stream has at its end
	fails      string                                                 // what an error inside a stream looks like
	filtered   string                                                 // its word for content that was blocked
}

func tongues() []tongue {
	flag := func(stream bool) string { return fmt.Sprintf(`"stream":%v`, stream) }
	openai := func(t *testing.T, body []byte) (string, string) {
		var e struct {
			Error struct{ Type, Message string }
		}
		if err := json.Unmarshal(body, &e); err != nil {
			t.Errorf("%v: %s", err, body)
		}
		return e.Error.Type, e.Error.Message
	}
	return []tongue{
		{"messages", "/v1/messages", func(prompt string, stream bool) string {
			return `{"model":"` + flash + `","max_tokens":1000,` + flag(stream) + `,"messages":[{"role":"user","content":` + quoted(prompt) + `}]}`
		}, func(t *testing.T, body []byte) (string, string) {
			var e struct {
				Type  string
				Error struct{ Type, Message string }
			}
			if err := json.Unmarshal(body, &e); err != nil || e.Type != "error" {
				t.Errorf("%v: %s", err, body)
			}
			return e.Error.Type, e.Error.Message
		}, "event: message_stop", "event: error\ndata: {\"type\":\"error\",\"error\":{", "refusal"},
		{"responses", "/v1/responses", func(prompt string, stream bool) string {
			return `{"model":"` + flash + `",` + flag(stream) + `,"input":` + quoted(prompt) + `}`
		}, openai, "event: response.completed", "event: error\ndata: {", "content_filter"},
		{"completions", "/v1/completions", func(prompt string, stream bool) string {
			return `{"model":"` + flash + `",` + flag(stream) + `,"prompt":` + quoted(prompt) + `}`
		}, openai, "data: [DONE]", "data: {\"error\":{", "content_filter"},
	}
}

// Each language hears errors in its own envelope with the true status, before and after the first byte.
func TestFamiliesHearErrors(t *testing.T) {
	t.Parallel()
	for _, f := range tongues() {
		for _, tt := range []struct {
			fault        string
			status       int
			openai, mine string // type of OpenAI's envelope, and of Anthropic's
			inside       bool   // a stream has begun by then
		}{
			{"400", 400, "invalid_request_error", "invalid_request_error", false},
			{"400-tokens", 400, "invalid_request_error", "invalid_request_error", false},
			{"404", 404, "invalid_request_error", "not_found_error", false},
			{"503", 503, "server_error", "overloaded_error", false},
			{"429-perday", 429, "insufficient_quota", "rate_limit_error", false},
			{"blocked", 400, "invalid_request_error", "invalid_request_error", false},
			{"empty", 502, "server_error", "api_error", false},
			{"malformed-call", 502, "server_error", "api_error", false},
			{"cut", 502, "server_error", "api_error", true},
		} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprint(f.name, " ", tt.fault, " ", stream), func(t *testing.T) {
					t.Parallel()
					g := start(t, launch{sim: google(t, 0, 2), keys: 2, light: true, env: map[string]string{"RETRY_429_INTERVAL": "0.01", "MAX_CALLS": "2"}})
					r := g.post(f.path, f.body("!fault "+tt.fault, stream))
					if stream && tt.inside {
						if r.status != 200 || !strings.Contains(string(r.body), f.fails) || strings.Contains(string(r.body), f.ends) {
							t.Errorf("%d %s", r.status, r.body)
						}
						return
					}
					want := tt.openai
					if f.name == "messages" {
						want = tt.mine
					}
					if tt.fault == "cut" && !stream && r.status == 200 { // an answer in one piece has no middle
						return
					}
					kind, message := f.envelope(t, r.body)
					if tt.fault == "400-tokens" && !strings.Contains(string(r.body), "prompt is too long") && !strings.Contains(string(r.body), `"context_length_exceeded"`) {
						t.Errorf("agents cannot tell: %s", r.body)
					}
					if r.status != tt.status || kind != want || message == "" {
						t.Errorf("%d %s: want %d with %s", r.status, r.body, tt.status, want)
					}
				})
			}
		}
	}
}

// What is wrong with the request itself, and with who asks.
func TestFamiliesRefuse(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1, light: true})
	for _, f := range tongues() {
		for name, c := range map[string]struct {
			body   string
			change func(*http.Request)
			status int
			kind   string
		}{
			"wrong password": {f.body("hi", false), header("Authorization", "Bearer no"), 401, "authentication_error"},
			"no JSON":        {`{"model"`, nil, 400, "invalid_request_error"},
			"no model":       {`{"messages":[],"input":"x","prompt":"x"}`, nil, 400, "invalid_request_error"},
			"no content":     {`{"model":"` + flash + `","max_tokens":5}`, nil, 400, "invalid_request_error"},
			"a list":         {`[]`, nil, 400, "invalid_request_error"},
		} {
			change := c.change
			if change == nil {
				change = func(*http.Request) {}
			}
			r := g.post(f.path, c.body, change)
			if kind, message := f.envelope(t, r.body); r.status != c.status || kind != c.kind || message == "" {
				t.Errorf("%s, %s: %d %s", f.name, name, r.status, r.body)
			}
		}
		if r := g.get(f.path); r.status != 405 {
			t.Errorf("GET %s: %d %s", f.path, r.status, r.body)
		}
	}
}

// Whole answers and streams that end as they should.
func TestFamiliesAnswer(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1})
	for _, f := range tongues() {
		for _, stream := range []bool{false, true} {
			r := g.post(f.path, f.body("hello there", stream))
			if r.status != 200 || !strings.Contains(string(r.body), "echo:") || stream != strings.Contains(string(r.body), f.ends) {
				t.Errorf("%s, stream %v: %d %s", f.name, stream, r.status, r.body)
			}
			if id := r.header.Get("X-Request-Id"); id == "" || f.name == "messages" && r.header.Get("Request-Id") != id {
				t.Errorf("%s: ids %v", f.name, r.header)
			}
			if stream != strings.HasPrefix(r.header.Get("Content-Type"), "text/event-stream") {
				t.Errorf("%s: %s", f.name, r.header.Get("Content-Type"))
			}
			if r := g.post(f.path, f.body("!fault safety", stream)); r.status != 200 || !strings.Contains(string(r.body), f.filtered) {
				t.Errorf("%s, stream %v: %d %s", f.name, stream, r.status, r.body)
			}
		}
	}
}

// Embeddings and pictures need a key of AI Studio; Code Assist alone is a clear 501.
func TestVectorsAndPictures(t *testing.T) {
	t.Parallel()
	asks := map[string][2]string{
		"/v1/embeddings": {`{"model":"gemini-embedding-001","input":["a","b"],"dimensions":8}`, `"object":"embedding"`},
		"/v1beta/models/gemini-embedding-001:embedContent":       {`{"content":{"parts":[{"text":"a"}]},"outputDimensionality":8}`, `"embedding"`},
		"/v1beta/models/gemini-embedding-001:batchEmbedContents": {`{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]}}]}`, `"embeddings"`},
		"/v1/images/generations":                                 {`{"model":"gemini-2.5-flash-image","prompt":"a fox","size":"1792x1024"}`, `"b64_json":"`},
	}
	g := start(t, launch{sim: google(t, 0, 1), keys: 1})
	for path, c := range asks {
		if r := g.post(path, c[0]); r.status != 200 || !strings.Contains(string(r.body), c[1]) {
			t.Errorf("%s: %d %.300s", path, r.status, r.body)
		}
	}
	g = start(t, launch{sim: google(t, 1, 0), accounts: 1})
	for path, c := range asks {
		if r := g.post(path, c[0]); r.status != 501 || !strings.Contains(string(r.body), "API key of Google AI Studio") {
			t.Errorf("%s with Code Assist alone: %d %s", path, r.status, r.body)
		}
	}
}
