package apikey

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

// among hides that nobody else has the store.
type among struct{ store.Store }

var errFull = errors.New("the disk is full")

// clock is set by hand.
type clock struct{ at atomic.Int64 }

func at(when string) *clock {
	c := &clock{}
	c.set(when)
	return c
}

func (c *clock) set(when string) {
	t, err := time.Parse("2006-01-02 15:04", when)
	if err != nil {
		panic(err)
	}
	c.at.Store(t.UnixNano())
}

func (c *clock) now() time.Time { return time.Unix(0, c.at.Load()).UTC() }

func onDisk(t testing.TB) store.Store {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func openOn(t testing.TB, s store.Store, c *clock) *Book {
	t.Helper()
	o := Options{Store: s, Log: slog.New(slog.DiscardHandler)}
	if c != nil {
		o.Now = c.now
	}
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func newKey(t testing.TB, b *Book, terms Terms) *Key {
	t.Helper()
	one, _, err := b.Keys.Create(t.Context(), terms)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// lower changes a quota as another node might, behind the back of who looks at what is used.
func lower(t testing.TB, b *Book, one *Key, quota int64) *Key {
	t.Helper()
	now, rev, err := b.Keys.docs.Get(t.Context(), one.doc.String())
	if err != nil {
		t.Fatal(err)
	}
	now.Quota = quota
	if now.rev, err = b.Keys.docs.Put(t.Context(), one.doc.String(), now, rev); err != nil {
		t.Fatal(err)
	}
	now.sum, now.doc = one.sum, one.doc
	b.Keys.keep(&now)
	return &now
}

func balance(t testing.TB, b *Book, one *Key) Balance {
	t.Helper()
	got, err := b.Ledger.Balance(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// inStore is what the store has of keys and their refunds.
func inStore(t testing.TB, s store.Store) map[string]int64 {
	t.Helper()
	all, err := s.Counters(context.Background(), "key/")
	marks, err2 := s.Counters(context.Background(), "refunds/")
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, marks)
	return all
}

var (
	flash = models.Model{Base: "gemini-2.5-flash"} // 2 units
	pro   = models.Model{Base: "gemini-2.5-pro"}   // 10 units
)

func reserve(t testing.TB, b *Book, one *Key, m models.Model) *Bill {
	t.Helper()
	bill, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: m})
	if fail != nil {
		t.Fatal(fail)
	}
	return bill
}

// ways are the two ways to keep money.
var ways = map[string]func(store.Store) store.Store{
	"local":  func(s store.Store) store.Store { return s },
	"shared": func(s store.Store) store.Store { return among{s} },
}

// drained has what goes back written, where nobody waits for it.
func drained(t testing.TB, b *Book) {
	t.Helper()
	if s, ok := b.Ledger.till.(*shared); ok {
		if err := s.refunds.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWayOfABill(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := onDisk(t)
			b := openOn(t, way(s), nil)
			one := newKey(t, b, Terms{Quota: 25})
			served, refused := reserve(t, b, one, pro), reserve(t, b, one, pro)
			if fail := served.Commit(t.Context()); fail != nil {
				t.Fatal(fail)
			}
			if got := inStore(t, s)["key/"+one.ID+"/used"]; got < 10 || served.Charge().Units != 10 || served.Charge().Base != pro.Base {
				t.Errorf("%d in the store, charge %+v", got, served.Charge())
			}
			_, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: pro})
			if fail == nil || fail.Code != apierror.InsufficientQuota || fail.Status != 429 || fail.RetryAfter != 0 ||
				fail.Message != "this call costs 10 units and the API key has 5 of 25 left" {
				t.Fatalf("%+v", fail)
			}
			served.Close(true, Tokens{})
			refused.Close(false, Tokens{})
			refused.Close(false, Tokens{}) // once
			drained(t, b)
			if got := balance(t, b, one); got.Used != 10 || got.Left != 15 || got.Quota != 25 || got.Ever != 10 {
				t.Errorf("%+v", got)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if got := inStore(t, s); got["key/"+one.ID+"/used"] != 10 || len(got) != 1 {
				t.Errorf("in the store: %v", got)
			}
		})
	}
}

// Sixty-four callers with five thousand calls each get exactly what there is, also from two nodes.
func TestNeverOversold(t *testing.T) {
	calls := 5000
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := onDisk(t)
			if name == "shared" && testing.Short() {
				calls = 500
			}
			nodes := []*Book{openOn(t, way(s), nil)}
			one := newKey(t, nodes[0], Terms{Quota: 1000})
			if name == "shared" {
				nodes = append(nodes, openOn(t, way(s), nil))
			}
			single := models.Model{Base: "some"} // 1 unit
			var served atomic.Int64
			var wg sync.WaitGroup
			for i := range 64 {
				wg.Go(func() {
					l := nodes[i%len(nodes)].Ledger
					for range calls {
						bill, fail := l.Reserve(context.Background(), Ask{Key: one.ID, Model: single})
						if fail == nil {
							if fail = bill.Commit(context.Background()); fail == nil {
								served.Add(1)
							}
							bill.Close(fail == nil, Tokens{})
						}
						if fail != nil && fail.Code != apierror.InsufficientQuota {
							t.Error(fail)
							return
						}
					}
				})
			}
			wg.Wait()
			if served.Load() != 1000 {
				t.Errorf("%d units were served", served.Load())
			}
			for _, b := range nodes {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
			if got := inStore(t, s)["key/"+one.ID+"/used"]; got != 1000 {
				t.Errorf("%d units in the store", got)
			}
		})
	}
}

func TestReprice(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			b := openOn(t, way(onDisk(t)), nil)
			one := newKey(t, b, Terms{Quota: 12, Daily: 11})
			bill := reserve(t, b, one, flash)
			if fail := bill.Reprice(t.Context(), pro); fail != nil || bill.Charge().Units != 10 || bill.Charge().Base != pro.Base {
				t.Fatalf("%v, %+v", fail, bill.Charge())
			}
			dear := models.Model{Base: "gemini-3-pro-preview"}
			fail := bill.Reprice(t.Context(), dear)
			if fail == nil || fail.Code != apierror.InsufficientQuota || bill.Charge().Units != 10 || bill.Charge().Base != pro.Base {
				t.Fatalf("%v, %+v", fail, bill.Charge())
			}
			if !strings.Contains(fail.Message, "15 units") || !strings.Contains(fail.Message, "1 of 11 left for today") {
				t.Error(fail.Message)
			}
			if fail := bill.Reprice(t.Context(), flash); fail != nil || bill.Charge().Units != 2 {
				t.Fatalf("%v, %+v", fail, bill.Charge())
			}
			drained(t, b)
			if got := balance(t, b, one); got.Used != 2 || got.DailyUsed != 2 || got.DailyLeft != 9 || got.Left != 10 {
				t.Errorf("%+v", got)
			}
			bill.Close(false, Tokens{})
			drained(t, b)
			if got := balance(t, b, one); got.Used != 0 || got.DailyUsed != 0 || got.Ever != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// The narrower limit refuses, and nothing is left behind in the other one.
func TestDailyAllowance(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			c := at("2026-11-27 23:50")
			b := openOn(t, way(onDisk(t)), c)
			one := newKey(t, b, Terms{Quota: 100, Daily: 15})
			reserve(t, b, one, pro)
			_, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: pro})
			if fail == nil || fail.RetryAfter != 10*time.Minute || !strings.Contains(fail.Message, "5 of 15 left for today, until 2026-11-28 00:00 UTC") {
				t.Fatalf("%+v", fail)
			}
			if got := balance(t, b, one); got.Used != 10 || got.DailyUsed != 10 {
				t.Errorf("%+v", got)
			}
			_, fail = b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: pro, Times: 2})
			if fail == nil || fail.RetryAfter != 0 {
				t.Errorf("waiting does not help: %+v", fail)
			}
			c.set("2026-11-28 00:00")
			reserve(t, b, one, pro)
			if got := balance(t, b, one); got.Used != 20 || got.DailyUsed != 10 {
				t.Errorf("%+v", got)
			}
			one = lower(t, b, one, 15)
			if _, fail = b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash}); fail == nil || !strings.Contains(fail.Message, "0 of 15 left") {
				t.Errorf("%+v", fail)
			}
			if got := balance(t, b, one); got.Left != 0 || got.DailyUsed != 10 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A quota that renews begins anew at its hour, whatever is under way, and what goes back goes where it came from.
func TestRenewal(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s, c := onDisk(t), at("2026-11-27 23:59")
			b := openOn(t, way(s), c)
			one := newKey(t, b, Terms{Quota: 20, Renews: Daily})
			stays, back := reserve(t, b, one, pro), reserve(t, b, one, pro)
			_, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: pro})
			if fail == nil || fail.RetryAfter != time.Minute || !strings.Contains(fail.Message, "until 2026-11-28 00:00 UTC") {
				t.Fatalf("%+v", fail)
			}
			c.set("2026-11-28 00:00")
			today := reserve(t, b, one, pro)
			stays.Close(true, Tokens{})
			back.Close(false, Tokens{})
			today.Close(true, Tokens{})
			drained(t, b)
			if got := balance(t, b, one); got.Used != 10 || got.Ever != 20 || !got.Renews.Equal(time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)) {
				t.Errorf("%+v", got)
			}
			reserve(t, b, one, pro).Close(true, Tokens{})
			c.set("2026-11-29 00:01")
			b.Ledger.sweep() // yesterday's may still be asked for
			reserve(t, b, one, flash).Close(true, Tokens{})
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			used := "key/" + one.ID + "/used/"
			got := inStore(t, s)
			if got[used+"2026-11-28"] != 20 || got[used+"2026-11-29"] != 2 || got[used+"2026-11-27"] != 0 && got[used+"2026-11-27"] != 10 || got["key/"+one.ID+"/ever"] != 32 {
				t.Errorf("%v", got)
			}
			c.set("2026-12-02 00:01")
			b = openOn(t, way(s), c)
			b.Ledger.sweep()
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if got := inStore(t, s); got["key/"+one.ID+"/ever"] != 32 || len(got) != 1 {
				t.Errorf("after the sweep: %v", got)
			}
		})
	}
}

// What belongs to a key that is gone goes too; among several nodes not before it is certain.
func TestSweepOfDeletedKeys(t *testing.T) {
	for name, way := range ways {
		s := onDisk(t)
		b := openOn(t, way(s), nil)
		one, other := newKey(t, b, Terms{Quota: 20}), newKey(t, b, Terms{Quota: 20})
		reserve(t, b, one, pro)
		reserve(t, b, other, pro)
		if err := b.Keys.Delete(t.Context(), one.ID); err != nil {
			t.Fatal(err)
		}
		if _, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: pro}); fail == nil || fail.Status != 401 {
			t.Errorf("%s: %v", name, fail)
		}
		b.Ledger.sweep()
		b.Ledger.sweep()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if got := inStore(t, s); got["key/"+other.ID+"/used"] != 10 || len(got) != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A reset forgives; what was under way gives nothing back then, and what is used in all stays known.
func TestReset(t *testing.T) {
	for name, way := range ways {
		for _, terms := range []Terms{{Quota: 40}, {Quota: 40, Daily: 40}, {Quota: 40, Renews: Monthly}} {
			s := onDisk(t)
			b := openOn(t, way(s), at("2026-11-27 12:00"))
			one := newKey(t, b, terms)
			before := reserve(t, b, one, pro)
			repriced := reserve(t, b, one, flash)
			reserve(t, b, one, pro).Close(true, Tokens{})
			if err := b.Ledger.Reset(t.Context(), one.ID); err != nil {
				t.Fatal(err)
			}
			reserve(t, b, one, pro).Close(true, Tokens{})
			before.Close(false, Tokens{})
			if fail := repriced.Reprice(t.Context(), pro); fail != nil {
				t.Fatal(fail)
			}
			drained(t, b)
			if got := balance(t, b, one); got.Used != 20 || got.Left != 20 || got.Ever != 30 || terms.Daily > 0 && got.DailyUsed != 20 {
				t.Errorf("%s %+v: %+v", name, terms, got)
			}
			repriced.Close(false, Tokens{})
			if err := b.Ledger.Set(t.Context(), one.ID, 7); err != nil {
				t.Fatal(err)
			}
			if got := balance(t, b, one); got.Used != 7 || terms.Daily > 0 && got.DailyUsed != 7 {
				t.Errorf("%s %+v: set to %+v", name, terms, got)
			}
			if err := b.Ledger.Reset(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
				t.Error(err)
			}
		}
	}
}

// A store that fails has nobody served, and when it is back everything is charged once, whether the write
// that failed was made or not.
func TestStoreThatFails(t *testing.T) {
	for _, late := range []bool{false, true} {
		db := onDisk(t)
		s := sole{&storetest.Flaky{Store: db}}
		b := openOn(t, s, nil)
		one := newKey(t, b, Terms{Quota: 100})
		s.Break(storetest.Fault{Err: errFull, Calls: []string{"Add", "AddOnce"}, Late: late})
		stays, back := reserve(t, b, one, pro), reserve(t, b, one, flash)
		for _, bill := range []*Bill{stays, back} {
			fail := bill.Commit(t.Context())
			if fail == nil || fail.Status != 503 || fail.RetryAfter == 0 || !errors.Is(fail, errFull) {
				t.Fatalf("%+v", fail)
			}
		}
		back.Close(false, Tokens{})
		s.Heal()
		if fail := stays.Commit(t.Context()); fail == nil { // its own write has failed, and that does not change
			t.Error("nobody knows of the write that failed")
		}
		third := reserve(t, b, one, pro)
		if fail := third.Commit(t.Context()); fail != nil {
			t.Fatal(fail)
		}
		if got := inStore(t, db)["key/"+one.ID+"/used"]; got != 20 {
			t.Errorf("late %v: %d in the store", late, got)
		}
		stays.Close(false, Tokens{})
		third.Close(true, Tokens{})
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if got := inStore(t, db)["key/"+one.ID+"/used"]; got != 10 {
			t.Errorf("late %v: %d in the store at the end", late, got)
		}
	}
}

// Refunds on a store of several nodes are not lost while it is away, and not made twice.
func TestRefundsOfAStoreThatFails(t *testing.T) {
	for _, late := range []bool{false, true} {
		db := onDisk(t)
		s := &storetest.Flaky{Store: db}
		b := openOn(t, s, nil)
		one := newKey(t, b, Terms{Quota: 100})
		bills := []*Bill{reserve(t, b, one, pro), reserve(t, b, one, pro), reserve(t, b, one, pro)}
		s.Break(storetest.Fault{Err: errFull, Calls: []string{"Add", "AddOnce"}, Late: late})
		bills[0].Close(false, Tokens{})
		till := b.Ledger.till.(*shared)
		if err := till.refunds.wait(t.Context()); !errors.Is(err, errFull) {
			t.Fatal(err)
		}
		bills[1].Close(false, Tokens{})
		s.Heal()
		drained(t, b)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if got := inStore(t, db); got["key/"+one.ID+"/used"] != 10 || len(got) != 1 {
			t.Errorf("late %v: %v", late, got)
		}
	}
	s := &storetest.Flaky{Store: onDisk(t)}
	b := openOn(t, s, nil)
	one := newKey(t, b, Terms{Quota: 100})
	s.Break(storetest.Fault{Err: errFull, Calls: []string{"Take"}, Times: 1})
	if _, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: pro}); fail == nil || fail.Status != 503 || fail.RetryAfter == 0 {
		t.Errorf("%+v", fail)
	}
}
