package console

import (
	"net"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// The browser comes back by the loopback name that it used; other names Google does not take.
func TestRedirectAddress(t *testing.T) {
	for _, tt := range []struct {
		host  string
		extra int
		want  string
		port  int
	}{
		{"localhost:7861", 0, "http://localhost:7861/oauth2callback", 7861},
		{"LOCALHOST:7861", 0, "http://localhost:7861/oauth2callback", 7861},
		{"127.0.0.1:7861", 0, "http://127.0.0.1:7861/oauth2callback", 7861},
		{"[::1]:7861", 0, "http://[::1]:7861/oauth2callback", 7861},
		{"localhost:9000", 0, "http://localhost:9000/oauth2callback", 9000}, // a container's port, published as another
		{"localhost", 0, "http://localhost:80/oauth2callback", 80},
		{"gateway.example", 0, "http://localhost:7861/oauth2callback", 7861},
		{"gateway.example:443", 0, "http://localhost:7861/oauth2callback", 7861},
		{"localhost.evil.example", 0, "http://localhost:7861/oauth2callback", 7861},
		{"192.0.2.1:7861", 0, "http://localhost:7861/oauth2callback", 7861},
		{"", 0, "http://localhost:7861/oauth2callback", 7861},
		{"127.0.0.1:7861", 8085, "http://127.0.0.1:8085/oauth2callback", 8085},
		{"gateway.example", 8085, "http://localhost:8085/oauth2callback", 8085},
		{"localhost:99999999", 0, "http://localhost:7861/oauth2callback", 7861},
		{"localhost:x", 0, "http://localhost:7861/oauth2callback", 7861},
	} {
		l := &Landing{own: 7861, extra: tt.extra}
		if got, port := l.redirect(tt.host); got != tt.want || port != tt.port {
			t.Errorf("%q: %s, %d", tt.host, got, port)
		}
	}
}

// Limits are held against the peer; a proxy on this machine tells who that is, and nobody else does.
func TestPeer(t *testing.T) {
	app := fiber.New()
	for _, tt := range []struct{ peer, forwarded, want string }{
		{"192.0.2.7", "", "192.0.2.7"},
		{"192.0.2.7", "198.51.100.1", "192.0.2.7"},
		{"127.0.0.1", "", "127.0.0.1"},
		{"127.0.0.1", "10.0.0.1, 198.51.100.1", "198.51.100.1"},
		{"127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"},
		{"2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"},
		{"::1", "2001:db8:1:2:9::", "2001:db8:1:2::"},
	} {
		var ctx fasthttp.RequestCtx
		var req fasthttp.Request
		req.Header.Set("X-Forwarded-For", tt.forwarded)
		ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(tt.peer), Port: 1}, nil)
		c := app.AcquireCtx(&ctx)
		if got := peerOf(c); got != tt.want {
			t.Errorf("%s for %q is %s", tt.peer, tt.forwarded, got)
		}
		app.ReleaseCtx(c)
	}
}
