package postgres_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"gcli2api/store"
	"gcli2api/store/postgres"
	"gcli2api/store/storetest/servers"
)

// TestDiskFull: the tables lie on a disk that gets full. One line names it, what is there is served, and
// with room again everything goes on.
func TestDiskFull(t *testing.T) {
	s := servers.Postgres(t)
	dir := filepath.Join(s.Dir, "tiny")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	owner, err := os.Stat(filepath.Join(s.Dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	mine := fmt.Sprintf(",mode=700,uid=%d", owner.Sys().(*syscall.Stat_t).Uid)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"+mine); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("no mounts for this user")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	sql(t, s.Address(), fmt.Sprintf("CREATE TABLESPACE tiny LOCATION '%s'", dir), "ALTER ROLE postgres SET default_tablespace = tiny")
	db := open(t, postgres.Options{Address: s.Address()})
	put(t, db, "first")
	n := 0
	for ; err == nil && n < 100; n++ {
		body := []byte{'"'}
		for range 4000 { // it packs what repeats
			body = strconv.AppendUint(body, rand.Uint64(), 36)
		}
		_, err = db.Put(t.Context(), store.Costs, store.Doc{ID: fmt.Sprint(n), Body: append(body, '"')}, store.New)
	}
	wants(t, err, false, fmt.Sprintf(`write cost "%d"`, n-1), "the disk of the Postgres server is full")
	if d, err := db.Get(t.Context(), store.Costs, "first"); err != nil || string(d.Body) != "1" {
		t.Error("the rest is not served:", d, err)
	}
	if _, err := db.Get(t.Context(), store.Costs, fmt.Sprint(n-1)); !errors.Is(err, store.ErrNotFound) {
		t.Error("half of it is there:", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=20m"+mine); err != nil {
		t.Fatal(err)
	}
	put(t, db, "with room")
}
