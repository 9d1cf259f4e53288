package pool

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/store/oauth"
)

// tokens is the token endpoint: nearly always it gives a new token, sometimes it says that the sign-in is dead.
type tokens struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	dead int // so often: that, or that an account has no project
}

func (k *tokens) deaths() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dead
}

func (k *tokens) RoundTrip(q *http.Request) (*http.Response, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	status, body := 200, fmt.Sprintf(`{"access_token":"ya29.%d","expires_in":%d}`, k.rnd.Int64(), 1+k.rnd.IntN([]int{40, 4000}[k.rnd.IntN(2)]))
	switch {
	case !strings.HasSuffix(q.URL.Path, "/token"):
		body = `{"name":"operations/x","done":true,"response":{}}`
		k.dead++ // there is no project in it
	case k.rnd.IntN(20) == 0:
		status, body = 400, `{"error":"invalid_grant"}`
		k.dead++
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: q}, nil
}

// held is an exchange that has a lease.
type held struct {
	w Want
	l *lease
}

// model drives a pool by chance and holds it to what must always be true.
type model struct {
	*testing.T
	rnd   *rand.Rand
	at    *clockwork
	pool  *Pool
	dir   string
	there *tokens
	keys  int // credentials of the settings
	files int
	storm int // steps in which every error is a limit and time stands still
	held  []held
	calls map[*entry]int64 // reported
	story []string         // the last steps, for whoever has to find out
}

// clockwork is a clock that refreshes in the background may read.
type clockwork struct {
	mu sync.Mutex
	at time.Time
}

func (c *clockwork) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clockwork) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{T: t, rnd: rand.New(rand.NewPCG(seed, 6)), at: &clockwork{at: newClock().at}, dir: t.TempDir(), calls: map[*entry]int64{}, there: &tokens{rnd: rand.New(rand.NewPCG(seed, 7))}}
	if m.keys, m.files = 20, 30; seed%3 == 0 { // one of which all rest at times
		m.keys, m.files = 2, 3
	}
	base := "http://127.0.0.1:1"
	signIn := oauth.New(oauth.Options{Now: m.at.now, PollEvery: time.Millisecond, RetryPause: time.Millisecond,
		HTTP:    func() *http.Client { return &http.Client{Transport: m.there} },
		HTTPVia: func(string) *http.Client { return &http.Client{Transport: m.there} },
		Settings: func() oauth.Settings {
			return oauth.Settings{ClientID: "id", ClientSecret: "secret", Endpoints: outbound.Endpoints{CodeAssist: base, OAuthToken: base, GoogleAPIs: base, ResourceManager: base, ServiceUsage: base, Metadata: base}}
		}})
	for i := range m.files {
		m.put(i)
	}
	var err error
	if m.pool, err = New(Options{Dir: m.dir, OAuth: signIn, Now: m.at.now, Poll: time.Hour, Settings: m.settings()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.pool.Close() })
	return m
}

func (m *model) put(i int) {
	life := time.Duration(m.rnd.IntN(100)) * time.Hour
	put(m, m.dir, fmt.Sprintf("f%02d.json", i), ready(fmt.Sprintf("p%02d", i), fmt.Sprintf("ya29.f%02d", i), m.at.now().Add(life)))
}

func (m *model) settings() Settings {
	s := Settings{CallsPerRotation: 1 + m.rnd.IntN(3), AutoBan: m.rnd.IntN(4) > 0, AutoBanCodes: []int{403},
		Rotation: []string{Counted, LeastUsed, Random, Sticky}[m.rnd.IntN(4)], DailyReset: 7 * time.Hour, DailyPro: 20, DailyTotal: 40,
		EnforceLimits:      m.rnd.IntN(3) == 0,
		AccountConcurrency: m.rnd.IntN(3), KeyConcurrency: m.rnd.IntN(4), // nobody waits: the line is for goroutines
		Shared: map[string][]string{"all": {"gemini-2.5-pro", "gemini-2.5-flash"}}}
	if m.rnd.IntN(2) == 0 {
		s.Rules = []Rule{{Status: int64(418), Action: "rest", For: time.Minute}, {Text: "internal error", Action: "rest-all", For: time.Second}}
	}
	for i := range m.keys {
		if m.rnd.IntN(10) > 0 {
			s.APIKeys = append(s.APIKeys, fmt.Sprintf("key-%02d", i))
		}
	}
	return s
}

func (m *model) note(format string, args ...any) {
	m.story = append(m.story, fmt.Sprintf(format, args...))
	if len(m.story) > 12 {
		m.story = m.story[1:]
	}
}

func (m *model) wrong(format string, args ...any) {
	m.Helper()
	m.Fatalf(format+"\nbefore:\n%s", append(args, strings.Join(m.story, "\n"))...)
}

// step does one thing.
func (m *model) step() {
	if m.storm--; m.storm < 0 && m.rnd.IntN(50) == 0 {
		m.storm = 40
	}
	n := m.rnd.IntN(100)
	if m.storm > 0 {
		n %= 75
	}
	switch {
	case n < 40:
		m.acquire(Want{ID: fmt.Sprint(m.rnd.Uint32()), Model: m.name(), Talk: m.rnd.Uint64N(5), Group: []string{"", "", "", "team"}[m.rnd.IntN(4)]})
	case n < 75:
		m.report()
	case n < 85:
		m.admin()
	case n < 97:
		d := []time.Duration{0, time.Millisecond, time.Second, 10 * time.Second, time.Minute, time.Hour}[m.rnd.IntN(6)]
		m.note("forward %s", d)
		m.at.forward(d)
	default:
		d := []time.Duration{-time.Hour, -5 * time.Second, 13 * time.Hour, 30 * 24 * time.Hour}[m.rnd.IntN(4)]
		m.note("the clock is set by %s", d)
		m.at.forward(d)
	}
	m.check()
}

func (m *model) name() string {
	return []string{"gemini-2.5-pro", "gemini-2.5-flash", "gemini-3.1-pro-preview", "gemini-2.5-flash-image"}[m.rnd.IntN(4)]
}

func (m *model) acquire(w Want) {
	ctx, cancel := context.WithTimeout(m.Context(), 2*time.Minute)
	defer cancel()
	m.quiet()
	deaths := m.there.deaths()
	got, fail := m.pool.Acquire(ctx, w)
	if ctx.Err() != nil {
		m.wrong("a wait without an end: %+v", w)
	}
	p, now := m.pool, m.at.now()
	p.mu.Lock()
	k := p.laneOf(&w)
	shut, _, _ := p.blocked(k, now)
	p.mu.Unlock()
	if fail != nil {
		m.note("%+v gets %v", w, fail)
		m.mustBeRefused(w, k, shut, fail)
		return
	}
	l := got.(*lease)
	m.note("%+v gets %s", w, l.ID())
	m.held = append(m.held, held{w, l})
	p.mu.Lock()
	defer p.mu.Unlock()
	e := l.entry
	cool, mark := e.cool, cooldown{}
	if one := e.marks[w.Model]; one != nil {
		mark = one.cooldown
	}
	rests := func(c cooldown) bool { return c.until > now.UnixNano() && !(c.soft && len(w.Tried) > 0) }
	free := !e.disabled && !rests(cool) && !rests(mark)
	if m.there.deaths() != deaths { // a renewal beside the call may have switched it off since
		return
	}
	if e.gone || !free || !k.fits(e) || e.capped.over(w.Model) > now.UnixNano() || p.most(e) > 0 && *e.taken() > p.most(e) {
		m.wrong("%s is lent: gone %t, disabled %t, rests %+v, %+v", l.ID(), e.gone, e.disabled, e.cool, e.marks[w.Model])
	}
	if len(w.Tried) == 0 && shut&e.kind != 0 && !l.probes {
		m.wrong("%s is lent past the breaker", l.ID())
	}
}

// quiet waits for what runs in the background.
func (m *model) quiet() {
	until(m, "nothing is renewed any more", func() bool {
		m.pool.mu.Lock()
		defer m.pool.mu.Unlock()
		for _, e := range m.pool.queue {
			if e.finding != nil || e.account != nil && e.account.refreshing != nil {
				return false
			}
		}
		return true
	})
}

// mustBeRefused: nobody is turned away while somebody could serve, and who is told when to come back is not
// told so in vain.
func (m *model) mustBeRefused(w Want, k lane, shut uint8, fail *apierror.Error) {
	soonest, busy := m.soonest(w, k, shut, fail)
	if busy {
		return
	}
	p := m.pool
	if fail.RetryAfter > 0 && soonest > 0 && shut == 0 && (fail.RetryAfter < soonest || fail.RetryAfter >= soonest+time.Second) {
		m.wrong("%+v is told to come back in %s, and %s is right", w, fail.RetryAfter, soonest)
	}
	if fail.RetryAfter == 0 || shut != 0 || fail.Code == apierror.UpstreamUnavailable { // tokens that cannot be renewed rest as well
		return
	}
	m.at.forward(fail.RetryAfter)
	deaths := m.there.deaths()
	l, again := p.Acquire(m.Context(), w)
	switch {
	case again == nil:
		l.Release()
	case m.there.deaths() == deaths && again.Code != apierror.UpstreamUnavailable && again.Code != apierror.Overloaded:
		m.wrong("%+v came back in time, and gets %v", w, again)
	}
}

// soonest is when the first one that rests is back. Nobody is free who was not lent, unless it has as many
// calls as it may: then the refusal has to say so.
func (m *model) soonest(w Want, k lane, shut uint8, fail *apierror.Error) (soonest time.Duration, busy bool) {
	p, now := m.pool, m.at.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.queue {
		if !k.fits(e) || e.disabled {
			continue
		}
		r := e.rest(k.model, now.UnixNano())
		switch {
		case r.until != 0:
			if left := time.Duration(r.until - now.UnixNano()); soonest == 0 || left < soonest {
				soonest = left
			}
		case shut&e.kind != 0:
		case p.roomy(e):
			m.wrong("%+v is turned away (%v), and %s is free", w, fail, e.cred.ID)
		default:
			busy = true
		}
	}
	if busy != (fail.Code == apierror.Overloaded) && (busy || len(w.Tried) == 0) {
		m.wrong("%+v is told %v, and busy is %t", w, fail, busy)
	}
	return soonest, busy
}

// report ends a call of one of the exchanges, well or with an error of some row, and goes on as advised.
func (m *model) report() {
	if len(m.held) == 0 {
		return
	}
	i := m.rnd.IntN(len(m.held))
	h := m.held[i]
	m.held = append(m.held[:i], m.held[i+1:]...)
	var fail *apierror.Error
	row := "answer"
	switch n := m.rnd.IntN(20); {
	case n == 0: // the client has left
		m.note("%s: left", h.l.ID())
		h.l.Release()
		return
	case n == 1:
		fail, row = apierror.New(apierror.ClientGone, "left"), "left, and said so"
	case n < 12 || m.storm > 0:
		all := situations()
		s := all[m.rnd.IntN(len(all))]
		for m.storm > 0 && !strings.HasPrefix(s.row, "429") {
			s = all[m.rnd.IntN(len(all))]
		}
		fail, row = s.failure(m.at.now()), s.row
	case n == 12:
		h.l.Began()
	}
	m.note("%s: %s", h.l.ID(), row)
	if fail == nil || fail.Code != apierror.ClientGone {
		m.calls[h.l.entry]++
	}
	a := h.l.Report(fail)
	h.l.Release()
	h.l.Release() // the second one does nothing
	if a.Wait < 0 || a.Wait > worthWaiting || a.Free < 0 {
		m.wrong("advice %+v", a)
	}
	h.w.Tried = append(h.w.Tried, h.l.ID())
	if a.Again == pipeline.No || len(h.w.Tried) > 12 {
		return
	}
	if h.w.Prefer = a.Next; a.Again == pipeline.Same {
		h.w.Prefer = h.l.ID()
	}
	m.at.forward(a.Wait)
	m.acquire(h.w)
}

func (m *model) admin() {
	all := m.pool.Status()
	id := ""
	if len(all) > 0 {
		id = all[m.rnd.IntN(len(all))].ID
	}
	n := m.rnd.IntN(10)
	m.note("admin %d of %s", n, id)
	switch n {
	case 0:
		m.pool.Disable(id)
	case 1, 2, 3, 4, 5:
		for _, s := range all {
			if s.Disabled && m.rnd.IntN(2) == 0 {
				m.pool.Enable(s.ID)
			}
		}
	case 6:
		_ = os.Remove(filepath.Join(m.dir, id)) // of a key there is no file
		m.pool.Rescan()
	case 7:
		m.put(m.rnd.IntN(m.files))
		m.pool.Rescan()
	case 8:
		m.pool.Apply(m.settings())
	case 9:
		m.pool.Configure(id, func(w *Wish) {
			w.Proxy = []string{"", "http://127.0.0.1:3128", "http://127.0.0.1:3129"}[m.rnd.IntN(3)]
			w.Priority, w.Weight, w.Groups = m.rnd.IntN(3), m.rnd.IntN(4), []string{"", "team"}[:m.rnd.IntN(3)]
		})
	}
}

// check holds the pool to what is true between any two steps.
func (m *model) check() {
	p := m.pool
	if p.Leases() != len(m.held) {
		m.wrong("%d leases, %d are held", p.Leases(), len(m.held))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for e, n := range m.calls {
		if e.calls != n {
			m.wrong("%s counts %d calls, there were %d", e.cred.ID, e.calls, n)
		}
	}
	for _, e := range p.queue {
		if e.disabled && e.reason == "" {
			m.wrong("%s is off without a reason", e.cred.ID)
		}
		if len(e.marks) > maxMarks || len(e.codes) > maxCodes {
			m.wrong("%s remembers %d models and %d codes", e.cred.ID, len(e.marks), len(e.codes))
		}
		if p.byID[e.cred.ID] != e {
			m.wrong("%s is not found by its name", e.cred.ID)
		}
	}
	for at, b := range p.breakers {
		if b.probe != nil && (b.probe.released || !b.probe.probes) {
			m.wrong("the breaker of %v waits for a lease that is back", at)
		}
	}
	for _, name := range []string{"gemini-2.5-pro", "gemini-2.5-flash-image"} {
		x := p.exhausted(p.laneOf(&Want{Model: name}), m.at.now())
		if x.Total != len(p.queue) || x.Fit > x.Total || x.Disabled+x.Cooling > x.Fit || x.Cooling > 0 && !x.Until.After(m.at.now()) {
			m.wrong("%s: %+v", name, x)
		}
	}
}

// Whatever happens in whatever order, the pool lends nothing that is switched off or rests, turns nobody away
// who could be served, and keeps its books.
func TestModel(t *testing.T) {
	seeds, steps := uint64(60), 600
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, seed)
			for range steps {
				m.step()
			}
			for len(m.held) > 0 {
				m.report()
			}
			m.check()
			// A quiet month later, with everything switched on, everybody serves again.
			for _, s := range m.pool.Status() {
				m.pool.Enable(s.ID)
			}
			m.at.forward(31 * 24 * time.Hour)
			for range 40 {
				m.acquire(Want{Model: m.name()})
			}
			if len(m.held) == 0 && len(m.pool.keys) > 0 { // accounts may have lost token or project for good
				m.wrong("nothing is lent any more")
			}
			for _, h := range m.held {
				h.l.Report(nil)
				h.l.Release()
			}
			if m.pool.Leases() != 0 {
				m.wrong("%d leases are out", m.pool.Leases())
			}
		})
	}
}
