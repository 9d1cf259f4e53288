package geminiapi

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
)

// How the list is kept.
const (
	fresh    = time.Hour        // how long a list counts
	again    = time.Minute      // from one that could not be read to the next try
	patience = 5 * time.Second  // how long a request waits at most
	whole    = 30 * time.Second // how long the list may take
	mostKeys = 3                // that are asked before it is given up
)

// ListingOptions are what a Listing is made from.
type ListingOptions struct {
	Settings Settings
	Pool     *pool.Pool
	Caller   outbound.Caller
	Log      *slog.Logger
	Now      func() time.Time // nil is time.Now
}

// Listing keeps the list of models that Google serves to the API keys of the pool. It asks only when
// somebody wants to know, once at a time, and keeps what it has when it fails.
type Listing struct {
	o      ListingOptions
	live   models.Live
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	running chan struct{} // closed when the reading is over; nil when there is none
	tried   bool          // a reading is over, however it went
	due     time.Time     // of the next one
	base    string        // whom the last one asked
}

// NewListing makes one that has asked nobody yet.
func NewListing(o ListingOptions) *Listing {
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Listing{o: o}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Live is the list as it was read last.
func (l *Listing) Live() *models.Live { return &l.live }

// Refresh reads a list that is old anew and waits for it, for five seconds at most.
func (l *Listing) Refresh(ctx context.Context) {
	running, _ := l.begin()
	wait(ctx, running)
}

// Want is Refresh for who can do with an old list, or with none after a failure: only the very first
// reading is waited for.
func (l *Listing) Want(ctx context.Context) {
	if running, first := l.begin(); first {
		wait(ctx, running)
	}
}

func wait(ctx context.Context, running <-chan struct{}) {
	if running == nil {
		return
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-running:
	case <-late.C:
	case <-ctx.Done():
	}
}

// begin starts reading where that is due, and gives what ends with the reading that runs.
func (l *Listing) begin() (running <-chan struct{}, first bool) {
	base := l.o.Settings.Gemini()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil && l.ctx.Err() == nil && (base != l.base || !l.o.Now().Before(l.due)) {
		l.running, l.base = make(chan struct{}), base
		l.wg.Go(l.read)
	}
	if l.running == nil {
		return nil, false
	}
	return l.running, !l.tried
}

// read reads the list once.
func (l *Listing) read() {
	ctx, cancel := context.WithTimeout(l.ctx, whole)
	defer cancel()
	list, fail := l.ask(ctx)
	next := fresh
	switch {
	case fail == nil:
		n := l.live.Set(list)
		l.o.Log.Debug("Google's list of models was read", "models", n)
	case l.ctx.Err() != nil: // the gateway stops
	default:
		next = again
		l.o.Log.Warn("Google's list of models could not be read, what was known stays", "error", fail)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tried, l.due = true, l.o.Now().Add(next)
	close(l.running)
	l.running = nil
}

// ask asks with one key, and with another one where the pool advises that.
func (l *Listing) ask(ctx context.Context) ([]models.Served, *apierror.Error) {
	want := pool.Want{Model: "models", Verb: pipeline.List, Kinds: []string{oauth.Gemini}}
	var last *apierror.Error
	for {
		lease, fail := l.o.Pool.Acquire(ctx, want)
		if fail != nil {
			return nil, fail
		}
		if slices.Contains(want.Tried, lease.ID()) { // there is no other one
			lease.Release()
			return nil, last
		}
		list, fail := l.pages(ctx, lease)
		advice := pipeline.Advice{Again: pipeline.Other}
		if !unlisted(fail) {
			advice = lease.Report(fail)
		}
		lease.Release()
		want.Tried = append(want.Tried, lease.ID())
		if fail == nil || advice.Again != pipeline.Other || len(want.Tried) == mostKeys {
			return list, fail
		}
		last = fail
	}
}

// unlisted tells a place that gives no listing to this key: with models it may serve all the same.
func unlisted(fail *apierror.Error) bool {
	return fail != nil && fail.Said != nil && (fail.Said.HTTP == 403 || fail.Said.HTTP == 404)
}

// Close ends a reading that runs and waits for it.
func (l *Listing) Close() error {
	l.cancel()
	l.mu.Lock() // who was about to begin has begun
	l.mu.Unlock()
	l.wg.Wait()
	return nil
}
