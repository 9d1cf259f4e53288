package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"gcli2api/store"
)

// changesID is the log of changes, a document beside those that it is about. No credential file has such
// a name. It spares a node that heard no hint a look at ten thousand documents; and because each batch of
// writes ends with a write to it, of two nodes that write at the same time one finds out.
const changesID = ".changes"

// changeLog names what was written last.
type changeLog struct {
	N    int64    `json:"n"`    // changes so far
	Last []string `json:"last"` // the names of the last ones, newest last
}

// maxLast is how many names the log has: who is further behind looks at everything.
const maxLast = 200

const (
	pollEvery = time.Second // a look at the store's revision, for what no hint told of
	// Also what the log does not name is found after a while: what a node wrote that died before it could
	// tell, and what was not written by a pool.
	listEvery = time.Minute
)

func (d *documents) hear(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard[name] = true
	delete(d.own, name)
}

// wrote spares a look at what this node wrote, unless a hint has come meanwhile, which may be about what
// somebody wrote after it.
func (d *documents) wrote(doc store.Doc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.heard[doc.ID] {
		d.heard[doc.ID], d.own[doc.ID] = true, doc
	}
}

// hint notes what a hint is about. vague says that it may be about anything.
func (d *documents) hint(c store.Change) (vague bool) {
	switch {
	case c.Table == "":
		return true
	case c.Table != store.Credentials || c.ID == changesID || strings.HasPrefix(c.ID, quarantineDir):
	case c.ID == "":
		d.mu.Lock()
		d.all = true
		d.mu.Unlock()
	default:
		d.hear(c.ID)
	}
	return false
}

// due takes what has to be looked at.
func (d *documents) due() (heard map[string]bool, own map[string]store.Doc, all bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	heard, own, all = d.heard, d.own, d.all
	d.heard, d.own, d.all = map[string]bool{}, map[string]store.Doc{}, false
	return heard, own, all
}

func (d *documents) waits() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all || len(d.heard) > 0
}

// scan looks at what was heard of. What fails stays to be looked at.
func (d *documents) scan(p *Pool, _, reread bool) (changed bool, err error) {
	heard, own, all := d.due()
	if reread {
		d.judged = false
	}
	if all || !d.judged || len(heard) > maxLast {
		if changed, err = d.list(p, !d.judged); err != nil {
			d.mu.Lock()
			d.all = true
			d.mu.Unlock()
		}
		d.report(err)
		return changed, err
	}
	for name := range heard {
		doc, ours := own[name]
		if err = nil; !ours { // of the document before there may be one
			doc, err = d.get(name)
		}
		switch {
		case errors.Is(err, ErrAway):
			for name := range heard {
				d.hear(name)
			}
			d.report(err)
			return changed, err
		case err != nil:
			changed = d.lost(p, name) || changed
		default:
			changed = d.judge(p, doc, false) || changed
		}
	}
	if len(heard) > 0 {
		d.report(nil)
	}
	return changed, nil
}

// list looks at all documents. What is written meanwhile is in the log behind the place that was noted.
func (d *documents) list(p *Pool, reread bool) (changed bool, err error) {
	log, _, err := d.changes()
	if err != nil {
		return false, err
	}
	rev := d.rev
	ids := map[string]bool{}
	err = d.every("", func(doc store.Doc) bool {
		if doc.ID != changesID && !strings.HasPrefix(doc.ID, quarantineDir) {
			ids[doc.ID] = true
			changed = d.judge(p, doc, reread) || changed
		}
		return true
	})
	if err != nil {
		return changed, err
	}
	for name := range p.files {
		if !ids[name] {
			changed = d.lost(p, name) || changed
		}
	}
	d.ids, d.seen, d.listed, d.listedRev, d.judged = ids, log.N, time.Now(), rev, true
	return changed, nil
}

// judge takes a document over, if it is news.
func (d *documents) judge(p *Pool, doc store.Doc, reread bool) bool {
	if !holdsCredentials(doc.ID) {
		p.once("document "+doc.ID, "a document among the credentials is none of a credential file, it is left alone", "name", doc.ID)
		return false
	}
	f, now := p.files[doc.ID], versionOf(doc)
	if f != nil && f.sum == now.sum && !reread {
		f.version = now
		return false
	}
	if f == nil {
		f = &source{name: doc.ID}
		p.files[doc.ID], d.ids[doc.ID] = f, true
	}
	f.version = now
	f.bytes.Store(now.size)
	data, err := d.open(doc)
	return p.takeFile(f, text{data, now}, err, false)
}

func (d *documents) lost(p *Pool, name string) bool {
	delete(d.ids, name)
	if p.files[name] == nil {
		return false
	}
	delete(p.files, name)
	p.skipped(name, nil)
	return true
}

// changes reads the log. One that cannot be read begins anew, and everything is looked at.
func (d *documents) changes() (log changeLog, rev store.Rev, err error) {
	doc, err := d.get(changesID)
	if errors.Is(err, fs.ErrNotExist) {
		return log, store.New, nil
	}
	if err != nil {
		return log, 0, err
	}
	if err := json.Unmarshal(doc.Body, &log); err != nil {
		log = changeLog{N: d.seen + maxLast + 1}
	}
	return log, doc.Rev, nil
}

// catch notes what others wrote, by the log, and says whether they did.
func (d *documents) catch(log changeLog) bool {
	behind := log.N - d.seen
	d.seen = log.N
	if behind < 0 || behind > int64(len(log.Last)) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.all = true
		return true
	}
	for _, name := range log.Last[len(log.Last)-int(behind):] {
		d.hear(name)
	}
	return behind > 0
}

func (d *documents) current() error {
	log, _, err := d.changes()
	if err == nil {
		d.catch(log)
	}
	return err
}

// commit writes the names of drafts into the log. A node that dies before it, or a store that fails, costs
// those who hear no hints a minute.
func (d *documents) commit(all []*draft) (crossed bool) {
	var names []string
	for _, one := range all {
		if one.err == nil && holdsCredentials(one.name) {
			names = append(names, one.name)
		}
	}
	for range maxCrossed {
		if len(names) == 0 {
			break
		}
		log, rev, err := d.changes()
		if err != nil {
			break
		}
		crossed = d.catch(log) || crossed
		log.N += int64(len(names))
		log.Last = append(log.Last, names...)
		log.Last = log.Last[max(0, len(log.Last)-maxLast):]
		if err = d.putLog(log, rev); err == nil {
			d.seen = log.N
		}
		if !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return crossed
}

func (d *documents) putLog(log changeLog, when store.Rev) error {
	body, err := json.Marshal(log)
	if err != nil {
		return fmt.Errorf("write the log of changes: %w", err)
	}
	ctx, cancel := inTime()
	defer cancel()
	_, err = d.store.Put(ctx, store.Credentials, store.Doc{ID: changesID, Body: body}, when)
	return err
}

// poll looks whether anything was written, by the revision of the store, and then what.
func (d *documents) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shelfLimit)
	defer cancel()
	rev, err := d.store.Revision(ctx)
	if err != nil {
		return away(err)
	}
	if rev != d.rev {
		if err := d.current(); err != nil {
			return err
		}
		d.rev = rev
	}
	if rev != d.listedRev && time.Since(d.listed) > listEvery {
		d.mu.Lock()
		d.all = true
		d.mu.Unlock()
	}
	return nil
}

// report says when the store cannot be read and when it can again, not each time.
func (d *documents) report(err error) {
	was := d.fails
	d.fails = err != nil
	switch {
	case err != nil && !was:
		d.log.Error("the credentials in the store cannot be read; those that are here stay and serve", "error", err)
	case err == nil && was:
		d.log.Info("the credentials in the store can be read again")
	}
}

// watchShelf follows what other nodes write, until Close. hints are those since before the first look.
func (p *Pool) watchShelf(d *documents, hints <-chan store.Change) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case c, ok := <-hints:
			if !ok {
				hints = nil
				continue
			}
			vague := d.hint(c)
			for more := true; more; {
				select {
				case c, more = <-hints:
					vague = more && d.hint(c) || vague
				default:
					more = false
				}
			}
			if vague || d.waits() {
				p.followShelf(d, vague)
			}
		case <-tick.C:
			if hints == nil {
				hints, _ = d.store.Watch(p.ctx) // without hints the looks are left, and the next turn asks again
			}
			p.followShelf(d, true)
		case <-p.ctx.Done():
			return
		}
	}
}

// followShelf takes over what there is to take over.
func (p *Pool) followShelf(d *documents, look bool) {
	p.disk.Lock()
	defer p.disk.Unlock()
	if look {
		if err := d.poll(p.ctx); err != nil && p.ctx.Err() == nil {
			d.report(err)
			return
		}
	}
	if d.waits() {
		p.scan(false)
	} else if look {
		d.report(nil)
	}
	p.payOwed()
}
