package gemini

// fields keeps members of an object in the order in which they first came.
type fields []field

type field struct {
	key   []byte // as written
	value []byte
}

// put keeps the last value that says something: a later empty one or zero does not wipe it out.
func (f *fields) put(key, value []byte) {
	for i := range *f {
		if old := &(*f)[i]; string(old.key) == string(key) {
			if !hollow(value) {
				old.value = append(old.value[:0], value...)
			}
			return
		}
	}
	*f = append(*f, field{key: append([]byte(nil), key...), value: append([]byte(nil), value...)})
}

func (f fields) has(key string) bool {
	for i := range f {
		if string(f[i].key) == key {
			return true
		}
	}
	return false
}

func (f fields) append(dst []byte, first bool) ([]byte, bool) {
	for i := range f {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(append(dst, '"'), f[i].key...), '"', ':')
		dst = append(dst, f[i].value...)
	}
	return dst, first
}

func hollow(v []byte) bool {
	switch string(v) {
	case "null", `""`, "[]", "{}", "0":
		return true
	}
	return false
}
