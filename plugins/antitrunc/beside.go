package antitrunc

import (
	"strconv"

	"gcli2api/pipeline/wire"
)

// beside is what stands beside the text of an answer and speaks of it.
type beside struct{ values [3][]byte }

// besideNames are its members.
func besideNames() [3]string {
	return [...]string{"groundingMetadata", "citationMetadata", "urlContextMetadata"}
}

func isBeside(key []byte) bool {
	switch string(key) {
	case "groundingMetadata", "citationMetadata", "urlContextMetadata":
		return true
	}
	return false
}

// keep takes a member over; the last one of an attempt counts.
func (b *beside) keep(key, value []byte, shift int) {
	for i, name := range besideNames() {
		if string(key) == name && wire.Filled(value) {
			b.values[i] = appendShifted(nil, value, shift)
		}
	}
}

// join takes over what an attempt has.
func (b *beside) join(from *beside) {
	for i, v := range from.values {
		b.values[i] = joined(b.values[i], v)
	}
}

// append appends the members to an object.
func (b *beside) append(dst []byte) []byte {
	for i, name := range besideNames() {
		if b.values[i] != nil {
			dst = append(wire.Key(dst, name), b.values[i]...)
		}
	}
	return dst
}

// joined makes one of two: lists are joined, of anything else the later one counts.
func joined(a, b []byte) []byte {
	if a == nil || b == nil {
		return append(append([]byte(nil), a...), b...)
	}
	chunks := 0
	for c := wire.ArrayOf(wire.Get(a, "groundingChunks")); c.Next(); {
		chunks++
	}
	dst := []byte{'{'}
	for o := wire.ObjectOf(b); o.Next(); {
		dst = wire.Key(dst, o.Key)
		if wire.KindOf(o.Value) != wire.KindArray {
			dst = append(dst, o.Value...)
			continue
		}
		dst = append(dst, '[')
		for e := wire.ArrayOf(wire.Get(a, string(o.Key))); e.Next(); {
			dst = append(wire.Comma(dst), e.Value...)
		}
		for e := wire.ArrayOf(o.Value); e.Next(); {
			dst = appendSupport(wire.Comma(dst), e.Value, chunks)
		}
		dst = append(dst, ']')
	}
	for o := wire.ObjectOf(a); o.Next(); {
		if wire.Get(b, string(o.Key)) == nil {
			dst = append(wire.Key(dst, o.Key), o.Value...)
		}
	}
	return append(dst, '}')
}

// appendSupport appends an element; what it says of the places of chunks is true behind so many others.
func appendSupport(dst, v []byte, chunks int) []byte {
	if wire.KindOf(v) != wire.KindObject {
		return append(dst, v...)
	}
	dst = append(dst, '{')
	for o := wire.ObjectOf(v); o.Next(); {
		dst = wire.Key(dst, o.Key)
		if !o.Is("groundingChunkIndices") {
			dst = append(dst, o.Value...)
			continue
		}
		dst = append(dst, '[')
		for e := wire.ArrayOf(o.Value); e.Next(); {
			dst = appendMoved(wire.Comma(dst), e.Value, chunks)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendShifted appends metadata of a continuation: places in its text are so many bytes further on in
// the answer.
func appendShifted(dst, v []byte, shift int) []byte {
	if shift == 0 || wire.KindOf(v) != wire.KindObject {
		return append(dst, v...)
	}
	dst = append(dst, '{')
	for o := wire.ObjectOf(v); o.Next(); {
		dst = wire.Key(dst, o.Key)
		supports := o.Is("groundingSupports")
		if !supports && !o.Is("citations") && !o.Is("citationSources") {
			dst = append(dst, o.Value...)
			continue
		}
		dst = append(dst, '[')
		for e := wire.ArrayOf(o.Value); e.Next(); {
			if dst = wire.Comma(dst); supports {
				dst = appendSegment(dst, e.Value, shift)
			} else {
				dst = appendSpan(dst, e.Value, shift)
			}
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendSegment(dst, support []byte, shift int) []byte {
	if wire.KindOf(support) != wire.KindObject {
		return append(dst, support...)
	}
	dst = append(dst, '{')
	for o := wire.ObjectOf(support); o.Next(); {
		if dst = wire.Key(dst, o.Key); o.Is("segment") {
			dst = appendSpan(dst, o.Value, shift)
		} else {
			dst = append(dst, o.Value...)
		}
	}
	return append(dst, '}')
}

// appendSpan appends an object with startIndex, which is 0 where it is not there, and endIndex.
func appendSpan(dst, v []byte, shift int) []byte {
	if wire.KindOf(v) != wire.KindObject {
		return append(dst, v...)
	}
	dst = append(dst, '{')
	begun := false
	for o := wire.ObjectOf(v); o.Next(); {
		dst = wire.Key(dst, o.Key)
		switch {
		case o.Is("startIndex"):
			begun = true
			dst = appendMoved(dst, o.Value, shift)
		case o.Is("endIndex"):
			dst = appendMoved(dst, o.Value, shift)
		default:
			dst = append(dst, o.Value...)
		}
	}
	if !begun {
		dst = strconv.AppendInt(wire.Key(dst, "startIndex"), int64(max(shift, 0)), 10)
	}
	return append(dst, '}')
}

func appendMoved(dst, v []byte, by int) []byte {
	n, ok := wire.Int(v)
	if !ok {
		return append(dst, v...)
	}
	return strconv.AppendInt(dst, max(n+int64(by), 0), 10)
}
