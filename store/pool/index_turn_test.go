package pool

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/store/oauth"
)

func keyID(i int) string { return oauth.APIKey(fmt.Sprintf("key-%d", i)).ID }

// turning is a pool of n keys under a rotation, with wishes by place.
func turning(t *testing.T, n int, rotation string, wishes map[int]Wish) (*Pool, *clock) {
	p, c := keys(t, n, func(o *Options) {
		o.Settings.Rotation, o.Settings.CallsPerRotation, o.Settings.DailyReset = rotation, 2, 7*time.Hour
	})
	p.dice = rand.New(rand.NewPCG(1, 2)).Uint64N
	for i, w := range wishes {
		p.Configure(keyID(i), func(now *Wish) { *now = w })
	}
	return p, c
}

func TestTurns(t *testing.T) {
	for _, row := range []struct {
		name, rotation string
		wishes         map[int]Wish
		w              Want
		want           string
	}{
		{"counted by weight", Counted, map[int]Wish{1: {Weight: 3}}, Want{}, "0 0 1 1 1 1 1 1 2 2 0 0"},
		{"least used", LeastUsed, nil, Want{}, "0 1 2 0 1 2 0 1 2 0 1 2"},
		{"least used by weight", LeastUsed, map[int]Wish{1: {Weight: 2}}, Want{}, "0 1 2 1 0 1 2 1 0 1 2 1"},
		{"a higher priority", Counted, map[int]Wish{2: {Priority: 1}}, Want{}, "2 2 2 2 2 2 2 2 2 2 2 2"},
		{"a lower priority", Counted, map[int]Wish{0: {Priority: -1}}, Want{}, "1 1 2 2 1 1 2 2 1 1 2 2"},
		{"least used of a priority", LeastUsed, map[int]Wish{0: {Priority: -1}}, Want{}, "1 2 1 2 1 2 1 2 1 2 1 2"},
		{"random of a priority", Random, map[int]Wish{1: {Priority: 1}}, Want{}, "1 1 1 1 1 1 1 1 1 1 1 1"},
		{"a group", Counted, map[int]Wish{0: {Groups: []string{"g"}}, 2: {Groups: []string{"h", "g"}}}, Want{Group: "g"}, "0 0 2 2 0 0 2 2 0 0 2 2"},
		{"sticky without a conversation", Sticky, nil, Want{}, "0 0 1 1 2 2 0 0 1 1 2 2"},
		{"an unknown rotation", "else", nil, Want{}, "0 0 1 1 2 2 0 0 1 1 2 2"},
	} {
		p, _ := turning(t, 3, row.rotation, row.wishes)
		row.w.Model = "m"
		var got []string
		for range 12 {
			l := take(t, p, row.w)
			got = append(got, strings.TrimPrefix(l.Token(), "key-"))
			l.Release()
		}
		if s := strings.Join(got, " "); s != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.name, s, row.want)
		}
	}
}

// A lower priority serves while no higher one can, and not longer.
func TestLowerPriorityHelpsOut(t *testing.T) {
	for _, rotation := range []string{Counted, LeastUsed, Random} {
		p, c := turning(t, 3, rotation, map[int]Wish{2: {Priority: 5, Concurrency: 1}})
		l := take(t, p, Want{Model: "m"})
		if l.Token() != "key-2" {
			t.Fatalf("%s: %s first", rotation, l.Token())
		}
		if other := take(t, p, Want{Model: "m"}); other.Token() == "key-2" { // it has as many calls as it may
			t.Errorf("%s: two calls at a time", rotation)
		} else {
			other.Release()
		}
		l.Report(rate(time.Minute))
		l.Release()
		if got := order(t, p, "m", 6); strings.Contains(got, "2") {
			t.Errorf("%s: %s", rotation, got)
		}
		c.forward(61 * time.Second)
		if got := order(t, p, "m", 3); got != "2 2 2" {
			t.Errorf("%s: afterwards %s", rotation, got)
		}
	}
}

// distance is chi-square of what was had against what was due.
func distance(had map[string]int, due map[string]float64) (x float64) {
	for name, want := range due {
		d := float64(had[name]) - want
		x += d * d / want
	}
	return x
}

// By chance, each has the share that its weight says: dense and thin pools, which are thrown differently.
func TestRandomIsFair(t *testing.T) {
	for name, free := range map[string]func(i int) bool{
		"all": func(int) bool { return true }, "few": func(i int) bool { return i%97 == 5 },
	} {
		for weighed, weight := range map[string]func(i int) int{
			"alike": func(int) int { return 1 }, "by weight": func(i int) int { return 1 + i%5 },
		} {
			wishes, total, due := map[int]Wish{}, 0, map[string]float64{}
			for i := range 500 {
				wishes[i] = Wish{Weight: weight(i)}
				if free(i) {
					total += weight(i)
				}
			}
			p, _ := turning(t, 500, Random, wishes)
			const n = 40000
			for i := range 500 {
				if free(i) {
					due[fmt.Sprintf("key-%d", i)] = n * float64(weight(i)) / float64(total)
				} else {
					p.Disable(keyID(i))
				}
			}
			had := map[string]int{}
			for range n {
				l := take(t, p, Want{Model: "m"})
				had[l.Token()]++
				l.Release()
			}
			// Mean k-1, variance 2(k-1): five deviations are far out.
			k := float64(len(due) - 1)
			if x := distance(had, due); x > k+5*math.Sqrt(2*k) || len(had) != len(due) {
				t.Errorf("%s, %s: chi-square %.0f of %d", name, weighed, x, len(due))
			}
		}
	}
}

// What Google says is left weighs, as long as it is true, and refuses nobody.
func TestWhatIsLeftWeighs(t *testing.T) {
	count := func(p *Pool, model string, n int) map[string]int {
		had := map[string]int{}
		for _, token := range strings.Fields(order(t, p, model, n)) {
			had[token]++
		}
		return had
	}
	for rotation, want := range map[string][2]int{Counted: {90, 110}, LeastUsed: {99, 101}, Random: {60, 140}} {
		p, c := turning(t, 2, rotation, nil)
		s := p.set
		s.CallsPerRotation = 40
		p.Apply(s)
		p.mu.Lock()
		p.reported(p.byID[keyID(0)], []Left{{Model: "m", Fraction: 0.5, Reset: c.at.Add(time.Hour)}, {Model: "x", Fraction: 0}})
		p.unlock()
		if had := count(p, "m", 300); had["0"] < want[0] || had["0"] > want[1] {
			t.Errorf("%s: %v", rotation, had)
		}
		if had := count(p, "x", 300); rotation != LeastUsed && (had["0"] == 0 || had["0"] > 60) { // nothing left is little, not nothing
			t.Errorf("%s: nothing left: %v", rotation, had)
		}
		c.forward(time.Hour)
		p.mu.Lock()
		for _, e := range p.queue {
			e.used = 0
		}
		p.index.stale = true
		p.unlock()
		if had := count(p, "m", 320); had["0"] < 120 || had["0"] > 200 {
			t.Errorf("%s: after the reset: %v", rotation, had)
		}
		p.Disable(keyID(1))
		if got := order(t, p, "x", 2); got != "0 0" {
			t.Errorf("%s: the only one: %s", rotation, got)
		}
	}
}

func TestConversationsStay(t *testing.T) {
	const n, talks = 100, 4000
	p, c := turning(t, n, Sticky, nil)
	at := func() (where map[uint64]string) {
		where = map[uint64]string{}
		for talk := range uint64(talks) {
			l := take(t, p, Want{Model: "m", Talk: talk + 1})
			where[talk] = l.Token()
			l.Release()
		}
		return where
	}
	moved := func(before, after map[uint64]string) (from map[string]int) {
		from = map[string]int{}
		for talk, token := range before {
			if after[talk] != token {
				from[token]++
			}
		}
		return from
	}
	before := at()
	if again := moved(before, at()); len(again) != 0 {
		t.Errorf("nothing happened, yet %v moved", again)
	}
	had := map[string]int{}
	for _, token := range before {
		had[token]++
	}
	for i := range n {
		if got := had[fmt.Sprintf("key-%d", i)]; got > 5*talks/n {
			t.Errorf("key-%d has %d conversations of %d", i, got, talks)
		}
	}
	// One rests: only its own move, to several others; then they come back.
	l := take(t, p, Want{Model: "m", Tried: []string{"x"}, Prefer: keyID(7)})
	l.Report(rate(time.Minute))
	l.Release()
	after := at()
	if from := moved(before, after); len(from) != 1 || from["key-7"] != had["key-7"] {
		t.Errorf("moved %v, key-7 had %d", from, had["key-7"])
	}
	// The second choice of an exchange on its way is where the conversation goes next.
	for talk, token := range before {
		if token == "key-7" {
			l := take(t, p, Want{Model: "m", Talk: talk + 1, Tried: []string{keyID(7)}})
			if l.Token() != after[talk] {
				t.Errorf("on its way %s, later %s", l.Token(), after[talk])
			}
			l.Release()
		}
	}
	c.forward(time.Hour)
	if from := moved(before, at()); len(from) != 0 {
		t.Errorf("not back: %v", from)
	}
	// One comes: it takes a few from each, nobody else gets any.
	s := p.set
	s.APIKeys = append(s.APIKeys, "key-new")
	p.Apply(s)
	for talk, token := range at() {
		if token != before[talk] && token != "key-new" {
			t.Fatalf("a conversation moved from %s to %s", before[talk], token)
		}
	}
}

// The answer while all rest: 429 if one of them waits for its quota, and the earliest end.
func TestWhyAllRest(t *testing.T) {
	rest := func(code apierror.Code, status int, d time.Duration) cooldown {
		return cooldown{code: code, status: status, until: int64(d)}
	}
	quota, slow := rest(apierror.QuotaExhausted, 429, 3*time.Hour), rest(apierror.RateLimited, 429, time.Minute)
	down, lost := rest(apierror.UpstreamUnavailable, 503, 20*time.Second), rest(apierror.ModelNotFound, 404, 12*time.Hour)
	for _, row := range []struct {
		name   string
		rests  []cooldown
		status int
		code   apierror.Code
		after  time.Duration
		says   string
	}{
		{"quota and trouble", []cooldown{quota, down}, 429, apierror.QuotaExhausted, 20 * time.Second, "some wait for their quota"},
		{"trouble and quota", []cooldown{down, quota}, 429, apierror.QuotaExhausted, 20 * time.Second, "back in 20s"},
		{"two of quota", []cooldown{quota, slow}, 429, apierror.RateLimited, time.Minute, "every credential is rate limited"},
		{"trouble", []cooldown{down, down}, 503, apierror.UpstreamUnavailable, 20 * time.Second, "errors of Google"},
		{"trouble and no access", []cooldown{lost, down}, 503, apierror.UpstreamUnavailable, 20 * time.Second, "errors of Google"},
		{"quota and no access", []cooldown{lost, quota}, 429, apierror.QuotaExhausted, 3 * time.Hour, "some wait for their quota"},
		{"no access", []cooldown{lost, lost}, 404, apierror.ModelNotFound, 0, "no credential has access"},
	} {
		p, _ := keys(t, len(row.rests))
		p.mu.Lock()
		for i, c := range row.rests {
			p.rests(p.byID[keyID(i)], time.Duration(c.until), cooldown{code: c.code, status: c.status})
		}
		p.unlock()
		_, fail := p.Acquire(t.Context(), Want{Model: "m"})
		if fail == nil || fail.Status != row.status || fail.Code != row.code || fail.RetryAfter != row.after || !strings.Contains(fail.Message, row.says) {
			t.Errorf("%s: %+v", row.name, fail)
		}
	}
}

func TestGroupOfNobody(t *testing.T) {
	p, _ := turning(t, 2, Counted, map[int]Wish{0: {Groups: []string{"g"}}})
	_, fail := p.Acquire(t.Context(), Want{Model: "m", Group: "team"})
	if fail == nil || fail.Status != 503 || fail.Code != apierror.NoCredential || !strings.Contains(fail.Message, `group "team"`) {
		t.Errorf("%+v", fail)
	}
	p.Disable(keyID(0))
	if _, fail := p.Acquire(t.Context(), Want{Model: "m", Group: "g"}); fail == nil || !strings.Contains(fail.Message, "switched off") {
		t.Errorf("its only member is off: %v", fail)
	}
	// On its way it stays in its group as well.
	if l, fail := p.Acquire(t.Context(), Want{Model: "m", Group: "g", Tried: []string{keyID(1)}, Prefer: keyID(1)}); fail == nil {
		t.Errorf("%s is not of the group", l.Token())
	}
}

// A day is new at 07:00 UTC, and so is what was used.
func TestUseOfTheDay(t *testing.T) {
	p, c := turning(t, 2, LeastUsed, nil)
	p.Disable(keyID(1))
	order(t, p, "m", 6)
	p.Enable(keyID(1))
	if got := order(t, p, "m", 6); got != "1 1 1 1 1 1" {
		t.Errorf("it had 6 calls less: %s", got)
	}
	p.Disable(keyID(1))
	order(t, p, "m", 6)
	c.forward(19*time.Hour - time.Second) // from 12:00
	p.Enable(keyID(1))
	if got := order(t, p, "m", 2); got != "1 1" {
		t.Errorf("a second before: %s", got)
	}
	c.forward(time.Second)
	if got := order(t, p, "m", 4); got != "0 1 0 1" {
		t.Errorf("a new day: %s", got)
	}
}

// What was used of the day outlives a restart, and an operator may forget it.
func TestUseOutlivesARestart(t *testing.T) {
	states := newBook()
	from := func() *Pool {
		p, _ := keys(t, 2, func(o *Options) { o.Settings.Rotation, o.States = LeastUsed, states })
		return p
	}
	p := from()
	p.Disable(keyID(1))
	use(t, p, 5)
	p.Enable(keyID(1))
	_ = p.Close()
	p = from()
	if got := order(t, p, "m", 6); got != "1 1 1 1 1 0" {
		t.Errorf("after a restart: %s", got)
	}
	p.ResetUsage(keyID(0))
	if got := order(t, p, "m", 5); got != "0 0 0 0 0" {
		t.Errorf("its counters are at zero: %s", got)
	}
}

// A daily limit that is enforced keeps a credential out of the index, for what it is about.
func TestDailyLimitsInTheIndex(t *testing.T) {
	p, c := turning(t, 2, Counted, nil)
	s := p.set
	s.EnforceLimits, s.DailyPro, s.DailyTotal = true, 1, 2
	p.Apply(s)
	use := func(model string) (token string) {
		l, fail := p.Acquire(t.Context(), Want{Model: model})
		if fail != nil {
			return string(fail.Code)
		}
		l.Report(nil)
		l.Release()
		return l.Token()
	}
	var got []string
	for _, model := range []string{proModel, proModel, proModel, "gemini-2.5-flash", "gemini-2.5-flash", "gemini-2.5-flash"} {
		got = append(got, use(model))
	}
	if story := strings.Join(got, " "); story != "key-0 key-1 quota_exhausted key-1 key-0 quota_exhausted" {
		t.Error(story)
	}
	c.forward(24 * time.Hour)
	if token := use(proModel); !strings.HasPrefix(token, "key-") {
		t.Errorf("the next day: %s", token)
	}
}

// Whoever was out of use while the others worked is the least used when it is back, whatever the way.
func TestLeastUsedSeesWhoCameBack(t *testing.T) {
	for name, way := range map[string]struct {
		out, back func(p *Pool, c *clock, l pipeline.Lease)
	}{
		"a rest of the model ends": {
			func(_ *Pool, _ *clock, l pipeline.Lease) { l.Report(rate(time.Minute)) },
			func(_ *Pool, c *clock, _ pipeline.Lease) { c.forward(time.Minute) }},
		"the model serves after all": {
			func(_ *Pool, c *clock, l pipeline.Lease) { l.Report(rate(time.Minute)); c.forward(time.Second) },
			func(_ *Pool, _ *clock, l pipeline.Lease) {
				l.(*lease).start = l.(*lease).start.Add(time.Hour)
				l.Report(nil)
			}},
		"a rest of its own ends": {
			func(p *Pool, _ *clock, l pipeline.Lease) {
				p.mu.Lock()
				p.rests(l.(*lease).entry, time.Minute, cooldown{status: 429})
				p.unlock()
			},
			func(_ *Pool, c *clock, _ pipeline.Lease) { c.forward(time.Minute) }},
		"it is switched on": {
			func(p *Pool, _ *clock, l pipeline.Lease) { p.Disable(l.ID()) },
			func(p *Pool, _ *clock, l pipeline.Lease) { p.Enable(l.ID()) }},
		"there is room": {
			func(p *Pool, _ *clock, l pipeline.Lease) {
				p.Configure(l.ID(), func(w *Wish) { w.Concurrency = 1 })
				order(t, p, "m", 1) // what the change laid out anew is seen
			},
			func(_ *Pool, _ *clock, l pipeline.Lease) { l.Release() }},
		"more room is made": {
			func(p *Pool, _ *clock, l pipeline.Lease) { p.Configure(l.ID(), func(w *Wish) { w.Concurrency = 1 }) },
			func(p *Pool, _ *clock, l pipeline.Lease) { p.Configure(l.ID(), func(w *Wish) { w.Concurrency = 2 }) }},
	} {
		p, c := turning(t, 256, LeastUsed, nil)
		var l pipeline.Lease
		for range 101 {
			if l != nil {
				l.Release()
			}
			l = take(t, p, Want{Model: "m"})
		}
		way.out(p, c, l)
		// All others have had the same, so that nothing but its return tells that it has had less.
		behind := func(e *entry) bool { return e.used < 3 && e.cred.ID != l.ID() }
		for slices.ContainsFunc(p.queue, behind) {
			if got := order(t, p, "m", 1); got == "100" {
				t.Fatalf("%s: it is not out of use", name)
			}
		}
		order(t, p, "m", 1)
		way.back(p, c, l)
		if got := order(t, p, "m", 2); got != "100 100" {
			t.Errorf("%s: then came %s", name, got)
		}
		l.Release()
	}
}

// Another credential that goes takes its own conversations along and moves no others.
func TestConversationsOutliveOthers(t *testing.T) {
	const n, talks = 50, 2000
	p, _ := turning(t, n, Sticky, nil)
	at := func() []string {
		where := make([]string, talks)
		for i := range where {
			l := take(t, p, Want{Model: "m", Talk: uint64(i) + 1})
			where[i] = l.Token()
			l.Release()
		}
		return where
	}
	before, set := at(), p.set
	set.APIKeys = append(slices.Clone(set.APIKeys[:3]), set.APIKeys[4:]...)
	p.Apply(set)
	for i, token := range at() {
		if token != before[i] && before[i] != "key-3" {
			t.Fatalf("conversation %d moved from %s to %s, because key-3 is gone", i, before[i], token)
		}
	}
}

func TestConversationsByWeight(t *testing.T) {
	p, _ := turning(t, 20, Sticky, map[int]Wish{5: {Weight: 16}})
	const talks = 3000
	had := 0
	for talk := range uint64(talks) {
		l := take(t, p, Want{Model: "m", Talk: talk + 1})
		if l.Token() == "key-5" {
			had++
		}
		l.Release()
	}
	if had < talks/4 { // 16 of 35 is its share, 1 of 20 that of one without a weight
		t.Errorf("the heavy one has %d conversations of %d", had, talks)
	}
}
