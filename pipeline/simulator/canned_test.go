package simulator

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBenchModels(t *testing.T) {
	k := start(t, Options{Canned: map[string]Canned{"bench-own": {Body: []byte(`{"own":1}`)}}})
	whole := read(t, k.assist("generateContent", `{"model":"bench-json-4096","project":"any","request":{"strictness":"none"}}`).body)
	if len(whole.text()) < 4000 || whole.finish() != "STOP" {
		t.Errorf("bench-json: %d bytes, %q", len(whole.text()), whole.finish())
	}
	all := events(t, k.studio("streamGenerateContent?alt=sse", "bench-sse-7", "{}").body)
	if len(all) != 7 || all[6].finish() != "STOP" {
		t.Errorf("bench-sse-7: %d events", len(all))
	}
	k.assist("generateContent", `{"model":"bench-own"}`).want(t, 200, `{"own":1}`)
	k.studio("generateContent", "bench-nothing", user("x")).want(t, 404, "not found")
	k.ask("generateContent", "gemini-2.5-pro", user(strings.Repeat("x", 600)+`"bench-sse"`)).want(t, 200, "echo: x")
}

func TestCannedServer(t *testing.T) {
	c, err := StartCanned(CannedOptions{N: 5})
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, body string) []byte {
		t.Helper()
		response, err := http.Post(c.URL()+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		all, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%d %v", response.StatusCode, err)
		}
		return all
	}
	if s := read(t, post("/v1beta/models/m:generateContent", "{}")); len(s.text()) < 2000 {
		t.Errorf("whole: %d bytes", len(s.text()))
	}
	if n := len(events(t, post("/v1beta/models/m:streamGenerateContent?alt=sse", "{}"))); n != 5 {
		t.Errorf("%d events", n)
	}
	if n := len(events(t, post("/v1beta/models/bench-sse-3-1ms:streamGenerateContent?alt=sse", "{}"))); n != 3 {
		t.Errorf("%d events by model name", n)
	}
	wrapped := post("/v1internal:streamGenerateContent?alt=sse", `{"model":"bench-sse-2","request":{}}`)
	if !bytes.Contains(wrapped, []byte(`"traceId"`)) || len(events(t, wrapped)) != 2 {
		t.Errorf("Code Assist: %s", wrapped)
	}
	if c.Count() != 4 {
		t.Errorf("%d requests counted", c.Count())
	}
	running := make(chan struct{})
	go func() {
		defer close(running)
		response, err := http.Post(c.URL()+"/v1beta/models/bench-sse-100-1h:streamGenerateContent", "", nil)
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	}()
	for limit := soon(t); c.Count() < 5 && limit.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-running:
	case <-time.After(10 * time.Second):
		t.Error("a stream outlives Close")
	}
}

func TestCannedServerTakesEveryBody(t *testing.T) {
	c, err := StartCanned(CannedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	big := strings.Repeat("x", 1<<20)
	for name, body := range map[string]io.Reader{
		"none": nil, "big": strings.NewReader(big), "chunked": io.MultiReader(strings.NewReader(big), strings.NewReader("y")),
	} {
		for round := range 2 { // the second one shows that the first left nothing on the connection
			request, err := http.NewRequest("POST", c.URL()+"/v1beta/models/m:generateContent", body)
			if err != nil {
				t.Fatal(err)
			}
			request.Close = round == 1 && name == "big"
			response, err := client.Do(request)
			if err != nil {
				t.Fatalf("%s, round %d: %v", name, round, err)
			}
			if all, err := io.ReadAll(response.Body); err != nil || response.StatusCode != 200 || len(all) < 2000 {
				t.Errorf("%s, round %d: %d %v", name, round, response.StatusCode, err)
			}
			response.Body.Close()
			body = nil
		}
	}
}

func BenchmarkCanned(b *testing.B) {
	c, err := StartCanned(CannedOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for name, path := range map[string]string{"json": "/v1beta/models/m:generateContent", "sse": "/v1beta/models/m:streamGenerateContent?alt=sse"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				response, err := client.Post(c.URL()+path, "application/json", strings.NewReader("{}"))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
	}
}

func BenchmarkEcho(b *testing.B) {
	k := start(b, Options{})
	b.ReportAllocs()
	for b.Loop() {
		if a := k.ask("generateContent", "gemini-2.5-flash", user("hi")); a.status != 200 {
			b.Fatal(a.status)
		}
	}
}
