package stats

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"gcli2api/store"
)

// The counters are named use/<day>/<key or cred>/<id>/<model>/<what> (design section 9). The day of
// the figures begins at 07:00 UTC (behaviour 6.8).
const (
	root     = "use/"
	before   = "before" // stands for all days that are older than keepDays
	keepDays = 92
	dayStart = 7 * time.Hour
	dayForm  = "2006-01-02"

	flushEvery = 2 * time.Second
	flushLimit = 10 * time.Second
)

// keeper brings the figures into the store.
type keeper struct {
	store  store.Store
	log    *slog.Logger
	owner  string
	cancel context.CancelFunc
	done   chan struct{}

	flushing sync.Mutex // also of failing
	failing  bool

	rolled string // the day on which old days were added up last
}

// Open begins with what the store has and keeps it up to date until Close. Close it before the
// store.
func Open(ctx context.Context, st store.Store, log *slog.Logger) (*Stats, error) {
	return openAt(ctx, st, log, time.Now)
}

func openAt(ctx context.Context, st store.Store, log *slog.Logger, now func() time.Time) (*Stats, error) {
	s := begin(now)
	s.kept = &keeper{store: st, log: log, owner: rand.Text(), done: make(chan struct{})}
	all, err := st.Counters(ctx, root)
	if err != nil {
		return nil, fmt.Errorf("read usage figures: %w", err)
	}
	s.load(all)
	s.kept.rolled = dayOf(now())
	s.addUp(ctx, all)
	ctx, s.kept.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go s.keep(ctx)
	return s, nil
}

// load takes over the figures of the store.
func (s *Stats) load(all map[string]int64) {
	for name, n := range all {
		day, side, p, what, ok := parse(name)
		if !ok {
			continue
		}
		tables := map[string]map[pair]*Count{"cred": s.creds, "key": s.keys}
		if tables[side] == nil {
			continue
		}
		if f := at(tables[side], p).field(what); f != nil {
			*f += n
		}
		if p.model != "other" {
			s.names[p.model] = true
		}
		if begun, err := time.Parse(dayForm, day); err == nil && begun.Add(dayStart).Before(s.since) {
			s.since = begun.Add(dayStart)
		}
	}
}

// field is the figure of a counter's last part.
func (c *Count) field(what string) *int64 {
	switch what {
	case "calls":
		return &c.Calls
	case "errors":
		return &c.Errors
	case "prompt":
		return &c.Prompt
	case "output":
		return &c.Output
	case "total":
		return &c.Total
	}
	return nil
}

// slot is the place of a Count in the store.
type slot struct {
	day, side string
	pair
}

// note remembers what the store has to hear. Names that never worked are clients' inventions: the
// store counts them as one, or they would grow it. The caller holds mu.
func (s *Stats) note(at slot, c Count) {
	if s.kept == nil {
		return
	}
	if !s.names[at.model] {
		at.model = "other"
	}
	t := s.now().Add(-dayStart)
	if n := t.Unix() / (24 * 60 * 60); n != s.dayNo {
		s.dayNo, s.day = n, dayOf(s.now())
	}
	at.day = s.day
	sum := s.fresh[at]
	sum.add(c)
	s.fresh[at] = sum
}

// counters are the names in the store of what was counted.
func (at slot) counters(c Count) (deltas []store.Delta) {
	prefix := root + at.day + "/" + at.side + "/" + part(at.who) + "/" + part(at.model) + "/"
	for _, what := range []string{"calls", "errors", "prompt", "output", "total"} {
		if n := *c.field(what); n != 0 {
			deltas = append(deltas, store.Delta{Counter: prefix + what, N: n})
		}
	}
	return deltas
}

func dayOf(t time.Time) string { return t.UTC().Add(-dayStart).Format(dayForm) }

// part escapes a name for its place between slashes; a long one ends in a piece of its hash.
func part(name string) string {
	const most = 150
	out := url.PathEscape(name)
	if len(out) > most {
		sum := sha256.Sum256([]byte(name))
		out = strings.TrimRight(out[:most-20], "%0123456789ABCDEF") + "~" + hex.EncodeToString(sum[:8])
	}
	return out
}

func parse(name string) (day, side string, p pair, what string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(name, root), "/")
	if len(parts) != 5 {
		return
	}
	who, err := url.PathUnescape(parts[2])
	model, err2 := url.PathUnescape(parts[3])
	return parts[0], parts[1], pair{who, model}, parts[4], err == nil && err2 == nil
}

// keep flushes until Close.
func (s *Stats) keep(ctx context.Context) {
	defer close(s.kept.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		s.flush(ctx)
		s.rollUp(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// flush adds what is new to the store, all of it or nothing.
func (s *Stats) flush(ctx context.Context) bool {
	s.kept.flushing.Lock() // one at a time, or the later one would not wait for what the first one holds
	defer s.kept.flushing.Unlock()
	s.mu.Lock()
	batch := s.fresh
	s.fresh = map[slot]Count{}
	s.mu.Unlock()
	if len(batch) == 0 {
		return true
	}
	var deltas []store.Delta
	for at, c := range batch {
		deltas = append(deltas, at.counters(c)...)
	}
	// Not cut short by Close: whether it was written would not be known then, and it would be
	// written again or never.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	err := s.kept.store.Add(ctx, deltas)
	if err != nil {
		s.mu.Lock()
		for at, c := range batch {
			c.add(s.fresh[at])
			s.fresh[at] = c
		}
		s.mu.Unlock()
	}
	s.kept.report(err)
	return err == nil
}

func (k *keeper) report(err error) {
	if err != nil && !k.failing {
		k.log.Error("usage figures cannot be kept, they wait in memory", "error", err)
	}
	if err == nil && k.failing {
		k.log.Info("usage figures are kept again")
	}
	k.failing = err != nil
}

// rollUp adds up once a day.
func (s *Stats) rollUp(ctx context.Context) {
	k, today := s.kept, dayOf(s.now())
	if k.rolled == today {
		return
	}
	k.rolled = today
	if all, err := k.store.Counters(ctx, root); err == nil { // else tomorrow again
		s.addUp(ctx, all)
	}
}

// addUp makes one of the days that are long gone: each has its own counters for every pair of names.
func (s *Stats) addUp(ctx context.Context, all map[string]int64) {
	oldest := dayOf(s.now().AddDate(0, 0, -keepDays))
	sums := map[string]int64{}
	for name, n := range all {
		day, rest, _ := strings.Cut(strings.TrimPrefix(name, root), "/")
		if day < oldest { // "before" sorts behind every date
			sums[name] -= n
			sums[root+before+"/"+rest] += n
		}
	}
	deltas := make([]store.Delta, 0, len(sums))
	for name, n := range sums {
		deltas = append(deltas, store.Delta{Counter: name, N: n})
	}
	if len(deltas) == 0 {
		return
	}
	k := s.kept
	if mine, err := k.store.Claim(ctx, "usage-rollup", k.owner, time.Minute); err != nil || !mine {
		return // another node does it
	}
	if err := k.store.Add(ctx, deltas); err != nil {
		k.log.Warn("old usage figures could not be added up", "error", err)
	}
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
