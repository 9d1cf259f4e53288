package server

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Signals are what the operating system tells a gateway: to stop, or to read its settings again.
type Signals struct {
	// Stop gets the first signal that ends the gateway; after it, the next one ends the process at once.
	Stop <-chan os.Signal
	// Reload gets each wish to read the settings again; wishes that come while one is waiting are one.
	Reload <-chan struct{}
	ctx    context.Context
	raw    chan os.Signal
	done   chan struct{}
}

// Listen begins to listen for signals. SIGINT and SIGTERM stop. SIGHUP reloads where hup is true,
// unless it means that the terminal is gone: then nobody is left who could stop the gateway, so it
// stops. With hup false it always stops; where it is ignored (nohup) it stays so.
func Listen(hup bool) *Signals {
	stop, reload := make(chan os.Signal, 1), make(chan struct{}, 1)
	ctx, over := context.WithCancel(context.Background())
	s := &Signals{Stop: stop, Reload: reload, ctx: ctx, raw: make(chan os.Signal, 4), done: make(chan struct{})}
	signal.Notify(s.raw, syscall.SIGINT, syscall.SIGTERM)
	terminal := !signal.Ignored(syscall.SIGHUP) && hasTerminal() // nohup means to outlive it
	if hup || !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(s.raw, syscall.SIGHUP)
	}
	go func() {
		defer close(s.done)
		defer over()
		for sig := range s.raw {
			if sig == syscall.SIGHUP && hup && !(terminal && !hasTerminal()) {
				select {
				case reload <- struct{}{}:
				default:
				}
				continue
			}
			// The next one of these ends the process. A hang-up must not: it would cut what still drains.
			signal.Reset(syscall.SIGINT, syscall.SIGTERM)
			stop <- sig
			return
		}
	}()
	return s
}

// Context is over when the gateway was told to stop: a start that waits for something ends with it.
func (s *Signals) Context() context.Context { return s.ctx }

// Close stops listening.
func (s *Signals) Close() {
	signal.Stop(s.raw)
	select {
	case <-s.done:
	default:
		close(s.raw)
		<-s.done
	}
}

// hasTerminal tells whether the process has a terminal that it would hear SIGHUP from.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}
