package move

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/open"
	"gcli2api/store/storetest/servers"
)

func migrate(from, to string) config.Invocation {
	return config.Invocation{Command: "migrate", From: from, To: to}
}

// Everything goes from every engine to every other one, and no byte of the source changes.
func TestMigrateAnyPair(t *testing.T) {
	all := engines(t)
	for a, from := range all {
		for b, to := range all {
			if !meet(a, b) {
				continue
			}
			t.Run(a+" to "+b, func(t *testing.T) {
				source, target := from(t), to(t)
				if a == b && source == target {
					t.Skip("one database of this engine is all there is")
				}
				fill(t, source, enough(source, target))
				before := content(t, source)
				_, err := does(t, migrate(source, target))
				ok(t, err)
				same(t, source, target)
				if content(t, source) != before {
					t.Error("the source has changed")
				}
				empties(t, source, target)
			})
		}
	}
}

// empties leaves nothing behind in places that other tests use as well.
func empties(t *testing.T, places ...string) {
	for _, p := range places {
		_, err := does(t, config.Invocation{Command: "migrate", From: emptyFolder(t), To: p, Force: true})
		ok(t, err)
	}
}

func emptyFolder(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "empty")
	ok(t, os.Mkdir(dir, 0o700))
	return "file:" + dir
}

func TestMigrateChangesNoByteOfAFolder(t *testing.T) {
	source := folder(t)
	fill(t, source, 100)
	dir := strings.TrimPrefix(source, "file:")
	ok(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o600))
	before := snapshotOf(t, dir)
	_, err := does(t, migrate(source, folder(t)))
	ok(t, err)
	if after := snapshotOf(t, dir); !reflect.DeepEqual(before, after) {
		t.Error("files of the source have changed")
	}
	// A folder without a store gets none.
	bare := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(bare, "ann.json"), []byte(`{"a":1}`), 0o600))
	target := folder(t)
	_, err = does(t, migrate("file:"+bare, target))
	ok(t, err)
	if files := snapshotOf(t, bare); len(files) != 1 {
		t.Errorf("%d files in the source now", len(files))
	}
	if got := content(t, target); got != "cred \"ann.json\" 0 \"{\\\"a\\\":1}\"\n" {
		t.Errorf("the target has %q", got)
	}
}

func TestMigrateDryRun(t *testing.T) {
	source, target := folder(t), folder(t)
	fill(t, source, 10)
	in := migrate(source, target)
	in.DryRun = true
	said, err := does(t, in)
	ok(t, err)
	if !strings.Contains(said, "counters") || !strings.Contains(said, "12") || !strings.Contains(said, "nothing was written") {
		t.Errorf("it says %q", said)
	}
	if _, err := os.Stat(strings.TrimPrefix(target, "file:")); err == nil {
		t.Error("the target was made")
	}
	fill(t, target, 3)
	before := content(t, target)
	if _, err = does(t, in); err == nil || !strings.Contains(err.Error(), "would be refused") {
		t.Errorf("a target with data: %v", err)
	}
	if content(t, target) != before {
		t.Error("a dry run has changed the target")
	}
}

func TestMigrateRefuses(t *testing.T) {
	source, target, other := folder(t), folder(t), folder(t)
	fill(t, source, 5)
	fill(t, other, 5)
	for _, tt := range []struct {
		name string
		in   config.Invocation
		says string
	}{
		{"nothing said", config.Invocation{Command: "migrate"}, "say -to PLACE"},
		{"the same place", migrate(source, source), "both ends"},
		{"the same place by another name", migrate(source, "file:"+filepath.Join(strings.TrimPrefix(source, "file:"), "..", "creds")), "both ends"},
		{"no such source", migrate("file:"+filepath.Join(t.TempDir(), "gone"), target), "there is no folder"},
		{"no such kind", migrate(source, "ftp://x"), "no place for data"},
		{"a target with data", migrate(source, other), "is not empty"},
	} {
		_, err := does(t, tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
	with(t, source, func(*Side) {
		_, err := does(t, migrate(source, target))
		says(t, err, "a gateway runs on")
	})
	with(t, target, func(*Side) {
		_, err := does(t, migrate(source, target))
		says(t, err, "another gcli2api holds the folder")
	})
}

// A target with other data becomes the source, to the last counter, and credential files are set aside.
func TestMigrateForce(t *testing.T) {
	source, target := folder(t), folder(t)
	fill(t, source, 700)
	fill(t, target, 20)
	dir := strings.TrimPrefix(target, "file:")
	ok(t, os.WriteFile(filepath.Join(dir, "bob.json"), []byte(`{"bob":1}`), 0o600))
	ok(t, os.WriteFile(filepath.Join(dir, "plain.json"), []byte(`{"other":1}`), 0o600))
	with(t, target, func(s *Side) {
		ok(t, s.put(context.Background(), store.Keys, store.Doc{ID: "only here", Body: []byte("1")}))
		ok(t, s.Store.Add(context.Background(), []store.Delta{{Counter: "zz/only here", N: 5}, {Counter: "use/2026-11-00/key/0", N: 50}}))
	})
	in := migrate(source, target)
	in.Force = true
	_, err := does(t, in)
	ok(t, err)
	same(t, source, target)
	aside := map[string]bool{}
	for path := range snapshotOf(t, dir) {
		if strings.HasPrefix(filepath.Base(filepath.Dir(path)), ".replaced-") {
			aside[filepath.Base(path)] = true
		}
	}
	if !aside["bob.json"] || !aside["plain.json"] || len(aside) != 2 {
		t.Errorf("set aside are %v", aside)
	}
}

// A gateway that crashed is in the list for long. It is silent, and holds nobody up.
func TestMigrateAfterCrash(t *testing.T) {
	source, target := folder(t), folder(t)
	fill(t, source, 5)
	with(t, source, func(s *Side) {
		ok(t, s.put(context.Background(), store.Nodes, store.Doc{ID: "gate-7", Body: []byte("{}"), Expires: later}))
	})
	said, err := does(t, migrate(source, target))
	ok(t, err)
	if !strings.Contains(said, "1 gateways in its list") {
		t.Error(said)
	}
	same(t, source, target)
}

// What one engine cannot take is named, and the rest is there.
func TestMigrateNamesWhatItCannotMove(t *testing.T) {
	source, target := folder(t), folder(t)
	fill(t, source, 5)
	with(t, source, func(s *Side) {
		ok(t, s.put(context.Background(), store.Keys, store.Doc{ID: "fine", Body: []byte("1")}))
	})
	dir := strings.TrimPrefix(source, "file:")
	ok(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "broken.json")))
	said, err := does(t, migrate(source, target))
	if !errors.Is(err, errDiffers) || !strings.Contains(said, "broken.json") {
		t.Errorf("%v, %s", err, said)
	}
	if got := content(t, target); !strings.Contains(got, `key "fine"`) || !strings.Contains(got, "most") {
		t.Error("the rest is not there")
	}
}

// A gateway does not serve half of the data, and the move goes on from there.
func TestMigrateHalf(t *testing.T) {
	source, target := folder(t), folder(t)
	fill(t, source, 50)
	with(t, target, func(s *Side) {
		ok(t, (&open.Mark{From: idOf(parsed(t, source)), Name: "the old place", Begun: time.Now()}).Save(context.Background(), s.Store))
		ok(t, s.put(context.Background(), store.Keys, store.Doc{ID: "plain", Body: []byte("0")}))
		ok(t, s.Store.Add(context.Background(), []store.Delta{{Counter: "key/é/used", N: 6}}))
	})
	c := settings(t, "CREDENTIALS_DIR="+strings.TrimPrefix(target, "file:"))
	_, err := open.Store(context.Background(), c, nil)
	says(t, err, "half of what a move from the old place")
	other := folder(t)
	fill(t, other, 1)
	_, err = does(t, migrate(other, target))
	says(t, err, "half of what a move from the old place")
	said, err := does(t, migrate(source, target))
	ok(t, err)
	if !strings.Contains(said, "going on with a move") {
		t.Errorf("it says %q", said)
	}
	same(t, source, target)
	s, err := open.Store(context.Background(), c, nil)
	ok(t, err)
	ok(t, s.Close())
}

// TestOrder: an engine that sorts by another order than that of bytes is noticed, not followed.
func TestOrder(t *testing.T) {
	lists := [][]store.Doc{{{ID: "b"}, {ID: "a"}}}
	c := &cursor[store.Doc]{id: func(d *store.Doc) string { return d.ID }, read: func(context.Context, string) ([]store.Doc, error) { return lists[0], nil }}
	_, err := c.head(t.Context())
	says(t, err, `"a" does not come behind "b"`)
}

func TestIDOfHasNoPassword(t *testing.T) {
	for _, pair := range [][2]string{
		{"redis://u:one@h:1/0", "redis://u:two@h:1/0"}, {"host=h password=one dbname=d", "host=h password=two dbname=d"},
		{"host=h password='o n\\'e' dbname=d", "host=h password='t w\\'o' dbname=d"},
	} {
		if a, b := idOf(parsed(t, pair[0])), idOf(parsed(t, pair[1])); a != b {
			t.Errorf("%q: the password is in the id", pair[0])
		}
	}
	if a, b := idOf(parsed(t, "redis://h:1/0")), idOf(parsed(t, "redis://h:1/1")); a == b {
		t.Error("two databases are one")
	}
}

// Credential files that are no one JSON value, and deleted ones, go to a database and back as what they were.
func TestCredentialFiles(t *testing.T) {
	redis := servers.Redis(t)
	source, back := folder(t), folder(t)
	dir := strings.TrimPrefix(source, "file:")
	files := map[string]string{
		"ann.json": "{\n  \"a\": 1\n}", "many.jsonl": "{\"a\":1}\n{\"a\":2}", "creds.toml": "[one]\nrefresh_token = \"x\"", ".quarantine/bob.json": `{"file":"bob.json"}`,
	}
	ok(t, os.MkdirAll(filepath.Join(dir, ".quarantine"), 0o700))
	for name, text := range files {
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	_, err := does(t, migrate(source, redis.Address()))
	ok(t, err)
	with(t, redis.Address(), func(s *Side) {
		doc, err := s.Store.Get(t.Context(), store.Credentials, "many.jsonl")
		ok(t, err)
		if string(doc.Body) != `"{\"a\":1}\n{\"a\":2}"` {
			t.Errorf("it lies there as %s", doc.Body)
		}
		ok(t, s.put(t.Context(), store.Credentials, store.Doc{ID: poolChanges, Body: []byte("[]")}))
	})
	archive := filepath.Join(t.TempDir(), "archive")
	_, err = does(t, backup(redis.Address(), archive))
	ok(t, err)
	_, err = does(t, migrate(redis.Address(), back))
	ok(t, err)
	restored := folder(t)
	_, err = does(t, restore(archive, restored))
	ok(t, err)
	for _, place := range []string{back, restored} {
		dir := strings.TrimPrefix(place, "file:")
		for name, text := range files {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || string(data) != text {
				t.Errorf("%s is %q, %v", name, data, err)
			}
		}
		if n := len(snapshotOf(t, dir)); n != len(files)+1 { // and the store
			t.Errorf("%d files are there", n)
		}
	}
}
