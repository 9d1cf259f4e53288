// Package open chooses the engine that keeps everything, and opens it.
package open

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/circuit"
)

// file is the embedded engine's, beside the credentials: so the one volume of a container has it all.
const file = ".gcli2api.db"

// Store opens the engine that the settings choose. A database that cannot be reached is tried again for
// store.wait, or until ctx is over: falling back to the file would look like an empty gateway to somebody
// whose data is in a database. The error is one line for the operator. A database stands behind a
// circuit from then on.
func Store(ctx context.Context, c *config.Snapshot, log *slog.Logger) (store.Store, error) {
	p, err := PlaceOf(c)
	if err != nil {
		return nil, err
	}
	p.Log = log
	s, err := p.await(ctx, c.Duration("store.wait"))
	if s, err = whole(ctx, s, err); p.Engine == File {
		return s, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", c.Place(p.setting), p.setting, err)
	}
	p.chosen(c)
	return circuit.Around(s, circuit.Options{Engine: p.Engine, Place: p.String(), Timeout: p.Timeout, Most: max(1024, callsEach*p.Connections), Log: log, Mask: p.mask}), nil
}

// chosen says where everything is kept, and which other databases have an address and are not used.
func (p Place) chosen(c *config.Snapshot) {
	p.Log.Info("everything is kept in a database", "place", p.String(), "by", c.Place(p.setting))
	for _, key := range []string{"store.postgres_dsn", "store.mongodb_uri"} { // nothing is passed over for Redis
		if key != p.setting && c.String(key) != "" {
			p.Log.Warn("a database has an address and is not used: of several, the first of Redis, Postgres and MongoDB counts", "setting", key, "by", c.Place(key), "used", p.String())
		}
	}
}

const (
	callsEach  = 64                     // calls for each connection that may wait at a time
	firstPause = 200 * time.Millisecond // between two tries at the start
	mostPause  = 5 * time.Second
	opening    = 4 // time-outs that one try may take: it brings the schema up to date as well
)

// await opens a place, again and again while it is away.
func (p Place) await(ctx context.Context, patience time.Duration) (store.Store, error) {
	return p.try(ctx, patience, p.once)
}

func (p Place) try(ctx context.Context, patience time.Duration, open func(context.Context) (store.Store, error)) (store.Store, error) {
	begun := time.Now()
	for pause, try := firstPause, 1; ; pause, try = min(2*pause, mostPause), try+1 {
		s, err := open(ctx)
		if err == nil {
			if try > 1 {
				p.Log.Info("the database is there", "place", p.String(), "waited", time.Since(begun).Round(time.Millisecond).String(), "tries", try)
			}
			return s, nil
		}
		left := patience - time.Since(begun)
		switch away := (*store.Away)(nil); {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("stopped while waiting for %s: %s", p, p.mask(err.Error()))
		case !errors.As(err, &away):
			return nil, fmt.Errorf("%s: %s", p, p.mask(err.Error()))
		case left <= 0:
			return nil, fmt.Errorf("%s cannot be reached, %d tries in %v (store.wait): %s", p, try, time.Since(begun).Round(time.Second), p.mask(away.Err.Error()))
		}
		p.Log.Warn("the database cannot be reached, trying again", "place", p.String(), "error", p.mask(err.Error()), "try", try, "for", left.Round(time.Second).String())
		select {
		case <-time.After(min(left, pause/2+rand.N(pause))):
		case <-ctx.Done():
		}
	}
}

// once is one try. One that takes too long is as good as a database that is away.
func (p Place) once(ctx context.Context) (store.Store, error) {
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	bounded, cancel := context.WithTimeout(ctx, opening*timeout)
	defer cancel()
	s, err := p.Open(bounded)
	if away := (*store.Away)(nil); err != nil && bounded.Err() != nil && !errors.As(err, &away) {
		err = &store.Away{Engine: p.Engine, Err: err}
	}
	return s, err
}
