package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

// ticking is a clock that a test moves while the pool reads it.
type ticking struct{ nano atomic.Int64 }

func newTicking(at string) *ticking {
	c := &ticking{}
	c.set(at)
	return c
}

func (c *ticking) now() time.Time          { return time.Unix(0, c.nano.Load()).UTC() }
func (c *ticking) forward(d time.Duration) { c.nano.Add(int64(d)) }
func (c *ticking) set(at string) {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	c.nano.Store(t.UnixNano())
}

func flakyStore(t testing.TB, path string) *storetest.Flaky {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &storetest.Flaky{Store: db}
}

// node is a pool with a memory of its own, as one process of several on a store.
type node struct {
	*Pool
	m *Memory
}

func newNode(t testing.TB, s store.Store, n int, change ...func(*Options)) node {
	t.Helper()
	m, err := Remember(t.Context(), s, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	o := Options{States: m, Settings: Settings{CallsPerRotation: 1, AutoBan: true, AutoBanCodes: []int{403}, DailyPro: 100, DailyTotal: 1000, DailyReset: 7 * time.Hour}}
	for i := range n {
		o.Settings.APIKeys = append(o.Settings.APIKeys, fmt.Sprintf("key-%d", i))
	}
	for _, f := range change {
		f(&o)
	}
	return node{folder(t, o), m}
}

// settle writes what both nodes have counted, until each has heard of the other.
func settle(t testing.TB, nodes ...node) {
	t.Helper()
	for range 2 {
		for _, n := range nodes {
			n.saveCounts()
			until(t, "everything is written", func() bool { return n.m.Sync(t.Context()) == nil })
		}
	}
}

// TestTwoNodes: what one node learns or is told is true on the other one, by hints alone and by looks
// alone.
func TestTwoNodes(t *testing.T) {
	for lost, faults := range map[string][]storetest.Fault{
		"nothing": nil,
		"looks":   {{Err: errors.New("no revision"), Calls: []string{"Revision"}}},
		"hints":   {{Err: errors.New("no hints"), Calls: []string{"Watch"}}},
	} {
		t.Run("without "+lost, func(t *testing.T) {
			t.Parallel()
			s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
			for _, f := range faults {
				s.Break(f)
			}
			a, b := newNode(t, s, 3), newNode(t, s, 3)
			list := strings.Fields(ids(a.Pool))
			banned, cooled, wished := list[0], list[1], list[2]

			a.Disable(banned)
			until(t, "the ban is known", func() bool { return status(t, b.Pool, banned).Disabled })
			five := int64(5)
			a.Configure(wished, func(w *Wish) { w.DailyPro, w.Label = &five, "mine" })
			until(t, "the wish is known", func() bool { u, _ := b.UsageOf(wished); return u.LimitPro == 5 })
			b.Configure(wished, func(w *Wish) { w.Weight = 2 })
			b.Enable(banned)
			until(t, "it is on again", func() bool { return !status(t, a.Pool, banned).Disabled })
			until(t, "the other wish is known", func() bool {
				w := wishOf(a.Pool, wished)
				return w.Weight == 2 && w.Label == "mine"
			})

			l := take(t, a.Pool, Want{Model: "m", Tried: []string{"x"}, Prefer: cooled})
			l.Report(quota(time.Hour))
			until(t, "the cooldown is known", func() bool { return len(status(t, b.Pool, cooled).Models) == 1 })
			x, y := status(t, a.Pool, cooled), status(t, b.Pool, cooled)
			if got, want := fmt.Sprint(y.Models, y.LastCodes, y.Messages), fmt.Sprint(x.Models, x.LastCodes, x.Messages); got != want || y.Models[0].Code == "" || len(y.Messages) != 1 {
				t.Errorf("%s, want %s", got, want)
			}
			// A longer one elsewhere wins, and a success here does not end what began after it.
			l = take(t, b.Pool, Want{Model: "other", Tried: []string{"x"}, Prefer: cooled})
			l.Report(quota(2 * time.Hour))
			until(t, "the other cooldown is known", func() bool { return len(status(t, a.Pool, cooled).Models) == 2 })
			b.Enable(cooled)
			until(t, "both have ended", func() bool { return len(status(t, a.Pool, cooled).Models) == 0 })
			if got := status(t, a.Pool, cooled); len(got.LastCodes) != 0 || len(got.Messages) != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// listed is a store that somebody writes to as soon as it was listed.
type listed struct {
	store.Store
	once sync.Once
	then func()
}

func (l *listed) List(ctx context.Context, t store.Table, after string, limit int) ([]store.Doc, error) {
	docs, err := l.Store.List(ctx, t, after, limit)
	l.once.Do(l.then)
	return docs, err
}

// What is written between a node's first look and its first hint is not missed.
func TestWrittenDuringAStart(t *testing.T) {
	s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
	s.Break(storetest.Fault{Err: errors.New("no revision"), Calls: []string{"Revision"}})
	a := newNode(t, s, 1)
	id := ids(a.Pool)
	b := newNode(t, &listed{Store: s, then: func() {
		a.Disable(id)
		if err := a.m.Sync(t.Context()); err != nil {
			t.Error(err)
		}
	}}, 1)
	until(t, "the ban is known", func() bool { return status(t, b.Pool, id).Disabled })
}

// Nor is what is written while the pool makes a credential: it has asked for the state, and has it not yet.
func TestWrittenBetweenAskingAndHaving(t *testing.T) {
	s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
	theirs, mine := newNode(t, s, 1), newNode(t, s, 0)
	id := ids(theirs.Pool)
	told, off := 0, false
	mine.m.Follow(func(of string, merge func(State) State) bool {
		if told++; told == 1 {
			if got, known := mine.m.Load(of); known {
				t.Errorf("known already: %+v", got)
			}
			return false
		}
		off = merge(State{Of: secretHash("key-0")}).Disabled
		return true
	})
	theirs.Disable(id)
	if err := theirs.m.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the ban is known", func() bool {
		mine.m.flushing.Lock() // nobody is told meanwhile
		defer mine.m.flushing.Unlock()
		return off
	})
}

// early notes whether anything was loaded before somebody followed.
type early struct {
	*book
	followed, missed bool
}

func (e *early) Follow(func(id string, merge func(mine State) State) bool) { e.followed = true }

func (e *early) Load(id string) (State, bool) {
	e.missed = e.missed || !e.followed
	return e.book.Load(id)
}

// What is written between loading a state and the end of the start is not missed.
func TestFollowedFromTheBeginning(t *testing.T) {
	kept := &early{book: newBook()}
	folder(t, Options{States: kept, Settings: Settings{APIKeys: []string{"key-0"}}})
	if !kept.followed || kept.missed {
		t.Errorf("%+v", kept)
	}
}

func wishOf(p *Pool, id string) Wish {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.named(id).wish
}

// TestCountsOfNodesAddUp: 64 callers on two nodes, and a store that loses writes and answers.
func TestCountsOfNodesAddUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := flakyStore(t, path)
	a, b := newNode(t, s, 2), newNode(t, s, 2)
	const callers, each = 64, 40
	var all sync.WaitGroup
	for i := range callers {
		p := []node{a, b}[i%2]
		all.Go(func() {
			for k := range each {
				model := []string{"gemini-2.5-pro", "gemini-2.5-flash"}[k%2]
				l, fail := p.Acquire(t.Context(), Want{Model: model, Verb: pipeline.Generate})
				if fail != nil {
					t.Error(fail)
					return
				}
				l.Report(nil)
				l.Release()
				if k%8 == 0 {
					s.Break(storetest.Fault{Err: errors.New("the answer got lost"), Calls: []string{"Put"}, Times: 1, Late: i%3 == 0})
					p.saveCounts()
					_ = p.m.Sync(t.Context())
				}
			}
		})
	}
	all.Wait()
	if s.Failed() == 0 {
		t.Error("nothing has failed")
	}
	s.Heal()
	settle(t, a, b)
	check := func(what string, n node) {
		t.Helper()
		var pro, total, day, calls int64
		for _, u := range n.Usage() {
			pro, total, day = pro+u.Pro, total+u.Total, day+u.Last24h
			calls += status(t, n.Pool, u.ID).Calls
		}
		if pro != callers*each/2 || total != callers*each || day != total || calls != total {
			t.Errorf("%s: %d of Pro, %d of all, %d in a day, %d calls", what, pro, total, day, calls)
		}
	}
	for _, n := range []node{a, b} {
		until(t, "each knows all", func() bool { return n.Usage()[0].Total+n.Usage()[1].Total >= callers*each })
	}
	check("a", a)
	check("b", b)
	_, _ = a.Close(), b.Close()
	_, _ = a.m.Close(), b.m.Close()
	_ = s.Close()
	check("after a restart", newNode(t, flakyStore(t, path), 2))
}

// What is told twice at the same time is neither lost nor doubled, and Sync means durable.
func TestSyncIsDurable(t *testing.T) {
	s := flakyStore(t, filepath.Join(t.TempDir(), "x.db"))
	a, b := newNode(t, s, 1), newNode(t, s, 1)
	id := ids(a.Pool)
	for i := range 50 {
		var both sync.WaitGroup
		for _, n := range []node{a, b} {
			both.Go(func() {
				n.Configure(id, func(w *Wish) {
					if n == a {
						w.Label = fmt.Sprint(i)
					} else {
						w.Weight = i + 1
					}
				})
				if err := n.m.Sync(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		doc, _, err := store.Docs[State]{Store: s, Table: store.CredentialStates}.Get(t.Context(), id)
		if err != nil || doc.Wish.Label != fmt.Sprint(i) || doc.Wish.Weight != i+1 {
			t.Fatalf("round %d: %+v, %v", i, doc.Wish, err)
		}
	}
	s.Break(storetest.Fault{Err: errors.New("the disk is full"), Calls: []string{"Put"}})
	a.Disable(id)
	if a.m.Sync(t.Context()) == nil {
		t.Error("it says that it is durable")
	}
	s.Heal()
	if err := a.m.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	until(t, "the other one knows", func() bool { return status(t, b.Pool, id).Disabled })
}

func quota(after time.Duration) *apierror.Error {
	f := apierror.New(apierror.QuotaExhausted, "used up")
	f.Said = &apierror.Said{HTTP: 429, Reason: "QUOTA_EXHAUSTED", Text: "used up, says key-0", Delay: after, Timing: true}
	return f
}

func notFound() *apierror.Error {
	f := apierror.New(apierror.ModelNotFound, "no such model")
	f.Said = &apierror.Said{HTTP: 404, Text: "Requested entity was not found."}
	return f
}

// The reason of a rest survives: the answer is the same after a restart.
func TestRestsKeepTheirReason(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	now := newTicking("2026-11-23T12:00:00Z")
	timed := func(o *Options) { o.Now = now.now }
	s := flakyStore(t, path)
	n := newNode(t, s, 1, timed)
	fails := map[string]*apierror.Error{"quota": quota(2 * time.Hour), "rate": rate(time.Hour), "lost": notFound(), "guess": rate(0)}
	for model, f := range fails {
		l := take(t, n.Pool, Want{Model: model})
		l.Report(f)
		l.Release()
	}
	before, refused := status(t, n.Pool, ids(n.Pool)), map[string]string{}
	refusal := func(p *Pool, model string) string {
		_, fail := p.Acquire(t.Context(), Want{Model: model})
		return fmt.Sprintf("%+v", fail)
	}
	for model := range fails {
		refused[model] = refusal(n.Pool, model)
	}
	if n.queue[0].marks["guess"].guesses != 1 {
		t.Error("its end was not guessed")
	}
	_, _, _ = n.Close(), n.m.Close(), s.Close()
	n = newNode(t, flakyStore(t, path), 1, timed)
	if after := status(t, n.Pool, before.ID); fmt.Sprintf("%+v", after) != fmt.Sprintf("%+v", before) {
		t.Errorf("after  %+v\nbefore %+v", after, before)
	}
	if m := n.queue[0].marks["guess"]; m.guesses != 1 || !m.soft {
		t.Errorf("the next guess begins anew: %+v", m)
	}
	for model, want := range refused {
		if got := refusal(n.Pool, model); got != want {
			t.Errorf("%s: %s\nwant %s", model, got, want)
		}
	}
}

// States of credentials that are gone stay for 30 days, for one that comes back.
func TestStatesOfTheGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	now := newTicking("2026-11-23T12:00:00Z")
	s := flakyStore(t, path)
	n := newNode(t, s, 2, func(o *Options) { o.Now = now.now })
	there := func(id string) bool {
		_, err := s.Get(t.Context(), store.CredentialStates, id)
		return err == nil
	}
	back := strings.Fields(ids(n.Pool))
	for _, id := range back {
		n.Disable(id)
	}
	settings := n.set
	gone := settings
	gone.APIKeys = nil
	for _, step := range []struct {
		after time.Duration
		set   Settings
		kept  bool
	}{
		{0, gone, true}, {29 * 24 * time.Hour, gone, true}, {time.Hour, settings, true}, {time.Hour, gone, true},
		{29 * 24 * time.Hour, gone, true}, {25 * time.Hour, gone, false},
	} {
		now.forward(step.after)
		n.Apply(step.set)
		settle(t, n)
		n.sweepStates()
		n.saveCounts()
		settle(t, n)
		for _, id := range back {
			if there(id) != step.kept {
				t.Errorf("after %v: kept %v", step.after, !step.kept)
			}
			if len(step.set.APIKeys) > 0 && !status(t, n.Pool, id).Disabled {
				t.Errorf("%s has come back without its state", id)
			}
		}
	}
	n.Apply(settings)
	if status(t, n.Pool, back[0]).Disabled {
		t.Error("it was swept and is known")
	}
	n.Disable(back[0])
	settle(t, n)
	if !there(back[0]) {
		t.Error("its new state is not kept")
	}
}
