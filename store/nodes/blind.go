package nodes

import (
	"context"
	"maps"
	"slices"
	"time"

	"gcli2api/store"
)

// ear is how Blind listens.
type ear struct {
	look    time.Duration // how often
	beat    time.Duration // within which each gateway that lives writes
	silence time.Duration // of one that lives, at the most
}

// Blind names the gateways at work on a store that cannot open what is sealed with a key, or do not say
// that they can. One that crashed stays in the list for long, so where there are such it listens, for as long as
// a gateway may be silent, whether they live. The error is that of the store or of ctx.
func Blind(ctx context.Context, s store.Store, key string) ([]string, error) {
	const look = 500 * time.Millisecond
	return ear{look, beatEvery + look, goneAfter}.blind(ctx, s, key)
}

func (e ear) blind(ctx context.Context, s store.Store, key string) ([]string, error) {
	docs := store.Docs[Node]{Store: s, Table: store.Nodes}
	before, err := without(ctx, docs, key)
	if err != nil || len(before) == 0 {
		return nil, err
	}
	live := map[string]string{}
	for end := time.Now().Add(e.silence); time.Now().Before(end); {
		select {
		case <-time.After(e.look):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		now, err := without(ctx, docs, key)
		if err != nil {
			return nil, err
		}
		for id, n := range now {
			if was, there := before[id]; (!there || was.Beat != n.Beat) && live[id] == "" {
				if len(live) == 0 { // the others write within this time as well
					end = time.Now().Add(e.beat)
				}
				live[id] = n.Address + " on " + n.Host
			}
		}
		if len(live) > 0 && len(live) == len(now) {
			break
		}
	}
	return slices.Sorted(maps.Values(live)), nil
}

// without are the nodes that do not say that they have a key.
func without(ctx context.Context, docs store.Docs[Node], key string) (map[string]Node, error) {
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	found := map[string]Node{}
	for id, read := range docs.All(ctx) {
		if id == "" && read.Err != nil {
			return nil, read.Err
		}
		if read.Err == nil && !slices.Contains(read.Value.Keys, key) { // one that nobody can read is in no list
			found[id] = read.Value
		}
	}
	return found, nil
}
