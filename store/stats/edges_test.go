package stats

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
)

// Hours that are not kept any more are not written, the oldest that is kept is.
func TestHoursThatAreGoneAlready(t *testing.T) {
	oldest := hourOf(at("2026-11-23T12:00:00Z"))
	for hour, want := range map[int64]bool{oldest - 1: false, oldest: true, oldest + 1: true} {
		one := &tally{bin: bin{hour, byKey, "k", "m"}}
		one.Calls = 1
		found := false
		for _, d := range differences([]*tally{one}, oldest) {
			found = found || strings.HasPrefix(d.Counter, hourPrefix(hour))
		}
		if found != want {
			t.Errorf("%s: %v", hourTime(hour), found)
		}
	}
}

// What stands in a store is not ours alone: it cannot grow the figures, nor end the process.
func TestFiguresOfOthersAreBounded(t *testing.T) {
	var f Figures
	for i := range 1000 {
		f.take(fmt.Sprint("e:code-", i), 1)
	}
	for _, name := range []string{"f15", "t15", "f-1", "t99999999999999999999", "f", "t", "", "x3", "e"} {
		f.take(name, 1)
	}
	if len(f.Codes) != maxCodes || f.First.Measured() != 0 || f.Took.Measured() != 0 || f.Count != (Count{}) {
		t.Errorf("%d codes, %+v", len(f.Codes), f.Count)
	}
	f.take("f14", 3)
	f.take("t0", 2)
	if f.First[14] != 3 || f.Took[0] != 2 {
		t.Errorf("%v %v", f.First, f.Took)
	}
}

// A clock that is set back by a day does not make a write that failed look like one that was made.
func TestAWriteThatFailsAfterTheClockWentBack(t *testing.T) {
	d := newDisk(t)
	s := d.stats()
	record := func() {
		s.Record(served("k", "c", "m"))
		s.flush(t.Context())
	}
	record()
	d.set(d.now().Add(24 * time.Hour))
	record()
	record()
	d.set(d.now().Add(-24 * time.Hour))
	d.breaks(errors.New("the store is away"), nil)
	record()
	d.breaks(nil, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.reopen()
	s = d.stats()
	defer s.Close()
	if keys, creds := s.sums(); keys.Calls != 4 || creds.Calls != 4 {
		t.Errorf("%d and %d calls of 4", keys.Calls, creds.Calls)
	}
}

// What was put together while too much waited is written once, and what comes later is put together anew.
func TestTooMuchWaitsAgain(t *testing.T) {
	s := begin(func() time.Time { return at("2026-11-23T12:00:00Z") })
	s.kept = &keeper{}
	for round := range 2 {
		const many = maxWaiting + 100
		for i := range many {
			s.Record(served("k", fmt.Sprint(i), fmt.Sprint("m", i%50)))
		}
		if n := len(s.waiting); n > maxWaiting+2 { // one for each side
			t.Errorf("%d wait", n)
		}
		if s.overflowed() != true {
			t.Error("nobody hears of it")
		}
		calls := int64(0)
		for batch := s.take(10_000); len(batch) > 0; batch = s.take(10_000) {
			for _, one := range batch {
				if one.side == byCred {
					calls += one.Calls
				}
			}
			s.recycle(batch)
		}
		if calls != many {
			t.Errorf("round %d: %d calls of %d", round, calls, many)
		}
	}
}

// Long names that begin alike are told apart.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("n", 400)
	if a, b := part(long+"a"), part(long+"b"); a == b || len(a) > 150 || len(b) > 150 {
		t.Errorf("%q, %q", a, b)
	}
	if a, b := part(strings.Repeat("名", 200)), part(strings.Repeat("名", 201)); a == b || len(a) > 150 {
		t.Errorf("%q, %q", a, b)
	}
}

// A series has what the store has not heard of, be it in the batch that failed or behind it, and none of what
// lies outside of it.
func TestSeriesWhileTheStoreIsAway(t *testing.T) {
	d := newDisk(t)
	s := d.stats()
	defer s.Close()
	s.Record(served("k", "c", "m"))
	s.flush(t.Context()) // is in the store
	d.breaks(errors.New("the store is away"), nil)
	s.Record(served("k", "c", "m"))
	s.flush(t.Context())
	s.Record(served("k", "c", "m"))
	s.Record(Request{Key: "k", Model: "m", Code: apierror.RateLimited})
	hour := d.now().Truncate(time.Hour)
	for _, c := range []struct {
		from, to      time.Time
		calls, errors int64
	}{
		{hour, hour.Add(time.Hour), 4, 1},
		{hour.Add(-2 * time.Hour), hour.Add(time.Hour), 4, 1},
		{hour.Add(-2 * time.Hour), hour, 0, 0},
		{hour.Add(time.Hour), hour.Add(3 * time.Hour), 0, 0},
	} {
		for _, group := range []Group{Together, ByModel} {
			found, err := s.Series(t.Context(), Query{By: Hours, From: c.from, To: c.to, Group: group})
			if err != nil {
				t.Fatal(err)
			}
			if got := total(found.Points); got.Calls != c.calls || got.Errors != c.errors || int64(len(found.Points)) != int64(c.to.Sub(c.from)/time.Hour) {
				t.Errorf("from %s to %s: %+v in %d points", c.from, c.to, got.Count, len(found.Points))
			}
		}
	}
	d.breaks(nil, nil)
}

// A model is asked for by itself also where keys or credentials are told apart.
func TestLinesOfOneModel(t *testing.T) {
	d := newDisk(t)
	s := d.stats()
	defer s.Close()
	for key, models := range map[string][]string{"a": {"m", "m", "n"}, "b": {"n", "m"}, "c": {"n"}} {
		for _, model := range models {
			s.Record(served(key, "of-"+key, model))
		}
	}
	for _, away := range []bool{true, false} { // not in the store, and there
		if away {
			d.breaks(errors.New("the store is away"), nil)
		} else {
			d.breaks(nil, nil)
		}
		for _, group := range []Group{ByKey, ByCredential} {
			found, err := s.Series(t.Context(), Query{By: Hours, From: d.now(), To: d.now().Add(time.Minute), Group: group, Model: "m"})
			if err != nil {
				t.Fatal(err)
			}
			if len(found.Lines) != 2 || total(found.Points).Calls != 3 || total(found.Lines[0].Points).Calls != 2 || total(found.Lines[1].Points).Calls != 1 {
				t.Errorf("away %v, group %d: %+v", away, group, found.Lines)
			}
		}
	}
}

// From when on figures are said to be kept they are, and none from before.
func TestKeptFrom(t *testing.T) {
	d := newDisk(t)
	d.hours, d.days = 5, 3
	s := d.stats()
	defer s.Close()
	begin := d.now()
	for range 5 * 24 {
		s.Record(served("k", "c", "m"))
		s.flush(t.Context())
		s.sweep(t.Context())
		d.set(d.now().Add(time.Hour))
	}
	s.sweep(t.Context())
	for by, length := range map[Grain]time.Duration{Hours: time.Hour, Days: 24 * time.Hour} {
		kept := s.KeptFrom(by)
		found, err := s.Series(t.Context(), Query{By: by, From: begin.Add(-24 * time.Hour), To: d.now()})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range found.Points {
			if is := p.Calls > 0; is != (!p.Time.Before(kept) && p.Time.Add(length).After(begin)) {
				t.Errorf("%s: %d calls, kept from %s", p.Time, p.Calls, kept)
			}
		}
		if !found.Kept.Equal(kept) {
			t.Errorf("%s and %s", found.Kept, kept)
		}
	}
}

// Sums that are read again from the store have what it has not heard of.
func TestSumsThatAreReadAgain(t *testing.T) {
	d := newDisk(t)
	s := d.stats()
	s.Record(served("k", "c", "m"))
	s.flush(t.Context())
	d.breaks(errors.New("the store is away"), nil)
	s.Record(served("k", "c", "m"))
	s.flush(t.Context()) // is pending now
	s.Record(served("k", "c", "m"))
	s.kept.flushing.Lock()
	err := s.readSums(t.Context())
	s.kept.flushing.Unlock()
	if keys, creds := s.sums(); err != nil || keys.Calls != 3 || creds.Calls != 3 {
		t.Errorf("%v, %d and %d calls of 3", err, keys.Calls, creds.Calls)
	}
	d.breaks(nil, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// However many models a store has, so many are told apart.
func TestNamesOfAStoreAreBounded(t *testing.T) {
	found, names := map[string]int64{}, map[string]bool{}
	for i := range 2 * maxModels {
		found[totalRoot+pairName(byKey, "k", fmt.Sprint("m", i))+"calls"] = 1
	}
	found[totalRoot+pairName(byKey, "k", other)+"calls"] = 1
	all := table{}
	if all.load(found, names); len(names) != maxModels || names[other] {
		t.Errorf("%d names", len(names))
	}
	sum := Count{}
	for _, e := range all["k"] {
		sum.Add(e.sum)
	}
	if sum.Calls != 2*maxModels+1 {
		t.Errorf("%d calls", sum.Calls)
	}
}

// That figures cannot be kept is said once, and that they are again as well.
func TestAnOutageIsSaid(t *testing.T) {
	d := newDisk(t)
	var said bytes.Buffer
	k := &keeper{Options: Options{Store: d, Log: slog.New(slog.NewTextHandler(&said, nil))}}
	away := errors.New("the store is away")
	for _, err := range []error{nil, away, away, nil, nil, away} {
		k.report(err, false)
	}
	if n, m := strings.Count(said.String(), "cannot be kept"), strings.Count(said.String(), "kept again"); n != 2 || m != 1 {
		t.Error(said.String())
	}
}
