package audit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gcli2api/store"
)

// flush writes what the store has not: the chunks that are full, then the one that is open, which is
// written again with more rows until it is full. It is one document all the time, and only this process
// writes it, so that doing it twice does no harm.
func (l *Log) flush(ctx context.Context) bool { return l.bring(ctx, true) }

// flushFull writes the chunks that are full. The one behind them has begun this moment: written now as well,
// every document would be written twice where many requests come.
func (l *Log) flushFull(ctx context.Context) bool { return l.bring(ctx, false) }

// crowded tells that so many rows wait that they should be written now.
func (l *Log) crowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := 0
	for _, c := range l.rows.waiting {
		rows += len(c.slots)
	}
	return rows >= early
}

// bring writes what there is now. Rows that come meanwhile wait for the next time.
func (l *Log) bring(ctx context.Context, open bool) bool {
	l.writing.Lock()
	defer l.writing.Unlock()
	ok := true
	if all := l.due(open); len(all) > 0 {
		ok = l.write(ctx, all)
	}
	l.report()
	return ok
}

// due are copies of the chunks that the store has not, as they are now. The one that is open comes last,
// where the caller wants it.
func (l *Log) due(open bool) (all []*chunk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.rows
	if r.open != nil && l.o.Now().UnixMicro() >= r.open.from.at+window.Microseconds() {
		l.shut()
	}
	for _, c := range r.waiting {
		all = append(all, new(*c))
	}
	if open && r.open != nil && r.open.written < len(r.open.slots) {
		all = append(all, new(*r.open))
	}
	return all
}

// write puts chunks into the store, all at the same time: the embedded engine makes one transaction of what
// comes together, and a transaction costs more than the rows in it. A store that was away is asked with one.
func (l *Log) write(ctx context.Context, all []*chunk) bool {
	// Not cut short by Close, which writes the same once more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer cancel()
	keep := l.o.Settings().Requests
	if l.failing {
		if l.tell(l.put(ctx, all[0], keep)) != nil {
			return false
		}
		all = all[1:]
	}
	failed := make([]error, len(all))
	var puts sync.WaitGroup
	for i, c := range all {
		puts.Go(func() { failed[i] = l.put(ctx, c, keep) })
	}
	puts.Wait()
	return l.tell(errors.Join(failed...)) == nil
}

func (l *Log) put(ctx context.Context, c *chunk, keep time.Duration) error {
	_, err := l.o.Store.Put(ctx, store.Requests, c.doc(keep), store.Any)
	if err == nil {
		l.stored(c)
	}
	return err
}

// tell says when the store has gone, and when it is back. The caller holds writing.
func (l *Log) tell(err error) error {
	switch {
	case err == nil && l.failing:
		l.o.Log.Info("the log of requests is written again")
	case err != nil && !l.failing:
		l.o.Log.Error("the log of requests cannot be written, it waits in memory", "error", err)
	}
	l.failing = err != nil
	return err
}

// stored remembers how much of a chunk the store has, wherever that stands by now.
func (l *Log) stored(c *chunk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.rows
	if r.open != nil && r.open.from == c.from {
		r.open.written = len(c.slots)
	}
	r.waiting = slices.DeleteFunc(r.waiting, func(w *chunk) bool {
		if w.from == c.from {
			w.written = len(c.slots)
		}
		return w.written == len(w.slots)
	})
}

// report says what was lost since it said so last.
func (l *Log) report() {
	l.mu.Lock()
	lost, fresh := l.rows.lost, l.rows.lost-l.rows.told
	l.rows.told = lost
	l.mu.Unlock()
	if fresh > 0 {
		l.o.Log.Error("requests are missing in the log of requests: the store was away for too long", "lost", fresh, "lost_since_start", lost)
	}
}

// trim is a table whose old documents go before their time when less is to be kept than was.
type trim struct {
	table store.Table
	of    func(Settings) time.Duration
	kept  time.Duration // what was to be kept at the last look; negative is not known
	clean bool          // nothing older is left
}

const trimStep = 512 // documents at a time

// trim removes what should not be there any more, a step at a time; expired documents the engine removes.
func (l *Log) trim(ctx context.Context, t *trim) {
	keep := t.of(l.o.Settings())
	if keep < t.kept || t.kept < 0 {
		t.clean = false
	}
	t.kept = keep
	if t.clean {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	docs, err := l.o.Store.List(ctx, t.table, l.oldest(t, keep), trimStep)
	if err != nil {
		return // the next tick tries again; that the store is away others say
	}
	for _, d := range docs {
		if err := l.o.Store.Delete(ctx, t.table, d.ID, store.Any); err != nil && !errors.Is(err, store.ErrNotFound) {
			return
		}
	}
	t.clean = len(docs) < trimStep
}

// oldest is where the list begins of documents that are too old as a whole.
func (l *Log) oldest(t *trim, keep time.Duration) string {
	at := l.o.Now().Add(-keep).UnixMicro()
	if t.table == store.Requests && keep > 0 {
		at -= window.Microseconds() // the last rows of a document are younger than its id
	}
	return invert(at)
}
