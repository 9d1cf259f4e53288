package openai

import (
	"strconv"

	"gcli2api/pipeline/apierror"
)

// place is where in a request something stands, "messages[3].tool_calls[0].function": it becomes words
// only when there is an error.
type place struct {
	list  string
	at    int
	inner string // a list in the element, "" when the place is not in one
	nth   int
	tail  string // below the element
}

// String is the path.
func (p place) String() string {
	s := p.list + "[" + strconv.Itoa(p.at) + "]"
	if p.inner != "" {
		s += p.inner + "[" + strconv.Itoa(p.nth) + "]"
	}
	return s + p.tail
}

// refuse is the error for what stands below the place.
func (p place) refuse(below, why string) *apierror.Error { return refuse(p.String()+below, why) }

// below is the place of a member.
func (p place) below(member string) place {
	p.tail = member
	return p
}
