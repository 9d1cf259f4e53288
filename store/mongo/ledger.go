package mongo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"gcli2api/store"
)

// How a batch is applied whole, or not at all, with updates of single documents:
//
// There is one ledger document, with the number of the last batch and, while it is open, what is in it.
// Writing batch 8 into it under the condition that 7 is there and closed is the moment that counts. Then each
// counter is changed under the condition that the last batch it knows is below 8, which the same update sets
// to 8; then the ids of AddOnce are noted; then the ledger is closed.
//
// A node that dies in the middle leaves an open ledger. Whoever comes next, or looks every few seconds, does
// the rest, and doing it twice, or late, changes nothing: batch 8 was applied to all of its counters before 9
// could be written. Nothing of this rests on clocks. For a moment a reader may see a part of a batch.
//
// An id of AddOnce is looked up while the ledger is closed. If another batch came between that and writing
// the next one, its number is taken and it is looked up again.
const (
	ledgerID   = "ledger"
	seq        = "seq"
	open       = "open"
	since      = "since"
	changes    = "changes"
	ids        = "ids"
	mostBatch  = 64 << 10 // bytes that are gathered: about a thousand counters
	mostSingle = 12 << 20 // bytes of one call: a document of MongoDB has 16 MB
	polite     = 250 * time.Millisecond
	leftOpen   = 3 * time.Second // then its author is taken for dead
)

// entry is one call of Add or AddOnce.
type entry struct {
	id    string
	spans map[string]span
	size  int
	done  chan error
}

// ledger gathers the calls of this node: all that came in while one batch was under way are the next one.
type ledger struct {
	mu    sync.Mutex
	next  []*entry
	stale bool // somebody has left it open
	wake  chan struct{}
	known int64 // the last batch, which is closed; -1 when that has to be read
}

func newLedger() *ledger { return &ledger{wake: make(chan struct{}, 1), known: -1} }

// Add applies differences. One counter needs no ledger: then it is one round trip.
func (db *DB) Add(ctx context.Context, deltas []store.Delta) error {
	return db.add(ctx, "", deltas)
}

// AddOnce applies differences if nobody has done so under this id.
func (db *DB) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	if err := store.CheckName(id); err != nil {
		return err
	}
	return db.add(ctx, id, deltas)
}

func (db *DB) add(ctx context.Context, id string, deltas []store.Delta) error {
	all, err := spans(deltas)
	if err != nil {
		return err
	}
	e := &entry{id: id, spans: all, done: make(chan error, 1), size: len(id)}
	for counter := range all {
		e.size += len(counter) + 64 // and the names of fields
	}
	if e.size > mostSingle {
		return fmt.Errorf("%w: %d counters at once are too many", store.ErrInvalid, len(all))
	}
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if id == "" && len(all) <= 1 {
		for counter, s := range all {
			return db.failed(ctx, db.move(ctx, counter, s, 0))
		}
		return nil
	}
	l := db.ledger
	l.mu.Lock()
	l.next = append(l.next, e)
	l.mu.Unlock()
	signal(l.wake)
	select {
	case err := <-e.done:
		return db.failed(ctx, err)
	case <-ctx.Done():
		return db.failed(ctx, ctx.Err())
	}
}

// keepBooks writes batch after batch.
func (db *DB) keepBooks() {
	l := db.ledger
	for {
		select {
		case <-l.wake:
		case <-db.life.Done():
			return
		}
		for more := true; more; {
			var group []*entry
			var stale bool
			group, stale, more = l.take()
			if len(group) == 0 && !stale {
				continue
			}
			err := db.enter(group)
			if len(group) == 0 && err != nil {
				db.log.Warn("a batch that was left open in MongoDB cannot be finished yet", "error", err)
			}
			for _, e := range group {
				e.done <- err
			}
		}
	}
}

// take gives what goes into one batch, and whether there is more.
func (l *ledger) take() (group []*entry, stale, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size, n := 0, 0
	for n < len(l.next) && (n == 0 || size+l.next[n].size <= mostBatch) {
		size += l.next[n].size
		n++
	}
	group, l.next = slices.Clone(l.next[:n]), slices.Delete(l.next, 0, n)
	stale, l.stale = l.stale, false
	return group, stale, len(l.next) > 0
}

// enter writes a group as one batch and applies it.
func (db *DB) enter(group []*entry) error {
	l := db.ledger
	for {
		var b *bundle
		var wrote bool
		err := db.step(db.life, func(ctx context.Context) (err error) {
			if l.known < 0 || len(group) == 0 {
				if l.known, err = db.closed(ctx); err != nil {
					l.known = -1
					return err
				}
			}
			b, wrote, err = db.commit(ctx, group)
			return err
		})
		if err != nil || b == nil {
			return err
		}
		if !wrote {
			continue // another node was faster
		}
		if err := db.finish(db.life, b); err != nil {
			return err
		}
		l.known = b.seq
		return b.spoilt
	}
}

// commit writes a group into the closed ledger, if nobody else did. nil says that there is nothing to write.
func (db *DB) commit(ctx context.Context, group []*entry) (b *bundle, wrote bool, err error) {
	l := db.ledger
	fresh, err := db.unknown(ctx, group)
	if err != nil {
		return nil, false, err
	}
	if b = bound(l.known+1, fresh); len(b.changes) == 0 && len(b.ids) == 0 {
		return nil, false, nil
	}
	l.known = -1 // whatever goes wrong from here on, it has to be read again
	did, err := db.meta.UpdateOne(ctx, bson.M{"_id": ledgerID, seq: b.seq - 1, open: false},
		bson.M{"$set": bson.M{seq: b.seq, open: true, since: db.now(), changes: b.changes, ids: b.ids}})
	return b, err == nil && did.MatchedCount > 0, err
}

// unknown leaves out the calls whose id was applied before.
func (db *DB) unknown(ctx context.Context, group []*entry) ([]*entry, error) {
	var asked bson.A
	for _, e := range group {
		if e.id != "" {
			asked = append(asked, e.id)
		}
	}
	if len(asked) == 0 {
		return group, nil
	}
	found, err := db.once.Find(ctx, bson.M{"_id": bson.M{"$in": asked}}, options.Find().SetProjection(bson.M{"_id": 1}))
	if err != nil {
		return nil, err
	}
	var raws []bson.Raw
	if err := found.All(ctx, &raws); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, raw := range raws {
		id, _ := raw.Lookup("_id").StringValueOK()
		known[id] = true
	}
	var fresh []*entry
	for _, e := range group {
		if e.id == "" || !known[e.id] {
			fresh = append(fresh, e)
			known[e.id] = true // of two with one id in a group one counts
		}
	}
	return fresh, nil
}

// bound makes one batch of calls.
func bound(number int64, group []*entry) *bundle {
	b := &bundle{seq: number}
	all := map[string]span{}
	for _, e := range group {
		if e.id != "" {
			b.ids = append(b.ids, e.id)
		}
		for counter, s := range e.spans {
			if before, has := all[counter]; has {
				s = before.and(s)
			}
			all[counter] = s
		}
	}
	for counter, s := range all {
		b.changes = append(b.changes, change{Counter: counter, Sum: s.sum, Low: s.low, High: s.high})
	}
	slices.SortFunc(b.changes, func(x, y change) int { // who helps goes the same way
		if x.Counter < y.Counter {
			return -1
		}
		return 1
	})
	return b
}

// closed waits until the ledger is closed, and gives the number of its last batch. An open one whose author
// does not get on is finished here.
func (db *DB) closed(ctx context.Context) (int64, error) {
	for begun := time.Now(); ; {
		raw, err := db.meta.FindOne(ctx, bson.M{"_id": ledgerID}).Raw()
		if err != nil {
			return 0, err
		}
		b, err := readBundle(raw)
		if err != nil {
			return 0, err
		}
		if !b.open {
			return b.seq, nil
		}
		if at, _ := raw.Lookup(since).TimeOK(); time.Since(begun) >= polite || db.now().Sub(at) > leftOpen {
			return b.seq, db.finish(ctx, b)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// helpLedger has an open ledger finished whose author seems dead.
func (db *DB) helpLedger(ctx context.Context) error {
	n, err := db.meta.CountDocuments(ctx, bson.M{"_id": ledgerID, open: true, since: bson.M{"$lte": db.now().Add(-leftOpen)}})
	if err != nil || n == 0 {
		return err
	}
	db.ledger.mu.Lock()
	db.ledger.stale = true
	db.ledger.mu.Unlock()
	signal(db.ledger.wake)
	return nil
}

// makeLedger is where a database begins.
func (db *DB) makeLedger(ctx context.Context) error {
	_, err := again(func() (*mongo.UpdateResult, error) {
		return db.meta.UpdateOne(ctx, bson.M{"_id": ledgerID}, bson.M{"$setOnInsert": bson.M{seq: int64(0), open: false}}, options.UpdateOne().SetUpsert(true))
	})
	if err == nil {
		db.ledger.known, err = db.closed(ctx)
	}
	return err
}
