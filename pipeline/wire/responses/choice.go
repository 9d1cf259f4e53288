package responses

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// mode is how free the model is to call.
type mode uint8

const (
	auto mode = iota
	never
	must
)

// choice is tool_choice. The zero value is auto.
type choice struct {
	mode  mode
	named bool
	tool  int          // named: the place of the one tool that must be called
	name  string       // named: what Google calls it
	own   bool         // named: it is one of Google's own
	only  map[int]bool // allowed_tools: the places of those that may be called; nil for all
}

// allows tells whether the model is to know of the tool.
func (c *choice) allows(t *tool) bool {
	if c.only != nil {
		return c.only[t.at]
	}
	return !c.forced() || c.tool == t.at
}

// forced tells that one of Google's own tools is asked for by name.
func (c *choice) forced() bool { return c.named && c.own }

// readChoice finds the tools that the choice names.
func (f *form) readChoice(tools []tool) (*choice, *apierror.Error) {
	c := &choice{}
	switch wire.KindOf(f.choice) {
	case wire.KindNone:
		return c, nil
	case wire.KindString:
		switch word(f.choice) {
		case "auto":
		case "none":
			c.mode = never
		case "required":
			if c.mode = must; len(tools) == 0 {
				return c, gemini.Refuse("tool_choice", "is required, but there are no tools")
			}
		default:
			return c, gemini.Refuse("tool_choice", "must be none, auto, required or an object that names tools")
		}
		return c, nil
	case wire.KindObject:
	default:
		return c, gemini.Refuse("tool_choice", "must be a string or an object")
	}
	if word(wire.Get(f.choice, "type")) == "allowed_tools" {
		return c, c.readAllowed(f.choice, tools)
	}
	at, fail := find(f.choice, tools, "tool_choice")
	if fail != nil {
		return c, fail
	}
	c.mode, c.named, c.tool, c.name, c.own = must, true, at, tools[at].google, tools[at].sort.hosted()
	return c, nil
}

func (c *choice) readAllowed(v []byte, tools []tool) *apierror.Error {
	switch word(wire.Get(v, "mode")) {
	case "auto":
	case "required":
		c.mode = must
	default:
		return gemini.Refuse("tool_choice.mode", "must be auto or required")
	}
	list := wire.Get(v, "tools")
	if wire.KindOf(list) != wire.KindArray {
		return gemini.Refuse("tool_choice.tools", "must be a list")
	}
	c.only = map[int]bool{}
	i := 0
	for a := wire.ArrayOf(list); a.Next(); i++ {
		if c.allowSpace(a.Value, tools) {
			continue
		}
		at, fail := find(a.Value, tools, "tool_choice.tools["+strconv.Itoa(i)+"]")
		if fail != nil {
			return fail
		}
		c.only[at] = true
	}
	if i == 0 {
		return gemini.Refuse("tool_choice.tools", "must not be empty")
	}
	return nil
}

// allowSpace allows all functions of a namespace, or what is declared anyway; false for anything else.
func (c *choice) allowSpace(v []byte, tools []tool) bool {
	kind := word(wire.Get(v, "type"))
	if kind == "programmatic_tool_calling" {
		return true
	}
	space, found := plainSpace(word(wire.Get(v, "name"))), false
	for i := range tools {
		switch {
		case kind == "namespace" && tools[i].inner != nil && tools[i].space == space:
			c.only[i], found = true, true
		case kind == finds && tools[i].kit == finds:
			c.only[i] = true
		}
	}
	return found || kind == finds
}

// find is the place of the tool that v names by type, name and namespace. A name alone is enough where
// only one namespace has it.
func find(v []byte, tools []tool, path string) (at int, fail *apierror.Error) {
	if wire.KindOf(v) != wire.KindObject {
		return 0, gemini.Refuse(path, "must be an object")
	}
	sort, known := sortOf(wire.Get(v, "type"))
	if !known {
		return 0, gemini.Refuse(path+".type", "must be function, custom, allowed_tools, or the type of one of the tools")
	}
	name, space := word(wire.Get(v, "name")), wire.Get(v, "namespace")
	kit := ""
	if sort == kitted {
		kit = word(wire.Get(v, "type"))
	}
	at = -1
	for i := range tools {
		t := &tools[i]
		switch {
		case t.sort != sort || t.kit != kit || sort <= custom && t.name != name:
		case sort > custom, wire.Given(space) && t.space == plainSpace(word(space)), !wire.Given(space) && t.space == "":
			return i, nil
		case wire.Given(space):
		case at >= 0:
			return 0, gemini.Refuse(path+".name", "is in more than one namespace: say which as namespace")
		default:
			at = i
		}
	}
	switch {
	case at >= 0:
		return at, nil
	case sort > custom:
		return 0, gemini.Refuse(path+".type", "is none of the tools")
	}
	return 0, gemini.Refuse(path+".name", "is none of the tools")
}

// appendChoice appends `,"toolConfig":{...}` when the model is not simply free.
func (f *form) appendChoice(dst []byte, c *choice) []byte {
	word := "ANY"
	switch c.mode {
	case auto:
		return dst
	case never:
		word = "NONE"
	}
	dst = append(append(dst, `,"toolConfig":{"functionCallingConfig":{"mode":"`...), word...)
	dst = append(dst, '"')
	if c.named {
		dst = wire.AppendQuoted(append(dst, `,"allowedFunctionNames":[`...), c.name)
		dst = append(dst, ']')
	}
	return append(dst, "}}"...)
}
