package storetest

import (
	"fmt"
	"time"

	"gcli2api/store"
)

func (k *kit) putUntil(id, body string, when store.Rev, expires time.Time) (store.Rev, error) {
	return k.s.Put(k.ctx, table, store.Doc{ID: id, Body: []byte(body), Expires: expires}, when)
}

// life is how long documents of these tests live: without a clock of ours it has to be waited for.
func (k *kit) life() time.Duration {
	if k.Clock {
		return time.Hour
	}
	return 1500 * time.Millisecond
}

func expiry(k *kit) {
	end := k.clock.Now().Add(k.life()).Truncate(time.Millisecond)
	for i := range 6 {
		expires := end
		if i%2 == 1 {
			expires = end.Add(time.Hour)
		}
		_, err := k.putUntil(fmt.Sprint("d", i), fmt.Sprint(i), store.New, expires.Add(900*time.Microsecond))
		k.ok(err)
	}
	if d := k.has("d0", "0", 1); !d.Expires.Equal(end) {
		k.Fatalf("it expires at %v, want %v", d.Expires, end)
	}
	_, err := k.putUntil("d0", "8", store.New, end)
	k.is("a new one over one that has not expired yet", err, store.ErrConflict)
	if k.Clock {
		k.clock.pass(end.Sub(k.clock.Now()) - time.Millisecond)
		k.has("d0", "0", 1)
		k.clock.pass(time.Millisecond)
	} else {
		k.clock.pass(time.Until(end) + 300*time.Millisecond) // its clock may be another one
	}
	k.gone("d0")
	k.has("d1", "1", 1)
	docs, err := k.s.List(k.ctx, table, "", 2)
	k.ok(err)
	if len(docs) != 2 || docs[0].ID != "d1" || docs[1].ID != "d3" {
		k.Fatalf("the list has expired ones, or too few: %v", docs)
	}
	_, err = k.putUntil("d0", "7", 1, time.Time{})
	k.is("put to an expired revision", err, store.ErrConflict)
	k.is("delete an expired one", k.s.Delete(k.ctx, table, "d0", store.Any), store.ErrNotFound)
	k.put("d0", `"anew"`, store.New)
	if d := k.has("d0", `"anew"`, 0); !d.Expires.IsZero() {
		k.Fatalf("it has taken over the expiry %v", d.Expires)
	}
	k.put("d2", `"any"`, store.Any)
	k.has("d2", `"any"`, 0)
}

func expiryMoves(k *kit) {
	now := k.clock.Now()
	soon := now.Add(k.life())
	for _, id := range []string{"later", "never", "same", "deleted"} {
		_, err := k.putUntil(id, "1", store.New, soon)
		k.ok(err)
	}
	_, err := k.putUntil("later", "2", 1, soon.Add(time.Hour))
	k.ok(err)
	_, err = k.putUntil("never", "2", 1, time.Time{})
	k.ok(err)
	k.put("sooner", "1", store.New)
	_, err = k.putUntil("sooner", "2", 1, soon)
	k.ok(err)
	k.ok(k.s.Delete(k.ctx, table, "deleted", 1))
	k.put("deleted", `"again"`, store.New)
	k.clock.pass(soon.Sub(k.clock.Now()) + 300*time.Millisecond)
	k.has("later", "2", 2)
	k.has("never", "2", 2)
	k.has("deleted", `"again"`, 0)
	k.gone("same")
	k.gone("sooner")
	for _, at := range []time.Time{now, now.Add(-time.Hour), time.UnixMilli(0), time.UnixMilli(-5), time.Unix(1, 0)} {
		_, err := k.putUntil("past", "1", store.Any, at)
		k.ok(err)
		k.gone("past")
	}
}

func claim(k *kit) {
	life := k.life()
	for i, step := range []struct {
		owner string
		ttl   time.Duration
		want  bool
		pass  time.Duration // before
	}{
		{owner: "a", ttl: life, want: true},
		{owner: "b", ttl: life, want: false},
		{owner: "b", ttl: 0, want: false}, // gives up nothing
		{owner: "b", ttl: life, want: false},
		{owner: "a", ttl: 2 * life, want: true, pass: life / 2},   // renewed
		{owner: "b", ttl: life, want: false, pass: life},          // and therefore still held
		{owner: "b", ttl: life, want: true, pass: life + life/3},  // run out
		{owner: "a", ttl: life, want: false},                      // lost
		{owner: "b", ttl: 0, want: false},                         // given up
		{owner: "a", ttl: life, want: true},                       // at once
		{owner: "a", ttl: -1, want: false},                        // given up as well
		{owner: "b", ttl: time.Hour, want: true},                  //
		{owner: "b", ttl: life, want: true},                       // made shorter
		{owner: "a", ttl: time.Hour, want: true, pass: 2 * life},  //
		{owner: "a", ttl: time.Hour, want: true},                  //
		{owner: "b", ttl: time.Hour, want: false, pass: life / 3}, // held
	} {
		k.clock.pass(step.pass)
		got, err := k.s.Claim(k.ctx, "lease", step.owner, step.ttl)
		if err != nil || got != step.want {
			k.Fatalf("step %d, %s for %v: %v %v, want %v", i, step.owner, step.ttl, got, err, step.want)
		}
	}
	if got, err := k.s.Claim(k.ctx, "another", "b", life); err != nil || !got {
		k.Fatalf("another lease: %v %v", got, err)
	}
	if k.Nodes {
		if got, err := k.stores[1].Claim(k.ctx, "another", "c", life); err != nil || got {
			k.Fatalf("on another node: %v %v", got, err)
		}
	}
}
