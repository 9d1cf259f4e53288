package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// HasOld tells that there is something for ReadOld.
func HasOld(ctx context.Context, o Options) (bool, error) {
	db := newDB(o)
	if err := db.connect(o); err != nil {
		return false, err
	}
	defer db.disconnect()
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	// The document may have 16 MB: of it only the name is asked for.
	err = db.docs.Database().Collection(oldCollection).FindOne(ctx, bson.M{"key": bson.M{"$exists": true}},
		options.FindOne().SetProjection(bson.M{"key": 1})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, db.failed(ctx, err)
}
