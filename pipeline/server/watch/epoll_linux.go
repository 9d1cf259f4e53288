package watch

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

func newWatcher() (watcher, error) { return newEpoll() }

// epoll is one epoll instance. It is itself polled by the Go runtime, so that waiting holds no
// thread and closing it wakes the waiter.
type epoll struct {
	file *os.File
	raw  syscall.RawConn
	once sync.Once
}

func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch connections: create epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // else the runtime would not poll it
		_ = unix.Close(fd)
		return nil, fmt.Errorf("watch connections: %w", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("watch connections: %w", err)
	}
	return &epoll{file: file, raw: raw}, nil
}

func (e *epoll) add(id uint64, raw syscall.RawConn) error {
	// EPOLLIN is left out: data never wakes the watcher, only the end of a connection does, once.
	event := unix.EpollEvent{
		Events: unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLET,
		Fd:     int32(id), Pad: int32(id >> 32), // both are the kernel's one 64-bit datum
	}
	var outer, inner, failed error
	outer = e.raw.Control(func(epfd uintptr) {
		inner = raw.Control(func(fd uintptr) {
			failed = unix.EpollCtl(int(epfd), unix.EPOLL_CTL_ADD, int(fd), &event)
		})
	})
	return errors.Join(outer, inner, failed)
}

func (e *epoll) run(l *Listener) {
	events := make([]unix.EpollEvent, 64)
	for {
		n := 0
		var failed error
		closed := e.raw.Read(func(fd uintptr) bool {
			n, failed = unix.EpollWait(int(fd), events, 0)
			return n > 0 || failed != nil && failed != unix.EINTR
		})
		if closed != nil || failed != nil {
			return
		}
		for _, ev := range events[:n] {
			l.left(uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32)
		}
	}
}

func (e *epoll) stop() { e.once.Do(func() { _ = e.file.Close() }) }
