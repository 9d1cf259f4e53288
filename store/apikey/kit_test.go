package apikey

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

// sole is a store that nobody else writes to, and whose calls fail on command.
type sole struct{ *storetest.Flaky }

func (sole) Alone() bool { return true }

// newStore opens one; as it is it counts as shared.
func newStore(t testing.TB) *storetest.Flaky {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &storetest.Flaky{Store: db}
}

// opened is a book on a store, as one process of several has it.
func opened(t testing.TB, s store.Store, change ...func(*Options)) *Book {
	t.Helper()
	o := Options{Store: s, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func (k *Keys) mustCreate(t testing.TB, terms Terms) (*Key, string) {
	t.Helper()
	if terms.Quota == 0 {
		terms.Quota = 1000
	}
	one, secret, err := k.Create(t.Context(), terms)
	if err != nil {
		t.Fatal(err)
	}
	return one, secret
}

// field is the field that an error blames, "-" when it is none of that kind.
func field(err error) string {
	var f *FieldError
	if !errors.As(err, &f) {
		return "-"
	}
	return f.Field
}

// soon waits for what another node does. It does so within a second, see TestNodesLookTwiceASecond; how long a
// machine with other work takes for it says nothing.
func soon(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came: %s", what)
		}
	}
}

// log keeps what is logged.
type log struct{ strings.Builder }

func (l *log) into(o *Options) { o.Log = slog.New(slog.NewTextHandler(l, nil)) }
