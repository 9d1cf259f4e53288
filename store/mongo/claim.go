package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"gcli2api/store"
)

// Claim takes a lease: the update finds one that is the owner's own or has run out, or makes one. Where
// somebody else holds it, what it would make is a duplicate. A lease without a proper end has run out.
func (db *DB) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	if err := store.CheckName(name); err != nil {
		return false, err
	}
	if err := store.CheckName(owner); err != nil {
		return false, err
	}
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	if ttl <= 0 {
		_, err := db.leases.DeleteOne(ctx, bson.M{"_id": name, "owner": owner})
		return false, db.failed(ctx, err)
	}
	now := db.now()
	free := bson.A{bson.M{"owner": owner}, bson.M{"until": bson.M{"$lte": now}}, bson.M{"until": bson.M{"$not": bson.M{"$type": "date"}}}}
	_, err = db.leases.UpdateOne(ctx, bson.M{"_id": name, "$or": free},
		bson.M{"$set": bson.M{"owner": owner, "until": now.Add(ttl)}}, options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) {
		return false, nil
	}
	return err == nil, db.failed(ctx, err)
}
