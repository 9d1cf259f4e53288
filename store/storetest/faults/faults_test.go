package faults_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gcli2api/store/storetest/faults"
)

// echo answers each line with itself, and counts them.
func echo(t *testing.T) (addr string, lines *atomic.Int64) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	lines = new(atomic.Int64)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					lines.Add(1)
					_, _ = io.WriteString(c, line)
				}
			}()
		}
	}()
	return ln.Addr().String(), lines
}

type client struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, p *faults.Proxy) *client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{c, bufio.NewReader(c)}
}

// ask is one round trip.
func (c *client) ask(line string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	got, err := c.r.ReadString('\n')
	return strings.TrimSpace(got), err
}

func (c *client) must(t *testing.T, line string) {
	t.Helper()
	if got, err := c.ask(line); got != line || err != nil {
		t.Fatalf("%q: %q, %v", line, got, err)
	}
}

func TestPassesOnAndCounts(t *testing.T) {
	addr, lines := echo(t)
	p := faults.Start(t, addr)
	a, b := dial(t, p), dial(t, p)
	for range 3 {
		a.must(t, "a")
	}
	b.must(t, "b")
	_, _ = fmt.Fprint(b, "one\ntwo\n")
	for range 2 {
		if _, err := b.r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	ever, now := p.Connections()
	if p.Turns() != 5 || ever != 2 || now != 2 || lines.Load() != 6 {
		t.Fatalf("%d turns, %d lines, %d connections of %d", p.Turns(), lines.Load(), now, ever)
	}
}

func TestDelay(t *testing.T) {
	addr, _ := echo(t)
	p := faults.Start(t, addr)
	c := dial(t, p)
	c.must(t, "quick")
	p.Delay(60*time.Millisecond, 40*time.Millisecond)
	begun := time.Now()
	c.must(t, "slow")
	if took := time.Since(begun); took < 100*time.Millisecond {
		t.Fatalf("a round trip took %v", took)
	}
}

func TestAwayAndBack(t *testing.T) {
	addr, _ := echo(t)
	p := faults.Start(t, addr)
	c := dial(t, p)
	c.must(t, "there")
	p.Away()
	if got, err := c.ask("gone"); err == nil {
		t.Fatalf("answered %q", got)
	}
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	p.Heal(t)
	dial(t, p).must(t, "back")
	p.Refuse()
	p.Heal(t)
	dial(t, p).must(t, "again")
}

func TestSwallow(t *testing.T) {
	addr, lines := echo(t)
	p := faults.Start(t, addr)
	c := dial(t, p)
	c.must(t, "there")
	p.Swallow()
	for _, c := range []*client{c, dial(t, p)} {
		if _, err := fmt.Fprintln(c, "lost"); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		var late net.Error
		if _, err := c.r.ReadString('\n'); !errors.As(err, &late) || !late.Timeout() {
			t.Fatal(err)
		}
	}
	p.Heal(t)
	if got, err := c.ask("is it?"); err == nil {
		t.Fatalf("a connection that lost a line goes on: %q", got)
	}
	dial(t, p).must(t, "back")
	if lines.Load() != 2 {
		t.Fatalf("%d lines", lines.Load())
	}
}

// TestReset: the answer is lost and the server has done it, or the server has seen a part; other
// connections stay.
func TestReset(t *testing.T) {
	addr, lines := echo(t)
	p := faults.Start(t, addr)
	other, c := dial(t, p), dial(t, p)
	p.Reset(faults.Reset{Saying: "write", Answers: true, Times: 1})
	c.must(t, "read")
	if got, err := c.ask("write"); !errors.Is(err, syscall.ECONNRESET) || got != "" {
		t.Fatalf("%q, %v", got, err)
	}
	if lines.Load() != 2 || p.Resets() != 1 {
		t.Fatalf("%d lines, %d resets", lines.Load(), p.Resets())
	}
	other.must(t, "write")
	p.Reset(faults.Reset{After: 3})
	if got, err := other.ask("half"); err == nil || got != "" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := dial(t, p).ask("half"); err == nil {
		t.Fatal("each connection is to be reset")
	}
	p.Heal(t)
	dial(t, p).must(t, "whole")
	if lines.Load() != 4 || p.Resets() != 3 {
		t.Fatalf("%d lines, %d resets", lines.Load(), p.Resets())
	}
}
