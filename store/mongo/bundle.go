package mongo

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// bundle is a batch as the ledger has it.
type bundle struct {
	seq     int64
	open    bool
	changes []change
	ids     []string
	spoilt  error // why a part of it could not be applied, ever
}

// change is what a batch does to one counter.
type change struct {
	Counter string `bson:"c"`
	Sum     int64  `bson:"sum"`
	Low     int64  `bson:"low"`
	High    int64  `bson:"high"`
}

func (c change) span() span { return span{c.Sum, c.Low, c.High} }

func readBundle(raw bson.Raw) (*bundle, error) {
	var is struct {
		Seq     *int64   `bson:"seq"`
		Open    *bool    `bson:"open"`
		Changes []change `bson:"changes"`
		IDs     []string `bson:"ids"`
	}
	if err := bson.Unmarshal(raw, &is); err != nil || is.Seq == nil || is.Open == nil {
		return nil, broken("the ledger of counters", "it has other types than ours")
	}
	return &bundle{seq: *is.Seq, open: *is.Open, changes: is.Changes, ids: is.IDs}, nil
}

// inOne is how many counters are changed by one call to the server.
const inOne = 500

// finish applies a batch that is in the ledger, or what is missing of it.
func (db *DB) finish(ctx context.Context, b *bundle) error {
	for part := range slices.Chunk(b.changes, inOne) {
		if err := db.step(ctx, func(ctx context.Context) error { return db.apply(ctx, b, part) }); err != nil {
			return err
		}
	}
	return db.step(ctx, func(ctx context.Context) error {
		if err := db.note(ctx, b.ids); err != nil {
			return err
		}
		_, err := db.meta.UpdateOne(ctx, bson.M{"_id": ledgerID, seq: b.seq}, bson.M{"$set": bson.M{open: false}, "$unset": bson.M{changes: "", ids: "", since: ""}})
		return err
	})
}

// note remembers ids of AddOnce.
func (db *DB) note(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var notes []mongo.WriteModel
	for _, id := range ids {
		notes = append(notes, mongo.NewUpdateOneModel().SetUpsert(true).SetFilter(bson.M{"_id": id}).SetUpdate(bson.M{"$setOnInsert": bson.M{"at": db.now()}}))
	}
	_, err := db.once.BulkWrite(ctx, notes, options.BulkWrite().SetOrdered(false))
	if onlyDuplicates(err) { // another node finishes the same batch
		return nil
	}
	return err
}

// apply changes counters of a batch in one go where that is nothing but adding, and the others one by one.
func (db *DB) apply(ctx context.Context, b *bundle, part []change) error {
	var adds []mongo.WriteModel
	for _, c := range part {
		if add := c.span().add(c.Counter, b.seq); add != nil {
			adds = append(adds, add)
		}
	}
	if len(adds) > 0 {
		did, err := db.counts.BulkWrite(ctx, adds, options.BulkWrite().SetOrdered(false))
		if err != nil && !onlyDuplicates(err) {
			return err
		}
		if err == nil && did.MatchedCount+did.UpsertedCount == int64(len(part)) {
			return nil
		}
	}
	return db.applyRest(ctx, b, part)
}

// add is the update that adds, under the condition that it is exact and that the batch has not been here.
// Where the counter is there and is not so, what the upsert would make is a duplicate. nil when there is no
// number that it would be right for.
func (s span) add(counter string, number int64) *mongo.UpdateOneModel {
	from, to := s.plain()
	if from > to {
		return nil
	}
	which := with(before(number), "_id", counter, "$and", holds(from, to))
	return mongo.NewUpdateOneModel().SetFilter(which).SetUpdate(marked(bson.M{"$inc": bson.M{value: s.sum}}, number)).SetUpsert(from == 0)
}

// before is the condition that a batch has not been at a counter; without a number there is none.
func before(number int64) bson.M {
	if number == 0 {
		return bson.M{}
	}
	return bson.M{batch: bson.M{"$not": bson.M{"$gte": number}}}
}

func marked(change bson.M, number int64) bson.M {
	if number == 0 {
		return change
	}
	set, _ := change["$set"].(bson.M)
	if set == nil {
		set = bson.M{}
	}
	change["$set"] = with(set, batch, number)
	return change
}

// applyRest goes through the counters of a batch that it has not been at.
func (db *DB) applyRest(ctx context.Context, b *bundle, part []change) error {
	var names bson.A
	for _, c := range part {
		names = append(names, c.Counter)
	}
	found, err := db.counts.Find(ctx, bson.M{"_id": bson.M{"$in": names}, batch: bson.M{"$gte": b.seq}}, options.Find().SetProjection(bson.M{"_id": 1}))
	if err != nil {
		return err
	}
	var raws []bson.Raw
	if err := found.All(ctx, &raws); err != nil {
		return err
	}
	been := map[string]bool{}
	for _, raw := range raws {
		name, _ := raw.Lookup("_id").StringValueOK()
		been[name] = true
	}
	for _, c := range part {
		if been[c.Counter] {
			continue
		}
		err := db.move(ctx, c.Counter, c.span(), b.seq)
		if bad := (*brokenError)(nil); errors.As(err, &bad) { // the others must not wait for it for ever
			db.log.Error("a counter was not changed", "error", err, "by", c.Sum)
			b.spoilt = err
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// move does to one counter what a span says: first by adding, then by setting it under the condition that it
// is what it was. number is that of the batch, 0 for none.
func (db *DB) move(ctx context.Context, counter string, s span, number int64) error {
	for n := 0; ; n++ {
		if add := s.add(counter, number); add != nil {
			did, err := db.counts.UpdateOne(ctx, add.Filter, add.Update, options.UpdateOne().SetUpsert(*add.Upsert))
			if err == nil && did.MatchedCount+did.UpsertedCount > 0 {
				return nil
			}
			if err != nil && !mongo.IsDuplicateKeyError(err) {
				return err
			}
		}
		if done, err := db.set(ctx, counter, s, number); done || err != nil {
			return err
		}
		if n > 0 { // everybody sets the same counter: those who wait a little get through
			select {
			case <-time.After(time.Duration(min(n, 20)) * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// set reads a counter and writes what the span makes of it.
func (db *DB) set(ctx context.Context, counter string, s span, number int64) (done bool, err error) {
	raw, err := db.counts.FindOne(ctx, bson.M{"_id": counter}).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		fresh := bson.M{"_id": counter, value: s.of(0)}
		if number != 0 {
			fresh[batch] = number
		}
		if _, err = db.counts.InsertOne(ctx, fresh); mongo.IsDuplicateKeyError(err) {
			return false, nil
		}
		return err == nil, err
	}
	if err != nil {
		return false, err
	}
	if last, ok := raw.Lookup(batch).AsInt64OK(); ok && number != 0 && last >= number {
		return true, nil
	}
	is, err := count(raw)
	if err != nil {
		return false, err
	}
	did, err := db.counts.UpdateOne(ctx, with(before(number), "_id", counter, value, is), marked(bson.M{"$set": bson.M{value: s.of(is)}}, number))
	return err == nil && did.MatchedCount > 0, err
}

// onlyDuplicates tells an error of a bulk write that is nothing but ids that were there already.
func onlyDuplicates(err error) bool {
	bulk := mongo.BulkWriteException{}
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
		return false
	}
	for _, one := range bulk.WriteErrors {
		if one.Code != 11000 {
			return false
		}
	}
	return len(bulk.WriteErrors) > 0
}
