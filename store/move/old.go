package move

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
	panel "gcli2api/store/settings"
)

// OldPart is what became of one kind of data of the old product.
type OldPart struct {
	Taken int      `json:"taken"`
	Known int      `json:"known"` // there already, or taken over before: what became of it since counts
	Left  []string `json:"left"`  // what was not taken over, and why
}

// OldReport is what became of all of it.
type OldReport struct {
	Folder      string   `json:"folder,omitempty"` // of the gateway that did it
	Credentials OldPart  `json:"credentials"`
	Keys        OldPart  `json:"keys"`
	Costs       OldPart  `json:"costs"`
	Settings    OldPart  `json:"settings"`
	Notes       []string `json:"notes"` // what was odd about what was taken over
}

// oldMark remembers in the table Imports that something was taken over, beside the marks of store/apikey.
type oldMark struct {
	At time.Time `json:"at"`
}

// Taker takes over what the old product kept, each thing once. It only adds: what is here already, whatever
// became of it, stays as it is.
type Taker struct {
	Store store.Store // nil for a place that is not there yet, of which is only said what would come
	Rules oauth.Rules
	Pool  interface {
		ImportAll(offers []pool.Offer) []pool.Imported
	}
	Kept  func(ctx context.Context) error // returns when the states of credentials are durable
	Keys  func(ctx context.Context, old apikey.OldKeys) (keys, costs apikey.OldTaken, err error)
	Panel *panel.Panel
	Live  func() *config.Snapshot
	Dry   bool                            // only say what would come
	Place string                          // what the place is remembered by as taken over; "" for none
	Tell  func(what string, done, of int) // hears how far it is; nil for nobody

	marks map[string]bool
}

// Take takes everything over. After an error, which is one of the store, the same again goes on.
func (t *Taker) Take(ctx context.Context, old store.Old) (r OldReport, err error) {
	if t.Tell == nil {
		t.Tell = func(string, int, int) {}
	}
	if err := t.remember(ctx); err != nil {
		return r, err
	}
	if err := t.credentials(ctx, old.Credentials, &r); err != nil {
		return r, err
	}
	err = errors.Join(t.keys(ctx, old, &r), t.settings(ctx, old.Config, &r))
	if err == nil && t.Place != "" {
		err = t.mark(ctx, []string{"old/" + t.Place})
	}
	return r, err
}

// remember reads what was taken over before.
func (t *Taker) remember(ctx context.Context) error {
	t.marks = map[string]bool{}
	if t.Store == nil {
		return nil
	}
	for id, doc := range t.docs().All(ctx) {
		if id == "" && doc.Err != nil {
			return fmt.Errorf("read what was taken over before: %w", doc.Err)
		}
		t.marks[id] = true
	}
	return nil
}

func (t *Taker) docs() store.Docs[oldMark] {
	return store.Docs[oldMark]{Store: t.Store, Table: store.Imports}
}

// atOnce is how many marks are written side by side: an engine may take milliseconds for each.
const atOnce = 32

// mark remembers that these were taken over.
func (t *Taker) mark(ctx context.Context, ids []string) error {
	if t.Dry || t.Store == nil {
		return nil
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return t.marks[id] })
	errs, slots := make([]error, len(ids)), make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, id := range ids {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			_, errs[i] = t.docs().Put(ctx, id, oldMark{time.Now().UTC().Truncate(time.Second)}, store.Any)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remember what was taken over: %w", err)
	}
	for _, id := range ids {
		t.marks[id] = true
	}
	return nil
}

// arrival is one credential on its way in.
type arrival struct {
	offer pool.Offer
	marks []string // of its sign-ins
}

// batch is how many credentials one look at all of the pool is worth.
const batch = 500

func (t *Taker) credentials(ctx context.Context, old map[string][]byte, r *OldReport) error {
	part, names := &r.Credentials, slices.Sorted(maps.Keys(old))
	var due []arrival
	for i, name := range names {
		one, err := t.arrival(name, old[name])
		switch {
		case err != nil:
			part.leave(name, err)
		case !slices.ContainsFunc(one.marks, func(m string) bool { return !t.marks[m] }):
			part.Known++
		default:
			due = append(due, one)
		}
		if len(due) < batch && i+1 < len(names) || len(due) == 0 {
			continue
		}
		t.Tell("credentials", i+1, len(names))
		if err := t.bring(ctx, due, r); err != nil {
			return err
		}
		due = due[:0]
	}
	return nil
}

// arrival reads one entry.
func (t *Taker) arrival(name string, entry []byte) (one arrival, err error) {
	text, state, err := oldEntry(entry)
	if err != nil {
		return one, err
	}
	file := oldName(name)
	sheet, err := oauth.Parse(file, text, t.Rules)
	if err != nil {
		return one, err
	}
	start := oauth.StartOf(state)
	one.offer = pool.Offer{Name: file, Data: text, Old: &start}
	for _, item := range sheet.Items {
		c := item.Creds[0]
		sum := sha256.Sum256([]byte(c.Kind + "\x00" + c.Secret() + "\x00" + c.ProjectID))
		one.marks = append(one.marks, "cred/"+hex.EncodeToString(sum[:16]))
	}
	return one, nil
}

// bring hands credentials to the pool.
func (t *Taker) bring(ctx context.Context, due []arrival, r *OldReport) error {
	if t.Dry {
		r.Credentials.Taken += len(due)
		for _, one := range due {
			for _, m := range one.marks {
				t.marks[m] = true // the same account twice in what comes
			}
		}
		return nil
	}
	offers := make([]pool.Offer, len(due))
	for i, one := range due {
		offers[i] = one.offer
	}
	var done []string
	for i, in := range t.Pool.ImportAll(offers) {
		switch {
		case in.Err != nil:
			r.Credentials.leave(due[i].offer.Name, in.Err)
			continue
		case len(in.Kept) == len(in.IDs):
			r.Credentials.Known++
		default:
			r.Credentials.Taken++
			r.Notes = append(r.Notes, in.Warnings...)
		}
		done = append(done, due[i].marks...)
	}
	// The states first: a credential that was switched off must not come on because a mark says that
	// nothing is left to do.
	if err := t.Kept(ctx); err != nil {
		return err
	}
	return t.mark(ctx, done)
}

func (p *OldPart) leave(name string, err error) {
	p.Left = append(p.Left, printable(name)+": "+err.Error())
}

// keys takes API keys and the costs of models over.
func (t *Taker) keys(ctx context.Context, old store.Old, r *OldReport) error {
	keys, costs, err := t.Keys(ctx, apikey.OldKeys{Keys: old.Keys, Costs: old.Config[oldCosts], Dry: t.Dry,
		Tell: func(done int) { t.Tell("API keys", done, len(old.Keys)) }})
	r.Keys, r.Costs = partOf(keys), partOf(costs)
	if keys.Uncounted > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("model_stats of %d API keys are not taken over: the old product added up costs there, here calls are counted", keys.Uncounted))
	}
	if names := strangers(old.Keys, "total_quota", "used_quota", "created_at", "description", "model_stats"); len(names) > 0 {
		r.Notes = append(r.Notes, "members of API keys that mean nothing here: "+strings.Join(names, ", "))
	}
	return err
}

func partOf(t apikey.OldTaken) OldPart { return OldPart{Taken: t.Taken, Known: t.Known, Left: t.Left} }

// strangers are the members that objects have beside the known ones.
func strangers(objects map[string][]byte, known ...string) []string {
	found := map[string]bool{}
	for _, body := range objects {
		var all map[string]json.RawMessage
		_ = json.Unmarshal(body, &all) // what is no object is named elsewhere
		for name := range all {
			if !slices.Contains(known, name) && len(found) < mostSaid {
				found[printable(name)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
