package pool

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/store/oauth"
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
			p.hideProxy(e.wish)
			if before.Proxy != e.wish.Proxy {
				e.otherWay()
			}
			p.moved(e)
		}
	})
}

// otherWay forgets what the proxy of before did: the rest that it cost is over. The caller holds Pool.mu.
func (e *entry) otherWay() {
	if e.faults > 0 && e.cool.code == apierror.UpstreamUnavailable {
		e.cool = cooldown{}
	}
	e.faults = 0
}

// hideProxy keeps the password of a proxy out of the log, once mu is free.
func (p *Pool) hideProxy(w Wish) {
	if password := outbound.ProxyPassword(w.Proxy); password != "" && p.hide != nil {
		p.lines = append(p.lines, func() { p.hide(password) })
	}
}

// Masked is the wish as it can be shown: stars instead of user and password of the proxy.
func (w Wish) Masked() Wish {
	w.Proxy = outbound.MaskProxy(w.Proxy)
	return w
}

// MaskedProxy tells a proxy as Masked shows it, which names one but cannot be used.
func MaskedProxy(proxy string) bool { return strings.Contains(proxy, "***") }

// SetProxy takes a proxy over. One that is masked as Masked does it is the one there is: who shows
// settings and sends them back changes nothing. The error does not quote it.
func (w *Wish) SetProxy(proxy string) error {
	switch {
	case proxy == w.Proxy || proxy != "" && proxy == outbound.MaskProxy(w.Proxy):
		return nil
	case MaskedProxy(proxy):
		return errors.New("proxy: user and password are masked in it, and the rest is not what is set: write it whole")
	}
	if err := outbound.CheckProxy(proxy); err != nil {
		return err
	}
	w.Proxy = proxy
	return nil
}

// clientLeft is clientOf for a credential that is gone, by its names: its wish is kept with its state.
func (p *Pool) clientLeft(names []string) *oauth.Client {
	for _, name := range names {
		if p.states == nil {
			break
		}
		if s, _ := p.states.Load(name); s.Wish.Proxy != "" {
			return p.oauth.Via(s.Wish.Proxy)
		}
	}
	return p.oauth
}
