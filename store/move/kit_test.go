package move

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/open"
)

// address is a fresh, empty place of an engine.
type address func(t testing.TB) string

func folder(t testing.TB) string { return "file:" + filepath.Join(t.TempDir(), "creds") }

// parsed reads the address as the command line does.
func parsed(t testing.TB, text string) open.Place {
	t.Helper()
	p, err := (&command{c: settings(t)}).place(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func settings(t testing.TB, environ ...string) *config.Snapshot {
	t.Helper()
	c, err := config.Load(config.Options{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// with opens a place for a moment.
func with(t testing.TB, text string, fn func(s *Side)) {
	t.Helper()
	s, err := openTarget(context.Background(), parsed(t, text), false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	fn(s)
}

// later is an expiry that no test lives to see, to the millisecond.
var later = time.UnixMilli(time.Now().Add(3 * time.Hour).UnixMilli())

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// enough counters are several parts, and fewer where FerretDB takes some: it needs half a second for each hundred.
func enough(places ...string) int {
	for _, p := range places {
		if strings.HasPrefix(p, "mongodb") {
			return 40
		}
	}
	return 600
}

// meet leaves out the pairs of MongoDB with Redis and Postgres, ten seconds each on FerretDB: a side knows
// nothing of the other one, and each is one with the file and with MongoDB.
func meet(a, b string) bool {
	slow, other := a == "MongoDB" || b == "MongoDB", a == "file" || b == "file" || a == b
	return !slow || other
}

// target is the slowest that an engine meets.
func target(from string) string {
	if meet(from, "MongoDB") {
		return "mongodb"
	}
	return from
}

// fill puts something of everything into a place.
func fill(t testing.TB, text string, counters int) {
	t.Helper()
	ctx := context.Background()
	with(t, text, func(s *Side) {
		for _, table := range store.Tables() {
			for id, body := range map[string]string{
				"plain": `{"a":1}`, "with space": ` [1, 2,  3] `, "lines": "{\n  \"a\": \"b\"\r\n}\n", "null": "null", "é中文/%2F": `"<&> \u2028"`, "~": "1e400",
			} {
				if table == store.Credentials {
					id, body = strings.Map(func(r rune) rune {
						if r == '/' {
							return '-'
						}
						return r
					}, id)+".json", `{"refresh_token":`+`"secret of `+id+`"}`
				}
				d := store.Doc{ID: id, Body: []byte(body)}
				if id == "plain" {
					d.Expires = later
				}
				ok(t, s.put(ctx, table, d))
			}
		}
		big := `"` + strings.Repeat("x", 1<<20) + `"`
		for i := range 5 { // more than one page of the archive and of a store
			ok(t, s.put(ctx, store.Requests, store.Doc{ID: fmt.Sprint("big", i), Body: []byte(big)}))
		}
		var deltas []store.Delta
		for i := range counters {
			deltas = append(deltas, store.Delta{Counter: fmt.Sprintf("use/2026-11-%02d/key/%d", i%30, i), N: int64(i + 1)})
		}
		ok(t, s.Store.Add(ctx, append(deltas, store.Delta{Counter: "most", N: math.MaxInt64}, store.Delta{Counter: "key/é/used", N: 7})))
	})
}

// content is all that is in a place, as text.
func content(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	ctx := context.Background()
	with(t, text, func(s *Side) {
		for _, table := range store.Tables() {
			all := &cursor[store.Doc]{read: s.documents(table), id: func(d *store.Doc) string { return d.ID }}
			for {
				d, err := all.head(ctx)
				ok(t, err)
				if d == nil {
					break
				}
				expires := int64(0)
				if !d.Expires.IsZero() {
					expires = d.Expires.UnixMilli()
				}
				fmt.Fprintf(&b, "%s %q %d %q\n", table, d.ID, expires, d.Body[:min(len(d.Body), 200)])
				all.pop()
			}
		}
		all := &cursor[store.Delta]{read: s.counters(), id: func(d *store.Delta) string { return d.Counter }}
		for {
			d, err := all.head(ctx)
			ok(t, err)
			if d == nil {
				break
			}
			fmt.Fprintf(&b, "%q %d\n", d.Counter, d.N)
			all.pop()
		}
	})
	return b.String()
}

// same compares two places.
func same(t testing.TB, from, to string) {
	t.Helper()
	a, b := strings.Split(content(t, from), "\n"), strings.Split(content(t, to), "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Fatalf("%d lines here, %d there; they differ at %d: %.200q, %.200q", len(a), len(b), i, a[min(i, len(a)-1)], b[min(i, len(b)-1)])
		}
	}
	if len(a) < 20 {
		t.Fatalf("only %d lines were compared", len(a))
	}
}

// does makes a command and returns what it said.
func does(t testing.TB, in config.Invocation, environ ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := settings(t, environ...)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	ok(t, err)
	defer null.Close()
	load := func(panel map[string]any) (*config.Snapshot, error) {
		return config.Load(config.Options{Environ: environ}.With(panel))
	}
	d := &command{load: load, in: in, c: c, out: &out, secret: c.String("keys.secret_key"), shown: newProgress(null), silence: heardEvery}
	err = d.run(t.Context())
	return out.String(), err
}

// says checks that an error names something.
func says(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("%v, want something with %q", err, want)
	}
}

// snapshotOf is every file of a folder with its bytes.
func snapshotOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	ok(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		all[path] = string(data)
		return err
	}))
	return all
}
