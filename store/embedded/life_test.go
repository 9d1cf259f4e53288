package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

// TestHeld: one process at a time. A lock of another handle is what another process looks like.
func TestHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "creds", "db")
	first := open(t, path)
	_, err := embedded.Open(embedded.Options{Path: path, LockWait: time.Millisecond})
	if err := oneLine(err, "another gcli2api", "the folder "+filepath.Dir(path)+" "); err != nil {
		t.Error(err)
	}
	if _, err := first.Put(context.Background(), "t", store.Doc{ID: "a", Body: []byte("1")}, store.New); err != nil {
		t.Error(err)
	}
	var second *embedded.DB
	opened := make(chan error)
	go func() { // a restart: the next one waits for the one before
		var err error
		second, err = embedded.Open(embedded.Options{Path: path, LockWait: time.Minute})
		opened <- err
	}()
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has none
	}
	path := filepath.Join(t.TempDir(), "a", "creds", "db")
	for range 2 {
		db := open(t, path)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700 | os.ModeDir} {
			if info, err := os.Stat(p); err != nil || info.Mode() != want {
				t.Errorf("%s: %v %v", p, info.Mode(), err)
			}
		}
		if err := os.Chmod(path, 0o644); err != nil { // the next one takes it back
			t.Fatal(err)
		}
	}
}

// TestSweep: what has expired leaves the file, and nothing else does. Time stands still in its bubble,
// so that the store does not sweep by itself meanwhile, however long the disk takes.
func TestSweep(t *testing.T) { synctest.Test(t, sweeps) }

func sweeps(t *testing.T) {
	path, now, ctx := filepath.Join(t.TempDir(), "db"), time.UnixMilli(1_700_000_000_000), context.Background()
	db, err := embedded.Open(embedded.Options{Path: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	put := func(id string, expires time.Time) {
		t.Helper()
		if _, err := db.Put(ctx, "t", store.Doc{ID: id, Body: []byte("1"), Expires: expires}, store.Any); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 600 { // more than one sweep
		put(fmt.Sprint("short/", i), now.Add(time.Minute))
	}
	put("long", now.Add(time.Hour))
	put("ever", time.Time{})
	put("saved", now.Add(time.Minute))
	put("saved", time.Time{})
	db.Sweep()
	rev, err := db.Revision(ctx)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	for range 3 {
		db.Sweep()
	}
	if after, err := db.Revision(ctx); err != nil || after != rev {
		t.Errorf("sweeping moved the revision from %d to %d, %v", rev, after, err)
	}
	if docs, err := db.List(ctx, "t", "", 1000); err != nil || len(docs) != 3 {
		t.Errorf("%v %v", docs, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	keys := map[string]int{}
	raw, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	err = raw.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			keys[string(name)] = b.Stats().KeyN - 1 // the guard
			return nil
		})
	})
	if err != nil || keys["doc"] != 3 || keys["due"] != 1 {
		t.Errorf("in the file: %v %v", keys, err)
	}
}

// TestSweepLarge: writers do not wait until everything large is gone.
func TestSweepLarge(t *testing.T) { synctest.Test(t, sweepsLarge) }

func sweepsLarge(t *testing.T) {
	path, now, ctx := filepath.Join(t.TempDir(), "db"), time.UnixMilli(1_700_000_000_000), context.Background()
	db, err := embedded.Open(embedded.Options{Path: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	body := []byte(`"` + strings.Repeat("x", store.MaxBody-2) + `"`)
	for i := range 6 {
		if _, err := db.Put(ctx, "t", store.Doc{ID: fmt.Sprint(i), Body: body, Expires: now.Add(time.Minute)}, store.New); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Minute)
	for _, want := range []struct {
		pause time.Duration
		left  int
	}{{embedded.SweepMore, 2}, {embedded.SweepRest, 0}, {embedded.SweepRest, 0}} {
		if got := db.Sweep(); got != want.pause {
			t.Errorf("it comes back in %v, want %v", got, want.pause)
		}
		now = now.Add(-time.Minute) // what is still in the file shows again
		if docs, err := db.List(ctx, "t", "", 10); err != nil || len(docs) != want.left {
			t.Errorf("%d documents left, want %d: %v", len(docs), want.left, err)
		}
		now = now.Add(time.Minute)
	}
}

// TestLeaves: Close waits for all goroutines, also for those of a Watch that nobody has ended.
func TestLeaves(t *testing.T) {
	before := runtime.NumGoroutine()
	path := filepath.Join(t.TempDir(), "db")
	db := open(t, path)
	for range 100 {
		if _, err := db.Watch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() { // those on their last step still count
		if time.Now().After(late) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// TestLeasesEnd: the leases of a process that is gone are free.
func TestLeasesEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	for _, owner := range []string{"first", "second"} {
		db := open(t, path)
		if mine, err := db.Claim(context.Background(), "lease", owner, time.Hour); err != nil || !mine {
			t.Errorf("%s: %v %v", owner, mine, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkOpen is what a start waits for, with the states of a hundred credentials and some days of
// statistics in the file.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "db")
	db, ctx := open(b, path), context.Background()
	body := []byte(`"` + strings.Repeat("x", 2000) + `"`)
	var errs []error
	for i := range 100 {
		_, err := db.Put(ctx, store.CredentialStates, store.Doc{ID: fmt.Sprint("cred-", i, ".json"), Body: body}, store.New)
		var use []store.Delta
		for day := range 30 {
			use = append(use, store.Delta{Counter: fmt.Sprintf("use/2026-01-%02d/cred/cred-%d.json/gemini-2.5-pro/in", day, i), N: 1})
		}
		errs = append(errs, err, db.Add(ctx, use))
	}
	if err := errors.Join(append(errs, db.Close())...); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := open(b, path).Close(); err != nil {
			b.Fatal(err)
		}
	}
}
