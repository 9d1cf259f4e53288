package storetest

import (
	"fmt"
	"maps"
	"math"

	"gcli2api/store"
)

func take(k *kit) {
	const most = math.MaxInt64
	for i, step := range []struct {
		n, limit, left int64
		err            error
		used           int64
	}{
		{0, 0, 0, nil, 0},
		{0, 10, 10, nil, 0},
		{1, 0, 0, store.ErrExhausted, 0},
		{1, -5, 0, store.ErrExhausted, 0},
		{0, -5, 0, store.ErrExhausted, 0},
		{most, most - 1, most - 1, store.ErrExhausted, 0},
		{4, 10, 6, nil, 4},
		{7, 10, 6, store.ErrExhausted, 4},
		{most, 10, 6, store.ErrExhausted, 4},
		{most, most, most - 4, store.ErrExhausted, 4},
		{6, 10, 0, nil, 10},
		{0, 10, 0, nil, 10},
		{1, 10, 0, store.ErrExhausted, 10},
		{1, 3, 0, store.ErrExhausted, 10}, // lowered
		{0, 3, 0, store.ErrExhausted, 10},
		{1, 20, 9, nil, 11}, // raised
		{most - 11, most, 0, nil, most},
		{1, most, 0, store.ErrExhausted, most},
		{most, most, 0, store.ErrExhausted, most},
		{0, most, 0, nil, most},
	} {
		left, err := k.s.Take(k.ctx, "take", step.n, step.limit)
		what := fmt.Sprintf("step %d, take %d of %d", i, step.n, step.limit)
		k.is(what, err, step.err)
		if left != step.left {
			k.Fatalf("%s: %d left, want %d", what, left, step.left)
		}
		k.counter("take", step.used)
	}
	k.ok(k.s.Add(k.ctx, []store.Delta{{Counter: "take", N: -most + 1}})) // a refund
	if left, err := k.s.Take(k.ctx, "take", 1, 3); err != nil || left != 1 {
		k.Fatalf("after a refund: %d %v", left, err)
	}
}

// carries: an engine may count in parts, of billions, or of what floating point can hold.
func carries(k *kit) {
	for _, edge := range []int64{1e9, 2e9, 7e9, 1 << 53, 9e18} {
		sum := int64(0)
		for _, step := range []int64{edge - 1, 1, 1, -1, -1, 1, -edge} { // up to it, over it, and back
			sum += step
			k.ok(k.s.Add(k.ctx, []store.Delta{{Counter: "edge", N: step}}))
			k.counter("edge", sum)
		}
	}
}

func addition(k *kit) {
	type sums = map[string]int64
	const most, least = math.MaxInt64, math.MinInt64
	for i, step := range []struct {
		deltas []store.Delta
		want   sums
	}{
		{nil, sums{}},
		{[]store.Delta{{Counter: "a", N: 0}}, sums{}},
		{[]store.Delta{{Counter: "a", N: 5}, {Counter: "b", N: 1}}, sums{"a": 5, "b": 1}},
		{[]store.Delta{{Counter: "a", N: -2}, {Counter: "b", N: -2}}, sums{"a": 3}},
		{[]store.Delta{{Counter: "b", N: -2}, {Counter: "b", N: 7}, {Counter: "b", N: -1}}, sums{"a": 3, "b": 6}},
		{[]store.Delta{{Counter: "a", N: most}}, sums{"a": most, "b": 6}},
		{[]store.Delta{{Counter: "a", N: most}, {Counter: "b", N: least}}, sums{"a": most}},
		{[]store.Delta{{Counter: "a", N: -most}, {Counter: "b", N: 2}}, sums{"b": 2}},
		{[]store.Delta{{Counter: "a", N: most}, {Counter: "a", N: 1}, {Counter: "a", N: -1}, {Counter: "b", N: -2}}, sums{"a": most - 1}},
		{[]store.Delta{{Counter: "a", N: least}}, sums{}},
	} {
		k.ok(k.s.Add(k.ctx, step.deltas))
		got, err := k.s.Counters(k.ctx, "")
		k.ok(err)
		maps.DeleteFunc(got, func(_ string, n int64) bool { return n == 0 }) // they may be left out
		if !maps.Equal(got, step.want) {
			k.Fatalf("step %d: %v, want %v", i, got, step.want)
		}
	}
	carries(k)
	many := make([]store.Delta, 2000)
	for i := range many {
		many[i] = store.Delta{Counter: fmt.Sprint("many/", i), N: int64(i + 1)}
	}
	k.ok(k.s.Add(k.ctx, many))
	got, err := k.s.Counters(k.ctx, "many/")
	k.ok(err)
	if len(got) != len(many) || got["many/1999"] != 2000 {
		k.Fatalf("%d counters of a batch of %d", len(got), len(many))
	}
}

// counters: a prefix is bytes, and no pattern.
func counters(k *kit) {
	all := []string{"use/1/a", "use/1/b", "use/10/a", "use/2/a", "USE/1/a", "us_/1/a", "use%", "u*e", "u?e", "[u]se", "use\\1", "中/a", "中文/a"}
	deltas := make([]store.Delta, len(all))
	for i, name := range all {
		deltas[i] = store.Delta{Counter: name, N: int64(i + 1)}
	}
	k.ok(k.s.Add(k.ctx, deltas))
	for prefix, want := range map[string]int{
		"": len(all), "use/1": 3, "use/1/": 2, "use/1/a": 1, "use/": 4, "us": 7, "us_": 1, "use%": 1, "u*": 1, "u?e": 1, "[u]": 1, "use\\": 1,
		"U": 1, "中": 2, "中/": 1, "use/1/a/": 0, "x": 0, "%": 0, "*": 0, "?": 0, "\\": 0, "_": 0,
	} {
		got, err := k.s.Counters(k.ctx, prefix)
		k.ok(err)
		if len(got) != want {
			k.Errorf("%q: %v, want %d", prefix, got, want)
		}
	}
	k.counter("use/2/a", 4)
	_, err := k.s.Get(k.ctx, table, "use/1/a")
	k.is("a counter is no document", err, store.ErrNotFound)
}
