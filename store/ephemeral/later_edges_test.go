package ephemeral

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

// stands is a later that writes only when a test does.
func (k *kit) stands() (*later, *storetest.Flaky) {
	return &later{m: k.here, log: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1), waiting: map[key]*due{}, done: make(chan struct{})}, k.flaky
}

func (k *kit) due(id string) *due {
	return &due{name: nameOf(at("me"), id), value: []byte("v"), expires: k.clock.Now().Add(time.Hour), done: make(chan struct{})}
}

// TestForgottenWhileItIsWritten: a value that is forgotten the moment it is written does not come back.
func TestForgottenWhileItIsWritten(t *testing.T) {
	k := newKit(t)
	l, s := k.stands()
	d := k.due("a")
	l.add(d)
	some := l.some()
	if !l.forget(d.key) {
		t.Fatal("it was not there")
	}
	if err := l.one(t.Context(), some[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), store.Short, d.doc); err == nil {
		t.Error("it is there again")
	}
}

// TestRefusedValueIsInNobodysWay: what the store will never take is lost, and the others are written.
func TestRefusedValueIsInNobodysWay(t *testing.T) {
	k := newKit(t)
	l, s := k.stands()
	a, b := k.due("a"), k.due("b")
	l.add(a)
	s.Break(storetest.Fault{Err: store.ErrInvalid, Calls: []string{"Put"}, Times: 1})
	if !l.write(t.Context()) {
		t.Error("it is tried for ever")
	}
	l.add(b)
	if !l.write(t.Context()) || len(l.waiting) != 0 {
		t.Errorf("%d still wait", len(l.waiting))
	}
	if _, err := s.Get(t.Context(), store.Short, b.doc); err != nil {
		t.Error(err)
	}
}

// TestWaitingEdges: what waits is gone when its time is over, and many small values are bounded as large ones are.
func TestWaitingEdges(t *testing.T) {
	k := newKit(t)
	l, _ := k.stands()
	d := k.due("a")
	l.add(d)
	if _, there := l.get(d.key, d.expires.Add(-time.Second)); !there {
		t.Error("it is not found")
	}
	if _, there := l.get(d.key, d.expires); there {
		t.Error("it outlives its time")
	}
	for i := range waitCount + 5 {
		l.add(k.due(fmt.Sprint(i)))
	}
	if len(l.waiting) != waitCount || l.lost != 6 {
		t.Errorf("%d wait, %d are lost", len(l.waiting), l.lost)
	}
}
