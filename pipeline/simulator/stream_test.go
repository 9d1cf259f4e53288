package simulator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestStreamEvents(t *testing.T) {
	k := start(t, Options{WordsPerEvent: 1})
	a := k.ask("streamGenerateContent?alt=sse", "gemini-3.1-pro-preview",
		`{"contents":[`+turn("one two three")+`],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}`)
	if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	all := events(t, a.body)
	thoughts, final := 0, all[len(all)-1]
	for i, e := range all {
		if e.Candidates[0].Content.Parts[0].Thought {
			thoughts++
			if i >= thoughts {
				t.Error("a thought after text")
			}
		}
		if e.TraceID != final.TraceID || e.ModelVersion != "gemini-3.1-pro-preview" || e.UsageMetadata.ThoughtsTokenCount == 0 {
			t.Errorf("event %d: %+v", i, e)
		}
		if (e.finish() != "") != (i == len(all)-1) {
			t.Errorf("finish reason %q in event %d of %d", e.finish(), i, len(all))
		}
	}
	if thoughts < 2 || len(all) < thoughts+5 || joined(all) != "echo: one two three" {
		t.Errorf("%d events, %d thoughts, text %q", len(all), thoughts, joined(all))
	}
	if final.finish() != "STOP" || final.UsageMetadata.CandidatesTokenCount != Tokens("echo: one two three") ||
		final.Candidates[0].Content.Parts[0].ThoughtSignature != k.Signature("gemini-3.1-pro-preview", "") {
		t.Errorf("final event: %+v", final)
	}
}

func TestArrayStream(t *testing.T) {
	k := start(t, Options{})
	a := k.studio("streamGenerateContent", "gemini-2.5-flash", user("one two three four"))
	var all []json.RawMessage
	if err := json.Unmarshal(a.body, &all); err != nil || len(all) < 3 {
		t.Fatalf("array: %v %s", err, a.body)
	}
	text := ""
	for _, e := range all {
		text += read(t, e).text()
	}
	if text != "echo: one two three four" {
		t.Errorf("text: %q", text)
	}
	k.studio("streamGenerateContent", "gemini-2.5-flash", `{}`).want(t, 400, `[{"error"`)
	k.studio("streamGenerateContent", "gemini-2.5-flash", `{"foo":1}`).want(t, 400, `[{"error"`)
	if bad := k.studio("streamGenerateContent?alt=sse", "gemini-2.5-flash", `{"contents":[]}`); !bytes.HasPrefix(bad.body, []byte(`{"error"`)) {
		t.Errorf("error with alt=sse: %s", bad.body)
	}
}

func TestStreamOfCalls(t *testing.T) {
	k := start(t, Options{})
	all := events(t, k.ask("streamGenerateContent?alt=sse", "gemini-3-pro-preview", `{"contents":[`+turn("call f call f")+`],"tools":[{"functionDeclarations":[{"name":"f"}]}]}`).body)
	if len(all) != 2 || len(all[0].Candidates[0].Content.Parts) != 2 || all[1].finish() != "STOP" {
		t.Errorf("events: %+v", all)
	}
}

// open starts a streaming call and gives the response while it runs.
func (k *kit) open(c context.Context, prompt string) *http.Response {
	k.t.Helper()
	body := `{"model":"gemini-2.5-flash","project":"` + k.account.Project + `","request":` + user(prompt) + `}`
	request, err := http.NewRequestWithContext(c, "POST", k.URL()+"/v1internal:streamGenerateContent?alt=sse", strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	for name, value := range k.bearerHeader() {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		k.t.Fatal(err)
	}
	return response
}

func TestEveryEventIsFlushed(t *testing.T) {
	k := start(t, Options{EventGap: 100 * time.Millisecond, WordsPerEvent: 1})
	response := k.open(soon(t), "a b c")
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: ") || !strings.HasSuffix(line, "\r\n") {
		t.Fatalf("first line: %q %v", line, err)
	}
	if k.Open() != 1 { // the first event came while the stream was still running
		t.Errorf("%d calls are open", k.Open())
	}
}

func TestClientThatLeaves(t *testing.T) {
	for _, prompt := range []string{"!fault silence 1h", "!fault slow-event 1h"} {
		t.Run(prompt, func(t *testing.T) {
			k := start(t, Options{})
			c, cancel := context.WithCancel(soon(t))
			response := k.open(c, prompt)
			if err := k.WaitOpen(soon(t), 1); err != nil {
				t.Fatal(err)
			}
			cancel()
			response.Body.Close()
			if err := k.WaitIdle(soon(t)); err != nil {
				t.Fatal(err)
			}
			calls := k.CallsOf("streamGenerateContent")
			if len(calls) != 1 || !calls[0].Done || !calls[0].Gone {
				t.Errorf("calls: %+v", calls)
			}
		})
	}
}

func TestCloseEndsStreams(t *testing.T) {
	s, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{Server: s, t: t, account: s.AddAccount(Account{Email: email})}
	k.token = k.AccessToken(email)
	response := k.open(soon(t), "!fault silence 1h")
	defer response.Body.Close()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for a silent stream")
	}
	if c := s.Calls(); len(c) != 1 || c[0].Gone || !c[0].Done || s.Open() != 0 {
		t.Errorf("calls: %+v", c)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestCallRecord(t *testing.T) {
	k := start(t, Options{KeepCalls: 3})
	body := user("hello")
	k.send("POST", "/v1beta/models/gemini-2.5-flash:generateContent?key="+key, body, map[string]string{"Content-Type": "application/json", "User-Agent": "me/1"})
	c := k.Calls()[0]
	if c.Verb != "generateContent" || c.Backend != AIStudio || c.Model != "gemini-2.5-flash" || c.Credential != mask(key) || c.Status != 200 ||
		c.Header.Get("User-Agent") != "me/1" || string(c.Body) != body || strings.Contains(c.Query, key) {
		t.Errorf("call: %+v", c)
	}
	for range 5 {
		k.ask("generateContent", "gemini-2.5-pro", user("x"))
	}
	all := k.Calls()
	if len(all) != 3 || all[2].Number != 6 || all[0].Number != 4 || all[2].Project != k.account.Project || all[2].Credential != email {
		t.Errorf("ring: %+v", all)
	}
	if h := all[2].Header.Get("Authorization"); strings.Contains(h, k.token) || h == "" {
		t.Errorf("authorization in the record: %q", h)
	}
	k.ForgetCalls()
	if len(k.Calls()) != 0 {
		t.Error("calls are not forgotten")
	}
}

func TestRecordedBodiesAreBounded(t *testing.T) {
	k := start(t, Options{KeepBytes: 3000})
	for range 5 {
		k.studio("generateContent", "gemini-2.5-flash", user(strings.Repeat("x", 1000)))
	}
	held := 0
	for i, c := range k.Calls() {
		held += len(c.Body)
		if newest := i >= 3; newest != (c.Body != nil) {
			t.Errorf("call %d holds %d bytes", c.Number, len(c.Body))
		}
	}
	if held > 3000 {
		t.Errorf("%d bytes are held", held)
	}
}

func TestLatency(t *testing.T) {
	k := start(t, Options{Latency: 50 * time.Millisecond})
	begin := time.Now()
	k.ask("generateContent", "gemini-2.5-flash", user("hi")).want(t, 200, "echo: hi")
	if took := time.Since(begin); took < 50*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
}
