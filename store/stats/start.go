package stats

import (
	"context"
	"errors"
	"strings"
	"time"

	"gcli2api/store"
)

// start reads the sums since the beginning. There is one set of counters for each pair of names, however many
// days there are.
func (s *Stats) start(ctx context.Context) error {
	k := s.kept
	begun, err := k.since(ctx)
	if err != nil {
		return err
	}
	if begun == 0 {
		if begun, err = s.adopt(ctx); err != nil {
			return err
		}
	}
	s.since = time.Unix(begun, 0).UTC()
	s.kept.sweeper.begin(s.since, s.now())
	return s.readSums(ctx)
}

func (k *keeper) since(ctx context.Context) (int64, error) {
	found, err := k.Store.Counters(ctx, sinceName)
	if err == nil && found[sinceName] == 0 { // one that somebody spoilt in the database is left out, and no first start
		if _, err = k.Store.Take(ctx, sinceName, 0, 0); errors.Is(err, store.ErrExhausted) {
			err = nil // another node has set it by now
		}
	}
	return found[sinceName], err
}

// adopt is the first start of this version on a store. An older version kept days only, and the sum of all that are gone under
// the day "before": what they come to is written in one piece, with the mark that says so.
func (s *Stats) adopt(ctx context.Context) (begun int64, err error) {
	old, begun, err := s.oldFigures(ctx)
	if err != nil {
		return 0, err
	}
	k := s.kept
	if len(old) > 0 { // only an embedded store is that old, and nobody else has it open
		return begun, k.Store.Add(ctx, append(deltasOf(old), store.Delta{Counter: sinceName, N: begun}))
	}
	begun = s.now().Unix()
	if _, err := k.Store.Take(ctx, sinceName, begun, begun); err != nil { // one node sets it
		return k.since(ctx)
	}
	return begun, nil
}

// oldestDays is how far back an older version can have counted.
const oldestDays = 3660

// anyDay looks whether a day has counted anything. A new store has none, and asking a database for each of
// thousands of days would hold up its first start by as many round trips.
func (k *keeper) anyDay(ctx context.Context) (bool, error) {
	next, err := store.WalkCounters(k.Store, 1)(ctx, dayRoot)
	if away := (*store.Away)(nil); err != nil && !errors.As(err, &away) && ctx.Err() == nil {
		return true, nil // something there is broken, which does not keep the rest from being read
	}
	return len(next) > 0 && strings.HasPrefix(next[0].Counter, dayRoot), err
}

// oldFigures are the sums of what an older version has counted, day by day, as differences: the sums since the
// beginning, those of all keys of each day, and the end of what it had put together.
func (s *Stats) oldFigures(ctx context.Context) (sums map[string]int64, begun int64, err error) {
	const before = dayRoot + "before/"
	sums = map[string]int64{}
	if any, err := s.kept.anyDay(ctx); err != nil || !any {
		return sums, s.now().Unix(), err
	}
	today := dayOfHour(hourOf(s.now()))
	for day := today - oldestDays; day <= today+1; day++ {
		prefix := dayPrefix(day)
		found, err := s.kept.Store.Counters(ctx, prefix)
		if err != nil {
			return nil, 0, err
		}
		if adoptSums(sums, prefix, found) && begun == 0 {
			begun = dayTime(day).Unix()
		}
		adoptOverall(sums, prefix, found)
	}
	found, err := s.kept.Store.Counters(ctx, before)
	if err != nil {
		return nil, 0, err
	}
	adoptSums(sums, before, found)
	for name, n := range found {
		sums[name] -= n
	}
	if begun == 0 {
		begun = s.now().Unix()
	}
	return sums, begun, nil
}

// adoptSums adds a day, or all that are gone, to the sums since the beginning.
func adoptSums(sums map[string]int64, prefix string, found map[string]int64) (any bool) {
	for name, n := range found {
		rest := strings.TrimPrefix(name, prefix)
		if c, ok := parse(rest); ok && (c.side == byKey || c.side == byCred) && (&Count{}).field(c.what) != nil {
			sums[totalRoot+rest] += n
			any = true
		}
	}
	return any
}

// adoptOverall adds up the keys of a day.
func adoptOverall(sums map[string]int64, prefix string, found map[string]int64) {
	for name, n := range found {
		if c, ok := parse(strings.TrimPrefix(name, prefix)); ok && c.side == byKey {
			sums[prefix+pairName(overall, nobody, c.model)+c.what] += n
		}
	}
}

// readSums takes over the sums of the store in the place of those in memory, and adds what it has not heard
// of. Nobody flushes meanwhile.
func (s *Stats) readSums(ctx context.Context) error {
	creds, keys := table{}, table{}
	names := map[string]bool{}
	for side, to := range map[string]table{byCred: creds, byKey: keys} {
		found, err := s.kept.Store.Counters(ctx, totalRoot+side+"/")
		if err != nil {
			return err
		}
		to.load(found, names)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range names {
		s.names[name] = true
	}
	s.creds, s.keys = creds, keys
	unheard := s.waiting
	if b := s.kept.pending; b != nil {
		unheard = append(append([]*tally(nil), unheard...), b.tallies...)
	}
	for _, t := range unheard {
		s.side(t.side).at(t.who, t.model).sum.Add(t.Count)
	}
	return nil
}

func (t table) load(found map[string]int64, names map[string]bool) {
	own := map[string]string{} // each name once in memory, and not as a part of the name of its counter
	intern := func(name string) string {
		if own[name] == "" {
			own[strings.Clone(name)] = strings.Clone(name)
		}
		return own[name]
	}
	for name, n := range found {
		c, ok := parse(strings.TrimPrefix(name, totalRoot))
		if !ok {
			continue
		}
		model := intern(c.model)
		at := t.at(intern(c.who), model).sum.field(c.what)
		if at == nil {
			continue
		}
		*at += n
		if model != other && len(names) < maxModels {
			names[model] = true
		}
	}
}

// catchUpEvery is how old the figures of other nodes may be.
const catchUpEvery = 5 * time.Second

// catchUp has the figures of the other nodes counted in, where there are some.
func (s *Stats) catchUp() {
	k := s.kept
	if k == nil || !k.shared {
		return
	}
	k.reading.Lock()
	defer k.reading.Unlock()
	if time.Since(k.read) < catchUpEvery {
		return
	}
	k.read = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), flushLimit)
	defer cancel()
	if !s.flush(ctx) {
		return // told there; what this node knows is shown
	}
	k.flushing.RLock()
	defer k.flushing.RUnlock()
	if err := s.readSums(ctx); err != nil {
		k.Log.Warn("the usage figures of other nodes could not be read", "error", err)
	}
}
