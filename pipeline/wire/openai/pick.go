package openai

import "gcli2api/pipeline/wire"

// mostPicked is how many members pick takes at once.
const mostPicked = 6

// pick gives the raw values of the named members of an object. Of members of one name the last one
// counts, as in most decoders; null is the same as none, and both are nil. Anything that is no object
// has no members.
func pick(v []byte, names ...string) (found [mostPicked][]byte) {
	if wire.KindOf(v) != wire.KindObject {
		return found
	}
	for o := wire.ObjectOf(v); o.Next(); {
		for i := range min(len(names), mostPicked) {
			if !o.Is(names[i]) {
				continue
			}
			if found[i] = o.Value; wire.KindOf(o.Value) == wire.KindNull {
				found[i] = nil
			}
			break
		}
	}
	return found
}

func pick1(v []byte, name string) []byte { return pick(v, name)[0] }

func pick2(v []byte, a, b string) (x, y []byte) {
	f := pick(v, a, b)
	return f[0], f[1]
}

func pick3(v []byte, a, b, c string) (x, y, z []byte) {
	f := pick(v, a, b, c)
	return f[0], f[1], f[2]
}

func pick4(v []byte, names [4]string) (x, y, z, last []byte) {
	f := pick(v, names[:]...)
	return f[0], f[1], f[2], f[3]
}
