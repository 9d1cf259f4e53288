// Package pool holds the credentials and lends them to exchanges, one call at a time.
//
// It decides who is next (pick.go), keeps tokens and projects ready (ready.go), and knows what an
// error of Google means for a credential (table.go: a table, protocol 4.8; punish.go and advise.go
// act on it). Credentials come from a folder that is watched (folder.go), from environment variables
// (source.go) and from API keys in the settings; queue.go puts them in a row. State lives in memory behind the seam States.
package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store"
	"gcli2api/store/oauth"
)

// Settings are what may change while the pool runs.
type Settings struct {
	Rotation         string   // "counted", "least_used", "random" or "sticky"; anything else is the first
	CallsPerRotation int      // requests in a row that one credential serves; 0 is 10
	APIKeys          []string // keys of Google AI Studio
	VertexKeys       []string // keys of Vertex AI in express mode
	AutoBan          bool     // switch credentials off that Google refuses for good
	AutoBanCodes     []int    // HTTP statuses that are such a refusal where the table knows no better; never 400
	Rules            []Rule   // rows of the operator, before those of the table

	// Shared are models that draw on one quota, by a name for it.
	Shared map[string][]string

	// Calls at a time: of an account with all its projects, of another credential. 0 is no limit.
	AccountConcurrency, KeyConcurrency int
	// How long a caller waits when all that could serve have as many, and how many callers at most.
	QueueWait   time.Duration
	QueueLength int

	// EnvExclusive tells whether credentials of the environment, if one of them could be read, shut
	// those of the folder out: "never", "always", else those do that are read at every start by themselves.
	EnvExclusive string

	// The limits of a day for a credential that has none of its own, when the day begins (from
	// midnight UTC), and whether a credential at its limit is left out until then.
	DailyPro, DailyTotal int64
	DailyReset           time.Duration
	EnforceLimits        bool
	// QuotaRefresh is how often Google is asked what is left for the accounts in use; 0 is never.
	QuotaRefresh time.Duration
}

// Options are what a pool is made from.
type Options struct {
	Dir      string           // folder with credential files, "" for none; made if it is missing
	Environ  []oauth.Variable // environment variables with credentials, read once
	EnvLater bool             // GCLI_CREDS_* are read only when somebody asks for it (LoadEnviron)
	Settings Settings
	OAuth    *oauth.Client // needed for credentials of Google accounts

	// Serves tells which kind of credential serves a model; nil is Serves of this package.
	Serves func(kind, model string, verb pipeline.Verb) bool
	States States           // remembers across restarts; nil forgets
	Claims Claims           // leases among the nodes on one store; nil for a gateway that is alone
	Store  store.Store      // keeps the credentials where several nodes use it, and Dir is an inbox then; nil for a folder
	Seal   Sealer           // of secrets that are kept; nil keeps them as they are
	Log    *slog.Logger     // nil logs nothing
	Now    func() time.Time // nil is time.Now
	Poll   time.Duration    // between two looks into the folder; 0 is 1 s
	Still  bool             // it is opened to change what is in it: nothing is asked of Google, nothing tidied up

	// Hide hears of each secret that lasts (API keys, refresh tokens, client secrets) before it is
	// used, and again when its file changes, so that no log shows it whatever it looks like. nil is
	// for none.
	Hide func(secret string)
}

// Pool lends credentials. It is safe for concurrent use.
type Pool struct {
	dir    string
	oauth  *oauth.Client
	serves func(kind, model string, verb pipeline.Verb) bool
	states States
	claims Claims
	node   string // who this pool is among those that claim
	born   time.Time
	log    *slog.Logger
	now    func() time.Time
	hide   func(secret string)

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	out    atomic.Int64 // leases
	sticky atomic.Bool  // the rotation is

	disk      sync.Mutex // files; never taken while mu is held
	shelf     shelf      // where they are
	folder    *onDisk    // of this node, whatever the shelf is
	inbox     *inbox     // the folder, where the shelf is a store
	unread    error      // of the last scan
	owed      []owed     // changes that the store could not take yet
	owedAt    time.Time  // of the last try
	files     map[string]*source
	environ   []*source
	envLater  bool
	rules     oauth.Rules            // by which files were read
	warned    map[string]bool        // said once
	oldStates map[string]oauth.Start // of the old product, by the names of files
	oldRead   bool
	handed    map[string]oauth.Start // of the import under way, by the names of its files

	mu       sync.Mutex // all below, and every entry and account
	set      Settings
	keys     []*entry
	queue    []*entry
	idle     []*entry          // shut out by the environment
	byID     map[string]*entry // of the queue
	index    index
	lanes    map[lane]*rotation
	last     place
	line     line
	dice     func(n uint64) uint64 // below n
	loosened uint64                // counts the changes of what can be lent
	rows     []row                 // what an error means: those of the operator first
	breakers map[fuse]*breaker     // closed ones that have counted nothing are not there
	google   breaker               // of all calls
	closed   bool
	running  bool              // what comes now was not there at the start
	broken   map[string]string // files that are skipped, and why
	shut     shut
	// and those of the inbox
	brokenInbox map[string]string
	guests      []*entry // that have come and nothing is known of
	lines       []func() // log lines for unlock
	cause       string   // the exchange whose report is dealt with, for those lines
}

// New loads the credentials and begins to watch the folder. A broken file is a warning in the log,
// and so is a folder that cannot be used; the error is for options that make no pool.
func New(o Options) (*Pool, error) {
	if o.OAuth == nil && (o.Dir != "" || len(o.Environ) > 0) {
		return nil, errors.New("a pool with a folder or an environment of credentials needs an OAuth client")
	}
	p := &Pool{
		dir: o.Dir, oauth: o.OAuth, serves: o.Serves, states: o.States, log: o.Log, now: o.Now, hide: o.Hide,
		claims: o.Claims, node: nodeName(),
		files: map[string]*source{}, warned: map[string]bool{},
		byID: map[string]*entry{}, broken: map[string]string{}, shut: shut{in: map[string][]string{}}, brokenInbox: map[string]string{}, lanes: map[lane]*rotation{}, line: newLine(), dice: rand.Uint64N, breakers: map[fuse]*breaker{},
	}
	if p.serves == nil {
		p.serves = Serves
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.born = p.now()
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for i := range o.Environ {
		p.environ = append(p.environ, &source{variable: &o.Environ[i], off: o.EnvLater && o.Environ[i].Waits()})
	}
	p.envLater = o.EnvLater
	hints := p.openShelf(o)
	p.makeDir()
	p.askedBefore()
	p.follow() // before states are loaded: what another node writes meanwhile is heard
	p.Apply(o.Settings)
	if p.shared() && p.unread != nil {
		p.cancel()
		return nil, fmt.Errorf("read the credentials: %w", p.unread)
	}
	if o.Still {
		return p, nil
	}
	p.lookInbox(true)
	p.sweep()
	if d, is := p.shelf.(*documents); is {
		p.wg.Go(func() { p.watchShelf(d, hints) })
	}
	if p.dir != "" || p.shared() {
		every := o.Poll
		if every <= 0 {
			every = time.Second
		}
		// Notices of the file system are blind on bind mounts and network drives; a thousand stats a
		// second cost little.
		p.repeat(every, p.Rescan)
		p.repeat(time.Hour, p.sweep)
	}
	if p.oauth != nil {
		p.repeat(tendEvery, p.tend)
	}
	if p.states != nil {
		p.repeat(10*time.Second, p.saveCounts)
		p.repeat(time.Hour, p.sweepStates)
		p.wg.Go(p.sweepStates)
	}
	p.mu.Lock()
	p.running = true
	p.mu.Unlock()
	return p, nil
}

// Apply takes new settings. Keys that are gone leave the pool, new ones join it; leases in use are
// not disturbed. The folder is looked at as well, because the OAuth settings may have changed.
func (p *Pool) Apply(s Settings) {
	if s.CallsPerRotation <= 0 {
		s.CallsPerRotation = 10
	}
	for _, key := range slices.Concat(s.APIKeys, s.VertexKeys) {
		p.hideAll(oauth.APIKey(strings.TrimSpace(key)))
	}
	p.disk.Lock()
	defer p.disk.Unlock()
	p.mu.Lock()
	p.set, p.rows = s, append(ruled(s.Rules), table()...)
	p.sticky.Store(s.Rotation == Sticky)
	p.keys = slices.Concat(p.keyEntries(s.APIKeys, oauth.APIKey), p.keyEntries(s.VertexKeys, oauth.ExpressKey))
	p.recapAll()
	p.loosened++
	p.index.stale = true
	p.unlock()
	p.scan(true)
}

// hideAll keeps the secrets of a credential out of the log.
func (p *Pool) hideAll(c oauth.Credential) {
	for _, secret := range longLived(c) {
		if p.hide != nil && secret != "" {
			p.hide(secret)
		}
	}
}

// Rescan looks into the folder now instead of at the next tick.
func (p *Pool) Rescan() {
	p.disk.Lock()
	p.scan(false)
	p.disk.Unlock()
	p.lookInbox(false)
}

// openShelf decides where the credentials are. Hints begin before the first look at them.
func (p *Pool) openShelf(o Options) <-chan store.Change {
	seal := sealer{o.Seal}
	p.folder = &onDisk{o.Dir, seal}
	p.shelf = p.folder
	if o.Store == nil || store.Alone(o.Store) {
		return nil
	}
	p.shelf = newDocuments(o.Store, seal, p.log)
	if o.Dir != "" {
		p.inbox = newInbox(o.Store)
	}
	hints, _ := o.Store.Watch(p.ctx) // without hints there are looks
	return hints
}

// Sticky tells that the rotation is, so that Want.Talk is of use.
func (p *Pool) Sticky() bool { return p.sticky.Load() }

// Leases is the number of leases that are out.
func (p *Pool) Leases() int { return int(p.out.Load()) }

// Close stops watching, ends refreshes in flight, waits for all of it and tells States what is left
// to tell. Leases that are out can still be reported and released; no new ones are given.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.serve(p.now())
	p.mu.Unlock()
	p.cancel()
	p.wg.Wait()
	p.payLast()
	p.saveCounts()
	return nil
}

// repeat does something at intervals until Close.
func (p *Pool) repeat(every time.Duration, do func()) {
	p.wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				do()
			case <-p.ctx.Done():
				return
			}
		}
	})
}

// spawn runs work that Close waits for. The caller holds mu and has seen that the pool is open.
func (p *Pool) spawn(limit time.Duration, work func(ctx context.Context)) {
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		ctx, cancel := context.WithTimeout(p.ctx, limit)
		defer cancel()
		work(ctx)
	}()
}
