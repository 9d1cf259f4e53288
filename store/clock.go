package store

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// Timer is an engine that can tell what time it is at its server.
type Timer interface {
	Time(ctx context.Context) (time.Time, error)
}

// TimeOf asks an engine what time it is, through whatever is put around it. errors.ErrUnsupported is of one
// that has no time but this machine's.
func TimeOf(ctx context.Context, s Store) (time.Time, error) {
	for s != nil {
		if t, can := s.(Timer); can {
			return t.Time(ctx)
		}
		around, can := s.(interface{ Unwrap() Store })
		if !can {
			break
		}
		s = around.Unwrap()
	}
	return time.Time{}, errors.ErrUnsupported
}

const (
	clockLook  = time.Minute     // between two looks at the server's clock
	clockFor   = 3 * time.Second // that a look may take
	clockApart = time.Second     // from where on clocks differ; less is nobody's harm, and would make time jump
)

// Clock is the time that all nodes on a store go by: that of the database server. What one node writes with a
// time in it, another one compares with its own, or the server with its own; machines' clocks may be minutes apart, and the server's is one.
// Where the clock of this machine agrees within a second, or the engine tells no time, it is that one.
type Clock struct {
	s     Store
	log   *slog.Logger
	local func() time.Time
	ahead atomic.Int64 // this machine's clock, in nanoseconds
	stop  context.CancelFunc
	ended chan struct{}
}

// OpenClock looks at the server's clock, and again each minute until Close. local is the clock of this
// machine; nil is Machine.
func OpenClock(ctx context.Context, s Store, log *slog.Logger, local func() time.Time) *Clock {
	if local == nil {
		local = Machine
	}
	own, stop := context.WithCancel(context.Background())
	c := &Clock{s: s, log: log, local: local, stop: stop, ended: make(chan struct{})}
	c.look(ctx)
	go c.follow(own)
	return c
}

// Now is the time of the server.
func (c *Clock) Now() time.Time { return c.local().Add(-c.Ahead()) }

// Ahead is how far the clock of this machine is ahead of the server's, 0 where they agree.
func (c *Clock) Ahead() time.Duration { return time.Duration(c.ahead.Load()) }

// Close ends the looks. The clock goes on.
func (c *Clock) Close() error {
	c.stop()
	<-c.ended
	return nil
}

func (c *Clock) follow(ctx context.Context) {
	defer close(c.ended)
	tick := time.NewTicker(clockLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.look(ctx)
		}
	}
}

// look asks the server. The answer is as old as half the way there and back: one that was long on its way
// says little, and nothing is changed by what it does not say.
func (c *Clock) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clockFor)
	defer cancel()
	asked := c.local()
	there, err := TimeOf(ctx, c.s)
	took := c.local().Sub(asked)
	if err != nil {
		return // a store that is away is somebody else's to report
	}
	ahead, was := asked.Add(took/2).Sub(there), c.Ahead()
	if (ahead - was).Abs() < clockApart+took/2 {
		return
	}
	if ahead.Abs() < clockApart {
		ahead = 0
	}
	c.ahead.Store(int64(ahead))
	switch {
	case ahead == 0:
		c.log.Info("the clock of this machine agrees with the database server's again")
	default:
		c.log.Warn("the clock of this machine and the database server's differ: what nodes share goes by the server's", "ahead", ahead.Round(time.Millisecond).String())
	}
}
