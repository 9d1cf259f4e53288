package schema

import (
	"strconv"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
)

// How much is said in words: of one keyword, of all of a schema, and how long a name may be.
const (
	maxHint  = 240
	maxHints = 1000
	maxName  = 48
)

// hint is what a keyword that Google does not know says, in words.
type hint struct{ keyword, text string }

// hint adds words to the description. Of one keyword there may be several unless it can only have
// one value; then the later counts if it wins.
func (j *job) hint(n *node, h hint, wins bool) *fault {
	size := 0
	for i := range n.hints {
		old := &n.hints[i]
		if old.text == h.text {
			return nil
		}
		if old.keyword == h.keyword && annotation(h.keyword) {
			if wins {
				*old = h
			}
			return nil
		}
		size += len(old.text)
	}
	if size+len(h.text) > maxHints {
		j.note(h.keyword)
		return nil
	}
	if n.hints == nil {
		n.hints = make([]hint, 0, 2)
	}
	n.hints = append(n.hints, h)
	return j.spend(len(h.text))
}

func annotation(keyword string) bool {
	return keyword == "default" || keyword == "example" || keyword == "examples"
}

// hintFor is the words for the keyword key with the value c; false when it is not one of them.
func (j *job) hintFor(n *node, key string, c int32) (bool, *fault) {
	say := ""
	switch key {
	case "pattern", "default", "example", "contains", "not", "enumDescriptions", "enumNames":
		say = key + ": "
	case "propertyNames":
		say = "property names: "
	case "contentEncoding":
		say = "encoding: "
	case "contentMediaType":
		say = "media type: "
	case "multipleOf":
		say = "multiple of "
	case "minLength", "maxLength", "minProperties", "maxProperties", "minContains", "maxContains":
		return true, j.bound(n, key, c)
	case "uniqueItems":
		if !j.isTrue(c) {
			return true, nil
		}
		return true, j.hint(n, hint{key, "no duplicates"}, true)
	case "examples":
		return true, j.examples(n, c)
	case "dependentRequired", "dependentSchemas", "dependencies":
		return true, j.dependent(n, key, c)
	default:
		return false, nil
	}
	return true, j.sayValue(n, hint{key, say}, c)
}

// sayValue adds a hint that ends in the value c, if that is short.
func (j *job) sayValue(n *node, h hint, c int32) *fault {
	var room [2 * maxHint]byte
	text := append(room[:0], h.text...)
	switch text = j.said(text, h.keyword, c); {
	case len(text) <= maxHint:
		h.text = string(text)
	case j.v[c].child == 0: // a long text says something although it is cut
		h.text = cut(string(text), maxHint)
	default:
		j.note(h.keyword)
		return nil
	}
	return j.hint(n, h, true)
}

// said appends the value c; a pattern or a media type reads better without quotes.
func (j *job) said(dst []byte, keyword string, c int32) []byte {
	if annotation(keyword) || j.v[c].child != 0 || len(j.v[c].raw) < 2 || j.v[c].raw[0] != '"' {
		return j.compact(dst, c, maxHint)
	}
	return append(dst, j.text(c)...)
}

func (j *job) bound(n *node, key string, c int32) *fault {
	if len(j.v[c].raw) > 20 || len(j.v[c].raw) == 0 {
		return nil
	}
	word, of := "at least ", " characters"
	if key[:3] == "max" {
		word = "at most "
	}
	switch key[3:] {
	case "Properties":
		of = " properties"
	case "Contains":
		of = " matching items"
	}
	number := string(j.number(c))
	if number == "0" && key[:3] == "min" || number == "" {
		return nil
	}
	if number == "1" {
		of = map[string]string{" characters": " character", " properties": " property", " matching items": " matching item"}[of]
	}
	return j.hint(n, hint{key, word + number + of}, true)
}

func (j *job) examples(n *node, c int32) *fault {
	text := []byte("examples: ")
	had := len(text)
	for e := j.v[c].child; e != 0; e = j.v[e].next {
		at := len(text)
		if at > had {
			text = append(text, ", "...)
		}
		if text = j.compact(text, e, maxHint); len(text) > maxHint {
			text = text[:at]
			break
		}
	}
	if len(text) == had {
		return nil
	}
	return j.hint(n, hint{"examples", string(text)}, true)
}

// dependent says which properties ask for which others. A schema among them is said as it is.
func (j *job) dependent(n *node, key string, c int32) *fault {
	for m := j.v[c].child; m != 0; m = j.v[m].next {
		h := hint{key, cut(string(j.v[m].key), maxName) + " requires "}
		for e, first := j.v[m].child, true; e != 0 && j.v[e].key == nil && len(h.text) <= maxHint; e, first = j.v[e].next, false {
			if !first {
				h.text += ", "
			}
			h.text += cut(string(j.said(nil, "", e)), maxName)
		}
		var f *fault
		if j.v[m].kind == wire.KindObject || j.v[m].child == 0 {
			f = j.sayValue(n, h, m)
		} else {
			f = j.hint(n, h, true)
		}
		if f != nil {
			return f
		}
	}
	return nil
}

// condition says if, then and else of the schema i.
func (j *job) condition(n *node, i int32) *fault {
	var text []byte
	for _, key := range [...]string{"if", "then", "else"} {
		c := j.member(i, key)
		if c == 0 && key == "if" {
			return nil
		}
		if c == 0 {
			continue
		}
		if len(text) > 0 {
			text = append(text, ' ')
		}
		text = append(append(text, key...), ' ')
		if text = j.compact(text, c, maxHint); len(text) > maxHint {
			j.note("if")
			return nil
		}
	}
	return j.hint(n, hint{"if", string(text)}, true)
}

// describe moves the hints into the description.
func (n *node) describe() {
	if len(n.hints) == 0 {
		return
	}
	size := len(n.description) + 3
	for _, h := range n.hints {
		size += len(h.text) + 2
	}
	text := append(make([]byte, 0, size), n.description...)
	if len(text) > 0 {
		text = append(text, " ("...)
	}
	for i, h := range n.hints {
		if i > 0 {
			text = append(text, "; "...)
		}
		text = append(text, h.text...)
	}
	if len(n.description) > 0 {
		text = append(text, ')')
	}
	n.description, n.hints = text, nil
	n.came(wDescription)
}

// cut shortens s to some n bytes, between two runes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n -= len("..."); n > 0 && !utf8.RuneStart(s[n]); n-- {
	}
	return s[:n] + "..."
}

func quoted(s []byte) string { return strconv.Quote(cut(string(s), maxName)) }
