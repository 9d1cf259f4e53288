package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	proxyUser   = "someone"
	proxySecret = "p@ss:w/rd" // made up; written percent-encoded in the URL
	proxyLogin  = "someone:p%40ss%3Aw%2Frd"
)

// join copies both ways until either side ends.
func join(a net.Conn, ar io.Reader, b net.Conn) {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(b, ar)
		_ = b.Close()
		close(done)
	}()
	_, _ = io.Copy(a, b)
	_ = a.Close()
	<-done
}

// connectProxy is an HTTP proxy that knows CONNECT only; it sends everything to where.
func connectProxy(t *testing.T, cfg *tls.Config, where *upstream) *upstream {
	login := "Basic " + base64.StdEncoding.EncodeToString([]byte(proxyUser+":"+proxySecret))
	return serveRaw(t, cfg, func(p *peer) {
		req, err := http.ReadRequest(p.br)
		if err != nil {
			return
		}
		switch {
		case req.Method != http.MethodConnect:
			p.say("HTTP/1.1 405 Method Not Allowed\r\n\r\n")
			return
		case req.Header.Get("Proxy-Authorization") != login:
			p.say("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
			return
		case strings.HasPrefix(req.Host, "refused.test"):
			p.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way")
			return
		}
		b, err := net.Dial("tcp", where.addr)
		if err != nil {
			return
		}
		p.say("HTTP/1.1 200 Connection established\r\n\r\n")
		join(p.Conn, p.br, b)
	})
}

// socksProxy is a SOCKS5 proxy with user and password; names ending in .test lead to where.
func socksProxy(t *testing.T, where *upstream) *upstream {
	return serveRaw(t, nil, func(p *peer) {
		if !socksSignIn(p) {
			return
		}
		addr, err := socksTarget(p.br)
		if err != nil {
			return
		}
		if strings.HasPrefix(addr, "refused.test") {
			p.say("\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00")
			return
		}
		if strings.Contains(addr, ".test:") {
			addr = where.addr
		}
		b, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		p.say("\x05\x00\x00\x03\x04name\x12\x34") // a name as bound address, which is allowed
		join(p.Conn, p.br, b)
	})
}

func socksSignIn(p *peer) bool {
	head := make([]byte, 2)
	if _, err := io.ReadFull(p.br, head); err != nil || head[0] != 5 {
		return false
	}
	methods := make([]byte, head[1])
	if _, err := io.ReadFull(p.br, methods); err != nil {
		return false
	}
	if !strings.Contains(string(methods), "\x02") {
		p.say("\x05\xff")
		return false
	}
	p.say("\x05\x02")
	version, _ := p.br.ReadByte()
	if version != 1 || short(p.br) != proxyUser || short(p.br) != proxySecret {
		p.say("\x01\x01")
		return false
	}
	p.say("\x01\x00")
	return true
}

// short is a string behind a byte of length.
func short(br *bufio.Reader) string {
	n, _ := br.ReadByte()
	s := make([]byte, n)
	_, _ = io.ReadFull(br, s)
	return string(s)
}

func socksTarget(br *bufio.Reader) (string, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(br, head); err != nil {
		return "", err
	}
	host := make([]byte, 4)
	if head[3] == 3 {
		n, err := br.ReadByte()
		if err != nil {
			return "", err
		}
		host = make([]byte, n)
	} else if head[3] == 4 {
		host = make([]byte, 16)
	}
	port := make([]byte, 2)
	_, err := io.ReadFull(br, host)
	if err == nil {
		_, err = io.ReadFull(br, port)
	}
	name := string(host)
	if head[3] != 3 {
		name = net.IP(host).String()
	}
	return net.JoinHostPort(name, fmt.Sprint(int(port[0])<<8|int(port[1]))), err
}

func TestProxies(t *testing.T) {
	cfg, roots := certificate(t)
	plain := serve(t, func(p *peer) bool { p.say(sized200("through " + p.req.Host)); return true })
	secure := serveRaw(t, cfg, func(p *peer) {
		for p.next() {
			p.say(sized200("secure"))
		}
	})
	for name, proxy := range map[string]func(where *upstream) string{
		"http":   func(w *upstream) string { return "http://" + proxyLogin + "@" + connectProxy(t, nil, w).addr },
		"https":  func(w *upstream) string { return "https://" + proxyLogin + "@" + connectProxy(t, cfg, w).addr + "/" },
		"socks5": func(w *upstream) string { return "socks5://" + proxyLogin + "@" + socksProxy(t, w).addr },
	} {
		t.Run(name, func(t *testing.T) {
			toPlain, toSecure := proxy(plain), proxy(secure)
			with := func(url string) func(*Settings) {
				return func(s *Settings) { s.Proxy, s.RootCAs = url, roots }
			}
			// The name resolves nowhere but at the proxy.
			both(t, with(toPlain), func(t *testing.T, c Caller) {
				for range 2 {
					_, body, err := whole(t.Context(), c, post("http://upstream.test/x", "{}"))
					if err != nil || string(body) != "through upstream.test" {
						t.Fatalf("%q %v", body, err)
					}
				}
				_, err := c.Do(t.Context(), post("http://refused.test/", "{}"))
				if !errors.Is(err, ErrProxy) || strings.Contains(err.Error(), proxySecret) {
					t.Fatalf("got %v", err)
				}
			})
			both(t, with(toSecure), func(t *testing.T, c Caller) {
				if _, body, err := whole(t.Context(), c, post(secure.url, "{}")); err != nil || string(body) != "secure" {
					t.Fatalf("%q %v", body, err)
				}
			})
			both(t, with(strings.Replace(toPlain, "someone", "other", 1)), func(t *testing.T, c Caller) {
				_, err := c.Do(t.Context(), post("http://upstream.test/", "{}"))
				if !errors.Is(err, ErrProxy) || strings.Contains(err.Error(), "w/rd") {
					t.Fatalf("wrong user: got %v", err)
				}
			})
			set := settings()
			with(toPlain)(&set)
			resp, err := client(t, set).HTTP().Get("http://upstream.test/")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if string(body) != "through upstream.test" {
				t.Errorf("HTTP(): %q", body)
			}
		})
	}
}

// A proxy that takes the connection and says nothing: cancelled and limited like any dial.
func TestSilentProxy(t *testing.T) {
	u := serveRaw(t, nil, func(p *peer) { p.up.ask(); p.gone() })
	for _, scheme := range []string{"http", "https", "socks5"} {
		set := settings()
		set.Proxy = scheme + "://" + u.addr
		c := client(t, set)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-u.asked; cancel() }()
		if _, err := c.Do(ctx, post("http://upstream.test/", "{}")); !errors.Is(err, ErrCancelled) {
			t.Errorf("%s: got %v", scheme, err)
		}
		await(t, "the proxy seeing the close", u.left)
		set.Connect = 30 * time.Millisecond
		if _, err := client(t, set).Do(t.Context(), post("http://upstream.test/", "{}")); !errors.Is(err, ErrConnectTimeout) {
			t.Errorf("%s: got %v", scheme, err)
		}
		await(t, "the proxy seeing the close", u.left)
		<-u.asked
	}
}

// The same of a proxy that says nothing inside TLS, and of one that speaks none.
func TestSilentProxyBehindTLS(t *testing.T) {
	cfg, roots := certificate(t)
	silent := serveRaw(t, cfg, func(p *peer) { _, _ = p.br.ReadString('\n'); p.up.ask(); p.gone() })
	set := settings()
	set.Proxy, set.RootCAs = "https://"+silent.addr, roots
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-silent.asked; cancel() }()
	if _, err := client(t, set).Do(ctx, post("http://upstream.test/", "{}")); !errors.Is(err, ErrCancelled) {
		t.Errorf("got %v", err)
	}
	await(t, "the proxy seeing the close", silent.left)
	plain := serveRaw(t, nil, func(p *peer) { p.say("HTTP/1.1 400 Bad Request\r\n\r\n"); p.gone() })
	set.Proxy = "https://" + plain.addr
	if _, err := client(t, set).Do(t.Context(), post("http://upstream.test/", "{}")); err == nil {
		t.Error("a proxy without TLS was taken")
	}
	await(t, "the plain proxy seeing the close", plain.left)
}

func TestProxyAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"garbage": "hello\r\n\r\n", "closes": "", "speaks first": "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"endless header": "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 20000),
	} {
		u := serveRaw(t, nil, func(p *peer) { _, _ = p.br.ReadString('\n'); p.say(answer) })
		set := settings()
		set.Proxy = "http://" + u.addr
		if _, err := client(t, set).Do(t.Context(), post("http://upstream.test/", "{}")); !errors.Is(err, ErrProxy) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, answer := range map[string]string{
		"another protocol": "HTTP/1.1 400 Bad Request\r\n\r\n", "closes": "", "no method": "\x05\xff",
		"wants a password": "\x05\x02", "refuses": "\x05\x00\x05\x05\x00\x01", "cut": "\x05\x00\x05\x00\x00\x01\x00",
	} {
		u := serveRaw(t, nil, func(p *peer) {
			_, _ = io.ReadFull(p.br, make([]byte, 3))
			p.say(answer)
			_ = p.Conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, p.br)
		})
		set := settings()
		set.Proxy = "socks5://" + u.addr
		if _, err := client(t, set).Do(t.Context(), post("http://upstream.test/", "{}")); !errors.Is(err, ErrProxy) {
			t.Errorf("socks5, %s: got %v", name, err)
		}
	}
}

func TestProxyURL(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "http://h:1": "h:1", "http://h": "h:80", "https://h": "h:443", "socks5://h": "h:1080",
		"socks5h://[::1]:9": "[::1]:9", "http://u:p@h:1/": "h:1", "http://u@h:1": "h:1",
	} {
		p, err := parseProxy(text)
		if err != nil || (p == nil) != (want == "") || p != nil && p.addr != want {
			t.Errorf("%q: %+v %v", text, p, err)
		}
	}
	for _, text := range []string{
		"h:8080", "u:topsecret@h:8080", "ftp://u:topsecret@h", "http://u:topsecret@", "http://u:topsecret@h:1/x",
		"http://u:topsecret@h:1?x=topsecret", "http://u:topsecret@h:port", "http://u:topsecret %zz@h", "://topsecret",
		"socks5://u@h", "socks5://" + strings.Repeat("topsecret", 30) + ":x@h", "\x00topsecret",
	} {
		set := settings()
		set.Proxy = text
		_, err := New(set)
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v", text, err)
		}
		if s := fmt.Sprintf("%v %+v %#v", set, set, set); strings.Contains(s, "topsecret") {
			t.Errorf("shown: %s", s)
		}
	}
}
