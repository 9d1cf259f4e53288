package apikey

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/store"
)

// Ledger keeps what keys may still spend. It is safe for concurrent use.
type Ledger struct {
	keys   *Keys
	costs  *Costs
	log    *slog.Logger
	now    func() time.Time
	purses purses
	till   till

	stop  chan struct{}
	once  sync.Once
	owned sync.WaitGroup // who sweeps
	ended error

	windows *windows
}

// Tokens is what went up and what came back.
type Tokens struct {
	Input  int64
	Output int64 // thoughts included
}

// Ask is a request that wants to be paid for.
type Ask struct {
	Key    string // id
	Model  models.Model
	Times  int64                    // answers or items asked for: the price of a call is taken as often; 0 is 1
	Free   bool                     // costs nothing, and is held by the limits of requests only
	Tokens Tokens                   // an estimate of what goes up, and the most that may come back, of all of them together
	Rate   *Rate                    // the price by tokens, of models for which the cost table has none; nil charges by calls
	Answer wire.Format              // of the headers that Tell takes
	Tell   func(name, value string) // response headers, also of a request that is refused; nil tells nobody
}

// sweepEvery is how often counters that nobody asks for any more are removed.
const sweepEvery = time.Hour

func openLedger(ctx context.Context, o Options, keys *Keys, costs *Costs) (*Ledger, error) {
	l := &Ledger{keys: keys, costs: costs, log: o.Log, now: o.Now, stop: make(chan struct{})}
	if !store.Alone(o.Store) {
		l.till = openShared(o, &l.purses)
	} else {
		t, err := openLocal(ctx, o.Store, o.Log, &l.purses)
		if err != nil {
			return nil, err
		}
		l.till = t
	}
	l.windows = openWindows(o, l.till)
	l.owned.Go(l.sweeps)
	return l, nil
}

// sweeps removes old counters now and then.
func (l *Ledger) sweeps() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			l.sweep()
		case <-l.stop:
			return
		}
	}
}

func (l *Ledger) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	exists := func(id string) bool { _, ok := l.keys.ByID(id); return ok }
	if err := l.till.sweep(ctx, l.now(), exists); err != nil {
		l.log.Warn("old counters of API keys could not be removed", "error", err)
	}
}

// Close writes what is left. Nobody may ask for anything meanwhile or afterwards.
func (l *Ledger) Close() error {
	l.once.Do(func() {
		close(l.stop)
		l.owned.Wait()
		l.windows.close()
		l.ended = l.till.close()
	})
	return l.ended
}

// Reserve takes the price of a request from its key, or says why it cannot. The price may not be durable yet:
// see Bill.Commit.
func (l *Ledger) Reserve(ctx context.Context, a Ask) (*Bill, *apierror.Error) {
	one, fail := l.payer(a.Key)
	if fail != nil {
		return nil, fail
	}
	b := &Bill{ledger: l, ask: a, from: l.purses.of(one.ID).account(one, l.now()), charge: pipeline.Charge{Key: a.Key}}
	if fail := b.reserve(ctx, one); fail != nil {
		return nil, fail
	}
	return b, nil
}

// payer finds the key of a request. It may have changed since the request was let in.
func (l *Ledger) payer(id string) (*Key, *apierror.Error) {
	one, ok := l.keys.ByID(id)
	switch {
	case !ok:
		return nil, apierror.New(apierror.Unauthorized, "the API key was deleted")
	case one.Disabled:
		return nil, apierror.New(apierror.Unauthorized, "the API key was disabled")
	}
	return one, nil
}
