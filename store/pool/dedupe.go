package pool

import (
	"cmp"
	"slices"
)

// Doubles are credentials that are one.
type Doubles struct {
	Kept    string            `json:"kept"`              // stays
	Removed []string          `json:"removed"`           // in the quarantine, or would be
	Why     string            `json:"why"`               // what they have in common
	Refused map[string]string `json:"refused,omitempty"` // those that cannot be removed, and why
}

// Deduplicate finds credentials of the folder that are there more than once: with one secret, or of
// one account and project. The one that serves best stays, with its name, and takes over the calls of
// the others and what the operator wanted of them; those go into the quarantine. A trial changes
// nothing.
func (p *Pool) Deduplicate(trial bool) []Doubles {
	p.disk.Lock()
	groups, found := p.doubles()
	p.disk.Unlock()
	if trial || len(groups) == 0 {
		return found
	}
	var ids []string
	for _, g := range groups {
		for _, e := range g[1:] {
			ids = append(ids, e.item())
		}
	}
	errs := p.Delete(ids...)
	p.mu.Lock()
	var heirs []*entry
	n := 0
	for i, g := range groups {
		kept := g[0]
		var removed []string
		for _, e := range g[1:] {
			if err := errs[n]; err != nil {
				if found[i].Refused == nil {
					found[i].Refused = map[string]string{}
				}
				found[i].Refused[e.cred.ID] = err.Error()
			} else {
				removed = append(removed, e.cred.ID)
				kept.merge(e)
			}
			n++
		}
		found[i].Removed = removed
		kept.capped = p.caps(kept, p.now())
		p.moved(kept)
		heirs = append(heirs, kept)
	}
	p.unlock(heirs...)
	return found
}

// merge takes over what there is to keep of a double.
func (e *entry) merge(other *entry) {
	e.calls += other.calls
	if e.day.Since < other.day.Since {
		e.day = Day{Since: other.day.Since}
	}
	if e.day.Since == other.day.Since {
		e.day.Pro, e.day.Total = e.day.Pro+other.day.Pro, e.day.Total+other.day.Total
	}
	if other.lastSuccess.After(e.lastSuccess) {
		e.lastSuccess = other.lastSuccess
	}
	if e.wish.Label == "" {
		e.wish.Label = other.wish.Label
	}
	for _, g := range other.wish.Groups {
		if !slices.Contains(e.wish.Groups, g) {
			e.wish.Groups = append(slices.Clone(e.wish.Groups), g)
		}
	}
	e.wish.Proxy = cmp.Or(e.wish.Proxy, other.wish.Proxy)
	e.dirty = true
}

// doubles groups the credentials of the folder; the one to keep stands first. Sign-ins with several
// projects are one credential each here, and only their secret counts. The caller holds disk.
func (p *Pool) doubles() (groups [][]*entry, found []Doubles) {
	p.mu.Lock()
	defer p.mu.Unlock()
	used := map[*entry]bool{}
	for _, e := range p.queue {
		used[e] = true
	}
	all := p.inFiles()
	done := map[*entry]bool{}
	for _, by := range []struct {
		why string
		key func(e *entry) string
	}{
		{"the same secret", sameSecret},
		{"the same account and project", func(e *entry) string {
			c := e.cred
			c.Email, c.ProjectID = e.email, e.project
			return person(c)
		}},
	} {
		at, order := map[string][]*entry{}, []string{}
		for _, e := range all {
			key := by.key(e)
			if done[e] || key == "" || e.account != nil && len(e.account.entries) > 1 {
				continue
			}
			if at[key] == nil {
				order = append(order, key)
			}
			at[key] = append(at[key], e)
		}
		for _, key := range order {
			g := at[key]
			if len(g) < 2 {
				continue
			}
			slices.SortStableFunc(g, func(a, b *entry) int { return better(a, b, used) })
			d := Doubles{Kept: g[0].cred.ID, Why: by.why}
			for _, e := range g[1:] {
				d.Removed = append(d.Removed, e.cred.ID)
				done[e] = true
			}
			groups, found = append(groups, g), append(found, d)
		}
	}
	return groups, found
}

func sameSecret(e *entry) string {
	return secretKey(e.cred, e.origin()) + "\x00" + e.cred.ProjectID
}

// better orders by what serves: not switched off, in use, and what has served last and most.
func better(a, b *entry, used map[*entry]bool) int {
	rank := func(e *entry) int {
		n := 0
		if !e.disabled {
			n += 2
		}
		if used[e] {
			n++
		}
		return n
	}
	return cmp.Or(cmp.Compare(rank(b), rank(a)), b.lastSuccess.Compare(a.lastSuccess), cmp.Compare(b.calls, a.calls))
}
