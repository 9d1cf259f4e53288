package apikey

import (
	"context"
	"time"
)

// Balance is what a key has used and what it has left.
type Balance struct {
	Used  int64 // units; of the period where the quota renews
	Quota int64
	Left  int64 // never negative, also where the quota was lowered below what is used

	Daily     int64 // the allowance of a day; 0 for none
	DailyUsed int64
	DailyLeft int64

	Renews time.Time // when Used begins anew; zero for never
	Ever   int64     // used in all, also in periods that are over and before resets
}

// Balance tells what a key has used.
func (l *Ledger) Balance(ctx context.Context, one *Key) (Balance, error) {
	all, err := l.till.read(ctx, one.ID)
	return l.balance(one, all), err
}

// BalanceAll tells it of all keys, by their ids.
func (l *Ledger) BalanceAll(ctx context.Context) (map[string]Balance, error) {
	all, err := l.till.read(ctx, "")
	if err != nil {
		return nil, err
	}
	list := l.keys.List()
	found := make(map[string]Balance, len(list))
	for _, one := range list {
		found[one.ID] = l.balance(one, all)
	}
	return found, nil
}

func (l *Ledger) balance(one *Key, all map[string]int64) Balance {
	now := l.now()
	period := one.Renews.at(now)
	b := Balance{Used: all[mainCounter(one.ID, period)], Quota: one.Quota, Renews: period.until}
	b.Left = max(b.Quota-b.Used, 0)
	b.Ever = plus(all[everCounter(one.ID)], all[mainCounter(one.ID, span{})])
	if one.Daily > 0 {
		b.Daily, b.DailyUsed = one.Daily, all[dayCounter(one.ID, Daily.at(now))]
		b.DailyLeft = max(b.Daily-b.DailyUsed, 0)
	}
	return b
}

// Reset makes what a key has used zero, of the running period and of the day; it is durable when it returns.
// Requests that are under way stay paid for by what was used before.
func (l *Ledger) Reset(ctx context.Context, id string) error { return l.Set(ctx, id, 0) }

// Set is Reset to a number.
func (l *Ledger) Set(ctx context.Context, id string, used int64) error {
	one, ok := l.keys.ByID(id)
	if !ok {
		return ErrUnknown
	}
	a := l.purses.of(id).account(one, l.now())
	return l.till.set(ctx, &a, max(used, 0))
}
