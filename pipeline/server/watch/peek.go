//go:build unix

package watch

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// peekEvery is how late a client that left may be noticed without epoll.
const peekEvery = 500 * time.Millisecond

// peek looks at each connection with a running request, without taking what the client sent ahead.
// Behind such bytes a close is not seen until they are read. It is built on Linux too, where the
// tests hold it to the same table as epoll.
type peek struct {
	every time.Duration
	quit  chan struct{}
	once  sync.Once
}

func newPeek(every time.Duration) *peek { return &peek{every: every, quit: make(chan struct{})} }

func (p *peek) add(uint64, syscall.RawConn) error { return nil }

func (p *peek) run(l *Listener) {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	var busy []*Conn
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		l.mu.Lock()
		for _, c := range l.conns {
			if c.cur.Load() != nil {
				busy = append(busy, c)
			}
		}
		l.mu.Unlock()
		for i, c := range busy {
			if ended(c.raw) {
				l.left(c.id)
			}
			busy[i] = nil
		}
		busy = busy[:0]
	}
}

// ended uses Control and not Read, which would wait for a reader of the same connection.
func ended(raw syscall.RawConn) bool {
	gone := false
	_ = raw.Control(func(fd uintptr) { // fails if we closed it ourselves, which is not the peer leaving
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch err {
		case nil:
			gone = n == 0
		case unix.EAGAIN, unix.EINTR:
		default:
			gone = true
		}
	})
	return gone
}

func (p *peek) stop() { p.once.Do(func() { close(p.quit) }) }
