package server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/server"
)

const chat = `{"model":"m","messages":[],"stream":true}`

// streaming answers every exchange with a feed and hands it to the test.
func streaming(feeds chan *feed, patience ...time.Duration) step {
	return func(x *pipeline.Exchange) pipeline.Verdict {
		if len(patience) == 2 {
			x.Patience(patience[0], patience[1])
		}
		f := newFeed(x)
		x.Reply = pipeline.Reply{Stream: f}
		feeds <- f
		return pipeline.Next
	}
}

func TestEachEventLeavesAtOnce(t *testing.T) {
	feeds := make(chan *feed, 1)
	d := open(t, server.Options{}, streaming(feeds))
	req, _ := http.NewRequest("POST", d.url("/v1/chat/completions"), strings.NewReader(chat))
	req.Header.Set("Authorization", "Bearer pwd")
	go func() { f := <-feeds; f.events <- text("one"); feeds <- f }()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	line := func() string { s, _ := r.ReadString('\n'); r.ReadString('\n'); return s }
	// The second event is only fed after the first was read, so none can have waited for the next.
	if s := line(); !strings.Contains(s, `"content":"one"`) {
		t.Fatalf("first event %q", s)
	}
	f := <-feeds
	f.events <- text("two")
	if s := line(); !strings.Contains(s, `"content":"two"`) {
		t.Fatalf("second event %q", s)
	}
	f.events <- finish
	close(f.events)
	rest := content(t, r)
	if !strings.HasSuffix(rest, "data: [DONE]\n\n") {
		t.Errorf("the stream ends with %q", rest)
	}
	if h := resp.Header; h.Get("X-Accel-Buffering") != "no" || !strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") || h.Get("X-Request-Id") == "" {
		t.Errorf("headers %v", h)
	}
}

func TestErrorBeforeTheFirstByteHasItsStatus(t *testing.T) {
	d := open(t, server.Options{}, func(x *pipeline.Exchange) pipeline.Verdict {
		return x.Fail(apierror.New(apierror.RateLimited, "slow down").After(1500 * time.Millisecond))
	})
	for path, want := range map[string]string{
		"/v1/chat/completions":                       `"type":"rate_limit_error"`,
		"/v1beta/models/m:streamGenerateContent":     `"status":"RESOURCE_EXHAUSTED"`,
		"/v1/models/m:streamGenerateContent?alt=sse": `"status":"RESOURCE_EXHAUSTED"`,
		"/v1/v1beta/models/m:generateContent":        `"status":"RESOURCE_EXHAUSTED"`,
	} {
		resp := d.post(path, `{"model":"m","contents":[],"messages":[],"stream":true}`)
		body := content(t, resp.Body)
		if resp.StatusCode != 429 || !strings.Contains(body, want) || resp.Header.Get("Retry-After") != "2" {
			t.Errorf("%s: %d, Retry-After %q, %s", path, resp.StatusCode, resp.Header.Get("Retry-After"), body)
		}
	}
}

func TestErrorAfterTheFirstByteIsInTheStream(t *testing.T) {
	feeds := make(chan *feed, 1)
	d := open(t, server.Options{}, streaming(feeds))
	tests := map[string]struct{ path, want string }{
		"openai": {"/v1/chat/completions", "data: {\"error\":{\"message\":\"broken pipe\""},
		"sse":    {"/v1beta/models/m:streamGenerateContent?alt=sse", "data: {\"error\":{\"code\":502"},
		"array":  {"/v1beta/models/m:streamGenerateContent", ",\r\n{\"error\":{\"code\":502"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			go func() { f := <-feeds; f.events <- text("begun"); f.events <- "!broken pipe" }()
			resp := d.post(tt.path, chat)
			body := content(t, resp.Body)
			if resp.StatusCode != 200 || !strings.Contains(body, "begun") || !strings.Contains(body, tt.want) {
				t.Errorf("%d %s\nwant %s", resp.StatusCode, body, tt.want)
			}
			if strings.Contains(body, "[DONE]") {
				t.Error("[DONE] after an error looks like a whole answer")
			}
			if name == "array" && !strings.HasSuffix(strings.TrimSpace(body), "]") {
				t.Errorf("the array is not closed: %q", body)
			}
		})
	}
}

func TestHeartbeatsInEachForm(t *testing.T) {
	feeds := make(chan *feed, 1)
	const grace, beat = 20 * time.Millisecond, 10 * time.Millisecond
	d := open(t, server.Options{Grace: grace}, streaming(feeds, grace, beat))
	tests := map[string]struct {
		path   string
		silent func(string) bool // what stands before the first event
		joined string            // the event as it must read, heartbeats taken out
	}{
		"openai": {"/v1/chat/completions", func(s string) bool { return strings.Trim(strings.ReplaceAll(s, ": ping\n\n", ""), "") == "" }, "data: {"},
		"sse":    {"/v1beta/models/m:streamGenerateContent?alt=sse", func(s string) bool { return s == "" }, "data: "},
		"array":  {"/v1beta/models/m:streamGenerateContent", func(s string) bool { return strings.TrimSpace(s) == "" }, "["},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			go func() {
				f := <-feeds
				<-release
				f.events <- text("late")
				f.events <- finish
				close(f.events)
			}()
			resp := d.post(tt.path, chat) // returns once the grace sent the status line
			r := bufio.NewReader(resp.Body)
			head := make([]byte, 2)
			if _, err := io.ReadFull(r, head); err != nil { // a heartbeat: nothing else has been fed
				t.Fatal(err)
			}
			close(release)
			body := string(head) + content(t, r)
			i := strings.Index(body, tt.joined)
			if i < 0 || !tt.silent(body[:i]) {
				t.Fatalf("before the first event: %q", body)
			}
			if name == "sse" {
				first, _, _ := strings.Cut(body, "\n")
				if strings.Count(first, "data:") != 1 || !strings.Contains(first, "late") {
					t.Errorf("the opened event reads %q", first)
				}
			}
			if !strings.Contains(body, "late") {
				t.Errorf("the answer is missing: %q", body)
			}
		})
	}
}

func TestErrorAfterTheGraceIsInTheStream(t *testing.T) {
	feeds := make(chan *feed, 1)
	const grace = 20 * time.Millisecond
	d := open(t, server.Options{Grace: grace}, streaming(feeds, grace, grace))
	release := make(chan struct{})
	go func() { f := <-feeds; <-release; f.events <- "!too late" }()
	resp := d.post("/v1beta/models/m:streamGenerateContent?alt=sse", chat)
	close(release)
	body := content(t, resp.Body)
	if resp.StatusCode != 200 || strings.Count(body, "data:") != 1 || !strings.Contains(body, `{"error":{`) {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

// A bug in one encoder must not take every other stream down with the process.
func TestPanicEndsOneRequestOnly(t *testing.T) {
	d := open(t, server.Options{}, func(x *pipeline.Exchange) pipeline.Verdict {
		x.Keep(buggy{}, true)
		if x.WantsStream {
			f := newFeed(x)
			go func() {
				select {
				case f.events <- text("a"):
				case <-x.Context().Done():
				}
			}()
			x.Reply = pipeline.Reply{Stream: f}
			return pipeline.Next
		}
		return whole(x)
	})
	for _, body := range []string{`{"model":"m","messages":[]}`, chat} {
		for range 3 {
			resp := d.post("/v1/chat/completions", body)
			if got := content(t, resp.Body); resp.StatusCode != 500 || !strings.Contains(got, `"code":"internal"`) || strings.Contains(got, "bug") {
				t.Errorf("%s: %d %s", body, resp.StatusCode, got)
			}
		}
	}
}

func TestClientThatLeavesIsNoticed(t *testing.T) {
	for name, stream := range map[string]bool{"stream": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			cancelled, feeds := make(chan struct{}), make(chan *feed, 1)
			d := open(t, server.Options{}, func(x *pipeline.Exchange) pipeline.Verdict {
				if stream {
					return streaming(feeds)(x)
				}
				<-x.Context().Done()
				close(cancelled)
				return x.Fail(apierror.New(apierror.ClientGone, "gone"))
			})
			c, err := net.Dial("tcp", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			body := chat
			if !stream {
				body = `{"model":"m","messages":[]}`
			}
			io.WriteString(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pwd\r\nContent-Length: "+itoa(len(body))+"\r\n\r\n"+body)
			if stream {
				f := <-feeds
				f.events <- text("a")
				bufio.NewReader(c).ReadString('a')
				go func() { <-f.closed; close(cancelled) }()
			}
			c.Close()
			select {
			case <-cancelled:
			case <-time.After(5 * time.Second):
				t.Fatal("the call was not cancelled")
			}
		})
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestShutdownLetsStreamsFinishAndCutsTheRestWithAnError(t *testing.T) {
	feeds := make(chan *feed, 1)
	d := open(t, server.Options{}, streaming(feeds))
	go func() { f := <-feeds; f.events <- text("begun") }()
	resp := d.post("/v1/chat/completions", chat)
	ctx, cancel := ctxWithTimeout(50 * time.Millisecond)
	defer cancel()
	if err := d.server.Shutdown(ctx); err == nil {
		t.Error("Shutdown does not say that it cancelled an exchange")
	}
	body := content(t, resp.Body)
	if !strings.Contains(body, "begun") || !strings.Contains(body, "the gateway is stopping") {
		t.Errorf("the cut stream reads %q", body)
	}
}
