package pool

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/oauth"
)

// Deleted at once, though a request runs; brought back as it was.
func TestDeleteAndRestore(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	p := folder(t, Options{}, "a.json", ready("a", "ya29.a", hour), "b.json", ready("b", "ya29.b", hour))
	p.Configure("a.json", func(w *Wish) { w.Label = "mine" })
	l := take(t, p, Want{Model: "m", Tried: []string{"x"}, Prefer: "a.json"})
	for i, err := range p.Delete("a.json", "nobody.json", "a.json") {
		if (err == nil) != (i != 1) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got := ids(p); got != "b.json" || p.Leases() != 1 {
		t.Errorf("%q, %d leases", got, p.Leases())
	}
	if l.Token() != "ya29.a" {
		t.Error("the request that runs lost its token")
	}
	l.Report(nil)
	l.Release()
	if _, err := os.Stat(filepath.Join(p.dir, "a.json")); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
	q := quarantined(p)
	if len(q) != 1 || q[0].File != "a.json" || q[0].Names[0] != "a.json" || q[0].Project != "a" || q[0].Email != "a@example.com" || !q[0].Until.Equal(q[0].At.Add(QuarantineLife)) {
		t.Fatalf("%+v", q)
	}
	graves, _ := filepath.Glob(filepath.Join(p.dir, ".quarantine", "*"))
	if stat, err := os.Stat(graves[0]); len(graves) != 1 || err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", graves, err)
	}
	p = folder(t, Options{Dir: p.dir}) // it survives
	in := p.Restore("a.json")[0]
	if in.Err != nil || in.IDs[0] != "a.json" || ids(p) != "a.json b.json" || len(quarantined(p)) != 0 {
		t.Errorf("%+v %q", in, ids(p))
	}
	var was, is any
	data, err := os.ReadFile(filepath.Join(p.dir, "a.json"))
	if json.Unmarshal([]byte(ready("a", "ya29.a", hour)), &was) != nil || json.Unmarshal(data, &is) != nil || !reflect.DeepEqual(was, is) {
		t.Errorf("%s %v", data, err)
	}
	if in := p.Restore("a.json")[0]; !errors.Is(in.Err, ErrNotDeleted) {
		t.Errorf("twice: %+v", in)
	}
}

// Of a file with several the others keep their names and states.
func TestDeleteOneOfSeveral(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	one, two, three := ready("one", "ya29.1", hour), ready("two", "ya29.2", hour), ready("three", "ya29.3", hour)
	for _, row := range []struct{ name, text, del, left string }{
		{"list", "[" + one + ",\n " + two + ", " + three + "]", "x.json#2", "x.json x.json#3"},
		{"first of a list", "[" + one + "," + two + "]", "x.json", "x.json#2"},
		{"lines", one + "\n" + two + "\n" + three + "\n", "x.json#2", "x.json x.json#3"},
		{"named", `{"p": ` + one + `, "q": {"credential": ` + two + `, "state": {"disabled": true}}}`, "x.json#q", "x.json#p"},
		{"beside something broken", "[" + one + ", 7]", "x.json", ""},
	} {
		p := folder(t, Options{}, "x.json", row.text)
		for _, s := range p.Status() {
			p.Disable(s.ID)
		}
		if err := p.Delete(row.del)[0]; err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if got := ids(p); got != row.left {
			t.Errorf("%s: left %q", row.name, got)
		}
		for _, s := range p.Status() {
			if !s.Disabled {
				t.Errorf("%s: %s lost its state", row.name, s.ID)
			}
		}
		if got := ids(folder(t, Options{Dir: p.dir})); got != row.left {
			t.Errorf("%s: after a restart %q", row.name, got)
		}
		if in := p.Restore(row.del)[0]; in.Err != nil || len(in.IDs) != 1 {
			t.Errorf("%s: %+v", row.name, in)
		}
	}
	p := folder(t, Options{}, "x.json", "["+one+","+two+"]")
	if errs := p.Delete("x.json", "x.json#2"); errs[0] != nil || errs[1] != nil {
		t.Error(errs)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "x.json")); !os.IsNotExist(err) || len(quarantined(p)) != 2 {
		t.Errorf("%v %v", err, quarantined(p))
	}
}

// What is not in a file of ours is refused, with the place to remove it.
func TestDeleteRefuses(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	p := folder(t, Options{Environ: environ("GCLI_CREDS_1=" + ready("e", "ya29.e", hour)), Settings: Settings{APIKeys: []string{"AIza-set"}, EnvExclusive: "never"}},
		"a.json", ready("p-one,p-two", "ya29.a", hour))
	before := ids(p)
	for id, says := range map[string]string{
		"env-1": "GCLI_CREDS_1", oauth.APIKey("AIza-set").ID: "GEMINI_API_KEYS", "a.json:p-one": "several projects", "nobody": "no such",
	} {
		if err := p.Delete(id)[0]; err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if ids(p) != before || len(quarantined(p)) != 0 {
		t.Errorf("%q", ids(p))
	}
	if errs := p.Delete("a.json:p-one", "a.json:p-two"); errs[0] != nil || errs[1] != nil {
		t.Error(errs)
	}
	if q := quarantined(p); len(q) != 1 || len(q[0].Names) != 2 {
		t.Errorf("%+v", q)
	}
	if in := p.Restore("a.json:p-two")[0]; in.Err != nil || strings.Join(in.IDs, " ") != "a.json:p-one a.json:p-two" {
		t.Errorf("%+v", in)
	}
}

// Deleted for good, the token is revoked, unless another credential lives of it.
func TestPurge(t *testing.T) {
	s := google(t)
	var log lines
	p := folder(t, Options{OAuth: client(t, s.URL(), nil), Log: log.logger()})
	add := func(file string, a simulator.Account) {
		if _, err := p.Import(Offer{Name: file, Data: []byte(signIn(a))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name, says string
		revoked    int
		prepare    func(a simulator.Account)
	}{
		{"alone", "and its token revoked", 1, func(simulator.Account) {}},
		{"dead", "dead already", 1, func(a simulator.Account) {
			s.UpdateAccount(a.Email, func(a *simulator.Account) { a.RefreshToken = "1//another" })
		}},
		{"same account, another sign-in", "was not revoked, because that would sign other.json out", 0, func(a simulator.Account) {
			put(t, p.dir, "other.json", strings.Replace(signIn(a), a.RefreshToken, "1//second", 1))
			p.Rescan()
			p.Rescan()
		}},
	} {
		a := s.AddAccount(simulator.Account{Email: "u0@example.com", Tier: "free-tier"})
		add("a.json", a)
		p.Delete("a.json")
		row.prepare(a)
		before := len(s.CallsOf("revoke"))
		all, errs := p.Purge(t.Context(), "a.json")
		said, err := all[0], errs[0]
		if err != nil || !strings.Contains(said, row.says) || len(s.CallsOf("revoke"))-before != row.revoked {
			t.Errorf("%s: %q %v, %d revoked", row.name, said, err, len(s.CallsOf("revoke"))-before)
		}
		if len(quarantined(p)) != 0 || strings.Contains(log.String()+said, "1//") {
			t.Errorf("%s: %v %s", row.name, quarantined(p), said)
		}
	}
	if _, errs := p.Purge(t.Context(), "other.json"); !errors.Is(errs[0], ErrNotDeleted) {
		t.Errorf("of one that is in use: %v", errs)
	}
	// Two sign-ins of one account that go together: the last one takes the grant with it.
	if err := os.Remove(filepath.Join(p.dir, "other.json")); err != nil {
		t.Fatal(err)
	}
	p.Rescan()
	a := s.AddAccount(simulator.Account{Email: "u0@example.com", Tier: "free-tier"})
	add("x.json", a)
	p.Delete("x.json")
	add("y.json", a)
	p.Delete("y.json")
	before := len(s.CallsOf("revoke"))
	all, errs := p.Purge(t.Context(), "x.json", "y.json", "y.json")
	if errs[0] != nil || errs[1] != nil || errs[2] == nil || !strings.Contains(all[0], "y.json (in the quarantine") || !strings.Contains(all[1], "its token revoked") || len(s.CallsOf("revoke")) != before+1 {
		t.Errorf("%q %v", all, errs)
	}
}

// Google out of reach keeps nothing in the quarantine.
func TestPurgeWithoutGoogle(t *testing.T) {
	p := folder(t, Options{}, "a.json", ready("a", "ya29.a", time.Now().Add(time.Hour)))
	p.Delete("a.json")
	said, errs := p.Purge(t.Context(), quarantined(p)[0].ID)
	if errs[0] != nil || !strings.Contains(said[0], "could not be revoked") || len(quarantined(p)) != 0 {
		t.Errorf("%q %v", said, errs)
	}
}

func TestQuarantineIsSwept(t *testing.T) {
	now := time.Now()
	o := Options{Now: func() time.Time { return now }}
	p := folder(t, o, "a.json", keyFile)
	p.Delete("a.json")
	now = now.Add(30*24*time.Hour - time.Minute) // what operators are told, and not the constant
	p.sweep()
	if len(quarantined(p)) != 1 {
		t.Error("swept too early")
	}
	now = now.Add(2 * time.Minute)
	o.Dir = p.dir
	if p = folder(t, o); len(quarantined(p)) != 0 {
		t.Error("still there")
	}
}

// A quarantine that cannot be written keeps the credential where it is.
func TestDeleteThatCannotBeKept(t *testing.T) {
	p := folder(t, Options{}, "a.json", keyFile)
	put(t, p.dir, ".quarantine", "a file where the folder should be")
	if err := p.Delete("a.json")[0]; !errors.Is(err, ErrNotKept) || ids(p) != "a.json" {
		t.Errorf("%v, %q", err, ids(p))
	}
}

func TestDeduplicate(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	mk := func() *Pool {
		p := folder(t, Options{}, "a.json", whole("1//one", "p", "x@example.com"), "b.json", whole("1//one", "p", "x@example.com"),
			"c.json", whole("1//two", "p", "X@example.com"), "d.json", ready("other", "ya29.o", hour), "e.json", whole("1//one", "q", "x@example.com"))
		p.mu.Lock()
		p.byID["c.json"].calls, p.byID["c.json"].lastSuccess = 5, time.Now()
		p.byID["a.json"].calls = 2
		p.mu.Unlock()
		p.Configure("a.json", func(w *Wish) { w.Groups = []string{"g"} })
		return p
	}
	p := mk()
	before := ids(p)
	trial := p.Deduplicate(true)
	if ids(p) != before || len(quarantined(p)) != 0 || len(trial) != 2 {
		t.Errorf("a trial: %+v %q", trial, ids(p))
	}
	found := p.Deduplicate(false)
	if len(found) != 2 || found[0].Kept != "a.json" || strings.Join(found[0].Removed, " ") != "b.json" || found[1].Kept != "c.json" || strings.Join(found[1].Removed, " ") != "a.json" {
		t.Errorf("%+v", found)
	}
	if s := status(t, p, "c.json"); s.Calls != 7 || len(p.byID["c.json"].wish.Groups) != 1 || ids(p) != "c.json d.json e.json" || len(quarantined(p)) != 2 {
		t.Errorf("%+v %q", s, ids(p))
	}
	if again := p.Deduplicate(false); len(again) != 0 {
		t.Errorf("again: %+v", again)
	}
}

// quarantined is what can be brought back.
func quarantined(p *Pool) []Deleted {
	list, _ := p.Quarantine()
	return list
}
