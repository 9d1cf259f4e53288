package postgres

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"gcli2api/store"
)

// Notices are sent behind the writes and not in their transactions. A transaction that notifies holds a
// lock of the whole database until its commit is on the disk, so one write at a time would get through,
// and if the server's queue of notices were full, writes would fail. What this can lose (a node that is
// killed between a write and its notice) the others find by the revision, within a second.

// maxWaiting is how many different notices wait; more become one about everything.
const maxWaiting = 1024

// outbox holds the notices that wait, each with the number of writes it stands for.
type outbox struct {
	mu      sync.Mutex
	waiting map[store.Change]int64
	wake    chan struct{} // has room for one
}

func (o *outbox) add(c store.Change, n int64) {
	o.mu.Lock()
	o.put(c, n)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) put(c store.Change, n int64) {
	if o.waiting == nil {
		o.waiting = map[store.Change]int64{}
	}
	if _, has := o.waiting[c]; !has && len(o.waiting) >= maxWaiting {
		for _, more := range o.waiting {
			n += more
		}
		clear(o.waiting)
		c = store.Change{}
	}
	o.waiting[c] += n
}

func (o *outbox) take() map[store.Change]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	got := o.waiting
	o.waiting = nil
	return got
}

// back returns what could not be sent.
func (o *outbox) back(all map[store.Change]int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c, n := range all {
		o.put(c, n)
	}
}

// announce sends notices until the store is closed, all that wait at a time.
func (db *DB) announce() {
	for {
		select {
		case <-db.outbox.wake:
		case <-db.ctx.Done():
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = db.send(ctx) // what was written is known within a second all the same
			return
		}
		ctx, cancel := context.WithTimeout(db.ctx, db.Timeout)
		err := db.send(ctx)
		cancel()
		if err == nil {
			continue
		}
		select { // the database is away, or refuses
		case <-time.After(time.Second):
			db.outbox.add(store.Change{}, 0)
		case <-db.ctx.Done():
		}
	}
}

func (db *DB) send(ctx context.Context) error {
	all := db.outbox.take()
	if len(all) == 0 {
		return nil
	}
	texts := make([]string, 0, len(all))
	for c, n := range maps.All(all) {
		texts = append(texts, fmt.Sprintf("%d\n%s\n%s", n, c.Table, c.ID))
	}
	err := db.once(ctx, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT pg_notify($1::text, text) FROM unnest($2::text[]) AS text`, db.Prefix, texts)
		return err
	})
	if err != nil {
		db.outbox.back(all)
	}
	return err
}

// heard reads a notice: names have no line ends in them.
func heard(text string) (c store.Change, n int64) {
	count, rest, _ := strings.Cut(text, "\n")
	t, id, ok := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(count, 10, 64)
	if !ok || err != nil {
		return store.Change{}, 0 // not ours, or of another version
	}
	return store.Change{Table: store.Table(t), ID: id}, n
}
