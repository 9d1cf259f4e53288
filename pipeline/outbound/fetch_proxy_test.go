package outbound

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// recorder is a proxy that says what it was asked to connect to, and connects to where instead.
// dead are addresses at which it never gets through.
type recorder struct {
	*upstream
	asked chan string
}

func (r recorder) lead(p *peer, addr string, where *upstream) (net.Conn, bool) {
	r.asked <- addr
	if strings.HasPrefix(addr, "9.9.9.9:") {
		p.gone()
		return nil, false
	}
	b, err := net.Dial("tcp", where.addr)
	return b, err == nil
}

func recordHTTP(t *testing.T, where *upstream) recorder {
	r := recorder{asked: make(chan string, 100)}
	r.upstream = serveRaw(t, nil, func(p *peer) {
		req, err := http.ReadRequest(p.br)
		if err != nil || req.Method != http.MethodConnect || req.RequestURI != req.Host {
			p.say("HTTP/1.1 400 Bad Request\r\n\r\n")
			return
		}
		if b, ok := r.lead(p, req.Host, where); ok {
			p.say("HTTP/1.1 200 OK\r\n\r\n")
			join(p.Conn, p.br, b)
		}
	})
	r.url = "http://" + r.addr
	return r
}

func recordSocks(t *testing.T, where *upstream) recorder {
	r := recorder{asked: make(chan string, 100)}
	r.upstream = serveRaw(t, nil, func(p *peer) {
		if !socksSignIn(p) {
			return
		}
		kind, err := p.br.Peek(4)
		if err != nil {
			return
		}
		named := kind[3] == 3
		addr, err := socksTarget(p.br)
		if err != nil {
			return
		}
		if named {
			addr = "name " + addr
		}
		if b, ok := r.lead(p, addr, where); ok {
			p.say("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
			join(p.Conn, p.br, b)
		}
	})
	r.url = "socks5://" + proxyLogin + "@" + r.addr
	return r
}

// Through a proxy the gateway resolves as well: the proxy gets addresses that were looked at, and
// never a name. Server name, certificate and Host are those of the name.
func TestFetchImageThroughProxy(t *testing.T) {
	cfg, roots := certificate(t)
	heard := make(chan string, 100)
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		heard <- "SNI " + hello.ServerName
		return nil, nil
	}
	answer := func(p *peer) {
		if p.next() {
			heard <- "Host " + p.req.Host
			p.say(say200("image/png", pictures(t)["image/png"]))
		}
	}
	plain, secure := serveRaw(t, nil, answer), serveRaw(t, cfg, answer)
	for name, record := range map[string]func(*testing.T, *upstream) recorder{"http": recordHTTP, "socks5": recordSocks} {
		t.Run(name, func(t *testing.T) {
			for _, row := range []struct {
				address string
				where   *upstream
				asked   string // of the proxy
				heard   string // by the server
				wrong   string
			}{
				{"http://pictures.test/a", plain, "93.184.216.34:80", "Host pictures.test", ""},
				{"http://pictures.test:8080/a", plain, "93.184.216.34:8080", "Host pictures.test:8080", ""},
				{"https://pictures.test/a", secure, "93.184.216.34:443", "SNI pictures.test, Host pictures.test", ""},
				{"https://six.pictures.test/a", secure, "[2606:4700::7]:443", "SNI six.pictures.test", "no usable answer came in time"},
				{"http://six.pictures.test/a", plain, "[2606:4700::7]:80", "Host six.pictures.test", ""},
				{"http://mixed.test/a", plain, "93.184.216.34:80", "Host mixed.test", ""},
				{"http://93.184.216.35/a", plain, "93.184.216.35:80", "Host 93.184.216.35", ""},
				{"http://[::ffff:93.184.216.35]/a", plain, "93.184.216.35:80", "Host [::ffff:93.184.216.35]", ""},
				{"http://slow.test/a", plain, "9.9.9.9:80, 93.184.216.34:80", "Host slow.test", ""},
				{"http://inner.test/a", plain, "", "", closedNetworkEnd},
				{"http://missing.test/a", plain, "", "", "no usable answer came in time"},
				{"http://127.0.0.1:" + port(plain.addr) + "/a", plain, "", "", closedNetworkEnd},
				{"http://2130706433/a", plain, "", "", "its address has a host that is written neither as a name nor as an IP address"},
			} {
				r := record(t, row.where)
				l := fetching(t, func(s *Settings) { s.Proxy, s.RootCAs, s.ImageFetchAllow = r.url, roots, nil })
				inside(l).total = 2 * time.Second
				inside(l).lookup = nameserver(t, publicNames)
				_, err := l.FetchImage(t.Context(), row.address)
				if (err == nil) != (row.wrong == "") || err != nil && !strings.HasSuffix(err.Message, ": "+row.wrong) {
					t.Errorf("%s: %v", row.address, err)
				}
				if asked := gather(r.asked); asked != row.asked {
					t.Errorf("%s: the proxy was asked for %q, want %q", row.address, asked, row.asked)
				}
				r.stop()
				if got := gather(heard); got != row.heard {
					t.Errorf("%s: the server heard %q, want %q", row.address, got, row.heard)
				}
			}
		})
	}
}

// publicNames are names of the tests; each later look at one of them leads inside.
func publicNames(name string, turn int) []string {
	inside := []string{"127.0.0.1", "10.0.0.1", "::1"}
	if turn > 1 {
		return inside
	}
	return map[string][]string{
		"pictures.test": {"93.184.216.34"}, "six.pictures.test": {"2606:4700::7"}, "inner.test": inside,
		"mixed.test": {"10.0.0.1", "93.184.216.34", "fd00::1"}, "slow.test": {"9.9.9.9", "93.184.216.34"},
	}[name]
}

func gather(ch chan string) string {
	var all []string
	for len(ch) > 0 {
		all = append(all, <-ch)
	}
	return strings.Join(all, ", ")
}

// A proxy that cannot be reached, or refuses: the client learns no more than of any other failure.
func TestFetchImageProxyFails(t *testing.T) {
	refuses := serveRaw(t, nil, func(p *peer) { _, _ = p.br.ReadString('\n'); p.say("HTTP/1.1 403 Forbidden\r\n\r\n") })
	gone := serveRaw(t, nil, func(*peer) {})
	gone.stop()
	for _, proxy := range []string{refuses.addr, gone.addr} {
		l := fetching(t, func(s *Settings) { s.Proxy = "http://" + proxyLogin + "@" + proxy })
		inside(l).lookup = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
		}
		_, err := l.FetchImage(t.Context(), "http://pictures.test/?key=hunter2")
		if err == nil || err.Message != `the picture at "pictures.test" could not be fetched: no usable answer came in time` ||
			strings.Contains(err.Error(), "w/rd") || strings.Contains(err.Error(), "w%2Frd") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
}
