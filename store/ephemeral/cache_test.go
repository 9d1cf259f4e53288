package ephemeral

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store"
	"gcli2api/store/storetest"
)

// TestNextTurn: what this node wrote or read it does not ask the store for again, while it may
// believe its copy.
func TestNextTurn(t *testing.T) {
	k := newKit(t)
	down := errors.New("down")
	for shelf, trust := range map[pipeline.Shelf]time.Duration{
		pipeline.Signatures: 10 * time.Minute, pipeline.Parts: 10 * time.Minute, pipeline.Responses: 2 * time.Second, pipeline.Answers: 10 * time.Second, "other": 2 * time.Second,
	} {
		place := pipeline.Place{Owner: "a", Shelf: shelf}
		k.keep(k.here, place, time.Hour, item("x", "1"), pipeline.Item{ID: "big", Value: make([]byte, largestCopy+1)})
		k.has(k.there, place, "x", []byte("1"))
		k.flaky.Break(storetest.Fault{Err: down})
		k.clock.pass(trust - time.Millisecond)
		for range 3 {
			k.has(k.here, place, "x", []byte("1"))
			k.has(k.there, place, "x", []byte("1"))
		}
		if _, _, err := k.here.Recall(t.Context(), place, "big"); !errors.Is(err, down) {
			t.Errorf("a large value came from memory: %v", err)
		}
		k.clock.pass(time.Millisecond)
		for _, m := range []*Memory{k.here, k.there} {
			if _, _, err := m.Recall(t.Context(), place, "x"); !errors.Is(err, down) {
				t.Errorf("%s: still believed after %v: %v", shelf, trust, err)
			}
		}
		k.flaky.Heal()
	}
}

// TestOtherNode: what another node forgot or wrote anew is seen when the copy is believed no longer.
func TestOtherNode(t *testing.T) {
	k := newKit(t)
	k.keep(k.here, at("a"), time.Hour, item("x", "1"), item("y", "1"))
	k.forget(k.there, at("a"), "x", true)
	k.keep(k.there, at("a"), time.Hour, item("y", "2"))
	k.gone(k.there, at("a"), "x")
	k.has(k.here, at("a"), "x", []byte("1")) // for two seconds
	k.clock.pass(2 * time.Second)
	k.gone(k.here, at("a"), "x")
	k.has(k.here, at("a"), "y", []byte("2"))
	k.forget(k.here, at("a"), "y", true)
	k.gone(k.here, at("a"), "y")
}

// slow holds back the answer to its first Get until it may come.
type slow struct {
	store.Store
	first         sync.Once
	asked, answer chan struct{}
}

func (s *slow) Get(ctx context.Context, t store.Table, id string) (store.Doc, error) {
	doc, err := s.Store.Get(ctx, t, id)
	s.first.Do(func() {
		close(s.asked)
		<-s.answer
	})
	return doc, err
}

// TestForgetMeetsRecall: a reader that was under way brings nothing back that is gone, and hides
// nothing that is new.
func TestForgetMeetsRecall(t *testing.T) {
	k := newKit(t)
	for _, forget := range []bool{true, false} {
		s := &slow{Store: k.db, asked: make(chan struct{}), answer: make(chan struct{})}
		m, writer := k.node(s), k.node(k.db)
		k.keep(writer, at("a"), time.Hour, item("x", "1"))
		var reader sync.WaitGroup
		reader.Go(func() {
			if got, ok, err := m.Recall(t.Context(), at("a"), "x"); !ok || err != nil || string(got) != "1" {
				t.Errorf("the reader who was there first: %q %v %v", got, ok, err)
			}
		})
		<-s.asked
		m.store = k.db // the reader is past it
		if forget {
			k.forget(m, at("a"), "x", true)
		} else {
			k.keep(m, at("a"), time.Hour, item("x", "2"))
		}
		close(s.answer)
		if reader.Wait(); forget {
			k.gone(m, at("a"), "x")
		} else {
			k.has(m, at("a"), "x", []byte("2"))
		}
	}
}

func TestCacheOrder(t *testing.T) {
	var c cache
	a, now := key{1}, time.Now()
	v := func(s string) copied { return copied{[]byte(s), now.Add(time.Hour), now.Add(time.Hour)} }
	has := func(want string) {
		t.Helper()
		if got, ok := c.get(a, now); string(got) != want || ok != (want != "") {
			t.Errorf("%q %v, want %q", got, ok, want)
		}
	}
	// The reader's answer comes after a write that began later than its question.
	seen := c.look(a)
	w := c.begin(a)
	c.learn(a, seen, v("old"))
	has("")
	c.learn(a, c.end(a, w), v("new"))
	has("new")
	c.learn(a, seen, v("old"))
	has("new")
	// The reader asks during the write and may have seen either.
	w = c.begin(a)
	has("")
	c.learn(a, c.look(a), v("either"))
	w = c.end(a, w)
	has("")
	c.learn(a, w, v("new"))
	has("new")
	// Of two writers at a time neither knows who was the last.
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		turns := []uint32{c.begin(a), c.begin(a)}
		for _, i := range order {
			c.learn(a, c.end(a, turns[i]), v(fmt.Sprint("writer ", i)))
		}
		has("")
	}
	c.learn(a, c.look(a), v("x"))
	if _, ok := c.get(a, now.Add(time.Hour)); ok || len(c.found) != 0 || c.bytes != 0 {
		t.Error("it is there after its time")
	}
}

// TestCacheBounds: neither many small values nor large ones take more than they may, and those used
// last stay.
func TestCacheBounds(t *testing.T) {
	for _, size := range []int{0, 100, 10 << 10, largestCopy} {
		var c cache
		until := time.Now().Add(time.Hour)
		first := key{0xff, 0xff}
		c.learn(first, c.look(first), copied{make([]byte, size), until, until})
		for i := range copiesCount + 1000 {
			k := nameOf(at("a"), fmt.Sprint(i)).key
			c.learn(k, c.look(k), copied{make([]byte, size), until, until})
			if c.get(first, time.Now()); c.bytes > copiesBytes || len(c.found) > copiesCount || c.recent.Len() != len(c.found) {
				t.Fatalf("%d copies, %d bytes", len(c.found), c.bytes)
			}
		}
		want := min(copiesCount, copiesBytes/(size+copyCost))
		if _, ok := c.get(first, time.Now()); !ok || len(c.found) != want || c.bytes != want*(size+copyCost) {
			t.Errorf("of size %d: %d copies, want %d; the one in use is there: %v", size, len(c.found), want, ok)
		}
		k := nameOf(at("a"), "0").key
		if _, ok := c.get(k, time.Now()); ok {
			t.Error("the oldest has stayed")
		}
		if c.clear(); c.bytes != 0 || len(c.found) != 0 || c.recent.Len() != 0 {
			t.Error("something is left")
		}
	}
}

// TestCrowd: many callers at a time on two nodes, some on the same ids. Nobody gets a value that was
// not kept under that id, and in the end each node has what the store has.
func TestCrowd(t *testing.T) {
	k := newKit(t)
	value := func(id, by, size int) []byte {
		return append(fmt.Appendf(nil, "%02d ", id), big(size, byte(by))...)
	}
	sizes := []int{partSize + 1, 1000, 10, largestCopy + 1, 100} // of the shared ones
	var crowd sync.WaitGroup
	for by := range 16 {
		crowd.Go(func() {
			m := []*Memory{k.here, k.there}[by%2]
			for turn := range 4 {
				id := (by + turn) % 5
				name := fmt.Sprint("shared ", id)
				own := pipeline.Item{ID: fmt.Sprint("own ", by), Value: value(by, turn, 10)}
				err := m.Keep(t.Context(), at("a"), time.Hour, pipeline.Item{ID: name, Value: value(id, by, sizes[id])}, own)
				got, ok, err2 := m.Recall(t.Context(), at("a"), own.ID)
				if err != nil || err2 != nil || !ok || !bytes.Equal(got, own.Value) {
					t.Errorf("%s: %d bytes, %v, %v, %v", own.ID, len(got), ok, err, err2)
				}
				got, ok, err = m.Recall(t.Context(), at("a"), name)
				if err != nil || ok && !bytes.HasPrefix(got, fmt.Appendf(nil, "%02d ", id)) {
					t.Errorf("%s: %.10q %v", name, got, err)
				}
				if turn%3 == 2 {
					if _, err := m.Forget(t.Context(), at("a"), name); err != nil {
						t.Errorf("forget %s: %v", name, err)
					}
				}
			}
		})
	}
	crowd.Wait()
	k.clock.pass(2 * time.Second)
	fresh := k.node(k.db)
	for id := range 5 {
		name := fmt.Sprint("shared ", id)
		want, is, err := fresh.Recall(t.Context(), at("a"), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*Memory{k.here, k.there} {
			if got, ok, err := m.Recall(t.Context(), at("a"), name); err != nil || ok != is || !bytes.Equal(got, want) {
				t.Errorf("%s: %v %v, want %v", name, ok, err, is)
			}
		}
	}
}

// meddling is a store in which something happens around a call.
type meddling struct {
	store.Store
	beforePut, afterPut func(body string)
	beforeDelete        func(id string)
}

func (m *meddling) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	m.beforePut(string(d.Body))
	defer m.afterPut(string(d.Body))
	return m.Store.Put(ctx, t, d, when)
}

func (m *meddling) Delete(ctx context.Context, t store.Table, id string, when store.Rev) error {
	m.beforeDelete(id)
	return m.Store.Delete(ctx, t, id, when)
}

// TestKeepersMeet: who began last need not be the last in the store, and who hears last neither.
func TestKeepersMeet(t *testing.T) {
	k := newKit(t)
	begun, first, written, second := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	hold := func(value string, tell, wait chan struct{}) func(string) {
		return func(body string) {
			if strings.Contains(body, value) {
				close(tell)
				<-wait
			}
		}
	}
	m := k.node(&meddling{Store: k.db, beforePut: hold("first", begun, first), afterPut: hold("second", written, second)})
	keep := func(value string) chan error {
		done := make(chan error)
		go func() { done <- m.Keep(t.Context(), at("a"), time.Hour, item("x", value)) }()
		return done
	}
	one := keep("first")
	<-begun
	two := keep("second")
	<-written
	close(first)
	err := <-one
	close(second)
	if err = errors.Join(err, <-two); err != nil {
		t.Fatal(err)
	}
	k.has(k.there, at("a"), "x", []byte("first"))
	k.has(m, at("a"), "x", []byte("first"))
}

// TestForgetMeetsKeep: what somebody keeps while the old value is being removed goes as well, with
// all its parts.
func TestForgetMeetsKeep(t *testing.T) {
	k := newKit(t)
	head, again := nameOf(at("a"), "x").doc, 2
	k.keep(k.there, at("a"), time.Hour, pipeline.Item{ID: "x", Value: big(partSize+1, 1)})
	m := k.node(&meddling{Store: k.db, beforeDelete: func(id string) {
		if id == head && again > 0 {
			again--
			k.keep(k.there, at("a"), time.Hour, pipeline.Item{ID: "x", Value: big(2*partSize, 1)})
		}
	}})
	k.forget(m, at("a"), "x", true)
	if left := k.docs(); len(left) != 0 {
		t.Errorf("%d documents are left", len(left))
	}
}

// TestRecallDuringForget: who asks while a value is being removed may get it, but nobody afterwards.
func TestRecallDuringForget(t *testing.T) {
	k := newKit(t)
	k.keep(k.there, at("a"), time.Hour, item("x", "1"))
	s := &meddling{Store: k.db}
	m := k.node(s)
	s.beforeDelete = func(string) { k.has(m, at("a"), "x", []byte("1")) }
	k.forget(m, at("a"), "x", true)
	k.gone(m, at("a"), "x")
}
