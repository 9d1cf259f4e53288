package pool

import (
	"slices"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
)

// match is the condition of a row: whatever is set must hold; of a list one element is enough.
type match struct {
	code    apierror.Code
	network bool
	html    bool
	http    []int
	below   int // HTTP status
	reason  []string
	domain  string   // or one that ends in it, such as the staging ones
	text    []string // lower case
	quota   []string // part of a quota id, or of quota_limit
	zero    bool     // the text names a limit of 0
	preview bool     // the model is a preview
	proxied bool     // the call went out by a proxy of the credential's own
	model   string   // of the call; "*" in it stands for any text
	kinds   uint8    // of the credential, bits
}

// facts is an error as match looks at it.
type facts struct {
	f    *apierror.Error
	said apierror.Said
	text string // lower case
	l    *lease
}

// find gives the row of an error.
func (p *Pool) find(f *apierror.Error, l *lease) *row {
	x := facts{f: f, l: l}
	if f.Said != nil {
		x.said = *f.Said
		x.text = strings.ToLower(f.Said.Text)
	}
	for i := range p.rows {
		if p.rows[i].when.holds(&x) {
			return &p.rows[i]
		}
	}
	return &p.rows[len(p.rows)-1]
}

func (m *match) holds(x *facts) bool {
	s := &x.said
	return (m.code == "" || m.code == x.f.Code) &&
		(!m.network || s.Network) &&
		(!m.html || s.HTML) &&
		(m.http == nil || slices.Contains(m.http, s.HTTP)) &&
		(m.below == 0 || s.HTTP != 0 && s.HTTP < m.below) &&
		(m.reason == nil || slices.Contains(m.reason, s.Reason)) &&
		(m.domain == "" || strings.HasSuffix(s.Domain, m.domain)) &&
		(m.text == nil || slices.ContainsFunc(m.text, func(t string) bool { return strings.Contains(x.text, t) })) &&
		(m.quota == nil || slices.ContainsFunc(m.quota, x.quota)) &&
		(!m.zero || limitZero(x.text)) &&
		(!m.preview || preview(x.l.lane.model)) &&
		(!m.proxied || x.l.entry.wish.Proxy != "") &&
		(m.model == "" || models.Matches(m.model, x.l.lane.model)) &&
		(m.kinds == 0 || m.kinds&x.l.entry.kind != 0)
}

// preview tells by its name that access to a model is given by account.
func preview(model string) bool { return strings.Contains(model, "preview") }

func (x *facts) quota(part string) bool {
	return strings.Contains(x.said.Meta["quota_limit"], part) ||
		slices.ContainsFunc(x.said.Quotas, func(q string) bool { return strings.Contains(q, part) })
}

// limitZero finds "limit: 0" that is not the beginning of another number.
func limitZero(text string) bool {
	digit := func(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
	for {
		_, rest, ok := strings.Cut(text, "limit: 0")
		if !ok {
			return false
		}
		if !digit(rest) && !(strings.HasPrefix(rest, ".") && digit(rest[1:])) {
			return true
		}
		text = rest
	}
}
