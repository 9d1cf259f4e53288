package simulator

import "strings"

// dialect is the request language of one of Google's back ends.
type dialect byte

const (
	assist dialect = 'a' // v1internal, Code Assist
	studio dialect = 's' // generativelanguage, AI Studio
	vertex dialect = 'v' // aiplatform, Vertex
)

// field is one field of a message: what its value must look like.
type field struct {
	kind  string // string, bool, int32, int64, double, bytes, struct, value, map, enum, message
	of    string // message or enumeration that kind refers to
	list  bool
	oneof string
}

type enumeration struct {
	words []string
	fold  bool // words are accepted in any case
}

// spec holds the messages that one dialect knows, by name, their fields by camelCase name.
type spec struct {
	dialect  dialect
	messages map[string]map[string]field
	enums    map[string]enumeration
}

// newSpec reads specText for one dialect.
func newSpec(d dialect) *spec {
	s := &spec{dialect: d, messages: map[string]map[string]field{}, enums: map[string]enumeration{}}
	current := ""
	for line := range strings.Lines(specText) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case line[0] != ' ' && words[0] == "enum":
			s.addEnum(words[1:])
		case line[0] != ' ':
			current = words[0]
			s.messages[current] = map[string]field{}
		default:
			s.addField(current, words)
		}
	}
	return s
}

func (s *spec) addEnum(words []string) {
	name, fold := strings.CutSuffix(words[0], "*")
	words = words[1:]
	if strings.HasPrefix(words[0], "@") {
		if !s.marked(words[0]) {
			return
		}
		words = words[1:]
	}
	e := s.enums[name]
	s.enums[name] = enumeration{words: append(e.words, words...), fold: e.fold || fold}
}

func (s *spec) addField(message string, words []string) {
	f := field{}
	for _, mark := range words[2:] {
		if strings.HasPrefix(mark, "@") && !s.marked(mark) {
			return
		}
		if oneof, ok := strings.CutPrefix(mark, "%"); ok {
			f.oneof = oneof
		}
	}
	kind, list := strings.CutPrefix(words[1], "[]")
	f.list = list
	f.kind, f.of, _ = strings.Cut(kind, ":")
	if kind[0] >= 'A' && kind[0] <= 'Z' {
		f.kind, f.of = "message", kind
	}
	s.messages[message][words[0]] = f
}

// marked reports whether a mark such as "@a,v" names this dialect.
func (s *spec) marked(mark string) bool {
	return strings.IndexByte(mark[1:], byte(s.dialect)) >= 0
}

// camel turns snake_case into camelCase, as proto-JSON does with field names.
func camel(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	out := make([]byte, 0, len(name))
	up := false
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_':
			up = true
		case up && c >= 'a' && c <= 'z':
			out, up = append(out, c-'a'+'A'), false
		default:
			out, up = append(out, c), false
		}
	}
	return string(out)
}

// snake turns camelCase into snake_case: field paths in Google's messages are written that way.
func snake(name string) string {
	out := make([]byte, 0, len(name)+4)
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' {
			out = append(out, '_', c-'A'+'a')
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}
