package embedded_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

func open(t testing.TB, path string) *embedded.DB {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: path, LockWait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// oneLine checks what stops a start: an error of one line, with all of that in it.
func oneLine(err error, parts ...string) error {
	if err == nil {
		return errors.New("it went well")
	}
	for _, part := range append(parts, "") {
		if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, part) {
			return fmt.Errorf("%q is not one line with %q", text, part)
		}
	}
	return nil
}

// sound makes a file with trees of several levels, pages that reach over others and free pages, and
// gives what is in it. Its last two transactions touch only a document that is not given: a broken
// meta takes one of them back, as after a crash.
func sound(t *testing.T, path string) map[string]string {
	t.Helper()
	db, ctx := open(t, path), context.Background()
	put := func(id, body string) {
		if _, err := db.Put(ctx, "t", store.Doc{ID: id, Body: []byte(body), Expires: time.Now().Add(time.Hour)}, store.Any); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		put(fmt.Sprint("doc/", i), fmt.Sprintf(`"%s"`, strings.Repeat(fmt.Sprint(i, " "), i)))
		if err := db.Add(ctx, []store.Delta{{Counter: fmt.Sprint("n/", i), N: int64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 300; i += 3 {
		if err := db.Delete(ctx, "t", fmt.Sprint("doc/", i), store.Any); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		put("last", fmt.Sprint(i))
	}
	have, err := content(db)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return have
}

// used is a file without the pages at its end that were never in use.
func used(t *testing.T, path string) []byte {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	data, err := os.ReadFile(path)
	if err == nil {
		err = db.View(func(tx *bbolt.Tx) error {
			data = data[:tx.Size()]
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func content(db store.Store) (map[string]string, error) {
	have := map[string]string{}
	docs, err := db.List(context.Background(), "t", "", 1000)
	for _, d := range docs {
		if d.ID != "last" {
			have[d.ID] = fmt.Sprint(d.Rev, d.Expires.UnixMilli(), string(d.Body))
		}
	}
	sums, err2 := db.Counters(context.Background(), "")
	for name, n := range sums {
		have["counter "+name] = fmt.Sprint(n)
	}
	return have, errors.Join(err, err2)
}

func TestDamaged(t *testing.T) {
	first := filepath.Join(t.TempDir(), "db")
	sound(t, first)
	good := used(t, first)
	page := os.Getpagesize()
	noise := make([]byte, len(good))
	for i, rng := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(rng.Uint32())
	}
	with := func(change func(b []byte)) []byte {
		b := bytes.Clone(good)
		change(b)
		return b
	}
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"half":               {good[:len(good)/2], "cut off"},
		"a page too few":     {good[:len(good)-page], "cut off"},
		"a byte too few":     {good[:len(good)-1], "cut off"},
		"five pages":         {good[:5*page], "cut off"},
		"two pages":          {good[:2*page], "cut off"},
		"one page":           {good[:page], "damaged"},
		"half a page":        {good[:page/2], "damaged"},
		"some bytes":         {good[:100], "damaged"},
		"one byte":           {good[:1], "damaged"},
		"noise":              {noise, "damaged"},
		"zeros":              {make([]byte, len(good)), "damaged"},
		"a text":             {[]byte("this is no store\n"), "damaged"},
		"no metas":           {with(func(b []byte) { clear(b[:2*page]) }), "damaged"},
		"both metas flipped": {with(func(b []byte) { b[40] ^= 1; b[page+40] ^= 1 }), "damaged"},
		"zeros behind metas": {with(func(b []byte) { clear(b[2*page:]) }), "damaged"},
		"noise behind metas": {with(func(b []byte) { copy(b[2*page:], noise) }), "damaged"},
		"pages moved":        {with(func(b []byte) { copy(b[4*page:], good[2*page:]) }), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "creds", "db")
			refuses(t, path, c.data, "nothing was changed", c.says)
		})
	}
}

// refuses checks that a file is not opened and stays as it is.
func refuses(t *testing.T, path string, data []byte, says ...string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Open(embedded.Options{Path: path})
	if err := oneLine(err, append(says, path)...); err != nil {
		t.Error(err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, data) {
		t.Errorf("the file was changed, %v", err)
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Errorf("something else lies there: %v %v", list, err)
	}
}

// TestFlipped: a flipped bit is either noticed at the start, or nobody can see it.
func TestFlipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	want := sound(t, path)
	good := used(t, path)
	flips := 600
	if testing.Short() {
		flips = 100
	}
	rng, noticed := rand.New(rand.NewPCG(3, uint64(time.Now().UnixNano()))), 0
	for range flips {
		at, bit := rng.IntN(len(good)), byte(1)<<rng.IntN(8)
		if rng.IntN(3) == 0 { // the heads of pages, where it hurts
			at = at/os.Getpagesize()*os.Getpagesize() + rng.IntN(96)
		}
		data := bytes.Clone(good)
		data[at] ^= bit
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := embedded.Open(embedded.Options{Path: path})
		if err != nil {
			noticed++
			if now, _ := os.ReadFile(path); !bytes.Equal(now, data) {
				t.Fatalf("byte %d, bit %x: the file was changed", at, bit)
			}
			if err := oneLine(err, path, "damaged", "nothing was changed"); err != nil {
				t.Fatalf("byte %d, bit %x: %v", at, bit, err)
			}
			continue
		}
		have, err := content(db)
		_, err2 := db.Put(context.Background(), "t", store.Doc{ID: "last", Body: []byte("2")}, store.Any)
		if err := errors.Join(err, err2, db.Close(), leaks(check(path))); err != nil || !maps.Equal(have, want) {
			t.Fatalf("byte %d, bit %x: opened, and something is wrong: %v", at, bit, err)
		}
	}
	t.Logf("%d of %d flips were noticed, the others changed nothing that is in use", noticed, flips)
	if noticed < flips/10 {
		t.Error("too few were noticed to show anything")
	}
}

// TestOtherKeyInParent: the key of a page in its parent is the first one of that page. With a lower
// one every key is found all the same, and the next write would leave the page twice in the tree.
func TestOtherKeyInParent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	sound(t, path)
	keys := branchKeys(t, path)
	good := used(t, path)
	if len(keys) < 5 {
		t.Fatalf("only %d keys in branches", len(keys))
	}
	for _, last := range keys {
		for _, by := range []byte{1, 255} {
			data := bytes.Clone(good)
			data[last] -= by
			refuses(t, filepath.Join(t.TempDir(), "creds", "db"), data, "damaged", "nothing was changed")
		}
	}
}

// branchKeys is where the last byte of each key in a branch is, in pages that are in use.
func branchKeys(t *testing.T, path string) (at []int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		for id := 0; id < len(data)/os.Getpagesize(); id++ {
			info, err := tx.Page(id)
			if err != nil || info == nil {
				return err
			}
			if info.Type != "branch" {
				continue
			}
			for i := range info.Count {
				entry := id*os.Getpagesize() + 16 + 16*i
				at = append(at, entry+int(binary.NativeEndian.Uint32(data[entry:]))+int(binary.NativeEndian.Uint32(data[entry+4:]))-1)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// leaks lets pages through that nobody uses any more: that is how a flip in the list of free pages
// may end, and it costs nothing but room.
func leaks(err error) error {
	if joined, is := err.(interface{ Unwrap() []error }); is {
		for _, err := range joined.Unwrap() {
			if err := leaks(err); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil && strings.Contains(err.Error(), "unreachable unfreed") {
		return nil
	}
	return err
}

func TestForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "creds", "db")
	foreign := func(name string, fill func(*bbolt.Tx) error) []byte {
		file := filepath.Join(t.TempDir(), name)
		db, err := bbolt.Open(file, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(fill), db.Close()); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	refuses(t, path, foreign("other", func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("theirs"))
		if err != nil {
			return err
		}
		_, err = b.CreateBucket([]byte("deeper"))
		return errors.Join(err, b.Put([]byte("a"), []byte("b")))
	}), "another program", "nothing was changed")

	refuses(t, path, foreign("newer", func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte(embedded.Info))
		if err != nil {
			return err
		}
		_, err = b.CreateBucket([]byte("something new"))
		return errors.Join(err, b.Put([]byte(embedded.KeyFormat), embedded.SealNumber(embedded.KeyFormat, embedded.Format+1)))
	}), "newer", fmt.Sprint("format ", embedded.Format+1), fmt.Sprint("up to ", embedded.Format), "nothing was changed")
}

// TestEmptyFile: an empty file is a new store, and so is one whose maker died over it.
func TestEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, os.Getpagesize(), 2 * os.Getpagesize(), 3 * os.Getpagesize(), len(made)} {
		if err := os.WriteFile(path, made[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		db := open(t, path)
		if _, err := db.Put(context.Background(), "t", store.Doc{ID: "a", Body: []byte("1")}, store.New); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := check(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{dir: "folder", filepath.Join(file, "db"): "is a file", filepath.Join(file, "sub", "db"): "is a file", os.DevNull: "device"} {
		_, err := embedded.Open(embedded.Options{Path: path})
		if err := oneLine(err, path, says); err != nil {
			t.Error(err)
		}
	}
}

// TestCutOffWhileOpen: a gateway survives that its file goes away under it.
func TestCutOffWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	sound(t, path)
	db := open(t, path)
	if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	_, err := content(db)
	_, err2 := db.Put(context.Background(), "t", store.Doc{ID: "a", Body: []byte("1")}, store.Any)
	_, err3 := db.Put(context.Background(), "t", store.Doc{ID: "a", Body: []byte("1")}, store.Any)
	for _, err := range []error{errors.Unwrap(err), err2, err3} {
		if err != nil && !strings.Contains(err.Error(), "damaged") {
			t.Error(err)
		}
	}
	if err == nil || err2 == nil || err3 == nil {
		t.Errorf("no error: %v %v %v", err, err2, err3)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestFlippedWhileOpen: a value that goes bad is not given to anybody.
func TestFlippedWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, ctx := open(t, path), context.Background()
	defer db.Close()
	for _, id := range []string{"a", "b"} {
		if _, err := db.Put(ctx, "t", store.Doc{ID: id, Body: []byte(`"body of ` + id + `"`)}, store.New); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; ; at++ { // also in the pages that are no longer in use
		i := bytes.Index(data[at:], []byte("body of a"))
		if i < 0 {
			break
		}
		at += i
		data[at] = 'B'
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if d, err := db.Get(ctx, "t", "a"); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("%s %v", d.Body, err)
	}
	if _, err := db.Get(ctx, "t", "b"); err != nil {
		t.Error(err)
	}
	if err := db.Delete(ctx, "t", "a", store.Any); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("delete: %v", err)
	}
}
