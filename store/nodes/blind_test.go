package nodes

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

// Named are those that write and have not got the key: neither one that has it, nor one that crashed. One of a
// version that says nothing of keys counts as one that has not.
func TestBlind(t *testing.T) {
	s := many{storeOf(t)}
	c := &clock{at: time.Now()}
	at := func(address string, keys ...string) *List {
		l := still(s, c, address, nil)
		l.own.Keys = keys
		l.beat(t.Context())
		return l
	}
	good, old, plain := at("10.0.0.1:1", "new", "old"), at("10.0.0.2:1", "old"), at("10.0.0.3:1")
	at("10.0.0.4:1", "old") // it crashed
	hear := ear{look: time.Millisecond, beat: 20 * time.Millisecond, silence: time.Minute}
	writing := func(l ...*List) (stop func()) { // they write until it is called
		ended, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-ended:
					return
				default:
				}
				for _, one := range l { // to its end: a write that was given up may come later
					one.beat(t.Context())
				}
			}
		}()
		return func() { close(ended); <-done }
	}
	stop := writing(good, old, plain)
	got, err := hear.blind(t.Context(), s, "new")
	stop()
	if addresses := strings.Join(got, " "); err != nil || len(got) != 2 || !strings.Contains(addresses, "10.0.0.2:1 on ") || !strings.Contains(addresses, "10.0.0.3:1 on ") {
		t.Errorf("%q %v", got, err)
	}
	stop = writing(good)
	hear.silence = 30 * time.Millisecond
	got, err = hear.blind(t.Context(), s, "new")
	stop()
	if err != nil || len(got) != 0 {
		t.Errorf("of silent ones: %q %v", got, err)
	}
	if got, err := hear.blind(t.Context(), storeOf(t), "new"); err != nil || got != nil {
		t.Errorf("where nobody is: %q %v", got, err)
	}
	lost := errors.New("lost")
	broken := &storetest.Flaky{Store: s}
	broken.Break(storetest.Fault{Err: lost, Calls: []string{"List"}})
	if _, err := hear.blind(t.Context(), broken, "new"); !errors.Is(err, lost) {
		t.Errorf("a store that is away: %v", err)
	}
	over, end := context.WithCancel(t.Context())
	end()
	if _, err := hear.blind(over, s, "new"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// A gateway writes which keys it has, none included.
func TestKeysAreListed(t *testing.T) {
	for _, keys := range [][]string{nil, {"a", "b"}} {
		s := many{storeOf(t)}
		l := Open(Options{Store: s, Keys: keys, Now: time.Now, Report: func() (int64, string, time.Time) { return 1, "", time.Time{} }})
		doc, _, err := store.Docs[Node]{Store: s, Table: store.Nodes}.Get(t.Context(), l.id)
		if err != nil || doc.Keys == nil || !slices.Equal(doc.Keys, append([]string{}, keys...)) {
			t.Errorf("%q: %q %v", keys, doc.Keys, err)
		}
		_ = l.Close()
	}
}
