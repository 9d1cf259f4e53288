package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gcli2api/store"
	"gcli2api/store/postgres"
	"gcli2api/store/storetest/servers"
)

// sql does what an administrator does, on a connection of its own.
func sql(t testing.TB, address string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, s := range statements {
		if _, err := c.PgConn().Exec(t.Context(), s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// ask reads one value.
func ask[T any](t testing.TB, address, query string) (v T) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := c.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// as is the server's address for another user, whose password is "word".
func as(s *servers.PostgresServer, user string) string {
	return fmt.Sprintf("postgres://%s:word@127.0.0.1:%d/postgres?sslmode=disable", user, s.Port)
}

// refuses checks that Open fails with one line that says something, and no password.
func refuses(t testing.TB, o postgres.Options, away bool, says ...string) {
	t.Helper()
	db, err := postgres.Open(t.Context(), o)
	if err == nil {
		db.Close()
		t.Fatal("it opens")
	}
	wants(t, err, away, says...)
}

func wants(t testing.TB, err error, away bool, says ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	text := err.Error()
	t.Log(text)
	if got := errors.As(err, new(*store.Away)); got != away {
		t.Errorf("away is %v, want %v: %s", got, away, text)
	}
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("%q does not say %q", text, s)
		}
	}
	for _, secret := range []string{servers.PostgresPassword, "for%20tests", "wr0ng"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q holds %q", text, secret)
		}
	}
	if strings.Contains(text, "\n") {
		t.Errorf("%q is more than one line", text)
	}
}

// hinted waits for a hint that covers a document.
func hinted(t testing.TB, hints <-chan store.Change, id string) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case c, ok := <-hints:
			if !ok {
				t.Fatal("the hints have ended")
			}
			if c == (store.Change{Table: store.Costs, ID: id}) || c == (store.Change{}) {
				return
			}
		case <-late:
			t.Fatalf("no hint about %q", id)
		}
	}
}

// exactly waits for the hint about one document, not for one about everything.
func exactly(t testing.TB, hints <-chan store.Change, id string) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case c := <-hints:
			if c.ID == id {
				return
			}
		case <-late:
			t.Fatalf("no hint about %q", id)
		}
	}
}

// listening waits until a store's hints are those about single documents: one that was written before the
// store listens is covered by the hint about everything.
func listening(t testing.TB, writer store.Store, hints <-chan store.Change) {
	t.Helper()
	for late := time.Now().Add(time.Minute); time.Now().Before(late); {
		put(t, writer, "warm")
		soon := time.After(500 * time.Millisecond)
		for waiting := true; waiting; {
			select {
			case c := <-hints:
				if c.ID == "warm" {
					return
				}
			case <-soon:
				waiting = false
			}
		}
	}
	t.Fatal("no hints about single documents")
}

func put(t testing.TB, s store.Store, id string) {
	t.Helper()
	if _, err := s.Put(t.Context(), store.Costs, store.Doc{ID: id, Body: []byte("1")}, store.Any); err != nil {
		t.Fatal(err)
	}
}

// logged is a logger and what it has logged.
func logged() (*slog.Logger, func() string) {
	var mu sync.Mutex
	var all bytes.Buffer
	return slog.New(slog.NewTextHandler(writer(func(p []byte) {
			mu.Lock()
			defer mu.Unlock()
			all.Write(p)
		}), nil)), func() string {
			mu.Lock()
			defer mu.Unlock()
			return all.String()
		}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }
