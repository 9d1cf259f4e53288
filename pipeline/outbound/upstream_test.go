package outbound

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// peer is one connection as the upstream sees it; a test writes raw bytes on it.
type peer struct {
	net.Conn
	br   *bufio.Reader
	req  *http.Request // the last one read
	body []byte
	turn int // requests read so far
	up   *upstream
}

func (p *peer) say(text string) { _, _ = io.WriteString(p.Conn, text) }

// next reads one request whole.
func (p *peer) next() bool {
	req, err := http.ReadRequest(p.br)
	if err != nil {
		return false
	}
	body, err := io.ReadAll(req.Body)
	p.req, p.body, p.turn = req, body, p.turn+1
	return err == nil
}

// gone waits until the other side closed, and tells the test.
func (p *peer) gone() {
	_, _ = io.Copy(io.Discard, p.br)
	p.up.left <- struct{}{}
}

// upstream is a real server whose answers are bytes of the test.
type upstream struct {
	url   string
	addr  string
	left  chan struct{} // a peer that waited in gone saw the close
	asked chan struct{} // a request (or connection, see raw) arrived
	conns atomic.Int64  // accepted
	open  atomic.Int64
	wg    sync.WaitGroup
	stop  func() // also at the end of the test
}

// serve starts an upstream that calls each for every request until it returns false.
func serve(t testing.TB, each func(p *peer) bool) *upstream {
	return serveRaw(t, nil, func(p *peer) {
		for p.next() {
			p.up.ask()
			if !each(p) {
				return
			}
		}
	})
}

func (u *upstream) ask() {
	select {
	case u.asked <- struct{}{}:
	default:
	}
}

func serveRaw(t testing.TB, cfg *tls.Config, conn func(p *peer)) *upstream {
	t.Helper()
	return serveAt(t, "127.0.0.1:0", cfg, conn)
}

func serveAt(t testing.TB, addr string, cfg *tls.Config, conn func(p *peer)) *upstream {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{addr: ln.Addr().String(), left: make(chan struct{}, 256), asked: make(chan struct{}, 256)}
	u.url = "http://" + u.addr
	if cfg != nil {
		u.url = "https://" + u.addr
	}
	live := map[net.Conn]bool{}
	var mu sync.Mutex
	u.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			u.conns.Add(1)
			u.open.Add(1)
			mu.Lock()
			live[c] = true
			mu.Unlock()
			u.wg.Go(func() {
				rw := c
				if cfg != nil {
					rw = tls.Server(c, cfg)
				}
				conn(&peer{Conn: rw, br: bufio.NewReader(rw), up: u})
				_ = c.Close()
				mu.Lock()
				delete(live, c)
				mu.Unlock()
				u.open.Add(-1)
			})
		}
	})
	u.stop = func() {
		_ = ln.Close()
		mu.Lock()
		for c := range live {
			_ = c.Close()
		}
		mu.Unlock()
		u.wg.Wait()
	}
	t.Cleanup(u.stop)
	return u
}

// certificate is a self-signed one for 127.0.0.1 and pictures.test, and the pool that trusts it.
func certificate(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"pictures.test"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func settings() Settings {
	return Settings{Connect: time.Minute, FirstByte: time.Minute, Idle: time.Minute}
}

func client(t testing.TB, set Settings) *Client {
	t.Helper()
	c, err := New(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func post(url, body string) *Request {
	req := &Request{Body: []byte(body)}
	req.To(url)
	req.Set("Content-Type", "application/json")
	return req
}

// whole makes a call and reads the answer to its end.
func whole(ctx context.Context, c Caller, req *Request) (*Response, []byte, error) {
	r, err := c.Do(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return r, body, errors.Join(err, r.Body.Close())
}

// await waits for an event that must come.
func await(t testing.TB, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(5 * time.Second):
		t.Fatalf("%s did not happen", what)
	}
}

// eventually waits for a state that must come without anything more being done.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// goroutines waits until no more run than before.
func goroutines(t testing.TB, before int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			var b bytes.Buffer
			b.Grow(1 << 16)
			n := runtime.Stack(b.AvailableBuffer()[:1<<16], true)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, b.AvailableBuffer()[:n])
		}
	}
}

func sized200(body string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n" + body
}

func itoa(n int) string { return big.NewInt(int64(n)).String() }

const chunkedHeader = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

func chunk(data string) string {
	return strings.ToUpper(big.NewInt(int64(len(data))).Text(16)) + "\r\n" + data + "\r\n"
}
