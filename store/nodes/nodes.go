// Package nodes keeps the list of the gateways that share a store: what each is, and how it is doing.
//
// Each gateway writes one document and counts in it, every few seconds. Whether another one is up is told by
// its count going on, by the reader's own clock: a node whose clock is wrong by minutes is shown as what it is.
package nodes

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"sync"
	"time"

	"gcli2api/store"
)

const (
	beatEvery = 3 * time.Second
	goneAfter = 5 * beatEvery    // of silence
	shownFor  = 10 * time.Minute // of a node that is gone
	callFor   = 5 * time.Second  // bounds a call to the store
	keptFor   = time.Hour        // in the store, should nobody be left who sweeps; far more than clocks differ by
)

// Node is the document of one gateway. Its times are by the clock of that gateway.
type Node struct {
	Host     string    `json:"host"`
	Address  string    `json:"address"` // that it listens on
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Seen     time.Time `json:"seen"`               // of this document
	Beat     int64     `json:"beat"`               // counts the documents
	Ahead    int64     `json:"ahead_ms,omitempty"` // of the clock, to that of the store's server
	Revision int64     `json:"revision"`
	Error    string    `json:"last_error,omitempty"`
	ErrorAt  time.Time `json:"last_error_at,omitzero"`
	Keys     []string  `json:"keys"` // ids of those that it opens sealed secrets with; null of a version that does not say
}

// Options say who a gateway is.
type Options struct {
	Store   store.Store
	Log     *slog.Logger
	Address string
	Version string
	Keys    []string             // ids of those that it opens sealed secrets with
	Now     func() time.Time     // the clock of this machine; nil is time.Now
	Ahead   func() time.Duration // of that clock, to that of the store's server; nil is for nobody knows

	// Report says which revision of the panel's settings is in force, and why the settings that were read last
	// are not, with the time of that; "" where they are. It must hold no secrets.
	Report func() (revision int64, wrong string, at time.Time)
}

// List is the gateways on a store, as one of them sees them.
type List struct {
	opt  Options
	id   string
	docs store.Docs[Node]
	stop context.CancelFunc
	done chan struct{}
	wake chan struct{}

	mu     sync.Mutex
	own    Node
	others map[string]*other
	failed bool // the last beat
}

// other is what is known of another node.
type other struct {
	Node
	rev     store.Rev
	heard   time.Time // when its count went on, by our clock
	running bool      // its count went on since we first saw it
}

// Open joins the list. A store that fails then is asked again.
func Open(o Options) *List {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Ahead == nil {
		o.Ahead = func() time.Duration { return 0 }
	}
	host, _ := os.Hostname()
	ctx, stop := context.WithCancel(context.Background())
	l := &List{opt: o, id: rand.Text(), docs: store.Docs[Node]{Store: o.Store, Table: store.Nodes}, stop: stop,
		done: make(chan struct{}), wake: make(chan struct{}, 1), others: map[string]*other{},
		own: Node{Host: host, Address: o.Address, Version: o.Version, Started: o.Now(), Keys: append([]string{}, o.Keys...)}}
	if store.Alone(o.Store) { // nobody to tell, and no disk to wear out
		close(l.done)
		return l
	}
	l.beat(ctx) // whoever looks at the list from here on sees us
	go l.run(ctx)
	return l
}

// Changed has the report read at once, not with the next beat.
func (l *List) Changed() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close leaves the list.
func (l *List) Close() error {
	l.stop()
	<-l.done
	if store.Alone(l.opt.Store) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), callFor)
	defer cancel()
	if err := l.docs.Delete(ctx, l.id); err != nil {
		l.opt.Log.Warn("this node stays in the list of nodes for a while after its end", "error", err)
	}
	return nil
}

// run writes our document and reads the others until ctx is over. Hints are not heeded: with many nodes each
// would read all documents at each beat of every other.
func (l *List) run(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		l.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-tick.C:
		}
		l.beat(ctx)
	}
}

// report brings our own document up to date.
func (l *List) report() Node {
	now := l.opt.Now()
	revision, wrong, at := l.opt.Report()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.own.Seen, l.own.Revision, l.own.Error, l.own.ErrorAt = now, revision, wrong, at
	l.own.Beat, l.own.Ahead = l.own.Beat+1, l.opt.Ahead().Milliseconds()
	return l.own
}

func (l *List) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	own := l.report()
	_, err := l.docs.PutUntil(ctx, l.id, own, store.Any, own.Seen.Add(keptFor))
	l.mu.Lock()
	before := l.failed
	l.failed = err != nil
	l.mu.Unlock()
	if err != nil && !before && ctx.Err() == nil {
		l.opt.Log.Warn("the list of nodes cannot be written, trying again", "error", err)
	}
}

// look reads the documents of the others.
func (l *List) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	there := map[string]store.Read[Node]{}
	for id, read := range l.docs.All(ctx) {
		if id == "" && read.Err != nil {
			return // the next look tries again
		}
		if id != l.id && read.Err == nil { // one of a version that writes them otherwise is not in the list
			there[id] = read
		}
	}
	for id, rev := range l.heard(there) {
		_ = l.docs.Store.Delete(ctx, store.Nodes, id, rev) // who else sweeps has done it, or it has come back
	}
}

// heard takes over what was read, and says which documents nobody has a use for any more.
func (l *List) heard(there map[string]store.Read[Node]) (old map[string]store.Rev) {
	now := l.opt.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.others {
		if _, ok := there[id]; !ok {
			delete(l.others, id)
		}
	}
	old = map[string]store.Rev{}
	for id, read := range there {
		o := l.others[id]
		switch {
		case o == nil:
			l.others[id] = &other{Node: read.Value, rev: read.Rev, heard: now}
		case o.Beat != read.Value.Beat:
			*o = other{Node: read.Value, rev: read.Rev, heard: now, running: true}
		case now.Sub(o.heard) > shownFor:
			old[id] = o.rev
		}
	}
	return old
}
