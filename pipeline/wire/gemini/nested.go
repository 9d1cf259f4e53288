package gemini

import "gcli2api/pipeline/wire"

// GetIn returns the raw value of a member of a top-level object: GetIn("generationConfig", "topP").
// Either name finds the snake_case spelling as well.
func (c *Call) GetIn(parent, member string) ([]byte, bool) {
	v, ok := c.Get(parent)
	if !ok {
		return nil, false
	}
	return Find(v, member)
}

// SetIn gives a member of a top-level object a value; an object that is not there (or null) is
// made. A parent that is something else stays as it is: Google refuses it with better words.
func (c *Call) SetIn(parent, member string, value []byte) { c.rebuild(parent, member, value) }

// DeleteIn removes a member of a top-level object, if it is there.
func (c *Call) DeleteIn(parent, member string) {
	if _, ok := c.GetIn(parent, member); ok {
		c.rebuild(parent, member, nil)
	}
}

func (c *Call) rebuild(parent, member string, value []byte) {
	v, ok := c.Get(parent)
	if kind := wire.KindOf(v); ok && kind != wire.KindObject && kind != wire.KindNull {
		return
	}
	dst := make([]byte, 0, len(v)+len(member)+len(value)+8)
	c.Set(parent, AppendWith(dst, v, member, value))
}

// Find returns the raw value of a member of an object by its canonical name, in either spelling.
func Find(object []byte, member string) ([]byte, bool) {
	name := Canonical(member)
	for o := wire.ObjectOf(object); o.Next(); {
		if sameName(o.Key, name) {
			return o.Value, true
		}
	}
	return nil, false
}

// AppendWith appends a copy of an object in which member has the value, or is gone when value is
// nil. All spellings of the member go, the other members stay as they are written.
func AppendWith(dst, object []byte, member string, value []byte) []byte {
	name := Canonical(member)
	dst = append(dst, '{')
	empty := len(dst)
	for o := wire.ObjectOf(object); o.Next(); {
		if sameName(o.Key, name) {
			continue
		}
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), o.Key...), '"', ':')
		dst = append(dst, o.Value...)
	}
	if value != nil {
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(append(wire.AppendQuoted(dst, name), ':'), value...)
	}
	return append(dst, '}')
}
