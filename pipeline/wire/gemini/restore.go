package gemini

import (
	"bytes"

	"gcli2api/pipeline/wire"
)

// Restorer gives the calls of an answer what a client of another language needs: the names that it
// declared, and an id of ours each, under which the signature is remembered. A call of a function that
// its name alone does not tell has Google's name beside it, as "declared", for Tools.Client. One per
// answer.
type Restorer struct {
	Tools  *Tools // may be nil
	Seed   string // not the same for two answers
	Prefix string // of ids: "call_"
	Mixed  bool   // Google may run tools of its own before the calls: what it did is kept with the next one

	made   []Made
	n      uint64
	seed   uint64
	buf    []byte
	before []byte // parts of Google's own tools since the last call
	over   bool   // there were more than are kept
}

// Made is a call of the answer: the id that the client gets, and what Google said with it.
type Made struct {
	ID        string
	Google    string // its own id
	Signature string
	Before    string // as in Remembered
	Over      bool   // there is more in front of it than is kept: the signature, which covers that, is no good
}

// mostBefore bounds what is kept in front of one call.
const mostBefore = 64 << 10

// Event gives the event (or the whole reply) as the client is to see it: data itself where there is
// no call, else memory that is good until the next Event. Made then lists the calls of this event.
func (r *Restorer) Event(data []byte) []byte {
	r.made = r.made[:0]
	if !bytes.Contains(data, []byte(`"functionCall"`)) && !(r.Mixed && MayHaveServerParts(data)) {
		return data
	}
	out, from := r.buf[:0], 0
	for c := wire.CursorOf(data); c.Member(); {
		if string(c.Key) != "candidates" {
			c.Skip()
			continue
		}
		for in := c.Array(); in && c.Element(); {
			for in := c.Object(); in && c.Member(); {
				if string(c.Key) != "content" {
					c.Skip()
					continue
				}
				for in := c.Object(); in && c.Member(); {
					if string(c.Key) != "parts" {
						c.Skip()
						continue
					}
					out, from = r.parts(out, data, &c, from)
				}
			}
		}
	}
	if r.buf = append(out, data[from:]...); from == 0 {
		return data
	}
	return r.buf
}

// parts copies what stands before each call, and writes the call anew.
func (r *Restorer) parts(out, data []byte, c *wire.Cursor, from int) ([]byte, int) {
	for in := c.Array(); in && c.Element(); {
		raw := c.Value()
		if raw == nil {
			break
		}
		p := PartOf(raw)
		if r.Mixed && p.OfServer() {
			r.keep(raw)
		}
		if wire.KindOf(p.Call) != wire.KindObject {
			continue
		}
		if r.Tools != nil && r.Tools.Single && r.n > 0 {
			// The client takes one call: the model asks for the others again, once it has the result.
			begin := cap(data) - cap(raw) // all slices of data end where its memory ends
			out = bytes.TrimRight(append(out, data[from:begin]...), ", \r\n\t")
			from = begin + len(raw)
			if out[len(out)-1] == '[' { // the first of its list takes the comma behind it along
				from += leadingComma(data[from:])
			}
			continue
		}
		begin := cap(data) - cap(p.Call)
		out = r.call(append(out, data[from:begin]...), &p)
		from = begin + len(p.Call)
	}
	return out, from
}

// keep holds a part until the call comes that it stands in front of.
func (r *Restorer) keep(part []byte) {
	if r.over = r.over || len(r.before)+len(part)+1 > mostBefore; r.over {
		r.before = nil
		return
	}
	if len(r.before) > 0 {
		r.before = append(r.before, ',')
	}
	r.before = append(r.before, part...)
}

// leadingComma is the length of white space and a comma in front of data.
func leadingComma(data []byte) int {
	i := 0
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t') {
		i++
	}
	if i < len(data) && data[i] == ',' {
		return i + 1
	}
	return 0
}

func (r *Restorer) call(out []byte, p *Part) []byte {
	var m Made
	var name, args []byte
	for o := wire.ObjectOf(p.Call); o.Next(); {
		switch string(o.Key) {
		case "id":
			m.Google, _ = wire.Text(o.Value)
		case "name":
			name = o.Value
		case "args":
			args = o.Value
		}
	}
	if s, ok := wire.Inner(p.Signature); ok {
		m.Signature = string(s)
	}
	m.ID, m.Before, m.Over = r.id(), string(r.before), r.over
	r.before, r.over = r.before[:0], false
	r.made = append(r.made, m)
	out = wire.AppendQuoted(append(out, `{"id":`...), m.ID)
	out = append(out, `,"name":`...)
	if f, ok := r.Tools.Client(wire.AppendText(nil, name)); ok {
		if out = wire.AppendQuoted(out, f.Client); f.Namespace != "" || f.Kind != "" {
			out = wire.AppendQuoted(append(out, `,"declared":`...), f.Google)
		}
	} else if wire.KindOf(name) == wire.KindString {
		out = append(out, name...)
	} else {
		out = append(out, `""`...)
	}
	if wire.KindOf(args) == wire.KindObject {
		return append(append(append(out, `,"args":`...), args...), '}')
	}
	return append(out, `,"args":{}}`...)
}

// Made lists the calls of the last event.
func (r *Restorer) Made() []Made { return r.made }

// id makes the prefix and 24 hex digits, the same for the same answer and place.
func (r *Restorer) id() string {
	if r.seed == 0 {
		r.seed = Hash(r.Seed)
	}
	var room [64]byte
	b := AppendID(append(room[:0], r.Prefix...), r.seed, r.n, 24)
	r.n++
	return string(b)
}
