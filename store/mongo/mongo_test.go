package mongo_test

import (
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/mongo"
	"gcli2api/store/storetest"
	"gcli2api/store/storetest/servers"
)

func at(s *servers.MongoServer, database string) mongo.Options {
	return mongo.Options{Address: s.Address(), Database: database, Prefix: "gcli2api"}
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
		name := s.Name()
		return func(t testing.TB, _ func() time.Time) store.Store { return opened(t, at(s, name)) }
	}}
}

func TestStore(t *testing.T) { storetest.Run(t, engine(servers.Mongo(t))) }

func BenchmarkStore(b *testing.B) { storetest.Bench(b, engine(servers.Mongo(b))) }
