package mongo

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"gcli2api/store"
)

// How the others learn of a change, soundly and with updates of single documents only:
//
//  1. A write sets owed in the document that it writes, in the same update. Nothing is lost from here on.
//  2. The version document is moved by the number of writes: that is Revision, and it comes behind the
//     write, so whoever sees it move and reads then reads what was written. It also has the keys of the last
//     changes, for hints.
//  3. owed is taken out again.
//
// A node that dies between 1 and 2 leaves a document that owes, and any other node does 2 and 3 for it after
// a few seconds. Done twice they only announce something twice. No order between writes is needed, and no
// clock that is right: a sequence number in each document would need both, since a write with a low number
// can land after one with a high number.
const (
	versionID = "version"
	number    = "n"
	recent    = "recent" // keys of the last changes, newest last
	remember  = 100      // how many of them
	owedFor   = 3 * time.Second
	mostOwed  = 1000 // at a time
	mostWait  = 10_000
)

// written is a write that is to be told.
type written struct {
	key string
	rev store.Rev
}

// teller gathers the writes of this node: all that came in while one update was under way are the next one.
type teller struct {
	mu     sync.Mutex
	next   []written
	told   chan struct{} // closed when what is in next has been told, or could not be
	wake   chan struct{}
	settle []written // told, and still owed
	due    chan struct{}
}

func newTeller() *teller {
	return &teller{told: make(chan struct{}), wake: make(chan struct{}, 1), due: make(chan struct{}, 1)}
}

// tell waits until the version has moved, or that has failed: the write is done in any case, and will be
// told later then.
func (db *DB) tell(ctx context.Context, key string, rev store.Rev) {
	t := db.teller
	t.mu.Lock()
	if len(t.next) < mostWait { // more than that waits only when the server is away: owed remembers them
		t.next = append(t.next, written{key, rev})
	}
	told := t.told
	t.mu.Unlock()
	signal(t.wake)
	select {
	case <-told:
	case <-ctx.Done():
	}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// tellAll moves the version for all writes of this node.
func (db *DB) tellAll() {
	t := db.teller
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-t.wake:
		case <-again.C: // what could not be told
		case <-db.life.Done():
			return
		}
		t.mu.Lock()
		all, told := t.next, t.told
		t.next, t.told = nil, make(chan struct{})
		t.mu.Unlock()
		err := db.announce(all)
		t.mu.Lock()
		if err != nil {
			t.next = append(all, t.next...)
		} else if len(t.settle) < mostWait {
			t.settle = append(t.settle, all...)
		}
		t.mu.Unlock()
		close(told)
		if err == nil && len(all) > 0 {
			signal(t.due)
		}
	}
}

// announce moves the version, and tells those who watch here at once.
func (db *DB) announce(all []written) error {
	if len(all) == 0 {
		return nil
	}
	ctx, done, err := db.begin(db.life)
	if err != nil {
		return err
	}
	defer done()
	keys := make(bson.A, 0, min(len(all), remember))
	for _, w := range all[max(len(all)-remember, 0):] {
		keys = append(keys, w.key)
	}
	_, err = again(func() (*mongo.UpdateResult, error) {
		return db.meta.UpdateOne(ctx, bson.M{"_id": versionID}, bson.M{
			"$inc":  bson.M{number: int64(len(all))},
			"$push": bson.M{recent: bson.M{"$each": keys, "$slice": -remember}},
		}, options.UpdateOne().SetUpsert(true))
	})
	if err != nil {
		return err
	}
	for _, w := range all {
		db.hints.Tell(changeOf(w.key))
	}
	return nil
}

func changeOf(key string) store.Change {
	t, id, _ := strings.Cut(key, between)
	return store.Change{Table: store.Table(t), ID: id}
}

// settleAll takes owed out of documents that were told, a moment later and many at a time. A document that
// was written again meanwhile owes anew.
func (db *DB) settleAll() {
	t := db.teller
	for {
		select {
		case <-t.due:
		case <-db.life.Done():
			return
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-db.life.Done():
			return
		}
		t.mu.Lock()
		all := t.settle
		t.settle = nil
		t.mu.Unlock()
		ctx, done, err := db.begin(db.life)
		if err != nil {
			return
		}
		if err := db.settle(ctx, all); err != nil {
			db.log.Warn("documents in MongoDB still owe a hint, which will be given again", "documents", len(all), "error", db.failed(ctx, err))
		}
		done()
	}
}

func (db *DB) settle(ctx context.Context, all []written) error {
	for len(all) > 0 {
		n := min(len(all), mostOwed)
		var updates []mongo.WriteModel
		for _, w := range all[:n] {
			updates = append(updates, mongo.NewUpdateOneModel().SetFilter(bson.M{"_id": w.key, rev: int64(w.rev)}).SetUpdate(bson.M{"$unset": bson.M{owed: ""}}))
		}
		if _, err := db.docs.BulkWrite(ctx, updates, options.BulkWrite().SetOrdered(false)); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// settleOthers tells what has been owed for too long, by whomever.
func (db *DB) settleOthers(ctx context.Context) error {
	found, err := db.docs.Find(ctx, bson.M{owed: bson.M{"$lte": db.now().Add(-owedFor)}},
		options.Find().SetLimit(mostOwed).SetProjection(bson.M{rev: 1}))
	if err != nil {
		return err
	}
	var raws []bson.Raw
	if err := found.All(ctx, &raws); err != nil {
		return err
	}
	var all []written
	for _, raw := range raws {
		key, ok := raw.Lookup("_id").StringValueOK()
		if n, is := raw.Lookup(rev).AsInt64OK(); ok && is {
			all = append(all, written{key, store.Rev(n)})
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := db.announce(all); err != nil {
		return err
	}
	return db.settle(ctx, all)
}

// Revision counts the writes of documents that were told.
func (db *DB) Revision(ctx context.Context) (int64, error) {
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	n, _, err := db.version(ctx, bson.M{"_id": versionID}, bson.M{number: 1})
	return n, db.failed(ctx, err)
}

// version reads the version document where it is as which says; 0 where it is not.
func (db *DB) version(ctx context.Context, which, fields bson.M) (int64, []bson.RawValue, error) {
	raw, err := db.meta.FindOne(ctx, which, options.FindOne().SetProjection(fields)).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	n, ok := raw.Lookup(number).AsInt64OK()
	if !ok {
		return 0, nil, broken("the version document", "it is no number")
	}
	keys, _ := raw.Lookup(recent).ArrayOK()
	values, _ := keys.Values()
	return n, values, nil
}
