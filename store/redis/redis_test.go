package redis_test

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
	"gcli2api/store/redis"
	"gcli2api/store/storetest"
	"gcli2api/store/storetest/servers"
)

// engine is a server, on which each test has a prefix of its own.
func engine(s *servers.RedisServer) storetest.Engine {
	next := new(atomic.Int64)
	return storetest.Engine{Nodes: true, Fresh: func(testing.TB) storetest.Open {
		o := redis.Options{Address: s.Address(), Prefix: fmt.Sprint("t", next.Add(1))}
		return func(t testing.TB, _ func() time.Time) store.Store { return open(t, o) }
	}}
}

func open(t testing.TB, o redis.Options) *redis.DB {
	t.Helper()
	db, err := redis.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestStore(t *testing.T) { storetest.Run(t, engine(servers.Redis(t))) }

func TestMain(m *testing.M) {
	storetest.Child(openAt)
	os.Exit(m.Run())
}

// openAt opens "ADDRESS PREFIX".
func openAt(ctx context.Context, place string) (store.Store, error) {
	address, prefix, _ := strings.Cut(place, " ")
	return redis.Open(ctx, redis.Options{Address: address, Prefix: prefix})
}

func TestProcesses(t *testing.T) {
	s, n := servers.Redis(t), 0
	fresh := func() string { n++; return fmt.Sprint(s.Address(), " p", n) }
	storetest.Processes(t, fresh, openAt)
}

// BenchmarkStore has the embedded engine beside it.
func BenchmarkStore(b *testing.B) {
	e := engine(servers.Redis(b, "appendonly", "yes"))
	e.Trips = func(s store.Store) func() int64 { return s.(*redis.DB).Count().Load }
	storetest.Bench(b, e, storetest.Engine{Fresh: func(t testing.TB) storetest.Open {
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
