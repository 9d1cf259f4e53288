package pool

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gcli2api/store/oauth"
)

// Offer is a text with credentials that somebody hands in: an upload, a form, a sign-in.
type Offer struct {
	Name string // of the file that it becomes; a path is refused. "" names it after the credential
	Data []byte // in any layout that oauth.Parse reads

	// Old is the state that the old product kept of the credential; nil for what is not of it. What is in
	// the pool already stays as it is then, sign-in and state.
	Old *oauth.Start

	inbox *dropped // it lies in the inbox; nil for what somebody hands in
}

// Imported says what became of an offer.
type Imported struct {
	File     string   // name in the folder; of the first one where it became several
	IDs      []string // of the credentials in it, in order, those that were there before included
	Replaced []string // of those: had an older sign-in of the same account
	Kept     []string // of those: were there already and stay as they are
	Warnings []string // what was odd about it, without a secret
	Err      error    // why nothing was taken, without a secret
}

// Import takes an offer into the folder and into rotation. It is the one door for whatever does not
// come as a file or variable. When it returns without an error the file is durable and its
// credentials are lent from now on; the error says, without a secret, why nothing was taken.
func (p *Pool) Import(o Offer) (Imported, error) {
	in := p.ImportAll([]Offer{o})[0]
	return in, in.Err
}

// ImportAll is Import for many at the price of one look into the folder. Each offer stands for
// itself: one that is refused costs no other. A credential that is in the pool already is not added
// twice: it is known by its secret, or by account and project where both know them, and then the new
// sign-in takes the place of the old one, whose name, wishes and figures stay.
func (p *Pool) ImportAll(offers []Offer) []Imported {
	p.disk.Lock()
	defer p.disk.Unlock()
	return p.importAll(offers)
}

// importAll is ImportAll. What another node has come in between of is taken again. The caller holds disk.
func (p *Pool) importAll(offers []Offer) []Imported {
	out, left := make([]Imported, len(offers)), make([]int, len(offers))
	for i := range left {
		left[i] = i
	}
	p.handed = map[string]oauth.Start{}
	defer func() { p.handed = nil }()
	done := p.alone()
	defer done()
	err := p.upToDate()
	if p.dir == "" && !p.shared() {
		err = errors.New("this gateway has no credentials folder")
	}
	for try := 0; err == nil && len(left) > 0 && try <= maxCrossed; try++ {
		im := p.newImport()
		for _, i := range left {
			out[i] = Imported{}
			im.take(offers[i], &out[i])
		}
		im.write()
		p.scan(true)
		now := left
		left = nil
		for n, i := range now {
			if im.crossed(n) {
				left, err = append(left, i), p.unread
			} else {
				im.finish(n, &out[i])
			}
		}
		im.settle()
	}
	for _, i := range left {
		if out[i] = (Imported{Err: err}); err == nil {
			out[i].Err = errors.New("other nodes change the same credentials all the time: nothing was taken")
		}
	}
	return out
}

// imports is one ImportAll under way. The caller of its methods holds Pool.disk.
type imports struct {
	p      *Pool
	known  known
	names  map[string]bool // of the files in the folder, in small letters
	drafts map[string]*draft
	order  []*draft
	parts  [][]part // by offer
	n      int      // the offer that is taken
}

// part is one credential of an offer, or several projects of one.
type part struct {
	file  *draft // nil for one that stays as it is
	item  string
	after *holder // whose place it takes
	is    *holder // what it becomes, or is already
}

func (p *Pool) newImport() *imports {
	im := &imports{p: p, known: p.known(nil), names: map[string]bool{}, drafts: map[string]*draft{}}
	for _, name := range p.shelf.names() {
		im.names[strings.ToLower(name)] = true
	}
	return im
}

// take decides what becomes of the credentials of an offer.
func (im *imports) take(o Offer, in *Imported) {
	im.parts = append(im.parts, nil)
	im.n = len(im.parts) - 1
	name, err := checkedName(o.Name)
	if err != nil && o.inbox != nil { // a person may call a file of theirs whatever they like
		name, o.Name, err = "credential.json", "", nil
	}
	if err != nil {
		in.Err = err
		return
	}
	sheet, err := oauth.Parse(name, o.Data, im.p.rules)
	in.Warnings = sheet.Warnings
	if err != nil {
		in.Err = err
		return
	}
	if im.whole(o, name, sheet) {
		return
	}
	for _, item := range sheet.Items {
		c := item.Creds[0]
		if o.inbox.takenBefore(sheet.Text(item.ID)) {
			continue
		}
		if why := c.Unusable(); why != "" && o.inbox == nil {
			err = errors.New(why)
			in.Warnings = without(in.Warnings, why)
			if len(sheet.Items) > 1 {
				in.Warnings = append(in.Warnings, item.ID+": "+why)
			}
			continue
		}
		im.parts[im.n] = append(im.parts[im.n], im.place(name, o, item, sheet.Text(item.ID)))
	}
	if len(im.parts[im.n]) == 0 {
		in.Err = err
	}
}

// without drops what is said as the error.
func without(warnings []string, why string) []string {
	return slices.DeleteFunc(slices.Clone(warnings), func(w string) bool { return strings.HasSuffix(w, why) })
}

// place finds the place of one item: that of a credential that is there, or a file of its own.
func (im *imports) place(name string, o Offer, item oauth.Item, text []byte) part {
	h, same := im.known.find(item, name)
	if h == nil {
		h = im.known.former(o.inbox)
	}
	if h != nil && o.inbox != nil && !h.stored() {
		h = nil // what is in a file stays when a variable is unset
	}
	if h != nil {
		if h.draft != nil || o.Old != nil || same && !h.wants(item) {
			return part{is: h, item: h.item}
		}
		if d := im.replace(h, text); d != nil {
			is := im.known.add(holder{item: h.item, ids: h.ids, draft: d}, item.Creds)
			return part{file: d, item: h.item, after: h, is: is}
		}
		if same { // where it is cannot be written
			return part{is: h, item: h.item}
		}
	}
	if o.Name == "" {
		name = item.Creds[0].Suggest(im.p.now())
	}
	d := &draft{name: im.free(name), data: append(slices.Clone(text), '\n')}
	if o.Old != nil {
		im.p.handed[d.name] = *o.Old
	}
	im.order = append(im.order, d)
	im.drafts[d.name] = d
	is := im.known.add(holder{item: d.name, draft: d}, item.Creds)
	return part{file: d, item: d.name, is: is}
}

// free makes the name of a new file one that no other has, whatever a file system thinks of capitals.
func (im *imports) free(name string) string {
	ext := filepath.Ext(name)
	stem, try := strings.TrimSuffix(name, ext), name
	for n := 2; im.names[strings.ToLower(try)]; n++ {
		try = fmt.Sprintf("%s-%d%s", stem, n, ext)
	}
	im.names[strings.ToLower(try)] = true
	return try
}

// replace notes that the item of a holder gets another text; nil where it cannot be written.
func (im *imports) replace(h *holder, text []byte) *draft {
	f := h.from
	switch {
	case f == nil || f.variable != nil:
		return nil
	case f.name == oldCreds: // is left as it is; a loose file of the name wins over the table in it
		if name, err := checkedName(h.item); err != nil || im.names[strings.ToLower(name)] {
			return nil
		}
		d := &draft{name: im.free(h.item), data: append(slices.Clone(text), '\n')}
		im.order, im.drafts[d.name] = append(im.order, d), d
		return d
	}
	d := im.drafts[f.name]
	if d == nil {
		t, err := im.p.shelf.read(f.name)
		if errors.Is(err, ErrAway) { // it fails as a write would
			d = &draft{name: f.name, err: err}
			im.order, im.drafts[f.name] = append(im.order, d), d
			return d
		}
		if err != nil {
			return nil
		}
		sheet, err := oauth.Parse(f.name, t.data, im.p.rules)
		if err != nil {
			return nil
		}
		d = &draft{name: f.name, was: t.version, sheet: &sheet, changes: map[string][]byte{}}
		im.order, im.drafts[f.name] = append(im.order, d), d
	}
	if d.err != nil {
		return d
	}
	if d.sheet == nil || d.sheet.Find(h.item) == nil {
		return nil
	}
	d.changes[h.item] = text
	return d
}

// write makes all drafts durable.
func (im *imports) write() {
	var due []*draft
	for _, d := range im.order {
		if d.sheet != nil {
			d.data = d.sheet.Rewrite(d.changes)
		}
		if d.err == nil {
			due = append(due, d)
		}
	}
	im.p.writeAll(im.handOn(due))
	if im.p.shelf.commit(due) {
		im.p.scan(true)
		im.giveWay()
	}
}

// finish says what became of offer i, now that the folder was read again.
func (im *imports) finish(i int, in *Imported) {
	for _, part := range im.parts[i] {
		if d := part.written(); d != nil && d.err != nil {
			in.Err = unwritten(d.err)
			continue
		}
		ids := part.is.ids
		if part.is.draft != nil {
			ids = im.now(part, in)
		}
		if len(ids) == 0 {
			in.Err = errors.New("it was written, and another node has changed or deleted it at once: look at the list of credentials, and import it again if it is not there")
			continue
		}
		if in.File == "" {
			in.File = part.is.file()
		}
		in.IDs = append(in.IDs, ids...)
		switch {
		case part.file == nil:
			in.Kept = append(in.Kept, ids...)
			in.Warnings = append(in.Warnings, part.is.there())
		case part.after != nil:
			in.Replaced = append(in.Replaced, ids...)
		}
	}
	if len(in.IDs) > 0 {
		in.Err = nil
	}
}

// now names the credentials that a part has become, and says where they are not used.
func (im *imports) now(part part, in *Imported) (ids []string) {
	im.p.mu.Lock()
	defer im.p.mu.Unlock()
	for _, e := range im.p.itemOf(part.is.draft.name, part.item) {
		ids = append(ids, e.cred.ID)
		if e.inactive {
			in.Warnings = append(in.Warnings, e.cred.ID+" is kept and not used: "+e.why())
		}
	}
	return ids
}

// itemOf gives the credentials of an item of a file.
func (p *Pool) itemOf(file, item string) (entries []*entry) {
	f := p.files[file]
	if f == nil {
		return nil
	}
	for _, e := range f.entries {
		if e.item() == item {
			entries = append(entries, e)
		}
	}
	return entries
}

// settle hands the figures of those that were replaced on to their successors.
func (im *imports) settle() {
	im.p.mu.Lock()
	var heirs []*entry
	for _, parts := range im.parts {
		for _, part := range parts {
			if part.after == nil || part.file.err != nil {
				continue
			}
			for _, e := range im.p.itemOf(part.file.name, part.item) {
				if old := part.after.entry(e.cred.ID); old != nil && old != e {
					e.inherit(old)
					e.capped = im.p.caps(e, im.p.now())
					im.p.moved(e)
					heirs = append(heirs, e)
				}
			}
		}
	}
	im.p.unlock(heirs...)
}

// inherit takes over what belongs to the name of a credential and not to its sign-in.
func (e *entry) inherit(old *entry) {
	e.wish = old.wish
	e.calls, e.told = max(e.calls, old.calls), 0
	e.day, e.hours = old.day, slices.Clone(old.hours)
	if old.lastSuccess.After(e.lastSuccess) {
		e.lastSuccess = old.lastSuccess
	}
	e.dirty = true
}
