package circuit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"gcli2api/store"
)

// missed notes a failure, and opens the circuit when it is one too many. sure tells that nobody got an
// answer for as long as a call may take.
func (c *Circuit) missed(why *store.Away, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.row++
	c.last, c.lastAt = why, time.Now()
	if c.away.Load() != nil || c.ended || c.row < inARow && !sure {
		return
	}
	if time.Since(c.since) > steady {
		c.pause = c.o.Pause
	}
	c.since, c.before = time.Now(), c.denied.Load()
	away := &store.Away{Engine: c.o.Engine, Err: fmt.Errorf("away since %s: %w", c.since.UTC().Format(time.TimeOnly), why.Err)}
	c.away.Store(away)
	c.o.Log.Error("the database is away: what needs it is refused at once until it is back",
		"engine", c.o.Engine, "place", c.o.Place, "error", c.o.Mask(why.Err.Error()), "failures", c.row)
	c.looks.Go(func() { c.look(away) })
}

// back notes an answer, and closes the circuit.
func (c *Circuit) back() {
	if c.away.Load() == nil && c.rowIsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.row = 0
	if c.away.Load() == nil {
		return
	}
	away := time.Since(c.since)
	c.since = time.Now()
	c.away.Store(nil)
	c.o.Log.Info("the database is back", "engine", c.o.Engine, "place", c.o.Place,
		"away", away.Round(time.Millisecond).String(), "refused", c.denied.Load()-c.before)
}

func (c *Circuit) rowIsZero() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.row == 0
}

// look asks the database until it answers. Its pauses grow, and differ from those of other gateways: a
// database that comes back is not met by all of them at a time. What a call that was on its way has closed, and
// others have opened again meanwhile, has a look of its own.
func (c *Circuit) look(since *store.Away) {
	for c.away.Load() == since {
		c.mu.Lock()
		pause := c.pause/2 + rand.N(c.pause)
		c.pause = longer(c.pause)
		c.mu.Unlock()
		select {
		case <-time.After(pause):
		case <-c.ctx.Done():
			return
		}
		if c.away.Load() != since {
			return
		}
		ctx, cancel := context.WithTimeout(c.ctx, c.o.Timeout)
		begun := time.Now()
		_, err := c.Store.Revision(ctx)
		cancel()
		if c.ctx.Err() == nil {
			_ = c.heard(context.Background(), begun, err)
		}
	}
}

// longer is the pause behind a look that found nothing. It has an end: after an outage of hours a database
// that is back is met within seconds.
func longer(pause time.Duration) time.Duration { return min(2*pause, mostPause) }
