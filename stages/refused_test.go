package stages_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"gcli2api/pipeline/server"
	"gcli2api/store/storetest"
)

// A store that does not answer is no fault of the key, nor of Google: in every format a 503 that says to come
// again in a second, and nothing is charged or shown of what Google said.
func TestStoreIsAwayInEveryFormat(t *testing.T) {
	const turns = `"messages":[{"role":"user","content":"hi"}]}`
	h := newHouse(t)
	e := engine(t, h.kinds, true)
	if err := e.Apply(load(t, h.kinds, "")); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := server.New(server.Options{Engine: e, Log: slog.New(slog.DiscardHandler)})
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _, _ = s.Shutdown(t.Context()), e.Close(t.Context()) })
	for _, c := range []struct{ name, path, body, words string }{
		{"openai", "/v1/chat/completions", `{"model":"gemini-2.5-flash",` + turns, "server_error upstream_unavailable"},
		{"openai stream", "/v1/chat/completions", `{"model":"gemini-2.5-flash","stream":true,` + turns, "server_error upstream_unavailable"},
		{"gemini", "/v1beta/models/gemini-2.5-flash:generateContent", native, "UNAVAILABLE 503 1s"},
		{"gemini stream", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", native, "UNAVAILABLE 503 1s"},
		{"gemini array", "/v1beta/models/gemini-2.5-flash:streamGenerateContent", native, "UNAVAILABLE 503 1s"},
		{"anthropic", "/v1/messages", `{"model":"gemini-2.5-flash","max_tokens":9,` + turns, "overloaded_error"},
		{"anthropic stream", "/v1/messages", `{"model":"gemini-2.5-flash","max_tokens":9,"stream":true,` + turns, "overloaded_error"},
		{"responses", "/v1/responses", `{"model":"gemini-2.5-flash","input":"hi"}`, "server_error upstream_unavailable"},
		{"responses stream", "/v1/responses", `{"model":"gemini-2.5-flash","input":"hi","stream":true}`, "server_error upstream_unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ask := func() (*http.Response, string) {
				t.Helper()
				req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+ln.Addr().String()+c.path, strings.NewReader(c.body))
				req.Header.Set("x-api-key", h.secret)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Error(err)
				}
				return resp, string(text)
			}
			before := h.used()
			h.store.Break(storetest.Fault{Err: errors.New("the disk of /secret/place is full"), Calls: []string{"Take", "Add", "Put"}})
			resp, text := ask()
			h.store.Heal()
			if !json.Valid([]byte(text)) {
				t.Errorf("no JSON: %s", text)
			}
			for _, word := range strings.Fields(c.words) {
				if !strings.Contains(text, word) {
					t.Errorf("%q is missing: %s", word, text)
				}
			}
			if kind := resp.Header.Get("Content-Type"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || resp.Header.Get("X-Should-Retry") != "" ||
				!strings.HasPrefix(kind, "application/json") || strings.Contains(text, "secret") || strings.Contains(text, "echo") {
				t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
			}
			if used := h.used(); used != before {
				t.Errorf("%d units are gone", used-before)
			}
			if resp, text := ask(); resp.StatusCode != 200 {
				t.Errorf("after the store came back: %d %s", resp.StatusCode, text)
			}
			if used := h.used() - before; used != 2 {
				t.Errorf("%d units for one answer", used)
			}
		})
	}
}
