package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"gcli2api/store"
)

var _ store.CounterWalker = (*DB)(nil)

// WalkCounters reads a part of the counters.
func (db *DB) WalkCounters(ctx context.Context, after string, limit int) (list []store.Delta, err error) {
	if limit <= 0 {
		return nil, fmt.Errorf("%w: a list of %d counters", store.ErrInvalid, limit)
	}
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	which := bson.M{value: bson.M{"$ne": int64(0)}, "_id": bson.M{"$gt": after}}
	found, err := db.counts.Find(ctx, which, options.Find().SetProjection(bson.M{value: 1}).SetSort(bson.M{"_id": 1}).SetLimit(int64(limit)))
	if err != nil {
		return nil, db.failed(ctx, err)
	}
	defer found.Close(ctx)
	for found.Next(ctx) {
		n, err := count(found.Current)
		if err != nil {
			return nil, err
		}
		name, _ := found.Current.Lookup("_id").StringValueOK()
		list = append(list, store.Delta{Counter: name, N: n})
	}
	if err := found.Err(); err != nil {
		return nil, db.failed(ctx, err)
	}
	return list, nil
}
