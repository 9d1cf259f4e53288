package pipeline

import (
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire/gemini"
)

// Mix is tools that Google runs itself beside functions in one call. The Gemini API takes that from Gemini 3
// on, Code Assist does not (protocol 7): there those tools are left out, unless all of it must stay.
type Mix struct {
	Hosted []string // Google's names of those tools; none when there is no mix
	Whole  bool     // nothing of it may be left out
}

// AskedBy lists what the client asked for a tool of Google's own with: a field, a tool in its list, the suffix
// of the model name; Google's own name when that is what it wrote.
func (x *Exchange) AskedBy(tool string) []string {
	meant := tool
	if tool == gemini.OldSearch {
		meant = gemini.Search
	}
	names := x.Tools.AskedBy(meant)
	if meant == gemini.Search && x.Model.Features.Has(models.Search) {
		names = append(names, models.Search.String())
	}
	if len(names) == 0 {
		return []string{tool}
	}
	return names
}

// LeftOut tells the client that a tool of Google's own is not in the call, by the names that it asked with.
func (x *Exchange) LeftOut(tool string) {
	for _, name := range x.AskedBy(tool) {
		x.Dropped(name)
	}
}

// AppendUnmixed appends the tools of a mix for a backend that does not take one: without those of Google's
// own, and the client is told.
func (x *Exchange) AppendUnmixed(dst, tools []byte) []byte {
	for _, tool := range gemini.ToolsetOf(tools).Hosted {
		x.LeftOut(tool)
	}
	return gemini.AppendTools(dst, tools, func(string) bool { return false })
}

// AppendToolConfig appends toolConfig without what only the Gemini API knows. Of a mix the client has been
// told; else this says it.
func (x *Exchange) AppendToolConfig(dst, v []byte, mixed bool) []byte {
	if _, there := gemini.Find(v, gemini.ServerTools); !there {
		return append(dst, v...)
	}
	if !mixed {
		x.Dropped("toolConfig." + gemini.ServerTools)
	}
	return gemini.AppendWith(dst, v, gemini.ServerTools, nil)
}
