package stats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// What the version before wrote goes on being counted, once, and its sum of old days as well.
func TestOlderFiguresAreTakenOver(t *testing.T) {
	d := newDisk(t)
	if err := d.Store.Add(t.Context(), []store.Delta{
		{Counter: "use/before/key/password/m/calls", N: 7}, {Counter: "use/before/cred/a%2Fb.json/m/calls", N: 9},
		{Counter: "use/2026-11-20/key/password/m/calls", N: 5}, {Counter: "use/2026-11-20/key/password/m/errors", N: 2},
		{Counter: "use/2026-11-20/key/key-1/m/calls", N: 1}, {Counter: "use/2026-11-20/key/password/m/total", N: 100},
		{Counter: "use/2026-11-23/key/password/other/calls", N: 3}, {Counter: "use/2026-11-23/cred/a%2Fb.json/m/calls", N: 4},
		{Counter: "use/2026-11-23/nonsense", N: 4}, {Counter: "use/2026-11-23/key/password/m/unheard-of", N: 4},
	}); err != nil {
		t.Fatal(err)
	}
	for turn := range int64(3) {
		s := d.stats()
		keys, creds := s.sums()
		if want := (Count{Calls: 16 + turn, Errors: 2, Total: 100 + 8*turn, Prompt: 3 * turn, Output: 5 * turn}); keys != want {
			t.Errorf("keys %+v, want %+v", keys, want)
		}
		if creds.Calls != 13+turn || !s.Report().Since.Equal(at("2026-11-20T07:00:00Z")) {
			t.Errorf("creds %+v, since %s", creds, s.Report().Since)
		}
		found, err := s.Series(t.Context(), Query{By: Days, From: at("2026-11-20T07:00:00Z"), To: at("2026-11-24T07:00:00Z")})
		if err != nil {
			t.Fatal(err)
		}
		var calls []int64
		for _, p := range found.Points {
			calls = append(calls, p.Calls)
		}
		if got, want := fmt.Sprint(calls), fmt.Sprint([]int64{6, 0, 0, 3 + turn}); got != want {
			t.Errorf("calls by day %s, want %s", got, want)
		}
		s.Record(served("password", "a/b.json", "m"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		d.reopen()
	}
	for name := range d.counters() {
		if strings.HasPrefix(name, "use/before") {
			t.Errorf("%s is still there", name)
		}
	}
}

// Hours and days end when they do, and are UTC; a day begins at 07:00.
func TestBorders(t *testing.T) {
	d := newDisk(t)
	times := []string{"2026-12-31T06:59:59Z", "2026-12-31T07:00:00Z", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z", "2027-01-01T06:59:59Z", "2027-01-01T07:00:00Z"}
	d.set(at(times[0]))
	s := d.stats()
	for _, text := range times {
		d.set(at(text))
		s.Record(served("password", "c", "m"))
		s.Record(served("password", "c", "m"))
	}
	for range 2 { // from memory and the store, then from the store alone
		for by, want := range map[Grain]map[string]int64{
			Hours: {"2026-12-31T06": 2, "2026-12-31T07": 2, "2026-12-31T23": 2, "2027-01-01T00": 2, "2027-01-01T06": 2, "2027-01-01T07": 2},
			Days:  {"2026-12-30T07": 2, "2026-12-31T07": 8, "2027-01-01T07": 2},
		} {
			found, err := s.Series(t.Context(), Query{By: by, From: at("2026-12-30T12:00:00Z"), To: at("2027-01-01T07:00:01Z")})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int64{}
			for i, p := range found.Points {
				if p.Calls > 0 {
					got[p.Time.Format("2006-01-02T15")] = p.Calls
				}
				if i > 0 && !p.Time.After(found.Points[i-1].Time) {
					t.Errorf("%s behind %s", p.Time, found.Points[i-1].Time)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || len(found.Points) != map[Grain]int{Hours: 44, Days: 3}[by] {
				t.Errorf("by %d: %v in %d points, want %v", by, got, len(found.Points), want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		d.reopen()
		s = d.stats()
	}
	s.Close()
}

// periods are the names of the days and hours in the store that have calls.
func periods(t *testing.T, d *disk, root string) map[string]int64 {
	t.Helper()
	all, err := d.Counters(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for name, n := range all {
		period, rest, _ := strings.Cut(strings.TrimPrefix(name, root), "/")
		if c, ok := parse(rest); ok && c.side == byKey && c.what == "calls" {
			found[period] += n
		} else if !ok {
			t.Errorf("%q does not read", name)
		}
	}
	return found
}

// Hours and days go when they are old, however long the process was down, also when the setting changes under
// it, and when it is stopped in the middle. The sums stay.
func TestOldFiguresAreRemoved(t *testing.T) {
	d := newDisk(t)
	d.hours, d.days = 48, 10
	start := at("2026-11-01T12:00:00Z")
	d.set(start)
	s := d.stats()
	for i := range 30 {
		d.set(start.AddDate(0, 0, i))
		for n := range 50 {
			s.Record(served(fmt.Sprint("key-", n), "c", "m"))
		}
		s.flush(t.Context())
	}
	kill(s)
	s = d.stats() // which sweeps from the beginning
	kill(s)       // perhaps in the middle of its own sweep
	s.kept.sweeper.at = 0
	s.sweep(t.Context())
	if hours, days := periods(t, d, hourRoot), periods(t, d, dayRoot); len(hours) != 3 || len(days) != 11 || days["2026-11-30"] != 50 || hours["2026-11-28T12"] != 50 {
		t.Errorf("hours %v days %v", hours, days)
	}

	// Shorter, and the store fails half way.
	d.mu.Lock()
	d.hours, d.days = 24, 2
	d.mu.Unlock()
	fails := &half{Store: d, after: 1}
	s.kept.Store = fails
	s.kept.sweeper.at = 0
	s.sweep(t.Context())
	if fails.n <= 1 || len(periods(t, d, dayRoot)) <= 3 {
		t.Fatalf("the sweep did not fail half way: %d", fails.n)
	}
	if keys, _ := s.sums(); keys.Calls != 1500 {
		t.Errorf("%+v", keys)
	}
	s.kept.Store = d
	for range 2 { // twice is not once too often
		s.kept.sweeper.at = 0
		s.kept.sweeper.begin(s.since, d.now())
		s.sweep(t.Context())
	}
	if hours, days := periods(t, d, hourRoot), periods(t, d, dayRoot); len(hours) != 2 || len(days) != 3 || days["2026-11-28"] != 50 {
		t.Errorf("hours %v days %v", hours, days)
	}

	// A year later.
	d.set(start.AddDate(1, 0, 0))
	s = d.stats()
	kill(s) // perhaps in the middle of its own sweep
	s.kept.sweeper.at = 0
	s.sweep(t.Context())
	if hours, days := periods(t, d, hourRoot), periods(t, d, dayRoot); len(hours)+len(days) != 0 {
		t.Errorf("hours %v days %v", hours, days)
	}
	if keys, creds := s.sums(); keys.Calls != 1500 || creds.Total != 12000 {
		t.Errorf("%+v %+v", keys, creds)
	}
}

// half is a store that fails from some write on.
type half struct {
	store.Store
	n, after int
}

func (h *half) Add(ctx context.Context, deltas []store.Delta) error {
	if h.n++; h.n > h.after {
		return errors.New("the disk is full")
	}
	return h.Store.Add(ctx, deltas)
}

// While the store is away memory is bounded, and nothing is lost of the sums.
func TestLongOutage(t *testing.T) {
	d := newDisk(t)
	s := d.stats()
	d.breaks(errors.New("the store is away"), nil)
	s.Record(served("key-0", "0.json", "m"))
	s.flush(t.Context())
	const many = maxWaiting + 5000
	for i := range many {
		if i == many-1000 {
			d.set(d.at.Add(time.Hour))
		}
		s.Record(served("password", fmt.Sprint(i, ".json"), "m"))
	}
	s.mu.Lock()
	n := len(s.waiting)
	s.mu.Unlock()
	if n > maxWaiting+8 {
		t.Errorf("%d wait", n)
	}
	d.breaks(nil, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.reopen()
	s = d.stats()
	defer s.Close()
	keys, creds := s.sums()
	if keys.Calls != many+1 || creds.Calls != many+1 || creds.Total != 8*(many+1) {
		t.Errorf("%+v %+v", keys, creds)
	}
	found, err := s.Series(t.Context(), Query{By: Hours, From: d.at.Add(-3 * time.Hour), To: d.at.Add(time.Hour), Group: ByCredential})
	if err != nil || len(found.Lines) != MaxGroups || total(found.Points).Calls != many+1 {
		t.Errorf("%v, %d lines, %+v", err, len(found.Lines), total(found.Points).Count)
	}
}

func TestHistogram(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		step int
	}{{0, 0}, {1, 0}, {50 * time.Millisecond, 0}, {50*time.Millisecond + 1, 1}, {100 * time.Millisecond, 1}, {101 * time.Millisecond, 2}, {200 * time.Millisecond, 2},
		{409600 * time.Millisecond, 13}, {409601 * time.Millisecond, 14}, {10 * time.Minute, 14}, {1 << 62, 14}, {-5, 0}} {
		if got := step(c.d); got != c.step {
			t.Errorf("%s: step %d, want %d", c.d, got, c.step)
		}
	}
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("nothing has a middle")
	}
	h[1], h[2], h[Steps-1] = 50, 49, 1
	for share, want := range map[float64]time.Duration{0.25: 75 * time.Millisecond, 0.5: 100 * time.Millisecond, 0.99: 200 * time.Millisecond, 1: 409600 * time.Millisecond} {
		if got := h.Quantile(share); got.Round(time.Millisecond) != want {
			t.Errorf("%v: %s, want %s", share, got, want)
		}
	}
}

// Series tell apart what is asked, the rest is one line.
func TestLines(t *testing.T) {
	d := newDisk(t)
	s := d.stats()
	defer s.Close()
	s.know([]string{"known"})
	long := strings.Repeat("钥", 120)
	for i := range 30 {
		for range i + 1 {
			s.Record(served(fmt.Sprintf("key-%02d", i), long, "m"))
		}
	}
	s.Record(Request{Key: "key-00", Model: "known", Code: apierror.NoCredential})
	s.Record(Request{Key: "key-00", Model: "made up", Code: apierror.NoCredential})
	d.breaks(errors.New("reads go on"), nil)
	q := Query{By: Hours, From: d.at, To: d.at.Add(1)}
	for _, flushed := range []bool{false, true} {
		if flushed {
			d.breaks(nil, nil)
			s.flush(t.Context())
			s.Record(served("key-29", long, "m"))
		}
		more := map[bool]int64{true: 1}[flushed]
		ask := func(q Query) *Series {
			found, err := s.Series(t.Context(), q)
			if err != nil || len(found.Points) != 1 {
				t.Fatal(err, found)
			}
			return found
		}
		q.Group = ByKey
		found := ask(q)
		if first, last := found.Lines[0], found.Lines[len(found.Lines)-1]; len(found.Lines) != MaxGroups+1 || first.Name != "key-29" || first.Points[0].Calls != 30+more ||
			last.Name != other || last.Points[0].Calls != 10*11/2+2 {
			t.Errorf("%d lines, first %+v, last %s %+v", len(found.Lines), first, last.Name, last.Points[0].Count)
		}
		q.Group = ByModel
		names := map[string]int64{}
		for _, l := range ask(q).Lines {
			names[l.Name] = l.Points[0].Calls
		}
		if fmt.Sprint(names) != fmt.Sprint(map[string]int64{"m": 465 + more, "known": 1, "other": 1}) {
			t.Errorf("%v", names)
		}
		q.Group = Together
		byCred := q
		byCred.Credential, byCred.Model = long, "m"
		byKey := q
		byKey.Key, byKey.Model = "key-00", "known"
		if p := ask(byCred).Points[0]; p.Calls != 465+more {
			t.Errorf("%+v", p)
		}
		if p := ask(byKey).Points[0]; p.Calls != 1 || p.Errors != 1 || p.Codes[0] != (CodeCount{apierror.NoCredential, 1}) {
			t.Errorf("%+v", p)
		}
	}
	if _, err := s.Series(t.Context(), Query{By: Hours, From: d.at, To: d.at.Add(MaxPoints*time.Hour + 1)}); err == nil {
		t.Error("too many points")
	}
}

func TestServedByKey(t *testing.T) {
	s := New()
	for i := range 100 {
		s.Record(Request{Key: "k", Model: fmt.Sprint("m", i)})
		s.Record(Request{Key: "k", Model: fmt.Sprint("m", i), Code: apierror.RateLimited})
	}
	s.Record(Request{Key: "k", Model: "failed", Code: apierror.RateLimited})
	s.Record(Request{Key: "refused", Model: "m1", Code: apierror.Unauthorized})
	s.Record(Request{Key: "k", Model: "m7"})
	s.Record(Request{Key: "k", Model: "m99"})
	got := s.ByKey("k")
	if len(got) != maxServed+1 || sumOf(got) != 102 || got[other] != 36 || got["m7"] != 2 || got["m99"] != 2 || len(s.ByKey("none")) != 0 {
		t.Errorf("%d names, %v", len(got), got)
	}
	for range 20 { // the same ones each time, and in the list of keys
		if again, all := s.ByKey("k"), s.Answered(); !maps.Equal(again, got) || len(all) != 1 || !maps.Equal(all["k"], got) {
			t.Fatalf("%v, then %v and %v", got, again, all)
		}
	}
}
