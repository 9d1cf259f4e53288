package apikey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"gcli2api/store"
)

// What the old product keeps in the credentials folder (behaviour 6.3). We read it and never write it.
const (
	oldKeysFile  = "api_keys.toml"
	oldCostsFile = "config.toml" // in its table model_costs
)

// oldMark remembers in the table Imports that something was taken over: by the hash of a key, of a model's
// name, or of a whole file. It outlives what became of it here.
type oldMark struct {
	At time.Time `json:"at"`
}

// oldDraft is a key on its way in: a document of the table Keys without an id, which is not in use.
type oldDraft struct {
	ID   string `json:"id,omitempty"` // of a key that is here
	Key  *Key   `json:"taking,omitempty"`
	Used int64  `json:"taking_used,omitempty"`
}

// takeover brings what the old product left into the store, each key and each price once.
type takeover struct {
	store store.Store
	keys  store.Docs[Key]
	costs store.Docs[Cost]
	marks store.Docs[oldMark]
	log   *slog.Logger
	now   time.Time
	seal  func(one *Key, secret string) error
	dry   bool // nothing is written
}

func newTakeover(o Options) *takeover {
	t := &takeover{store: o.Store, log: o.Log, now: o.Now().UTC().Truncate(time.Second),
		keys: store.Docs[Key]{Store: o.Store, Table: store.Keys}, costs: store.Docs[Cost]{Store: o.Store, Table: store.Costs},
		marks: store.Docs[oldMark]{Store: o.Store, Table: store.Imports}}
	t.seal = func(one *Key, secret string) (err error) {
		if o.Settings().Reveal {
			one.Sealed, err = sealedBy(o.Ring, secret)
		}
		return err
	}
	return t
}

// takeOver looks into the credentials folder for what the old product left. Files that cannot be read are
// named in the log; an error is one of the store.
func takeOver(ctx context.Context, o Options) error {
	if o.Old == "" {
		return nil
	}
	t := newTakeover(o)
	return errors.Join(
		t.file(ctx, filepath.Join(o.Old, oldKeysFile), "API keys", t.allKeys),
		t.file(ctx, filepath.Join(o.Old, oldCostsFile), "costs of models", t.allCosts))
}

// oldTally is what became of one file.
type oldTally struct {
	taken, known int
	left         []string // lines that were not taken, and why
	uncounted    int      // keys whose model_stats stay behind: the old product added up costs there, not calls
}

func (c *oldTally) leave(format string, args ...any) {
	c.left = append(c.left, fmt.Sprintf(format, args...))
}

// file takes over what one file holds, unless exactly this file was taken over before.
func (t *takeover) file(ctx context.Context, path, what string, all func(context.Context, []byte, *oldTally) error) error {
	data, err := readOld(path)
	if err != nil {
		t.log.Warn(what+" of the old product are not taken over", "file", path, "reason", err)
		return nil
	}
	id := "file/" + filepath.Base(path) + "/" + hexOf(data)
	if seen, err := t.marked(ctx, id); len(data) == 0 || seen || err != nil {
		return err
	}
	var c oldTally
	if err := all(ctx, data, &c); err != nil {
		return fmt.Errorf("take over %s: %w", path, err)
	}
	t.tell(path, what, c)
	return t.mark(ctx, id)
}

// maxOldLeft is how many lines of a file the log names one by one.
const maxOldLeft = 50

func (t *takeover) tell(path, what string, c oldTally) {
	line := t.log.With("file", path, "taken", c.taken, "there_already", c.known)
	if c.uncounted > 0 {
		line = line.With("model_stats_not_taken", c.uncounted)
	}
	switch {
	case len(c.left) > 0:
		line.Warn(what+" of the old product were taken over, but not all of them; the file stays as it is",
			"left", len(c.left), "reasons", strings.Join(c.left[:min(len(c.left), maxOldLeft)], "; "))
	case c.taken+c.known > 0:
		line.Info(what + " of the old product were taken over; the file stays as it is")
	}
}

func hexOf(data []byte) string { return digest(sha256.Sum256(data)).String() }

func (t *takeover) marked(ctx context.Context, id string) (bool, error) {
	if t.store == nil { // a place that is not there yet
		return false, nil
	}
	_, err := t.store.Get(ctx, store.Imports, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (t *takeover) mark(ctx context.Context, id string) error {
	_, err := t.marks.Put(ctx, id, oldMark{t.now}, store.Any)
	return err
}

func (t *takeover) allKeys(ctx context.Context, data []byte, c *oldTally) error {
	for _, one := range oldTables(data) {
		if err := t.oneKey(ctx, one, c); err != nil {
			return err
		}
	}
	return nil
}

func (t *takeover) oneKey(ctx context.Context, one *oldTable, c *oldTally) error {
	key, used, err := one.key(t.now)
	if err != nil {
		c.leave("%s%s: %v", one.where(), one.shown(), err)
		return nil
	}
	if len(one.stats()) > 0 {
		c.uncounted++
	}
	if t.dry {
		seen, err := t.marked(ctx, "key/"+key.sum.String())
		c.count(!seen)
		return err
	}
	if err := t.seal(key, one.name); err != nil {
		return err
	}
	fresh, err := t.adopt(ctx, key, used)
	if err == nil {
		c.count(fresh)
	}
	return err
}

// where is the line of a file that the table begins in, where there is a file.
func (o *oldTable) where() string {
	if o.line == 0 {
		return ""
	}
	return fmt.Sprintf("line %d, ", o.line)
}

// shown names a key in a report: masked, and where nothing is left of it, by what else tells it apart.
func (o *oldTable) shown() string {
	mask, text := maskOld(o.name), o.description()
	switch {
	case mask != allMasked:
	case text != "" && !strings.Contains(text, o.name):
		return fmt.Sprintf("%s (%q)", mask, text)
	case o.place > 0:
		return fmt.Sprintf("%s (number %d of the keys, in the order of their names)", mask, o.place)
	}
	return mask
}

func (c *oldTally) count(fresh bool) {
	if fresh {
		c.taken++
	} else {
		c.known++
	}
}

// adopt brings a key in, with what it has used, and tells whether it did. Several nodes may do it at a time
// and a crash may come between any two steps:
//
//  1. the document of the key, without an id: so it is not in use, and nobody can change or delete it
//  2. what it has used, by a Take that fits only once: whoever tries it again adds nothing
//  3. the mark under its hash
//  4. the document again, with its id: from now on the key is good
//
// Without a mark nothing was done yet; a document without an id is gone on with at step 2; a mark without
// such a document means that the key was good here, and whatever became of it since counts.
func (t *takeover) adopt(ctx context.Context, key *Key, used int64) (bool, error) {
	drafts := store.Docs[oldDraft]{Store: t.store, Table: store.Keys}
	id := "key/" + key.sum.String()
	draft, rev, err := drafts.Get(ctx, key.sum.String())
	if errors.Is(err, store.ErrNotFound) {
		if seen, err := t.marked(ctx, id); seen || err != nil {
			return false, err
		}
		draft = oldDraft{Key: key, Used: used}
		if rev, err = drafts.Put(ctx, key.sum.String(), draft, store.New); errors.Is(err, store.ErrConflict) {
			draft, rev, err = drafts.Get(ctx, key.sum.String()) // another node was faster
		}
	}
	if err != nil {
		return false, err
	}
	if draft.ID != "" || draft.Key == nil {
		return false, t.mark(ctx, id)
	}
	if draft.Used > 0 {
		if _, err := t.store.Take(ctx, mainCounter(draft.Key.ID, span{}), draft.Used, draft.Used); err != nil && !errors.Is(err, store.ErrExhausted) {
			return false, err
		}
	}
	if err := t.mark(ctx, id); err != nil {
		return false, err
	}
	_, err = t.keys.Put(ctx, key.sum.String(), *draft.Key, rev)
	if errors.Is(err, store.ErrConflict) {
		return false, nil // another node has done it
	}
	return err == nil, err
}

// minOldKey is how long a key must be that does not look like ours, and minOldKinds of how many different
// characters: a shorter one could be guessed.
const (
	minOldKey   = 16
	minOldKinds = 8
	maxOldKey   = 200 // bytes: as long as one may be to ask what is left of it
)

// key is the key that a table of the file stands for, and what it has used.
func (o *oldTable) key(now time.Time) (key *Key, used int64, err error) {
	if o.err != nil {
		return nil, 0, o.err
	}
	if err := goodSecret(o.name); err != nil {
		return nil, 0, err
	}
	quota, err := o.whole("total_quota")
	if err != nil {
		return nil, 0, err
	}
	if used, err = o.whole("used_quota"); err != nil {
		return nil, 0, err
	}
	if used < 0 {
		return nil, 0, errors.New("used_quota is negative")
	}
	key = &Key{ID: newID(), Mask: Mask(o.name), Created: o.created(now), Terms: Terms{Description: o.description(), Quota: quota}, sum: sha256.Sum256([]byte(o.name))}
	return key, used, key.Check()
}

// goodSecret takes what a client can send in a header and nobody can guess.
func goodSecret(name string) error {
	kinds := map[rune]bool{}
	for _, r := range name {
		if r <= ' ' || r > '~' {
			return errors.New("a key may have visible characters of ASCII only")
		}
		kinds[r] = true
	}
	switch {
	case len(name) < minOldKey:
		return fmt.Errorf("a key needs %d characters or more", minOldKey)
	case len(name) > maxOldKey:
		return fmt.Errorf("a key may have up to %d characters", maxOldKey)
	case len(kinds) < minOldKinds:
		return fmt.Errorf("a key needs %d different characters or more, or it could be guessed", minOldKinds)
	}
	return nil
}

// created is when the old product made the key, or else now.
func (o *oldTable) created(now time.Time) time.Time {
	at := now
	switch v := o.fields["created_at"].(type) {
	case float64:
		if v > 0 && v < float64(now.Unix()) {
			at = time.Unix(int64(v), 0)
		}
	case int64:
		if v > 0 && v < now.Unix() {
			at = time.Unix(v, 0)
		}
	case time.Time:
		if v.After(time.Unix(0, 0)) && v.Before(now) {
			at = v
		}
	}
	return at.UTC().Truncate(time.Second)
}

// description is cut where it is longer than one may be here.
func (o *oldTable) description() string {
	text, _ := o.fields["description"].(string)
	runes := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " "))
	return string(runes[:min(len(runes), MaxDescription)])
}

func (o *oldTable) stats() map[string]any {
	stats, _ := o.fields["model_stats"].(map[string]any)
	return stats
}
