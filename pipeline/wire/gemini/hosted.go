package gemini

import (
	"bytes"
	"slices"

	"gcli2api/pipeline/wire"
)

// The two forms of Google's search: models before 2.0 take the older one only, all later ones the newer.
const (
	Search    = "googleSearch"
	OldSearch = "googleSearchRetrieval"
)

// Hosted is a tool that Google runs itself, as a client of another language asks for it.
type Hosted struct {
	Google string // the member of a tool: "googleSearch"
	Client string // what the client calls it: "web_search_options", "tools[2]"
}

// Host takes note of a tool that Google runs itself.
func (t *Tools) Host(google, client string) {
	t.Hosted = append(t.Hosted, Hosted{Google: google, Client: client})
}

// AskedBy lists what the client calls a tool of Google's own, each name once. A nil t has none.
func (t *Tools) AskedBy(google string) (names []string) {
	if t == nil {
		return nil
	}
	for _, h := range t.Hosted {
		if h.Google == google && !slices.Contains(names, h.Client) {
			names = append(names, h.Client)
		}
	}
	return names
}

// ServerTools is the member of toolConfig that lets functions stand beside Google's own tools. The Gemini API
// knows it from the third generation on, Code Assist does not (protocol 7).
const ServerTools = "includeServerSideToolInvocations"

// Toolset is what stands in the member tools of a request.
type Toolset struct {
	Functions bool     // at least one is declared
	Hosted    []string // Google's own tools in camelCase, each once
}

// Has tells whether Google's own tool of this name is there.
func (t *Toolset) Has(name string) bool { return slices.Contains(t.Hosted, name) }

// ToolsetOf reads the raw value of tools.
func ToolsetOf(tools []byte) (t Toolset) {
	for a := wire.ArrayOf(tools); a.Next(); {
		for o := wire.ObjectOf(a.Value); o.Next(); {
			switch name := toolName(o.Key); {
			case wire.KindOf(o.Value) == wire.KindNull:
			case name == functionDeclarations:
				t.Functions = t.Functions || wire.Filled(o.Value)
			case !slices.Contains(t.Hosted, name):
				t.Hosted = append(t.Hosted, name)
			}
		}
	}
	return t
}

const functionDeclarations = "functionDeclarations"

// AppendTools appends tools with those of Google's own tools only that keep allows; functions stay. A tool
// of which nothing is left is left out.
func AppendTools(dst, tools []byte, keep func(name string) bool) []byte {
	dst = append(dst, '[')
	for a := wire.ArrayOf(tools); a.Next(); {
		begin := len(dst)
		dst = append(wire.Comma(dst), '{')
		open := len(dst)
		for o := wire.ObjectOf(a.Value); o.Next(); {
			if name := toolName(o.Key); name == functionDeclarations || keep(name) {
				dst = append(wire.Key(dst, o.Key), o.Value...)
			}
		}
		if len(dst) == open {
			dst = dst[:begin]
			continue
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// toolName is the camelCase name of a member of a tool, as written.
func toolName(key []byte) string {
	if bytes.IndexByte(key, '\\') >= 0 {
		key = unquoted(key)
	}
	return canonicalKey(key)
}

// OfServer tells a part that is a call or a result of a tool which Google runs itself.
func (p *Part) OfServer() bool { return p.ToolCall != nil || p.ToolResponse != nil }

// MayHaveServerParts is a quick look for parts of tools that Google runs itself: false is sure.
func MayHaveServerParts(data []byte) bool { return bytes.Contains(data, []byte(`"tool`)) }

// WithoutServerParts appends contents without the parts of tools that Google runs itself, and without a turn
// that has nothing else; some is false when there is none, and then nothing is appended.
func WithoutServerParts(dst, contents []byte) (out []byte, some bool) {
	if !MayHaveServerParts(contents) {
		return dst, false
	}
	begin := len(dst)
	dst = append(dst, '[')
	for a := wire.ArrayOf(contents); a.Next(); {
		turn := a.Value
		left, gone := partsWithout(turn)
		switch some = some || gone; {
		case gone && len(left) == 0:
		case gone:
			dst = AppendWith(wire.Comma(dst), turn, "parts", left)
		default:
			dst = append(wire.Comma(dst), turn...)
		}
	}
	if !some {
		return dst[:begin], false
	}
	return append(dst, ']'), true
}

// partsWithout is the list of the other parts of a turn, nil when there is no other.
func partsWithout(turn []byte) (list []byte, gone bool) {
	parts := wire.Get(turn, "parts")
	if !MayHaveServerParts(parts) {
		return nil, false
	}
	list = append(make([]byte, 0, len(parts)), '[')
	for a := wire.ArrayOf(parts); a.Next(); {
		if p := PartOf(a.Value); p.OfServer() {
			gone = true
			continue
		}
		list = append(wire.Comma(list), a.Value...)
	}
	if len(list) == 1 {
		return nil, gone
	}
	return append(list, ']'), gone
}
