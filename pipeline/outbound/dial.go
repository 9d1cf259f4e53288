package outbound

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// dialer makes connections, through the proxy if there is one.
type dialer struct {
	net     net.Dialer
	proxy   *proxy
	tls     *tls.Config // shared: its session cache makes later handshakes short
	connect time.Duration
}

// target is where to connect.
type target struct {
	addr  string // host:port
	tls   bool
	h2    bool // offer HTTP/2
	until time.Time
}

func newDialer(set Settings) (*dialer, error) {
	p, err := parseProxy(set.Proxy)
	if err != nil {
		return nil, err
	}
	return &dialer{
		proxy: p, connect: set.Connect,
		tls: &tls.Config{
			RootCAs: set.RootCAs, MinVersion: tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(64),
		},
	}, nil
}

// dial connects to t. raw is the connection beneath all TLS: closing it never blocks.
func (d *dialer) dial(ctx context.Context, t target) (rw, raw net.Conn, err error) {
	limited, cancel := d.limit(ctx, t.until)
	defer cancel()
	if d.proxy == nil {
		raw, err = d.net.DialContext(limited, "tcp", t.addr)
		rw = raw
	} else {
		rw, raw, err = d.tunnel(limited, t.addr)
	}
	if err == nil && t.tls {
		rw, err = d.secure(limited, rw, t)
	}
	if err == nil {
		return rw, raw, nil
	}
	if raw != nil {
		_ = raw.Close()
	}
	return nil, nil, dialFailure(ctx, limited, t, err)
}

// limit adds the limit for connecting, or the rest of the total if that is less.
func (d *dialer) limit(ctx context.Context, until time.Time) (context.Context, context.CancelFunc) {
	end := until
	if d.connect > 0 {
		if byConnect := time.Now().Add(d.connect); end.IsZero() || byConnect.Before(end) {
			end = byConnect
		}
	}
	if end.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end)
}

func dialFailure(ctx, limited context.Context, t target, err error) *Error {
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	if own, ok := err.(*Error); ok && limited.Err() == nil {
		return own // a proxy said no
	}
	kind := ErrDial
	switch {
	case !t.until.IsZero() && !time.Now().Before(t.until):
		kind = ErrTotal
	case limited.Err() != nil || timedOut(err):
		kind = ErrConnectTimeout
	}
	return &Error{Kind: kind, Where: t.addr, cause: err}
}

// secure is the TLS handshake with the target; addr gives the name to verify.
func (d *dialer) secure(ctx context.Context, raw net.Conn, t target) (net.Conn, error) {
	name, _, err := net.SplitHostPort(t.addr)
	if err != nil {
		return nil, err
	}
	cfg := d.tls.Clone()
	cfg.ServerName = name
	cfg.NextProtos = []string{"http/1.1"}
	if t.h2 {
		cfg.NextProtos = []string{"h2", "http/1.1"}
	}
	secured := tls.Client(raw, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secured, nil
}
