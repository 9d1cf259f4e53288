// Package open chooses the engine that keeps everything, and opens it.
package open

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
)

// file is the embedded engine's, beside the credentials: so the one volume of a container has it all.
const file = ".gcli2api.db"

// Check refuses settings that name no place.
func Check(c *config.Snapshot) error {
	if prefix := c.String("store.prefix"); !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(prefix) {
		return fmt.Errorf("%s: store.prefix: %q has something else than small letters, digits and _, or does not begin with a letter", c.Place("store.prefix"), prefix)
	}
	return nil
}

// Store opens the engine that the settings choose. A database that cannot be reached is tried again for
// store.wait: falling back to the file would look like an empty gateway to somebody whose data is in a
// database. The error is one line for the operator.
func Store(ctx context.Context, c *config.Snapshot, log *slog.Logger) (store.Store, error) {
	p, err := PlaceOf(c)
	if err != nil {
		return nil, err
	}
	p.Log = log
	s, err := p.await(ctx, c.Duration("store.wait"))
	return whole(ctx, s, err)
}

// await opens a place, again and again while it is away.
func (p Place) await(ctx context.Context, patience time.Duration) (store.Store, error) {
	begun := time.Now()
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		s, err := p.Open(ctx)
		if err == nil {
			return s, nil
		}
		left := patience - time.Since(begun)
		if away := (*store.Away)(nil); !errors.As(err, &away) || left <= 0 {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		p.Log.Warn("the database cannot be reached, trying again", "place", p.String(), "error", err, "for", left.Round(time.Second).String())
		select {
		case <-time.After(min(left, pause/2+rand.N(pause))):
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
}
