package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"gcli2api/store"
)

const (
	pollEvery  = 500 * time.Millisecond // where notices do not get through
	checkEvery = 250 * time.Millisecond // for notices that were lost
	checks     = 4                      // in a row at which something is missing: a notice comes sooner behind its write
	youngFor   = 12                     // checks in which late notices of older writes may come in
	probeFor   = 2 * time.Second
)

// errDeaf tells that notices do not get through: a pooler that gives each transaction another connection
// of the server takes LISTEN, and nothing ever comes.
var errDeaf = errors.New("notices do not get through")

// Watch gives hints until ctx is over or the store is closed.
func (db *DB) Watch(ctx context.Context) (<-chan store.Change, error) {
	_, left, err := db.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer left()
	hints, err := db.hints.Watch(ctx)
	if err == nil {
		db.follows.Do(func() { db.owned.Go(db.follow) })
	}
	return hints, err
}

// follow gives hints to watchers until the store is closed.
func (db *DB) follow() {
	for pause := 100 * time.Millisecond; db.ctx.Err() == nil; {
		heard := false
		err := db.listen(func() { heard = true })
		if errors.Is(err, errDeaf) {
			if db.Log != nil {
				db.Log.Info("a pooler stands before Postgres that lets no notices through, asking for the revision instead", "every", pollEvery.String())
			}
			db.poll()
			return
		}
		if db.ctx.Err() != nil {
			return
		}
		db.pool.Reset() // what cut this connection may have cut all
		if pause = min(2*pause, 5*time.Second); heard {
			pause = 100 * time.Millisecond
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-db.ctx.Done():
		}
	}
}

// listen gives hints as long as its connection lasts. good is called once it works.
func (db *DB) listen(good func()) error {
	start, cancel := context.WithTimeout(db.ctx, db.Timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(start, db.conn.ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(end)
	}()
	if _, err := conn.Exec(start, "LISTEN "+db.schema); err != nil {
		return err
	}
	revision, err := db.revision(start, conn)
	if err != nil {
		return err
	}
	e := ear{db: db, conn: conn, before: revision, missing: revision, young: youngFor, last: slices.Repeat([]int64{revision}, checks)}
	db.hints.Tell(store.Change{}) // nobody was listening until now
	if err := e.probe(); err != nil {
		return err
	}
	good()
	for {
		if err := e.hear(time.Now().Add(checkEvery)); err != nil {
			return err
		}
		if err := e.check(); err != nil {
			return err
		}
	}
}

// ear is a connection that listens. Each notice says for how many writes it stands, so the difference
// between the revision and what was heard comes back to the same as long as nothing is lost: for a moment it
// is larger by the writes whose notices are on their way.
type ear struct {
	db      *DB
	conn    *pgx.Conn
	heard   int64   // writes
	before  int64   // the revision at the last check
	missing int64   // the smallest difference so far
	young   int     // checks to come until the difference can be relied on
	last    []int64 // differences at the last checks
}

// hear takes notices until a time.
func (e *ear) hear(until time.Time) error {
	ctx, cancel := context.WithDeadline(e.db.ctx, until)
	defer cancel()
	for {
		n, err := e.conn.WaitForNotification(ctx)
		if err != nil {
			if ctx.Err() != nil && e.db.ctx.Err() == nil && !e.conn.IsClosed() {
				return nil
			}
			return err
		}
		e.take(n.Payload)
	}
}

func (e *ear) take(text string) {
	c, n := heard(text)
	e.heard += n
	if n > 0 || c != (store.Change{}) {
		e.db.hints.Tell(c)
	}
}

// check looks for writes that nobody told about. While others write all the time, some notices are always on
// their way, but not at each check as many: what is missing at all of the last checks was lost.
func (e *ear) check() error {
	ctx, cancel := context.WithTimeout(e.db.ctx, e.db.Timeout)
	defer cancel()
	now, err := e.db.revision(ctx, e.conn)
	if err != nil {
		return err
	}
	if err := e.hear(time.Now()); err != nil { // what came before the answer
		return err
	}
	// The notice of a write from before this connection listened makes up for one that was lost since:
	// the difference says nothing as long as such ones can come in.
	if e.young > 0 {
		e.young--
		if now != e.before {
			e.db.hints.Tell(store.Change{})
		}
	}
	e.before = now
	e.last = append(e.last[1:], now-e.heard)
	e.missing = min(e.missing, now-e.heard)
	if least := slices.Min(e.last); least > e.missing {
		e.missing = least
		e.db.hints.Tell(store.Change{})
	}
	return nil
}

// probe finds out whether notices get through.
func (e *ear) probe() error {
	word := "probe " + strconv.FormatUint(rand.Uint64(), 36)
	ctx, cancel := context.WithTimeout(e.db.ctx, probeFor)
	defer cancel()
	if err := e.db.once(ctx, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT pg_notify($1::text, $2::text)`, e.db.Prefix, word)
		return err
	}); err != nil {
		return err
	}
	for {
		n, err := e.conn.WaitForNotification(ctx)
		switch {
		case err != nil && e.db.ctx.Err() == nil && ctx.Err() != nil:
			return errDeaf
		case err != nil:
			return err
		case n.Payload == word:
			return nil
		}
		e.take(n.Payload)
	}
}

// poll asks for the revision where notices do not get through.
func (db *DB) poll() {
	last := int64(-1)
	for {
		now, err := db.Revision(db.ctx)
		if err == nil && now != last {
			db.hints.Tell(store.Change{})
			last = now
		}
		select {
		case <-time.After(pollEvery):
		case <-db.ctx.Done():
			return
		}
	}
}
