package store_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

// timed is a store whose server has a clock of its own.
type timed struct {
	store.Store
	mu    sync.Mutex
	ahead time.Duration // of this machine
	slow  time.Duration
	fails error
}

func (s *timed) Time(context.Context) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	time.Sleep(s.slow)
	return time.Now().Add(-s.ahead), s.fails
}

type around struct{ store.Store }

func (a around) Unwrap() store.Store { return a.Store }

func TestNodesGoByTheServersClock(t *testing.T) {
	for name, tt := range map[string]struct {
		ahead, slow time.Duration
		fails       error
		want        time.Duration
	}{
		"fast by 5 minutes":  {ahead: 5 * time.Minute, want: 5 * time.Minute},
		"slow by 5 minutes":  {ahead: -5 * time.Minute, want: -5 * time.Minute},
		"good enough":        {ahead: 600 * time.Millisecond},
		"in doubt":           {ahead: 1050 * time.Millisecond, slow: 200 * time.Millisecond},
		"slow, and far away": {ahead: -time.Hour, slow: 100 * time.Millisecond, want: -time.Hour},
		"it does not answer": {ahead: time.Hour, fails: errors.New("away")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			s := &timed{ahead: tt.ahead, slow: tt.slow, fails: tt.fails}
			c := store.OpenClock(t.Context(), around{around{s}}, slog.New(slog.NewTextHandler(&said, nil)), nil)
			defer c.Close()
			off := time.Now().Add(-tt.want).Sub(c.Now())
			if (c.Ahead()-tt.want).Abs() > 200*time.Millisecond || off.Abs() > 200*time.Millisecond {
				t.Errorf("ahead %v, want %v; Now is off by %v", c.Ahead(), tt.want, off)
			}
			if (tt.want != 0) != strings.Contains(said.String(), "WARN") || strings.Count(said.String(), "\n") > 1 {
				t.Errorf("it says %q", said.String())
			}
		})
	}
}

func TestAStoreWithoutATime(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := store.TimeOf(t.Context(), around{db}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	c := store.OpenClock(t.Context(), db, slog.New(slog.DiscardHandler), nil)
	defer c.Close()
	if c.Ahead() != 0 {
		t.Errorf("%v", c.Ahead())
	}
}
