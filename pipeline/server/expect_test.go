package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/server"

	"github.com/gofiber/fiber/v2"
)

// TestExpect: who says Expect: 100-continue is asked for the body only if somebody will read it.
func TestExpect(t *testing.T) {
	d := open(t, server.Options{BodyLimit: 1 << 20, Mount: func(app *fiber.App) {
		app.Post("/console", func(c *fiber.Ctx) error { return c.Send(c.Body()) })
	}}, whole)
	const chat, gem = "/v1/chat/completions", "/v1beta/models/m:generateContent"
	for _, tt := range []struct {
		name, path, password, framing string
		status                        string // "" is asked for the body
		says                          string
	}{
		{"let in", chat, "pwd", "Content-Length: 12", "", ""},
		{"let in, chunked", chat, "pwd", "Transfer-Encoding: chunked", "", ""},
		{"let in, Gemini", gem, "pwd", "Content-Length: 12", "", ""},
		{"the console's", "/console", "", "Content-Length: 12", "", `{"model":1 }`},
		{"wrong method", "/v1/models", "pwd", "Content-Length: 12", "405", `"method_not_allowed"`},
		{"wrong password", chat, "wrong", "Content-Length: 12", "401", `"authentication_error"`},
		{"wrong password, chunked", chat, "wrong", "Transfer-Encoding: chunked", "401", `"authentication_error"`},
		{"wrong password, Gemini", gem, "wrong", "Content-Length: 12", "401", `"UNAUTHENTICATED"`},
		{"too large", chat, "pwd", "Content-Length: 1048577", "413", `"too_large"`},
		{"too large, Gemini", gem, "pwd", "Content-Length: 1048577", "413", `"code":413`},
		{"no such method", "/v1beta/models/m:predict", "pwd", "Content-Length: 12", "501", `"UNIMPLEMENTED"`},
		{"broken path", "/v1beta/models/%zz:predict", "pwd", "Content-Length: 12", "400", "percent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("tcp", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(60 * time.Second))
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\n%s\r\n\r\n", tt.path, tt.password, tt.framing)
			r := bufio.NewReader(c)
			if tt.status == "" {
				if line, err := r.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
					t.Fatalf("%q, %v", line, err)
				}
				_, _ = r.ReadString('\n')
				body := `{"model":1 }`
				if strings.HasPrefix(tt.framing, "Transfer") {
					body = "c\r\n" + body + "\r\n0\r\n\r\n"
				}
				_, _ = io.WriteString(c, body)
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := content(t, resp.Body)
			if want := orElse(tt.status, "200"); !strings.HasPrefix(resp.Status, want) || !strings.Contains(got, tt.says) {
				t.Errorf("%s %s\nwant %s with %s", resp.Status, got, want, tt.says)
			}
			if (tt.status != "") != resp.Close {
				t.Errorf("Connection: close is %t", resp.Close) // behind a refusal the body may come all the same
			}
		})
	}
}

// TestExpectOfTheImpatient: who is refused and sends the body all the same gets to read why.
func TestExpectOfTheImpatient(t *testing.T) {
	d := open(t, server.Options{}, whole)
	const size = 8 << 20
	body := strings.Repeat("x", size)
	for framing, body := range map[string]string{
		fmt.Sprintf("Content-Length: %d", size): body,
		"Transfer-Encoding: chunked":            fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, body),
	} {
		for i := range 10 {
			c, err := net.Dial("tcp", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(60 * time.Second))
			_, err = fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nExpect: 100-continue\r\n%s\r\n\r\n%s", framing, body)
			if err != nil {
				t.Fatalf("%s, upload %d: %v", framing, i, err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || resp.StatusCode != 401 {
				t.Fatalf("%s, upload %d: %v, %v", framing, i, resp, err)
			}
			_ = c.Close()
		}
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// TestExpectOfNetHTTP: a client that waits for the word sends its body then. That nothing is left
// over of the first look is what open checks at the end.
func TestExpectOfNetHTTP(t *testing.T) {
	d := open(t, server.Options{}, whole)
	long := http.Transport{ExpectContinueTimeout: time.Minute}
	defer long.CloseIdleConnections()
	req, _ := http.NewRequest("POST", d.url("/v1/chat/completions"), strings.NewReader(`{"model":"m"}`))
	req.Header.Set("Authorization", "Bearer pwd")
	req.Header.Set("Expect", "100-continue")
	resp, err := long.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := content(t, resp.Body); resp.StatusCode != 200 || !strings.Contains(got, "hello") {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
}

// TestHTTP10: a client of HTTP/1.0 gets its stream without chunks, ended by the connection.
func TestHTTP10(t *testing.T) {
	feeds := make(chan *feed, 1)
	const grace, beat = 20 * time.Millisecond, 10 * time.Millisecond
	for name, late := range map[string]bool{"at once": false, "after heartbeats": true} {
		t.Run(name, func(t *testing.T) {
			d := open(t, server.Options{Grace: grace}, streaming(feeds, grace, beat))
			c, err := net.Dial("tcp", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(60 * time.Second))
			fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer pwd\r\nContent-Length: %d\r\n\r\n%s", len(chat), chat)
			r := bufio.NewReader(c)
			f := <-feeds
			if !late {
				f.events <- text("one")
			}
			head := ""
			for !strings.HasSuffix(head, "\r\n\r\n") {
				line, err := r.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				head += line
			}
			if !strings.Contains(head, " 200 OK\r\n") || !strings.Contains(head, "Connection: close\r\n") || !strings.Contains(head, "text/event-stream") ||
				!strings.Contains(head, "X-Request-Id: ") || strings.Contains(head, "Transfer-Encoding") || strings.Contains(head, "Content-Length") {
				t.Errorf("head %q", head)
			}
			if late {
				f.events <- text("one")
			}
			f.events <- finish
			close(f.events)
			all, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			body := strings.ReplaceAll(string(all), ": ping\n\n", "")
			if late == (body == string(all)) || !strings.HasPrefix(body, "data: {") || !strings.Contains(body, "one") || !strings.HasSuffix(body, "data: [DONE]\n\n") {
				t.Errorf("body %q", all)
			}
			<-f.closed
		})
	}
}

// TestHTTP10ClientLeaves: its stream is cancelled like any other.
func TestHTTP10ClientLeaves(t *testing.T) {
	feeds := make(chan *feed, 1)
	d := open(t, server.Options{}, streaming(feeds))
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer pwd\r\nContent-Length: %d\r\n\r\n%s", len(chat), chat)
	f := <-feeds
	f.events <- text("one")
	_, _ = bufio.NewReader(c).ReadString('o')
	_ = c.Close()
	select {
	case <-f.closed:
	case <-time.After(5 * time.Second):
		t.Fatal("not noticed")
	}
}

// TestHTTP10BehindABrokenAnswer: fasthttp drops a stream that it was to hand over when an earlier
// answer on the connection cannot be written. open checks that nothing of it is left over.
func TestHTTP10BehindABrokenAnswer(t *testing.T) {
	feeds := make(chan *feed, 1)
	d := openOn(t, func(ln net.Listener) net.Listener { return deaf{ln} }, streaming(feeds))
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\nPOST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer pwd\r\nContent-Length: %d\r\n\r\n%s", len(chat), chat)
	f := <-feeds
	f.events <- text("one")
	select {
	case <-f.closed:
	case <-time.After(time.Minute):
		t.Fatal("the call goes on")
	}
}

// deaf hands out connections that take no byte.
type deaf struct{ net.Listener }

func (d deaf) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return deafConn{c}, nil
}

type deafConn struct{ net.Conn }

func (deafConn) Write([]byte) (int, error) { return 0, syscall.EPIPE }
