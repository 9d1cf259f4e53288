package mongo_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"gcli2api/store"
	"gcli2api/store/mongo"
	"gcli2api/store/storetest/servers"
)

func updates(command, _ string) bool { return command == "update" }

// dying is a node whose way to the server can be cut.
func dying(t *testing.T, s *servers.MongoServer, database string) (*mongo.DB, *wire) {
	w := wired(t, s)
	return opened(t, mongo.Options{Address: w.address(), Database: database, Prefix: "gcli2api", Timeout: 300 * time.Millisecond}), w
}

func sums(t *testing.T, db *mongo.DB) map[string]int64 {
	t.Helper()
	all, err := db.Counters(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func batchOf(n int64) []store.Delta {
	return []store.Delta{{Counter: "a", N: n}, {Counter: "b", N: -n}, {Counter: "c", N: 2 * n}}
}

// TestCrashInBatch: wherever a node dies while it applies a batch, another one finishes it, and a call under
// the same id changes nothing any more.
func TestCrashInBatch(t *testing.T) {
	s := servers.Mongo(t)
	for last := 1; last <= 5; last++ {
		t.Run(fmt.Sprint("after message ", last), func(t *testing.T) {
			name := s.Name()
			well := opened(t, at(s, name))
			if err := well.Add(t.Context(), []store.Delta{{Counter: "a", N: 10}, {Counter: "b", N: 10}}); err != nil {
				t.Fatal(err)
			}
			ill, w := dying(t, s, name)
			w.after(last, updates)
			err := ill.AddOnce(t.Context(), "id", batchOf(3))
			if last <= 4 && err == nil {
				t.Fatalf("the way was not cut after message %d", last)
			}
			if last > 4 && err != nil {
				t.Fatalf("a batch has more messages than are cut here: %v", err)
			}
			if err := well.AddOnce(t.Context(), "id", batchOf(3)); err != nil {
				t.Fatal(err)
			}
			if got, want := fmt.Sprint(sums(t, well)), fmt.Sprint(map[string]int64{"a": 13, "b": 7, "c": 6}); got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		})
	}
}

// TestCrashHelpedByAll: many nodes that finish one batch at a time apply it once, next to what they want
// themselves.
func TestCrashHelpedByAll(t *testing.T) {
	s := servers.Mongo(t)
	name := s.Name()
	var nodes []*mongo.DB
	for range 6 {
		nodes = append(nodes, opened(t, at(s, name)))
	}
	const rounds = 5
	for round := range rounds {
		ill, w := dying(t, s, name)
		w.after(1, updates)
		if err := ill.Add(t.Context(), batchOf(100)); err == nil {
			t.Fatal("the way was not cut")
		}
		var wg sync.WaitGroup
		for i, node := range nodes {
			wg.Go(func() {
				for n := range 3 {
					if err := node.AddOnce(t.Context(), fmt.Sprint(round, "/", i, "/", n), batchOf(1)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	want := int64(rounds * (100 + 6*3))
	if got := sums(t, nodes[0]); got["a"] != want || got["c"] != 2*want || got["b"] != 0 {
		t.Fatalf("%v, want %d", got, want)
	}
}

// TestCrashFoundByLooking: an open ledger that nobody stumbles over is closed all the same.
func TestCrashFoundByLooking(t *testing.T) {
	s := servers.Mongo(t)
	name := s.Name()
	well := opened(t, at(s, name))
	ill, w := dying(t, s, name)
	w.after(1, updates)
	if err := ill.Add(t.Context(), batchOf(3)); err == nil {
		t.Fatal("the way was not cut")
	}
	until(t, func() bool { all := sums(t, well); return all["a"] == 3 && all["c"] == 6 })
}

// TestCrashBeforeHint: a document was written and its writer died before it could tell. The others hear of
// it, and the revision moves.
func TestCrashBeforeHint(t *testing.T) {
	s := servers.Mongo(t)
	name := s.Name()
	well := opened(t, at(s, name))
	hints, err := well.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ill, w := dying(t, s, name)
	if _, err := ill.Put(t.Context(), store.Keys, store.Doc{ID: "first", Body: []byte("1")}, store.New); err != nil {
		t.Fatal(err)
	}
	before, err := well.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.after(1, func(command, collection string) bool {
		return command == "findAndModify" && strings.HasSuffix(collection, "_docs")
	})
	if _, err := ill.Put(t.Context(), store.Keys, store.Doc{ID: "k", Body: []byte("1")}, store.New); err == nil {
		t.Fatal("the way was not cut")
	}
	if d, err := well.Get(t.Context(), store.Keys, "k"); err != nil || d.Rev != 1 {
		t.Fatal(d, err)
	}
	until(t, func() bool {
		select {
		case c := <-hints:
			return c == store.Change{Table: store.Keys, ID: "k"}
		default:
			return false
		}
	})
	if now, err := well.Revision(t.Context()); err != nil || now <= before {
		t.Fatalf("the revision went from %d to %d, %v", before, now, err)
	}
}

// TestSettledByRevision: who has told of one write settles that one. A later write of the same document that
// nobody has told of yet still owes a hint, should its writer die.
func TestSettledByRevision(t *testing.T) {
	s := servers.Mongo(t)
	name := s.Name()
	db := opened(t, at(s, name))
	if _, err := db.Put(t.Context(), store.Keys, store.Doc{ID: "k", Body: []byte("1")}, store.New); err != nil {
		t.Fatal(err)
	}
	docs := raw(t, s, name).Collection("gcli2api_docs")
	owes := func() int64 {
		n, err := docs.CountDocuments(t.Context(), bson.M{"owed": bson.M{"$exists": true}})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	until(t, func() bool { return owes() == 0 })
	// The next write, whose writer has died: its date is far ahead, so that nobody else settles it.
	if _, err := docs.UpdateMany(t.Context(), bson.M{}, bson.M{"$set": bson.M{"owed": time.Now().Add(time.Hour)}, "$inc": bson.M{"rev": int64(1)}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Settle(t.Context(), store.Keys, "k", 1); err != nil || owes() != 1 {
		t.Errorf("the second write owes nothing after the first was settled: %v", err)
	}
	if err := db.Settle(t.Context(), store.Keys, "k", 2); err != nil || owes() != 0 {
		t.Errorf("the second write still owes: %v", err)
	}
}

// until waits for what has to come.
func until(t *testing.T, there func() bool) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !there(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("it has not come")
		}
	}
}

// TestPutBack: the database is put back as it was some time ago. Whoever was connected goes on hearing of
// changes.
func TestPutBack(t *testing.T) {
	s := servers.Mongo(t)
	name := s.Name()
	one, other := opened(t, at(s, name)), opened(t, at(s, name))
	hints, err := one.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write := func(id string) {
		t.Helper()
		if _, err := other.Put(t.Context(), store.Keys, store.Doc{ID: id, Body: []byte("1")}, store.Any); err != nil {
			t.Fatal(err)
		}
	}
	told := func(id string, orAll bool) func() bool {
		return func() bool {
			select {
			case c := <-hints:
				return c == store.Change{Table: store.Keys, ID: id} || orAll && c == store.Change{}
			default:
				return false
			}
		}
	}
	write("first")
	until(t, told("first", true))
	for range 20 {
		write("before")
	}
	write("last")
	until(t, told("last", false))
	did, err := raw(t, s, name).Collection("gcli2api_meta").UpdateOne(t.Context(), bson.M{"_id": "version"}, bson.M{"$set": bson.M{"n": int64(3)}})
	if err != nil || did.ModifiedCount != 1 {
		t.Fatal(did, err)
	}
	write("after")
	until(t, told("after", true))
}
