package outbound

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// both runs a test against the two implementations of Caller.
func both(t *testing.T, change func(*Settings), run func(t *testing.T, c Caller)) {
	t.Helper()
	set := settings()
	if change != nil {
		change(&set)
	}
	t.Run("client", func(t *testing.T) { run(t, client(t, set)) })
	t.Run("standard", func(t *testing.T) {
		c, err := NewStandard(set)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		run(t, c)
	})
}

func TestAnswers(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 64<<10)
	for _, tc := range []struct {
		name, method, answer string
		status               int
		length               int64
		body                 string
	}{
		{"sized", "POST", sized200(`{"a":1}`), 200, 7, `{"a":1}`},
		{"sized, 1 MB", "POST", sized200(big), 200, int64(len(big)), big},
		{"empty", "POST", sized200(""), 200, 0, ""},
		{"error status", "POST", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}", 429, 2, "{}"},
		{"chunked", "POST", chunkedHeader + chunk("one ") + chunk("two") + "0\r\n\r\n", 200, -1, "one two"},
		{"chunked, 1 MB", "POST", chunkedHeader + chunk(big) + chunk("!") + "0\r\n\r\n", 200, -1, big + "!"},
		{"chunked, empty", "POST", chunkedHeader + "0\r\n\r\n", 200, -1, ""},
		{"chunk extension, lower case, trailer", "POST", chunkedHeader + "0a;x=y\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n", 200, -1, "0123456789"},
		{"until close", "POST", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it", 200, -1, "all of it"},
		{"HTTP/1.0", "POST", "HTTP/1.0 200 OK\r\n\r\nold", 200, -1, "old"},
		{"204", "POST", "HTTP/1.1 204 No Content\r\n\r\n", 204, 0, ""},
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, ""},
		{"interim answers", "POST", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + sized200("x"), 200, 1, "x"},
		{"header of 20 kB", "POST", "HTTP/1.1 200 OK\r\nX-Big: " + strings.Repeat("b", 20<<10) + "\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := serve(t, func(p *peer) bool {
				p.say(tc.answer)
				return !strings.Contains(tc.name, "close") && !strings.Contains(tc.name, "1.0")
			})
			both(t, nil, func(t *testing.T, c Caller) {
				for range 2 { // the second on the kept connection
					req := post(u.url+"/x", "{}")
					req.Method = tc.method
					if tc.method == "HEAD" {
						req.Body = nil
					}
					r, body, err := whole(t.Context(), c, req)
					if err != nil {
						t.Fatal(err)
					}
					if r.Status != tc.status || r.Length != tc.length || string(body) != tc.body {
						t.Errorf("got %d, length %d, %d bytes %.40q", r.Status, r.Length, len(body), body)
					}
				}
			})
		})
	}
}

func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		want         []error // one of
	}{
		{"nothing", "", []error{ErrClosedEarly}},
		{"half a header", "HTTP/1.1 200 OK\r\nContent-Len", []error{ErrCut, ErrMalformed}},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", []error{ErrMalformed}},
		{"bad status", "HTTP/1.1 abc OK\r\n\r\n", []error{ErrMalformed}},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", []error{ErrMalformed}},
		{"header without end", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 100), []error{ErrMalformed}},
		{"short body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", []error{ErrCut}},
		{"no body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", []error{ErrCut}},
		{"cut before a chunk", chunkedHeader, []error{ErrCut}},
		{"cut in a chunk", chunkedHeader + "a\r\nabc", []error{ErrCut}},
		{"cut after a chunk", chunkedHeader + chunk("abc"), []error{ErrCut}},
		{"cut in a size", chunkedHeader + chunk("abc") + "1", []error{ErrCut}},
		{"cut in the last chunk", chunkedHeader + chunk("abc") + "0\r\n", []error{ErrCut}},
		{"bad size", chunkedHeader + "xyz\r\nabc\r\n0\r\n\r\n", []error{ErrMalformed, ErrCut}},
		{"size too large", chunkedHeader + "fffffffffffffffff\r\nabc", []error{ErrMalformed, ErrCut}},
		{"no line end after a chunk", chunkedHeader + "3\r\nabcdef\r\n0\r\n\r\n", []error{ErrMalformed, ErrCut}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := serve(t, func(p *peer) bool { p.say(tc.answer); return false })
			both(t, nil, func(t *testing.T, c Caller) {
				_, _, err := whole(t.Context(), c, post(u.url, "{}"))
				if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, ErrClosedEarly) && !errors.Is(err, ErrCut) {
					t.Fatalf("got %v", err)
				}
				for _, want := range tc.want {
					if errors.Is(err, want) {
						return
					}
				}
				t.Errorf("got %v, want one of %v", err, tc.want)
			})
		})
	}
}

func TestRequestArrivesAsMade(t *testing.T) {
	got := make(chan *peer, 2)
	u := serve(t, func(p *peer) bool {
		got <- &peer{req: p.req, body: p.body}
		p.say("HTTP/1.1 200 OK\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}")
		return true
	})
	body := strings.Repeat("x", 5<<20)
	both(t, nil, func(t *testing.T, c Caller) {
		req := post(u.url+"/v1beta/models/a%2Fb:generateContent?alt=sse", body)
		req.Set("Authorization", "Bearer abc")
		r, err := c.Do(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if r.Header("retry-after") != "7" || r.Header("X-None") != "" {
			t.Errorf("headers: %q %q", r.Header("retry-after"), r.Header("X-None"))
		}
		if _, err := io.ReadAll(r.Body); err != nil || r.Body.Close() != nil || r.Body.Close() != nil {
			t.Error(err)
		}
		if r.Header("Retry-After") != "" {
			t.Error("a header after Close")
		}
		if _, err := r.Body.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("read after Close: %v", err)
		}
		p := <-got
		if p.req.Method != "POST" || p.req.RequestURI != "/v1beta/models/a%2Fb:generateContent?alt=sse" ||
			p.req.Host != u.addr || p.req.Header.Get("Authorization") != "Bearer abc" ||
			p.req.Header.Get("Accept-Encoding") != "" || sha256.Sum256(p.body) != sha256.Sum256([]byte(body)) {
			t.Errorf("got %s %s, %v, %d bytes", p.req.Method, p.req.RequestURI, p.req.Header, len(p.body))
		}
	})
}

func TestLimits(t *testing.T) {
	silent := func(p *peer) bool { p.gone(); return false }
	half := func(p *peer) bool { p.say(chunkedHeader + chunk("one")); p.gone(); return false }
	drip := func(p *peer) bool {
		p.say(chunkedHeader)
		for range 10 {
			time.Sleep(30 * time.Millisecond) // what the limit is about
			p.say(chunk("x"))
		}
		p.say("0\r\n\r\n")
		return true
	}
	dripHeader := func(p *peer) bool {
		for _, b := range "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" {
			time.Sleep(10 * time.Millisecond)
			p.say(string(b))
		}
		return true
	}
	for _, tc := range []struct {
		name   string
		each   func(p *peer) bool
		change func(*Settings)
		want   error
		body   string
	}{
		{"first byte", silent, func(s *Settings) { s.FirstByte = 50 * time.Millisecond }, ErrFirstByte, ""},
		{"first byte ends before a slow body", drip, func(s *Settings) { s.FirstByte = 150 * time.Millisecond }, nil, "xxxxxxxxxx"},
		{"idle", half, func(s *Settings) { s.Idle = 50 * time.Millisecond }, ErrIdle, "one"},
		{"idle is not a total", drip, func(s *Settings) { s.Idle = 200 * time.Millisecond }, nil, "xxxxxxxxxx"},
		{"total in the header", silent, func(s *Settings) { s.Total = 50 * time.Millisecond }, ErrTotal, ""},
		{"total in the body", drip, func(s *Settings) { s.Total = 150 * time.Millisecond }, ErrTotal, "*"},
		{"no limits", drip, func(s *Settings) { *s = Settings{} }, nil, "xxxxxxxxxx"},
		{"header in drips", dripHeader, func(s *Settings) { s.FirstByte = 60 * time.Millisecond }, ErrFirstByte, "client only"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := serve(t, tc.each)
			both(t, tc.change, func(t *testing.T, c Caller) {
				_, body, err := whole(t.Context(), c, post(u.url, "{}"))
				if tc.want == nil && err != nil || tc.want != nil && !errors.Is(err, tc.want) {
					t.Fatalf("got %v, want %v", err, tc.want)
				}
				if tc.want == nil && string(body) != tc.body || tc.want == ErrIdle && string(body) != tc.body {
					t.Errorf("body %q", body)
				}
			})
		})
	}
}

// A call is cancelled wherever it is, at once, and the upstream notices.
func TestCancel(t *testing.T) {
	for _, tc := range []struct {
		name string
		raw  func(p *peer)
		body bool // cancel in the body
		send int  // bytes to send
	}{
		{"header", func(p *peer) { p.next(); p.up.ask(); p.gone() }, false, 2},
		{"body", func(p *peer) { p.next(); p.say(chunkedHeader + chunk("one")); p.up.ask(); p.gone() }, true, 2},
		{"body, sized", func(p *peer) {
			p.next()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\none")
			p.up.ask()
			p.gone()
		}, true, 2},
		{"write", func(p *peer) { // takes nothing: the socket buffers fill
			p.up.ask()
			time.Sleep(100 * time.Millisecond)
			p.gone()
		}, false, 64 << 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := serveRaw(t, nil, tc.raw)
			both(t, nil, func(t *testing.T, c Caller) {
				ctx, cancel := context.WithCancel(t.Context())
				at := make(chan time.Time, 1)
				go func() {
					<-u.asked
					time.Sleep(20 * time.Millisecond) // let the call get to where it waits
					at <- time.Now()
					cancel()
				}()
				_, body, err := whole(ctx, c, post(u.url, strings.Repeat("x", tc.send)))
				if took := time.Since(<-at); took > 5*time.Second { // at once; the upstream waits for ever
					t.Errorf("noticed after %s", took)
				}
				if !errors.Is(err, ErrCancelled) || !errors.Is(err, context.Canceled) {
					t.Fatalf("got %v", err)
				}
				if tc.body && string(body) != "one" {
					t.Errorf("body %q", body)
				}
				await(t, "the upstream seeing the close", u.left)
			})
		})
	}
}

// In the dial: the server accepts and never answers the TLS handshake.
func TestCancelAndLimitInHandshake(t *testing.T) {
	u := serveRaw(t, nil, func(p *peer) { p.up.ask(); p.gone() })
	url := "https://" + u.addr
	both(t, nil, func(t *testing.T, c Caller) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-u.asked; cancel() }()
		if _, err := c.Do(ctx, post(url, "{}")); !errors.Is(err, ErrCancelled) {
			t.Fatalf("got %v", err)
		}
		if _, ok := c.(*Client); ok { // net/http goes on dialling, for the next request
			await(t, "the upstream seeing the close", u.left)
		}
		if _, err := c.Do(ctx, post(url, "{}")); !errors.Is(err, ErrCancelled) {
			t.Fatalf("cancelled before: got %v", err)
		}
	})
	both(t, func(s *Settings) { s.Connect = 50 * time.Millisecond }, func(t *testing.T, c Caller) {
		_, err := c.Do(t.Context(), post(url, "{}"))
		if !errors.Is(err, ErrConnectTimeout) || !errors.Is(err, ErrDial) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestCannotConnect(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().String()
	_ = ln.Close()
	cfg, _ := certificate(t)
	untrusted := serveRaw(t, cfg, func(p *peer) { p.next() })
	for _, url := range []string{"http://" + nobody, "https://" + nobody, untrusted.url} {
		both(t, nil, func(t *testing.T, c Caller) {
			if _, err := c.Do(t.Context(), post(url, "{}")); !errors.Is(err, ErrDial) || errors.Is(err, ErrConnectTimeout) {
				t.Errorf("%s: got %v", url, err)
			}
		})
	}
}

// An upstream may answer before it took the whole body, and stop reading.
func TestAnswerBeforeTheBodyIsTaken(t *testing.T) {
	u := serveRaw(t, nil, func(p *peer) {
		_, _ = p.br.ReadString('\n')
		p.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
		_ = p.Conn.(*net.TCPConn).CloseWrite()
		p.gone()
	})
	both(t, nil, func(t *testing.T, c Caller) {
		r, body, err := whole(t.Context(), c, post(u.url, strings.Repeat("x", 1<<20)))
		if err != nil || r.Status != 413 || string(body) != "{}" {
			t.Fatalf("%v %s %v", r, body, err)
		}
	})
}

func TestTLS(t *testing.T) {
	cfg, roots := certificate(t)
	u := serveRaw(t, cfg, func(p *peer) {
		for p.next() {
			p.say(chunkedHeader + chunk("a") + chunk("b") + "0\r\n\r\n")
		}
	})
	both(t, func(s *Settings) { s.RootCAs = roots }, func(t *testing.T, c Caller) {
		before := u.conns.Load()
		for range 5 {
			if _, body, err := whole(t.Context(), c, post(u.url, "{}")); err != nil || string(body) != "ab" {
				t.Fatalf("%q %v", body, err)
			}
		}
		if n := u.conns.Load() - before; n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

func TestRequestsThatCannotBeSent(t *testing.T) {
	c := client(t, settings())
	for _, url := range []string{"ftp://127.0.0.1/", "/only/a/path"} {
		req := &Request{}
		req.To(url)
		if _, err := c.Do(t.Context(), req); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: got %v", url, err)
		}
	}
}
