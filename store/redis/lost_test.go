package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"gcli2api/store"
	"gcli2api/store/redis"
	"gcli2api/store/storetest"
	"gcli2api/store/storetest/faults"
	"gcli2api/store/storetest/servers"
)

// TestLostAnswers: a call that was made and whose answer got lost is not made again.
func TestLostAnswers(t *testing.T) {
	s := servers.Redis(t)
	p := faults.Start(t, fmt.Sprintf("127.0.0.1:%d", s.Port))
	storetest.LostAnswers(t, use(t, redis.Options{Address: "redis://" + p.Addr()}), p)
}

// TestBatchesAreRemembered: the server forgets the id of a batch no sooner than was promised.
func TestBatchesAreRemembered(t *testing.T) {
	s := servers.Redis(t)
	db, c := use(t, redis.Options{Address: s.Address()}), admin(t, s)
	ok(t, db.AddOnce(t.Context(), "batch", []store.Delta{{Counter: "n", N: 1}}))
	left, err := c.PTTL(t.Context(), "{gcli2api}:once:batch").Result()
	if ok(t, err); left < store.OnceFor-time.Minute || left > store.OnceFor {
		t.Errorf("it is forgotten in %v", left)
	}
}

// TestSweepOfWhatWasWrittenSince: between the two steps of a sweep a document that had expired may have been
// written anew. It stays, and goes when its own time has come.
func TestSweepOfWhatWasWrittenSince(t *testing.T) {
	s := servers.Redis(t)
	db, c := use(t, redis.Options{Address: s.Address()}), admin(t, s)
	put(t, db, "forever")
	until := time.Now().Add(time.Hour)
	_, err := db.Put(t.Context(), table, store.Doc{ID: "longer", Body: []byte("1"), Expires: until}, store.New)
	ok(t, err)
	const due = "{gcli2api}:due"
	for _, id := range []string{"forever", "longer"} { // as the first step saw them
		ok(t, c.ZAdd(t.Context(), due, driver.Z{Score: 5, Member: string(table) + "\x00" + id}).Err())
	}
	_, err = db.Sweep(t.Context())
	ok(t, err)
	for _, id := range []string{"forever", "longer"} {
		if _, err := db.Get(t.Context(), table, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	left, err := c.ZRangeWithScores(t.Context(), due, 0, -1).Result()
	if ok(t, err); len(left) != 1 || left[0].Member != string(table)+"\x00longer" || int64(left[0].Score) != until.UnixMilli() {
		t.Errorf("due are %v", left)
	}
}

// TestLargeList: a list whose bodies are too many for one step has all of them, in order.
func TestLargeList(t *testing.T) {
	s := servers.Redis(t)
	db := use(t, redis.Options{Address: s.Address()})
	body := []byte(`"` + strings.Repeat("x", 2<<20) + `"`)
	const n = 7
	for i := range n {
		_, err := db.Put(t.Context(), table, store.Doc{ID: fmt.Sprint(i), Body: body}, store.New)
		ok(t, err)
	}
	docs, err := db.List(t.Context(), table, "", 100)
	if ok(t, err); len(docs) != n {
		t.Fatalf("%d documents of %d", len(docs), n)
	}
	for i, d := range docs {
		if d.ID != fmt.Sprint(i) || len(d.Body) != len(body) {
			t.Errorf("document %d is %q with %d bytes", i, d.ID, len(d.Body))
		}
	}
}

// TestFullFromTheBeginning: a server that takes no data is none to begin with.
func TestFullFromTheBeginning(t *testing.T) {
	s := servers.Redis(t)
	ok(t, admin(t, s).ConfigSet(t.Context(), "maxmemory", "1mb").Err())
	db, err := redis.Open(t.Context(), redis.Options{Address: s.Address(), Prefix: "fresh"})
	if err == nil {
		_ = db.Close()
	}
	says(t, err, "out of memory", false)
}
