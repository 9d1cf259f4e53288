package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
)

// appendCalls appends the tool calls of a candidate. Their index runs through the whole answer:
// clients join calls of one index.
func (e *encoder) appendCalls(dst []byte, c *candidate, indexed bool) []byte {
	s := e.choice(c.index)
	dst = append(dst, '[')
	for i := range c.parts {
		if c.parts[i].kind != call {
			continue
		}
		dst = append(comma(dst), '{')
		if indexed {
			dst = strconv.AppendInt(key(dst, "index"), int64(s.calls), 10)
		}
		dst = e.appendCall(dst, &c.parts[i], uint64(c.index)<<32|uint64(s.calls))
		s.calls++
	}
	return append(dst, ']')
}

// appendCall appends the members of one call; nth makes its id when Google gave none.
func (e *encoder) appendCall(dst []byte, p *part, nth uint64) []byte {
	var id, name, args []byte
	for o := wire.ObjectOf(p.value); o.Next(); {
		switch string(o.Key) {
		case "id":
			id, _ = inside(o.Value)
		case "name":
			name, _ = inside(o.Value)
		case "args":
			args = o.Value
		}
	}
	dst = append(key(dst, "id"), '"')
	if len(id) > 0 {
		dst = append(dst, id...)
	} else {
		dst = appendID(dst, e.seed, nth)
	}
	dst = append(append(dst, `","type":"function","function":{"name":"`...), name...)
	dst = append(dst, `","arguments":`...)
	if wire.KindOf(args) == wire.KindObject {
		dst = wire.AppendQuotedBytes(dst, args)
	} else {
		dst = append(dst, `"{}"`...)
	}
	dst = append(dst, '}')
	// Where Google's own OpenAI layer puts it: clients that send it back keep the model's thread.
	if wire.KindOf(p.sign) == wire.KindString {
		dst = append(append(dst, `,"extra_content":{"google":{"thought_signature":`...), p.sign...)
		dst = append(dst, "}}"...)
	}
	return append(dst, '}')
}

// appendID makes call_ and 24 hex digits, the same for the same answer and place.
func appendID(dst []byte, seed, nth uint64) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, "call_"...)
	n := mix(seed ^ mix(nth))
	for i := range 24 {
		if i == 16 { // the first word has no more
			n = mix(n + seed)
		}
		dst = append(dst, hex[n>>60])
		n = n<<4 | n>>60
	}
	return dst
}

// hash is FNV-1a.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix is the finisher of splitmix64: neighbours become strangers.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
