package mongo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// clock is the server's. A condition of an update can only name a time that the client sends, and clients'
// clocks are minutes apart: so all of them go by the server's, each knowing how far ahead it is. Between two
// looks the monotonic clock counts, so that nobody who sets the time of a machine moves an expiry.
type clock struct {
	mu    sync.Mutex
	there time.Time // the server's time
	here  time.Time // when it was that
}

// hello asks the server what it is, and sets the clock by its answer, half of whose way counts.
func (db *DB) hello(ctx context.Context) (bson.Raw, error) {
	asked := time.Now()
	said, err := db.docs.Database().RunCommand(ctx, bson.M{"hello": 1}).Raw()
	if err != nil {
		return nil, err
	}
	there, ok := said.Lookup("localTime").TimeOK()
	if !ok {
		return nil, errors.New("its answer to hello has no time")
	}
	answered := time.Now()
	db.clock.mu.Lock()
	defer db.clock.mu.Unlock()
	db.clock.there, db.clock.here = there.Add(answered.Sub(asked)/2), answered
	return said, nil
}

// now is the time at the server.
func (db *DB) now() time.Time {
	db.clock.mu.Lock()
	defer db.clock.mu.Unlock()
	return db.clock.there.Add(time.Since(db.clock.here))
}

// Time is the server's, as it says now.
func (db *DB) Time(ctx context.Context) (time.Time, error) {
	inner, end, err := db.begin(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer end()
	if _, err := db.hello(inner); err != nil {
		return time.Time{}, db.failed(inner, err)
	}
	return db.now(), nil
}
