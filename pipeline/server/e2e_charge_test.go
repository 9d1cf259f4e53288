package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
)

// inStore opens the store of a gateway that does not run. That it opens at all, and every key in it can be
// read, is a part of what is shown.
func inStore(t testing.TB, dir string, do func(ctx context.Context, b *apikey.Book)) {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(dir, "creds", ".gcli2api.db"), LockWait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var torn loud
	b, err := apikey.Open(t.Context(), apikey.Options{Store: db, Log: slog.New(&torn)})
	if err != nil {
		t.Fatal(err)
	}
	walk(t, db)
	do(t.Context(), b)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if said := torn.text.String(); said != "" {
		t.Errorf("the store says: %s", said)
	}
}

// walk reads every document and every counter.
func walk(t testing.TB, db store.Store) {
	t.Helper()
	for _, table := range []store.Table{store.CredentialStates, store.Keys, store.Costs, store.Settings, store.Short, store.Panel, store.Imports} {
		for after := ""; ; {
			page, err := db.List(t.Context(), table, after, 100)
			if err != nil {
				t.Fatalf("%s: %v", table, err)
			}
			for _, d := range page {
				if after = d.ID; !json.Valid(d.Body) {
					t.Errorf("%s: a document is torn", table)
				}
			}
			if len(page) < 100 {
				break
			}
		}
	}
	if _, err := db.Counters(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
}

// loud keeps warnings and errors.
type loud struct {
	mu   sync.Mutex
	text strings.Builder
}

func (*loud) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (l *loud) WithAttrs([]slog.Attr) slog.Handler         { return l }
func (l *loud) WithGroup(string) slog.Handler              { return l }

func (l *loud) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(r.Message + "\n")
	return nil
}

// keyHolder is a key and what its owner knows.
type keyHolder struct{ id, secret string }

// as puts the key in the place of the password.
func (k keyHolder) as() func(*http.Request) { return header("Authorization", "Bearer "+k.secret) }

// withKeys prepares the folder of a gateway that is not started yet, with a key for each of the terms.
func withKeys(t testing.TB, l launch, terms ...apikey.Terms) (launch, []keyHolder) {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir()}
	g.credentials(l)
	l.dir = g.dir
	var all []keyHolder
	inStore(t, l.dir, func(ctx context.Context, b *apikey.Book) {
		for _, one := range terms {
			key, secret, err := b.Keys.Create(ctx, one)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, keyHolder{key.ID, secret})
		}
	})
	return l, all
}

// used reads what keys have used from the folder of a gateway that does not run any more.
func used(t testing.TB, dir string, keys ...keyHolder) (units []int64) {
	t.Helper()
	inStore(t, dir, func(ctx context.Context, b *apikey.Book) {
		for _, k := range keys {
			one, ok := b.Keys.ByID(k.id)
			if found, known := b.Keys.Find(k.secret); !ok || !known || found.ID != one.ID {
				t.Fatal("a key is gone")
			}
			has, err := b.Ledger.Balance(ctx, one)
			if err != nil {
				t.Fatal(err)
			}
			units = append(units, has.Used)
		}
	})
	return units
}

// stopped ends the gateway, which may have ended already, and gives what its keys have used.
func (g *gateway) stopped(keys ...keyHolder) []int64 {
	g.t.Helper()
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	if g.exits() != 0 {
		g.t.Errorf("exit code %d: %s", g.code, tail(g.stderr.String()))
	}
	for name, text := range map[string]string{"the log": g.stdout.String() + g.stderr.String(), "its file": g.logged()} {
		for _, k := range keys {
			if strings.Contains(text, k.secret) {
				g.t.Errorf("%s shows a key", name)
			}
		}
	}
	return used(g.t, g.dir, keys...)
}

func (g *gateway) logged() string {
	b, _ := os.ReadFile(filepath.Join(g.dir, "gateway.log"))
	return string(b)
}
