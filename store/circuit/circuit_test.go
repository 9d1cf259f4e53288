package circuit_test

import (
	"bytes"
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

	"gcli2api/store"
	"gcli2api/store/circuit"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

// TestConformance: a circuit takes nothing away from what an engine promises.
func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Engine{Clock: true, Fresh: func(t testing.TB) storetest.Open {
		path := filepath.Join(t.TempDir(), "db")
		return func(t testing.TB, now func() time.Time) store.Store {
			db, err := embedded.Open(embedded.Options{Path: path, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			return circuit.Around(db, circuit.Options{Engine: "Test"})
		}
	}})
}

// stuck is a store that does not answer as long as it hangs.
type stuck struct {
	*storetest.Flaky
	mu    sync.Mutex
	hangs chan struct{}   // nil: it answers
	deaf  chan struct{}   // somebody asks
	lasts []time.Duration // how long each call may take
}

func (s *stuck) hang() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hangs := make(chan struct{})
	s.hangs = hangs
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hangs = nil
		close(hangs)
	}
}

func (s *stuck) wait(ctx context.Context) error {
	late, _ := ctx.Deadline()
	s.mu.Lock()
	hangs := s.hangs
	s.lasts = append(s.lasts, time.Until(late))
	s.mu.Unlock()
	if hangs == nil {
		return nil
	}
	select {
	case s.deaf <- struct{}{}:
	default:
	}
	select {
	case <-hangs:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stuck) Revision(ctx context.Context) (int64, error) {
	if err := s.wait(ctx); err != nil {
		return 0, err
	}
	return s.Flaky.Revision(ctx)
}

func (s *stuck) Get(ctx context.Context, t store.Table, id string) (store.Doc, error) {
	if err := s.wait(ctx); err != nil {
		return store.Doc{}, err
	}
	return s.Flaky.Get(ctx, t, id)
}

// lines is a log to be waited for.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) count(says string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), says)
}

type kit struct {
	*testing.T
	*circuit.Circuit
	engine *stuck
	log    *lines
}

func open(t *testing.T, o circuit.Options) *kit {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{T: t, engine: &stuck{Flaky: &storetest.Flaky{Store: db}, deaf: make(chan struct{}, 1)}, log: &lines{}}
	o.Engine, o.Place, o.Log, o.Pause = "Test", "Test at home", slog.New(slog.NewTextHandler(k.log, nil)), time.Millisecond
	k.Circuit = circuit.Around(k.engine, o)
	t.Cleanup(func() { k.Close() })
	return k
}

// get makes a call whose answer is that there is no such document, while the engine is well.
func (k *kit) get(ctx context.Context) error {
	_, err := k.Circuit.Get(ctx, store.Costs, "none")
	return err
}

func (k *kit) up(want bool) {
	k.Helper()
	for late := time.Now().Add(time.Minute); k.State().Up != want; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			k.Fatalf("up is not %v: %+v", want, k.State())
		}
	}
}

func isAway(err error) bool {
	away := (*store.Away)(nil)
	return errors.As(err, &away)
}

// TestOpensAndCloses: it takes some failures in a row; then calls do not reach the engine until it is back,
// and each change is said once.
func TestOpensAndCloses(t *testing.T) {
	k := open(t, circuit.Options{})
	gone := &store.Away{Engine: "Test", Err: errors.New("dial redis://u:s3cret@h: refused")}
	k.engine.Break(storetest.Fault{Err: gone, Calls: []string{"Get"}, Times: 2})
	for range 2 {
		if err := k.get(t.Context()); !isAway(err) {
			t.Fatal(err)
		}
	}
	if err := k.get(t.Context()); !errors.Is(err, store.ErrNotFound) || !k.State().Up {
		t.Fatal(err, k.State())
	}
	k.engine.Break(storetest.Fault{Err: gone})
	for range 3 {
		_ = k.get(t.Context())
	}
	if s := k.State(); s.Up || s.Failures < 5 || !strings.Contains(s.Error, "refused") {
		t.Fatalf("%+v", s)
	}
	if _, err := k.Watch(t.Context()); !isAway(err) {
		t.Fatal(err)
	}
	k.engine.Heal()
	k.up(true)
	if err := k.get(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if k.log.count("database is away") != 1 || k.log.count("database is back") != 1 {
		t.Fatal(k.log.all.String())
	}
}

// TestRefusesAtOnce: while it is open, nobody waits for the engine, which hangs.
func TestRefusesAtOnce(t *testing.T) {
	k := open(t, circuit.Options{Timeout: 50 * time.Millisecond})
	release := k.engine.hang()
	if err := k.get(t.Context()); !isAway(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	k.up(false)
	calls := k.State().Calls
	for range 100 {
		if err := k.get(t.Context()); !isAway(err) {
			t.Fatal(err)
		}
	}
	if s := k.State(); s.Refused != 100 || s.Calls > calls+5 { // a look or two may have been made
		t.Fatalf("%+v after %d calls", s, calls)
	}
	release()
	k.up(true)
}

// TestTimeOfACall: no call of the engine lasts longer than was said, whoever makes it.
func TestTimeOfACall(t *testing.T) {
	const most = 50 * time.Millisecond
	k := open(t, circuit.Options{Timeout: most})
	release := k.engine.hang()
	if err := k.get(t.Context()); !isAway(err) {
		t.Fatal(err)
	}
	release()
	k.up(true) // by a look
	k.engine.mu.Lock()
	defer k.engine.mu.Unlock()
	if len(k.engine.lasts) < 2 {
		t.Fatalf("%d calls", len(k.engine.lasts))
	}
	for i, d := range k.engine.lasts {
		if d > most || d < -time.Hour {
			t.Errorf("call %d may last %v", i, d)
		}
	}
}

// TestOneSlowCall is no sign of trouble as long as others are answered meanwhile.
func TestOneSlowCall(t *testing.T) {
	k := open(t, circuit.Options{Timeout: 300 * time.Millisecond})
	release := k.engine.hang()
	slow := make(chan error)
	go func() { slow <- k.get(t.Context()) }()
	<-k.engine.deaf
	if _, err := k.Counters(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if err := <-slow; !isAway(err) || !k.State().Up {
		t.Fatal(err, k.State())
	}
	release()
}

// TestCallerGivesUp: that says nothing about the database, unless it took long.
func TestCallerGivesUp(t *testing.T) {
	k := open(t, circuit.Options{Timeout: time.Minute})
	defer k.engine.hang()()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-k.engine.deaf; cancel() }()
		if err := k.get(ctx); !errors.Is(err, context.Canceled) || isAway(err) {
			t.Fatal(err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
		if err := k.get(ctx); !errors.Is(err, context.DeadlineExceeded) || isAway(err) {
			t.Fatal(err)
		}
		cancel()
		select {
		case <-k.engine.deaf:
		default:
		}
	}
	if s := k.State(); !s.Up || s.Failures != 0 {
		t.Fatalf("%+v", s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1100*time.Millisecond)
	defer cancel()
	if err := k.get(ctx); !isAway(err) || k.State().Up {
		t.Fatal(err, k.State())
	}
}

// TestCallsAtATime: beyond the bound a call fails at once, and that is no failure of the engine.
func TestCallsAtATime(t *testing.T) {
	k := open(t, circuit.Options{Timeout: time.Minute, Most: 4})
	release := k.engine.hang()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := k.get(t.Context()); !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		})
		<-k.engine.deaf
	}
	if err := k.get(t.Context()); !isAway(err) {
		t.Fatal(err)
	}
	if s := k.State(); !s.Up || s.InFlight != 4 || s.Refused != 1 || s.Failures != 0 {
		t.Fatalf("%+v", s)
	}
	release()
	all.Wait()
	if n := k.State().InFlight; n != 0 {
		t.Fatal(n)
	}
}

// TestAnswersThatSayNo open nothing, and nothing that a strange error says reaches the operator unmasked.
func TestAnswersThatSayNo(t *testing.T) {
	k := open(t, circuit.Options{Mask: func(text string) string { return strings.ReplaceAll(text, "s3cret", "***") }})
	begun := time.Now().Add(-time.Millisecond)
	k.engine.Break(storetest.Fault{Err: fmt.Errorf("READONLY for s3cret"), Calls: []string{"Put"}})
	for range 10 {
		_, err := k.Put(t.Context(), store.Costs, store.Doc{ID: "a", Body: []byte("1")}, store.Any)
		if err == nil || isAway(err) {
			t.Fatal(err)
		}
	}
	if s := k.State(); s.Up || s.Refuse != "writes" || s.Since.Before(begun) || s.Failures != 0 || s.Error != "READONLY for ***" || s.Minute.Answers != 10 || s.Minute.Median <= 0 || s.Minute.Slow < s.Minute.Median {
		t.Fatalf("%+v", s)
	}
	if err := k.get(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("reads go on: %v", err)
	}
	if _, up, _ := circuit.Health(k.Circuit)(); up {
		t.Error("who asks for its health is told that it is well")
	}
	k.engine.Break(storetest.Fault{Err: errors.New("WRONGPASS"), Calls: []string{"Get"}, Times: 3})
	for range 3 {
		_ = k.get(t.Context())
	}
	if s := k.State(); s.Refuse != "everything" {
		t.Fatalf("%+v", s)
	}
	k.engine.Heal()
	_, err := k.Put(t.Context(), store.Costs, store.Doc{ID: "a", Body: []byte("1")}, store.Any)
	if err != nil || k.get(t.Context()) == nil {
		t.Fatal(err)
	}
	if s := k.State(); !s.Up || s.Refuse != "" {
		t.Fatalf("%+v", s)
	}
}

// TestEnds: Close while the engine is away ends the looks, and calls are of a closed store.
func TestEnds(t *testing.T) {
	k := open(t, circuit.Options{Timeout: 20 * time.Millisecond})
	release := k.engine.hang()
	_ = k.get(t.Context())
	k.up(false)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	release()
	if err := k.get(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Fatal(err)
	}
}

// TestAlone sees through.
func TestAlone(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	c := circuit.Around(db, circuit.Options{})
	defer c.Close()
	if !store.Alone(c) || store.Alone(circuit.Around(&storetest.Flaky{Store: db}, circuit.Options{})) || c.Unwrap() != store.Store(db) {
		t.Fatal("who is alone?")
	}
	if s := circuit.StateOf(db); !s.Up || s.Engine != "file" {
		t.Fatal(s)
	}
}

// wavering is an engine that fails, but for one call that waits; it keeps those who look whether it is back.
type wavering struct {
	store.Store
	held   chan struct{}
	begun  chan struct{}
	asking atomic.Int64
}

func (w *wavering) Get(ctx context.Context, _ store.Table, id string) (store.Doc, error) {
	if id != "held" {
		return store.Doc{}, &store.Away{Engine: "Test", Err: errors.New("refused")}
	}
	close(w.begun)
	<-w.held
	return store.Doc{}, store.ErrNotFound
}

func (w *wavering) Revision(ctx context.Context) (int64, error) {
	w.asking.Add(1)
	<-ctx.Done()
	return 0, ctx.Err()
}

func (w *wavering) Close() error { return nil }

// TestOneLooks: a circuit that a late answer has closed, and that opens again at once, is looked at by one.
func TestOneLooks(t *testing.T) {
	w := &wavering{held: make(chan struct{}), begun: make(chan struct{})}
	c := circuit.Around(w, circuit.Options{Engine: "Test", Pause: 400 * time.Millisecond, Timeout: time.Minute})
	defer c.Close()
	away := func() {
		for range 3 {
			_, _ = c.Get(t.Context(), store.Costs, "none")
		}
	}
	answered := make(chan error)
	go func() { _, err := c.Get(t.Context(), store.Costs, "held"); answered <- err }()
	<-w.begun
	away()
	if c.State().Up {
		t.Fatal("it is closed")
	}
	close(w.held)
	if err := <-answered; !errors.Is(err, store.ErrNotFound) || !c.State().Up {
		t.Fatal(err, c.State())
	}
	away()
	time.Sleep(2 * time.Second) // longer than both pauses
	if n := w.asking.Load(); n != 1 {
		t.Errorf("%d look", n)
	}
}

// TestPauses: they grow, and not without an end.
func TestPauses(t *testing.T) {
	pause := 100 * time.Millisecond
	for range 3 {
		if next := circuit.Longer(pause); next != 2*pause {
			t.Fatalf("%v after %v", next, pause)
		} else {
			pause = next
		}
	}
	for range 40 {
		pause = circuit.Longer(pause)
	}
	if pause != 2*time.Second {
		t.Errorf("a database that is back is met after %v", pause)
	}
}

// TestEndsWhileCallsFail: a call that fails behind Close opens nothing: what comes then is of a closed store.
func TestEndsWhileCallsFail(t *testing.T) {
	k := open(t, circuit.Options{Timeout: time.Minute})
	k.engine.hang() // until its callers give up
	ctx, cancel := context.WithTimeout(t.Context(), 1100*time.Millisecond)
	defer cancel()
	late := make(chan error)
	go func() { late <- k.get(ctx) }()
	<-k.engine.deaf
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-late; !isAway(err) {
		t.Fatal(err)
	}
	if _, err := k.Counters(t.Context(), "x"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestAwayIsSaidMasked: why a database is away is logged without what is secret about its address.
func TestAwayIsSaidMasked(t *testing.T) {
	k := open(t, circuit.Options{Mask: func(text string) string { return strings.ReplaceAll(text, "s3cret", "***") }})
	k.engine.Break(storetest.Fault{Err: &store.Away{Engine: "Test", Err: errors.New("refused at s3cret@host")}})
	for range 3 {
		_ = k.get(t.Context())
	}
	k.up(false)
	if k.log.count("refused at ***@host") != 1 || k.log.count("s3cret") != 0 {
		t.Error("the log does not say it, or says too much")
	}
}
