package embedded_test

import (
	"path/filepath"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

func engine() storetest.Engine {
	return storetest.Engine{Clock: true, Fresh: func(t testing.TB) storetest.Open {
		path := filepath.Join(t.TempDir(), "creds", ".gcli2api.db")
		return func(t testing.TB, now func() time.Time) store.Store {
			db, err := embedded.Open(embedded.Options{Path: path, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
	}}
}

func TestStore(t *testing.T) { storetest.Run(t, engine()) }

func BenchmarkStore(b *testing.B) { storetest.Bench(b, engine()) }
