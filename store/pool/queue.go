package pool

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"gcli2api/store/oauth"
)

// keyEntries makes entries of the API keys in the settings, the ones there are where they stay.
func (p *Pool) keyEntries(keys []string, credential func(key string) oauth.Credential) (entries []*entry) {
	old := remembered(p.keys)
	for _, key := range keys {
		if key = strings.TrimSpace(key); key == "" {
			continue
		}
		c := credential(key)
		if !oauth.PlainKey(key) {
			p.say(slog.LevelWarn, "an API key of the settings is skipped: it has characters in it that no key has", "key", c.ID)
			continue
		}
		c.Label = "API key of the settings"
		e := old.reuse(c, nil)
		if e == nil {
			e = p.newEntry(c, nil, nil)
			p.begin(e, c.ID)
		}
		entries = append(entries, e)
	}
	return entries
}

// whyInactive is what Status says of the folder's credentials while they are shut out.
const whyInactive = "credentials of the environment are used instead (env_creds_exclusive)"

// rebuild makes the queue anew: files by name, then the environment, then the keys of the settings.
// Where the environment shuts the folder out, the files are kept beside the queue, and so is what
// cannot be used as the settings are.
func (p *Pool) rebuild() {
	p.mu.Lock()
	defer p.unlock()
	files, idle := usable(p.inFiles())
	environ, useless := usable(p.inEnviron())
	idle = append(idle, useless...)
	if p.shutsOut(environ) {
		files, idle = nil, append(idle, files...)
	}
	idle = p.unique(idle, p.idle)
	queue := p.unique(slices.Concat(files, environ, p.keys), p.queue)
	if slices.Equal(queue, p.queue) && slices.Equal(idle, p.idle) {
		return
	}
	p.replace(queue, idle)
}

// shutsOut tells that credentials of the environment keep those of the folder out of use. Those that a
// person had loaded beside them do not, unless the settings say so.
func (p *Pool) shutsOut(environ []*entry) bool {
	switch p.set.EnvExclusive {
	case "never":
		return false
	case "always":
		return len(environ) > 0
	}
	return slices.ContainsFunc(environ, func(e *entry) bool { return !p.envLater || !e.from.variable.Waits() })
}

// usable parts the entries that calls can be made with from those that wait for a setting.
func usable(all []*entry) (able, not []*entry) {
	for _, e := range all {
		if e.cred.Unusable() == "" {
			able = append(able, e)
		} else {
			not = append(not, e)
		}
	}
	return able, not
}

// why says what keeps an entry that is shown from being used.
func (e *entry) why() string { return cmp.Or(e.cred.Unusable(), whyInactive) }

// inFiles lists the entries of the folder. A loose file wins over the table of its name in the old
// product's file: whoever put it there is newer.
func (p *Pool) inFiles() (all []*entry) {
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		if name != oldCreds {
			all = append(all, p.files[name].entries...)
		}
	}
	if old := p.files[oldCreds]; old != nil {
		for _, e := range old.entries {
			if loose := p.files[e.item()]; loose == nil || len(loose.entries) == 0 {
				all = append(all, e)
			}
		}
	}
	return all
}

func (p *Pool) inEnviron() (all []*entry) {
	for _, f := range p.environ {
		all = append(all, f.entries...)
	}
	return all
}

// item is the id of the sign-in that the entry is a project of.
func (e *entry) item() string {
	if e.account != nil {
		return e.account.cred.ID
	}
	return e.cred.ID
}

// unique leaves out what is there twice, as a credential or by its name.
func (p *Pool) unique(all, before []*entry) (queue []*entry) {
	first, ids := firstOfTwins(all, before), map[string]*entry{}
	for _, e := range all {
		other, what := first[e.twin()], "credential is there twice"
		if other == e {
			if other = ids[e.cred.ID]; other == nil {
				ids[e.cred.ID] = e
				queue = append(queue, e)
				continue
			}
			what = "two credentials have the same name, one is left out"
		}
		if other == e || e.from == nil { // a key may be in the settings twice
			continue
		}
		if key := "twice " + e.cred.ID + " " + other.cred.ID; !p.warned[key] {
			p.warned[key] = true
			p.say(slog.LevelWarn, what, "credential", e.cred.ID, "source", e.from.String(), "same as", other.cred.ID)
		}
	}
	return queue
}

// origin is the secret as the source has it: what Google gave instead of it since does not count.
func (e *entry) origin() string {
	if e.account != nil {
		return e.account.origin
	}
	return e.cred.Secret()
}

// twin is what two entries of one credential have in common.
func (e *entry) twin() string { return e.cred.Kind + "\x00" + e.origin() + "\x00" + e.cred.ProjectID }

// firstOfTwins says who counts of several: the one in use, so that a copy of its file takes neither
// its name nor its state away, else the first.
func firstOfTwins(all, before []*entry) map[string]*entry {
	first, there := map[string]*entry{}, map[*entry]bool{}
	for _, e := range all {
		there[e] = true
	}
	for _, e := range before {
		if there[e] {
			first[e.twin()] = e
		}
	}
	for _, e := range all {
		if first[e.twin()] == nil {
			first[e.twin()] = e
		}
	}
	return first
}

// replace swaps the queue.
func (p *Pool) replace(queue, idle []*entry) {
	for _, e := range slices.Concat(p.queue, p.idle) {
		e.gone = true
	}
	byID := make(map[string]*entry, len(queue))
	for _, e := range queue {
		e.gone, e.inactive, byID[e.cred.ID] = false, false, e
	}
	for _, e := range idle {
		e.gone, e.inactive = false, true
	}
	before := len(p.queue)
	p.queue, p.idle, p.byID = queue, idle, byID
	p.connect()
	p.loosened++
	p.index.stale = true
	said := []any{"credentials", len(queue), "before", before}
	if len(idle) > 0 {
		said = append(said, "inactive", len(idle), "why", idle[0].why())
	}
	p.say(slog.LevelInfo, "credentials loaded", said...)
}

// carryOn lets rotations go on where they stood when the index is laid out anew: at the same credential,
// or else at the first one behind it that is still there. old is the order before.
func (p *Pool) carryOn(old []*entry) {
	heirs, heir := make([]int, len(old)), -1
	for i := 2*len(old) - 1; i >= 0; i-- { // twice round: behind the last one comes the first
		if e := p.byID[old[i%len(old)].cred.ID]; e != nil {
			heir = e.pos
		}
		heirs[i%len(old)] = heir
	}
	move := func(at *place) {
		if at.head >= len(old) || heirs[at.head] < 0 {
			at.head, at.served = 0, 0
			return
		}
		if p.byID[old[at.head].cred.ID] == nil {
			at.served = 0
		}
		at.head = heirs[at.head]
	}
	for _, r := range p.lanes {
		r.bounds, r.whyAt = nil, 0
		for i := range r.places {
			move(&r.places[i])
		}
	}
	move(&p.last)
}
