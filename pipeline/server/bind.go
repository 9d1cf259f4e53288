package server

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Bind takes the address to listen on. The error is for the operator.
func Bind(host string, port int) (net.Listener, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("cannot listen: %w; set PORT or server.port (demo: -port) to another one", err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return ln, nil
}

// Rebind takes the same port of another host, in the place of a listener that nobody has served on yet.
func Rebind(ln *net.Listener, host string) error {
	port := (*ln).Addr().(*net.TCPAddr).Port
	_ = (*ln).Close()
	next, err := Bind(host, port)
	if err != nil {
		return err
	}
	*ln = next
	return nil
}
