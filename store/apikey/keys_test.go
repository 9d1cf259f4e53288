package apikey

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

func TestCreate(t *testing.T) {
	s := newStore(t)
	var hidden []string
	b := opened(t, sole{s}, func(o *Options) { o.Hide = func(secret string) { hidden = append(hidden, secret) } })
	one, secret := b.Keys.mustCreate(t, Terms{Description: "Alice", Models: []string{"gemini-2.5-*"}, Addresses: []string{"10.0.0.0/8"}})
	if !wellFormed(secret) || one.Mask != secret[:9]+"..."+secret[len(secret)-3:] || !strings.HasPrefix(one.ID, "key-") {
		t.Errorf("key %+v", one)
	}
	if len(hidden) != 1 || hidden[0] != secret {
		t.Error("the log was not told to hide the key")
	}
	docs, err := s.List(t.Context(), store.Keys, "", 10)
	if err != nil || len(docs) != 1 || strings.Contains(string(docs[0].Body)+docs[0].ID, secret[3:]) {
		t.Errorf("the store has the key itself, or %d documents: %v", len(docs), err)
	}
	for name, book := range map[string]*Book{"at once": b, "after a restart": opened(t, sole{s})} {
		got, ok := book.Keys.Find(secret)
		if !ok || got.ID != one.ID || got.Description != "Alice" || got.Admit(time.Now(), net.ParseIP("10.1.2.3")) != nil {
			t.Errorf("%s: %+v", name, got)
		}
		if byID, _ := book.Keys.Named(one.ID); byID != got {
			t.Errorf("%s: not found by its id", name)
		}
		if bySecret, _ := book.Keys.Named(secret); bySecret != got {
			t.Errorf("%s: not found by itself", name)
		}
	}
}

func TestWhatIsNoKey(t *testing.T) {
	k := opened(t, sole{newStore(t)}).Keys
	one, secret := k.mustCreate(t, Terms{})
	for name, wrong := range map[string]string{
		"nothing": "", "the id": one.ID, "the mask": one.Mask, "a part": secret[:45], "more": secret + "x", "space": " " + secret,
		"another case": strings.ToUpper(secret), "control characters": secret + "\x00\n", "10 MB": strings.Repeat("k", 10<<20),
		"10 MB that begin well": secret + strings.Repeat("k", 10<<20), "no text": secret[:40] + "\xff\xfe", "the document": one.doc.String(),
	} {
		if got, ok := k.Find(wrong); ok || got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestCreateManyAtOnce(t *testing.T) {
	s := newStore(t)
	k := opened(t, sole{s}).Keys
	made, err := k.CreateMany(t.Context(), Terms{Quota: 7}, MaxBatch)
	if err != nil || len(made) != MaxBatch {
		t.Fatal(len(made), err)
	}
	again := opened(t, sole{s}).Keys
	ids := map[string]bool{}
	for _, m := range made {
		ids[m.Key.ID] = true
		for _, keys := range []*Keys{k, again} {
			if got, ok := keys.Find(m.Secret); !ok || got.ID != m.Key.ID {
				t.Fatal("a key is missing")
			}
		}
	}
	if len(ids) != MaxBatch || len(k.List()) != MaxBatch {
		t.Errorf("%d ids, %d keys", len(ids), len(k.List()))
	}
	for _, n := range []int{0, -1, MaxBatch + 1} {
		if _, err := k.CreateMany(t.Context(), Terms{Quota: 7}, n); field(err) != "count" {
			t.Errorf("%d keys: %v", n, err)
		}
	}
}

// Whatever the store does, a batch that failed left nothing: not in memory, not after a restart.
func TestABatchThatFails(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"nothing is written":          {Err: errors.New("full"), Calls: []string{"Put"}},
		"one is not written":          {Err: errors.New("full"), Calls: []string{"Put"}, Times: 1},
		"it is written, and not said": {Err: errors.New("gone"), Calls: []string{"Put"}, Times: 3, Late: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			k := opened(t, sole{s}).Keys
			s.Break(fault)
			made, err := k.CreateMany(t.Context(), Terms{Quota: 7}, 20)
			s.Heal()
			if err == nil || made != nil || len(k.List()) != 0 || len(opened(t, sole{s}).Keys.List()) != 0 {
				t.Errorf("%v, %d keys at once, %d after a restart", err, len(k.List()), len(opened(t, sole{s}).Keys.List()))
			}
		})
	}
}

// Who gives up waiting does not leave half of it.
func TestNobodyWaits(t *testing.T) {
	k := opened(t, sole{newStore(t)}).Keys
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	made, err := k.CreateMany(ctx, Terms{Quota: 1}, 5)
	if err != nil || len(made) != 5 || len(k.List()) != 5 {
		t.Errorf("%d keys, %v", len(k.List()), err)
	}
}

func TestEdit(t *testing.T) {
	s := newStore(t)
	b := opened(t, sole{s})
	k := b.Keys
	one, secret := k.mustCreate(t, Terms{Quota: 100})
	if err := b.Ledger.Set(t.Context(), one.ID, 60); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, blames string
		change       func(*Terms)
	}{
		{"a quota below what is used", "total_quota", func(t *Terms) { t.Quota = 59 }},
		{"no quota", "total_quota", func(t *Terms) { t.Quota = 0 }},
		{"an expiry that is over", "expires", func(t *Terms) { t.Expires = time.Now().Add(-time.Hour) }},
		{"a negative limit", "concurrency", func(t *Terms) { t.Concurrency = -1 }},
	} {
		if got, err := k.Edit(t.Context(), one.ID, func(t *Terms) error { c.change(t); return nil }); field(err) != c.blames || got != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got, _ := k.Find(secret); got != one {
		t.Error("a change that was refused did something")
	}
	for name, change := range map[string]func(*Terms){
		"down to what is used": func(t *Terms) { t.Quota = 60 },
		"disabled":             func(t *Terms) { t.Disabled = true },
	} {
		if _, err := k.Edit(t.Context(), one.ID, func(t *Terms) error { change(t); return nil }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, keys := range map[string]*Keys{"at once": k, "after a restart": opened(t, sole{s}).Keys} {
		if got, _ := keys.Find(secret); got == nil || got.Quota != 60 || !got.Disabled {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if one.Quota != 100 || one.Disabled {
		t.Error("a key that was handed out has changed")
	}
	if _, err := k.Edit(t.Context(), "key-nobody", func(*Terms) error { return nil }); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// An expiry that has passed stays editable in all else.
func TestEditOfAnExpiredKey(t *testing.T) {
	var ahead atomic.Int64
	k := opened(t, sole{newStore(t)}, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) } }).Keys
	one, _ := k.mustCreate(t, Terms{Expires: time.Now().Add(time.Hour)})
	ahead.Store(int64(2 * time.Hour))
	if _, err := k.Edit(t.Context(), one.ID, func(t *Terms) error { t.Description = "over"; return nil }); err != nil {
		t.Error(err)
	}
}

func TestTopUp(t *testing.T) {
	k := opened(t, sole{newStore(t)}).Keys
	one, _ := k.mustCreate(t, Terms{Quota: 100})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := k.TopUp(t.Context(), one.ID, 10); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, _ := k.ByID(one.ID); got.Quota != 600 {
		t.Errorf("%d units", got.Quota)
	}
	for _, n := range []int64{0, -5, MaxQuota, MaxQuota + 1, math.MaxInt64, math.MinInt64} {
		if _, err := k.TopUp(t.Context(), one.ID, n); field(err) != "units" {
			t.Errorf("%d units: %v", n, err)
		}
	}
	if got, err := k.TopUp(t.Context(), one.ID, MaxQuota-600); err != nil || got.Quota != MaxQuota {
		t.Errorf("up to the most: %v", err)
	}
}

func TestDelete(t *testing.T) {
	s := newStore(t)
	k := opened(t, sole{s}).Keys
	one, secret := k.mustCreate(t, Terms{})
	other, _ := k.mustCreate(t, Terms{})
	name := mainCounter(one.ID, span{})
	err := s.Add(t.Context(), []store.Delta{{Counter: name, N: 5}, {Counter: counters + one.ID + "/day/2026-01-01", N: 3}, {Counter: mainCounter(other.ID, span{}), N: 9}})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Delete(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	left := func() string {
		all, err := s.Counters(t.Context(), counters)
		return fmt.Sprint(all, err)
	}
	if _, ok := k.Find(secret); ok || len(k.List()) != 1 || left() != fmt.Sprint(map[string]int64{mainCounter(other.ID, span{}): 9}, nil) {
		t.Errorf("found %v, %d keys, counters %s", ok, len(k.List()), left())
	}
	if err := k.Delete(t.Context(), one.ID); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	// What a call that was under way wrote afterwards goes at the next start.
	if err := s.Add(t.Context(), []store.Delta{{Counter: name, N: 5}}); err != nil {
		t.Fatal(err)
	}
	again := opened(t, sole{s}).Keys
	if _, ok := again.Find(secret); ok || left() != fmt.Sprint(map[string]int64{mainCounter(other.ID, span{}): 9}, nil) {
		t.Errorf("after a restart: found %v, counters %s", ok, left())
	}
}

// A document that cannot be read takes no other key down, and its counters wait for it.
func TestADocumentThatCannotBeRead(t *testing.T) {
	for name, body := range map[string]string{"another shape": `[1]`, "no id": `{"total_quota":5}`, "half a digest": `{"id":"key-x","total_quota":5,"digest":"AAAA"}`, "an address": `{"id":"key-x","total_quota":5,"addresses":["x"]}`} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			_, secret := opened(t, sole{s}).Keys.mustCreate(t, Terms{})
			if _, err := s.Put(t.Context(), store.Keys, store.Doc{ID: digest{1}.String(), Body: []byte(body)}, store.New); err != nil {
				t.Fatal(err)
			}
			if err := s.Add(t.Context(), []store.Delta{{Counter: mainCounter("key-x", span{}), N: 4}}); err != nil {
				t.Fatal(err)
			}
			var l log
			k := opened(t, sole{s}, l.into).Keys
			if _, ok := k.Find(secret); !ok || len(k.List()) != 1 || !strings.Contains(l.String(), "cannot be read") {
				t.Errorf("found %v, %d keys, log %s", ok, len(k.List()), &l)
			}
			if all, _ := s.Counters(t.Context(), mainCounter("key-x", span{})); len(all) != 1 {
				t.Error("what was used is gone")
			}
		})
	}
}

func TestAdmit(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name  string
		terms Terms
		from  string
		says  string // "" lets in
	}{
		{"no terms", Terms{}, "8.8.8.8", ""},
		{"disabled", Terms{Disabled: true}, "8.8.8.8", "unauthorized: the API key is disabled: ask the operator of this gateway"},
		{"expires later", Terms{Expires: now.Add(time.Second)}, "8.8.8.8", ""},
		{"expires now", Terms{Expires: now}, "8.8.8.8", "unauthorized: the API key has expired on 2030-01-02 at 03:04 UTC: ask the operator of this gateway for a new one"},
		{"the address", Terms{Addresses: []string{"8.8.8.8"}}, "8.8.8.8", ""},
		{"another", Terms{Addresses: []string{"8.8.8.8"}}, "8.8.8.9", "forbidden: the API key may not be used from this address"},
		{"in the block", Terms{Addresses: []string{"8.8.8.8", "10.0.0.0/8"}}, "10.255.0.1", ""},
		{"beside it", Terms{Addresses: []string{"10.0.0.0/8"}}, "11.0.0.1", "forbidden: the API key may not be used from this address"},
		{"IPv6", Terms{Addresses: []string{"2001:db8::/32"}}, "2001:db8:1::5", ""},
		{"IPv4 as IPv6", Terms{Addresses: []string{"10.0.0.0/8"}}, "::ffff:10.0.0.1", ""},
		{"nobody knows from where", Terms{Addresses: []string{"0.0.0.0/0"}}, "", "forbidden: the API key may not be used from this address"},
	} {
		one := &Key{Terms: c.terms}
		var err error
		if one.blocks, err = readAddresses(one.Addresses); err != nil {
			t.Fatal(err)
		}
		says := ""
		if fail := one.Admit(now, net.ParseIP(c.from)); fail != nil {
			says = fail.Error()
		}
		if says != c.says {
			t.Errorf("%s: %q", c.name, says)
		}
	}
}
