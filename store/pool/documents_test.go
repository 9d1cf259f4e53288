package pool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/redis"
	"gcli2api/store/storetest"
	"gcli2api/store/storetest/servers"
)

// onEngines runs a test on stores that several nodes can share.
func onEngines(t *testing.T, test func(t *testing.T, s *storetest.Flaky)) {
	t.Run("embedded, as if it were not alone", func(t *testing.T) {
		t.Parallel()
		test(t, flakyStore(t, filepath.Join(t.TempDir(), "x.db")))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		db, err := redis.Open(t.Context(), redis.Options{Address: servers.Redis(t).Address(), Prefix: "t"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		test(t, &storetest.Flaky{Store: db})
	})
}

// onStore is a node whose credentials lie in the store.
func onStore(t testing.TB, s store.Store, change ...func(*Options)) node {
	t.Helper()
	return newNode(t, s, 0, append([]func(*Options){func(o *Options) { o.Store, o.Claims = s, s }}, change...)...)
}

func inFolder(dir string) func(*Options) { return func(o *Options) { o.Dir = dir } }

// stored are the credential files in the store, by name.
func stored(t testing.TB, s store.Store) map[string]string {
	t.Helper()
	docs, err := s.List(t.Context(), store.Credentials, "", 10000)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, d := range docs {
		if holdsCredentials(d.ID) {
			all[d.ID] = string(d.Body)
		}
	}
	return all
}

func namesIn(files map[string]string) string {
	var all []string
	for name := range files {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func fileOf(n int) string {
	return fmt.Sprintf(`{"refresh_token": "1//r%d", "project_id": "p-%d", "email": "u%d@example.com", "note": 1}`, n, n, n)
}

// What one node imports, deletes and brings back is so on the other one.
func TestDocumentsAreShared(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		a, b := onStore(t, s), onStore(t, s)
		in, err := a.Import(Offer{Name: "one.json", Data: []byte(fileOf(1))})
		if err != nil || in.File != "one.json" || strings.Join(in.IDs, " ") != "one.json" {
			t.Fatalf("%+v %v", in, err)
		}
		if got := stored(t, s)["one.json"]; got != fileOf(1) {
			t.Errorf("stored: %s", got)
		}
		until(t, "the other node has it", func() bool { return ids(b.Pool) == "one.json" })
		if got := status(t, b.Pool, "one.json"); !got.File || got.Source != "file one.json" || got.Email != "u1@example.com" {
			t.Errorf("%+v", got)
		}
		again, err := b.Import(Offer{Name: "other.json", Data: []byte(fileOf(1))})
		if err != nil || len(again.Kept) != 1 {
			t.Errorf("%+v %v", again, err)
		}
		anew, err := b.Import(Offer{Name: "x.json", Data: []byte(strings.Replace(fileOf(1), "1//r1", "1//newer", 1))})
		if err != nil || strings.Join(anew.Replaced, " ") != "one.json" {
			t.Errorf("%+v %v", anew, err)
		}
		until(t, "the new sign-in is known", func() bool {
			data, err := a.Export("one.json")
			return err == nil && strings.Contains(string(data), "1//newer")
		})
		if errs := b.Delete("one.json"); errs[0] != nil {
			t.Fatal(errs)
		}
		until(t, "it is gone", func() bool { return ids(a.Pool) == "" })
		if q := quarantined(a.Pool); len(q) != 1 || len(stored(t, s)) != 0 {
			t.Fatalf("%+v %v", q, stored(t, s))
		}
		if back := a.Restore("one.json"); back[0].Err != nil {
			t.Fatal(back)
		}
		until(t, "it is back", func() bool { return ids(b.Pool) == "one.json" })
		if len(quarantined(b.Pool)) != 0 {
			t.Error("it is in the quarantine as well")
		}
		b.Delete("one.json")
		if said, errs := a.Purge(t.Context(), "one.json"); errs[0] != nil || len(quarantined(b.Pool)) != 0 {
			t.Errorf("%v %v", said, errs)
		}
		if left, _ := os.ReadDir(a.dir); len(left) != 0 {
			t.Errorf("in the folder: %v", left)
		}
	})
}

// A folder beside a store is an inbox: each text comes in once, on all nodes together, and stays what the
// panel made of it until the file is changed.
func TestInbox(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		one, two := t.TempDir(), t.TempDir()
		several := "[" + fileOf(2) + ",\n" + fileOf(3) + "]"
		put(t, one, "a.json", fileOf(1))
		put(t, one, "several.json", several)
		put(t, one, "broken.json", `{"refresh_token": 1`)
		put(t, one, "lines.jsonl", fileOf(4)+"\n"+fileOf(5)+"\n")
		put(t, two, "b.json", fileOf(1)+"\n")
		put(t, two, "more.json", several)
		before := contents(t, one)
		log := &lines{}
		n1 := onStore(t, s, inFolder(one), func(o *Options) { o.Log = log.logger() })
		n2 := onStore(t, s, inFolder(two))
		const all = "a.json lines-2.jsonl lines.jsonl several.json"
		if got := namesIn(stored(t, s)); got != all {
			t.Fatalf("stored: %s", got)
		}
		if got := stored(t, s)["several.json"]; got != several {
			t.Errorf("stored: %s", got)
		}
		const creds = "a.json lines-2.jsonl lines.jsonl several.json several.json#2"
		if x, y := ids(n1.Pool), ids(n2.Pool); x != creds || y != creds {
			t.Errorf("%s, %s", x, y)
		}
		n1.Rescan()
		if log.count("broken.json") != 1 || n1.Broken()["broken.json"] == "" || log.count("file=a.json") != 1 {
			t.Errorf("broken: %v\n%s", n1.Broken(), log)
		}
		if contents(t, one) != before {
			t.Error("the folder was changed")
		}
		for _, errs := range [][]error{n1.Delete("a.json", "several.json#2"), n1.Delete("lines.jsonl")} {
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
		}
		put(t, two, "c.json", fileOf(4)) // as it stood among the lines
		n1.Rescan()
		n2.Rescan()
		n3 := onStore(t, s, inFolder(one))
		const left = "lines-2.jsonl several.json"
		for _, n := range []node{n1, n2, n3} {
			until(t, "what was deleted is gone", func() bool { return ids(n.Pool) == left })
		}
		// A changed file is news, of the same credential where it is one.
		put(t, one, "a.json", strings.Replace(fileOf(1), "1//r1", "1//again", 1))
		n1.Rescan()
		put(t, one, "a.json", `{"type": "gemini_api_key", "api_key": "AIza-one"}`)
		n1.Rescan()
		put(t, one, "a.json", `{"type": "gemini_api_key", "api_key": "AIza-two"}`)
		n1.Rescan()
		put(t, one, "several.json", strings.Replace("["+fileOf(2)+","+fileOf(3)+"]", "1//r2", "1//changed", 1))
		n1.Rescan()
		until(t, "the others have it", func() bool { return ids(n3.Pool) == "a.json "+left })
		got := stored(t, s)
		if !strings.Contains(got["a.json"], "AIza-two") || !strings.Contains(got["several.json"], "1//changed") || strings.Contains(got["several.json"], "1//r3") {
			t.Errorf("stored: %v", got)
		}
		// So is one that was broken.
		put(t, one, "broken.json", fileOf(9))
		n1.Rescan()
		if n1.Broken()["broken.json"] != "" || stored(t, s)["broken.json"] == "" {
			t.Errorf("%v %v", n1.Broken(), stored(t, s))
		}
	})
}

// What the old product left in the folder comes in with its states, as files that can be deleted.
func TestInboxOfTheOldProduct(t *testing.T) {
	s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
	dir := t.TempDir()
	put(t, dir, "creds.toml", "[\"a.json\"]\nrefresh_token = \"1//a\"\nproject_id = \"p-a\"\ndisabled = true\n\n[\"b.json\"]\nrefresh_token = \"1//b\"\nproject_id = \"p-b\"\n")
	n := onStore(t, s, inFolder(dir))
	if got := namesIn(stored(t, s)); got != "a.json b.json" || !status(t, n.Pool, "a.json").Disabled || status(t, n.Pool, "b.json").Disabled {
		t.Errorf("%s %+v", got, n.Status())
	}
	if errs := n.Delete("b.json"); errs[0] != nil {
		t.Error(errs)
	}
	if again := onStore(t, s, inFolder(dir)); ids(again.Pool) != "a.json" {
		t.Errorf("it is back: %s", ids(again.Pool))
	}
}

// lax gives every lease to everybody, as to nodes that stand still until theirs has run out.
type lax struct{ store.Store }

func (lax) Claim(context.Context, string, string, time.Duration) (bool, error) { return true, nil }

// Nodes that import one account at the same time, under names of their own, end with one credential.
func TestImportAtTheSameTime(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		importTogether(t, s, onStore(t, s), onStore(t, s), onStore(t, s))
	})
}

func TestImportWhenTheLeaseIsLost(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		importTogether(t, s, onStore(t, lax{s}), onStore(t, lax{s}))
	})
}

// What is gone and what this node has just written are looked at in one go: neither is taken for the other.
func TestOwnDocumentBesideOnesThatAreGone(t *testing.T) {
	n := onStore(t, flakyStore(t, filepath.Join(t.TempDir(), "x.db")))
	d := n.shelf.(*documents)
	n.disk.Lock()
	defer n.disk.Unlock()
	for i := range 40 {
		d.hear(fmt.Sprintf("gone-%d.json", i))
	}
	one := &draft{name: "mine.json", data: []byte(fileOf(1))}
	d.write([]*draft{one})
	if n.scan(false); one.err != nil || n.files["mine.json"] == nil {
		t.Errorf("%v; there are %v", one.err, n.files)
	}
}

// outpaced has another node delete what this one writes, before it has looked at it.
type outpaced struct {
	store.Store
	n    atomic.Int64
	hear func(name string) // the hint of it
}

func (s *outpaced) Put(ctx context.Context, t store.Table, doc store.Doc, when store.Rev) (store.Rev, error) {
	rev, err := s.Store.Put(ctx, t, doc, when)
	if err == nil && t == store.Credentials && doc.ID == changesID && s.n.Add(1) == 1 {
		err = s.Store.Delete(ctx, t, "a.json", store.Any)
		s.hear("a.json")
	}
	return rev, err
}

// An import whose file is gone before it ends says so: no success names no credential.
func TestImportThatIsGoneAtOnce(t *testing.T) {
	s := &outpaced{Store: flakyStore(t, filepath.Join(t.TempDir(), "x.db"))}
	n := onStore(t, s)
	s.hear = n.shelf.(*documents).hear
	in, err := n.Import(Offer{Name: "a.json", Data: []byte(fileOf(1))})
	if err == nil || len(in.IDs) != 0 || !strings.Contains(err.Error(), "another node") {
		t.Errorf("%+v %v", in, err)
	}
}

func importTogether(t *testing.T, s store.Store, nodes ...node) {
	t.Helper()
	{
		const rounds = 25
		for i := range rounds {
			var all sync.WaitGroup
			for k, n := range nodes {
				all.Go(func() {
					text := strings.Replace(fileOf(i), "1//r", fmt.Sprintf("1//s%d-", k*(i%2)), 1) // each second time the same sign-in
					in, err := n.Import(Offer{Name: fmt.Sprintf("node%d.json", k), Data: []byte(text)})
					if err != nil || len(in.IDs) != 1 {
						t.Errorf("round %d: %+v %v", i, in, err)
					}
				})
			}
			all.Wait()
		}
		got := stored(t, s)
		for i := range rounds {
			n := 0
			for _, text := range got {
				n += strings.Count(text, fmt.Sprintf(`"u%d@example.com"`, i))
			}
			if n != 1 {
				t.Errorf("account %d is there %d times", i, n)
			}
		}
		for _, n := range nodes {
			until(t, "each node has them", func() bool { return len(n.Status()) == rounds && ids(n.Pool) == namesIn(got) })
		}
	}
}

// Several nodes change credentials of one document at the same time, and nothing gets lost.
func TestChangesOfOneDocument(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		const n = 12
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"refresh_token": "1//r%d", "project_id": "p-%d"}`, i, i))
		}
		dir := t.TempDir()
		put(t, dir, "all.json", "["+strings.Join(all, ",")+"]")
		nodes := []node{onStore(t, s, inFolder(dir)), onStore(t, s), onStore(t, s)}
		var wg sync.WaitGroup
		for k, one := range nodes {
			wg.Go(func() {
				for i := k; i < n-3; i += len(nodes) {
					id := "all.json"
					if i > 0 {
						id = fmt.Sprintf("all.json#%d", i+1)
					}
					one.mu.Lock()
					a := one.named(id).account
					one.mu.Unlock()
					one.keepEmail(a, fmt.Sprintf("u%d@example.com", i))
				}
				if errs := one.Delete(fmt.Sprintf("all.json#%d", n-k)); errs[0] != nil {
					t.Error(errs)
				}
			})
		}
		wg.Wait()
		got := stored(t, s)["all.json"]
		for i := range n {
			if has := strings.Contains(got, fmt.Sprintf(`"u%d@example.com"`, i)); has != (i < n-3) {
				t.Errorf("the e-mail of %d: %t", i, has)
			}
			if has := strings.Contains(got, fmt.Sprintf(`"1//r%d"`, i)); has != (i < n-3) {
				t.Errorf("the sign-in %d: %t", i, has)
			}
		}
		if q := quarantined(nodes[0].Pool); len(q) != 3 {
			t.Errorf("%d are in the quarantine", len(q))
		}
	})
}

// Nodes hear of each other by hints alone, and by looks alone.
func TestDocumentsAreFollowed(t *testing.T) {
	for lost, fault := range map[string]storetest.Fault{
		"looks": {Err: errors.New("no revision"), Calls: []string{"Revision"}},
		"hints": {Err: errors.New("no hints"), Calls: []string{"Watch"}},
	} {
		t.Run("without "+lost, func(t *testing.T) {
			t.Parallel()
			s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
			s.Break(fault)
			a, b := onStore(t, s), onStore(t, s)
			a.Import(Offer{Name: "a.json", Data: []byte(fileOf(1))})
			until(t, "it is there", func() bool { return ids(b.Pool) == "a.json" })
			a.Import(Offer{Name: "a.json", Data: []byte(strings.Replace(fileOf(1), "1//r1", "1//r2", 1))})
			until(t, "it is changed", func() bool {
				data, err := b.Export("a.json")
				return err == nil && strings.Contains(string(data), "1//r2")
			})
			a.Delete("a.json")
			until(t, "it is gone", func() bool { return ids(b.Pool) == "" })
		})
	}
}

// tally counts the calls that go over all documents.
type tally struct {
	store.Store
	lists, gets, revisions atomic.Int64
}

func (c *tally) List(ctx context.Context, t store.Table, after string, limit int) ([]store.Doc, error) {
	if t == store.Credentials {
		c.lists.Add(1)
	}
	return c.Store.List(ctx, t, after, limit)
}

func (c *tally) Get(ctx context.Context, t store.Table, id string) (store.Doc, error) {
	if t == store.Credentials && id != changesID {
		c.gets.Add(1)
	}
	return c.Store.Get(ctx, t, id)
}

func (c *tally) Revision(ctx context.Context) (int64, error) {
	c.revisions.Add(1)
	return c.Store.Revision(ctx)
}

// A change costs a node one read, whatever else is written to the store and however many there are.
func TestFollowingIsCheap(t *testing.T) {
	for _, hints := range []bool{true, false} {
		s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
		if !hints {
			s.Break(storetest.Fault{Err: errors.New("no hints"), Calls: []string{"Watch"}})
		}
		a := onStore(t, s)
		var offers []Offer
		for i := range 600 {
			offers = append(offers, Offer{Name: fmt.Sprintf("c%04d.json", i), Data: []byte(fileOf(i))})
		}
		a.ImportAll(offers)
		c := &tally{Store: s}
		b := onStore(t, c)
		began := c.lists.Load()
		if began != 3+1 || c.gets.Load() != 0 { // three pages, and the quarantine
			t.Errorf("hints %t: a start takes %d lists and %d reads", hints, began, c.gets.Load())
		}
		for i := range 10 {
			a.Configure("c0001.json", func(w *Wish) { w.Label = fmt.Sprint(i) })
			settle(t, a)
		}
		a.Import(Offer{Name: "new.json", Data: []byte(fileOf(9999))})
		until(t, "it is there", func() bool { return len(b.Status()) == 601 })
		looked := c.revisions.Load()
		until(t, "there was a look", func() bool { return c.revisions.Load() >= looked+4 })
		if l, g := c.lists.Load()-began, c.gets.Load(); l != 0 || g > 10 { // a hint and the log may both tell
			t.Errorf("hints %t: it took %d lists and %d reads", hints, l, g)
		}
	}
}

// While the store is away nobody hears that nothing was deleted, and no token is revoked that another
// credential may need.
func TestQuarantineWhileTheStoreIsAway(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		a := onStore(t, s)
		if in, err := a.Import(Offer{Name: "one.json", Data: []byte(fileOf(1))}); err != nil || len(in.IDs) != 1 {
			t.Fatal(in, err)
		}
		if errs := a.Delete("one.json"); errs[0] != nil {
			t.Fatal(errs)
		}
		s.Break(storetest.Fault{Err: errors.New("no route")})
		_, listed := a.Quarantine()
		_, purged := a.Purge(t.Context(), "one.json")
		for what, err := range map[string]error{"list": listed, "purge": purged[0], "restore": a.Restore("one.json")[0].Err} {
			if !errors.Is(err, ErrAway) {
				t.Errorf("%s: %v", what, err)
			}
		}
		s.Heal()
		if in := a.Restore("one.json"); in[0].Err != nil || ids(a.Pool) != "one.json" {
			t.Error(in, ids(a.Pool))
		}
	})
}
