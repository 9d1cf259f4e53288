package apikey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/models"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/seal"
	"gcli2api/store/storetest"
)

const (
	oldAlice  = "sk-AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJKKK"
	oldSpent  = "sk-bbbbccccddddeeeeffffgggghhhhiiiijjjjkkkkLLL"
	oldChosen = "a-key-of-my-own-choice"
)

// oldHouse is a credentials folder of the old product, and a store.
type oldHouse struct {
	t     *testing.T
	dir   string
	store store.Store
	said  *bytes.Buffer
}

func newOldHouse(t *testing.T, files ...string) *oldHouse {
	t.Helper()
	h := &oldHouse{t: t, dir: t.TempDir(), said: &bytes.Buffer{}}
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		h.write(name, string(data))
	}
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h.store = db
	return h
}

func (h *oldHouse) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *oldHouse) options() Options {
	return Options{Store: h.store, Old: h.dir, Log: slog.New(slog.NewTextHandler(h.said, nil))}
}

// open is a start of the gateway; what it said is that of this start alone.
func (h *oldHouse) open() *Book {
	h.t.Helper()
	h.said.Reset()
	book, err := Open(context.Background(), h.options())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = book.Close() })
	if strings.Contains(h.said.String(), "CCCCDDDD") || strings.Contains(h.said.String(), oldChosen) || strings.Contains(h.said.String(), "sk-short") {
		h.t.Errorf("a key stands in the log: %s", h.said)
	}
	return book
}

// used is what a key has used by the counter of the store.
func (h *oldHouse) used(b *Book, secret string) int64 {
	h.t.Helper()
	one, ok := b.Keys.Find(secret)
	if !ok {
		h.t.Fatalf("%s is not known", Mask(secret))
	}
	all, err := h.store.Counters(context.Background(), mainCounter(one.ID, span{}))
	if err != nil {
		h.t.Fatal(err)
	}
	return all[mainCounter(one.ID, span{})]
}

func TestOldKeys(t *testing.T) {
	h := newOldHouse(t, oldKeysFile)
	before, _ := os.ReadFile(filepath.Join(h.dir, oldKeysFile))
	b := h.open()
	if n := len(b.Keys.List()); n != 3 {
		t.Fatalf("%d keys\n%s", n, h.said)
	}
	one, _ := b.Keys.Find(oldAlice)
	if one.Quota != 1000 || one.Description != "Alice 爱丽丝" || !one.Created.Equal(time.Unix(1764576000, 0)) || one.Mask != "sk-AAAABB...KKK" || h.used(b, oldAlice) != 20 {
		t.Errorf("%+v, used %d", one, h.used(b, oldAlice))
	}
	if h.used(b, oldSpent) != 80 || h.used(b, oldChosen) != 0 {
		t.Errorf("used %d and %d", h.used(b, oldSpent), h.used(b, oldChosen))
	}
	for _, says := range []string{"taken=3", "line 21, ***: a key needs 16 characters or more", "line 25, sk-ccccdd...MMM: total_quota: must be a whole number from 1 to",
		"line 29, sk-ddddee...NNN: used_quota is missing", "line 32, sk-eeeeff...OOO: it stands there again in line 36", "level=WARN"} {
		if !strings.Contains(h.said.String(), says) {
			t.Errorf("it does not say %q: %s", says, h.said)
		}
	}
	if after, _ := os.ReadFile(filepath.Join(h.dir, oldKeysFile)); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

// What became of a key here counts, whatever the file says at the next start.
func TestOldKeysComeOnce(t *testing.T) {
	ctx := context.Background()
	h := newOldHouse(t, oldKeysFile)
	b := h.open()
	alice, _ := b.Keys.Find(oldAlice)
	spent, _ := b.Keys.Find(oldSpent)
	if err := b.Keys.Delete(ctx, spent.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Take(ctx, mainCounter(alice.ID, span{}), 5, 1000); err != nil {
		t.Fatal(err)
	}
	b = h.open()
	if h.said.Len() > 0 {
		t.Errorf("the same file again: %s", h.said)
	}
	text, _ := os.ReadFile(filepath.Join(h.dir, oldKeysFile))
	h.write(oldKeysFile, string(text)+"\n[\"another-key-of-my-own\"]\ntotal_quota = 9\nused_quota = 1\n")
	b = h.open()
	if _, ok := b.Keys.Find(oldSpent); ok {
		t.Error("a key that was deleted here is back")
	}
	if h.used(b, oldAlice) != 25 || h.used(b, "another-key-of-my-own") != 1 || !strings.Contains(h.said.String(), "taken=1 there_already=3") {
		t.Errorf("used %d: %s", h.used(b, oldAlice), h.said)
	}
}

// What the operator wants to see again is sealed, as of a new key.
func TestOldKeysAreSealed(t *testing.T) {
	h := newOldHouse(t, oldKeysFile)
	o := h.options()
	o.Settings, o.Ring = func() Settings { return Settings{Reveal: true, DefaultCost: 1} }, seal.New("a secret of the tests")
	b, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	one, _ := b.Keys.Find(oldAlice)
	if got, err := b.Keys.Reveal(one.ID); err != nil || got != oldAlice {
		t.Errorf("%s, %v", Mask(got), err)
	}
}

// At each write the store fails, before it or after it; then the gateway is started again.
func TestOldKeysThroughCrashes(t *testing.T) {
	for _, late := range []bool{false, true} {
		for _, call := range []string{"Put", "Take"} {
			for nth := 1; ; nth++ {
				h := newOldHouse(t, oldKeysFile, oldCostsFile)
				flaky := &storetest.Flaky{Store: h.store}
				dies := &dying{Flaky: flaky, call: call, left: nth, late: late}
				o := h.options()
				o.Store = dies
				if b, err := Open(context.Background(), o); err == nil {
					_ = b.Close()
					if nth < 3 {
						t.Fatalf("%s: only %d calls", call, nth-1)
					}
					break
				}
				b := h.open()
				if len(b.Keys.List()) != 3 || h.used(b, oldAlice) != 20 || h.used(b, oldSpent) != 80 {
					t.Errorf("%s %d, late %v: %d keys, used %d and %d", call, nth, late, len(b.Keys.List()), h.used(b, oldAlice), h.used(b, oldSpent))
				}
				_ = b.Close()
			}
		}
	}
}

// dying is a store that the process loses at one call: that one and all writes behind it fail.
type dying struct {
	*storetest.Flaky
	call string
	left int
	late bool
}

func (d *dying) counts(call string) {
	if call != d.call {
		return
	}
	if d.left--; d.left == 0 {
		d.Break(storetest.Fault{Err: errors.New("gone"), Calls: []string{call}, Times: 1, Late: d.late})
		d.Break(storetest.Fault{Err: errors.New("gone")})
	}
}

func (d *dying) Put(ctx context.Context, t store.Table, doc store.Doc, when store.Rev) (store.Rev, error) {
	d.counts("Put")
	return d.Flaky.Put(ctx, t, doc, when)
}

func (d *dying) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	d.counts("Take")
	return d.Flaky.Take(ctx, counter, n, limit)
}

// Several nodes with the same folder start at the same time.
func TestOldKeysOnManyNodes(t *testing.T) {
	for range 5 {
		h := newOldHouse(t)
		var text strings.Builder
		for i := range 30 {
			fmt.Fprintf(&text, "[\"many-keys-abcdefgh-%d\"]\ntotal_quota = 100\nused_quota = %d\n", i, i)
		}
		h.write(oldKeysFile, text.String())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				o := h.options()
				o.Log = slog.New(slog.DiscardHandler)
				b, err := Open(context.Background(), o)
				if err != nil {
					t.Error(err)
					return
				}
				_ = b.Close()
			})
		}
		wg.Wait()
		b := h.open()
		if n := len(b.Keys.List()); n != 30 {
			t.Fatalf("%d keys", n)
		}
		for i := range 30 {
			if used := h.used(b, fmt.Sprintf("many-keys-abcdefgh-%d", i)); used != int64(i) {
				t.Errorf("key %d has used %d", i, used)
			}
		}
	}
}

func TestOldFilesThatAreBroken(t *testing.T) {
	good := "[\"" + oldAlice + "\"]\ntotal_quota = 5\nused_quota = 1\n"
	for _, c := range []struct {
		name, text string
		keys       int
		says       string
	}{
		{"nothing", "", 0, ""},
		{"no TOML", "{\"sk-secret-secret-secret\": 1}", 0, "line 1, ***: line 1 is not TOML"},
		{"torn in a value", good + "[\"" + oldSpent + "\"]\ntotal_quota = 5\nused_quo", 1, "line 4, sk-bbbbcc...LLL: line 6 is not TOML"},
		{"torn between lines", good + "[\"" + oldSpent + "\"]\ntotal_quota = 5\n", 1, "used_quota is missing"},
		{"fraction", good + "[\"" + oldSpent + "\"]\ntotal_quota = 5.5\nused_quota = 0\n", 1, "total_quota is no whole number"},
		{"whole float", "[\"" + oldSpent + "\"]\ntotal_quota = 5.0\nused_quota = 0\n", 1, ""},
		{"text", "[\"" + oldSpent + "\"]\ntotal_quota = \"5\"\nused_quota = 0\n", 0, "total_quota is no whole number"},
		{"negative", "[\"" + oldSpent + "\"]\ntotal_quota = 5\nused_quota = -1\n", 0, "used_quota is negative"},
		{"no table", "\"" + oldSpent + "\" = 5\n" + good, 1, "it is no table"},
		{"inline", "\"" + oldSpent + "\" = {total_quota = 5, used_quota = 5}\n", 1, ""},
		{"list", "[[\"" + oldSpent + "\"]]\ntotal_quota = 5\n", 0, "it is no table"},
		{"spaces", "[\"sk-with spaces in the middle of it\"]\ntotal_quota = 5\nused_quota = 0\n", 0, "visible characters"},
		{"guessable", "[\"aaaaaaaaaaaaaaaaaaaaaaa\"]\ntotal_quota = 5\nused_quota = 0\n", 0, "different characters"},
		{"endless", "[\"sk-" + strings.Repeat("abcdefgh", 100) + "\"]\ntotal_quota = 5\nused_quota = 0\n", 0, "up to 200 characters"},
		{"byte order mark and CRLF", "\ufeff" + strings.ReplaceAll(good, "\n", "\r\n"), 1, ""},
	} {
		h := newOldHouse(t)
		h.write(oldKeysFile, c.text)
		b := h.open()
		if n := len(b.Keys.List()); n != c.keys {
			t.Errorf("%s: %d keys: %s", c.name, n, h.said)
		}
		if c.says == "" && strings.Contains(h.said.String(), "WARN") || !strings.Contains(h.said.String(), c.says) || strings.Contains(h.said.String(), "secret-secret") {
			t.Errorf("%s: %s", c.name, h.said)
		}
	}
}

func TestOldFileThatCannotBeRead(t *testing.T) {
	h := newOldHouse(t)
	if err := os.Mkdir(filepath.Join(h.dir, oldKeysFile), 0o700); err != nil {
		t.Fatal(err)
	}
	h.open()
	if !strings.Contains(h.said.String(), "API keys of the old product are not taken over") {
		t.Error(h.said)
	}
}

func TestOldCosts(t *testing.T) {
	ctx := context.Background()
	h := newOldHouse(t, oldCostsFile)
	costs := store.Docs[Cost]{Store: h.store, Table: store.Costs}
	if _, err := costs.Put(ctx, "set-here", Cost{Units: 3}, store.New); err != nil {
		t.Fatal(err)
	}
	b := h.open()
	price := func(name string) int64 {
		grammar, err := models.New(models.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		return b.Costs.Price(grammar.Parse(name))
	}
	for name, units := range map[string]int64{"gemini-2.5-pro": 8, "流式抗截断/gemini-2.5-pro": 20, "假流式/gemini-2.5-pro": 8, "gemini-2.5-pro-search": 8,
		"gemini-2.5-flash": 2, "gemini-3-pro-preview": 15, "my-free-model": 0, "set-here": 3, "dear": 7} {
		if got := price(name); got != units {
			t.Errorf("%s costs %d, not %d", name, got, units)
		}
	}
	var own []string
	for _, row := range b.Costs.List() {
		if row.Own {
			own = append(own, row.Name)
		}
	}
	if len(own) != 6 { // gemini-2.5-pro in three forms, my-free-model, dear, and the one set here
		t.Errorf("set: %q", own)
	}
	for _, says := range []string{"taken=5", "there_already=1", `\"bad\": cost: must be`, `\"worse\": worse is no whole number`} {
		if !strings.Contains(h.said.String(), says) {
			t.Errorf("it does not say %q: %s", says, h.said)
		}
	}

	// What is deleted here does not come back, with the file as it was and with another line in it.
	if err := b.Costs.Reset(ctx, models.Model{Base: "gemini-2.5-pro"}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(h.dir, oldCostsFile))
	for _, more := range []string{"", "\"new-one\" = 4\n"} {
		h.write(oldCostsFile, string(text)+more)
		b = h.open()
		if price("gemini-2.5-pro") != 10 || more != "" && price("new-one") != 4 {
			t.Errorf("with %q: %d, %d", more, price("gemini-2.5-pro"), price("new-one"))
		}
	}
}

// The old product's own table changes nothing here.
func TestOldCostsThatAreBuiltIn(t *testing.T) {
	h := newOldHouse(t)
	h.write(oldCostsFile, "port = 7861\n[model_costs]\n\"gemini-2.5-pro\" = 10\n\"流式抗截断/gemini-2.5-pro\" = 20\n\"假流式/gemini-2.5-flash\" = 2\n")
	if b := h.open(); slices.ContainsFunc(b.Costs.List(), func(r CostRow) bool { return r.Own }) || h.said.Len() > 0 {
		t.Errorf("%+v %s", b.Costs.List(), h.said)
	}
}

// FuzzOldTables reads whatever stands in a file of the old product.
func FuzzOldTables(f *testing.F) {
	for _, name := range []string{oldKeysFile, oldCostsFile} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a = {b = 1}\n[a.c]\nd = 1\n[[e]]\n[e.f]\n[\"\"]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		names := []string{}
		for _, one := range oldTables(data) {
			names = append(names, one.name)
			if key, used, err := one.key(time.Now()); err == nil && (key.Quota <= 0 || used < 0 || len(one.name) < minOldKey || key.Created.IsZero()) {
				t.Errorf("%q became %+v", one.name, key)
			}
		}
		slices.Sort(names)
		if len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("a name twice: %q", names)
		}
	})
}

// A key of which the mask shows nothing is named by what else tells it apart.
func TestOldKeyThatIsRefusedIsNamed(t *testing.T) {
	o := newOldHouse(t).options()
	o.Now, o.Settings = time.Now, func() Settings { return Settings{} }
	keys, _, err := TakeOver(t.Context(), o, OldKeys{Dry: true, Keys: map[string][]byte{
		"aaaa-short": []byte(`{"description": "Bob's\tlaptop", "total_quota": 1}`),
		"bbbb-short": []byte(`{"total_quota": 1}`),
		"cccc-short": []byte(`{"description": "key cccc-short", "total_quota": 1}`),
		"dddd-short": []byte(`7`),
	}})
	said := strings.Join(keys.Left, "\n")
	for _, want := range []string{`*** ("Bob's laptop"): a key needs 16`, "*** (number 2 of the keys, in the order of their names): a key needs 16", "*** (number 3 of", "*** (number 4 of the keys, in the order of their names): it is no object"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	if err != nil || len(keys.Left) != 4 || strings.Contains(said, "short") {
		t.Errorf("%v\n%s", err, said)
	}
}
