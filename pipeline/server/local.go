package server

import (
	"net"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// Local tells whether a request comes from this machine and from nowhere beyond it. It guards what
// is still open with the built-in password, so a loopback peer alone is not enough: a reverse proxy
// is one, and so is a browser that shows somebody else's page.
func Local(ctx *fasthttp.RequestCtx) bool {
	if ip := ctx.RemoteIP(); ip != nil && !ip.IsLoopback() {
		return false
	}
	h := &ctx.Request.Header
	for _, name := range [...]string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Forwarded-Host", "Via"} {
		if len(h.Peek(name)) > 0 {
			return false
		}
	}
	// The Host header, and the host of a target that is written as a whole address (a browser that
	// takes the gateway for its proxy).
	if !LoopbackName(string(h.Host())) || !LoopbackName(string(ctx.Host())) {
		return false // a name that was made to point here (DNS rebinding)
	}
	origin := string(h.Peek(fasthttp.HeaderOrigin))
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && LoopbackName(u.Host)
}

// LoopbackName tells whether a Host, with or without a port, means this machine.
func LoopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
