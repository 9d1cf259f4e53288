package pool

import (
	"reflect"
	"slices"
)

// Wish is what the operator wants of one credential. It is kept in the store under the name of the
// credential and never in its file, and no imported file can bring one along. The zero value wants
// nothing special.
type Wish struct {
	Label       string   `json:"label,omitempty"`       // shown instead of the one in the file
	Priority    int      `json:"priority,omitempty"`    // higher ones are used up before lower ones
	Weight      int      `json:"weight,omitempty"`      // share among those of one priority; 0 is 1
	Groups      []string `json:"groups,omitempty"`      // that callers can be bound to
	Proxy       string   `json:"proxy,omitempty"`       // way out for its calls and refreshes, as outbound.proxy is written
	Concurrency int      `json:"concurrency,omitempty"` // calls at a time; 0 is what its kind has, below 0 no limit

	// DailyPro and DailyTotal are what Google is believed to give in a day; nil is the default.
	DailyPro   *int64 `json:"daily_pro,omitempty"`
	DailyTotal *int64 `json:"daily_total,omitempty"`
}

// Configure changes what the operator wants of a credential, at once; false when there is none. The
// change sees the wish as it is.
func (p *Pool) Configure(id string, change func(w *Wish)) bool {
	return p.change(id, func(e *entry) {
		before := e.wish
		e.wish.Groups = slices.Clone(before.Groups) // leases may be reading the old one
		change(&e.wish)
		if !reflect.DeepEqual(before, e.wish) {
			p.moved(e)
		}
	})
}
