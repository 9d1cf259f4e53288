package apikey

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store"
	"gcli2api/store/storetest"
)

var errAway = &store.Away{Engine: "Test", Err: errors.New("no route")}

// graced is a book whose calls go on while its store is away; for how long is changed by the test.
func graced(t *testing.T, s store.Store, c *clock) (*Book, *time.Duration) {
	t.Helper()
	last := time.Hour
	o := Options{Store: s, Log: slog.New(slog.DiscardHandler), Settings: func() Settings { return Settings{DefaultCost: 1, Grace: last} }}
	if c != nil {
		o.Now = c.now
	}
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	f := floatsOf(b)
	close(f.stop) // its rounds are made by the test
	<-f.ended
	f.stop = make(chan struct{})
	return b, &last
}

func floatsOf(b *Book) *floats { return b.Ledger.till.(*shared).floats }

// pay makes a call that is answered, and says why not.
func pay(t *testing.T, b *Book, one *Key, ask Ask) *apierror.Error {
	t.Helper()
	ask.Key, ask.Model = one.ID, flash
	bill, fail := b.Ledger.Reserve(t.Context(), ask)
	if fail == nil {
		bill.Close(true, Tokens{})
	}
	return fail
}

// payMost calls until it is refused, and says how many calls were answered.
func payMost(t *testing.T, b *Book, one *Key, status int) (calls int64) {
	t.Helper()
	for {
		fail := pay(t, b, one, Ask{})
		if fail != nil && (fail.Status != status || status == 503 && fail.RetryAfter <= 0) {
			t.Fatalf("after %d calls: %v", calls, fail)
		}
		if fail != nil {
			return calls
		}
		calls++
	}
}

// TestGrace: while the store is away calls are served from what was taken before, and in the end just the calls
// that were served are charged.
func TestGrace(t *testing.T) {
	db := onDisk(t)
	s := &storetest.Flaky{Store: db}
	b, _ := graced(t, s, nil)
	one := newKey(t, b, Terms{Quota: 10_000})
	price := b.Costs.Price(flash)
	if fail := pay(t, b, one, Ask{}); fail != nil {
		t.Fatal(fail)
	}
	floatsOf(b).round()
	if got := inStore(t, db)[ofKey(one.ID)+"used"]; got != price+10*price {
		t.Errorf("%d units are taken for a call and ten more of %d", got, price)
	}
	s.Break(storetest.Fault{Err: errAway})
	back, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash})
	if fail != nil {
		t.Fatal(fail)
	}
	back.Close(false, Tokens{}) // it failed: its price goes back when the store is there again
	served := payMost(t, b, one, 503)
	if served != 9 {
		t.Errorf("%d calls were served of ten that were taken", served)
	}
	s.Heal()
	floatsOf(b).round()
	if fail := pay(t, b, one, Ask{}); fail != nil {
		t.Error(fail)
	}
	floatsOf(b).round()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := inStore(t, db)[ofKey(one.ID)+"used"]; got != (served+2)*price {
		t.Errorf("%d units are charged for %d calls of %d", got, served+2, price)
	}
}

// TestGraceEnds: no grace, one that is over, and one that is switched off.
func TestGraceEnds(t *testing.T) {
	db := onDisk(t)
	s := &storetest.Flaky{Store: db}
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC).UnixNano())
	b, last := graced(t, s, c)
	one := newKey(t, b, Terms{Quota: 10_000, Renews: Monthly, Daily: 5_000})
	used := func() int64 {
		t.Helper()
		drained(t, b)
		now, err := b.Ledger.Balance(t.Context(), one)
		if err != nil || now.Used != now.DailyUsed || now.Used != now.Ever {
			t.Fatalf("%+v %v", now, err)
		}
		return now.Used
	}
	refused := func(why string) {
		t.Helper()
		s.Break(storetest.Fault{Err: errAway})
		if fail := pay(t, b, one, Ask{}); fail == nil || fail.Status != 503 || fail.RetryAfter <= 0 {
			t.Errorf("%s: %v", why, fail)
		}
		s.Heal()
		floatsOf(b).round()
	}
	price := b.Costs.Price(flash)
	_ = pay(t, b, one, Ask{})
	floatsOf(b).round()
	if got := used(); got != 11*price {
		t.Fatalf("%d", got)
	}
	s.Break(storetest.Fault{Err: errAway})
	if fail := pay(t, b, one, Ask{}); fail != nil {
		t.Fatal(fail)
	}
	c.at.Add(int64(*last) + int64(time.Second))
	refused("it is over")
	floatsOf(b).round() // the key was idle
	if got := used(); got != 2*price {
		t.Errorf("%d units for two calls", got)
	}
	_ = pay(t, b, one, Ask{})
	floatsOf(b).round()
	*last = 0
	refused("it is switched off")
	if got := used(); got != 3*price {
		t.Errorf("%d units for three calls", got)
	}
}

// TestGraceLosesNothing: what two nodes have taken ahead is spent when there is nothing left, and not a unit more.
func TestGraceLosesNothing(t *testing.T) {
	db := onDisk(t)
	s := &storetest.Flaky{Store: db}
	a, _ := graced(t, s, nil)
	b, _ := graced(t, s, nil)
	price := a.Costs.Price(flash)
	one := newKey(t, a, Terms{Quota: 600 * price})
	soon(t, "the key on the other node", func() bool { _, ok := b.Keys.ByID(one.ID); return ok })
	var calls int64
	for range 100 {
		for _, node := range []*Book{a, b} {
			if fail := pay(t, node, one, Ask{}); fail != nil {
				t.Fatal(fail)
			}
			calls++
			floatsOf(node).round()
		}
	}
	if got := inStore(t, db)[ofKey(one.ID)+"used"]; got <= calls*price || got > calls*price+2*6*price {
		t.Errorf("%d units are taken for %d calls of %d: more than a hundredth ahead on each node", got, calls, price)
	}
	calls += payMost(t, a, one, 429)
	calls += payMost(t, b, one, 429)
	if calls != 600 {
		t.Errorf("%d calls of 600", calls)
	}
}

// TestGraceAndReset: what was taken ahead before a reset is not spent after it.
func TestGraceAndReset(t *testing.T) {
	db := onDisk(t)
	s := &storetest.Flaky{Store: db}
	b, _ := graced(t, s, nil)
	one := newKey(t, b, Terms{Quota: 10_000})
	_ = pay(t, b, one, Ask{})
	floatsOf(b).round()
	if err := b.Ledger.Reset(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	s.Break(storetest.Fault{Err: errAway})
	if fail := pay(t, b, one, Ask{}); fail == nil || fail.Status != 503 {
		t.Errorf("served for nothing: %v", fail)
	}
	s.Heal()
	drained(t, b)
	if now := balance(t, b, one); now.Used != 0 || now.Ever != b.Costs.Price(flash) {
		t.Errorf("%+v", now)
	}
}

// TestGraceAndLimits: the limits of requests hold by what this node knows.
func TestGraceAndLimits(t *testing.T) {
	s := &storetest.Flaky{Store: onDisk(t)}
	b, _ := graced(t, s, nil)
	one := newKey(t, b, Terms{Quota: 10_000, Requests: 5, Tokens: 1000, Concurrency: 2})
	ask := Ask{Tokens: Tokens{Input: 10}}
	for range 2 {
		if fail := pay(t, b, one, ask); fail != nil {
			t.Fatal(fail)
		}
	}
	floatsOf(b).round()
	s.Break(storetest.Fault{Err: errAway})
	for range 3 {
		if fail := pay(t, b, one, ask); fail != nil {
			t.Fatal(fail)
		}
	}
	if fail := pay(t, b, one, ask); fail == nil || fail.Status != 429 {
		t.Errorf("the sixth of five: %v", fail)
	}
}

// TestGraceIsForOutages: what is taken ahead is for a store that is away. One that answers, and says that
// something is wrong, is not passed over: neither its counters nor its limits.
func TestGraceIsForOutages(t *testing.T) {
	for _, terms := range []Terms{{Quota: 10_000}, {Quota: 10_000, Requests: 500}} {
		s := &storetest.Flaky{Store: onDisk(t)}
		b, _ := graced(t, s, nil)
		one := newKey(t, b, terms)
		_ = pay(t, b, one, Ask{})
		floatsOf(b).round()
		s.Break(storetest.Fault{Err: errFull, Calls: []string{"Take"}})
		if fail := pay(t, b, one, Ask{}); fail == nil || fail.Status != 503 {
			t.Errorf("%+v: %v", terms, fail)
		}
	}
}

// TestGraceIsNoCredit: a call is served whose whole price was taken ahead, and no other.
func TestGraceIsNoCredit(t *testing.T) {
	s := &storetest.Flaky{Store: onDisk(t)}
	b, _ := graced(t, s, nil)
	one := newKey(t, b, Terms{Quota: 10_000})
	_ = pay(t, b, one, Ask{})
	floatsOf(b).round()
	ahead := 10 * b.Costs.Price(flash)
	s.Break(storetest.Fault{Err: errAway})
	for ahead >= b.Costs.Price(pro) { // of the dearer calls too many for what is left
		if fail := pay(t, b, one, Ask{}); fail != nil {
			t.Fatal(fail)
		}
		ahead -= b.Costs.Price(flash)
	}
	if ahead <= 0 {
		t.Fatal("nothing is left: the prices have changed")
	}
	if _, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: pro}); fail == nil || fail.Status != 503 {
		t.Errorf("a call of %d with %d ahead: %v", b.Costs.Price(pro), ahead, fail)
	}
}

// TestGraceOfYesterday: what was taken ahead on one day is not spent on the next, whose allowance it is not of.
func TestGraceOfYesterday(t *testing.T) {
	s, c := &storetest.Flaky{Store: onDisk(t)}, &clock{}
	c.at.Store(time.Date(2026, 11, 17, 23, 59, 50, 0, time.UTC).UnixNano())
	b, _ := graced(t, s, c)
	one := newKey(t, b, Terms{Quota: 10_000, Daily: 5_000})
	_ = pay(t, b, one, Ask{})
	floatsOf(b).round()
	c.at.Add(int64(20 * time.Second)) // the key is not idle
	floatsOf(b).round()
	s.Break(storetest.Fault{Err: errAway})
	if fail := pay(t, b, one, Ask{}); fail == nil || fail.Status != 503 {
		t.Errorf("paid from yesterday: %v", fail)
	}
	s.Heal()
	floatsOf(b).round()
	drained(t, b)
	if now := balance(t, b, one); now.Used != b.Costs.Price(flash) || now.DailyUsed != 0 {
		t.Errorf("%+v", now)
	}
}

// TestGraceAtMidnight: what was paid from yesterday's units goes back to yesterday, and not to what others have
// used today.
func TestGraceAtMidnight(t *testing.T) {
	db, c := onDisk(t), &clock{}
	s := &storetest.Flaky{Store: db}
	c.at.Store(time.Date(2026, 11, 17, 23, 59, 50, 0, time.UTC).UnixNano())
	a, _ := graced(t, s, c)
	b, _ := graced(t, &storetest.Flaky{Store: db}, c)
	one := newKey(t, a, Terms{Quota: 10_000, Daily: 5_000})
	soon(t, "the key on the other node", func() bool { _, ok := b.Keys.ByID(one.ID); return ok })
	_ = pay(t, a, one, Ask{})
	floatsOf(a).round()
	c.at.Add(int64(20 * time.Second))
	if fail := pay(t, b, one, Ask{}); fail != nil {
		t.Fatal(fail)
	}
	s.Break(storetest.Fault{Err: errAway})
	back, fail := a.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash})
	if fail != nil {
		t.Fatal(fail)
	}
	back.Close(false, Tokens{})
	s.Heal()
	floatsOf(a).round()
	drained(t, a)
	if now := balance(t, b, one); now.DailyUsed != b.Costs.Price(flash) || now.Used != 2*b.Costs.Price(flash) {
		t.Errorf("%+v", now)
	}
}
