package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"gcli2api/store"
)

const (
	tendEvery  = 2 * time.Second
	clockEvery = time.Minute
	sweepEvery = 10 * time.Minute
	keptDead   = time.Hour // a document that has expired, and with it its revision
)

// tend looks after what others left behind, the clock, and what has run out.
func (db *DB) tend() {
	var clocked, swept time.Time
	db.every(tendEvery, func(ctx context.Context) error {
		if time.Since(clocked) >= clockEvery {
			if _, err := db.hello(ctx); err != nil {
				return err
			}
			clocked = time.Now()
		}
		if err := db.settleOthers(ctx); err != nil {
			return err
		}
		if err := db.helpLedger(ctx); err != nil {
			return err
		}
		if time.Since(swept) < sweepEvery {
			return nil
		}
		swept = time.Now()
		return db.sweep(ctx)
	})
}

// sweep deletes what has run out. Each node may do it at any time: every deletion has its condition in
// itself. A TTL index would need the server's own idea of when.
func (db *DB) sweep(ctx context.Context) error {
	now := db.now()
	if _, err := db.docs.DeleteMany(ctx, bson.M{expires: bson.M{"$lte": now.Add(-keptDead)}, owed: bson.M{"$exists": false}}); err != nil {
		return err
	}
	if _, err := db.once.DeleteMany(ctx, bson.M{"at": bson.M{"$lte": now.Add(-store.OnceFor - time.Hour)}}); err != nil {
		return err
	}
	if _, err := db.leases.DeleteMany(ctx, bson.M{"until": bson.M{"$lte": now.Add(-keptDead)}}); err != nil {
		return err
	}
	return db.sweepCounters(ctx, now)
}

// sweepCounters deletes counters at zero that no batch of the last day was at. One that is deleted forgets
// which batch was there last, and a batch that somebody still tries to finish then would be applied again:
// a call lasts seconds, so a day is safe.
func (db *DB) sweepCounters(ctx context.Context, now time.Time) error {
	raw, err := db.meta.FindOne(ctx, bson.M{"_id": ledgerID}).Raw()
	if err != nil {
		return err
	}
	b, err := readBundle(raw)
	if err != nil {
		return err
	}
	mark, err := again(func() (bson.Raw, error) {
		return db.meta.FindOneAndUpdate(ctx, bson.M{"_id": "sweep"}, bson.M{"$setOnInsert": bson.M{"at": now, "next": b.seq}},
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	})
	if err != nil {
		return err
	}
	at, ok := mark.Lookup("at").TimeOK()
	next, isNumber := mark.Lookup("next").AsInt64OK()
	if !ok || !isNumber {
		return broken("the document of the sweep", "it has other types than ours")
	}
	if now.Sub(at) < 24*time.Hour {
		return nil
	}
	_, err = db.counts.DeleteMany(ctx, bson.M{value: int64(0), batch: bson.M{"$not": bson.M{"$gt": next}}})
	if err != nil {
		return err
	}
	_, err = db.meta.UpdateOne(ctx, bson.M{"_id": "sweep", "at": at}, bson.M{"$set": bson.M{"at": now, "next": b.seq}})
	return err
}
