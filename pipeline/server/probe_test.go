package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// listen opens a port, or skips where the machine has no such address.
func listen(t *testing.T, host string) (net.Listener, int) {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("this machine cannot listen on %s: %v", host, err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln, ln.Addr().(*net.TCPAddr).Port
}

// well answers as a gateway does, and anything but a question for its health with 418.
func well(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/health" {
			status = http.StatusTeapot
		}
		w.Header().Set("Location", "/")
		w.WriteHeader(status)
	})
}

func serveOn(t *testing.T, ln net.Listener, h http.Handler) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = ln
	s.Start()
	t.Cleanup(s.Close)
}

func TestProbe(t *testing.T) {
	t.Setenv("http_proxy", "http://127.0.0.1:9") // nobody there
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	for _, tt := range []struct {
		listen, host string
		status       int
		says         string // "" is well
	}{
		{"127.0.0.1", "127.0.0.1", 200, ""},
		{"127.0.0.1", "0.0.0.0", 200, ""},
		{"127.0.0.1", "", 200, ""},
		{"127.0.0.1", "localhost", 200, ""},
		{"127.0.0.1", "::", 200, ""}, // without ::1
		{"0.0.0.0", "0.0.0.0", 200, ""},
		{"::1", "::1", 200, ""},
		{"::1", "::", 200, ""},
		{"::", "::", 200, ""},
		{"::1", "::1%lo", 200, ""},
		{"127.0.0.1", "127.0.0.1", 503, "answers 503"},
		{"127.0.0.1", "0.0.0.0", 204, "answers 204"},
		{"127.0.0.1", "127.0.0.1", 302, "answers 302"},
	} {
		t.Run(fmt.Sprintf("%s asked at %q %d", tt.listen, tt.host, tt.status), func(t *testing.T) {
			ln, port := listen(t, tt.listen)
			if strings.Contains(tt.host, "%") {
				if _, err := net.InterfaceByName(tt.host[strings.IndexByte(tt.host, '%')+1:]); err != nil {
					t.Skipf("this machine has no such interface: %v", err)
				}
			}
			serveOn(t, ln, well(tt.status))
			err := Probe(context.Background(), tt.host, port)
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}

func TestProbeRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::"} {
		ln, port := listen(t, "127.0.0.1")
		ln.Close()
		err := Probe(context.Background(), host, port)
		if err == nil || !strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if err := Probe(context.Background(), "no host", 1); err == nil {
		t.Error("a host that is none is well")
	}
}

// TestProbeSilent: whoever takes the connection and says nothing, or never finishes its headers,
// does not keep the probe for ever.
func TestProbeSilent(t *testing.T) {
	for _, says := range []string{"", "HTTP/1.1 200 OK\r\nX-Half: "} {
		t.Run(fmt.Sprintf("%q", says), func(t *testing.T) {
			t.Parallel()
			ln, port := listen(t, "127.0.0.1")
			held := make(chan net.Conn, 1)
			go func() {
				defer close(held)
				if c, err := ln.Accept(); err == nil {
					fmt.Fprint(c, says)
					held <- c
				}
			}()
			answer := make(chan error, 1)
			go func() { answer <- Probe(context.Background(), "127.0.0.1", port) }()
			select {
			case err := <-answer:
				if err == nil || !strings.Contains(err.Error(), "does not answer") {
					t.Errorf("%v", err)
				}
			case <-time.After(30 * time.Second): // ten times its limit
				t.Error("the probe still waits")
			}
			for c := range held {
				c.Close()
			}
		})
	}
}

func TestProbeGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ln, port := listen(t, "127.0.0.1")
	serveOn(t, ln, well(200))
	if err := Probe(ctx, "127.0.0.1", port); err == nil {
		t.Error("a probe that was called off says well")
	}
}

func TestReachedAt(t *testing.T) {
	for host, want := range map[string][]string{
		"": {"127.0.0.1"}, "0.0.0.0": {"127.0.0.1"}, "::": {"::1", "127.0.0.1"}, "0:0::0": {"::1", "127.0.0.1"}, "::ffff:0.0.0.0": {"127.0.0.1"},
		"192.0.2.7": {"192.0.2.7"}, "2001:db8::7": {"2001:db8::7"}, "localhost": {"localhost"}, "fe80::1%eth0": {"fe80::1%eth0"},
	} {
		if got := reachedAt(host); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
