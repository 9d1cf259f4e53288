//go:build unix

package watch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

func TestThroughTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	each(t, func(t *testing.T, l *Listener) {
		secure := tls.NewListener(l, cfg)
		accepted := make(chan net.Conn, 1)
		go func() {
			c, err := secure.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(c, make([]byte, 5))
			accepted <- c
		}()
		client, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // the test's own certificate
		if err != nil {
			t.Fatal(err)
		}
		_, _ = client.Write([]byte("hello"))
		c := <-accepted
		ours := Of(c)
		if ours == nil {
			t.Fatal("not found beneath TLS")
		}
		s := newSignal()
		ours.Begin(&s.f)
		settled(t, l)
		if ours.Gone() {
			t.Error("gone while it is there")
		}
		// Without close_notify, as a client that crashes: the peek cannot see behind it.
		_ = client.NetConn().Close()
		s.await(t)
		ours.End()
		_ = c.Close()
	})
}

func TestOfOthers(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if Of(a) != nil || Of(nil) != nil || Of(tls.Server(b, nil)) != nil {
		t.Error("found what is not there")
	}
}

// A connection that cannot be watched is served: the in-memory listeners of tests give such.
func TestUnwatchable(t *testing.T) {
	pipes := &pipeListener{conns: make(chan net.Conn, 1)}
	l, err := Listen(pipes)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	pipes.conns <- b
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = a.Write([]byte("x")) }()
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s := newSignal()
	Of(c).Begin(&s.f)
	Of(c).End()
	_, _, _ = c.Close(), a.Close(), l.Stop()
}

type pipeListener struct{ conns chan net.Conn }

func (p *pipeListener) Accept() (net.Conn, error) { return <-p.conns, nil }
func (p *pipeListener) Close() error              { return nil }
func (p *pipeListener) Addr() net.Addr            { return &net.TCPAddr{} }

// A server drains after it closed its listener: who leaves then is noticed still.
func TestWatchesWhileDraining(t *testing.T) {
	each(t, func(t *testing.T, l *Listener) {
		client, ours := pair(t, l)
		s := newSignal()
		ours.Begin(&s.f)
		_ = l.Close()
		_ = client.Close()
		s.await(t)
		ours.End()
		_ = ours.Close()
		select {
		case <-l.done:
		case <-time.After(5 * time.Second):
			t.Error("the watcher outlives the last connection")
		}
	})
}

// Stop ends the watcher though connections are open; they live on.
func TestStop(t *testing.T) {
	each(t, func(t *testing.T, l *Listener) {
		client, ours := pair(t, l)
		s := newSignal()
		ours.Begin(&s.f)
		_, _ = l.Stop(), l.Stop()
		if _, err := ours.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		_ = client.Close()
		ours.End()
		if s.count.Load() != 0 {
			t.Error("cancelled after Stop")
		}
	})
}

// A close that we make ourselves is not the peer leaving.
func TestOwnClose(t *testing.T) {
	each(t, func(t *testing.T, l *Listener) {
		_, ours := pair(t, l)
		s := newSignal()
		ours.Begin(&s.f)
		_, _ = ours.Close(), ours.Close()
		settled(t, l)
		if s.count.Load() != 0 || ours.Gone() {
			t.Error("our own close was taken for the peer's")
		}
		ours.End()
	})
}
