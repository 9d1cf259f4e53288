// Package rekey seals what lies in a store and in the credentials folder anew: with a new SECRET_KEY, with
// the first one, or, where there is to be none any more, not at all.
//
// It can be stopped and begun again at any time: what is sealed with the key in force is passed over. Gateways
// that have both keys go on working meanwhile, because each document is changed by compare-and-set and
// each file is replaced whole.
package rekey

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/oauth"
	"gcli2api/store/seal"
	"gcli2api/store/settings"
)

// Options are what is sealed anew, and how.
type Options struct {
	Store  store.Store
	Folder string           // of credential files that are ours to write; "" where they are documents of the store
	Ring   *seal.Ring       // one that seals nothing opens what there is
	Config *config.Snapshot // says which settings are secret
	Dry    bool             // only counts

	// Hold keeps others from the folder while a file is changed; nil where nobody else has it.
	Hold func(change func() error) error
	// Tell hears how far it is, after every hundred things and after each kind; nil hears nothing.
	Tell func(kind string, so Count)
}

// Count is what became of one kind of thing.
type Count struct {
	Seen    int // documents or files
	Changed int // of them
	Secrets int // that were sealed anew or opened
	Stuck   int // secrets that stay as they are: no key of the ring opens them
}

// String is the count in words.
func (c Count) String() string {
	text := fmt.Sprintf("%d seen, %d changed, %d secrets", c.Seen, c.Changed, c.Secrets)
	if c.Stuck > 0 {
		text += fmt.Sprintf(", %d stay sealed: none of the keys that are set opens them", c.Stuck)
	}
	return text
}

func (c *Count) add(n, stuck int) {
	c.Secrets, c.Stuck = c.Secrets+n, c.Stuck+stuck
	if c.Seen++; n > 0 {
		c.Changed++
	}
}

// change gives a document or file anew.
type change func(name string, text []byte) (out []byte, n, stuck int, err error)

// Run seals everything anew. The error is that of the store or of the first file that could not be written;
// stuck secrets are none, they are in the count.
func Run(ctx context.Context, o Options) (total Count, err error) {
	if o.Tell == nil {
		o.Tell = func(string, Count) {}
	}
	if o.Hold == nil {
		o.Hold = func(change func() error) error { return change() }
	}
	credentials := oauth.Sealed{Ring: o.Ring}
	kinds := []struct {
		name string
		run  func(tell func(Count)) (Count, error)
	}{
		{"credential files", func(tell func(Count)) (Count, error) { return o.files(ctx, credentials.Reseal, tell) }},
		{"credentials", func(tell func(Count)) (Count, error) {
			return o.table(ctx, store.Credentials, text(credentials.Reseal), tell)
		}},
		{"states of credentials", func(tell func(Count)) (Count, error) {
			return o.table(ctx, store.CredentialStates, func(_ string, b []byte) ([]byte, int, int, error) { return credentials.Reseal("", b) }, tell)
		}},
		{"API keys", func(tell func(Count)) (Count, error) {
			return o.table(ctx, store.Keys, func(_ string, b []byte) ([]byte, int, int, error) { return apikey.Reseal(o.Ring, b) }, tell)
		}},
		{"sessions of the panel", func(tell func(Count)) (Count, error) { return o.table(ctx, store.Panel, sessions(o.Ring), tell) }},
		{"settings", func(tell func(Count)) (Count, error) {
			return o.table(ctx, store.Settings, func(_ string, b []byte) ([]byte, int, int, error) { return settings.Reseal(o.Ring, o.Config, b) }, tell)
		}},
	}
	for _, k := range kinds {
		so, err := k.run(func(c Count) { o.Tell(k.name, c) })
		total = Count{total.Seen + so.Seen, total.Changed + so.Changed, total.Secrets + so.Secrets, total.Stuck + so.Stuck}
		if err != nil {
			return total, fmt.Errorf("%s: %w", k.name, err)
		}
		o.Tell(k.name, so)
	}
	return total, nil
}

// page is how many documents are read at a time, and how often is told how far it is.
const page = 100

func (o Options) table(ctx context.Context, t store.Table, do change, tell func(Count)) (so Count, err error) {
	after := ""
	for {
		docs, err := o.Store.List(ctx, t, after, page)
		if err != nil {
			return so, err
		}
		for _, doc := range docs {
			n, stuck, err := o.document(ctx, t, doc, do)
			if err != nil {
				return so, fmt.Errorf("%q: %w", doc.ID, err)
			}
			so.add(n, stuck)
			after = doc.ID
		}
		if len(docs) < page {
			return so, nil
		}
		tell(so)
	}
}

// maxConflicts is how often a document is tried again that somebody else writes all the time.
const maxConflicts = 100

func (o Options) document(ctx context.Context, t store.Table, doc store.Doc, do change) (n, stuck int, err error) {
	for range maxConflicts {
		var out []byte
		if out, n, stuck, err = do(doc.ID, doc.Body); err != nil || n == 0 || o.Dry {
			return n, stuck, err
		}
		when := doc.Rev
		doc.Body = out
		if _, err = o.Store.Put(ctx, t, doc, when); !errors.Is(err, store.ErrConflict) {
			return n, stuck, err
		}
		var lost error
		if doc, lost = o.Store.Get(ctx, t, doc.ID); errors.Is(lost, store.ErrNotFound) {
			return 0, 0, nil // deleted meanwhile
		} else if lost != nil {
			return 0, 0, lost
		}
	}
	return 0, 0, err
}

// text is for documents that are a file: as it stands, or as one string where it is not one value of JSON.
func text(do change) change {
	return func(name string, body []byte) ([]byte, int, int, error) {
		if !strings.HasPrefix(string(body), `"`) {
			return do(name, body)
		}
		return inString(name, body, do)
	}
}
