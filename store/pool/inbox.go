package pool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"gcli2api/store"
	"gcli2api/store/oauth"
)

// inbox is the folder of a node whose credentials lie in a store: what is put into it is imported and left in
// place. Which texts were taken in is remembered in the table of imports, by their hash: a file, and each of
// the credentials in it, comes in once on all nodes together, under whatever name it lies there, and does not
// come back after somebody has deleted or changed in the panel what became of it.
type inbox struct {
	receipts store.Docs[receipt]
	files    map[string]*source // guarded by Pool.disk
	after    time.Time          // no try before: the store could not be reached

	// Of one look.
	known map[string]receipt
	whole bool // known are all of them
}

// receipt is kept of a text that was taken in.
type receipt struct {
	At     time.Time `json:"at"`
	File   string    `json:"file"`             // that it was in
	Became string    `json:"became,omitempty"` // the one that it is now, where it was one credential
}

// dropped is a file that lies in the inbox.
type dropped struct {
	became string          // what the last version of it has become, "" where that is not known
	before map[string]bool // texts in it that were taken in before, by their receipts
}

func (d *dropped) takenBefore(text []byte) bool { return d != nil && d.before[receiptOf(text)] }

func newInbox(s store.Store) *inbox {
	return &inbox{receipts: store.Docs[receipt]{Store: s, Table: store.Imports}, files: map[string]*source{}}
}

const receiptBegin = "cred/"

// receiptOf names the receipt of a text. What stands around it does not count.
func receiptOf(text []byte) string {
	sum := sha256.Sum256(bytes.TrimSpace(text))
	return receiptBegin + hex.EncodeToString(sum[:])
}

// arrival is a file that is new in the inbox, or has changed.
type arrival struct {
	f     *source
	data  []byte
	sheet oauth.Sheet
}

// text is that of one of several credentials in it. A table of the old product becomes a file.
func (a *arrival) text(item oauth.Item) []byte {
	if a.f.name != oldCreds {
		return a.sheet.Text(item.ID)
	}
	c := item.Creds[0]
	for _, other := range item.Creds[1:] {
		c.ProjectID += "," + other.ProjectID
	}
	c.AccessToken, c.Expiry = "", time.Time{} // they change all the time, and nothing hangs on them
	text, err := c.Export(nil)
	if err != nil {
		return nil // it is refused as empty
	}
	return text
}

// lookInbox imports what is new in the folder. settled judges a broken file at once.
func (p *Pool) lookInbox(settled bool) {
	in := p.inbox
	if in == nil {
		return
	}
	p.disk.Lock()
	defer p.disk.Unlock()
	if p.now().Before(in.after) {
		return
	}
	names, err := p.folder.list()
	if err != nil {
		return // there is none
	}
	if !p.oldRead {
		p.oldRead = true
		p.readOldStates()
		p.nameTheRest()
	}
	for name := range in.files {
		if _, there := slices.BinarySearch(names, name); !there {
			delete(in.files, name)
			p.skippedInbox(name, nil)
		}
	}
	var came []arrival
	for _, name := range names {
		if a := p.arrived(name, settled); a != nil {
			came = append(came, *a)
		}
	}
	if err := in.takeIn(p, came); err != nil {
		in.after = p.now().Add(retryAfter)
		p.once("inbox", "files of the credentials folder wait to be imported: the store cannot be reached", "error", err)
		for _, a := range came {
			a.f.version = version{} // it is news again
		}
		return
	}
	delete(p.warned, "inbox")
}

// arrived is a file that is news and can be read.
func (p *Pool) arrived(name string, settled bool) *arrival {
	f := p.inbox.files[name]
	if f == nil {
		f = &source{name: name}
	}
	t, err, same := p.folder.fresh(f, false)
	if t == nil {
		return nil
	}
	p.inbox.files[name] = f
	sheet, err := p.sheet(f, t.data, err)
	if err != nil && !settled && !same {
		f.unsure = true // it may be half written
		return nil
	}
	f.unsure = false
	p.skippedInbox(name, err)
	if err != nil {
		p.log.Warn("credential file skipped", "file", name, "reason", err)
		return nil
	}
	return &arrival{f, t.data, sheet}
}

func (p *Pool) skippedInbox(name string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	note(p.brokenInbox, name, err)
}

// takeIn imports what was not taken in before. An error is one of the store, and then it is to be tried
// again: what was imported by then is found to be here.
func (in *inbox) takeIn(p *Pool, came []arrival) error {
	if err := in.remember(len(came)); err != nil {
		return err
	}
	var offers []Offer
	var of []arrival
	for _, a := range came {
		m, seen, err := in.seen(receiptOf(a.data))
		if err != nil {
			return err
		}
		if seen {
			a.f.became = m.Became
			continue
		}
		before, err := in.before(a)
		if err != nil {
			return err
		}
		for _, o := range p.offersOf(a, before) {
			offers, of = append(offers, o), append(of, a)
		}
	}
	in.known, in.whole = nil, false
	if len(offers) == 0 {
		return nil
	}
	return in.imported(p, offers, of)
}

// imported imports, and gives receipts for the files of which nothing is left to import.
func (in *inbox) imported(p *Pool, offers []Offer, of []arrival) (failed error) {
	good, waits := map[*source]bool{}, map[*source]bool{}
	for i, got := range p.importAll(offers) {
		a := of[i]
		switch {
		case errors.Is(got.Err, ErrAway):
			failed, waits[a.f] = got.Err, true
		case got.Err != nil:
			p.skippedInbox(a.f.name, got.Err)
			p.log.Warn("credential file of the folder could not be imported", "file", a.f.name, "reason", got.Err)
		default:
			good[a.f] = true
			if a.f.became = ""; len(a.sheet.Items) == 1 {
				a.f.became = got.File
			}
			if len(got.IDs) > 0 {
				p.log.Info("credential file imported; it stays in the folder, where it is of no use any more", "file", a.f.name,
					"credentials", strings.Join(got.IDs[:min(len(got.IDs), maxNamed)], " "), "there_already", len(got.Kept), "replaced", len(got.Replaced))
			}
		}
	}
	for i, a := range of {
		if good[a.f] && !waits[a.f] {
			good[a.f] = false // once
			if err := in.receive(p, a, offers[i].inbox.before); err != nil {
				failed = err
			}
		}
	}
	return failed
}

// maxNamed is how many credentials of a file the log names.
const maxNamed = 20

// receive gives receipts for a file and the credentials in it.
func (in *inbox) receive(p *Pool, a arrival, before map[string]bool) error {
	r := receipt{At: p.now().UTC().Truncate(time.Second), File: a.f.name, Became: a.f.became}
	ids := []string{receiptOf(a.data)}
	if len(a.sheet.Items) > 1 || a.f.name == oldCreds {
		for _, item := range a.sheet.Items {
			ids = append(ids, receiptOf(a.text(item)))
		}
	}
	for _, id := range slices.Backward(ids) { // the file as a whole when its parts are remembered
		if before[id] {
			continue
		}
		ctx, cancel := inTime()
		_, err := in.receipts.Put(ctx, id, r, store.Any)
		if cancel(); err != nil {
			return away(err)
		}
	}
	return nil
}

// offersOf are what a file is imported as. The old product's tables are files of their own, but for those
// that lie beside it as such.
func (p *Pool) offersOf(a arrival, before map[string]bool) (offers []Offer) {
	if a.f.name != oldCreds {
		return []Offer{{Name: a.f.name, Data: a.data, inbox: &dropped{a.f.became, before}}}
	}
	if p.oldStates == nil {
		p.oldStates = map[string]oauth.Start{}
	}
	for _, item := range a.sheet.Items {
		if before[receiptOf(a.text(item))] || p.inbox.files[item.ID] != nil {
			continue
		}
		if s, is := a.sheet.Starts[item.ID]; is {
			p.oldStates[item.ID] = s
		}
		offers = append(offers, Offer{Name: item.ID, Data: a.text(item), inbox: &dropped{}})
	}
	return offers
}

// before finds the receipts of what is in a file.
func (in *inbox) before(a arrival) (map[string]bool, error) {
	all := map[string]bool{}
	if len(a.sheet.Items) == 1 && a.f.name != oldCreds {
		return all, nil // it would be that of the file
	}
	for _, item := range a.sheet.Items {
		id := receiptOf(a.text(item))
		_, seen, err := in.seen(id)
		if err != nil {
			return nil, err
		}
		if seen {
			all[id] = true
		}
	}
	return all, nil
}

func (in *inbox) seen(id string) (receipt, bool, error) {
	if m, is := in.known[id]; is || in.whole {
		return m, is, nil
	}
	ctx, cancel := inTime()
	defer cancel()
	m, rev, err := in.receipts.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m, false, nil
	case err != nil && rev == 0:
		return m, false, away(err)
	}
	return m, true, nil // also one that cannot be read
}

// manyFiles is from where on the receipts are read in one go.
const manyFiles = 64

// remember reads all receipts, when there are many files to look at: at a start, that is.
func (in *inbox) remember(files int) error {
	in.known, in.whole = map[string]receipt{}, false
	if files < manyFiles {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for id, r := range in.receipts.All(ctx) {
		if id == "" {
			return away(r.Err)
		}
		if strings.HasPrefix(id, receiptBegin) {
			in.known[id] = r.Value
		}
	}
	in.whole = true
	return nil
}
