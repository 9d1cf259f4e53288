package move

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/seal"
)

// An archive is a tar in gzip, encrypted as a whole where there is a SECRET_KEY:
//
//	gcli2api.json           what it is
//	docs/<table>/1.ndjson   documents, one a line
//	creds/<name>            a credential file
//	counters/1.ndjson       counters, one a line
//	manifest.json           how many there are, and the SHA-256 of each part
//
// The manifest comes last, so an archive without it was cut off.
const (
	archiveFormat = 1
	headName      = "gcli2api.json"
	manifestName  = "manifest.json"
	docsFolder    = "docs/"
	credsFolder   = "creds/"
	countFolder   = "counters/"
)

// Head is the first part of an archive.
type Head struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of the gateway that made it
	Created time.Time `json:"created"`
	From    string    `json:"from"`
}

// Manifest is the last part.
type Manifest struct {
	Tables   map[string]int `json:"tables"`
	Counters int            `json:"counters"`
	Sum      string         `json:"sum"` // of the counters
	Parts    []Part         `json:"parts"`
}

// Part is what the manifest says of one.
type Part struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Sum  string `json:"sha256"`
}

// line is a document in a part.
type line struct {
	ID      string          `json:"id"`
	Expires int64           `json:"expires,omitempty"` // milliseconds since 1970
	Body    json.RawMessage `json:"body,omitempty"`
	Text    *string         `json:"text,omitempty"` // instead of the body, which has a line break in it
}

// counterLine is a counter in a part.
type counterLine struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
}

const (
	partSize = 1 << 20  // bytes of a part, about
	maxPart  = 64 << 20 // a body of 8 MB as text takes at most six times that
)

// archiver writes an archive.
type archiver struct {
	tar      *tar.Writer
	zip      *gzip.Writer
	sealed   io.WriteCloser // nil for a plain one
	now      time.Time
	part     bytes.Buffer
	manifest Manifest
}

// Write writes an archive of a place. With a secret it is encrypted. An error leaves one without its end.
// A problem with one document does not keep the others out: it is named, and the archive is whole otherwise.
func Write(ctx context.Context, w io.Writer, from *Side, secret string, tell func(*Count)) (Manifest, []string, error) {
	a := &archiver{now: time.Now().UTC(), manifest: Manifest{Tables: map[string]int{}}}
	if secret != "" {
		var err error
		if a.sealed, err = seal.NewStream(w, secret); err != nil {
			return a.manifest, nil, err
		}
		w = a.sealed
	}
	a.zip = gzip.NewWriter(w)
	a.tar = tar.NewWriter(a.zip)
	err := a.entry(headName, jsonOf(Head{archiveFormat, config.Version(), a.now, from.Name}))
	for _, t := range store.Tables() {
		if err == nil {
			err = a.table(ctx, from, t, tell)
		}
	}
	if err == nil {
		err = a.counters(ctx, from, tell)
	}
	if err == nil {
		err = a.end()
	}
	return a.manifest, from.problems(), err
}

func (a *archiver) end() error {
	err := a.entry(manifestName, jsonOf(a.manifest))
	if err == nil {
		err = a.tar.Close()
	}
	if err == nil {
		err = a.zip.Close()
	}
	if err == nil && a.sealed != nil {
		err = a.sealed.Close()
	}
	return err
}

func (a *archiver) entry(name string, data []byte) error {
	err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: a.now})
	if err == nil {
		_, err = a.tar.Write(data)
	}
	if err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	if name != headName && name != manifestName {
		sum := sha256.Sum256(data)
		a.manifest.Parts = append(a.manifest.Parts, Part{name, int64(len(data)), hex.EncodeToString(sum[:])})
	}
	return nil
}

// flush writes the part that has been gathered.
func (a *archiver) flush(folder string, n *int) error {
	if a.part.Len() == 0 {
		return nil
	}
	*n++
	err := a.entry(fmt.Sprintf("%s%d.ndjson", folder, *n), a.part.Bytes())
	a.part.Reset()
	return err
}

func (a *archiver) table(ctx context.Context, from *Side, t store.Table, tell func(*Count)) error {
	c := &Count{Name: string(t)}
	n := 0
	all := &cursor[store.Doc]{read: from.documents(t), id: func(d *store.Doc) string { return d.ID }}
	for {
		d, err := all.head(ctx)
		if err != nil {
			return err
		}
		if d == nil {
			break
		}
		if bad := store.CheckBody(d.Body); bad != nil && t != store.Credentials {
			from.wrong = append(from.wrong, fmt.Sprintf("document %q of table %s of %s cannot be read: %v", d.ID, t, from.Name, bad))
			all.pop()
			continue
		}
		if t == store.Credentials {
			err = a.entry(credsFolder+url.PathEscape(d.ID), d.Body)
		} else {
			writeLine(&a.part, d)
			if a.part.Len() >= partSize {
				err = a.flush(docsFolder+string(t)+"/", &n)
			}
		}
		if err != nil {
			return err
		}
		c.From++
		tell(c)
		all.pop()
	}
	if c.From > 0 {
		a.manifest.Tables[string(t)] = c.From
	}
	return a.flush(docsFolder+string(t)+"/", &n)
}

func (a *archiver) counters(ctx context.Context, from *Side, tell func(*Count)) error {
	c := &Count{Name: "counters"}
	n, sum := 0, new(big.Int)
	all := &cursor[store.Delta]{read: from.counters(), id: func(d *store.Delta) string { return d.Counter }}
	for {
		d, err := all.head(ctx)
		if err != nil {
			return err
		}
		if d == nil {
			break
		}
		a.part.Write(append(jsonOf(counterLine{d.Counter, d.N}), '\n'))
		if a.part.Len() >= partSize {
			if err := a.flush(countFolder, &n); err != nil {
				return err
			}
		}
		sum.Add(sum, big.NewInt(d.N))
		c.From++
		tell(c)
		all.pop()
	}
	a.manifest.Counters, a.manifest.Sum = c.From, sum.String()
	return a.flush(countFolder, &n)
}

// writeLine keeps every byte of the body. One that would not come back the same is written as text.
func writeLine(w *bytes.Buffer, d *store.Doc) {
	l := line{ID: d.ID}
	if !d.Expires.IsZero() {
		l.Expires = d.Expires.UnixMilli()
	}
	plain := len(d.Body) > 0 && d.Body[0] > ' ' && d.Body[len(d.Body)-1] > ' ' && !bytes.ContainsAny(d.Body, "\r\n") && string(d.Body) != "null"
	if !plain {
		text := string(d.Body)
		l.Text = &text
	}
	head := jsonOf(l)
	if !plain {
		w.Write(append(head, '\n'))
		return
	}
	w.Write(head[:len(head)-1])
	w.WriteString(`,"body":`)
	w.Write(d.Body)
	w.WriteString("}\n")
}

// jsonOf writes what can be written.
func jsonOf(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // these types always can
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
