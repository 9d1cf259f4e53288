//go:build !unix

package watch

import (
	"sync"
	"syscall"
)

// none watches nothing: Windows sockets are blocking, and a peek would wait.
type none struct {
	quit chan struct{}
	once sync.Once
}

func newWatcher() (watcher, error) { return &none{quit: make(chan struct{})}, nil }

func (n *none) add(uint64, syscall.RawConn) error { return nil }
func (n *none) run(*Listener)                     { <-n.quit }
func (n *none) stop()                             { n.once.Do(func() { close(n.quit) }) }
