package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"gcli2api/store"
)

// pollEvery is how often the version document is read. Nothing goes back and forth for it while nothing
// changes but one read by id, and a change is seen well within the 5 s that are promised.
const pollEvery = time.Second

// Watch gives hints.
func (db *DB) Watch(ctx context.Context) (<-chan store.Change, error) {
	if db.life.Err() != nil {
		return nil, store.ErrClosed
	}
	return db.hints.Watch(ctx)
}

// poll looks at the version document, for changes of other nodes. It goes on where there are change streams:
// then it finds what has been told already.
func (db *DB) poll() {
	seen, known := int64(0), false
	db.every(pollEvery, func(ctx context.Context) error {
		n, keys, err := db.version(ctx, bson.M{"_id": versionID, number: bson.M{"$ne": seen}}, bson.M{number: 1, recent: 1})
		if err != nil || n == seen || n == 0 { // the document is left out as long as it says what it said
			return err
		}
		switch fresh := n - seen; {
		case !known || fresh < 0 || fresh > int64(len(keys)): // a copy was put back, or more than the document remembers
			db.hints.Tell(store.Change{})
		default:
			for _, key := range keys[int64(len(keys))-fresh:] {
				text, _ := key.StringValueOK()
				db.hints.Tell(changeOf(text))
			}
		}
		seen, known = n, true
		return nil
	})
}

// every does something again and again until the store is closed. It says when that begins to fail, and when
// it goes well again.
func (db *DB) every(pause time.Duration, what func(context.Context) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	failing := false
	for {
		ctx, done, err := db.begin(db.life)
		if err != nil {
			return
		}
		err = db.failed(ctx, what(ctx))
		done()
		if db.life.Err() != nil {
			return
		}
		if (err != nil) != failing {
			if failing = err != nil; failing {
				db.log.Warn("changes in MongoDB cannot be followed", "error", err)
			} else {
				db.log.Info("changes in MongoDB are followed again")
			}
		}
		select {
		case <-tick.C:
		case <-db.life.Done():
			return
		}
	}
}

// stream turns a change stream into hints, where the server has them: replica sets and sharded clusters. No
// test has run it on a real one. What it misses poll finds.
func (db *DB) stream() {
	writes := mongo.Pipeline{bson.D{{Key: "$match", Value: bson.M{"$or": bson.A{
		bson.M{"operationType": bson.M{"$in": bson.A{"insert", "replace"}}},
		bson.M{"operationType": "update", "updateDescription.updatedFields." + rev: bson.M{"$exists": true}}, // not owed alone
	}}}}, bson.D{{Key: "$project", Value: bson.M{"documentKey": 1}}}}
	for db.life.Err() == nil {
		changes, err := db.docs.Watch(db.life, writes, options.ChangeStream().SetMaxAwaitTime(10*time.Second))
		if err == nil {
			for changes.Next(db.life) {
				if key, ok := changes.Current.Lookup("documentKey", "_id").StringValueOK(); ok {
					db.hints.Tell(changeOf(key))
				}
			}
			err = changes.Err()
			_ = changes.Close(context.Background())
		}
		if err != nil && db.life.Err() == nil {
			db.log.Warn("the change stream of MongoDB broke off: changes are polled", "error", db.hide(err))
		}
		select {
		case <-time.After(10 * time.Second):
		case <-db.life.Done():
		}
	}
}
