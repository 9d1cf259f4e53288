package wire

// Member is a top-level member of a scanned document; its slices are parts of the document.
type Member struct {
	Key     []byte // decoded: a part of the document unless Escaped
	Value   []byte // raw
	Start   int    // doc[Start:End] is the whole `"key": value`
	End     int
	Escaped bool // the key was written with escapes, which no honest client does
}

// maxMembers bounds what a body of a hundred million tiny members would cost: a Member is larger
// than the text that it describes. No format has more than a few dozen.
const maxMembers = 1 << 10

// Scan appends the members of the object doc to dst. It is as strict as Check, in one pass, so that
// what it accepted may be cut and spliced without another look. The error is a *SyntaxError.
// Members of one name are all listed; Duplicate tells.
func Scan(doc []byte, dst []Member) ([]Member, error) {
	fail := func(at int, why string) ([]Member, error) { return dst, &SyntaxError{Offset: at, Why: why} }
	i, had := start(doc), len(dst)
	if i >= len(doc) {
		return fail(len(doc), whyEnd)
	}
	if doc[i] != '{' {
		return fail(i, "an object was expected")
	}
	if i = space(doc, i+1); i < len(doc) && doc[i] == '}' {
		i++
	} else {
		for more := true; more; {
			m, end, why := member(doc, i)
			if why != "" {
				return fail(end, why)
			}
			if len(dst)-had >= maxMembers {
				return fail(i, "too many members")
			}
			dst = append(dst, m)
			if i = space(doc, end); i >= len(doc) {
				return fail(i, whyEnd)
			}
			if more = doc[i] == ','; !more && doc[i] != '}' {
				return fail(i, whyComma)
			}
			if i++; more {
				i = space(doc, i)
			}
		}
	}
	if i = space(doc, i); i < len(doc) {
		return fail(i, "text behind the end of the document")
	}
	return dst, nil
}

// member reads the member at i strictly.
func member(doc []byte, i int) (m Member, end int, why string) {
	at, why := strictKey(doc, i)
	if why != "" {
		return m, at, why
	}
	key := doc[i+1 : skipString(doc, i)-1]
	if end, why = strict(doc, at, 1); why != "" {
		return m, end, why
	}
	m = Member{Key: key, Value: doc[at:end], Start: i, End: end}
	for _, c := range key {
		if c == '\\' {
			m.Key, m.Escaped = unescape(nil, key), true
			break
		}
	}
	return m, end, ""
}

// Find is the index of the first member called name, -1 when there is none.
func Find(members []Member, name string) int {
	for i := range members {
		if string(members[i].Key) == name {
			return i
		}
	}
	return -1
}

// Duplicate names the first member that a document has twice.
func Duplicate(members []Member) (name string, found bool) {
	if len(members) > 32 { // a hostile body must not make this quadratic
		seen := make(map[string]struct{}, len(members))
		for i := range members {
			if _, again := seen[string(members[i].Key)]; again {
				return string(members[i].Key), true
			}
			seen[string(members[i].Key)] = struct{}{}
		}
		return "", false
	}
	for i := range members {
		if Find(members[:i], string(members[i].Key)) >= 0 {
			return string(members[i].Key), true
		}
	}
	return "", false
}

// Raw is the key between its quotes as it is written in doc, which was scanned.
func (m *Member) Raw(doc []byte) []byte { return doc[m.Start+1 : skipString(doc, m.Start)-1] }
