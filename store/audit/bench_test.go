package audit

import (
	"context"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"gcli2api/store/embedded"
)

// BenchmarkMillionRows looks into a log of a million requests, ten a second.
func BenchmarkMillionRows(b *testing.B) {
	c := &clock{t: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(b.TempDir(), "db"), Now: c.now})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	l := begin(Options{Store: db, Log: slog.New(slog.DiscardHandler), Now: c.now})
	for i := range 1_000_000 {
		r := full("boot-" + strconv.Itoa(i))
		r.Key = "key-" + strconv.Itoa(i%100)
		l.Note(r)
		c.add(100 * time.Millisecond)
		if i%10_000 == 9_999 {
			l.flush(ctx)
		}
	}
	for name, q := range map[string]Query{"newest": {}, "old": {To: c.now().Add(-20 * time.Hour)}, "one key": {Key: "key-7"}, "nobody": {Key: "nobody"}, "no such model": {Model: "x*"}, "one exchange": {id: "boot-500000"}} {
		b.Run(name, func(b *testing.B) {
			looks := 0
			for b.Loop() {
				p, err := l.Requests(ctx, q)
				if err != nil {
					b.Fatal(err)
				}
				if looks++; p.Next == "" && len(p.Rows) == 0 && name != "nobody" {
					b.Fatal("nothing found")
				}
			}
		})
	}
}
