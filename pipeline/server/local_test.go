package server

import (
	"net"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestLocal(t *testing.T) {
	tests := []struct {
		name, peer, host string
		header           [2]string
		want             bool
		target           string
	}{
		{"this machine", "127.0.0.1", "127.0.0.1:7861", [2]string{}, true, ""},
		{"by name", "127.0.0.1", "localhost:7861", [2]string{}, true, ""},
		{"IPv6", "::1", "[::1]:7861", [2]string{}, true, ""},
		{"own page", "127.0.0.1", "localhost", [2]string{"Origin", "http://localhost:3000"}, true, ""},
		{"another machine", "192.0.2.7", "127.0.0.1", [2]string{}, false, ""},
		{"behind a proxy", "127.0.0.1", "127.0.0.1", [2]string{"X-Forwarded-For", "198.51.100.1"}, false, ""},
		{"behind nginx", "127.0.0.1", "127.0.0.1", [2]string{"X-Real-IP", "198.51.100.1"}, false, ""},
		{"forwarded", "127.0.0.1", "127.0.0.1", [2]string{"Forwarded", "for=198.51.100.1"}, false, ""},
		{"behind another proxy", "127.0.0.1", "127.0.0.1", [2]string{"X-Forwarded-Host", "gw.example"}, false, ""},
		{"behind any proxy", "127.0.0.1", "127.0.0.1", [2]string{"Via", "1.1 gw"}, false, ""},
		{"foreign page", "127.0.0.1", "127.0.0.1", [2]string{"Origin", "https://evil.example"}, false, ""},
		{"a file's page", "127.0.0.1", "127.0.0.1", [2]string{"Origin", "null"}, false, ""},
		{"by the whole address", "127.0.0.1", "localhost:7861", [2]string{}, true, "http://localhost:7861/v1/models"},
		{"another's whole address", "127.0.0.1", "localhost:7861", [2]string{}, false, "http://evil.example/v1/models"},
		{"rebound name", "127.0.0.1", "evil.example", [2]string{}, false, ""},
	}
	for _, tt := range tests {
		var ctx fasthttp.RequestCtx
		var req fasthttp.Request
		req.Header.SetHost(tt.host)
		req.SetRequestURI("/v1/models")
		if tt.target != "" {
			req.SetRequestURI(tt.target)
		}
		if tt.header[0] != "" {
			req.Header.Set(tt.header[0], tt.header[1])
		}
		ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(tt.peer), Port: 1}, nil)
		if got := Local(&ctx); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
