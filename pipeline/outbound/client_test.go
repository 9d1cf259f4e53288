package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// After a half-read body the next call gets its own answer, on another connection.
func TestHalfReadIsNotPooled(t *testing.T) {
	for name, answer := range map[string]string{
		"sized":              "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n" + strings.Repeat("A", 8000),
		"sized, not arrived": "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\nAAAA",
		"chunked":            chunkedHeader + chunk("AAAA") + chunk("BBBB") + "0\r\n\r\n",
		"last chunk missing": chunkedHeader + chunk("AAAA"),
	} {
		t.Run(name, func(t *testing.T) {
			u := serve(t, func(p *peer) bool {
				if p.req.URL.Path == "/half" {
					p.say(answer)
					p.gone()
					return false
				}
				p.say(sized200("own"))
				return true
			})
			c := client(t, settings())
			for range 3 {
				r, err := c.Do(t.Context(), post(u.url+"/half", "{}"))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(r.Body, make([]byte, 4)); err != nil {
					t.Fatal(err)
				}
				if err := r.Body.Close(); err != nil {
					t.Fatal(err)
				}
				await(t, "the upstream seeing the close", u.left)
				if _, body, err := whole(t.Context(), c, post(u.url+"/own", "{}")); err != nil || string(body) != "own" {
					t.Fatalf("%q %v", body, err)
				}
			}
		})
	}
}

// A body read to its last byte, but not to io.EOF, is whole; so is one whose end is in memory.
func TestReuse(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		read         int
		conns        int64
	}{
		{"sized, exactly", sized200("1234"), 4, 1},
		{"chunked, end in memory", chunkedHeader + chunk("12") + chunk("34") + "0\r\n\r\n", 4, 1},
		{"nothing to read", "HTTP/1.1 204 No Content\r\n\r\n", 0, 1},
		{"chunked and empty, unread", chunkedHeader + "0\r\n\r\n", 0, 1},
		{"surplus bytes", sized200("1234") + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 4, 3},
		{"the server says close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n1234", 4, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := serve(t, func(p *peer) bool { p.say(tc.answer); return true })
			c := client(t, settings())
			for range 3 {
				r, err := c.Do(t.Context(), post(u.url, "{}"))
				if err != nil {
					t.Fatal(err)
				}
				got := make([]byte, tc.read)
				if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != "1234"[:tc.read] {
					t.Fatalf("%q %v", got, err)
				}
				_ = r.Body.Close()
			}
			if n := u.conns.Load(); n != tc.conns {
				t.Errorf("%d connections, want %d", n, tc.conns)
			}
		})
	}
}

// Read gives what is there, wherever the bytes on the way end.
func TestReadDoesNotWait(t *testing.T) {
	for _, start := range []string{"3\r\none", "3\r\none\r", "3\r\none\r\n", "3\r\none\r\n3", "3\r\none\r\n3\r", "3\r\none\r\n3\r\n"} {
		more := make(chan struct{})
		u := serve(t, func(p *peer) bool {
			p.say(chunkedHeader + start)
			<-more
			p.say((chunk("one") + chunk("two") + "0\r\n\r\n")[len(start):])
			return true
		})
		r, err := client(t, settings()).Do(t.Context(), post(u.url, "{}"))
		if err != nil {
			t.Fatal(err)
		}
		stuck := time.AfterFunc(5*time.Second, func() { close(more) })
		b := make([]byte, 100)
		n, _ := r.Body.Read(b)
		if !stuck.Stop() {
			t.Fatalf("%q: Read waited for more", start)
		}
		close(more)
		rest, err := io.ReadAll(r.Body)
		if string(b[:n]) != "one" || string(rest) != "two" || err != nil {
			t.Errorf("%q: %q, %q, %v", start, b[:n], rest, err)
		}
		_ = r.Body.Close()
	}
}

// Buffered promises what Read then gives without the network.
func TestBuffered(t *testing.T) {
	more := make(chan struct{})
	u := serve(t, func(p *peer) bool {
		p.say(chunkedHeader + chunk("one") + chunk("two") + "5\r\nth")
		<-more
		p.say("ree\r\n0\r\n\r\n")
		return true
	})
	c := client(t, settings())
	r, err := c.Do(t.Context(), post(u.url, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b := make([]byte, 100)
	if n, _ := r.Body.Read(b[:3]); n != 3 {
		t.Fatalf("read %d", n)
	}
	eventually(t, "the rest is here", func() bool { return r.Body.Buffered() == 3 })
	if n, _ := r.Body.Read(b); string(b[:n]) != "twoth" {
		t.Fatalf("read %q", b[:n])
	}
	if n := r.Body.Buffered(); n != 0 {
		t.Errorf("%d buffered in the middle", n)
	}
	close(more)
	rest, err := io.ReadAll(r.Body)
	if string(rest) != "ree" || err != nil || r.Body.Buffered() != 0 {
		t.Errorf("%q %v", rest, err)
	}
}

func TestConnectionLimit(t *testing.T) {
	u := serve(t, func(p *peer) bool { p.say(chunkedHeader + chunk("one")); p.gone(); return false })
	set := settings()
	set.MaxConnsPerHost, set.Connect = 2, 50*time.Millisecond
	c := client(t, set)
	held := make([]*Response, 2)
	for i := range held {
		var err error
		if held[i], err = c.Do(t.Context(), post(u.url, "{}")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Do(t.Context(), post(u.url, "{}")); !errors.Is(err, ErrBusy) {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := c.Do(ctx, post(u.url, "{}")); !errors.Is(err, ErrCancelled) {
		t.Fatalf("got %v", err)
	}
	time.AfterFunc(10*time.Millisecond, func() { _ = held[0].Body.Close() })
	r, err := c.Do(t.Context(), post(u.url, "{}"))
	if err != nil {
		t.Fatalf("a slot became free: %v", err)
	}
	_ = r.Body.Close()
	_ = held[1].Body.Close()
	if h, _ := c.host(post(u.url, "")); h.open != 0 || len(h.waiting) != 0 {
		t.Errorf("%d open, %d waiting", h.open, len(h.waiting))
	}
}

// Who waits for a connection gets the one that becomes free.
func TestWaitingTakesOver(t *testing.T) {
	u := serve(t, func(p *peer) bool { p.say(sized200("ok")); return true })
	set := settings()
	set.MaxConnsPerHost = 1
	c := client(t, set)
	r, err := c.Do(t.Context(), post(u.url, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, _, err := whole(context.Background(), c, post(u.url, "{}"))
		done <- err
	}()
	h, _ := c.host(post(u.url, ""))
	eventually(t, "the second waits", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.waiting) == 1 })
	_, _ = io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err := <-done; err != nil || u.conns.Load() != 1 || h.open != 1 {
		t.Errorf("%v, %d connections, %d open", err, u.conns.Load(), h.open)
	}
}

func TestUnusedConnectionsAreClosed(t *testing.T) {
	u := serve(t, func(p *peer) bool { p.say(sized200("ok")); return true })
	set := settings()
	set.MaxIdle = 50 * time.Millisecond
	c := client(t, set)
	if _, _, err := whole(t.Context(), c, post(u.url, "{}")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sweep closes it", func() bool { return u.open.Load() == 0 })
}

func TestHostTableIsBounded(t *testing.T) {
	c := client(t, settings())
	for i := range maxHosts + 50 {
		req := post(fmt.Sprintf("http://127.0.0.1:%d/", i+1), "")
		if _, err := c.host(req); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.hosts[0]); n > maxHosts {
		t.Errorf("%d hosts", n)
	}
}

func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	u := serve(t, func(p *peer) bool {
		p.say(chunkedHeader + chunk("one"))
		if p.req.URL.Path == "/held" {
			<-p.up.left
		}
		p.say("0\r\n\r\n")
		return true
	})
	c, err := New(settings())
	if err != nil {
		t.Fatal(err)
	}
	held, err := c.Do(t.Context(), post(u.url+"/held", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := whole(t.Context(), c, post(u.url, "{}")); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Close(), c.Close()
	eventually(t, "the unused one is closed", func() bool { return u.open.Load() == 1 })
	if _, err := c.Do(t.Context(), post(u.url, "{}")); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	u.left <- struct{}{}
	if body, err := io.ReadAll(held.Body); err != nil || string(body) != "one" {
		t.Errorf("a running call: %q %v", body, err)
	}
	_ = held.Body.Close()
	eventually(t, "all closed", func() bool { return u.open.Load() == 0 })
	goroutines(t, before+1) // the upstream's accept loop
}

// Many goroutines, every way to end a call, nothing mixed up and nothing left.
func TestManyAtOnce(t *testing.T) {
	before := runtime.NumGoroutine()
	u := serve(t, func(p *peer) bool {
		switch p.req.URL.Path {
		case "/json":
			p.say(sized200(string(p.body)))
		case "/stream":
			p.say(chunkedHeader)
			for range 5 {
				p.say(chunk(string(p.body)))
			}
			p.say("0\r\n\r\n")
		case "/cut":
			p.say(chunkedHeader + chunk(string(p.body)))
			return false
		case "/hang":
			_, _ = io.Copy(io.Discard, p.br)
			return false
		}
		return p.turn%7 != 0
	})
	set := settings()
	set.MaxConnsPerHost, set.Connect = 40, 20*time.Second
	c, err := New(set)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for i := range 40 {
				oneOfMany(t, c, u.url, fmt.Sprintf("<%d.%d>", g, i))
			}
		})
	}
	wg.Wait()
	h, _ := c.host(post(u.url, ""))
	if h.open != len(h.idle) || len(h.waiting) != 0 {
		t.Errorf("%d open, %d kept, %d waiting", h.open, len(h.idle), len(h.waiting))
	}
	_ = c.Close()
	eventually(t, "all closed", func() bool { return u.open.Load() == 0 })
	goroutines(t, before+1)
}

func oneOfMany(t *testing.T, c *Client, url, text string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch rand.IntN(6) {
	case 0:
		_, body, err := whole(ctx, c, post(url+"/stream", text))
		if err != nil || string(body) != strings.Repeat(text, 5) {
			t.Errorf("stream: %q %v", body, err)
		}
	case 1:
		_, body, err := whole(ctx, c, post(url+"/cut", text))
		if !errors.Is(err, ErrCut) || string(body) != text {
			t.Errorf("cut: %q %v", body, err)
		}
	case 2:
		time.AfterFunc(rand.N(3*time.Millisecond), cancel)
		if _, _, err := whole(ctx, c, post(url+"/hang", text)); !errors.Is(err, ErrCancelled) {
			t.Errorf("hang: %v", err)
		}
	case 3:
		r, err := c.Do(ctx, post(url+"/stream", text))
		if err != nil {
			t.Errorf("half: %v", err)
			return
		}
		_, _ = r.Body.Read(make([]byte, 1))
		_ = r.Body.Close()
	case 4: // a cancellation that races with the end
		time.AfterFunc(rand.N(time.Millisecond), cancel)
		_, body, err := whole(ctx, c, post(url+"/json", text))
		if err == nil && string(body) != text || err != nil && !errors.Is(err, ErrCancelled) {
			t.Errorf("race: %q %v", body, err)
		}
	default:
		if _, body, err := whole(ctx, c, post(url+"/json", text)); err != nil || string(body) != text {
			t.Errorf("json: %q %v", body, err)
		}
	}
}

// ownContext has an AfterFunc of its own, as the exchange of the gateway may.
type ownContext struct {
	context.Context
	asked atomic.Int64
}

func (c *ownContext) AfterFunc(f func()) func() bool {
	c.asked.Add(1)
	return context.AfterFunc(c.Context, f)
}

func TestContextWithItsOwnAfterFunc(t *testing.T) {
	u := serve(t, func(p *peer) bool { p.up.ask(); p.gone(); return false })
	c := client(t, settings())
	inner, cancel := context.WithCancel(t.Context())
	ctx := &ownContext{Context: inner}
	go func() { <-u.asked; cancel() }()
	if _, err := c.Do(ctx, post(u.url, "{}")); !errors.Is(err, ErrCancelled) {
		t.Fatalf("got %v", err)
	}
	if ctx.asked.Load() == 0 {
		t.Error("its AfterFunc was not used")
	}
}

// lateContext has been cancelled, but what that starts has yet to run.
type lateContext struct {
	context.Context
	late func()
}

func (c *lateContext) AfterFunc(f func()) func() bool {
	c.late = f
	return func() bool { return false }
}

// A cancellation that comes after the call was over must not hit the next call.
func TestLateCancelHitsNobody(t *testing.T) {
	u := serve(t, func(p *peer) bool {
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
		p.up.ask()
		if p.req.URL.Path == "/next" {
			<-p.up.left
		}
		p.say("ok")
		return true
	})
	c := client(t, settings())
	inner, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := &lateContext{Context: inner}
	if _, _, err := whole(first, c, post(u.url, "{}")); err != nil {
		t.Fatal(err)
	}
	r, err := c.Do(t.Context(), post(u.url+"/next", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	first.late()
	u.left <- struct{}{}
	if body, err := io.ReadAll(r.Body); string(body) != "ok" || err != nil {
		t.Errorf("%q %v", body, err)
	}
	_ = r.Body.Close()
}

func TestHTTPClient(t *testing.T) {
	u := serve(t, func(p *peer) bool {
		if p.req.URL.Path == "/away" {
			p.say("HTTP/1.1 307 Temporary Redirect\r\nLocation: /token\r\nContent-Length: 0\r\n\r\n")
		} else {
			p.say(sized200("{}"))
		}
		return true
	})
	c := client(t, settings())
	for path, status := range map[string]int{"/token": 200, "/away": 307} {
		resp, err := c.HTTP().Post(u.url+path, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
