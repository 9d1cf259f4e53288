package stats

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/store"
)

const (
	flushEvery = 2 * time.Second
	flushLimit = 10 * time.Second
	maxBatch   = 2048 // tallies in one write
)

// Options are what Stats stand on.
type Options struct {
	Store    store.Store
	Log      *slog.Logger
	Settings func() Settings  // asked at each use; nil is the defaults
	Now      func() time.Time // nil is time.Now
}

// Settings are how long figures are kept, of the [usage] table, and the names of models that are no inventions.
type Settings struct {
	Hours  int // that are kept one by one
	Days   int
	Models []string
}

// SettingsOf reads the [usage] table and the known models.
func SettingsOf(c *config.Snapshot) Settings {
	m := models.Defaults()
	_ = c.Section("models", &m) // what is wrong there is told where models are settled
	return Settings{c.Int("usage.keep_hours"), c.Int("usage.keep_days"), m.Known}
}

// keeper brings the figures into the store.
type keeper struct {
	Options
	owner  string
	shared bool // others write there as well
	cancel context.CancelFunc
	done   chan struct{}

	flushing sync.RWMutex // held by who writes; readers of a series keep it from changing under them
	pending  *batch       // what is being written, or was and nobody knows whether it is
	failing  bool
	seq      int64 // of the last batch

	sweeper sweeper
	reading sync.Mutex
	read    time.Time // when the sums of a shared store were read last
}

// batch is one write. It has a name that no other has, so that it can be made again after one of which nobody
// knows what became of it.
type batch struct {
	tallies []*tally
	deltas  []store.Delta
	id      string
}

// Open begins with what the store has and keeps it up to date until Close. Close it before the store.
func Open(ctx context.Context, o Options) (*Stats, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	return openAt(ctx, o, o.Now)
}

func openAt(ctx context.Context, o Options, now func() time.Time) (*Stats, error) {
	if o.Settings == nil {
		o.Settings = func() Settings { return Settings{Hours: 192, Days: 92} }
	}
	s := begin(now)
	s.kept = &keeper{Options: o, owner: rand.Text(), shared: !store.Alone(o.Store), done: make(chan struct{})}
	if err := s.start(ctx); err != nil {
		return nil, fmt.Errorf("read usage figures: %w", err)
	}
	ctx, s.kept.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go s.keep(ctx)
	return s, nil
}

// keep flushes until Close.
func (s *Stats) keep(ctx context.Context) {
	defer close(s.kept.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		s.know(s.kept.Settings().Models)
		s.flush(ctx)
		s.sweep(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// know has names counted as themselves that no call has succeeded with yet.
func (s *Stats) know(models []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range models {
		if !s.names[name] && len(name) <= maxModel && (len(s.names) < maxModels || s.makeRoom()) {
			s.names[name] = true
		}
	}
}

// flush adds what is new to the store. What comes while it writes is for the next one, or it would go on with
// a few figures at a time as long as requests come.
func (s *Stats) flush(ctx context.Context) bool {
	k := s.kept
	k.flushing.Lock()
	defer k.flushing.Unlock()
	for more := true; more; {
		if k.pending == nil {
			if k.pending = s.batch(); k.pending == nil {
				break
			}
			more = len(k.pending.tallies) == maxBatch
		}
		if err := k.write(ctx, k.pending); err != nil {
			k.report(err, s.overflowed())
			return false
		}
		s.recycle(k.pending.tallies)
		k.pending = nil
	}
	k.report(nil, s.overflowed())
	return true
}

func (s *Stats) overflowed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := s.spilled
	s.spilled = false
	return is
}

// batch makes one of what waits, nil when nothing does.
func (s *Stats) batch() *batch {
	tallies := s.take(maxBatch)
	if len(tallies) == 0 {
		return nil
	}
	k, now := s.kept, hourOf(s.now())
	k.seq++
	return &batch{tallies, differences(tallies, now-int64(k.Settings().Hours)), "usage/" + k.owner + "/" + strconv.FormatInt(k.seq, 10)}
}

// differences are the counters that tallies move, each once. Hours before oldest are gone already.
func differences(tallies []*tally, oldest int64) []store.Delta {
	sums := make(map[string]int64, 24*len(tallies))
	for _, t := range tallies {
		pair := pairName(t.side, t.who, t.model)
		t.Count.each(func(what string, n int64) { sums[totalRoot+pair+what] += n })
		periods := []string{dayPrefix(dayOfHour(t.hour))}
		if t.hour >= oldest {
			periods = append(periods, hourPrefix(t.hour))
		}
		all := pairName(overall, nobody, t.model)
		for _, period := range periods {
			t.Figures.each(func(what string, n int64) {
				sums[period+pair+what] += n
				if t.side == byKey {
					sums[period+all+what] += n
				}
			})
		}
	}
	return deltasOf(sums)
}

func deltasOf(sums map[string]int64) []store.Delta {
	deltas := make([]store.Delta, 0, len(sums)+1)
	for name, n := range sums {
		if n != 0 {
			deltas = append(deltas, store.Delta{Counter: name, N: n})
		}
	}
	// In their order neighbours stand on the same page of the embedded store.
	slices.SortFunc(deltas, func(a, b store.Delta) int { return strings.Compare(a.Counter, b.Counter) })
	return deltas
}

// write brings a batch into the store, all of it or nothing, and once, however often it is tried within
// store.OnceFor.
func (k *keeper) write(ctx context.Context, b *batch) error {
	// Not cut short by Close: whether it was written would not be known then.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	return k.Store.AddOnce(ctx, b.id, b.deltas)
}

func (k *keeper) report(err error, overflowed bool) {
	switch {
	case err != nil && !k.failing:
		k.Log.Error("usage figures cannot be kept, they wait in memory", "error", err)
	case err == nil && k.failing:
		k.Log.Info("usage figures are kept again")
	}
	if overflowed {
		k.Log.Warn("too many usage figures wait for the store: what comes now is kept under the name other")
	}
	k.failing = err != nil
}

// Close brings the last figures into the store. Requests that are counted later are lost.
func (s *Stats) Close() error {
	if s.kept == nil {
		return nil
	}
	s.kept.cancel()
	<-s.kept.done
	if !s.flush(context.Background()) {
		return fmt.Errorf("the last usage figures could not be written")
	}
	return nil
}
