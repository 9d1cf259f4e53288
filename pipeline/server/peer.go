package server

import (
	"bytes"
	"net"

	"github.com/valyala/fasthttp"
)

// PeerOf is the address of the client: the peer, or where that is a proxy on this machine the address that
// the proxy saw, which it writes last. Nobody else is believed.
func PeerOf(ctx *fasthttp.RequestCtx) net.IP {
	ip := ctx.RemoteIP()
	if !ip.IsLoopback() || len(ctx.Request.Header.Peek(fasthttp.HeaderXForwardedFor)) == 0 {
		return ip
	}
	lines := ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor) // some proxies add a line of their own
	last := lines[len(lines)-1]
	if at := bytes.LastIndexByte(last, ','); at >= 0 {
		last = last[at+1:]
	}
	text := string(bytes.TrimSpace(last))
	if host, _, err := net.SplitHostPort(text); err == nil { // IIS writes the port as well
		text = host
	}
	if seen := net.ParseIP(text); seen != nil {
		return seen
	}
	return ip
}
