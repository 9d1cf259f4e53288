package postgres_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/postgres"
	"gcli2api/store/storetest"
	"gcli2api/store/storetest/servers"
)

// engine gives each test a schema of its own on one server.
func engine(s *servers.PostgresServer, more string) storetest.Engine {
	var n atomic.Int64
	return storetest.Engine{Nodes: true, Fresh: func(testing.TB) storetest.Open {
		prefix := fmt.Sprint("t", n.Add(1))
		return func(t testing.TB, _ func() time.Time) store.Store {
			return open(t, postgres.Options{Address: s.Address() + more, Prefix: prefix, Connections: 20})
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

func TestStore(t *testing.T) { storetest.Run(t, engine(servers.Postgres(t), "")) }

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, engine(servers.Postgres(b, "fsync", "on"), os.Getenv("MORE")))
}
