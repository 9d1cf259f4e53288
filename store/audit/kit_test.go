package audit

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

// clock is a time that moves when the test says so.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// desk is a store on disk and what the settings are.
type desk struct {
	t     *testing.T
	path  string
	clock *clock
	kept  Settings
	store store.Store
	said  *lines
}

// lines is a log in memory.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, path: filepath.Join(t.TempDir(), "db"), clock: &clock{t: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)},
		kept: Settings{7 * 24 * time.Hour, 365 * 24 * time.Hour}, said: &lines{}}
	d.open()
	t.Cleanup(func() { d.store.Close() })
	return d
}

func (d *desk) open() {
	d.t.Helper()
	db, err := embedded.Open(embedded.Options{Path: d.path, Now: d.clock.now})
	if err != nil {
		d.t.Fatal(err)
	}
	d.store = db
}

// node is one process; it writes when the test says so.
func (d *desk) node() *Log { return d.nodeOn(d.store) }

func (d *desk) nodeOn(s store.Store) *Log {
	return begin(Options{Store: s, Log: slog.New(slog.NewTextHandler(d.said, nil)), Settings: func() Settings { return d.kept }, Now: d.clock.now})
}

func (d *desk) flush(l *Log) {
	d.t.Helper()
	if !l.flush(context.Background()) {
		d.t.Fatal("not written")
	}
}

// all walks through the log page by page.
func all(t *testing.T, l *Log, q Query) (rows []Request) {
	t.Helper()
	for range 10_000 {
		p, err := l.Requests(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, p.Rows...)
		if p.Next == "" {
			return rows
		}
		if p.Next == q.Before {
			t.Fatal("the cursor stands still")
		}
		q.Before = p.Next
	}
	t.Fatal("the walk has no end")
	return nil
}

func ids(rows []Request) string {
	var out []string
	for _, r := range rows {
		out = append(out, r.ID)
	}
	return strings.Join(out, " ")
}
