package outbound

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// A reader in a hurry waits no longer than it said, whatever the limit of the settings.
func TestHurry(t *testing.T) {
	u := serve(t, func(p *peer) bool {
		p.say(chunkedHeader + chunk("one"))
		p.gone()
		return false
	})
	for name, idle := range map[string]time.Duration{"a limit": time.Hour, "none": 0} {
		t.Run(name, func(t *testing.T) {
			both(t, func(s *Settings) { s.Idle = idle }, func(t *testing.T, c Caller) {
				r, err := c.Do(t.Context(), post(u.url, "{}"))
				if err != nil {
					t.Fatal(err)
				}
				defer r.Body.Close()
				var room [3]byte
				if _, err := io.ReadFull(r.Body, room[:]); err != nil {
					t.Fatal(err)
				}
				r.Body.Hurry(20 * time.Millisecond)
				r.Body.Hurry(time.Hour) // never makes it longer
				if _, err := r.Body.Read(room[:]); !errors.Is(err, ErrIdle) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// Closing a TLS connection may wait for the peer to take the goodbye, so the one to abort is beneath.
func TestRawIsBeneathAllTLS(t *testing.T) {
	cfg, roots := certificate(t)
	target := serveRaw(t, cfg, func(p *peer) {
		for p.next() {
			p.say(sized200("secure"))
		}
	})
	for name, proxy := range map[string]string{
		"none":  "",
		"https": "https://" + proxyLogin + "@" + connectProxy(t, cfg, target).addr,
		"http":  "http://" + proxyLogin + "@" + connectProxy(t, nil, target).addr,
	} {
		set := settings()
		set.Proxy, set.RootCAs = proxy, roots
		for _, secure := range []bool{true, false} {
			rw, raw, err := client(t, set).dialer.dial(t.Context(), target.dialAs(secure))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if _, ok := raw.(*net.TCPConn); !ok {
				t.Errorf("proxy %s, TLS %t: raw is %T", name, secure, raw)
			}
			_ = rw.Close()
		}
	}
}

func (u *upstream) dialAs(secure bool) target { return target{addr: u.addr, tls: secure} }
