package pool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store"
	"gcli2api/store/oauth"
	"gcli2api/store/seal"
	"gcli2api/store/storetest"
)

func changeful(n int) simulator.Account {
	return simulator.Account{Email: fmt.Sprintf("u%d@example.com", n), Project: "sim-p", RotateRefresh: true}
}

func fileAt(a simulator.Account) string {
	return fmt.Sprintf(`{"refresh_token": %q, "project_id": "sim-p", "email": %q}`, a.RefreshToken, a.Email)
}

// expire makes the token of a credential one that has to be renewed before the next call.
func expire(p *Pool, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.named(id).account.stale = true
}

// A refresh token that Google changed on one node is that of the other one before it asks Google, be it
// that it heard of it, or that it hears nothing at all.
func TestRotatedTokenAmongNodes(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		for _, deaf := range []bool{false, true} {
			g := google(t)
			account := g.AddAccount(changeful(1))
			ear := &storetest.Flaky{Store: s}
			a := onStore(t, s, func(o *Options) { o.OAuth = client(t, g.URL(), nil) })
			name := fmt.Sprintf("deaf-%t.json", deaf)
			if _, err := a.Import(Offer{Name: name, Data: []byte(fileAt(account))}); err != nil {
				t.Fatal(err)
			}
			until(t, "it was welcomed", func() bool { return status(t, a.Pool, name).Tier != "" })
			b := onStore(t, ear, func(o *Options) { o.OAuth = client(t, g.URL(), nil) })
			if deaf {
				ear.Break(storetest.Fault{Err: errors.New("nothing is heard"), Calls: []string{"Watch", "Revision"}})
			}
			began := len(g.CallsOf("token"))
			const rounds = 6
			for i := range rounds { // in turn; each time the others' token is dead
				n := []node{a, b}[i%2]
				expire(n.Pool, name)
				n.m.Fetch(t.Context(), name)
				expire(n.Pool, name)
				use(t, n.Pool, 1)
				if got := stored(t, s)[name]; !strings.Contains(got, token(g, account)) {
					t.Fatalf("round %d: the document has an old token", i)
				}
			}
			for _, n := range []node{a, b} {
				if got := status(t, n.Pool, name); got.Disabled {
					t.Errorf("deaf %t: %+v", deaf, got)
				}
			}
			if n := len(g.CallsOf("token")) - began; n > rounds {
				t.Errorf("deaf %t: %d refreshes for %d tokens", deaf, n, rounds)
			}
			until(t, "all calls are counted", func() bool {
				settle(t, a, b)
				return status(t, a.Pool, name).Calls == rounds
			})
			if errs := a.Delete(name); errs[0] != nil {
				t.Error(errs)
			}
			_, _ = a.Close(), b.Close()
		}
	})
}

// Both nodes need the token of one sign-in at the same time: Google is asked once.
func TestOneRefreshAmongNodesOfAStore(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		g := google(t)
		account := g.AddAccount(changeful(1))
		a := onStore(t, s, func(o *Options) { o.OAuth = client(t, g.URL(), nil) })
		if _, err := a.Import(Offer{Name: "a.json", Data: []byte(fileAt(account))}); err != nil {
			t.Fatal(err)
		}
		until(t, "it was welcomed", func() bool { return status(t, a.Pool, "a.json").Tier != "" })
		b := onStore(t, s, func(o *Options) { o.OAuth = client(t, g.URL(), nil) })
		settle(t, a, b)
		for i := range 5 {
			began := len(g.CallsOf("token"))
			expire(a.Pool, "a.json")
			expire(b.Pool, "a.json")
			var both sync.WaitGroup
			got := make([]string, 2)
			for k, n := range []node{a, b} {
				both.Go(func() {
					l := take(t, n.Pool, Want{Model: "m"})
					got[k] = l.Token()
					l.Release()
				})
			}
			both.Wait()
			if n := len(g.CallsOf("token")) - began; n != 1 || got[0] != got[1] {
				t.Errorf("round %d: %d refreshes, the same token: %t", i, n, got[0] == got[1])
			}
		}
	})
}

// Who waits for a token does not wait for an import that writes for minutes.
func TestTokenWhileSomebodyImports(t *testing.T) {
	g := google(t)
	account := g.AddAccount(simulator.Account{Email: "me@example.com", Project: "sim-p"})
	s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
	a := onStore(t, s, func(o *Options) { o.OAuth = client(t, g.URL(), nil) })
	if _, err := a.Import(Offer{Name: "a.json", Data: []byte(fileAt(account))}); err != nil {
		t.Fatal(err)
	}
	until(t, "it was welcomed", func() bool { return status(t, a.Pool, "a.json").Tier != "" })
	expire(a.Pool, "a.json")
	a.disk.Lock() // as an import does
	ctx, cancel := context.WithTimeout(t.Context(), 10*turnAsk)
	defer cancel()
	l, fail := a.Acquire(ctx, Want{Model: "m"})
	a.disk.Unlock()
	if fail != nil {
		t.Fatal(fail)
	}
	l.Release()
}

// While the store is away the credentials serve, the panel gets an error, and a refresh token that Google
// changes is kept until it is durable.
func TestStoreAway(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		g, log := google(t), &lines{}
		account := g.AddAccount(changeful(1))
		clock := newTicking("2026-11-23T12:00:00Z")
		a := onStore(t, s, func(o *Options) {
			o.OAuth, o.Log, o.Now = client(t, g.URL(), nil), log.logger(), func() time.Time { return time.Now().Add(time.Duration(clock.nano.Load())) }
		})
		clock.nano.Store(0)
		if _, err := a.Import(Offer{Name: "a.json", Data: []byte(fileAt(account))}); err != nil {
			t.Fatal(err)
		}
		until(t, "it was welcomed", func() bool { return status(t, a.Pool, "a.json").Tier != "" })
		settle(t, a)
		old := token(g, account)
		s.Break(storetest.Fault{Err: &store.Away{Engine: "X", Err: errors.New("connection refused")}})
		use(t, a.Pool, 1)
		expire(a.Pool, "a.json")
		use(t, a.Pool, 1)
		now := token(g, account)
		if now == old {
			t.Fatal("no token was changed")
		}
		_, err := a.Import(Offer{Name: "b.json", Data: []byte(fileOf(2))})
		errs := a.Delete("a.json")
		for what, err := range map[string]error{"import": err, "delete": errs[0]} {
			if err == nil || !strings.Contains(err.Error(), "cannot be reached") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if a.Broken()["a.json"] != "" || ids(a.Pool) != "a.json" || log.count("could not be written; it is tried again") != 1 {
			t.Errorf("%s %v\n%s", ids(a.Pool), a.Broken(), log)
		}
		clock.nano.Store(int64(retryAfter)) // a try that fails as well is not the last one
		a.disk.Lock()
		if a.payOwed(); len(a.owed) == 0 {
			t.Error("nothing is owed any more, and the store is away")
		}
		a.disk.Unlock()
		s.Heal()
		if got := stored(t, s)["a.json"]; !strings.Contains(got, old) {
			t.Errorf("it was written while the store was away: %s", got)
		}
		clock.nano.Store(int64(3 * retryAfter))
		until(t, "it is durable", func() bool { return strings.Contains(stored(t, s)["a.json"], now) })
		b := onStore(t, s, func(o *Options) { o.OAuth = client(t, g.URL(), nil) })
		expire(b.Pool, "a.json")
		use(t, b.Pool, 1)
		if log.count(now) > 0 || log.count(old) > 0 {
			t.Error("a token is in the log")
		}
	})
}

// The state has the token as well: it is good for the next start when the node ended before the document
// could be written.
func TestTokenThatOnlyTheStateHas(t *testing.T) {
	s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
	g := google(t)
	account := g.AddAccount(changeful(1))
	docs := &storetest.Flaky{Store: s} // of the credentials alone
	a := newNode(t, s, 0, func(o *Options) { o.Store, o.Claims, o.OAuth = docs, s, client(t, g.URL(), nil) })
	if _, err := a.Import(Offer{Name: "a.json", Data: []byte(fileAt(account))}); err != nil {
		t.Fatal(err)
	}
	until(t, "it was welcomed", func() bool { return status(t, a.Pool, "a.json").Tier != "" })
	docs.Break(storetest.Fault{Err: errors.New("no writing"), Calls: []string{"Put"}})
	expire(a.Pool, "a.json")
	use(t, a.Pool, 1)
	_, _ = a.Close(), a.m.Close()
	if strings.Contains(stored(t, s)["a.json"], token(g, account)) {
		t.Fatal("the document was written")
	}
	b := onStore(t, s, func(o *Options) { o.OAuth = client(t, g.URL(), nil) })
	expire(b.Pool, "a.json")
	use(t, b.Pool, 1)
	if status(t, b.Pool, "a.json").Disabled || !strings.Contains(stored(t, s)["a.json"], token(g, account)) {
		t.Error("the token got lost")
	}
}

// What cannot be read is named once, costs no other anything and is never written over.
func TestBrokenDocuments(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		log := &lines{}
		broken := map[string]string{"bad.json": `[1, 2]`, "none.json": `{"refresh_token": 7}`, "text.json": `"no JSON at all"`, "notes.txt": `{"a": 1}`, ".changes": `"what?"`}
		for name, body := range broken {
			if _, err := s.Put(t.Context(), store.Credentials, store.Doc{ID: name, Body: []byte(body)}, store.New); err != nil {
				t.Fatal(err)
			}
		}
		delete(broken, ".changes")
		lines := store.Doc{ID: "lines.jsonl", Body: fmt.Appendf(nil, "%q", fileOf(1)+"\n"+fileOf(2))}
		if _, err := s.Put(t.Context(), store.Credentials, lines, store.New); err != nil {
			t.Fatal(err)
		}
		n := onStore(t, s, func(o *Options) { o.Log = log.logger() })
		if got := n.Broken(); len(got) != 3 || ids(n.Pool) != "lines.jsonl lines.jsonl#2" {
			t.Errorf("%v %s", got, ids(n.Pool))
		}
		for name := range broken {
			in, err := n.Import(Offer{Name: strings.Replace(name, ".txt", ".json", 1), Data: []byte(fileOf(len(name)))})
			if err != nil || in.File == name {
				t.Errorf("%+v %v", in, err)
			}
		}
		n.Delete("lines.jsonl#2")
		n.Apply(Settings{})
		for name, body := range broken {
			if doc, err := s.Get(t.Context(), store.Credentials, name); err != nil || string(doc.Body) != body {
				t.Errorf("%s is %s, %v", name, doc.Body, err)
			}
			if log.count(name) > 2 { // it, and what was imported under a name like it
				t.Errorf("%s is named %d times:\n%s", name, log.count(name), log)
			}
		}
		if got := stored(t, s)["lines.jsonl"]; strings.Contains(got, "1//r2") || !strings.Contains(got, "1//r1") {
			t.Errorf("lines: %s", got)
		}
	})
}

// A write whose answer got lost is not made twice, and not taken for somebody else's.
func TestLostAnswers(t *testing.T) {
	s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
	n := onStore(t, s)
	s.Break(storetest.Fault{Err: &store.Away{Engine: "X", Err: errors.New("reset")}, Calls: []string{"Put"}, Times: 1, Late: true})
	if _, err := n.Import(Offer{Name: "a.json", Data: []byte(fileOf(1))}); err == nil {
		t.Fatal("it says that it is durable")
	}
	in, err := n.Import(Offer{Name: "a.json", Data: []byte(fileOf(1))})
	if err != nil || strings.Join(in.IDs, " ") != "a.json" || len(stored(t, s)) != 1 {
		t.Errorf("%+v %v %v", in, err, stored(t, s))
	}
	d := n.shelf.(*documents)
	if err := d.put(&draft{name: "a.json", data: []byte(fileOf(1))}); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := d.put(&draft{name: "a.json", data: []byte(fileOf(2))}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("another one: %v", err)
	}
}

// Secrets are sealed in the store and in the folder, and plain inside. Without the key a credential is
// broken, and stays what it is.
func TestSealedCredentials(t *testing.T) {
	s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
	with := func(secret string) func(*Options) {
		return func(o *Options) { o.Seal = oauth.Sealed{Ring: seal.New(secret)} }
	}
	own, dir := "the secret of this test", t.TempDir()
	n := onStore(t, s, with(own))
	f := newNode(t, s, 0, with(own), inFolder(dir))
	for _, p := range []node{n, f} {
		p.Import(Offer{Name: "a.json", Data: []byte(fileOf(1))})
		p.Import(Offer{Name: "b.json", Data: []byte(fileOf(2))})
		if errs := p.Delete("b.json"); errs[0] != nil {
			t.Fatal(errs)
		}
	}
	docs, _ := s.List(t.Context(), store.Credentials, "", 100)
	for _, d := range docs {
		if strings.Contains(string(d.Body), "1//r") {
			t.Errorf("%s is plain: %s", d.ID, d.Body)
		}
	}
	if files := allUnder(t, dir); strings.Contains(files, "1//r") || strings.Count(files, "sealed:1:") != 2 {
		t.Errorf("in the folder: %s", files)
	}
	for _, p := range []node{onStore(t, s, with(own)), newNode(t, s, 0, with(own), inFolder(dir))} {
		if data, err := p.Export("a.json"); err != nil || !strings.Contains(string(data), `"1//r1"`) {
			t.Errorf("%s %v", data, err)
		}
		if back := p.Restore("b.json"); back[0].Err != nil || ids(p.Pool) != "a.json b.json" {
			t.Errorf("%+v %s", back, ids(p.Pool))
		}
	}
	before := stored(t, s)
	for _, p := range []node{onStore(t, s, with("another secret altogether")), onStore(t, s)} {
		// The third one of the node before is seen for a moment.
		until(t, "two are broken", func() bool { return len(p.Broken()) == 2 && ids(p.Pool) == "" })
		if in, err := p.Import(Offer{Name: "c.json", Data: []byte(fileOf(3))}); err != nil || ids(p.Pool) != "c.json" {
			t.Errorf("%+v %v", in, err)
		}
		p.Delete("c.json")
	}
	for name, text := range stored(t, s) {
		if text != before[name] {
			t.Errorf("%s was written", name)
		}
	}
}

// allUnder is the text of all files under a folder.
func allUnder(t *testing.T, dir string) (text string) {
	t.Helper()
	for _, pattern := range []string{"*.json", quarantineDir + "/*.json"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text += string(data)
		}
	}
	return text
}

// What is owed late does not write an old token over a newer one.
func TestOwedTokenIsTheNewest(t *testing.T) {
	s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
	n := onStore(t, s)
	if _, err := n.Import(Offer{Name: "a.json", Data: []byte(fileOf(1))}); err != nil {
		t.Fatal(err)
	}
	a := n.named("a.json").account
	s.Break(storetest.Fault{Err: errors.New("away"), Calls: []string{"Put"}})
	for i, token := range []string{"1//first", "1//second"} {
		n.mu.Lock()
		a.cred.RefreshToken = token
		n.mu.Unlock()
		n.amend(a, oauth.Change{RefreshToken: token})
		if i == 0 {
			s.Heal()
		}
	}
	n.disk.Lock()
	n.pay()
	n.disk.Unlock()
	if got := stored(t, s)["a.json"]; !strings.Contains(got, "1//second") {
		t.Errorf("stored: %s", got)
	}
}

// TestInboxWaits: what is put into the folder while the store is away, or takes one credential of a file and
// not the other, is imported when it is back.
func TestInboxWaits(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		dir, ahead := t.TempDir(), new(atomic.Int64)
		a := onStore(t, s, inFolder(dir), func(o *Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) } })
		for _, calls := range [][]string{nil, {"Put"}} { // all of them, and what is written
			s.Break(storetest.Fault{Err: &store.Away{Engine: "X", Err: errors.New("connection refused")}, Calls: calls})
			name := fmt.Sprintf("late%d.json", len(calls))
			put(t, dir, name, fileOf(len(calls)+1))
			a.Rescan()
			if got := ids(a.Pool); strings.Contains(got, name) {
				t.Fatalf("%s while the store is away", got)
			}
			s.Heal()
			a.Rescan()
			ahead.Add(int64(2 * retryAfter))
			a.Rescan()
			if got := namesIn(stored(t, s)); !strings.Contains(got, name) {
				t.Errorf("%v: stored are %q", calls, got)
			}
		}
	})
}
