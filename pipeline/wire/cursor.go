package wire

// Cursor reads a document in one pass, going down into what is of interest without first looking
// for its end, as Object and Array must. It is for views of events, which are taken per event:
//
//	for c := wire.CursorOf(doc); c.Member(); {
//		switch string(c.Key) { case "parts": for n := c.Array(); n && c.Element(); { use(c.Value()) }
//		default: c.Skip() }
//	}
//
// Each value must be passed by exactly one of Value, Skip, or a loop after Object or Array that
// ran to its end. It is as tolerant as Object; after a break everything returns false or nil.
type Cursor struct {
	Key []byte // of the member that Member moved to, escapes as written

	doc []byte
	pos int
	bad bool
}

// CursorOf stands behind the opening brace of the object doc; Member is next. It is broken when
// doc is no object.
func CursorOf(doc []byte) Cursor {
	c := Cursor{doc: doc, pos: start(doc)}
	if c.bad = c.pos == len(doc) || doc[c.pos] != '{'; !c.bad {
		c.pos++
	}
	return c
}

// Broken reports whether the document ended or was no JSON where the cursor stands.
func (c *Cursor) Broken() bool { return c.bad }

// Member moves to the next member of the object that is open, or behind its end.
func (c *Cursor) Member() bool {
	b, i := c.doc, next(c.doc, c.pos)
	if c.bad || i >= len(b) || b[i] != '"' {
		return c.leave(i, '}')
	}
	end := skipString(b, i)
	if end < 0 {
		return c.leave(len(b), '}')
	}
	at := space(b, end)
	if at >= len(b) || b[at] != ':' {
		return c.leave(len(b), '}')
	}
	c.Key, c.pos = b[i+1:end-1], space(b, at+1)
	return true
}

// Element moves to the next element of the array that is open, or behind its end.
func (c *Cursor) Element() bool {
	i := next(c.doc, c.pos)
	if c.bad || i >= len(c.doc) || c.doc[i] == ']' || c.doc[i] == '}' || c.doc[i] == ':' {
		return c.leave(i, ']')
	}
	c.pos = i
	return true
}

func (c *Cursor) leave(i int, bracket byte) bool {
	if c.bad = c.bad || i >= len(c.doc) || c.doc[i] != bracket; !c.bad {
		c.pos = i + 1
	}
	return false
}

// Kind is what the value is that the cursor stands on.
func (c *Cursor) Kind() Kind {
	if c.bad {
		return KindNone
	}
	return KindOf(c.doc[c.pos:])
}

// Object goes down into the value when it is an object, and passes it otherwise.
func (c *Cursor) Object() bool { return c.down('{') }

// Array goes down into the value when it is an array, and passes it otherwise.
func (c *Cursor) Array() bool { return c.down('[') }

func (c *Cursor) down(bracket byte) bool {
	if !c.bad && c.pos < len(c.doc) && c.doc[c.pos] == bracket {
		c.pos++
		return true
	}
	c.Skip()
	return false
}

// Value returns the raw value and passes it; nil after a break.
func (c *Cursor) Value() []byte {
	from := c.pos
	c.Skip()
	if c.bad {
		return nil
	}
	return c.doc[from:c.pos]
}

// Skip passes the value.
func (c *Cursor) Skip() {
	if c.bad {
		return
	}
	if end := skip(c.doc, c.pos); end >= 0 {
		c.pos = end
	} else {
		c.bad = true
	}
}
