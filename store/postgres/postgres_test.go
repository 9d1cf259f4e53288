package postgres_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/postgres"
	"gcli2api/store/storetest"
	"gcli2api/store/storetest/servers"
)

// engine gives each test a schema of its own on one server.
func engine(s *servers.PostgresServer) storetest.Engine {
	var n atomic.Int64
	return storetest.Engine{Nodes: true, Fresh: func(testing.TB) storetest.Open {
		prefix := fmt.Sprint("t", n.Add(1))
		return func(t testing.TB, _ func() time.Time) store.Store {
			return open(t, postgres.Options{Address: s.Address(), Prefix: prefix, Connections: 20})
		}
	}}
}

func open(t testing.TB, o postgres.Options) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestStore(t *testing.T) { storetest.Run(t, engine(servers.Postgres(t))) }

func TestMain(m *testing.M) {
	storetest.Child(openAt)
	os.Exit(m.Run())
}

// openAt opens "PREFIX ADDRESS".
func openAt(ctx context.Context, place string) (store.Store, error) {
	prefix, address, _ := strings.Cut(place, " ")
	return postgres.Open(ctx, postgres.Options{Address: address, Prefix: prefix, Connections: 20})
}

func TestProcesses(t *testing.T) {
	s, n := servers.Postgres(t), 0
	fresh := func() string { n++; return fmt.Sprintf("p%d %s", n, s.Address()) }
	storetest.Processes(t, fresh, openAt)
}

// BenchmarkStore has the embedded engine beside it. Both have their writes on the disk.
func BenchmarkStore(b *testing.B) {
	var trips atomic.Int64
	s, n := servers.Postgres(b, "fsync", "on"), 0
	counting := storetest.Engine{Fresh: func(testing.TB) storetest.Open {
		n++
		o := postgres.Options{Address: s.Address(), Prefix: fmt.Sprint("b", n), Connections: 20}
		return func(t testing.TB, _ func() time.Time) store.Store {
			db, err := postgres.OpenCounting(t.Context(), o, &trips)
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
	}, Trips: func(store.Store) func() int64 { return trips.Load }}
	storetest.Bench(b, counting, storetest.Engine{Fresh: func(t testing.TB) storetest.Open {
		path := filepath.Join(t.TempDir(), "db")
		return func(t testing.TB, _ func() time.Time) store.Store {
			db, err := embedded.Open(embedded.Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
	}})
}
