package server_test

import (
	"net"
	"testing"

	"gcli2api/pipeline/server"

	"github.com/valyala/fasthttp"
)

func TestPeerOf(t *testing.T) {
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.7", nil, "192.0.2.7"},
		{"192.0.2.7", []string{"198.51.100.1"}, "192.0.2.7"}, // anybody could write that
		{"127.0.0.1", nil, "127.0.0.1"},
		{"127.0.0.1", []string{"10.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		{"127.0.0.1", []string{"10.0.0.1, 203.0.113.9,198.51.100.1"}, "198.51.100.1"},
		{"127.0.0.1", []string{"10.0.0.1", "198.51.100.1"}, "198.51.100.1"},
		{"127.0.0.1", []string{"198.51.100.1, nonsense"}, "127.0.0.1"},
		{"127.0.0.1", []string{"198.51.100.1:51234"}, "198.51.100.1"},
		{"127.0.0.1", []string{"10.0.0.1, [2001:db8::9]:51234"}, "2001:db8::9"},
		{"::1", []string{" 2001:db8::9 "}, "2001:db8::9"},
	} {
		var ctx fasthttp.RequestCtx
		var req fasthttp.Request
		for _, line := range c.forwarded {
			req.Header.Add("X-Forwarded-For", line)
		}
		ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(c.peer), Port: 1}, nil)
		if got := server.PeerOf(&ctx).String(); got != c.want {
			t.Errorf("%s for %q is %s", c.peer, c.forwarded, got)
		}
	}
}
