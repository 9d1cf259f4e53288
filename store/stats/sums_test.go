package stats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
)

// truth is what was recorded, counted in the plainest way.
type truth struct {
	keys, creds Figures
	byKey       map[string]int64 // calls
	byModel     map[string]int64
	begun       int64
}

func newTruth() *truth { return &truth{byKey: map[string]int64{}, byModel: map[string]int64{}} }

func (w *truth) add(r Request) {
	one := Figures{Count: Count{Calls: 1, Units: r.Units}}
	w.byKey[r.Key]++
	w.byModel[r.Model]++
	if r.Code != "" {
		one.Errors = 1
		one.fail(r.Code, 1)
	}
	if r.First > 0 {
		one.First[step(r.First)]++
		w.begun++
	}
	if len(r.Tries) > 0 {
		one.Took[step(r.Took)]++
	}
	for _, t := range r.Tries {
		try := Figures{Count: Count{Calls: 1, Prompt: t.Prompt, Output: t.Output, Total: t.Total, Cached: t.Cached, Thought: t.Thought}}
		if t.Code != "" {
			try.Errors = 1
			try.fail(t.Code, 1)
		}
		if t.First > 0 {
			try.First[step(t.First)]++
		}
		try.Took[step(t.Took)]++
		one.Prompt += t.Prompt
		one.Output += t.Output
		one.Total += t.Total
		one.Cached += t.Cached
		one.Thought += t.Thought
		w.creds.Add(&try)
	}
	w.keys.Add(&one)
}

func invented(r *rand.Rand) Request {
	codes := []apierror.Code{"", "", "", apierror.RateLimited, apierror.NoCredential, apierror.ClientGone}
	q := Request{Key: []string{"password", "refused", "key-1", "key-2", "钥匙/3"}[r.IntN(5)], Model: fmt.Sprintf("m%d", r.IntN(4)),
		Code: codes[r.IntN(len(codes))], Units: r.Int64N(20), Took: time.Duration(1 + r.Int64N(int64(20*time.Minute)))}
	for range r.IntN(4) {
		t := Try{Credential: fmt.Sprintf("%d.json", r.IntN(5)), Model: q.Model, Code: codes[r.IntN(len(codes))],
			Took: time.Duration(1 + r.Int64N(int64(time.Minute)))}
		if r.IntN(2) == 0 {
			t.Prompt, t.Output, t.Cached, t.Thought = r.Int64N(1000), r.Int64N(1000), r.Int64N(10), r.Int64N(10)
			t.Total = t.Prompt + t.Output
		}
		q.Tries = append(q.Tries, t)
	}
	if n := len(q.Tries); n > 0 && r.IntN(2) == 0 {
		q.First = 1 + q.Took/3
		q.Tries[n-1].First = q.First
	}
	return q
}

func total(points []Point) (f Figures) {
	for i := range points {
		f.Add(&points[i].Figures)
	}
	slices.SortFunc(f.Codes, func(a, b CodeCount) int { return cmpText(a.Code, b.Code) })
	return f
}

func cmpText(a, b apierror.Code) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// check compares everything that can be asked with the truth.
func (w *truth) check(t *testing.T, s *Stats, from, to time.Time) {
	t.Helper()
	ask := func(q Query) *Series {
		q.From, q.To = from, to
		found, err := s.Series(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	sorted := func(f Figures) Figures { return total([]Point{{Figures: f}}) }
	for _, by := range []Grain{Hours, Days} {
		for group, want := range map[Group]Figures{Together: w.keys, ByModel: w.keys, ByKey: w.keys, ByCredential: w.creds} {
			found := ask(Query{By: by, Group: group})
			if got := total(found.Points); !reflect.DeepEqual(got, sorted(want)) {
				t.Errorf("by %d, group %d: %+v\nwant %+v", by, group, got, sorted(want))
			}
			var lines Figures
			for _, l := range found.Lines {
				f := total(l.Points)
				lines.Add(&f)
			}
			if group != Together && !reflect.DeepEqual(sorted(lines), sorted(want)) {
				t.Errorf("by %d, lines of group %d: %+v\nwant %+v", by, group, sorted(lines), sorted(want))
			}
		}
		for key, n := range w.byKey {
			if got := total(ask(Query{By: by, Key: key}).Points).Calls; got != n {
				t.Errorf("by %d: %d calls of %s, want %d", by, got, key, n)
			}
		}
		for model, n := range w.byModel {
			if got := total(ask(Query{By: by, Model: model}).Points).Calls; got != n {
				t.Errorf("by %d: %d calls of %s, want %d", by, got, model, n)
			}
		}
		r, err := s.Between(t.Context(), Query{By: by, From: from, To: to})
		if err != nil {
			t.Fatal(err)
		}
		w.checkReport(t, r)
	}
	w.checkReport(t, s.Report())
	f := sorted(w.keys)
	errs := int64(0)
	for _, c := range f.Codes {
		errs += c.N
	}
	if errs != f.Errors || f.First.Measured() != w.begun || w.keys.Total != w.creds.Total {
		t.Errorf("the truth itself: %+v", f)
	}
}

func (w *truth) checkReport(t *testing.T, r Report) {
	t.Helper()
	var keys, creds Count
	for _, row := range r.Keys {
		keys.Add(row.Count)
	}
	for _, row := range r.Credentials {
		creds.Add(row.Count)
	}
	if keys != w.keys.Count || creds != w.creds.Count {
		t.Errorf("report %+v %+v\nwant %+v %+v", keys, creds, w.keys.Count, w.creds.Count)
	}
}

// Whatever comes, over borders of hours and days, through restarts, crashes and a store that fails before or
// after it has written: hours, days, sums, keys and credentials tell the same.
func TestEverythingAddsUp(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			d := newDisk(t)
			d.set(time.Date(2026, 12, 30, 5, 59, 0, 0, time.UTC))
			d.shared = seed%2 == 1
			from := d.at.Add(-3 * time.Hour)
			want := newTruth()
			s := d.stats()
			for i := range 4 { // names that work are told apart from the start
				q := Request{Key: "key-1", Model: fmt.Sprintf("m%d", i)}
				s.Record(q)
				want.add(q)
			}
			for range 300 {
				q := invented(r)
				s.Record(q)
				want.add(q)
				d.breaks(nil, nil)
				switch r.IntN(12) {
				case 0:
					d.set(d.at.Add(time.Duration(r.Int64N(int64(80 * time.Minute)))))
				case 1:
					s.flush(t.Context())
				case 2:
					d.breaks(errors.New("the disk is full"), nil)
					s.flush(t.Context())
				case 3:
					d.breaks(nil, context.DeadlineExceeded)
					s.flush(t.Context())
				case 4:
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = d.stats()
				case 5:
					if !s.flush(t.Context()) {
						t.Fatal("not flushed")
					}
					kill(s)
					s = d.stats()
				}
			}
			d.breaks(nil, nil)
			want.check(t, s, from, d.at.Add(time.Hour))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			d.reopen()
			s = d.stats()
			defer s.Close()
			want.check(t, s, from, d.at.Add(time.Hour))
		})
	}
}

// Two nodes on one store show the same, and each figure once.
func TestTwoNodesAddUp(t *testing.T) {
	d := newDisk(t)
	d.shared = true
	nodes := []*Stats{d.stats(), d.stats()}
	want := newTruth()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		q := invented(r)
		q.Code = ""
		nodes[i%2].Record(q)
		want.add(q)
		if i%50 == 49 {
			nodes[r.IntN(2)].flush(t.Context())
		}
	}
	for _, s := range nodes {
		s.flush(t.Context())
	}
	for _, s := range nodes {
		s.kept.read = time.Time{}
		want.check(t, s, d.at.Add(-2*time.Hour), d.at.Add(2*time.Hour))
		if n := s.ByKey("key-1"); n["m0"] == 0 || sumOf(n) != want.byKey["key-1"] {
			t.Errorf("%v, want %d in all", n, want.byKey["key-1"])
		}
	}
	nodes[0].Record(served("password", "c", "m0"))
	if err := errors.Join(nodes[0].Close(), nodes[1].Close()); err != nil {
		t.Fatal(err)
	}
	s := d.stats()
	defer s.Close()
	if keys, _ := s.sums(); keys.Calls != want.keys.Calls+1 {
		t.Errorf("%+v", keys)
	}
}

func sumOf(m map[string]int64) (n int64) {
	for v := range maps.Values(m) {
		n += v
	}
	return n
}
