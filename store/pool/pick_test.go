package pool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/store/oauth"
)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) forward(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)} }

// keys makes a pool of n API keys; they are called by their place: 0, 1, ...
func keys(t testing.TB, n int, change ...func(*Options)) (*Pool, *clock) {
	c := newClock()
	o := Options{Now: c.now, Settings: Settings{CallsPerRotation: 1, AutoBan: true, AutoBanCodes: []int{402}}}
	for i := range n {
		o.Settings.APIKeys = append(o.Settings.APIKeys, fmt.Sprintf("key-%d", i))
	}
	for _, f := range change {
		f(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, c
}

// take acquires and fails the test when there is none.
func take(t testing.TB, p *Pool, w Want) pipeline.Lease {
	t.Helper()
	l, fail := p.Acquire(context.Background(), w)
	if fail != nil {
		t.Fatalf("acquire: %v", fail)
	}
	return l
}

// order gives the tokens of so many first tries.
func order(t testing.TB, p *Pool, model string, n int) string {
	t.Helper()
	var got []string
	for range n {
		l := take(t, p, Want{Model: model})
		got = append(got, strings.TrimPrefix(l.Token(), "key-"))
		l.Release()
	}
	return strings.Join(got, " ")
}

func rate(after time.Duration) *apierror.Error {
	f := apierror.New(apierror.RateLimited, "slow down")
	f.Said = &apierror.Said{HTTP: 429, Reason: "RATE_LIMIT_EXCEEDED", Domain: "cloudcode-pa.googleapis.com", Delay: after, Timing: after > 0}
	return f
}

func TestRotationServesSoManyThenMovesOn(t *testing.T) {
	p, _ := keys(t, 3, func(o *Options) { o.Settings.CallsPerRotation = 2 })
	if got := order(t, p, "m", 8); got != "0 0 1 1 2 2 0 0" {
		t.Errorf("order %q", got)
	}
	s := p.set
	s.CallsPerRotation = 1
	p.Apply(s)
	if got := order(t, p, "m", 4); got != "1 2 0 1" {
		t.Errorf("after the change: %q", got)
	}
}

func TestRotationIsAModelsOwn(t *testing.T) {
	p, _ := keys(t, 3, func(o *Options) { o.Settings.CallsPerRotation = 2 })
	if got := order(t, p, "a", 3); got != "0 0 1" {
		t.Errorf("a: %q", got)
	}
	if got := order(t, p, "b", 2); got != "1 2" { // goes on where a stands
		t.Errorf("b: %q", got)
	}
	if got := order(t, p, "a", 2); got != "1 2" { // was not pushed on by b
		t.Errorf("a: %q", got)
	}
}

func TestRotationSkipsWhatRests(t *testing.T) {
	p, c := keys(t, 3)
	l := take(t, p, Want{Model: "m"})
	l.Report(rate(time.Minute))
	l.Release()
	if got := order(t, p, "m", 4); got != "1 2 1 2" {
		t.Errorf("order %q", got)
	}
	if got := order(t, p, "other", 3); !strings.Contains(got, "0") {
		t.Errorf("a model cools down alone, yet the other one got %q", got)
	}
	c.forward(61 * time.Second)
	if got := order(t, p, "m", 3); !strings.Contains(got, "0") {
		t.Errorf("not back after its rest: %q", got)
	}
}

func TestSwitchedOffAndOn(t *testing.T) {
	p, _ := keys(t, 2)
	id := oauth.APIKey("key-0").ID
	if !p.Disable(id) || p.Disable("nobody") {
		t.Fatal("Disable answers wrongly")
	}
	if got := order(t, p, "m", 3); got != "1 1 1" {
		t.Errorf("order %q", got)
	}
	if !p.Enable(id) || p.Enable("nobody") {
		t.Fatal("Enable answers wrongly")
	}
	if got := order(t, p, "m", 2); !strings.Contains(got, "0") {
		t.Errorf("order %q", got)
	}
}

func TestTriedOnes(t *testing.T) {
	p, c := keys(t, 3)
	id := func(i int) string { return oauth.APIKey(fmt.Sprintf("key-%d", i)).ID }
	for _, row := range []struct {
		name string
		w    Want
		want string
	}{
		{"one not tried", Want{Tried: []string{id(0), id(2)}}, "key-1"},
		{"all tried: the one of longest ago", Want{Tried: []string{id(2), id(0), id(1)}}, "key-2"},
		{"the same again", Want{Tried: []string{id(1)}, Prefer: id(1)}, "key-1"},
		{"one that is gone", Want{Tried: []string{"gone.json"}, Prefer: "gone.json"}, "key-0"},
	} {
		row.w.Model = "m"
		l := take(t, p, row.w)
		if l.Token() != row.want {
			t.Errorf("%s: got %s, want %s", row.name, l.Token(), row.want)
		}
		l.Release()
	}
	// A retry does not push the rotation on.
	if got := order(t, p, "m", 2); got != "0 1" {
		t.Errorf("order %q", got)
	}
	// The one of longest ago rests now: the next one that is free.
	l := take(t, p, Want{Model: "m", Prefer: id(2), Tried: []string{id(2)}})
	l.Report(rate(time.Minute))
	l.Release()
	if l = take(t, p, Want{Model: "m", Tried: []string{id(2), id(0), id(1)}}); l.Token() != "key-0" {
		t.Errorf("got %s", l.Token())
	}
	l.Release()
	c.forward(time.Hour)
}

func TestKindsThatServe(t *testing.T) {
	for _, row := range []struct {
		kind, model string
		verb        pipeline.Verb
		want        bool
	}{
		{oauth.CodeAssist, "gemini-2.5-pro", pipeline.Generate, true},
		{oauth.CodeAssist, "gemini-2.5-pro", pipeline.Count, true},
		{oauth.CodeAssist, "gemini-2.5-flash-image", pipeline.Generate, false},
		{oauth.CodeAssist, "gemini-embedding-001", pipeline.Generate, false},
		{oauth.CodeAssist, "anything", pipeline.Embed, false},
		{oauth.CodeAssist, "gemini-2.5-flash-preview-tts", pipeline.Generate, false},
		{oauth.Gemini, "gemini-2.5-flash-image", pipeline.Generate, true},
		{oauth.Gemini, "gemini-embedding-001", pipeline.Embed, true},
	} {
		if got := Serves(row.kind, row.model, row.verb); got != row.want {
			t.Errorf("%s %s %s: %t", row.kind, row.model, row.verb, got)
		}
	}
	p, _ := keys(t, 1)
	if _, fail := p.Acquire(context.Background(), Want{Model: "m", Kinds: []string{oauth.CodeAssist}}); fail == nil || fail.Code != apierror.NoCredential {
		t.Errorf("a kind that is not allowed was given: %v", fail)
	}
}

func TestNothingToLend(t *testing.T) {
	none, _ := keys(t, 0)
	unfit, _ := keys(t, 1, func(o *Options) { o.Serves = func(string, string, pipeline.Verb) bool { return false } })
	off, _ := keys(t, 2)
	for _, s := range off.Status() {
		off.Disable(s.ID)
	}
	for _, row := range []struct {
		name string
		p    *Pool
		says string
	}{
		{"no credential", none, "the gateway has no credential: set GEMINI_API_KEY, put a credential file into the credentials folder (CREDENTIALS_DIR"},
		{"none that fits", unfit, `no credential serves the model "m": it needs an API key of Google AI Studio (set GEMINI_API_KEY`},
		{"all off", off, "no credential is usable: all 2 for this model are switched off (see the log or /creds/status). Add another"},
	} {
		_, fail := row.p.Acquire(context.Background(), Want{Model: "m"})
		if fail == nil || fail.Status != 503 || fail.Code != apierror.NoCredential || !strings.Contains(fail.Message, row.says) {
			t.Errorf("%s: %v", row.name, fail)
		}
	}
}

func TestAllRest(t *testing.T) {
	quota := apierror.New(apierror.QuotaExhausted, "used up")
	quota.Said = &apierror.Said{HTTP: 429, Reason: "QUOTA_EXHAUSTED", Delay: 3 * time.Hour, Timing: true}
	lost := apierror.New(apierror.ModelNotFound, "no such model")
	lost.Said = &apierror.Said{HTTP: 404}
	refused := apierror.New(apierror.NoCredential, "refused")
	refused.Said = &apierror.Said{HTTP: 403}
	for _, row := range []struct {
		name   string
		f      *apierror.Error
		code   apierror.Code
		status int
		after  time.Duration
	}{
		{"rate", rate(90 * time.Second), apierror.RateLimited, 429, 90 * time.Second},
		{"quota", quota, apierror.QuotaExhausted, 429, 3 * time.Hour},
		{"model", lost, apierror.ModelNotFound, 404, 0},
		{"refused", refused, apierror.NoCredential, 503, 30 * time.Minute},
	} {
		p, _ := keys(t, 2)
		for range 2 {
			l := take(t, p, Want{Model: "m"})
			l.Report(row.f)
			l.Release()
		}
		_, fail := p.Acquire(context.Background(), Want{Model: "m"})
		if fail == nil || fail.Code != row.code || fail.Status != row.status || fail.RetryAfter != row.after {
			t.Errorf("%s: %+v", row.name, fail)
		}
		x := p.Exhausted(Want{Model: "m"})
		if x.Total != 2 || x.Fit != 2 || x.Cooling != 2 || x.Disabled != 0 || x.Code != row.code {
			t.Errorf("%s: %+v", row.name, x)
		}
	}
}

func TestTheEarliestEndDecides(t *testing.T) {
	p, c := keys(t, 3)
	for _, d := range []time.Duration{time.Hour, 20 * time.Second, time.Minute} {
		l := take(t, p, Want{Model: "m"})
		l.Report(rate(d))
		l.Release()
	}
	for _, want := range []time.Duration{20 * time.Second, 10 * time.Second} {
		if _, fail := p.Acquire(context.Background(), Want{Model: "m"}); fail == nil || fail.RetryAfter != want {
			t.Fatalf("want %s: %+v", want, fail)
		}
		c.forward(10 * time.Second)
	}
	if got := order(t, p, "m", 2); got != "1 1" {
		t.Errorf("order %q", got)
	}
}

func TestKeysComeAndGo(t *testing.T) {
	p, _ := keys(t, 3)
	if got := order(t, p, "m", 2); got != "0 1" {
		t.Fatalf("order %q", got)
	}
	held := take(t, p, Want{Model: "m"}) // key-2
	s := p.set
	s.APIKeys = []string{"key-0", "key-1", "key-1", " key-3 ", ""}
	p.Apply(s)
	if n := len(p.Status()); n != 3 {
		t.Errorf("%d credentials", n)
	}
	held.Report(rate(time.Minute)) // of a key that is gone: nothing happens
	held.Release()
	if got := strings.Fields(order(t, p, "m", 3)); !slices.Contains(got, "3") || slices.Contains(got, "2") {
		t.Errorf("order %q", got)
	}
	if p.Leases() != 0 {
		t.Errorf("%d leases out", p.Leases())
	}
}

func TestLeaseGoesBackOnce(t *testing.T) {
	p, _ := keys(t, 1)
	l := take(t, p, Want{Model: "m"})
	if p.Leases() != 1 {
		t.Fatalf("%d leases", p.Leases())
	}
	l.Release()
	l.Release()
	if p.Leases() != 0 {
		t.Fatalf("%d leases", p.Leases())
	}
}

func TestClientsCannotFillTheMemory(t *testing.T) {
	p, _ := keys(t, 1)
	lost := apierror.New(apierror.ModelNotFound, "no such model")
	lost.Said = &apierror.Said{HTTP: 404}
	for i := range 2 * maxLanes {
		l := take(t, p, Want{Model: fmt.Sprintf("invented-%d", i)})
		l.Report(lost)
		l.Release()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lanes) > maxLanes || len(p.queue[0].marks) > maxMarks {
		t.Errorf("%d lanes, %d marks", len(p.lanes), len(p.queue[0].marks))
	}
}

func TestClosed(t *testing.T) {
	p, _ := keys(t, 1)
	l := take(t, p, Want{Model: "m"})
	_ = p.Close()
	if _, fail := p.Acquire(context.Background(), Want{Model: "m"}); fail == nil || fail.Code != apierror.Overloaded {
		t.Errorf("closed pool: %v", fail)
	}
	l.Report(nil)
	l.Release()
	if p.Leases() != 0 {
		t.Error("the lease did not go back")
	}
}
