package wire

// Behind is the value of a member of the object doc whose quoted name ends at i, found without
// reading what precedes it: a name is one of doc itself when only members follow, up to the bracket
// that ends doc. nil means that it is not, or that doc is broken there. No backslash may stand before
// the name: its first quote would be a part of another one.
func Behind(doc []byte, i int) (value []byte) {
	for {
		i = space(doc, i)
		if i >= len(doc) || doc[i] != ':' {
			return nil
		}
		i = space(doc, i+1)
		end := skip(doc, i)
		if end < 0 {
			return nil
		}
		if value == nil {
			value = doc[i:end]
		}
		i = next(doc, end)
		if i >= len(doc) {
			return nil
		}
		if doc[i] == '}' {
			if space(doc, i+1) < len(doc) {
				return nil
			}
			return value
		}
		if doc[i] != '"' {
			return nil
		}
		if i = skipString(doc, i); i < 0 {
			return nil
		}
	}
}
