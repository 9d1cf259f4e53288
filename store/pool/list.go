package pool

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strings"
)

// What Query.State and Query.Sort can be.
const (
	listStates = "all, enabled, disabled, cooling"
	listSorts  = "name, label, email, calls, last_success, cooldown_until, priority"
)

// Query says which credentials to list. The zero value lists all of them in the order of the queue.
type Query struct {
	Offset, Limit int    // of those that match; 0 is no limit
	State         string // "all", "enabled", "disabled", or "cooling": rests, as a whole or with a model, and is not switched off
	Kind, Group   string // exactly
	Search        string // part of name, label, e-mail or project, in any case
	Sort          string // "name", "label", "email", "calls", "last_success", "cooldown_until" or "priority", with "-" in front backwards; "" is the order of the queue
}

// Check says what is wrong with State and Sort, naming it as the console's parameters do.
func (q Query) Check() error {
	if q.State != "" && !slices.Contains(strings.Split(listStates, ", "), q.State) {
		return errors.New("status_filter must be one of " + listStates)
	}
	if q.Sort != "" && !slices.Contains(strings.Split(listSorts, ", "), strings.TrimPrefix(q.Sort, "-")) {
		return errors.New("sort must be one of " + listSorts + `, with "-" in front for backwards`)
	}
	return nil
}

// Page is a part of the list, with figures of the whole pool.
type Page struct {
	Rows                              []Status
	Matching                          int // how many the query matches; Rows may be fewer
	Total, Enabled, Disabled, Cooling int // of all; Cooling are some of Enabled
}

// List shows the credentials that a query asks for. It lets go of the pool again and again, so a
// long list keeps no call waiting.
func (p *Pool) List(q Query) Page {
	page, rows := p.Find(q)
	for row := range rows {
		page.Rows = append(page.Rows, *row)
	}
	return page
}

// Find is List for those who look at one row after the other: the page comes without its rows, each of
// which is made, and asked of its file, when its turn comes. A row is good until the next one.
func (p *Pool) Find(q Query) (Page, iter.Seq[*Status]) {
	found, page := p.search(q)
	page.Matching = len(found)
	q.sort(found)
	found = found[min(q.Offset, len(found)):]
	if q.Limit > 0 {
		found = found[:min(q.Limit, len(found))]
	}
	entries := make([]*entry, len(found))
	for i, f := range found {
		entries[i] = f.e
	}
	return page, func(yield func(*Status) bool) {
		for some := range slices.Chunk(entries, piece) {
			rows := p.rowsOf(some)
			for i := range rows {
				rows[i].Size, rows[i].Modified = some[i].from.measure()
				if !yield(&rows[i]) {
					return
				}
			}
		}
	}
}

// sight is as much of an entry as a search looks at.
type sight struct {
	e                         *entry
	id, label, email, project string
	key                       int64 // to sort by
}

// search counts all and gives those that match. Text is compared after the pool was let go.
func (p *Pool) search(q Query) (found []sight, page Page) {
	all, now := p.entries(), p.now().UnixNano()
	page.Total = len(all)
	found = make([]sight, 0, len(all))
	p.inPieces(all, func(e *entry) {
		cooling := !e.disabled && e.cools(now) > 0
		switch {
		case e.disabled:
			page.Disabled++
		case cooling:
			page.Cooling++
		}
		if !q.admits(e, cooling) {
			return
		}
		found = append(found, sight{e, e.cred.ID, e.label(), e.email, e.project, e.key(q.Sort, now)})
	})
	page.Enabled = page.Total - page.Disabled
	if text := strings.ToLower(q.Search); text != "" {
		found = slices.DeleteFunc(found, func(s sight) bool { return !s.has(text) })
	}
	return found, page
}

// admits judges by everything but the text.
func (q *Query) admits(e *entry, cooling bool) bool {
	switch {
	case q.State == "enabled" && e.disabled, q.State == "disabled" && !e.disabled, q.State == "cooling" && !cooling:
		return false
	case q.Kind != "" && q.Kind != e.cred.Kind:
		return false
	}
	return q.Group == "" || slices.Contains(e.wish.Groups, q.Group)
}

func (s *sight) has(text string) bool {
	for _, field := range [...]string{s.id, s.label, s.email, s.project} {
		if strings.Contains(strings.ToLower(field), text) {
			return true
		}
	}
	return false
}

// cools is the end of the last rest of the entry or of models on it, 0 when it has none.
func (e *entry) cools(now int64) (until int64) {
	if e.cool.until > now {
		until = e.cool.until
	}
	for _, m := range e.marks {
		if m.until > now {
			until = max(until, m.until)
		}
	}
	if used := max(e.capped.total, e.capped.pro); used > now {
		until = max(until, used)
	}
	return until
}

// key is the number that the list is sorted by.
func (e *entry) key(by string, now int64) int64 {
	switch strings.TrimPrefix(by, "-") {
	case "calls":
		return e.calls
	case "last_success":
		if !e.lastSuccess.IsZero() {
			return e.lastSuccess.UnixNano()
		}
	case "cooldown_until":
		return e.cools(now)
	case "priority":
		return int64(e.wish.Priority)
	}
	return 0
}

// sort puts equal ones in the order of the queue, also backwards.
func (q Query) sort(found []sight) {
	by, back := strings.CutPrefix(q.Sort, "-")
	var order func(a, b sight) int
	switch by {
	case "":
		return
	case "name":
		order = func(a, b sight) int { return cmp.Compare(a.id, b.id) }
	case "label":
		order = func(a, b sight) int { return cmp.Compare(a.label, b.label) }
	case "email":
		order = func(a, b sight) int { return cmp.Compare(a.email, b.email) }
	default:
		order = func(a, b sight) int { return cmp.Compare(a.key, b.key) }
	}
	if back {
		forward := order
		order = func(a, b sight) int { return forward(b, a) }
	}
	slices.SortStableFunc(found, order)
}
