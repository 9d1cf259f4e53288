package stats

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store"
	"gcli2api/store/embedded"
)

// disk is a store that can be closed and opened again, with a clock of its own.
type disk struct {
	store.Store
	t    *testing.T
	path string

	mu   sync.Mutex
	at   time.Time
	fail error // of Add
	lost error // of Add, which has been done all the same

	shared bool // others may write there
	hours  int  // settings; 0 is the default
	days   int
}

func (d *disk) Alone() bool { return !d.shared }

func newDisk(t *testing.T) *disk {
	d := &disk{t: t, path: filepath.Join(t.TempDir(), "x.db"), at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	d.reopen()
	t.Cleanup(func() { d.Close() })
	return d
}

func (d *disk) reopen() {
	d.t.Helper()
	if d.Store != nil {
		d.Close()
	}
	db, err := embedded.Open(embedded.Options{Path: d.path})
	if err != nil {
		d.t.Fatal(err)
	}
	d.Store = db
}

func (d *disk) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	d.mu.Lock()
	fail, lost := d.fail, d.lost
	d.mu.Unlock()
	if fail != nil {
		return fail
	}
	if err := d.Store.AddOnce(ctx, id, deltas); err != nil {
		return err
	}
	return lost
}

// breaks sets how writes go from now on.
func (d *disk) breaks(fail, lost error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail, d.lost = fail, lost
}

func (d *disk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *disk) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = at
}

func (d *disk) settings() Settings {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Settings{Hours: cmp.Or(d.hours, 192), Days: cmp.Or(d.days, 92)}
}

// kill ends s like a crash, and lets a minute pass: what was not flushed is gone, and what it had claimed is free.
func kill(s *Stats) {
	s.kept.cancel()
	<-s.kept.done
	_, _ = s.kept.Store.Claim(context.Background(), sweepLease, s.kept.owner, 0)
}

func (d *disk) stats() *Stats {
	d.t.Helper()
	s, err := openAt(d.t.Context(), Options{Store: d, Log: slog.New(slog.DiscardHandler), Settings: d.settings}, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

func (d *disk) counters() map[string]int64 {
	d.t.Helper()
	all, err := d.Counters(d.t.Context(), "use/")
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

func served(key, cred, model string) Request {
	return Request{Key: key, Model: model, Tries: []Try{{Credential: cred, Model: model, Prompt: 3, Output: 5, Total: 8}}}
}

func (s *Stats) sums() (keys, creds Count) {
	r := s.Report()
	for _, row := range r.Keys {
		keys.Add(row.Count)
	}
	for _, row := range r.Credentials {
		creds.Add(row.Count)
	}
	return keys, creds
}

func TestFiguresOutliveTheProcess(t *testing.T) {
	d := newDisk(t)
	s := d.stats()
	names := []string{"a/b.json", "项目 1.json", "%2F", strings.Repeat("长", 200), "x\x00y", strings.Repeat("z", 600)}
	for _, name := range names {
		s.Record(served("key "+name, name, "gemini-2.5-pro"))
		s.Record(Request{Key: "key " + name, Model: "gemini-2.5-pro", Code: apierror.NoCredential})
	}
	want := s.Report()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time nothing may be counted twice
		d.reopen()
		s = d.stats()
		got := s.Report()
		if len(got.Keys) != len(want.Keys) || len(got.Credentials) != len(want.Credentials) {
			t.Errorf("%d and %d rows, want %d and %d", len(got.Keys), len(got.Credentials), len(want.Keys), len(want.Credentials))
		}
		keys, creds := s.sums()
		if (keys != Count{Calls: 12, Errors: 6, Prompt: 18, Output: 30, Total: 48}) || (creds != Count{Calls: 6, Prompt: 18, Output: 30, Total: 48}) {
			t.Errorf("%+v %+v", keys, creds)
		}
		if first := got.Since.Format(time.RFC3339); first != "2026-11-23T12:00:00Z" {
			t.Errorf("since %s", first)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Names that clients make up do not grow the store.
func TestInventedNamesAreOne(t *testing.T) {
	d := newDisk(t)
	s := d.stats()
	for i := range 2000 {
		s.Record(Request{Key: "k", Model: "invented-" + strings.Repeat("x", i%90) + string(rune('a'+i%26)), Code: apierror.ModelNotFound})
	}
	s.Record(served("k", "c", strings.Repeat("m", maxModel+1)))
	s.Record(served("k", "c", "gemini-2.5-pro"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	models := map[string]bool{}
	for name := range d.counters() {
		_, c, ok := dayAndRest(name)
		if !ok {
			t.Errorf("%s does not read", name)
		}
		if c.side != "node" {
			models[c.model] = true
		}
	}
	if len(models) != 2 || !models["other"] || !models["gemini-2.5-pro"] {
		t.Errorf("models %v", models)
	}
	if keys, _ := s.sums(); keys.Calls != 2002 {
		t.Errorf("%+v", keys)
	}
}

// A name is told apart in the store from the first call on that works.
func TestNamesThatWorkAreToldApart(t *testing.T) {
	d := newDisk(t)
	s := d.stats()
	defer s.Close()
	for _, code := range []apierror.Code{apierror.NoCredential, "", apierror.NoCredential} {
		s.Record(Request{Key: "k", Model: "new", Code: code})
	}
	s.flush(t.Context())
	if all := d.counters(); all["use/2026-11-23/key/k/other/calls"] != 1 || all["use/2026-11-23/key/k/new/calls"] != 2 || all["use/2026-11-23/all/-/new/errors"] != 1 {
		t.Errorf("%v", all)
	}
}

// What the store does not take waits, and is counted once.
func TestFiguresWaitForTheStore(t *testing.T) {
	d := newDisk(t)
	d.breaks(errors.New("the disk is full"), nil)
	s := d.stats()
	s.Record(served("k", "c", "m"))
	if s.flush(t.Context()) {
		t.Error("it was flushed")
	}
	s.Record(served("k", "c", "m"))
	if err := s.Close(); err == nil {
		t.Error("the end says nothing")
	}
	d.breaks(nil, nil)
	if !s.flush(t.Context()) || d.counters()["use/2026-11-23/key/k/m/calls"] != 2 {
		t.Errorf("%v", d.counters())
	}
}

// dayAndRest reads the name of a counter of a day.
func dayAndRest(name string) (day string, c counter, ok bool) {
	day, rest, _ := strings.Cut(strings.TrimPrefix(name, dayRoot), "/")
	c, ok = parse(rest)
	return day, c, ok
}

func BenchmarkRecord(b *testing.B) {
	for _, name := range []string{"memory", "store"} {
		b.Run(name, func(b *testing.B) {
			s := New()
			if name == "store" {
				s.kept = &keeper{}
			}
			r := served("password", "key-1", "gemini-2.5-pro")
			r.First, r.Took, r.Tries[0].First, r.Tries[0].Took = time.Second, 3*time.Second, time.Second, 3*time.Second
			b.ReportAllocs()
			for b.Loop() {
				s.Record(r)
			}
		})
	}
}
