package mongo_test

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"gcli2api/store"
	"gcli2api/store/storetest/servers"
)

// TestSweep: what has run out goes, and what somebody may still need stays.
func TestSweep(t *testing.T) {
	s := servers.Mongo(t)
	o := at(s, s.Name())
	db, there := opened(t, o), raw(t, s, o.Database)
	now := time.Now()
	for collection, docs := range map[string][]any{
		"gcli2api_docs": {
			bson.M{"_id": "t\tlong gone", "rev": int64(1), "body": "1", "expires": now.Add(-2 * time.Hour)},
			bson.M{"_id": "t\tjust gone", "rev": int64(1), "body": "1", "expires": now.Add(-time.Minute)},
			bson.M{"_id": "t\talive", "rev": int64(1), "body": "1", "expires": now.Add(time.Hour)},
			bson.M{"_id": "t\tfor ever", "rev": int64(1), "body": "1"},
			bson.M{"_id": "t\towes", "rev": int64(1), "body": "1", "expires": now.Add(-2 * time.Hour), "owed": now.Add(time.Hour)},
		},
		"gcli2api_once":   {bson.M{"_id": "old", "at": now.Add(-store.OnceFor - 2*time.Hour)}, bson.M{"_id": "young", "at": now.Add(-store.OnceFor)}},
		"gcli2api_leases": {bson.M{"_id": "old", "owner": "a", "until": now.Add(-2 * time.Hour)}, bson.M{"_id": "held", "owner": "a", "until": now.Add(time.Hour)}},
		"gcli2api_counters": {
			bson.M{"_id": "zero", "n": int64(0)}, bson.M{"_id": "old batch", "n": int64(0), "batch": int64(5)},
			bson.M{"_id": "new batch", "n": int64(0), "batch": int64(6)}, bson.M{"_id": "used", "n": int64(1), "batch": int64(1)},
		},
	} {
		did, err := there.Collection(collection).InsertMany(t.Context(), docs)
		fine(t, did, err)
	}
	fine(t, nil, db.Sweep(t.Context())) // notes where the ledger is
	did, err := there.Collection("gcli2api_meta").UpdateOne(t.Context(), bson.M{"_id": "sweep"}, bson.M{"$set": bson.M{"at": now.Add(-25 * time.Hour), "next": int64(5)}})
	fine(t, did, err)
	fine(t, nil, db.Sweep(t.Context()))
	for collection, want := range map[string]int64{"docs": 4, "once": 1, "leases": 1, "counters": 2} {
		n, err := there.Collection("gcli2api_"+collection).CountDocuments(t.Context(), bson.M{})
		fine(t, n, err)
		if n != want {
			t.Errorf("%s: %d, want %d", collection, n, want)
		}
	}
	for _, id := range []string{"long gone", "just gone"} {
		if n, err := there.Collection("gcli2api_docs").CountDocuments(t.Context(), bson.M{"_id": "t\t" + id}); err != nil || fmt.Sprint(n == 1) != fmt.Sprint(id == "just gone") {
			t.Errorf("%s: %d %v", id, n, err)
		}
	}
}
