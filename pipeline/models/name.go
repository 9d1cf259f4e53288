package models

import (
	"strconv"
	"strings"

	"gcli2api/pipeline/apierror"
)

// Model is a name as a client wrote it, taken apart.
type Model struct {
	Asked    string   // as the client wrote it, surrounding spaces off; shown back in answers
	Base     string   // what goes upstream; empty only if Asked is
	Features Features // what the prefixes and suffixes ask for
	Thinking Thinking // the outermost thinking suffix

	Budget    int  // tokens of `-thinking-8192`; Thinking is On then
	HasBudget bool // Budget was written, be it 0

	clash [2]string // two thinking suffixes that differ
}

// Features is a set of what a name can ask for besides thinking.
type Features uint8

// The features. Each is the business of one optional stage.
const (
	FakeStream     Features = 1 << iota // 假流式: one plain call, cut into events
	AntiTruncation                      // 流式抗截断: go on where a stream was cut
	Search                              // -search: grounding with Google Search
)

// Has tells whether every feature of g is in f.
func (f Features) Has(g Features) bool { return f&g == g }

// String is for messages: the suffix forms, in a fixed order.
func (f Features) String() string {
	var names []string
	if f.Has(FakeStream) {
		names = append(names, "-fake-stream")
	}
	if f.Has(AntiTruncation) {
		names = append(names, "-anti-truncation")
	}
	if f.Has(Search) {
		names = append(names, "-search")
	}
	return strings.Join(names, " ")
}

// Thinking is what a suffix says about thinking. What it comes to depends on the family; full and
// max differ from generation 3 on, which is why they are two.
type Thinking uint8

// The thinking suffixes.
const (
	None    Thinking = iota // no suffix: the request or the default decides
	Off                     // -nothinking
	On                      // -think, or -thinking-<tokens> with a budget
	Minimal                 // -minimal
	Low                     // -low
	Medium                  // -medium
	High                    // -high
	Max                     // -max
	Full                    // -maxthinking
)

// String is the suffix, "" for None.
func (t Thinking) String() string {
	return [...]string{"", "-nothinking", "-think", "-minimal", "-low", "-medium", "-high", "-max", "-maxthinking"}[t]
}

// Parse takes a name apart. It knows no errors: what the grammar does not know is part of the
// base. Percent-decoding is the server's matter. A name that contradicts itself parses too (the
// outermost suffix counts); Check tells.
func (c *Catalogue) Parse(name string) Model {
	asked := strings.TrimSpace(name)
	m := c.parse(asked)
	if target, ok := c.alias[m.Base]; ok {
		m.Base = target.Base
		m.Features |= target.Features
		if m.Thinking == None {
			m.Thinking, m.Budget, m.HasBudget = target.Thinking, target.Budget, target.HasBudget
		}
	}
	m.Asked = asked
	return m
}

// Check refuses a name with two different thinking suffixes, naming both. nil is fine.
func (m Model) Check() *apierror.Error {
	if m.clash[0] == "" {
		return nil
	}
	return apierror.Newf(apierror.BadRequest, "model %q asks for %q and for %q: one of them has to go",
		m.Asked, m.clash[0], m.clash[1]).Naming("model")
}

// Canonical writes the model in the one order and form that listings and price tables use:
// prefixes, base, thinking, search. Parse reads it back to the same parts.
func (m Model) Canonical() string {
	if m.Features == 0 && m.Thinking == None {
		return m.Base
	}
	b := make([]byte, 0, len(m.Base)+64)
	if m.Features.Has(FakeStream) {
		b = append(b, "假流式/"...)
	}
	if m.Features.Has(AntiTruncation) {
		b = append(b, "流式抗截断/"...)
	}
	b = append(b, m.Base...)
	if m.HasBudget {
		b = strconv.AppendInt(append(b, "-thinking-"...), int64(m.Budget), 10)
	} else {
		b = append(b, m.Thinking.String()...)
	}
	if m.Features.Has(Search) {
		b = append(b, "-search"...)
	}
	return string(b)
}

// parse strips tokens until nothing is left to strip, or what is left stands in the table.
// Prefixes go first: they end in a slash, so no suffix can be hidden behind one, while taking
// suffixes first would eat into a known base that ends like one.
func (c *Catalogue) parse(name string) Model {
	m := Model{Asked: name, Base: name}
	for !c.fixed(m.Base) {
		rest, f := prefix(m.Base)
		if rest == "" {
			break
		}
		m.Base, m.Features = rest, m.Features|f
	}
	var first string
	for !c.fixed(m.Base) {
		rest, t := suffix(m.Base)
		if rest == "" {
			break
		}
		m.Features |= t.feature
		if t.thinking != None {
			if first == "" {
				first = t.text
				m.Thinking, m.Budget, m.HasBudget = t.thinking, t.budget, t.hasBudget
			} else if t.text != first && m.clash[0] == "" {
				m.clash = [2]string{t.text, first} // in the order of the name
			}
		}
		m.Base = rest
	}
	return m
}

// fixed tells that the table protects this name from the grammar.
func (c *Catalogue) fixed(name string) bool {
	if _, ok := c.index[name]; ok {
		return true
	}
	_, ok := c.alias[name]
	return ok
}

// prefix cuts one prefix off; an empty rest means that there is none, or nothing behind it.
func prefix(name string) (rest string, f Features) {
	cut := strings.IndexByte(name, '/') + 1
	switch name[:cut] {
	case "models/":
	case "假流式/", "fake-stream/":
		f = FakeStream
	case "流式抗截断/", "抗截断/", "anti-truncation/":
		f = AntiTruncation
	default:
		return "", 0
	}
	return strings.TrimSpace(name[cut:]), f
}

// token is a suffix that was cut off.
type token struct {
	text      string
	feature   Features
	thinking  Thinking
	budget    int
	hasBudget bool
}

// suffix cuts one suffix off; an empty rest means that there is none, or nothing before it.
func suffix(name string) (rest string, t token) {
	cut := strings.LastIndexByte(name, '-')
	if cut <= 0 {
		return "", token{}
	}
	switch name[cut:] {
	case "-假流式":
		t.feature = FakeStream
	case "-流式抗截断", "-抗截断":
		t.feature = AntiTruncation
	case "-search":
		t.feature = Search
	case "-stream":
		cut, t.feature = strings.LastIndex(name, "-fake-stream"), FakeStream
	case "-truncation":
		cut, t.feature = strings.LastIndex(name, "-anti-truncation"), AntiTruncation
	default:
		if t = thinking(name[cut:]); t.thinking == None {
			cut, t = budget(name, cut)
		}
	}
	if cut <= 0 {
		return "", token{}
	}
	t.text = name[cut:]
	return strings.TrimSpace(name[:cut]), t
}

func thinking(text string) (t token) {
	for level := Off; level <= Full; level++ {
		if text == level.String() {
			t.thinking = level
		}
	}
	return t
}

// budget reads `-thinking-8192`. Seven digits are more than any model thinks, and cannot overflow.
func budget(name string, cut int) (int, token) {
	const word = "-thinking"
	digits := name[cut+1:]
	if len(digits) == 0 || len(digits) > 7 || !strings.HasSuffix(name[:cut], word) {
		return 0, token{}
	}
	n := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, token{}
		}
		n = n*10 + int(digits[i]-'0')
	}
	return cut - len(word), token{thinking: On, budget: n, hasBudget: true}
}
