// Package settings keeps what the panel set over the configuration file: one document for all nodes, which
// each of them follows.
//
// Whatever puts settings into force in a running gateway goes through Panel, one at a time: a change by the
// panel here or on another node, and a wish to read the file again. Settings that are refused change nothing:
// those in force stay, whole.
package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/seal"
)

const (
	// id is the document's.
	id = "overrides"
	// lookEvery is the pause between two looks for what no hint told of: with it another node's change counts
	// here within a second.
	lookEvery = 500 * time.Millisecond
	// lookFor bounds a look: a store that does not answer is asked again.
	lookFor = 5 * time.Second
)

// Options say how settings are read and put into force.
type Options struct {
	Store store.Store
	Log   *slog.Logger
	Mask  func(text string) string // takes secrets out of an error that others will see; nil takes none

	Ring *seal.Ring // seals secret settings in the store; nil seals none

	// Load reads all layers anew, with these of the panel.
	Load func(overrides map[string]any) (*config.Snapshot, error)
	// Apply puts a configuration into force, or returns an error and leaves everything as it was.
	Apply func(c *config.Snapshot) error
	// Live is what is in force. It is set here, and nowhere else.
	Live *config.Live
}

// Panel is the panel's layer of the settings. It is safe for concurrent use.
type Panel struct {
	opt     Options
	started *config.Snapshot
	stop    context.CancelFunc
	ended   chan struct{}
	told    func()

	changing sync.Mutex // one change of what is in force at a time
	sealed   *unsealed  // guarded by changing

	mu     sync.Mutex
	seen   layer // the document as it was read last
	status Status
}

// layer is what a document says.
type layer struct {
	rev    store.Rev // New where there is none
	body   string
	values map[string]any // nil where the body cannot be read
}

// Status is what a node has to say of its settings.
type Status struct {
	Revision store.Rev // of the panel's layer in force, 0 for none
	Error    string    // why the settings that were read last are not in force, all or some; "" where they are
	At       time.Time // of the error
}

// Open reads the panel's layer. What of it cannot be served, say because a newer version wrote it, is left
// out with an error in the log: a gateway that does not start would help nobody. Apply is not called before
// Follow.
func Open(ctx context.Context, o Options) (*Panel, error) {
	if o.Mask == nil {
		o.Mask = func(text string) string { return text }
	}
	stays := &unsealed{opt: o, load: o.Load}
	o.Load = stays.loaded
	p := &Panel{opt: o, sealed: stays, started: o.Live.Snapshot()}
	doc, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	p.seen = doc
	if doc.rev == store.New {
		return p, nil
	}
	values, wrong := p.servable(doc)
	if wrong != nil {
		p.refused(wrong)
		o.Log.Error("settings of the panel cannot be served and are left out", "error", p.status.Error)
	}
	c, err := o.Load(values)
	if err != nil {
		return nil, err
	}
	p.status.Revision = doc.rev
	if wrong == nil {
		p.status = p.inForce(doc.rev)
	}
	p.started = c
	o.Live.Set(c)
	return p, nil
}

// Live is the configuration in force.
func (p *Panel) Live() *config.Snapshot { return p.opt.Live.Snapshot() }

// Started is the configuration that the gateway starts with.
func (p *Panel) Started() *config.Snapshot { return p.started }

// Follow puts into force what other nodes save, until Close. told is called after each change of Status.
func (p *Panel) Follow(told func()) {
	ctx, stop := context.WithCancel(context.Background())
	p.stop, p.ended, p.told = stop, make(chan struct{}), told
	go func() {
		defer close(p.ended)
		store.Follow(ctx, p.opt.Store, store.Settings, lookEvery, p.look)
	}()
}

// Close ends following.
func (p *Panel) Close() error {
	if p.stop != nil {
		p.stop()
		<-p.ended
	}
	return nil
}

// Status is how this node is doing.
func (p *Panel) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Report is Status in pieces, for the list of nodes.
func (p *Panel) Report() (revision int64, wrong string, at time.Time) {
	s := p.Status()
	return int64(s.Revision), s.Error, s.At
}

// read reads the document. One that says nothing legible is a layer without values.
func (p *Panel) read(ctx context.Context) (layer, error) {
	doc, err := p.opt.Store.Get(ctx, store.Settings, id)
	if errors.Is(err, store.ErrNotFound) {
		return layer{values: map[string]any{}}, nil
	}
	if err != nil {
		return layer{}, fmt.Errorf("read the settings of the panel: %w", err)
	}
	return layerOf(doc), nil
}

func docOf(body []byte) store.Doc { return store.Doc{ID: id, Body: body} }

func layerOf(doc store.Doc) layer {
	l := layer{rev: doc.Rev, body: string(doc.Body)}
	d := json.NewDecoder(strings.NewReader(l.body))
	d.UseNumber()
	if d.Decode(&l.values) != nil {
		l.values = nil
	}
	return l
}

// ErrBroken is of a document that this program has not written. It is never written over.
var ErrBroken = fmt.Errorf("the document %q of the table %q in the store is no JSON object: take it out by hand", id, store.Settings)

func (l layer) legible() error {
	if l.values == nil {
		return ErrBroken
	}
	return nil
}

// servable is what of a layer can be served, setting by setting, and why the rest cannot.
func (p *Panel) servable(doc layer) (map[string]any, error) {
	if err := doc.legible(); err != nil {
		return nil, err
	}
	_, wrong := p.opt.Load(doc.values)
	if wrong == nil {
		return doc.values, nil
	}
	good := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(doc.values)) {
		good[key] = doc.values[key]
		if _, err := p.opt.Load(good); err != nil {
			delete(good, key)
		}
	}
	return good, wrong
}

// look takes over what another node saved.
func (p *Panel) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	p.changing.Lock()
	defer p.changing.Unlock()
	doc, err := p.read(ctx)
	if err != nil || p.known(doc) { // a store that is away is not this package's to report
		return
	}
	p.opt.Log.Info("settings were saved in the panel of another node", "revision", int64(doc.rev))
	_ = p.force(doc) // it has been said
}

func (p *Panel) known(doc layer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return doc.rev == p.seen.rev && doc.body == p.seen.body
}

// Reload reads the file and the environment again and puts what they say into force.
func (p *Panel) Reload() {
	p.changing.Lock()
	defer p.changing.Unlock()
	p.mu.Lock()
	doc := p.seen
	p.mu.Unlock()
	_ = p.force(doc) // it has been said
}

// force puts all layers into force, with this one of the panel; on an error the old ones stay, whole. The
// caller holds changing.
func (p *Panel) force(doc layer) error {
	p.mu.Lock()
	p.seen = doc
	p.mu.Unlock()
	err := doc.legible()
	var c *config.Snapshot
	if err == nil {
		c, err = p.opt.Load(doc.values)
	}
	now, changed := p.opt.Live.Snapshot(), false
	if err == nil && c.Revision() != now.Revision() {
		changed, err = true, p.opt.Apply(c)
	}
	switch {
	case err != nil:
		p.opt.Log.Error("settings not changed, the old ones stay", "error", err)
		p.refused(err)
		return err
	case changed:
		p.opt.Log.Info("settings changed", "keys", c.Differs(now), "after_restart", c.WaitsForRestart(p.started))
		p.opt.Live.Set(c)
	default:
		p.opt.Log.Info("settings read again, nothing has changed")
	}
	p.set(p.inForce(doc.rev))
	return nil
}

// inForce is the status of a layer that is, but for what of it stays sealed.
func (p *Panel) inForce(rev store.Rev) Status {
	now := Status{Revision: rev}
	if wrong := p.sealed.wrong; wrong != "" {
		now.Error, now.At = p.bounded("it stays sealed: "+wrong), p.sealed.since
	}
	return now
}

// maxError bounds what other nodes hear of an error.
const maxError = 2000

func (p *Panel) refused(err error) {
	p.set(Status{Revision: p.Status().Revision, Error: p.bounded(err.Error()), At: time.Now()})
}

// bounded is an error as other nodes hear it.
func (p *Panel) bounded(text string) string {
	text = strings.ToValidUTF8(p.opt.Mask(text), "?")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "..."
	}
	return text
}

func (p *Panel) set(now Status) {
	p.mu.Lock()
	p.status = now
	p.mu.Unlock()
	if p.told != nil {
		p.told()
	}
}
