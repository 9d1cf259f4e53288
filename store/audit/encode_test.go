package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
)

// oddTexts are what a client may call a model, and what would end a string or a document that is not careful.
var oddTexts = []string{"", "gemini-2.5-pro", `a"b\c`, "<&>", "流式抗截断/x", "a\nb\x00\x7f", "\xff\xfe", "a\u2028b\u202e", "\U0001f600"}

// What is written by hand is what a sheet reads.
func TestDocIsASheet(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	l.Note(Request{})
	for i, text := range oddTexts {
		r := full(strconv.Itoa(i))
		r.Model, r.Key, r.Credential, r.Code = text, text, text, text
		r.Stream, r.Cached = i%2 == 0, int64(i%3)
		l.Note(r)
		d.clock.add(time.Second)
	}
	c := l.rows.open
	want := sheet{Version: version, Last: c.slots[len(c.slots)-1].at, Count: len(c.slots)}
	for i := range c.slots {
		want.Rows = append(want.Rows, lineOf(c.row(i)))
	}
	var got sheet
	in := json.NewDecoder(bytes.NewReader(c.doc(time.Hour).Body))
	in.DisallowUnknownFields()
	if err := in.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	last, n, ok := head(c.doc(time.Hour).Body)
	if !ok || last != want.Last || n != want.Count {
		t.Errorf("head: %d %d %v", last, n, ok)
	}
}

// A look for a name finds it as it is written.
func TestOddNamesAreFound(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	for _, name := range oddTexts[1:5] {
		l.Note(Request{ID: "of " + name, Key: name, Status: 200})
	}
	d.flush(l)
	for _, name := range oddTexts[1:5] {
		if got := all(t, d.node(), Query{Key: name}); len(got) != 1 || got[0].Key != name {
			t.Errorf("%q: %+v", name, got)
		}
	}
}

// Where many requests come each document is written once: when one is full the next has only begun. They are
// not written alone but many at a time, and long before there are too many.
func TestFullChunksAreWrittenTogether(t *testing.T) {
	d := newDesk(t)
	s := &together{Store: d.store}
	l := d.nodeOn(s)
	const groups = 3
	for i := range groups*early + chunkRows + 1 {
		l.Note(Request{ID: strconv.Itoa(i), Status: 200})
		d.clock.add(50 * time.Microsecond)
		select {
		case <-l.wake:
			if !l.crowded() {
				t.Fatal("woken for nothing")
			}
			s.begin(early / chunkRows)
			if !l.flushFull(context.Background()) {
				t.Fatal("not written")
			}
			if l.crowded() {
				t.Fatal("what was written waits")
			}
		default:
		}
	}
	if s.puts != groups*early/chunkRows || s.groups != groups || l.Lost() != 0 {
		t.Errorf("%d documents in %d groups, %d rows lost", s.puts, s.groups, l.Lost())
	}
	s.begin(2)
	d.flush(l)
	if s.puts != groups*early/chunkRows+2 {
		t.Errorf("%d documents in the end", s.puts)
	}
	if got := all(t, d.node(), Query{Limit: 1000}); len(got) != groups*early+chunkRows+1 {
		t.Errorf("%d rows", len(got))
	}
}

// together is a store that answers when so many have come at the same time, and not before.
type together struct {
	store.Store
	mu           sync.Mutex
	wait         *sync.WaitGroup
	puts, groups int
}

func (s *together) begin(n int) {
	s.wait = &sync.WaitGroup{}
	s.wait.Add(n)
	s.groups++
}

func (s *together) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	s.mu.Lock()
	s.puts++
	s.mu.Unlock()
	s.wait.Done()
	s.wait.Wait()
	return s.Store.Put(ctx, t, d, when)
}

// A store that was away is asked with one document, and gets the others when it takes that one.
func TestStoreThatWasAwayIsAskedWithOne(t *testing.T) {
	d := newDesk(t)
	s := &counted{Store: d.store, away: true}
	l := d.nodeOn(s)
	for i := range 5 * chunkRows {
		l.Note(Request{ID: strconv.Itoa(i), Status: 200})
	}
	for i, want := range []int64{5, 6, 7} {
		if l.flush(context.Background()) || s.puts.Load() != want {
			t.Errorf("look %d: %d documents were tried, want %d", i, s.puts.Load(), want)
		}
	}
	s.away = false
	d.flush(l)
	if n := s.puts.Load(); n != 12 {
		t.Errorf("%d documents were tried in the end", n)
	}
	if got := all(t, d.node(), Query{Limit: 1000}); len(got) != 5*chunkRows {
		t.Errorf("%d rows", len(got))
	}
}

type counted struct {
	store.Store
	away bool
	puts atomic.Int64
}

func (s *counted) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if s.puts.Add(1); s.away {
		return 0, errors.New("the cable is out")
	}
	return s.Store.Put(ctx, t, d, when)
}

// All that waits can be looked through, however much that is.
func TestRowsThatWaitAreThere(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	const rows = maxWaiting - chunkRows
	for i := range rows {
		l.Note(Request{ID: strconv.Itoa(i), Status: 200})
		d.clock.add(50 * time.Microsecond)
	}
	if got := all(t, l, Query{Limit: 1000}); len(got) != rows || got[0].ID != strconv.Itoa(rows-1) || got[rows-1].ID != "0" {
		t.Errorf("%d rows", len(got))
	}
}

// BenchmarkWrite is what a request costs whoever writes them into the store.
func BenchmarkWrite(b *testing.B) {
	l := begin(Options{Store: nothing{}})
	r := full("0123456789abcdef")
	b.ReportAllocs()
	for b.Loop() {
		l.Note(r)
		select {
		case <-l.wake:
			l.flushFull(context.Background())
		default:
		}
	}
}

// nothing is a store that takes everything in and has nothing.
type nothing struct{ store.Store }

func (nothing) Put(_ context.Context, _ store.Table, d store.Doc, _ store.Rev) (store.Rev, error) {
	return 1, store.CheckBody(d.Body)
}

// busy is a store to which requests come while it writes.
type busy struct {
	store.Store
	meanwhile func()
	puts      int
}

func (b *busy) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if b.puts++; b.puts < 50 {
		b.meanwhile()
	}
	return b.Store.Put(ctx, t, d, when)
}

// Rows that come while a document is written wait for the next time.
func TestFlushComesToAnEnd(t *testing.T) {
	d := newDesk(t)
	s := &busy{Store: d.store}
	l := d.nodeOn(s)
	s.meanwhile = func() { l.Note(Request{ID: strconv.Itoa(s.puts), Status: 200}) }
	l.Note(Request{ID: "0", Status: 200})
	d.flush(l)
	if s.puts != 1 {
		t.Errorf("the document was written %d times", s.puts)
	}
	s.meanwhile = func() {}
	d.flush(l)
	if got := ids(all(t, d.node(), Query{})); got != "1 0" {
		t.Errorf("%s", got)
	}
}
