// Package mongo is the engine that keeps everything in MongoDB.
//
// It asks the server for nothing but updates of single documents under a condition, upserts, unique ids and
// bulk writes, which MongoDB promises to be atomic document by document. Transactions and TTL indexes would
// say some things shorter where a server has them; the plain way has to be right without, so it is the only
// one. Change streams make hints faster where they exist, and nothing rests on them.
//
// Five collections, whose names begin with the prefix: docs, counters, leases, once (ids of AddOnce) and meta
// (layout, version, ledger).
package mongo

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"gcli2api/store"
)

// Options say which database, and how.
type Options struct {
	Address     string        // a secret: it may hold a password
	Database    string        // where the address names none
	Prefix      string        // sets data of ours apart from others in the same database
	Connections int           // at a time, at most; 0 is the driver's own
	Timeout     time.Duration // of one call; 0 is 5 s
	Log         *slog.Logger  // nil logs nothing
}

// layout is the version of what lies in the collections. Raise it when an older gateway could not work with
// it.
const layout = 1

const namespaceExists = 48

// DB is the engine. It is made by Open.
type DB struct {
	client  *mongo.Client
	docs    *mongo.Collection
	counts  *mongo.Collection
	leases  *mongo.Collection
	once    *mongo.Collection
	meta    *mongo.Collection
	timeout time.Duration
	log     *slog.Logger
	secrets []string    // what no error may show
	streams bool        // the server has change streams
	whole   atomic.Bool // its findAndModify answers with whole documents only
	clock   clock
	pool    pool
	hints   store.Hints
	said    store.Said // broken documents
	teller  *teller
	ledger  *ledger
	life    context.Context // over when the store is closed
	end     context.CancelFunc
	closing sync.Mutex // held while a call begins, and by Close
	calls   sync.WaitGroup
	owned   sync.WaitGroup // goroutines
}

// Open reaches the database once, and brings its schema up to date. An error that is worth another try
// is a *store.Away.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := newDB(o)
	if err := db.connect(o); err != nil {
		return nil, err
	}
	if err := db.prepare(ctx); err != nil {
		db.disconnect()
		return nil, err
	}
	db.owned.Go(db.tellAll)
	db.owned.Go(db.settleAll)
	db.owned.Go(db.keepBooks)
	db.owned.Go(db.poll)
	db.owned.Go(db.tend)
	if db.streams {
		db.owned.Go(db.stream)
	}
	return db, nil
}

func newDB(o Options) *DB {
	db := &DB{timeout: o.Timeout, log: o.Log, teller: newTeller(), ledger: newLedger()}
	if db.timeout <= 0 {
		db.timeout = 5 * time.Second
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	db.life, db.end = context.WithCancel(context.Background())
	return db
}

// prepare finds out what server this is, and makes what is missing.
func (db *DB) prepare(ctx context.Context) error {
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := db.greet(ctx); err != nil {
		return db.failed(ctx, err)
	}
	if err := db.checkLayout(ctx); err != nil {
		return db.failed(ctx, err)
	}
	if err := db.makeLedger(ctx); err != nil {
		return db.failed(ctx, err)
	}
	for _, c := range []*mongo.Collection{db.counts, db.leases} { // the others come to be by what follows
		err := c.Database().CreateCollection(ctx, c.Name())
		if se := mongo.ServerError(nil); err != nil && !(errors.As(err, &se) && se.HasErrorCode(namespaceExists)) {
			return db.failed(ctx, err)
		}
	}
	for _, index := range []struct {
		of    *mongo.Collection
		field string
	}{{db.docs, owed}, {db.docs, expires}, {db.once, "at"}} {
		model := mongo.IndexModel{Keys: bson.M{index.field: 1}, Options: sparse()}
		if _, err := index.of.Indexes().CreateOne(ctx, model); err != nil {
			return db.failed(ctx, err)
		}
	}
	return nil
}

// Close ends what is under way and gives the connections back.
func (db *DB) Close() error {
	db.closing.Lock()
	db.end()
	db.closing.Unlock()
	db.calls.Wait()
	db.owned.Wait()
	db.hints.Close()
	db.disconnect()
	return nil
}

// disconnect says good-bye to the server, which need not be there any more.
func (db *DB) disconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = db.client.Disconnect(ctx)
}

// begin is the start of every call: it lasts as long as a call may, and ends with the store.
func (db *DB) begin(parent context.Context) (context.Context, func(), error) {
	if err := parent.Err(); err != nil {
		return nil, nil, err
	}
	db.closing.Lock()
	defer db.closing.Unlock()
	if db.life.Err() != nil {
		return nil, nil, store.ErrClosed
	}
	db.calls.Add(1)
	ctx := parent
	if parent.Value(caller{}) == nil {
		ctx = context.WithValue(parent, caller{}, parent)
	}
	ctx, cancel := context.WithTimeout(ctx, db.timeout)
	stop := context.AfterFunc(db.life, cancel)
	return ctx, func() {
		stop()
		cancel()
		db.calls.Done()
	}, nil
}

// step is one of several calls to the server that serve one of ours, with the time that a call has.
func (db *DB) step(parent context.Context, what func(context.Context) error) error {
	ctx, done, err := db.begin(parent)
	if err != nil {
		return err
	}
	defer done()
	return db.failed(ctx, what(ctx))
}

// caller is the context that a call came with, in the one that begin made of it.
type caller struct{}
