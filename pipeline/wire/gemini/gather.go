package gemini

import (
	"strconv"

	"gcli2api/pipeline/wire"
)

// Gather joins the events of a stream to one whole reply. Texts are joined as they are written,
// escapes and all; everything else is kept raw. The zero value is ready; events are copied.
type Gather struct {
	candidates []gathered
	members    fields
	usage      fields
	sawUsage   bool
	size       int
}

// gathered is one candidate in the making.
type gathered struct {
	index   int
	parts   []byte // the elements of the list, the last one perhaps an open text
	open    run
	empty   bool // an empty text came: better than no part at all
	content fields
	members fields
}

// run is the kind of the text that parts ends with, to which the next one may be joined.
type run uint8

const (
	runNone run = iota
	runText
	runThought
)

// Add takes the next event over. An event that is no JSON object is refused and changes nothing.
func (g *Gather) Add(event []byte) error {
	var room [16]wire.Member
	members, err := wire.Scan(event, room[:0])
	if err != nil {
		return err
	}
	g.size += len(event)
	for i := range members {
		m := &members[i]
		switch string(m.Key) {
		case "candidates":
			place := 0
			for a := wire.ArrayOf(m.Value); a.Next(); place++ {
				if wire.KindOf(a.Value) == wire.KindObject {
					g.candidate(Index(a.Value, place)).add(a.Value)
				}
			}
		case "usageMetadata":
			g.sawUsage = true
			for o := wire.ObjectOf(m.Value); o.Next(); {
				g.usage.put(o.Key, o.Value)
			}
		default:
			g.members.put(m.Raw(event), m.Value)
		}
	}
	return nil
}

// Size is how many bytes of events were taken over, for whoever sets a limit.
func (g *Gather) Size() int { return g.size }

// Append appends the whole reply as it is now; more events may follow.
func (g *Gather) Append(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	if len(g.candidates) > 0 {
		dst, first = append(dst, `"candidates":[`...), false
		for i := range g.candidates {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = g.candidates[i].append(dst)
		}
		dst = append(dst, ']')
	}
	if g.sawUsage {
		if !first {
			dst = append(dst, ',')
		}
		dst, first = append(dst, `"usageMetadata":{`...), false
		dst, _ = g.usage.append(dst, true)
		dst = append(dst, '}')
	}
	dst, _ = g.members.append(dst, first)
	return append(dst, '}')
}

func (g *Gather) candidate(index int) *gathered {
	at := 0
	for at < len(g.candidates) && g.candidates[at].index < index {
		at++
	}
	if at == len(g.candidates) || g.candidates[at].index != index {
		g.candidates = append(g.candidates, gathered{})
		copy(g.candidates[at+1:], g.candidates[at:])
		g.candidates[at] = gathered{index: index}
	}
	return &g.candidates[at]
}

func (c *gathered) add(v []byte) {
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "content":
			for in := wire.ObjectOf(o.Value); in.Next(); {
				if string(in.Key) != "parts" {
					c.content.put(in.Key, in.Value)
					continue
				}
				for a := wire.ArrayOf(in.Value); a.Next(); {
					c.part(a.Value)
				}
			}
		default:
			c.members.put(o.Key, o.Value)
		}
	}
}

func (c *gathered) part(v []byte) {
	kind, text := plainText(v)
	switch {
	case kind == runNone:
		c.close()
		c.comma()
		c.parts = append(c.parts, v...)
		return
	case len(text) == 0:
		c.empty = true
		return
	case kind != c.open:
		c.close()
		c.comma()
		c.parts, c.open = append(c.parts, `{"text":"`...), kind
	}
	c.parts = append(c.parts, text...)
}

// plainText recognises a part that is text and nothing else, the only kind that may be joined.
func plainText(v []byte) (run, []byte) {
	p := PartOf(v)
	if p.Text == nil || p.Others > 0 || p.Signature != nil || p.Call != nil || p.Response != nil || p.hasData() {
		return runNone, nil
	}
	text, ok := wire.Inner(p.Text)
	switch {
	case !ok:
		return runNone, nil
	case p.Thought:
		return runThought, text
	}
	return runText, text
}

func (c *gathered) comma() {
	if len(c.parts) > 0 {
		c.parts = append(c.parts, ',')
	}
}

func (c *gathered) close() {
	c.parts, c.open = append(c.parts, c.open.end()...), runNone
}

func (r run) end() string {
	switch r {
	case runText:
		return `"}`
	case runThought:
		return `","thought":true}`
	}
	return ""
}

func (c *gathered) append(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	if len(c.parts) > 0 || c.empty || len(c.content) > 0 {
		dst, first = append(dst, `"content":{`...), false
		bare := true
		if len(c.parts) > 0 || c.empty {
			dst, bare = append(dst, `"parts":[`...), false
			if dst = append(dst, c.parts...); len(c.parts) == 0 {
				dst = append(dst, `{"text":""}`...)
			}
			dst = append(append(dst, c.open.end()...), ']')
		}
		dst, _ = c.content.append(dst, bare)
		dst = append(dst, '}')
	}
	dst, first = c.members.append(dst, first)
	if c.index > 0 && !c.members.has("index") {
		if !first {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `"index":`...), int64(c.index), 10)
	}
	return append(dst, '}')
}
