package move

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/big"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"gcli2api/store"
	"gcli2api/store/seal"
)

const (
	maxParts  = 1 << 20           // bounds what is remembered of the parts of an archive,
	maxTables = 1000              // of its tables,
	maxNamed  = 4 * store.MaxName // bytes of the name of a part, in which that of a file may be three times as long,
	maxLines  = 200_000           // and what of a part is in memory at a time: one of partSize has a quarter of that
)

// errArchive begins what is said of an archive that cannot be used.
var errArchive = errors.New("this is no whole archive of gcli2api")

// errFormat is about an archive of a newer gateway.
var errFormat = errors.New("the archive was made by a newer gcli2api")

func broken(form string, args ...any) error {
	return fmt.Errorf("%w: "+form, append([]any{errArchive}, args...)...)
}

// archive is one that was verified. It is a source: each table is read by going through the file again.
type archive struct {
	path     string
	secrets  []string
	id       string // SHA-256 of the file
	head     Head
	manifest Manifest
	wrong    []string
	open     []io.Closer
}

// openArchive verifies an archive from its beginning to its end.
func openArchive(path string, secrets ...string) (*archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	a := &archive{path: path, secrets: secrets}
	all := io.TeeReader(f, sum)
	if err := a.verify(all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := io.Copy(io.Discard, all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a.id = "archive " + hex.EncodeToString(sum.Sum(nil)[:16])
	a.unknown()
	return a, nil
}

// unpacked is the tar in an archive, decrypted and unzipped.
func unpacked(r io.Reader, secrets []string) (*tar.Reader, *gzip.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	begin, _ := b.Peek(seal.StreamHead)
	r = b
	if seal.IsStream(begin) {
		var err error
		if r, err = seal.OpenStream(b, secrets...); err != nil {
			return nil, nil, err
		}
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, nil, archiveError(err)
	}
	return tar.NewReader(z), z, nil
}

// archiveError is what a reader of an archive met.
func archiveError(err error) error {
	if errors.Is(err, seal.ErrStreamDamaged) || errors.Is(err, seal.ErrStreamKey) || errors.Is(err, seal.ErrStreamNoKey) {
		return err
	}
	return broken("it is damaged or cut off (%v)", err)
}

// verify reads all of it, and checks every record.
func (a *archive) verify(r io.Reader) error {
	t, z, err := unpacked(r, a.secrets)
	if err != nil {
		return err
	}
	v := newVerifier(a)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return archiveError(err)
		}
		if v.ended {
			return broken("there is something behind its end")
		}
		if err := v.entry(h, t); err != nil {
			return err
		}
	}
	if !v.ended {
		return broken("it has no end")
	}
	if _, err := io.Copy(io.Discard, z); err != nil { // the checksum comes with the end
		return archiveError(err)
	}
	return nil
}

// verifier is how far an archive was found right.
type verifier struct {
	a        *archive
	begun    bool
	ended    bool
	parts    []Part
	tables   map[string]int
	last     map[string]string // id by group of documents
	counters int
	sum      *big.Int
}

func newVerifier(a *archive) *verifier {
	return &verifier{a: a, tables: map[string]int{}, last: map[string]string{}, sum: new(big.Int)}
}

func (v *verifier) entry(h *tar.Header, r io.Reader) error {
	if h.Typeflag != tar.TypeReg || h.Size < 0 || h.Size > maxPart || len(h.Name) > maxNamed || len(v.parts) >= maxParts {
		return broken("a part that no archive has")
	}
	if !v.begun {
		if h.Name != headName {
			return broken("it does not begin as one")
		}
		v.begun = true
		return v.first(r)
	}
	if h.Name == manifestName {
		v.ended = true
		return v.check(r)
	}
	sum := sha256.New()
	n := 0
	err := records(h.Name, io.TeeReader(r, sum), func(t string, d store.Doc, c store.Delta) error {
		n++
		return v.record(t, d, c)
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return broken("the part %q is empty, or not known", h.Name)
	}
	v.parts = append(v.parts, Part{h.Name, h.Size, sumOf(sum)})
	return nil
}

func sumOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func (v *verifier) first(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return archiveError(err)
	}
	if json.Unmarshal(data, &v.a.head) != nil || v.a.head.Format < 1 {
		return broken("its first part cannot be read")
	}
	if v.a.head.Format > archiveFormat {
		return fmt.Errorf("%w (%.40q, format %d; this one reads %d): use that version or a later one", errFormat, v.a.head.Version, v.a.head.Format, archiveFormat)
	}
	return nil
}

// record checks what an engine would refuse, and the order that a move relies on.
func (v *verifier) record(t string, d store.Doc, c store.Delta) error {
	id, group := d.ID, "doc "+t
	if t == "" {
		id, group = c.Counter, "counter"
		v.counters++
		v.sum.Add(v.sum, big.NewInt(c.N))
		if c.N < 0 {
			return broken("the counter %q is below zero", c.Counter)
		}
	} else {
		if v.tables[t]++; len(v.tables) > maxTables {
			return broken("it has more tables than any")
		}
	}
	err := store.CheckName(id)
	if err == nil && t != "" && t != string(store.Credentials) {
		err = store.CheckBody(d.Body)
	}
	if err != nil {
		return broken("%q: %v", id, err)
	}
	if last, some := v.last[group]; some && id <= last {
		return broken("%q is behind %q", id, last)
	}
	v.last[group] = id
	return nil
}

// check compares with the manifest.
func (v *verifier) check(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return archiveError(err)
	}
	m := &v.a.manifest
	if json.Unmarshal(data, m) != nil {
		return broken("its manifest cannot be read")
	}
	for t, n := range m.Tables {
		if v.tables[t] != n {
			return broken("it has %d documents of table %q, and should have %d", v.tables[t], t, n)
		}
	}
	switch {
	case !slices.Equal(m.Parts, v.parts):
		return broken("its parts are not those of its manifest")
	case len(m.Tables) != len(v.tables), m.Counters != v.counters, m.Sum != v.sum.String():
		return broken("it does not hold what its manifest says")
	}
	return nil
}

// unknown names tables that this version does not have.
func (a *archive) unknown() {
	for name, n := range a.manifest.Tables {
		if !slices.Contains(store.Tables(), store.Table(name)) {
			a.wrong = append(a.wrong, fmt.Sprintf("%d documents of table %q, which this version of gcli2api does not have", n, name))
		}
	}
	slices.Sort(a.wrong)
}

// records reads a part. A document comes with its table, a counter without.
func records(name string, r io.Reader, each func(t string, d store.Doc, c store.Delta) error) error {
	if id, is := strings.CutPrefix(name, credsFolder); is {
		id, err := url.PathUnescape(id)
		if err != nil {
			return broken("the part %q has no name of a file", name)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return archiveError(err)
		}
		return each(string(store.Credentials), store.Doc{ID: id, Body: body}, store.Delta{})
	}
	rest, isDoc := strings.CutPrefix(name, docsFolder)
	table, _, _ := strings.Cut(rest, "/")
	if !isDoc && !strings.HasPrefix(name, countFolder) || isDoc && (store.CheckName(table) != nil || table == string(store.Credentials)) {
		return broken("the part %q is not known", name)
	}
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		if n > maxLines {
			return broken("the part %q has more lines than any", name)
		}
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return archiveError(err)
		}
		d, c := store.Doc{}, store.Delta{}
		if isDoc {
			d, err = readLine(text)
		} else {
			table = ""
			c, err = readCounter(text)
		}
		if err != nil {
			return broken("a line of the part %q cannot be read", name)
		}
		if err := each(table, d, c); err != nil {
			return err
		}
	}
}

func readLine(text []byte) (d store.Doc, err error) {
	var l line
	if err = json.Unmarshal(text, &l); err != nil {
		return d, err
	}
	d = store.Doc{ID: l.ID, Body: l.Body}
	if l.Text != nil {
		d.Body = []byte(*l.Text)
	}
	if l.Expires > 0 {
		d.Expires = time.UnixMilli(l.Expires)
	}
	return d, nil
}

func readCounter(text []byte) (store.Delta, error) {
	var c counterLine
	err := json.Unmarshal(text, &c)
	return store.Delta{Counter: c.Name, N: c.N}, err
}

func (a *archive) documents(t store.Table) pages[store.Doc] {
	folder := docsFolder + string(t) + "/"
	if t == store.Credentials {
		folder = credsFolder
	}
	return partsOf(a, folder, func(d store.Doc, _ store.Delta) store.Doc { return d })
}

func (a *archive) counters() pages[store.Delta] {
	return partsOf(a, countFolder, func(_ store.Doc, c store.Delta) store.Delta { return c })
}

func (a *archive) problems() []string { return a.wrong }

// Close closes what is still being read.
func (a *archive) Close() error {
	for _, f := range a.open {
		_ = f.Close() // it was only read
	}
	return nil
}

// partsOf gives a part of a folder at each call.
func partsOf[T any](a *archive, folder string, pick func(store.Doc, store.Delta) T) pages[T] {
	var t *tar.Reader
	return func(ctx context.Context, _ string) ([]T, error) {
		if t == nil {
			f, err := os.Open(a.path)
			if err != nil {
				return nil, err
			}
			a.open = append(a.open, f)
			if t, _, err = unpacked(f, a.secrets); err != nil {
				return nil, err
			}
		}
		for {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			h, err := t.Next()
			if errors.Is(err, io.EOF) {
				return nil, nil
			}
			if err != nil {
				return nil, archiveError(err)
			}
			if !strings.HasPrefix(h.Name, folder) {
				continue
			}
			var list []T
			err = records(h.Name, t, func(_ string, d store.Doc, c store.Delta) error {
				list = append(list, pick(d, c))
				return nil
			})
			return list, err
		}
	}
}

// summary is what there is in an archive, for people.
func (a *archive) summary(w io.Writer) {
	fmt.Fprintf(w, "made %s by gcli2api %s from %s\n", a.head.Created.Format(time.RFC3339), printable(a.head.Version), printable(a.head.From))
	for _, t := range store.Tables() {
		if n := a.manifest.Tables[string(t)]; n > 0 {
			fmt.Fprintf(w, "  %-10s %d\n", t, n)
		}
	}
	fmt.Fprintf(w, "  %-10s %d, together %s\n", "counters", a.manifest.Counters, a.manifest.Sum)
}
