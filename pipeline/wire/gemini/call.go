// Package gemini is the hub format: requests under edit, views of replies, errors of Google.
//
// A request or reply in this format is never decoded into values as a whole. A Call keeps the
// client's bytes and a list of edits by top-level member; replies are read in place. What nobody
// asks about goes through as it was written, also members that this code has never heard of.
package gemini

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// Call is a request in the hub format under edit: the raw bytes and the edits by top-level member.
//
// Copies share their edits; edit one of them only, or Clone. Values that are Set are not copied and
// must stay untouched until the call was rendered for the last time, and so must the body.
type Call struct {
	body    []byte
	members []entry // in the order in which they are rendered
	undo    []undo
	room    [6]entry // for members, so that most calls need no memory of their own
}

type entry struct {
	name  string
	value []byte
	start int // body[start:end] is the member as the client wrote it
	end   int
	state state
}

type state uint8

const (
	asWritten state = iota
	replaced
	deleted
)

// undo is what an edit overwrote; a new member has slot -1.
type undo struct {
	slot  int
	value []byte
	state state
}

// Mark is a point in the history of a Call to come back to.
type Mark int

// NewCall reads body, which must be one JSON object, whole and strictly. The error is a bad_request
// that names the offset, or the member that the body has twice, in whichever spellings.
func NewCall(body []byte) (c Call, fail *apierror.Error) {
	var room [16]wire.Member
	members, err := wire.Scan(body, room[:0])
	if err != nil {
		return Call{}, apierror.Wrap(apierror.BadRequest, "the request body is not a JSON object: "+err.Error(), err)
	}
	fail = c.Take(body, members)
	return c, fail
}

// Take is NewCall for a body that was scanned already: members is what wire.Scan found in it. What c
// was before is forgotten.
func (c *Call) Take(body []byte, members []wire.Member) *apierror.Error {
	*c = Call{body: body}
	c.members = c.room[:0]
	for i := range members {
		m := &members[i]
		name := canonicalKey(m.Key)
		if c.slot(name) >= 0 {
			*c = Call{}
			return apierror.Newf(apierror.BadRequest, "the request body has the member %q more than once", name).Naming(name)
		}
		c.members = append(c.members, entry{name: name, value: m.Value, start: m.Start, end: m.End})
	}
	return nil
}

// TakeMade is Take for a body that this program wrote of parts that were checked: it is taken apart
// and not checked again.
func (c *Call) TakeMade(body []byte) {
	*c = Call{body: body}
	c.members = c.room[:0]
	for o := wire.ObjectOf(body); o.Next(); {
		// What is left of the body's capacity tells where a part of it begins.
		start, end := cap(body)-cap(o.Key)-1, cap(body)-cap(o.Value)+len(o.Value)
		c.members = append(c.members, entry{name: canonicalKey(o.Key), value: o.Value, start: start, end: end})
	}
}

// IsZero reports whether there is no call at all.
func (c *Call) IsZero() bool { return c.body == nil && len(c.members) == 0 }

// Clone is a call with its own edits over the same body.
func (c *Call) Clone() Call {
	n := *c
	n.members = append(make([]entry, 0, len(c.members)+4), c.members...)
	n.undo = append([]undo(nil), c.undo...)
	return n
}

// Get returns the raw value of a top-level member as the edits left it. A camelCase name finds the
// snake_case spelling as well.
func (c *Call) Get(member string) ([]byte, bool) {
	if i := c.slot(member); i >= 0 && c.members[i].state != deleted {
		return c.members[i].value, true
	}
	return nil, false
}

// Set gives a top-level member a value, which must be JSON and is not copied; the last Set wins. A
// new member comes last in the order.
func (c *Call) Set(member string, value []byte) {
	c.edit(Canonical(member), value, replaced)
}

// Delete removes a top-level member, if it is there.
func (c *Call) Delete(member string) {
	if i := c.slot(member); i >= 0 && c.members[i].state != deleted {
		c.edit(member, nil, deleted)
	}
}

// Mark is the present state, to which Restore comes back.
func (c *Call) Mark() Mark { return Mark(len(c.undo)) }

// Restore undoes all edits since m.
func (c *Call) Restore(m Mark) {
	for len(c.undo) > max(int(m), 0) {
		u := c.undo[len(c.undo)-1]
		c.undo = c.undo[:len(c.undo)-1]
		if u.slot < 0 {
			c.members = c.members[:len(c.members)-1]
			continue
		}
		c.members[u.slot].value, c.members[u.slot].state = u.value, u.state
	}
}

// Len is how many members the call has now.
func (c *Call) Len() int {
	n := 0
	for i := range c.members {
		if c.members[i].state != deleted {
			n++
		}
	}
	return n
}

// At is the i-th member in order, its name in camelCase when it is a known one.
func (c *Call) At(i int) (name string, value []byte) {
	for k := range c.members {
		m := &c.members[k]
		if m.state == deleted {
			continue
		}
		if i == 0 {
			return m.name, m.value
		}
		i--
	}
	return "", nil
}

// Contents iterates over the turns.
func (c *Call) Contents() wire.Array {
	v, _ := c.Get("contents")
	return wire.ArrayOf(v)
}

// Size is how many bytes AppendTo appends, or a few more.
func (c *Call) Size() int {
	n := 2
	for i := range c.members {
		n += len(c.members[i].name)*2 + len(c.members[i].value) + 4
		if c.members[i].state == asWritten {
			n += c.members[i].end - c.members[i].start - len(c.members[i].value)
		}
	}
	return n
}

// AppendTo appends the whole body with its edits: one copy, members that were not edited byte for
// byte. A zero Call is an empty object.
func (c *Call) AppendTo(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	for i := range c.members {
		m := &c.members[i]
		if m.state == deleted {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if m.state == asWritten {
			dst = append(dst, c.body[m.start:m.end]...)
			continue
		}
		dst = append(wire.AppendQuoted(dst, m.name), ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}')
}

func (c *Call) edit(name string, value []byte, s state) {
	i := c.slot(name)
	if i < 0 {
		c.undo = append(c.undo, undo{slot: -1})
		c.members = append(c.members, entry{name: name, value: value, state: s})
		return
	}
	m := &c.members[i]
	c.undo = append(c.undo, undo{slot: i, value: m.value, state: m.state})
	m.value, m.state = value, s
}

// slot finds a member, deleted ones too: their place is taken again by a later Set.
func (c *Call) slot(name string) int {
	for i := range c.members {
		if c.members[i].name == name {
			return i
		}
	}
	if known := Canonical(name); known != name {
		return c.slot(known)
	}
	return -1
}
