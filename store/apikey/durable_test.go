package apikey

import (
	"context"
	"errors"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/store"
	"gcli2api/store/storetest"
)

// flaw is a store that fails on command, and whether it is that of this process alone.
func flaw(t *testing.T, way string) (store.Store, *storetest.Flaky, store.Store) {
	db := onDisk(t)
	f := &storetest.Flaky{Store: db}
	if way == "local" {
		return sole{f}, f, db
	}
	return f, f, db
}

// What could not be written is written when the store is back, though nothing more happens to the key.
func TestAWriteThatFailedIsMadeByItself(t *testing.T) {
	for way, want := range map[string]int64{"local": 10, "shared": 0} {
		s, faults, db := flaw(t, way)
		b := openOn(t, s, nil)
		one := newKey(t, b, Terms{Quota: 100})
		used := ofKey(one.ID) + "used"
		if way == "shared" { // what is taken is there at once, what goes back is not
			bill := reserve(t, b, one, pro)
			faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add"}, Times: 1})
			bill.Close(false, Tokens{})
		} else {
			faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add"}, Times: 1})
			if fail := reserve(t, b, one, pro).Commit(t.Context()); !errors.Is(fail, errFull) {
				t.Fatal(fail)
			}
		}
		soon(t, way+": the store has what was decided", func() bool { return faults.Failed() == 1 && inStore(t, db)[used] == want })
	}
}

// What is only in memory when a ledger ends is written then, each time.
func TestTheEndOfALedgerWritesWhatIsLeft(t *testing.T) {
	for way, of := range ways {
		db := onDisk(t)
		first := openOn(t, of(db), nil)
		one := newKey(t, first, Terms{Quota: 1000})
		_ = first.Close()
		for round := int64(1); round <= 20; round++ {
			b := openOn(t, of(db), nil)
			stays, back := reserve(t, b, one, flash), reserve(t, b, one, pro)
			stays.Close(true, Tokens{})
			back.Close(false, Tokens{})
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if got := inStore(t, db)[ofKey(one.ID)+"used"]; got != 2*round {
				t.Fatalf("%s: %d in the store after round %d", way, got, round)
			}
		}
	}
}

// A ledger that could not write the last of it says so.
func TestTheEndOfALedgerThatCannotWrite(t *testing.T) {
	for way := range ways {
		s, faults, _ := flaw(t, way)
		b := openOn(t, s, nil)
		one := newKey(t, b, Terms{Quota: 100})
		bill := reserve(t, b, one, pro)
		faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add"}})
		bill.Close(false, Tokens{})
		reserve(t, b, one, flash)
		if err := b.Ledger.Close(); err == nil {
			t.Errorf("%s: nobody hears that something is lost", way)
		}
		faults.Heal()
	}
}

// Nothing is called durable that a ledger took in after its end.
func TestNothingIsDurableAfterTheEnd(t *testing.T) {
	b := openOn(t, onDisk(t), nil)
	one := newKey(t, b, Terms{Quota: 100})
	if err := b.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if fail := reserve(t, b, one, pro).Commit(t.Context()); fail == nil || fail.Status != 503 {
		t.Errorf("%+v", fail)
	}
}

// Where the store cannot even tell whether a write was made, who waits for another one hears of it, and
// everything is charged once in the end.
func TestAStoreThatDoesNotTell(t *testing.T) {
	for _, late := range []bool{false, true} {
		s, faults, db := flaw(t, "local")
		b := openOn(t, s, nil)
		one := newKey(t, b, Terms{Quota: 100})
		faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add"}, Times: 1, Late: late})
		faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Counters"}})
		for range 2 {
			if fail := reserve(t, b, one, pro).Commit(t.Context()); !errors.Is(fail, errFull) {
				t.Errorf("late %v: called durable: %v", late, fail)
			}
		}
		faults.Heal()
		if fail := reserve(t, b, one, pro).Commit(t.Context()); fail != nil {
			t.Fatal(fail)
		}
		if got := inStore(t, db)[ofKey(one.ID)+"used"]; got != 30 {
			t.Errorf("late %v: %d in the store", late, got)
		}
	}
}

// A refund that is in doubt is not forgotten for those that come while nobody can tell.
func TestRefundsInDoubt(t *testing.T) {
	for _, late := range []bool{false, true} {
		s, faults, db := flaw(t, "shared")
		b := openOn(t, s, nil)
		one := newKey(t, b, Terms{Quota: 100})
		bills := []*Bill{reserve(t, b, one, pro), reserve(t, b, one, flash), reserve(t, b, one, pro)}
		till := b.Ledger.till.(*shared)
		faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add"}, Times: 1, Late: late})
		faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Counters"}})
		for _, bill := range bills[:2] {
			bill.Close(false, Tokens{})
			if err := till.refunds.wait(t.Context()); !errors.Is(err, errFull) {
				t.Fatal(err)
			}
		}
		faults.Heal()
		drained(t, b)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if got := inStore(t, db); got[ofKey(one.ID)+"used"] != 10 || len(got) != 1 {
			t.Errorf("late %v: %v", late, got)
		}
	}
}

// gate is a store of this process alone whose next write stops until it is let go.
type gate struct {
	sole
	came, let chan struct{}
}

func (g gate) Add(ctx context.Context, deltas []store.Delta) error {
	if len(deltas) > 0 && g.came != nil {
		g.came <- struct{}{}
		<-g.let
	}
	return g.sole.Add(ctx, deltas)
}

// What is decided while a write is under way is not taken for written.
func TestWhatComesDuringAWrite(t *testing.T) {
	db := onDisk(t)
	g := gate{sole{&storetest.Flaky{Store: db}}, make(chan struct{}), make(chan struct{})}
	b := openOn(t, g, nil)
	one := newKey(t, b, Terms{Quota: 100})
	first := reserve(t, b, one, pro)
	<-g.came
	second := reserve(t, b, one, flash)
	g.let <- struct{}{}
	for _, bill := range []*Bill{first, second} {
		done := make(chan *apierror.Error, 1)
		go func() { done <- bill.Commit(context.Background()) }()
		select {
		case fail := <-done:
			if fail != nil {
				t.Fatal(fail)
			}
			continue
		case <-g.came:
			g.let <- struct{}{}
		}
		if fail := <-done; fail != nil {
			t.Fatal(fail)
		}
	}
	if got := inStore(t, db)[ofKey(one.ID)+"used"]; got != 12 {
		t.Errorf("%d in the store", got)
	}
	go func() { // lets the end through
		for {
			select {
			case <-g.came:
				g.let <- struct{}{}
			case <-b.Ledger.till.(*local).ended:
				return
			}
		}
	}()
	if err := b.Ledger.Close(); err != nil {
		t.Error(err)
	}
}

// A price that could not be raised leaves the one that stands, with its write yet to wait for.
func TestARefusedPriceIsStillWaitedFor(t *testing.T) {
	s, faults, _ := flaw(t, "local")
	b := openOn(t, s, nil)
	one := newKey(t, b, Terms{Quota: 5})
	faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add"}})
	bill := reserve(t, b, one, flash)
	if fail := bill.Reprice(t.Context(), pro); fail == nil || fail.Code != apierror.QuotaExhausted {
		t.Fatal(fail)
	}
	if fail := bill.Commit(t.Context()); !errors.Is(fail, errFull) {
		t.Errorf("called durable: %v", fail)
	}
	faults.Heal()
}

// gone is a store from which whoever asks goes away as soon as something was taken.
type gone struct {
	store.Store
	leave context.CancelFunc
}

func (g gone) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	left, err := g.Store.Take(context.WithoutCancel(ctx), counter, n, limit)
	if g.leave(); ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return left, err
}

// Who leaves while the price is taken has it given back.
func TestWhoLeavesWhileThePriceIsTaken(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	db := onDisk(t)
	b := openOn(t, gone{db, leave}, nil)
	one := newKey(t, b, Terms{Quota: 100})
	if bill, fail := b.Ledger.Reserve(ctx, Ask{Key: one.ID, Model: pro}); fail == nil {
		bill.Close(false, Tokens{})
	}
	drained(t, b)
	if got := inStore(t, db)[ofKey(one.ID)+"used"]; got != 0 {
		t.Errorf("%d are gone for nothing", got)
	}
}

// busy is a store in which others always take first what is left.
type busy struct {
	store.Store
	tries *int
}

func (s busy) Take(context.Context, string, int64, int64) (int64, error) {
	if *s.tries++; *s.tries > 100 {
		return 0, errFull
	}
	return 5, store.ErrExhausted
}

// A node that is always too late gives up.
func TestANodeThatIsAlwaysTooLate(t *testing.T) {
	tries := 0
	b := openOn(t, busy{onDisk(t), &tries}, nil)
	one := newKey(t, b, Terms{Quota: 100})
	_, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: pro, Tokens: Tokens{1, 9}, Rate: &Rate{1_000_000, 1_000_000}})
	if fail == nil || fail.Code != apierror.QuotaExhausted || tries != mostTries+1 {
		t.Errorf("%v after %d tries", fail, tries)
	}
}

// halved is a store that does not answer for the counters of a day.
type halved struct {
	store.Store
	left error
}

func (s halved) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	if id, _ := idOf(counter); counter[len(ofKey(id)):][:3] == "day" {
		return 0, errFull
	}
	return 0, s.left
}

// That nobody knows of one limit is said also where the other one refuses: who is told of a quota does not
// come again.
func TestAStoreThatAnswersHalf(t *testing.T) {
	for _, left := range []error{nil, store.ErrExhausted} {
		b := openOn(t, halved{onDisk(t), left}, nil)
		one := newKey(t, b, Terms{Quota: 100, Daily: 100})
		if _, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: pro}); fail == nil || fail.Status != 503 || !errors.Is(fail, errFull) {
			t.Errorf("%v: %v", left, fail)
		}
	}
}
