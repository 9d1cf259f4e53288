package postgres_test

import (
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/postgres"
	"gcli2api/store/storetest"
	"gcli2api/store/storetest/servers"
)

// TestLostAnswers: a call that was made and whose answer got lost is not made again, and the ids of batches
// are remembered for as long as was promised.
func TestLostAnswers(t *testing.T) {
	s := servers.Postgres(t)
	p, address := behind(t, s)
	db := open(t, postgres.Options{Address: address})
	storetest.LostAnswers(t, db, p)

	if err := db.AddOnce(t.Context(), "batch", []store.Delta{{Counter: "n", N: 1}}); err != nil {
		t.Fatal(err)
	}
	left := ask[int64](t, s.Address(), "SELECT until - gcli2api.ms() FROM gcli2api.batches WHERE id = 'batch'")
	if least := store.OnceFor - time.Minute; left < least.Milliseconds() || left > store.OnceFor.Milliseconds() {
		t.Errorf("a batch is forgotten in %d ms", left)
	}
}
