package ephemeral

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store"
	"gcli2api/store/storetest"
)

// values are what must come back byte for byte, and how it lies in the store.
var values = []struct{ value, as string }{
	{`{"a":[1,2,{"b":null}]}`, "json"}, {`"a\u0000\ud83d"`, "json"}, {"12", "json"}, {"null", "json"}, {"{\n \"a\" : 1\n}", "json"},
	{"", "text"}, {"CiQB+/=", "text"}, {` {"a":1} `, "text"}, {"{}\n", "text"}, {"\ufeff{}", "text"}, {`1,"json":2`, "text"}, {`1}`, "text"},
	{`1,"text":"x"`, "text"}, {`{"a":}`, "text"}, {"a\x00\"\\\x1f\u2028\U0001F600", "text"}, {"01", "text"},
	{strings.Repeat("[", 511) + strings.Repeat("]", 511), "json"}, {strings.Repeat("[", 512) + strings.Repeat("]", 512), "text"},
	{strings.Repeat("[", 20000), "text"}, {"\xff\x00", "base64"}, {`"` + "\xff" + `"`, "base64"},
	{strings.Repeat("x", largestCopy+1), "text"}, {strings.Repeat("\x01", 2<<20), "base64"}, // it would take 12 MB as text
}

func TestValues(t *testing.T) {
	k := newKit(t)
	for _, tt := range values {
		k.keep(k.here, at("key:k1"), time.Hour, item("id", tt.value))
		k.has(k.here, at("key:k1"), "id", []byte(tt.value))
		k.has(k.there, at("key:k1"), "id", []byte(tt.value))
		docs := k.docs()
		var shown map[string]json.RawMessage
		if err := json.Unmarshal(docs[0].Body, &shown); err != nil || len(docs) != 1 {
			t.Fatalf("%.40q: %d documents, %v", tt.value, len(docs), err)
		}
		if shown[tt.as] == nil || string(shown["owner"]) != `"key:k1"` || string(shown["id"]) != `"id"` || len(shown) != 3 {
			t.Errorf("%.40q lies there as %.200s, want %s", tt.value, docs[0].Body, tt.as)
		}
		k.forget(k.there, at("key:k1"), "id", true)
		k.clock.pass(3 * time.Second)
		k.gone(k.here, at("key:k1"), "id")
	}
	if left := k.docs(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func FuzzValues(f *testing.F) {
	for _, tt := range values {
		if len(tt.value) < 1000 {
			f.Add("key:k1", "id", []byte(tt.value))
		}
	}
	f.Add("\xff\"", strings.Repeat("\x00项", 300), []byte("x"))
	f.Fuzz(func(t *testing.T, owner, id string, value []byte) {
		n := nameOf(at(owner), id)
		doc := store.Doc{ID: n.doc, Body: finish(n.open(), value)}
		if err := errors.Join(store.CheckName(doc.ID), store.CheckBody(doc.Body)); err != nil {
			t.Fatalf("%v: %s", err, doc.Body)
		}
		if h, err := read(doc); err != nil || h.set != "" || !bytes.Equal(h.value, value) {
			t.Fatalf("%q came back as %q: %v", value, h.value, err)
		}
	})
}

// TestOwners: nobody reaches another one's things, however he spells his name or his ids.
func TestOwners(t *testing.T) {
	k := newKit(t)
	long := strings.Repeat("long ", 1<<18)
	type thing struct {
		place pipeline.Place
		id    string
	}
	var things []thing
	for _, owner := range []string{"", "a", "a/b", "a\x00", "ab", "key:a", "key:\"", "\xff", "password", "anonymous", long} {
		for _, id := range []string{"", "a", "b", "b/c", "/c", "\x00b", "\r\n\x7f", "\xff\xfe", "..", "'; --", "项目", long, long + "x"} {
			for _, shelf := range []pipeline.Shelf{pipeline.Responses, pipeline.Signatures} {
				things = append(things, thing{pipeline.Place{Owner: owner, Shelf: shelf}, id})
			}
		}
	}
	value := func(i int) []byte { return []byte{byte(i), byte(i >> 8), 'x'} }
	for i, th := range things {
		k.gone(k.here, th.place, th.id)
		k.keep(k.here, th.place, time.Hour, pipeline.Item{ID: th.id, Value: value(i)})
	}
	for i, th := range things {
		k.has(k.here, th.place, th.id, value(i))
		k.has(k.there, th.place, th.id, value(i))
	}
	if got := len(k.docs()); got != len(things) {
		t.Errorf("%d documents for %d things", got, len(things))
	}
	k.forget(k.here, at("a"), "b/c", true)
	k.gone(k.here, at("a"), "b/c")
	k.has(k.here, at("a/b"), "/c", value(indexOf(things, thing{at("a/b"), "/c"})))
}

func indexOf[T comparable](all []T, one T) int {
	for i := range all {
		if all[i] == one {
			return i
		}
	}
	return -1
}

func TestExpiry(t *testing.T) {
	k := newKit(t)
	large := big(partSize+1, 1)
	k.keep(k.here, at("a"), 5*time.Second, item("short", "s"), pipeline.Item{ID: "large", Value: large})
	k.keep(k.here, pipeline.Place{Owner: "a", Shelf: pipeline.Signatures}, 5*time.Second, item("short", "g"))
	k.keep(k.here, at("a"), time.Hour, item("long", "l"))
	k.clock.pass(5*time.Second - time.Millisecond)
	for _, m := range []*Memory{k.here, k.there} {
		k.has(m, at("a"), "short", []byte("s"))
		k.has(m, at("a"), "large", large)
		k.has(m, pipeline.Place{Owner: "a", Shelf: pipeline.Signatures}, "short", []byte("g"))
	}
	k.clock.pass(time.Millisecond)
	for _, m := range []*Memory{k.here, k.there} {
		k.gone(m, at("a"), "short")
		k.gone(m, at("a"), "large")
		k.gone(m, pipeline.Place{Owner: "a", Shelf: pipeline.Signatures}, "short")
		k.has(m, at("a"), "long", []byte("l"))
	}
	k.forget(k.here, at("a"), "short", false)
	k.keep(k.here, at("a"), time.Minute, item("short", "anew"))
	k.has(k.there, at("a"), "short", []byte("anew"))
	k.clock.pass(partsStay)
	if docs := k.docs(); len(docs) != 1 {
		t.Errorf("%d documents are not hidden, want only the long one", len(docs))
	}
}

func TestLarge(t *testing.T) {
	k := newKit(t)
	values := [][]byte{big(partSize, 0), big(partSize+1, 1), text(9 << 20), bytes.Repeat([]byte{1}, 6<<20)}
	if !testing.Short() {
		values = append(values, big(20<<20, 2), big(MaxValue, 3))
	}
	for _, value := range values {
		k.keep(k.here, at("a"), time.Hour, pipeline.Item{ID: "x", Value: value})
		k.has(k.there, at("a"), "x", value)
		k.gone(k.there, at("b"), "x")
		k.forget(k.there, at("a"), "x", true)
		k.gone(k.here, at("a"), "x")
		k.forget(k.here, at("a"), "x", false)
		if left := k.docs(); len(left) != 0 {
			t.Fatalf("%d documents are left of %d bytes", len(left), len(value))
		}
	}
	err := k.here.Keep(t.Context(), at("a"), time.Hour, item("small", "s"), pipeline.Item{ID: "x", Value: make([]byte, MaxValue+1)})
	if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "67108865 bytes") {
		t.Errorf("%v", err)
	}
	if left := k.docs(); len(left) != 0 {
		t.Errorf("%d documents of what was refused", len(left))
	}
}

// TestLargeCanBeRead: text in parts stays text for somebody who looks into the store.
func TestLargeCanBeRead(t *testing.T) {
	k := newKit(t)
	for _, value := range []string{string(text(12 << 20)), strings.Repeat("项", 4<<20), "ab" + strings.Repeat("项", 4<<20)} {
		k.keep(k.here, at("a"), time.Hour, item("x", value))
		docs := k.docs()
		for _, doc := range docs[1:] {
			if !strings.HasPrefix(string(doc.Body), `{"of":"`+docs[0].ID+`","text":"`) {
				t.Errorf("%.120s", doc.Body)
			}
		}
		if head := string(docs[0].Body); len(docs) != 4 || !strings.Contains(head, fmt.Sprintf(`"parts":3,"bytes":%d,`, len(value))) {
			t.Errorf("%d documents, the first is %s", len(docs), head)
		}
		k.forget(k.here, at("a"), "x", true)
	}
}

func TestReplaced(t *testing.T) {
	k := newKit(t)
	for _, value := range [][]byte{[]byte("1"), big(partSize+9, 1), []byte("2"), big(partSize+9, 2), big(2*partSize, 3), []byte("3")} {
		k.keep(k.here, at("a"), time.Hour, pipeline.Item{ID: "x", Value: value})
		k.has(k.here, at("a"), "x", value)
		k.has(k.there, at("a"), "x", value)
		k.clock.pass(3 * time.Second)
	}
	same := []pipeline.Item{item("y", "first"), item("z", "z"), item("y", "second"), item("y", "last")}
	k.keep(k.here, at("a"), time.Hour, same...)
	k.has(k.there, at("a"), "y", []byte("last"))
	k.has(k.there, at("a"), "z", []byte("z"))
}

// TestOwnBytes: what a caller does with its bytes later changes nothing, here or there.
func TestOwnBytes(t *testing.T) {
	k := newKit(t)
	for _, value := range []string{"{}", "text", "\xff"} {
		in := []byte(value)
		k.keep(k.here, at("a"), time.Hour, pipeline.Item{ID: "x", Value: in})
		in[0] = '?'
		for range 3 {
			got, _, err := k.here.Recall(t.Context(), at("a"), "x")
			if err != nil || string(got) != value {
				t.Fatalf("%q %v", got, err)
			}
			got[0] = '!'
			k.clock.pass(time.Second)
		}
	}
}

func TestRefused(t *testing.T) {
	k := newKit(t)
	for _, ttl := range []time.Duration{0, -time.Second} {
		if err := k.here.Keep(t.Context(), at("a"), ttl, item("x", "1")); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%v: %v", ttl, err)
		}
	}
	k.keep(k.here, at("a"), time.Hour) // nothing is no error
	k.keep(k.here, at("a"), 200*365*24*time.Hour, item("ever", "1"))
	k.has(k.there, at("a"), "ever", []byte("1"))
	for _, body := range []string{`[]`, `{}`, `{"text":7}`, `{"base64":"?"}`, `{"base64":7}`, `{"set":7}`, `{"set":"x","parts":99}`, `{"set":"x","bytes":-1}`, `{"set":"x","parts":2,"bytes":99999999999}`} {
		n := nameOf(at("a"), "odd")
		if _, err := k.db.Put(t.Context(), store.Short, store.Doc{ID: n.doc, Body: []byte(body)}, store.Any); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := k.here.Recall(t.Context(), at("a"), "odd"); err == nil || ok || !strings.Contains(err.Error(), n.doc) {
			t.Errorf("%s: %q %v %v", body, got, ok, err)
		}
		k.forget(k.here, at("a"), "odd", true)
	}
	if err := k.here.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := k.here.Recall(t.Context(), at("a"), "ever")
	_, err2 := k.here.Forget(t.Context(), at("a"), "ever")
	for _, err := range []error{err, err2, k.here.Keep(t.Context(), at("a"), time.Hour, item("x", "1"))} {
		if !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	}
	k.db.Close()
	if _, err := Open(t.Context(), k.db, slog.New(slog.DiscardHandler)); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
}

// TestStoreFails: an error is told, and nothing is made up.
func TestStoreFails(t *testing.T) {
	k := newKit(t)
	down := errors.New("the store is down")
	large := big(2*partSize, 1)
	k.keep(k.here, at("a"), time.Hour, item("old", "1"), pipeline.Item{ID: "large", Value: large})
	fails := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, down) {
			t.Errorf("%s: %v", what, err)
		}
		k.flaky.Heal()
	}
	k.flaky.Break(storetest.Fault{Err: down, Calls: []string{"Get"}})
	k.has(k.here, at("a"), "old", []byte("1")) // from memory
	_, ok, err := k.there.Recall(t.Context(), at("a"), "old")
	if fails("recall", err); ok {
		t.Error("found")
	}
	k.flaky.Break(storetest.Fault{Err: down, Calls: []string{"Delete"}})
	_, err = k.here.Forget(t.Context(), at("a"), "large")
	fails("forget", err)
	k.has(k.there, at("a"), "large", large)
	k.flaky.Break(storetest.Fault{Err: down, Calls: []string{"Put"}})
	fails("keep", k.here.Keep(t.Context(), at("a"), time.Hour, item("old", "2"), item("new", "2")))
	k.has(k.here, at("a"), "old", []byte("1"))
	k.gone(k.here, at("a"), "new")
	k.flaky.Break(storetest.Fault{Err: down, Calls: []string{"Put"}, Times: 1})
	fails("keep one of many", k.here.Keep(t.Context(), at("a"), time.Hour, item("a", "2"), item("b", "2"), item("c", "2")))
	k.flaky.Break(storetest.Fault{Err: down, Calls: []string{"Put"}, Late: true})
	fails("keep, and the answer got lost", k.here.Keep(t.Context(), at("a"), time.Hour, item("old", "3")))
	k.has(k.here, at("a"), "old", []byte("3"))
	k.flaky.Break(storetest.Fault{Err: down, Calls: []string{"Delete"}, Late: true})
	_, err = k.here.Forget(t.Context(), at("a"), "old")
	fails("forget, and the answer got lost", err)
	k.gone(k.here, at("a"), "old")
	if strings.Contains(k.said.String(), "is gone") {
		t.Error(k.said)
	}
}

// TestHalfForgotten: who is interrupted finds nothing any more, and a second try removes the rest.
func TestHalfForgotten(t *testing.T) {
	k := newKit(t)
	down := errors.New("down")
	k.keep(k.here, at("a"), time.Hour, pipeline.Item{ID: "x", Value: big(3*partSize, 1)})
	k.flaky.Break(storetest.Fault{Err: down, Calls: []string{"Delete"}, Late: true})
	if was, err := k.here.Forget(t.Context(), at("a"), "x"); was || !errors.Is(err, down) {
		t.Errorf("%v %v", was, err)
	}
	k.flaky.Heal()
	k.gone(k.here, at("a"), "x")
	if !strings.Contains(k.said.String(), "is gone") {
		t.Error("nobody was told")
	}
	k.forget(k.there, at("a"), "x", true)
	if left := k.docs(); len(left) != 0 {
		t.Errorf("%d documents are left", len(left))
	}
}

// TestMixedParts: parts that are not those that were written are no value.
func TestMixedParts(t *testing.T) {
	k := newKit(t)
	k.keep(k.here, at("a"), time.Hour, pipeline.Item{ID: "x", Value: big(2*partSize, 1)})
	part := k.docs()[1]
	part.Body = []byte(strings.Replace(string(part.Body), "A", "B", 1))
	if _, err := k.db.Put(t.Context(), store.Short, part, store.Any); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := k.here.Recall(t.Context(), at("a"), "x"); err == nil || ok || !strings.Contains(err.Error(), "fit together") {
		t.Errorf("%d bytes, %v, %v", len(got), ok, err)
	}
}

// TestHangs: a store that does not answer holds up nobody longer than he wants to wait.
func TestHangs(t *testing.T) {
	k := newKit(t)
	m := k.node(hanging{k.db})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	items := make([]pipeline.Item, 200)
	for i := range items {
		items[i].ID = string(rune('a' + i))
	}
	large := pipeline.Item{ID: "large", Value: big(partSize+1, 1)}
	done := make(chan error)
	calls := []func() error{
		func() error { return m.Keep(ctx, at("a"), time.Hour, items...) },
		func() error { return m.Keep(ctx, at("a"), time.Hour, large) },
		func() error { return m.Keep(ctx, at("a"), time.Hour, large, item("b", "1")) },
		func() error { return m.Keep(ctx, at("b"), time.Hour, large) },
		func() error { _, _, err := m.Recall(ctx, at("a"), "x"); return err },
		func() error { _, err := m.Forget(ctx, at("a"), "x"); return err },
	}
	for _, call := range calls {
		go func() { done <- call() }()
	}
	late := time.After(time.Minute)
	for range calls {
		select {
		case err := <-done:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		case <-late:
			t.Fatal("somebody still waits")
		}
	}
}
