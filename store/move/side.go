// Package move carries everything that a gateway remembers from one place to another: between engines, into
// an archive and back.
//
// Both ends are read side by side in the order of names, and only differences are written. So the same move
// made again goes on where it was interrupted, however that was, and a counter is never counted twice: what
// is added is what is missing. Documents keep their id, their expiry and every byte of their body; their
// revisions begin anew. Not moved are leases, the list of nodes and the ids of AddOnce, which are of one
// engine only. Tables that only a newer version knows cannot
// be seen.
//
// A copy of a gateway that runs is of no single moment: tables come one after the other, then the counters.
// So counters are never behind the documents: what was used while the copy was made is counted in it, although
// the row of that request in the log may be missing. Nobody gets back units that are spent. A document that
// was made and a counter of something that was removed meanwhile may be missing or left over, which is what
// a crash at that moment would have left as well.
package move

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gcli2api/store"
	"gcli2api/store/open"
)

// source is where a move comes from. It is read from its beginning at each call.
type source interface {
	documents(t store.Table) pages[store.Doc]
	counters() pages[store.Delta]
	problems() []string // what could not be read, by name
}

// Side is a place with data.
type Side struct {
	Name   string      // for people, without a password
	ID     string      // the same for the same place, and no secret
	Store  store.Store // nil where there is none yet
	Folder string      // where credentials are files; "" where they are documents

	wrong []string
}

// idOf tells places apart without giving away what is in their address.
func idOf(p open.Place) string {
	address := p.Address
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		u.User = nil
		address = u.String()
	} else {
		address = regexp.MustCompile(`(?i)\bpassword\s*=\s*('(\\.|[^'\\])*'|\S+)`).ReplaceAllString(address, "")
	}
	folder := p.Folder
	if p.Engine == open.File {
		folder = realPath(p.Folder)
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{p.Engine, address, folder, p.Database, p.Prefix}, "\n")))
	return hex.EncodeToString(sum[:16])
}

// realPath is a path without links, as far as it is there.
func realPath(path string) string {
	full, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(full); err == nil {
		return real
	}
	return full
}

// openSource opens a place to read from it, and makes nothing there.
func openSource(ctx context.Context, p open.Place) (*Side, error) {
	side := &Side{Name: p.String(), ID: idOf(p)}
	if p.Engine == open.File {
		side.Folder = p.Folder
		if info, err := os.Stat(p.Folder); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("there is no folder %s", p.Folder)
		}
		if _, err := os.Stat(p.File()); errors.Is(err, fs.ErrNotExist) {
			return side, nil
		}
	}
	var err error
	side.Store, err = p.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return side, nil
}

// openTarget opens a place to write to it, or only to look at it.
func openTarget(ctx context.Context, p open.Place, dry bool) (*Side, error) {
	side := &Side{Name: p.String(), ID: idOf(p)}
	if dry && p.Engine == open.File {
		side.Folder = p.Folder
		if _, err := os.Stat(p.File()); errors.Is(err, fs.ErrNotExist) {
			return side, nil
		}
	}
	if p.Engine == open.File {
		side.Folder = p.Folder
	}
	var err error
	if side.Store, err = p.Open(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return side, nil
}

// Close closes the store.
func (s *Side) Close() error {
	if s == nil || s.Store == nil {
		return nil
	}
	return s.Store.Close()
}

const (
	mostDocs     = 256     // documents of one page
	firstDocs    = 16      // of the first one: nobody knows yet how large they are
	wantedPage   = 4 << 20 // bytes of one page, about
	mostCounters = 1000
	mostNodes    = 100 // that are looked at
)

// poolChanges is the document in which gateways on one store tell each other which credentials changed. It
// is about that store only.
const poolChanges = ".changes"

func (s *Side) documents(t store.Table) pages[store.Doc] {
	switch {
	case t == store.Credentials && s.Folder != "":
		return s.files()
	case s.Store == nil:
		return func(context.Context, string) ([]store.Doc, error) { return nil, nil }
	}
	limit := firstDocs
	var read pages[store.Doc]
	read = func(ctx context.Context, after string) ([]store.Doc, error) {
		docs, err := patient(ctx, func() ([]store.Doc, error) { return s.Store.List(ctx, t, after, limit) })
		if err != nil {
			return nil, fmt.Errorf("%s: table %s behind %q: %w", s.Name, t, after, err)
		}
		size := 1
		for i := range docs {
			size += len(docs[i].Body)
		}
		if n := len(docs); n > 0 {
			limit = min(max(wantedPage/(size/n+1), 1), 2*limit, mostDocs)
		}
		if t != store.Credentials || len(docs) == 0 {
			return docs, nil
		}
		last := docs[len(docs)-1].ID
		docs = slices.DeleteFunc(docs, func(d store.Doc) bool { return d.ID == poolChanges })
		if len(docs) == 0 {
			return read(ctx, last)
		}
		return docs, nil
	}
	return read
}

func (s *Side) counters() pages[store.Delta] {
	if s.Store == nil {
		return func(context.Context, string) ([]store.Delta, error) { return nil, nil }
	}
	walk := store.WalkCounters(s.Store, mostCounters)
	return func(ctx context.Context, after string) ([]store.Delta, error) {
		for {
			list, err := patient(ctx, func() ([]store.Delta, error) { return walk(ctx, after) })
			if err != nil || len(list) == 0 {
				if err != nil {
					err = fmt.Errorf("%s: counters behind %q: %w", s.Name, after, err)
				}
				return nil, err
			}
			after = list[len(list)-1].Counter
			var counted []store.Delta // an engine may leave those at zero in
			for _, d := range list {
				if d.N != 0 {
					counted = append(counted, d)
				}
			}
			if len(counted) > 0 {
				return counted, nil
			}
		}
	}
}

func (s *Side) problems() []string { return s.wrong }

// gateways are the nodes in the list of a store, with what each has written of itself: of one that lives that
// goes on.
func (s *Side) gateways(ctx context.Context) (map[string]string, error) {
	if s.Store == nil {
		return nil, nil
	}
	docs, err := patient(ctx, func() ([]store.Doc, error) { return s.Store.List(ctx, store.Nodes, "", mostNodes) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	wrote := map[string]string{}
	for _, d := range docs {
		wrote[d.ID] = string(d.Body)
	}
	return wrote, nil
}

// empty tells that a place has nothing that a move would write over. It names what it found otherwise.
func (s *Side) empty(ctx context.Context) (found string, err error) {
	for _, t := range store.Tables() {
		docs, err := s.documents(t)(ctx, "")
		if err != nil {
			return "", err
		}
		if len(docs) > 0 {
			return "table " + string(t), nil
		}
	}
	counted, err := s.counters()(ctx, "")
	if err == nil && len(counted) > 0 {
		found = "counters"
	}
	return found, err
}
