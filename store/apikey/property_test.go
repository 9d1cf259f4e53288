package apikey

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"gcli2api/pipeline/models"
	"gcli2api/store"
)

// cut is a store that a process can be cut off from, as if it were killed.
type cut struct {
	store.Store
	alone bool
	off   atomic.Bool
}

func (c *cut) Alone() bool { return c.alone }

func (c *cut) Add(ctx context.Context, deltas []store.Delta) error {
	if c.off.Load() {
		return store.ErrClosed
	}
	return c.Store.Add(ctx, deltas)
}

func (c *cut) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	if c.off.Load() {
		return 0, store.ErrClosed
	}
	return c.Store.Take(ctx, counter, n, limit)
}

// world is a key, and what should be known about it.
type world struct {
	*testing.T
	rand  *rand.Rand
	disk  store.Store
	alone bool
	link  *cut
	book  *Book
	key   *Key

	bills    []*Bill
	used     int64 // as it should be
	durable  int64 // of that, what was said to be durable
	refunded int64 // since the last moment at which all was written
	said     []string
}

func (w *world) open() {
	w.link = &cut{Store: w.disk, alone: w.alone}
	w.book = openOn(w, w.link, nil)
	w.bills, w.refunded, w.durable = nil, 0, w.used // what was open stays charged
	if w.key != nil {
		w.key, _ = w.book.Keys.ByID(w.key.ID)
	}
}

func (w *world) note(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

func (w *world) check() {
	w.Helper()
	drained(w, w.book)
	got := balance(w, w.book, w.key)
	if got.Used != w.used || got.Left != max(got.Quota-got.Used, 0) || got.Used <= got.Quota && got.Used+got.Left != got.Quota {
		w.Fatalf("%+v, used should be %d\n%q", got, w.used, w.said)
	}
}

var priced = []models.Model{{Base: "some"}, flash, pro}

func (w *world) reserve() {
	m := priced[w.rand.IntN(3)]
	left := balance(w, w.book, w.key).Left
	bill, fail := w.book.Ledger.Reserve(w.Context(), Ask{Key: w.key.ID, Model: m, Times: int64(1 + w.rand.IntN(2))})
	if fail == nil {
		w.note("reserve %d", bill.Charge().Units)
		w.bills, w.used = append(w.bills, bill), w.used+bill.Charge().Units
	} else if left >= 20 {
		w.Fatalf("%v, with %d left\n%q", fail, left, w.said)
	}
}

func (w *world) bill() (at int, b *Bill) {
	if len(w.bills) == 0 {
		return 0, nil
	}
	at = w.rand.IntN(len(w.bills))
	return at, w.bills[at]
}

func (w *world) reprice() {
	_, b := w.bill()
	if b == nil {
		return
	}
	was := b.Charge().Units
	if b.from.epoch != b.from.purse.epoch {
		was = 0 // forgiven
	}
	_ = b.Reprice(w.Context(), priced[w.rand.IntN(3)]) // or what was stands
	w.note("reprice %d to %d", was, b.Charge().Units)
	w.used += b.Charge().Units - was
	w.refunded += max(was-b.Charge().Units, 0)
}

func (w *world) end(began bool) {
	i, b := w.bill()
	if b == nil {
		return
	}
	w.bills = append(w.bills[:i], w.bills[i+1:]...)
	units := b.Charge().Units
	if b.from.epoch != b.from.purse.epoch {
		units = 0
	}
	if w.note("end %d, began %v", units, began); began {
		if fail := b.Commit(w.Context()); fail != nil {
			w.Fatal(fail)
		}
		w.durable += units
	} else {
		w.used -= units
		w.refunded += units
	}
	b.Close(began, Tokens{})
}

func (w *world) topUp() {
	more := int64(w.rand.IntN(40)) - 10
	w.note("quota %+d", more)
	w.key = lower(w, w.book, w.key, max(w.key.Quota+more, 1))
}

func (w *world) reset() {
	w.note("reset")
	if err := w.book.Ledger.Reset(w.Context(), w.key.ID); err != nil {
		w.Fatal(err)
	}
	w.used, w.durable, w.refunded = 0, 0, 0
}

// stored is what the store has.
func (w *world) stored() int64 { return inStore(w, w.disk)["key/"+w.key.ID+"/used"] }

func (w *world) restart() {
	w.note("restart")
	if err := w.book.Close(); err != nil {
		w.Fatal(err)
	}
	if got := w.stored(); got != w.used {
		w.Fatalf("%d in the store, %d used\n%q", got, w.used, w.said)
	}
	w.open()
}

func (w *world) crash() {
	w.note("crash")
	w.link.off.Store(true)
	_ = w.book.Close()
	got := w.stored()
	if got < w.durable || got > w.used+w.refunded {
		w.Fatalf("%d in the store, %d durable, %d used, %d given back\n%q", got, w.durable, w.used, w.refunded, w.said)
	}
	w.used = got
	w.open()
}

// Whatever happens in whichever order, used and left add up to the total, the store has in the end what was
// served, and a crash loses nothing that was called durable.
func TestWhateverHappens(t *testing.T) {
	seeds := 25
	if testing.Short() {
		seeds = 10
	}
	for name := range ways {
		for seed := range seeds {
			t.Run(fmt.Sprint(name, "/", seed), func(t *testing.T) {
				w := &world{T: t, rand: rand.New(rand.NewPCG(uint64(seed), 7)), disk: onDisk(t), alone: name == "local"}
				w.open()
				w.key = newKey(t, w.book, Terms{Quota: 200})
				for range 200 {
					switch n := w.rand.IntN(100); {
					case n < 40:
						w.reserve()
					case n < 55:
						w.reprice()
					case n < 75:
						w.end(true)
					case n < 90:
						w.end(false)
					case n < 95:
						w.topUp()
					case n < 97:
						w.reset()
					case n < 98:
						w.restart()
					default:
						w.crash()
					}
					if w.rand.IntN(4) == 0 {
						w.check()
					}
				}
				w.check()
				w.restart()
			})
		}
	}
}

// Many at a time: what was served is what the store has in the end.
func TestManyBillsAtATime(t *testing.T) {
	for name, way := range ways {
		s := onDisk(t)
		b := openOn(t, way(s), nil)
		keys := []*Key{newKey(t, b, Terms{Quota: 1 << 40}), newKey(t, b, Terms{Quota: 3000, Daily: 2000}), newKey(t, b, Terms{Quota: 1 << 40, Renews: Weekly})}
		var served [3]atomic.Int64
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(g), 1))
				for range 100 {
					i := r.IntN(3)
					bill, fail := b.Ledger.Reserve(context.Background(), Ask{Key: keys[i].ID, Model: priced[r.IntN(3)]})
					if fail != nil {
						continue // that one has a limit
					}
					if r.IntN(3) == 0 {
						_ = bill.Reprice(context.Background(), priced[r.IntN(3)])
					}
					began := r.IntN(2) == 0 && bill.Commit(context.Background()) == nil
					if bill.Close(began, Tokens{}); began {
						served[i].Add(bill.Charge().Units)
					}
				}
			})
		}
		wg.Wait()
		drained(t, b)
		for i, one := range keys {
			if got := balance(t, b, one); got.Used != served[i].Load() || got.Ever != got.Used || one.Daily > 0 && got.DailyUsed != got.Used {
				t.Errorf("%s: %+v, served %d", name, got, served[i].Load())
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		got, total := inStore(t, s), int64(0)
		for counter, n := range got {
			if id, ok := idOf(counter); ok && counter != everCounter(id) && counter[len(ofKey(id)):][:3] != "day" {
				total += n
			}
		}
		if want := served[0].Load() + served[1].Load() + served[2].Load(); total != want {
			t.Errorf("%s: %d in the store, served %d: %v", name, total, want, got)
		}
	}
}
