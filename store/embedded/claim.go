package embedded

import (
	"context"
	"sync"
	"time"

	"gcli2api/store"
)

// leases are kept in memory: only one process holds the file, so when it is gone all its leases are
// free. In the file they would keep the next process waiting for one that no longer lives.
type leases struct {
	mu   sync.Mutex
	held map[string]lease
}

type lease struct {
	owner string
	until time.Time
}

// Claim takes, renews or gives up a lease.
func (db *DB) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	for _, s := range []string{name, owner} {
		if err := store.CheckName(s); err != nil {
			return false, err
		}
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := db.closed(); err != nil {
		return false, err
	}
	return db.leases.claim(name, owner, db.now(), ttl), nil
}

func (l *leases) claim(name, owner string, now time.Time, ttl time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	has, taken := l.held[name]
	mine := has.owner == owner
	switch {
	case taken && !mine && has.until.After(now):
		return false
	case ttl <= 0:
		if mine {
			delete(l.held, name)
		}
		return false
	}
	if l.held == nil {
		l.held = map[string]lease{}
	}
	l.held[name] = lease{owner: owner, until: now.Add(ttl)}
	return true
}

func (l *leases) sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, has := range l.held {
		if !has.until.After(now) {
			delete(l.held, name)
		}
	}
}
