// Package redis is the engine that keeps everything in Redis.
//
// Each call is one script, so that the server decides in one step and one round trip, by its own clock. A table
// is two hashes, of heads ("revision expiry") and of bodies, and a sorted set for the order of ids. Counters are
// one hash and one sorted set. The driver sends nothing again by itself that must not be done twice.
package redis

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"gcli2api/store"
)

// Options say which database, and how.
type Options struct {
	Address     string        // a secret: it may hold a password
	Database    string        // where the address names none
	Prefix      string        // sets data of ours apart from others in the same database
	Connections int           // for calls at a time, at most; 0 is 20. One more hears hints
	Timeout     time.Duration // of one call; 0 is 5 s
	Log         *slog.Logger  // nil logs nothing
}

// DB is the engine. It is made by Open.
type DB struct {
	client  redis.UniversalClient
	keys    keys
	channel string
	scripts map[string]script
	self    string   // who sweeps
	secrets []string // what no error may show
	timeout time.Duration
	most    int // connections
	log     *slog.Logger
	hints   store.Hints
	said    store.Said // broken documents

	mu    sync.Mutex
	shut  bool
	calls sync.WaitGroup // under way
	owned sync.WaitGroup // listen and tend
	stop  context.CancelFunc
	once  sync.Once
	ended error
}

var _ store.Store = (*DB)(nil)

// Open reaches the database once, and writes the version of its layout where there is none. An error that is
// worth another try is a *store.Away.
func Open(ctx context.Context, o Options) (*DB, error) {
	db, err := connect(ctx, o)
	if err == nil {
		if err = db.begin(ctx); err != nil {
			_ = db.client.Close()
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	}
	own, stop := context.WithCancel(context.Background())
	db.stop = stop
	db.owned.Go(func() { db.listen(own) })
	db.owned.Go(func() { db.tend(own) })
	return db, nil
}

// connect makes a client of the right kind.
func connect(ctx context.Context, o Options) (*DB, error) {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Connections == 0 {
		o.Connections = 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Prefix == "" {
		o.Prefix = "gcli2api"
	}
	redis.SetLogger(silent{})
	all, err := scripts()
	if err != nil {
		return nil, err
	}
	a, err := parse(o)
	if err != nil {
		return nil, err
	}
	db := &DB{keys: keys{o.Prefix}, scripts: all, self: rand.Text(), secrets: a.secrets, timeout: o.Timeout, log: o.Log}
	db.channel = db.keys.channel(a.database())
	db.client, db.most = a.client(), o.Connections
	if !a.many() {
		cluster, err := db.inCluster(ctx)
		if cluster || err != nil {
			_ = db.client.Close()
		}
		if err != nil {
			return nil, err
		}
		if cluster {
			db.client = a.clustered()
		}
	}
	return db, nil
}

// Stats are the connections as they are now. Those of a cluster's nodes add up.
func (db *DB) Stats() store.Pool {
	s := db.client.PoolStats()
	return store.Pool{InUse: int(s.TotalConns - min(s.IdleConns, s.TotalConns)), Idle: int(s.IdleConns), Max: db.most}
}

// Close lets the calls that are under way come to their end, for a short time, and closes the connections.
func (db *DB) Close() error {
	db.once.Do(func() {
		db.mu.Lock()
		db.shut = true
		db.mu.Unlock()
		db.stop()
		db.hints.Close()
		idle := make(chan struct{})
		go func() {
			db.calls.Wait()
			close(idle)
		}()
		select {
		case <-idle:
		case <-time.After(min(db.timeout, 2*time.Second)):
		}
		db.ended = db.client.Close() // ends what still waits for an answer
		<-idle
		db.owned.Wait()
	})
	return db.ended
}
