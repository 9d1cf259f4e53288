package pool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
	"gcli2api/store"
	"gcli2api/store/oauth"
)

// documents is a shelf in a store that several nodes share: a document for each file, by its name. Others
// write to it at any time, so what is heard of them is looked at in scan (shelf_follow.go), and every
// write is one to the revision that was read.
type documents struct {
	store store.Store
	seal  sealer
	log   *slog.Logger

	mu    sync.Mutex
	heard map[string]bool      // have to be looked at
	own   map[string]store.Doc // of those, as this node has just written them
	all   bool                 // every document has to be looked at

	// Guarded by Pool.disk.
	ids    map[string]bool // of all documents but the quarantine
	seen   int64           // how far the log of changes is known
	rev    int64           // of the store, at the last poll
	listed time.Time       // when all were looked at last ...
	// ... and the revision that was known then
	listedRev int64
	judged    bool // all were read by the rules in force
	fails     bool
	plain     int // documents that were looked at for a secret that should be sealed
}

func newDocuments(s store.Store, seal sealer, log *slog.Logger) *documents {
	return &documents{store: s, seal: seal, log: log, heard: map[string]bool{}, own: map[string]store.Doc{}, ids: map[string]bool{}, all: true}
}

// shelfLimit is how long the store may take for one call. Pool.disk is held meanwhile, which no request
// waits for, so a store that hangs costs the panel and not the callers.
const shelfLimit = 10 * time.Second

// inTime is the context of a call.
func inTime() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), shelfLimit) // not cut short by Close: a write would be in doubt
}

// away is the error of an engine.
func away(err error) error { return fmt.Errorf("%w: %w", ErrAway, err) }

func (d *documents) names() []string { return slices.Collect(maps.Keys(d.ids)) }

func (d *documents) read(name string) (t text, err error) {
	doc, err := d.get(name)
	if err != nil {
		return t, err
	}
	t.version = versionOf(doc)
	t.data, err = d.open(doc)
	return t, err
}

// get reads a document; the error is ErrAway, or fs.ErrNotExist where there is none.
func (d *documents) get(name string) (store.Doc, error) {
	ctx, cancel := inTime()
	defer cancel()
	doc, err := d.store.Get(ctx, store.Credentials, name)
	switch {
	case errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid):
		return doc, fs.ErrNotExist
	case err != nil:
		return doc, away(err)
	}
	return doc, nil
}

func versionOf(doc store.Doc) version {
	return version{rev: doc.Rev, size: int64(len(doc.Body)), sum: sha256.Sum256(doc.Body)}
}

// open gives the text of a file: the document itself, or what is in it as a string where the text is not
// one JSON value.
func (d *documents) open(doc store.Doc) ([]byte, error) {
	data := doc.Body
	if len(data) > 0 && data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return nil, fmt.Errorf("read a document: %w", err)
		}
		data = []byte(s)
	}
	d.unsealed(doc.ID, data)
	return d.seal.open(doc.ID, data)
}

// mostPlain bounds how many documents are looked at for a secret in the open.
const mostPlain = 100

// unsealed says, once, that secrets lie in the open although there is a key: it counts for what is written,
// and nobody else would tell an operator who has just set it.
func (d *documents) unsealed(name string, data []byte) {
	if d.plain >= mostPlain || oauth.HasSealed(data) {
		return
	}
	d.plain++
	if sealed, err := d.seal.close(name, data); err == nil && oauth.HasSealed(sealed) {
		d.plain = mostPlain
		d.log.Warn("credentials lie in the database as they were before there was a SECRET_KEY: gcli2api rotate-secret seals them", "one", name)
	}
}

// body is the other way round.
func (d *documents) body(name string, data []byte) ([]byte, error) {
	data, err := d.seal.close(name, data)
	if err != nil {
		return nil, err
	}
	switch data = bytes.TrimSpace(data); {
	case !utf8.Valid(data):
		return nil, fmt.Errorf("%w: the text is not UTF-8", store.ErrInvalid)
	case len(data) == 0 || data[0] == '"' || data[0] > 127 || wire.Check(data) != nil:
		return json.Marshal(string(data))
	}
	return data, nil
}

// write writes several drafts at a time.
func (d *documents) write(all []*draft) {
	var wg sync.WaitGroup
	room := make(chan struct{}, writersAtOnce)
	for _, one := range all {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			if one.data == nil {
				one.err = d.remove(one)
			} else {
				one.err = d.put(one)
			}
		})
	}
	wg.Wait()
	for _, one := range all {
		if one.err == nil && holdsCredentials(one.name) {
			if d.ids[one.name] = true; one.data == nil {
				delete(d.ids, one.name)
			}
		} else if errors.Is(one.err, store.ErrConflict) {
			d.hear(one.name) // what is there instead
		}
	}
}

func (d *documents) put(one *draft) error {
	body, err := d.body(one.name, one.data)
	if err != nil {
		return err
	}
	ctx, cancel := inTime()
	defer cancel()
	doc := store.Doc{ID: one.name, Body: body}
	doc.Rev, err = d.store.Put(ctx, store.Credentials, doc, one.was.rev)
	if errors.Is(err, store.ErrConflict) { // with ourselves, where an answer got lost
		if there, lost := d.get(one.name); lost == nil && bytes.Equal(there.Body, body) {
			doc, err = there, nil
		}
	}
	switch {
	case errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrInvalid):
		return err
	case err != nil:
		d.hear(one.name) // it may be there
		return away(err)
	}
	one.now = versionOf(doc)
	if holdsCredentials(one.name) {
		d.wrote(doc)
	}
	return nil
}

func (d *documents) remove(one *draft) error {
	when := one.was.rev
	if when == store.New {
		when = store.Any
	}
	ctx, cancel := inTime()
	defer cancel()
	err := d.store.Delete(ctx, store.Credentials, one.name, when)
	d.hear(one.name)
	switch {
	case err == nil || errors.Is(err, store.ErrNotFound):
		return nil
	case errors.Is(err, store.ErrConflict):
		return err
	}
	return away(err)
}

// graves lists the quarantine, whose names stand together.
func (d *documents) graves(each func(name string, t text, err error)) error {
	const begin = quarantineDir + "/"
	err := d.every(begin, func(doc store.Doc) bool {
		name, in := strings.CutPrefix(doc.ID, begin)
		if in {
			data, err := d.open(doc)
			each(name, text{data, versionOf(doc)}, err)
		}
		return in
	})
	if err != nil {
		d.log.Error("the quarantine cannot be read", "error", err)
	}
	return err
}

// every goes through the documents behind a name, until each says that it is enough.
func (d *documents) every(after string, each func(doc store.Doc) bool) error {
	for {
		docs, err := d.page(after)
		if err != nil {
			return away(err)
		}
		for _, doc := range docs {
			if after = doc.ID; !each(doc) {
				return nil
			}
		}
		if len(docs) < pageSize {
			return nil
		}
	}
}

func (d *documents) page(after string) ([]store.Doc, error) {
	ctx, cancel := inTime()
	defer cancel()
	return d.store.List(ctx, store.Credentials, after, pageSize)
}
