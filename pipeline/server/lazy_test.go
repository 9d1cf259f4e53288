package server

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// counted counts the deadlines that really are set.
type counted struct {
	net.Conn
	moves int
}

func (c *counted) SetReadDeadline(t time.Time) error {
	c.moves++
	return c.Conn.SetReadDeadline(t)
}

// pair is a lazy connection and its peer.
func pair(t *testing.T) (*lazyConn, *counted, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	mine, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mine.Close(); peer.Close() })
	inner := &counted{Conn: mine}
	return &lazyConn{Conn: inner}, inner, peer
}

func TestDeadlinesThatMoveAwayAreOnlyNoted(t *testing.T) {
	c, inner, _ := pair(t)
	now := time.Now()
	for i := range 10 {
		_ = c.SetReadDeadline(now.Add(time.Minute + time.Duration(i)*time.Second))
	}
	_ = c.SetReadDeadline(time.Time{})
	if inner.moves != 1 {
		t.Errorf("%d moves, want one", inner.moves)
	}
	_ = c.SetReadDeadline(now.Add(30 * time.Second)) // nearer: at once
	_ = c.SetDeadline(now.Add(40 * time.Second))
	if inner.moves != 2 {
		t.Errorf("%d moves, want two", inner.moves)
	}
}

func TestLazyDeadlineStrikesWhenItIsDue(t *testing.T) {
	c, inner, peer := pair(t)
	begun := time.Now()
	_ = c.SetReadDeadline(begun.Add(20 * time.Millisecond))
	_ = c.SetReadDeadline(begun.Add(150 * time.Millisecond))
	n, err := c.Read(make([]byte, 1))
	if took := time.Since(begun); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took < 150*time.Millisecond {
		t.Errorf("%d bytes, %v after %s", n, err, took)
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_ = c.SetReadDeadline(time.Time{}) // taken back before it struck
	go func() {
		time.Sleep(60 * time.Millisecond)
		_, _ = peer.Write([]byte("x"))
	}()
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("without a deadline: %d bytes, %v", n, err)
	}
	if inner.moves != 3 {
		t.Errorf("%d moves, want 3: set, moved on, taken away", inner.moves)
	}
	_ = c.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline in the past: %v", err)
	}
}
