package mongo_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/store/storetest/servers"
)

// wire is a way to the server that can be cut after a message that a test names.
type wire struct {
	to string
	at net.Listener

	mu    sync.Mutex
	left  int                                   // messages of the kind until the cut; below zero never
	kind  func(command, collection string) bool // which are counted
	cut   chan struct{}
	conns []net.Conn
	ahead time.Duration // what the server's clock seems to be, before the first connection
}

func wired(t testing.TB, s *servers.MongoServer) *wire {
	t.Helper()
	u, err := url.Parse(s.Address())
	if err != nil || strings.Contains(u.Host, ",") {
		t.Skip("the way to several servers cannot be cut here")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{to: u.Host, at: ln, left: -1, cut: make(chan struct{})}
	t.Cleanup(func() { w.sever(); ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go w.serve(c)
		}
	}()
	return w
}

func (w *wire) address() string {
	return "mongodb://" + w.at.Addr().String() + "/?directConnection=true"
}

// after cuts behind the n-th message of a kind: the server gets it, its answer goes nowhere.
func (w *wire) after(n int, kind func(command, collection string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left, w.kind = n, kind
}

// counts tells that this message is the last one.
func (w *wire) counts(m []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	command, collection := saying(m)
	if w.left < 0 || !w.kind(command, collection) {
		return false
	}
	w.left--
	return w.left == 0
}

func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.cut:
	default:
		close(w.cut)
	}
	for _, c := range w.conns {
		c.Close()
	}
}

func (w *wire) serve(c net.Conn) {
	s, err := net.Dial("tcp", w.to)
	if err != nil {
		c.Close()
		return
	}
	w.mu.Lock()
	w.conns = append(w.conns, c, s)
	w.mu.Unlock()
	select {
	case <-w.cut:
		c.Close()
		s.Close()
		return
	default:
	}
	last := make(chan bool, 1)
	go func() {
		for {
			m, err := readMessage(s)
			if err != nil {
				c.Close()
				return
			}
			select {
			case <-last: // it is done there, and nobody here hears of it
				w.sever()
				return
			default:
			}
			if _, err := c.Write(w.later(m)); err != nil {
				return
			}
		}
	}()
	for {
		m, err := readMessage(c)
		if err != nil {
			s.Close()
			return
		}
		if w.counts(m) {
			last <- true
		}
		if _, err := s.Write(m); err != nil {
			return
		}
	}
}

// later moves the time in an answer to hello.
func (w *wire) later(m []byte) []byte {
	field := append([]byte{9}, "localTime\x00"...)
	if i := bytes.Index(m, field); w.ahead != 0 && i > 0 && len(m) >= i+len(field)+8 {
		at := m[i+len(field):]
		binary.LittleEndian.PutUint64(at, binary.LittleEndian.Uint64(at)+uint64(w.ahead.Milliseconds()))
	}
	return m
}

func readMessage(c net.Conn) ([]byte, error) {
	m := make([]byte, 16)
	if _, err := io.ReadFull(c, m); err != nil {
		return nil, err
	}
	m = append(m, make([]byte, binary.LittleEndian.Uint32(m)-16)...)
	_, err := io.ReadFull(c, m[16:])
	return m, err
}

// saying is the command of an OP_MSG, and its collection. A bulk write may put its updates in front.
func saying(m []byte) (command, collection string) {
	for _, name := range []string{"update", "findAndModify"} {
		_, rest, found := bytes.Cut(m, append([]byte{2}, append([]byte(name), 0)...))
		if found && len(rest) > 4 {
			is, _, _ := bytes.Cut(rest[4:], []byte{0})
			return name, string(is)
		}
	}
	return "", ""
}
