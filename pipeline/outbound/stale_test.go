package outbound

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A server that closes idle connections costs no POST, and each arrives once.
func TestStaleConnections(t *testing.T) {
	var seen atomic.Int64
	u := serve(t, func(p *peer) bool {
		seen.Add(1)
		p.say(sized200(string(p.body)))
		return p.turn < 2 // closes after two, without saying so
	})
	c := client(t, settings())
	for i := range 20 {
		want := fmt.Sprint("call ", i)
		if _, body, err := whole(t.Context(), c, post(u.url, want)); err != nil || string(body) != want {
			t.Fatalf("%d: %q %v", i, body, err)
		}
		if i%2 == 1 {
			eventually(t, "the server closed", func() bool { return u.open.Load() == 0 })
		}
	}
	if seen.Load() != 20 || u.conns.Load() != 10 {
		t.Errorf("%d requests arrived on %d connections", seen.Load(), u.conns.Load())
	}
}

// A large body meets the reset while it is written, which must not look like a refusal.
func TestStaleConnectionLargeBody(t *testing.T) {
	u := serve(t, func(p *peer) bool { p.say(sized200("ok")); return false })
	c := client(t, settings())
	for i := range 4 {
		if _, _, err := whole(t.Context(), c, post(u.url, strings.Repeat("x", 2<<20))); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		eventually(t, "the server closed", func() bool { return u.open.Load() == 0 })
	}
}

// Only once, and only before the first byte.
func TestNoSecondTry(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		conns        int64
	}{
		{"fresh connections close as well", "", 2},
		{"bytes had come", "HTTP/1.1 200", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := serve(t, func(p *peer) bool {
				if p.turn == 1 && p.up.conns.Load() == 1 {
					p.say(sized200("ok"))
					return true
				}
				p.say(tc.answer)
				return false
			})
			c := client(t, settings())
			if _, _, err := whole(t.Context(), c, post(u.url, "{}")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := whole(t.Context(), c, post(u.url, "{}")); err == nil {
				t.Fatal("no error")
			}
			if u.conns.Load() != tc.conns {
				t.Errorf("%d connections, want %d", u.conns.Load(), tc.conns)
			}
		})
	}
}

// The second try is on a new connection, not on the next one that may be as stale.
func TestSecondTryIsFresh(t *testing.T) {
	var seen atomic.Int64
	hold := make(chan struct{})
	u := serve(t, func(p *peer) bool {
		if p.req.URL.Path == "/hold" {
			<-hold
		} else if seen.Add(1); p.turn > 1 {
			return false
		}
		p.say(sized200("ok"))
		return true
	})
	c := client(t, settings())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, _, err := whole(t.Context(), c, post(u.url+"/hold", "{}")); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "four connections", func() bool { return u.conns.Load() == 4 })
	close(hold)
	wg.Wait()
	if _, _, err := whole(t.Context(), c, post(u.url, "{}")); err != nil || seen.Load() != 2 {
		t.Errorf("%v after %d tries", err, seen.Load())
	}
}
