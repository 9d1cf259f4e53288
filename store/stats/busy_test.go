package stats

import (
	"context"
	"log/slog"
	"testing"

	"gcli2api/store"
)

// busy is a store to which requests come while it writes.
type busy struct {
	*disk
	meanwhile func()
	adds      int
}

func (b *busy) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	if b.adds++; b.adds < 50 && b.meanwhile != nil {
		b.meanwhile()
	}
	return b.disk.AddOnce(ctx, id, deltas)
}

// What comes while figures are written waits for the next time.
func TestFlushComesToAnEnd(t *testing.T) {
	d := newDisk(t)
	b := &busy{disk: d}
	s, err := openAt(t.Context(), Options{Store: b, Log: slog.New(slog.DiscardHandler), Settings: d.settings}, d.now)
	if err != nil {
		t.Fatal(err)
	}
	kill(s) // nobody else flushes
	b.adds, b.meanwhile = 0, func() { s.Record(served("k", "c", "m")) }
	s.Record(served("k", "c", "m"))
	if !s.flush(t.Context()) || b.adds != 1 {
		t.Errorf("written %d times", b.adds)
	}
	b.meanwhile = nil
	if !s.flush(t.Context()) {
		t.Error("not written")
	}
	if rows := d.stats().Report().Keys; len(rows) != 1 || rows[0].Calls != 2 {
		t.Errorf("%+v", rows)
	}
}
