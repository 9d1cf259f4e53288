package storetest

import (
	"fmt"
	"math/rand/v2"

	"gcli2api/store"
)

// walkCounters: all of them come, each once, in the order of their bytes, whatever the size of a part. An
// engine that cannot do it gives all at once behind the same call.
func walkCounters(k *kit) {
	want := map[string]int64{}
	var deltas []store.Delta
	for i := range 50 {
		for _, name := range []string{fmt.Sprintf("w/%d", i), fmt.Sprintf("w%%/%d", i), fmt.Sprintf("Wé/%d", i), fmt.Sprintf("w_%d", i)} {
			want[name] = rand.Int64N(1000) + 1
			deltas = append(deltas, store.Delta{Counter: name, N: want[name]})
		}
	}
	k.ok(k.s.Add(k.ctx, deltas))
	for _, limit := range []int{1, 7, 199, 200, 201, 5000} {
		walk, after, got := store.WalkCounters(k.s, limit), "", map[string]int64{}
		for {
			list, err := walk(k.ctx, after)
			k.ok(err)
			if len(list) > limit {
				k.Fatalf("%d counters, at most %d were asked for", len(list), limit)
			}
			for _, d := range list {
				if d.Counter <= after {
					k.Fatalf("%q comes behind %q", d.Counter, after)
				}
				after, got[d.Counter] = d.Counter, d.N
			}
			if len(list) < limit {
				break
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			k.Fatalf("in parts of %d: %d counters, want %d, or other numbers", limit, len(got), len(want))
		}
	}
}
