package pool

import (
	"errors"
	"strings"
	"time"

	"gcli2api/pipeline/wire"
	"gcli2api/store"
	"gcli2api/store/oauth"
)

// written is the draft that a part is in, nil where nothing was to be written.
func (p *part) written() *draft {
	if p.file != nil {
		return p.file
	}
	return p.is.draft
}

// crossed tells that another node has changed what an offer was about to change: it has to be taken again.
func (im *imports) crossed(n int) bool {
	for _, part := range im.parts[n] {
		if d := part.written(); d != nil && errors.Is(d.err, store.ErrConflict) {
			return true
		}
	}
	return false
}

// giveWay takes new files back whose credential another node has written at the same time, under another
// name. Who finds out is who comes second, by the order of commits: so one of the two stays. What was to be
// said of the credential is then said of that one.
func (im *imports) giveWay() {
	ours := map[string]bool{}
	for _, d := range im.order {
		if d.sheet == nil && d.err == nil && d.data != nil {
			ours[d.name] = true
		}
	}
	if len(ours) == 0 {
		return
	}
	theirs := im.p.known(ours)
	var back []*draft
	for _, d := range im.order {
		if ours[d.name] && theirs.has(d, im.p.rules) {
			back = append(back, &draft{name: d.name, was: d.now})
			d.err = store.ErrConflict
		}
	}
	im.p.writeAll(back)
	im.p.shelf.commit(back)
}

// has tells that a credential of a file is there already.
func (k *known) has(d *draft, rules oauth.Rules) bool {
	sheet, err := oauth.Parse(d.name, d.data, rules)
	if err != nil {
		return false
	}
	for _, item := range sheet.Items {
		for _, c := range item.Creds {
			for _, h := range k.secrets[secretKey(c, c.Secret())] {
				if h.stored() && h.serves(c.ProjectID) {
					return true
				}
			}
			if h := k.people[person(c)]; len(item.Creds) == 1 && person(c) != "" && h != nil && h.stored() {
				return true
			}
		}
	}
	return false
}

// stored tells that a holder is a file, and neither a variable nor a key of the settings.
func (h *holder) stored() bool { return h.draft != nil || h.from != nil && h.from.variable == nil }

// whole makes one file of all credentials in one of the inbox, if none of them is here: then it is what it
// was in the folder, with the names of its credentials.
func (im *imports) whole(o Offer, name string, sheet oauth.Sheet) bool {
	if o.inbox == nil || len(sheet.Items) < 2 || !sheet.InPlace || sheet.Lost > 0 || wire.Check(o.Data) != nil {
		return false
	}
	for _, item := range sheet.Items {
		if h, _ := im.known.find(item, name); h != nil && h.stored() || o.inbox.takenBefore(sheet.Text(item.ID)) {
			return false
		}
	}
	d := &draft{name: im.free(name), data: o.Data}
	im.order, im.drafts[d.name] = append(im.order, d), d
	for _, item := range sheet.Items {
		id := d.name + strings.TrimPrefix(item.ID, name)
		im.parts[im.n] = append(im.parts[im.n], part{file: d, item: id, is: im.known.add(holder{item: id, draft: d}, item.Creds)})
	}
	return true
}

// former is what became of a file of the inbox before it was changed, nil where that is not known.
func (k *known) former(in *dropped) *holder {
	if in == nil || in.became == "" {
		return nil
	}
	if h := k.names[strings.ToLower(in.became)]; h != nil && h.draft == nil {
		return h
	}
	return nil
}

const (
	importLease = "cred/import"
	importFor   = time.Minute      // a node that died holds the others up for so long, at most ...
	importWait  = 10 * time.Second // ... and no longer than this
	importLook  = 20 * time.Millisecond
)

// alone waits until no other node imports, and keeps them waiting until done. It spares the nodes to come in
// between each other. Nothing hangs on it: a lease may be lost, or not be had in time, and then giveWay settles
// who stays.
func (p *Pool) alone() (done func()) {
	d, is := p.shelf.(*documents)
	if !is {
		return func() {}
	}
	claim := func(ttl time.Duration) (bool, error) {
		ctx, cancel := inTime()
		defer cancel()
		return d.store.Claim(ctx, importLease, p.node, ttl)
	}
	for end := time.Now().Add(importWait); time.Now().Before(end) && p.ctx.Err() == nil; {
		mine, err := claim(importFor)
		if err != nil {
			break // what is asked next says it
		}
		if mine {
			return func() { _, _ = claim(0) } // it runs out, else
		}
		select {
		case <-time.After(between(importLook, 3*importLook)):
		case <-p.ctx.Done():
		}
	}
	return func() {}
}
