package move

import (
	"context"
	"errors"
	"time"

	"gcli2api/store"
)

// tries is how often a call is made to a database that is away: for some twenty seconds.
const tries = 8

// patient makes a call again while the database is away. Every call here may be made twice.
func patient[T any](ctx context.Context, call func() (T, error)) (v T, err error) {
	pause := 100 * time.Millisecond
	for n := 1; ; n++ {
		v, err = call()
		if away := (*store.Away)(nil); err == nil || n == tries || !errors.As(err, &away) {
			return v, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return v, ctx.Err()
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// patiently is patient for a call without a result.
func patiently(ctx context.Context, call func() error) error {
	_, err := patient(ctx, func() (struct{}, error) { return struct{}{}, call() })
	return err
}
