package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strconv"
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

// Where many requests come each document is written once: when one is full the next has only begun.
func TestFullChunkIsWrittenAlone(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	written := func() int64 {
		n, err := d.store.Revision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	begun := written()
	for i := range 4*chunkRows + 1 {
		l.Note(Request{ID: strconv.Itoa(i), Status: 200})
		select {
		case <-l.wake:
			if !l.flushFull(context.Background()) {
				t.Fatal("not written")
			}
		default:
		}
	}
	if n := written() - begun; n != 4 {
		t.Errorf("%d documents written for 4 that are full", n)
	}
	d.flush(l)
	if n := written() - begun; n != 5 {
		t.Errorf("%d documents written in the end, want 5", n)
	}
	if got := all(t, l, Query{Limit: 1000}); len(got) != 4*chunkRows+1 {
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
