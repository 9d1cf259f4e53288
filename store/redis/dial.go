package redis

import (
	"context"
	"crypto/tls"
	"net"
	"syscall"
)

// dial makes the connections of a client. The driver looks at the socket of one that lay idle before it sends
// something, so that a restarted server costs no call; of TLS it would not know the socket.
func dial(secure *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, to string) (net.Conn, error) {
		plain, err := (&net.Dialer{}).DialContext(ctx, network, to)
		if err != nil || secure == nil {
			return plain, err
		}
		c := secure.Clone()
		if c.ServerName == "" {
			c.ServerName, _, _ = net.SplitHostPort(to)
		}
		over := tls.Client(plain, c)
		if err := over.HandshakeContext(ctx); err != nil {
			_ = plain.Close()
			return nil, err
		}
		if socket, is := plain.(syscall.Conn); is {
			return seen{over, socket}, nil
		}
		return over, nil
	}
}

// seen is a TLS connection with its socket.
type seen struct {
	*tls.Conn
	socket syscall.Conn
}

// SyscallConn is asked by the driver.
func (s seen) SyscallConn() (syscall.RawConn, error) { return s.socket.SyscallConn() }

// silent keeps the driver from writing to stderr: what it would say there comes as errors as well.
type silent struct{}

// Printf says nothing.
func (silent) Printf(context.Context, string, ...any) {}
