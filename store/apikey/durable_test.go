package apikey

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

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
			faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add", "AddOnce"}, Times: 1})
			bill.Close(false, Tokens{})
		} else {
			faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add", "AddOnce"}, Times: 1})
			if fail := reserve(t, b, one, pro).Commit(t.Context()); fail == nil || !errors.Is(fail, errFull) {
				t.Fatal(fail)
			}
		}
		soon(t, way+": the store has what was decided", func() bool { return faults.Failed() == 1 && inStore(t, db)[used] == want })
	}
}

// What came while a write was under way is written too when the ledger ends then, each time.
func TestTheEndOfALedgerWritesWhatIsLeft(t *testing.T) {
	for way := range ways {
		db := onDisk(t)
		first := openOn(t, db, nil)
		one := newKey(t, first, Terms{Quota: 1000})
		_ = first.Close()
		for round := int64(1); round <= 12; round++ {
			g := newGate(db, way == "local")
			b := openOn(t, g, nil)
			stays, back, last := reserve(t, b, one, flash), reserve(t, b, one, pro), reserve(t, b, one, pro)
			back.end(want{}) // Close would wait for what is held up here
			<-g.came         // of the two bills, or of what goes back
			stays.Close(true, Tokens{})
			last.end(want{})
			ended := make(chan error, 1)
			go func() { ended <- b.Ledger.Close() }()
			if l, ok := b.Ledger.till.(*local); ok {
				<-l.stop
			} else {
				<-b.Ledger.till.(*shared).refunds.stop
			}
			close(g.let)
			if err := <-ended; err != nil {
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
		faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add", "AddOnce"}})
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
		one, other := newKey(t, b, Terms{Quota: 100}), newKey(t, b, Terms{Quota: 100})
		faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add"}, Times: 1, Late: late})
		faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Counters", "Take"}})
		if fail := reserve(t, b, one, pro).Commit(t.Context()); fail == nil || !errors.Is(fail, errFull) {
			t.Fatal(fail)
		}
		for range 4 {
			bill := reserve(t, b, one, pro)
			reserve(t, b, other, flash) // of which everything is known, and which may be written
			if fail := bill.Commit(t.Context()); fail == nil || !errors.Is(fail, errFull) {
				t.Errorf("late %v: called durable: %v", late, fail)
			}
		}
		faults.Heal()
		if fail := reserve(t, b, one, pro).Commit(t.Context()); fail != nil {
			t.Fatal(fail)
		}
		if got := inStore(t, db)[ofKey(one.ID)+"used"]; got != 60 {
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
		faults.Break(storetest.Fault{Err: errFull, Calls: []string{"AddOnce"}, Late: late})
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

// What was given back a moment before the end is written, whichever of the two the writer hears of first.
func TestRefundsOfTheLastMoment(t *testing.T) {
	const rounds = 50
	db := newStore(t)
	for range rounds {
		r := openRefunds(db, slog.New(slog.DiscardHandler))
		r.add("key/x/used", 1)
		if err := r.close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := inStore(t, db)["key/x/used"]; got != rounds {
		t.Errorf("%d of %d were written", got, rounds)
	}
}

// A batch that was in doubt for nearly as long as the store remembers its id is given up: made again it might
// arrive twice.
func TestRefundsThatAreTooOld(t *testing.T) {
	for age, want := range map[time.Duration]int64{sureFor - time.Minute: 3, sureFor + time.Second: 0} {
		db := newStore(t)
		r := &refunds{store: db, log: slog.New(slog.DiscardHandler), pending: map[string]int64{}}
		r.batch = batch{id: "old", begun: time.Now().Add(-age), deltas: []store.Delta{{Counter: "key/x/used", N: 3}}}
		if err := r.write(); err != nil {
			t.Fatal(err)
		}
		if got := inStore(t, db)["key/x/used"]; got != want || len(r.batch.deltas) != 0 {
			t.Errorf("after %v: %d, want %d", age, got, want)
		}
	}
}

// gate is a store whose writes stop until they are let go.
type gate struct {
	store.Store
	alone bool
	came  chan struct{} // a first write has come
	let   chan struct{} // closed when it may go on, and all others
	once  *sync.Once
}

func newGate(s store.Store, alone bool) gate {
	return gate{s, alone, make(chan struct{}), make(chan struct{}), &sync.Once{}}
}

func (g gate) Alone() bool { return g.alone }

func (g gate) Add(ctx context.Context, deltas []store.Delta) error {
	g.once.Do(func() { close(g.came) })
	<-g.let
	return g.Store.Add(ctx, deltas)
}

func (g gate) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	g.once.Do(func() { close(g.came) })
	<-g.let
	return g.Store.AddOnce(ctx, id, deltas)
}

// What is decided while a write is under way is not taken for written.
func TestWhatComesDuringAWrite(t *testing.T) {
	db := onDisk(t)
	g := newGate(db, true)
	b := openOn(t, g, nil)
	one := newKey(t, b, Terms{Quota: 100})
	bills := []*Bill{reserve(t, b, one, pro)}
	<-g.came
	bills = append(bills, reserve(t, b, one, flash))
	close(g.let)
	for _, bill := range bills {
		if fail := bill.Commit(t.Context()); fail != nil {
			t.Fatal(fail)
		}
	}
	if got := inStore(t, db)[ofKey(one.ID)+"used"]; got != 12 {
		t.Errorf("%d in the store", got)
	}
}

// A price that could not be raised leaves the one that stands, with its write yet to wait for.
func TestARefusedPriceIsStillWaitedFor(t *testing.T) {
	s, faults, _ := flaw(t, "local")
	b := openOn(t, s, nil)
	one := newKey(t, b, Terms{Quota: 5})
	faults.Break(storetest.Fault{Err: errFull, Calls: []string{"Add", "AddOnce"}})
	bill := reserve(t, b, one, flash)
	if fail := bill.Reprice(t.Context(), pro); fail == nil || fail.Code != apierror.InsufficientQuota {
		t.Fatal(fail)
	}
	if fail := bill.Commit(t.Context()); fail == nil || !errors.Is(fail, errFull) {
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
	if fail == nil || fail.Code != apierror.InsufficientQuota || tries != mostTries+1 {
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
