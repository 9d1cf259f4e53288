package pool

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gcli2api/store/oauth"
)

// Row is a line of the decision table in words, for the console.
type Row struct {
	Name        string
	Origin      string // "built-in" or "operator"
	When        string // the condition; "" for whatever no row before takes
	Scope       string // what rests, "" for nothing
	Cooldown    string // how long
	Same        string // goes at the same credential
	Others      string // other credentials that are tried
	Consequence string // what lasts, "" for nothing
	Note        string
}

// Rows gives the table in the order in which it is read.
func (p *Pool) Rows() []Row {
	p.mu.Lock()
	rows, codes := p.rows, p.set.AutoBanCodes
	p.mu.Unlock()
	all := make([]Row, len(rows)) // rows are never changed, only replaced
	for i := range rows {
		all[i] = rows[i].shown(codes)
	}
	return all
}

func (r *row) shown(codes []int) Row {
	s := Row{Name: r.name, Origin: "built-in", When: r.when.shown(), Scope: r.scope.shown(), Same: r.shownSame(), Others: r.shownOthers(),
		Consequence: r.then.shown(), Note: r.note}
	if r.by != "" {
		s.Origin = r.by
	}
	if r.scope != onNothing {
		s.Cooldown = r.cool.shown(r.scope)
	}
	if listed := r.bannedFor(codes); listed != "" {
		s.Consequence = strings.TrimPrefix(s.Consequence+"; ", "; ") + "switched off at once where AUTO_BAN_ERROR_CODES has the status (" + listed + "), which also tries others"
	}
	if r.shared {
		s.Scope += ", and the models that share its quota (pool.shared)"
	}
	return s
}

// bannedFor lists the statuses to ban for that the row decides on.
func (r *row) bannedFor(codes []int) string {
	var list []string
	for _, status := range codes {
		if at := decides(status); r.listed && at.name == r.name {
			list = append(list, strconv.Itoa(status))
		}
	}
	return strings.Join(list, ", ")
}

func (m *match) shown() string {
	var all []string
	add := func(what string, list ...string) {
		if len(list) > 0 {
			all = append(all, what+strings.Join(list, " or "))
		}
	}
	if m.code != "" {
		add("the gateway's own ", string(m.code))
	}
	if m.network {
		all = append(all, "no answer, or one that broke off")
	}
	if m.html {
		all = append(all, "a page instead of JSON")
	}
	var codes []string
	for _, n := range m.http {
		codes = append(codes, strconv.Itoa(n))
	}
	add("status ", codes...)
	if m.below > 0 {
		add("status below ", strconv.Itoa(m.below))
	}
	add("reason ", m.reason...)
	if m.domain != "" {
		add("domain ", m.domain)
	}
	add("text ", quoted(m.text)...)
	add("quota ", quoted(m.quota)...)
	if m.zero {
		all = append(all, "a limit of 0")
	}
	if m.preview {
		all = append(all, "the model is a preview")
	}
	if m.proxied {
		all = append(all, "the credential has a proxy of its own")
	}
	if m.model != "" {
		add("model ", m.model)
	}
	for _, kind := range oauth.Kinds() {
		if m.kinds&kindBit(kind) != 0 {
			add("kind ", kind)
		}
	}
	return strings.Join(all, "; ")
}

func quoted(list []string) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = strconv.Quote(one)
	}
	return out
}

func (s scope) shown() string {
	switch s {
	case onCred:
		return "the credential"
	case onPair:
		return "the model on the credential"
	case onUpstream:
		return "the model at this kind of upstream, by a breaker"
	case onGateway:
		return "all calls, by a breaker"
	}
	return ""
}

func (c cool) shown(s scope) string {
	span := c.least.String()
	if c.most > c.least {
		span += " to " + c.most.String()
	}
	if s == onUpstream || s == onGateway {
		return fmt.Sprintf("%s, longer each time, after %d requests in a row", span, patience)
	}
	switch c.rule {
	case reset:
		return fmt.Sprintf("until the time that Google names, else %s, %d times more each time, up to %s", c.least, c.times, c.most)
	case minutely:
		return "until the time that Google names, else " + span
	case pacific:
		return "until midnight in California, or what the quota's own details say"
	case inARow:
		return fmt.Sprintf("%s, after %d in a row", span, c.times)
	}
	return span
}

func (r *row) shownSame() string {
	if len(r.same) == 0 {
		if r.back {
			return "when nobody else is free, if it is back within " + worthWaiting.String()
		}
		return ""
	}
	var pauses []string
	for _, d := range r.same {
		pauses = append(pauses, pauseShown(d))
	}
	text := strings.Join(pauses, ", then ")
	if r.first {
		text += ", when nobody else is free"
	}
	return text
}

func pauseShown(d time.Duration) string {
	if d == 0 {
		return "at once"
	}
	return "after " + d.String()
}

func (r *row) shownOthers() string {
	text := "all"
	switch {
	case r.others == 0:
		return ""
	case r.others < all:
		text = strconv.Itoa(r.others)
	}
	if r.way {
		text += " with another proxy"
	}
	return text
}

func (t then) shown() string {
	switch t {
	case renews:
		return "the token is renewed; the second time the credential is switched off"
	case searches:
		return "the project is looked for again; if it is the same one, the credential is switched off"
	case enables:
		return "the API is switched on; if that does not help, the credential is switched off"
	case blinds:
		return "marked as without access to previews"
	case bans:
		return "switched off"
	case kills:
		return "switched off, whatever AUTO_BAN says"
	case strikes:
		return "switched off the third time in a row"
	case complains:
		return "an error in the log"
	}
	return ""
}
