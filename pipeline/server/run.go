package server

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Running is what Run heeds while it serves.
type Running struct {
	Listener net.Listener
	Signals  *Signals
	Reload   func()               // a wish to read the settings again
	Drain    func() time.Duration // how long running requests may take to finish
}

// Run serves until a signal, then drains: exchanges may finish, the rest is cancelled. The error says
// why it could serve no longer.
func (s *Server) Run(r Running) error {
	served := make(chan error, 1)
	go func() { served <- s.Serve(r.Listener) }()
	for {
		select {
		case err := <-served:
			return fmt.Errorf("serving failed: %w", err)
		case <-r.Signals.Reload:
			r.Reload()
		case signal := <-r.Signals.Stop:
			drain := r.Drain()
			s.opt.Log.Info("stopping: running requests may finish; a second signal ends at once",
				"signal", signal.String(), "requests", s.Active(), "at_most", drain)
			ctx, cancel := context.WithTimeout(context.Background(), drain)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				s.opt.Log.Warn("not everything could finish", "error", err)
			}
			return nil
		}
	}
}
