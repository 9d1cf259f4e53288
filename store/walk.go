package store

import (
	"context"
	"slices"
	"strings"
)

// CounterWalker is what an engine has that can give its counters a part at a time. It is for moving and
// copying all of them, so it stands beside Store: an engine without it gives them all at once.
type CounterWalker interface {
	// WalkCounters reads up to limit counters whose name sorts behind after, in the order of their bytes.
	// Fewer than limit means that there are no more.
	WalkCounters(ctx context.Context, after string, limit int) ([]Delta, error)
}

// WalkCounters gives all counters of a store in the order of their names, a part at each call; fewer than
// limit means that there are no more. Of an engine that is no CounterWalker, also behind wrappers with an
// Unwrap, all of them lie in memory until the last part is given: some 250 bytes for each.
func WalkCounters(s Store, limit int) func(ctx context.Context, after string) ([]Delta, error) {
	for at := s; at != nil; {
		if w, can := at.(CounterWalker); can {
			return func(ctx context.Context, after string) ([]Delta, error) { return w.WalkCounters(ctx, after, limit) }
		}
		inside, can := at.(interface{ Unwrap() Store })
		if !can {
			break
		}
		at = inside.Unwrap()
	}
	var all []Delta
	read := false
	return func(ctx context.Context, after string) ([]Delta, error) {
		if !read {
			found, err := s.Counters(ctx, "")
			if err != nil {
				return nil, err
			}
			all, read = make([]Delta, 0, len(found)), true
			for name, n := range found {
				all = append(all, Delta{Counter: name, N: n})
			}
			slices.SortFunc(all, func(a, b Delta) int { return strings.Compare(a.Counter, b.Counter) })
		}
		for len(all) > 0 && all[0].Counter <= after {
			all = all[1:]
		}
		return all[:min(limit, len(all))], nil
	}
}
