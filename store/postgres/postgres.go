// Package postgres is the engine that keeps everything in Postgres.
//
// What has to be exact is done by functions in the database, one call each: a write is one round trip
// whatever it has to look at, and pgx needs no prepared statements, which a pooler in front of the database
// would lose. The functions and tables are made by migrations, in a schema of our own.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gcli2api/store"
)

// Options say which database, and how.
type Options struct {
	Address     string        // a secret: it may hold a password
	Database    string        // where the address names none
	Prefix      string        // the schema; "" is gcli2api
	Connections int           // at a time, at most; 0 is the driver's own
	Timeout     time.Duration // of one call; 0 is 5 s
	Log         *slog.Logger  // nil logs nothing
}

// DB is the engine. It is made by Open.
type DB struct {
	target
	pool *pgxpool.Pool

	ctx   context.Context // ends what is under way
	stop  context.CancelFunc
	owned sync.WaitGroup // goroutines

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup

	outbox  outbox
	hints   store.Hints
	follows sync.Once
}

// target is a database and how it is spoken to.
type target struct {
	Options
	conn   *pgxpool.Config
	schema string // quoted
}

// Open reaches the database once, and brings its schema up to date. An error that is worth another try
// is a *store.Away.
func Open(ctx context.Context, o Options) (*DB, error) {
	to, err := aim(o)
	if err != nil {
		return nil, err
	}
	return to.open(ctx)
}

func (to target) open(ctx context.Context) (*DB, error) {
	first, cancel := context.WithTimeout(ctx, max(to.Timeout, 10*time.Second)) // migrations take their time
	defer cancel()
	if err := to.prepare(first); err != nil {
		return nil, to.explain(ctx, "open", err)
	}
	db := &DB{target: to}
	db.ctx, db.stop = context.WithCancel(context.Background())
	pool, err := pgxpool.NewWithConfig(db.ctx, to.conn)
	if err != nil {
		db.stop()
		return nil, to.explain(ctx, "open", err)
	}
	db.pool = pool
	db.outbox.wake = make(chan struct{}, 1)
	db.owned.Go(db.announce)
	db.owned.Go(db.sweep)
	return db, nil
}

// prepare looks at the server and migrates, on a connection of its own.
func (to *target) prepare(ctx context.Context) error {
	cfg := to.conn.ConnConfig.Copy()
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return to.refused(ctx, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := to.inspect(ctx, conn); err != nil {
		return err
	}
	return to.migrate(ctx, conn)
}

// sql puts the schema into a query.
func (to *target) sql(query string) string { return strings.ReplaceAll(query, "{schema}", to.schema) }

// enter lets a call in unless the store is closed, and gives it its time. left ends it.
func (db *DB) enter(ctx context.Context) (_ context.Context, left func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, nil, store.ErrClosed
	}
	db.calls.Add(1)
	ctx, cancel := context.WithTimeout(ctx, db.Timeout)
	unhook := context.AfterFunc(db.ctx, cancel)
	return ctx, func() { unhook(); cancel(); db.calls.Done() }, nil
}

// Close waits a moment for calls under way, then ends them.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		db.owned.Wait()
		return nil
	}
	db.closed = true
	db.mu.Unlock()
	ended := make(chan struct{})
	go func() { db.calls.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
	db.stop()
	<-ended
	db.owned.Wait()
	db.hints.Close()
	db.pool.Close()
	return nil
}

// call is one way to the database and back.
type call struct {
	what string // for errors: "read key \"a\""
	read bool   // changes nothing: it may be done again
	do   func(ctx context.Context, c *pgx.Conn) error
}

const (
	triesBroken = 2 // a connection that turned out to be dead
	triesLocked = 8 // transactions that the server ended for others' sake
)

func (db *DB) run(ctx context.Context, c call) error {
	inner, left, err := db.enter(ctx)
	if err != nil {
		return err
	}
	defer left()
	for try := 1; ; try++ {
		err := db.once(inner, c.do)
		if err == nil || inner.Err() != nil || !again(err, c.read, try) {
			return db.outcome(ctx, c.what, err)
		}
		select {
		case <-time.After(time.Duration(try*try) * time.Millisecond):
		case <-inner.Done():
		}
	}
}

func (db *DB) once(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	c, err := db.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	err = do(ctx, c.Conn())
	if broken(err) {
		// After a restart of the server all connections of the pool are dead. Each would fail somebody.
		_ = c.Conn().Close(ctx)
		db.pool.Reset()
	}
	return err
}

// outcome turns an error into what a caller is to see.
func (db *DB) outcome(ctx context.Context, what string, err error) error {
	switch {
	case err == nil || ours(err):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	case db.ctx.Err() != nil:
		return store.ErrClosed
	}
	return db.explain(ctx, what, err)
}

// ours are errors of the waist that travel through run as they are.
func ours(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExhausted)
}

// Stats is how the connections are used, without the one for notices.
func (db *DB) Stats() store.Pool {
	s := db.pool.Stat()
	return store.Pool{InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Max: int(s.MaxConns())}
}
