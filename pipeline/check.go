package pipeline

import (
	"fmt"
	"strings"
)

// OrderError says what is wrong with a list, pinned to a stage where there is one.
type OrderError struct {
	Stage   string
	Message string
}

// Error is the sentence for the operator.
func (e *OrderError) Error() string { return e.Message }

func wrong(stage, format string, args ...any) error {
	return &OrderError{stage, fmt.Sprintf(format, args...)}
}

// plan is a list that is being checked: kinds in order, with what is switched off.
type plan struct {
	kinds []*Kind
	off   []bool
	index map[string]int
}

func newPlan(kinds map[string]*Kind, c Settings) (*plan, error) {
	order := c.Order()
	if len(order) > 64 {
		return nil, wrong("", "pipeline.order has %d stages; 64 are allowed", len(order))
	}
	p := &plan{index: make(map[string]int, len(order))}
	for i, name := range order {
		k := kinds[name]
		if k == nil {
			return nil, wrong(name, "unknown stage %q at position %d%s", name, i+1, suggest(name, kinds))
		}
		if j, twice := p.index[name]; twice {
			return nil, wrong(name, "stage %q stands in the list twice, at positions %d and %d", name, j+1, i+1)
		}
		p.index[name] = i
		p.kinds, p.off = append(p.kinds, k), append(p.off, !c.Enabled(name))
	}
	return p, nil
}

// gives says whether the place at i settles f: an enabled stage, or what stands in for one that is off.
func (p *plan) gives(i int, f Fact) bool {
	if p.off[i] && p.kinds[i].Off == nil {
		return false
	}
	for _, g := range p.kinds[i].Gives {
		if g == f {
			return true
		}
	}
	return false
}

// settled is the first position that settles f, -1 when none does.
func (p *plan) settled(f Fact) int {
	for i := range p.kinds {
		if p.gives(i, f) {
			return i
		}
	}
	return -1
}

func (p *plan) check() error {
	for i, k := range p.kinds {
		if p.off[i] {
			continue
		}
		for _, f := range k.Needs {
			if err := p.needs(i, f); err != nil {
				return err
			}
		}
		for _, f := range k.Before {
			if at := p.settled(f); at >= 0 && at < i {
				return wrong(k.Name, "stage %q (position %d) must stand before %q is settled, which %q does at position %d: move %q before %q",
					k.Name, i+1, f, p.kinds[at].Name, at+1, k.Name, p.kinds[at].Name)
			}
		}
	}
	return p.complete()
}

func (p *plan) needs(i int, f Fact) error {
	at, k := p.settled(f), p.kinds[i]
	switch {
	case at >= 0 && at < i:
		return nil
	case at > i:
		return wrong(k.Name, "stage %q (position %d) needs %q, which %q settles at position %d: move %q before %q",
			k.Name, i+1, f, p.kinds[at].Name, at+1, p.kinds[at].Name, k.Name)
	}
	return wrong(k.Name, "stage %q (position %d) needs %q, which no enabled stage settles%s", k.Name, i+1, f, p.whoCould(f))
}

// whoCould names the stage in the list that is off and would settle f.
func (p *plan) whoCould(f Fact) string {
	for i, k := range p.kinds {
		for _, g := range k.Gives {
			if g == f && p.off[i] {
				return fmt.Sprintf(": switch %q on", k.Name)
			}
		}
	}
	return ": add a stage that does"
}

// complete checks what every list must give in the end.
func (p *plan) complete() error {
	for _, f := range []Fact{HasCaller, HasReply, HasEncoder} {
		if p.settled(f) < 0 {
			return wrong("", "the list settles no %q%s", f, p.whoCould(f))
		}
	}
	return nil
}

// turn is the last place that gives the reply.
func (p *plan) turn() int {
	for i := len(p.kinds) - 1; i >= 0; i-- {
		if p.gives(i, HasReply) && !p.off[i] {
			return i
		}
	}
	return len(p.kinds) - 1
}

// split is the place after which it is known whether the client wants a stream.
func (p *plan) split() int {
	return max(p.settled(HasFormat), p.settled(HasCaller))
}

// String is the list on one line, what is off in brackets.
func (p *plan) String() string {
	names := make([]string, len(p.kinds))
	for i, k := range p.kinds {
		names[i] = k.Name
		if p.off[i] {
			names[i] = "(" + k.Name + ")"
		}
	}
	return strings.Join(names, " ")
}
