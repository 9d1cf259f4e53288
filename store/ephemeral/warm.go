package ephemeral

import (
	"context"
	"sync"

	"gcli2api/pipeline"
)

// Warm has small values in the memory of this node afterwards, in the time of one round trip, where the store is
// a database. missing are ids under which there is nothing.
func (m *Memory) Warm(ctx context.Context, at pipeline.Place, ids []string) (missing []string, err error) {
	if m.later == nil {
		return nil, nil
	}
	var mu sync.Mutex
	err = each(ctx, len(ids), func(ctx context.Context, i int) error {
		_, there, err := m.Recall(ctx, at, ids[i])
		if err == nil && !there {
			mu.Lock()
			defer mu.Unlock()
			missing = append(missing, ids[i])
		}
		return err
	})
	return missing, err
}
