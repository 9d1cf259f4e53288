package outbound

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// proxy is where calls go out. HTTP proxies are always asked to CONNECT, also for plain HTTP
// targets: one way for everything, and no proxy sees a token.
type proxy struct {
	addr       string
	tls        bool // the way to the proxy itself
	socks      bool
	user, pass string
	auth       bool
}

// parseProxy reads the PROXY setting. Errors never quote it: url.Parse would, password included.
func parseProxy(text string) (*proxy, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("proxy: not a URL (want http://, https:// or socks5://[user:password@]host:port)")
	}
	p := &proxy{}
	port := ""
	switch u.Scheme {
	case "http":
		port = "80"
	case "https":
		port, p.tls = "443", true
	case "socks5", "socks5h":
		port, p.socks = "1080", true
	default:
		return nil, errors.New("proxy: must begin with http://, https:// or socks5://")
	}
	if u.Hostname() == "" {
		return nil, errors.New("proxy: has no host")
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("proxy: nothing may follow the host and port")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	p.addr = net.JoinHostPort(u.Hostname(), port)
	if u.User != nil {
		p.auth, p.user = true, u.User.Username()
		p.pass, _ = u.User.Password()
	}
	if p.socks && p.auth && (len(p.user) == 0 || len(p.user) > 255 || len(p.pass) == 0 || len(p.pass) > 255) {
		return nil, errors.New("proxy: SOCKS5 needs a user and a password of 1 to 255 bytes, or neither")
	}
	return p, nil
}

// CheckProxy says what is wrong with the address of a proxy, without quoting it. "" is none, and right.
func CheckProxy(text string) error {
	_, err := parseProxy(text)
	return err
}

// MaskProxy is the address of a proxy as it may be shown: stars instead of user and password.
func MaskProxy(text string) string {
	p, err := url.Parse(text)
	switch {
	case err != nil:
		return "***"
	case p.User == nil:
		return text
	}
	return p.Scheme + "://***@" + p.Host
}

// ProxyPassword is the password in the address of a proxy, "" when there is none.
func ProxyPassword(text string) string {
	p, err := url.Parse(text)
	if err != nil || p.User == nil {
		return ""
	}
	password, _ := p.User.Password()
	return password
}

// tunnel connects to addr through the proxy. The name is resolved there. raw is the connection to
// the proxy beneath its TLS, if it has any.
func (d *dialer) tunnel(ctx context.Context, addr string) (conn, raw net.Conn, err error) {
	p := d.proxy
	if raw, err = d.net.DialContext(ctx, "tcp", p.addr); err != nil {
		return nil, nil, p.refused("connect to the proxy: %w", err)
	}
	conn = raw
	if p.tls {
		if conn, err = d.secure(ctx, raw, target{addr: p.addr}); err != nil {
			_ = raw.Close()
			return nil, nil, p.refused("TLS with the proxy: %w", err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	if p.socks {
		err = p.askSocks(conn, addr)
	} else {
		err = p.askConnect(conn, addr)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = raw.Close()
		return nil, nil, err
	}
	return conn, raw, nil
}

func (p *proxy) refused(format string, args ...any) error {
	return &Error{Kind: ErrProxy, Where: p.addr, cause: fmt.Errorf(format, args...)}
}

// askConnect opens a tunnel through an HTTP proxy.
func (p *proxy) askConnect(conn net.Conn, addr string) error {
	ask := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if p.auth {
		ask += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.pass)) + "\r\n"
	}
	if _, err := io.WriteString(conn, ask+"\r\n"); err != nil {
		return p.refused("send CONNECT: %w", err)
	}
	br := bufio.NewReader(io.LimitReader(conn, headerMax))
	answer, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return p.refused("read the answer to CONNECT: %w", err)
	}
	_ = answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusProxyAuthRequired:
		return p.refused("it wants another user or password (407)")
	case answer.StatusCode/100 != 2:
		return p.refused("it answered %d", answer.StatusCode)
	case br.Buffered() > 0:
		return p.refused("it spoke before the target was asked")
	}
	return nil
}

// askSocks opens a tunnel through a SOCKS5 proxy (RFC 1928, password by RFC 1929).
func (p *proxy) askSocks(conn net.Conn, addr string) error {
	name, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || len(name) > 255 {
		return p.refused("cannot name the target in SOCKS5")
	}
	if err := p.greetSocks(conn); err != nil {
		return err
	}
	ask := []byte{5, 1, 0}
	if ip := net.ParseIP(name); ip == nil {
		ask = append(append(ask, 3, byte(len(name))), name...)
	} else if four := ip.To4(); four != nil {
		ask = append(append(ask, 1), four...)
	} else {
		ask = append(append(ask, 4), ip.To16()...)
	}
	ask = append(ask, byte(port>>8), byte(port))
	return p.socksReply(conn, ask)
}

// greetSocks agrees on how to sign in, and does.
func (p *proxy) greetSocks(conn net.Conn) error {
	greeting := []byte{5, 1, 0}
	if p.auth {
		greeting = []byte{5, 2, 0, 2}
	}
	var answer [2]byte
	if err := p.ask(conn, greeting, answer[:]); err != nil {
		return err
	}
	switch {
	case answer[0] != 5:
		return p.refused("it does not speak SOCKS5")
	case answer[1] == 0:
		return nil
	case answer[1] != 2 || !p.auth:
		return p.refused("it wants another way to sign in")
	}
	sign := append([]byte{1, byte(len(p.user))}, p.user...)
	sign = append(append(sign, byte(len(p.pass))), p.pass...)
	if err := p.ask(conn, sign, answer[:]); err != nil {
		return err
	}
	if answer[1] != 0 {
		return p.refused("it wants another user or password")
	}
	return nil
}

// socksReply sends the request and reads past the address that the answer carries.
func (p *proxy) socksReply(conn net.Conn, ask []byte) error {
	var head [4]byte
	if err := p.ask(conn, ask, head[:]); err != nil {
		return err
	}
	if head[0] != 5 || head[1] != 0 {
		return p.refused("SOCKS5 reply %d", head[1])
	}
	rest := net.IPv4len
	switch head[3] {
	case 4:
		rest = net.IPv6len
	case 3:
		var n [1]byte
		if err := p.ask(conn, nil, n[:]); err != nil {
			return err
		}
		rest = int(n[0])
	}
	return p.ask(conn, nil, make([]byte, rest+2))
}

func (p *proxy) ask(conn net.Conn, send, answer []byte) error {
	if _, err := conn.Write(send); err != nil {
		return p.refused("send: %w", err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil {
		return p.refused("read its answer: %w", err)
	}
	return nil
}
