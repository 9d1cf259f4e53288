//go:build unix

package watch

import (
	"bufio"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// each runs a test with the watcher of this system and with the one for systems without epoll.
func each(t *testing.T, run func(t *testing.T, l *Listener)) {
	t.Helper()
	for name, make := range map[string]func() (watcher, error){
		"native": newWatcher,
		"peek":   func() (watcher, error) { return newPeek(2 * time.Millisecond), nil },
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			w, err := make()
			if err != nil {
				t.Fatal(err)
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l := listen(ln, w)
			run(t, l)
			_ = l.Stop()
			for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
				}
			}
		})
	}
}

// pair is a connection, from the client's side and from ours.
func pair(t testing.TB, l *Listener) (client *net.TCPConn, ours *Conn) {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Close(), s.Close() })
	ours = Of(s)
	if ours == nil || ours != s {
		t.Fatal("not watched")
	}
	return c.(*net.TCPConn), ours
}

// signal is a Cancel that tells the test, and how often it was called.
type signal struct {
	f     Cancel
	fired chan struct{}
	count atomic.Int64
}

func newSignal() *signal {
	s := &signal{fired: make(chan struct{}, 16)}
	s.f = func() {
		s.count.Add(1)
		s.fired <- struct{}{}
	}
	return s
}

func (s *signal) await(t testing.TB) {
	t.Helper()
	select {
	case <-s.fired:
	case <-time.After(5 * time.Second):
		t.Fatal("was not cancelled")
	}
}

// settled gives the watcher the chance to do what it must not do: another connection is closed
// after, and its cancellation is waited for.
func settled(t *testing.T, l *Listener) {
	t.Helper()
	for range 2 {
		client, ours := pair(t, l)
		s := newSignal()
		ours.Begin(&s.f)
		_ = client.Close()
		s.await(t)
		ours.End()
	}
}

func TestPeerLeaves(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, c *net.TCPConn){
		"FIN":       func(t *testing.T, c *net.TCPConn) { _ = c.Close() },
		"RST":       func(t *testing.T, c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
		"half":      func(t *testing.T, c *net.TCPConn) { _ = c.CloseWrite() },
		"then both": func(t *testing.T, c *net.TCPConn) { _ = c.CloseWrite(); _ = c.SetLinger(0); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, l *Listener) {
				client, ours := pair(t, l)
				s := newSignal()
				ours.Begin(&s.f)
				if ours.Gone() {
					t.Error("gone too early")
				}
				leave(t, client)
				s.await(t)
				if !ours.Gone() {
					t.Error("cancelled but not gone")
				}
				settled(t, l)
				ours.End()
				if n := s.count.Load(); n != 1 {
					t.Errorf("cancelled %d times", n)
				}
				next := newSignal() // the next request on this connection is dead from the start
				ours.Begin(&next.f)
				if next.count.Load() != 1 {
					t.Error("the next request was not cancelled at once")
				}
				ours.End()
			})
		})
	}
}

// A stream that is being read by a client that then leaves, and bytes in both directions before.
func TestTrafficIsNoClose(t *testing.T) {
	each(t, func(t *testing.T, l *Listener) {
		client, ours := pair(t, l)
		s := newSignal()
		ours.Begin(&s.f)
		for range 100 { // pipelined bytes that nobody reads yet, and a stream
			if _, err := client.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			if _, err := ours.Write([]byte("data: {}\n\n")); err != nil {
				t.Fatal(err)
			}
		}
		settled(t, l)
		if s.count.Load() != 0 || ours.Gone() {
			t.Error("bytes were taken for a close")
		}
		if _, err := io.CopyN(io.Discard, ours, 1800); err != nil { // nothing was lost to the watcher
			t.Fatal(err)
		}
		_ = client.SetLinger(0)
		_ = client.Close()
		s.await(t)
		ours.End()
	})
}

// Bytes before the close: epoll sees through them.
func TestCloseBehindUnreadBytes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only epoll sees a close behind unread bytes")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(ln)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Stop()
	client, ours := pair(t, l)
	s := newSignal()
	ours.Begin(&s.f)
	_, _ = client.Write([]byte("next request"))
	_ = client.Close()
	s.await(t)
	ours.End()
}

// The requests of one connection one after the other: a cancellation is for the one that runs, and
// never for one that ended.
func TestKeepAlive(t *testing.T) {
	each(t, func(t *testing.T, l *Listener) {
		client, ours := pair(t, l)
		old := make([]*signal, 5)
		for i := range old {
			old[i] = newSignal()
			ours.Begin(&old[i].f)
			ours.End()
		}
		s := newSignal()
		ours.Begin(&s.f)
		_ = client.Close()
		s.await(t)
		ours.End()
		settled(t, l)
		for i, o := range old {
			if o.count.Load() != 0 {
				t.Errorf("request %d had ended and was cancelled", i)
			}
		}
	})
}

// When End has returned the cancellation is not running, whatever the peer does at that moment.
func TestEndWaitsForCancel(t *testing.T) {
	each(t, func(t *testing.T, l *Listener) {
		cancelled := 0
		for i := range 300 {
			client, ours := pair(t, l)
			ended := false // no atomic on purpose: the race detector is the judge
			called := 0
			f := Cancel(func() {
				if ended {
					t.Error("cancelled after End")
				}
				time.Sleep(100 * time.Microsecond) // let End come in between, if it does not wait
				if ended {
					t.Error("End did not wait")
				}
				called++
			})
			ours.Begin(&f)
			go func() { _ = client.Close() }()
			for i%2 == 1 && !ours.Gone() {
				runtime.Gosched()
			}
			for range i % 50 {
				runtime.Gosched()
			}
			ours.End()
			ended = true
			cancelled += called
			_ = ours.Close()
		}
		if cancelled == 0 || cancelled == 300 {
			t.Errorf("%d of 300 were cancelled: nothing raced", cancelled)
		}
	})
}

// A descriptor that is closed and given out again: nothing of its former life reaches the new one.
func TestDescriptorsAreReused(t *testing.T) {
	each(t, func(t *testing.T, l *Listener) {
		for range 200 {
			first, ours := pair(t, l)
			old := newSignal()
			ours.Begin(&old.f)
			fd := descriptor(t, ours)
			go func() { _ = first.Close() }() // races with our close
			ours.End()
			_ = ours.Close()
			second, next := pair(t, l)
			s := newSignal()
			next.Begin(&s.f)
			reused := descriptor(t, next) == fd
			third, _ := pair(t, l) // so that the watcher has something to see
			_ = third.Close()
			runtime.Gosched()
			if s.count.Load() != 0 || next.Gone() {
				t.Fatalf("a connection that nobody closed was cancelled (descriptor reused: %t)", reused)
			}
			next.End()
			_, _ = second.Close(), next.Close()
		}
	})
}

func descriptor(t *testing.T, c *Conn) (n uintptr) {
	t.Helper()
	if err := c.raw.Control(func(fd uintptr) { n = fd }); err != nil {
		t.Fatal(err)
	}
	return n
}

// Many connections come, run requests and go, some of them by the client's will.
func TestChurn(t *testing.T) {
	each(t, func(t *testing.T, l *Listener) {
		var served, cancelled, wrong atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				wg.Go(func() { churnServe(Of(c), &served, &cancelled, &wrong) })
			}
		})
		var clients sync.WaitGroup
		for g := range 50 {
			clients.Go(func() {
				for i := range 20 {
					churnClient(t, l, (g+i)%2 == 0)
				}
			})
		}
		clients.Wait()
		_ = l.Close()
		wg.Wait()
		l.mu.Lock()
		left := len(l.conns)
		l.mu.Unlock()
		if served.Load() != 1000 || cancelled.Load() != 500 || wrong.Load() != 0 || left != 0 {
			t.Errorf("%d connections, %d cancelled, %d wrongly, %d left in the table",
				served.Load(), cancelled.Load(), wrong.Load(), left)
		}
		select {
		case <-l.done:
		case <-time.After(5 * time.Second):
			t.Error("the watcher did not end with the last connection")
		}
	})
}

// churnServe echoes a byte, and for 'w' waits as a slow request does.
func churnServe(c *Conn, served, cancelled, wrong *atomic.Int64) {
	served.Add(1)
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		b, err := br.ReadByte()
		if err != nil {
			return
		}
		s := newSignal()
		c.Begin(&s.f)
		if b == 'w' {
			select {
			case <-s.fired:
				cancelled.Add(1)
			case <-time.After(10 * time.Second):
				wrong.Add(1)
			}
			c.End()
			return
		}
		if s.count.Load() != 0 { // the client waits for its byte
			wrong.Add(1)
		}
		_, _ = c.Write([]byte{b})
		c.End()
	}
}

func churnClient(t *testing.T, l *Listener, leaves bool) {
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	b := make([]byte, 1)
	for range 3 {
		_, _ = c.Write([]byte{'k'})
		if _, err := io.ReadFull(c, b); err != nil {
			t.Error(err)
			return
		}
	}
	if leaves {
		_, _ = c.Write([]byte{'w'})
	}
}

func BenchmarkBeginEnd(b *testing.B) {
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	l, err := Listen(ln)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Stop()
	_, ours := pair(b, l)
	f := Cancel(func() {})
	b.ReportAllocs()
	for b.Loop() {
		ours.Begin(&f)
		ours.End()
	}
}

// The cost of a connection: accept and close, with and without the watcher.
func BenchmarkConnection(b *testing.B) {
	for _, watched := range []bool{false, true} {
		name := map[bool]string{false: "bare", true: "watched"}[watched]
		b.Run(name, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			if watched {
				l, err := Listen(ln)
				if err != nil {
					b.Fatal(err)
				}
				defer l.Stop()
				ln = l
			}
			defer ln.Close()
			b.ReportAllocs()
			for b.Loop() {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				s, err := ln.Accept()
				if err != nil {
					b.Fatal(err)
				}
				_ = c.(*net.TCPConn).SetLinger(0)
				_, _ = c.Close(), s.Close()
			}
		})
	}
}
