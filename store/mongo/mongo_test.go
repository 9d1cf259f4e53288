package mongo_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/mongo"
	"gcli2api/store/storetest"
	"gcli2api/store/storetest/servers"
)

func at(s *servers.MongoServer, database string) mongo.Options {
	return mongo.Options{Address: s.Address(), Database: database, Prefix: "gcli2api", Timeout: time.Minute}
}

func opened(t testing.TB, o mongo.Options) *mongo.DB {
	t.Helper()
	db, err := mongo.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func engine(s *servers.MongoServer) storetest.Engine {
	return storetest.Engine{Nodes: true, Fresh: func(t testing.TB) storetest.Open {
		o := at(s, s.Name())
		if _, measured := t.(*testing.B); measured {
			o.Timeout = time.Minute // 64 callers with 100 counters each wait long behind FerretDB's door
		}
		return func(t testing.TB, _ func() time.Time) store.Store { return opened(t, o) }
	}}
}

func TestStore(t *testing.T) { storetest.Run(t, engine(servers.Mongo(t))) }

func TestMain(m *testing.M) {
	storetest.Child(openAt)
	os.Exit(m.Run())
}

// openAt opens "ADDRESS DATABASE".
func openAt(ctx context.Context, place string) (store.Store, error) {
	address, database, _ := strings.Cut(place, " ")
	return mongo.Open(ctx, mongo.Options{Address: address, Database: database, Prefix: "gcli2api"})
}

// TestProcesses is exact to the unit on any server here, but only a real one is a proof: before FerretDB there
// is a door that lets one request through at a time.
func TestProcesses(t *testing.T) {
	s := servers.Mongo(t)
	if !s.Real {
		t.Log("the logic alone: concurrency is unproven without a mongod")
	}
	storetest.Processes(t, func() string { return s.Address() + " " + s.Name() }, openAt)
}

// BenchmarkStore has the embedded engine beside it. On FerretDB it measures round trips, not MongoDB.
func BenchmarkStore(b *testing.B) {
	e := engine(servers.Mongo(b))
	e.Trips = func(s store.Store) func() int64 { return s.(*mongo.DB).Count().Load }
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
