package responses

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/gemini/schema"
)

// sort is what a tool is to Google.
type sort uint8

const (
	function sort = iota
	custom        // a function that takes a text
	search
	code
	picture
)

// sortOf reads the type of a tool.
func sortOf(v []byte) (sort, bool) {
	switch word(v) {
	case "function":
		return function, true
	case "custom":
		return custom, true
	case "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11":
		return search, true
	case "code_interpreter":
		return code, true
	case "image_generation":
		return picture, true
	}
	return 0, false
}

// hosted tells Google's own tools from functions.
func (s sort) hosted() bool { return s >= search }

// tool is one of the list, raw.
type tool struct {
	at          int
	sort        sort
	name        string // decoded
	description []byte
	parameters  []byte
	format      []byte
}

// mostTools is how many functions Google takes.
const mostTools = 512

// path names the tool in an error.
func (t *tool) path() string { return "tools[" + strconv.Itoa(t.at) + "]" }

// appendTools appends tools and toolConfig, or nothing when there are none.
func (f *form) appendTools(dst []byte, t *gemini.Target) ([]byte, *apierror.Error) {
	tools, fail := f.readTools(t)
	if fail != nil {
		return dst, fail
	}
	c, fail := f.readChoice(tools)
	if fail != nil {
		return dst, fail
	}
	functions, hosted := f.sift(tools, c)
	if f.called = functions || hosted; !f.called {
		return dst, nil
	}
	dst = append(key(dst, "tools"), '[')
	if !functions {
		return append(f.appendHosted(dst, tools, c), ']'), nil
	}
	dst = append(dst, `{"functionDeclarations":[`...)
	for i := range tools {
		if tools[i].sort.hosted() || !c.allows(&tools[i]) {
			continue
		}
		if dst, fail = f.declare(append(comma(dst), '{'), &tools[i]); fail != nil {
			return dst, fail
		}
		dst = append(dst, '}')
	}
	return f.appendChoice(append(dst, "]}]"...), c), nil
}

// sift finds out which sorts go up. Google refuses its own tools beside functions in most places, so
// the functions win, unless the choice is one of Google's.
func (f *form) sift(tools []tool, c *choice) (functions, hosted bool) {
	for i := range tools {
		t := &tools[i]
		switch {
		case !t.sort.hosted():
			functions = functions || c.allows(t) && !c.forced()
		case t.sort != picture:
			hosted = hosted || c.allows(t) && c.mode != never
		}
	}
	if c.mode == must && !functions {
		f.Ignore("tool_choice") // Google's own tools cannot be forced
	}
	if !functions || !hosted {
		return functions, hosted
	}
	for i := range tools {
		if s := tools[i].sort; s.hosted() && s != picture && c.allows(&tools[i]) {
			f.Ignore(tools[i].path())
		}
	}
	return true, false
}

// appendHosted appends Google's own tools, each once.
func (f *form) appendHosted(dst []byte, tools []tool, c *choice) []byte {
	seen := [picture + 1]bool{}
	for i := range tools {
		s := tools[i].sort
		if seen[s] || !c.allows(&tools[i]) {
			continue
		}
		seen[s] = true
		switch s {
		case search:
			dst = append(comma(dst), `{"googleSearch":{}}`...)
		case code:
			dst = append(comma(dst), `{"codeExecution":{}}`...)
		}
	}
	return dst
}

// readTools reads the list; the names are all different.
func (f *form) readTools(target *gemini.Target) ([]tool, *apierror.Error) {
	if f.list == nil {
		return nil, nil
	}
	if wire.KindOf(f.list) != wire.KindArray {
		return nil, refuse("tools", "must be a list")
	}
	var tools []tool
	for a := wire.ArrayOf(f.list); a.Next(); {
		if len(tools) == mostTools {
			return nil, refuse("tools", "may be at most 512")
		}
		t, fail := f.readTool(a.Value, len(tools))
		switch {
		case fail != nil:
			return nil, fail
		case t.sort == picture && !target.Image:
			return nil, refuse(t.path()+".type", "is image_generation, for which a model is needed that makes pictures")
		case t.sort == picture:
			f.picture = true
		case !t.sort.hosted():
			if _, fresh := f.names.Declare(t.name, t.sort == custom); !fresh {
				return nil, refuse(t.path()+".name", "is the name of another tool already")
			}
		}
		tools = append(tools, t)
	}
	return tools, nil
}

func (f *form) readTool(v []byte, at int) (tool, *apierror.Error) {
	t := tool{at: at}
	if wire.KindOf(v) != wire.KindObject {
		return t, refuse(t.path(), "must be an object")
	}
	kind := wire.Get(v, "type")
	var known bool
	if t.sort, known = sortOf(kind); !known {
		if !given(kind) {
			return t, refuse(t.path()+".type", "is missing")
		}
		return t, refuse(t.path()+".type", "must be function, custom, web_search, code_interpreter or image_generation: other tools are not supported")
	}
	if t.sort.hosted() {
		return t, f.readHosted(v, &t)
	}
	var name, strict []byte
	for c := wire.CursorOf(v); c.Member(); {
		switch string(plainKey(c.Key)) {
		case "name":
			name = c.Value()
		case "description":
			t.description = c.Value()
		case "parameters":
			t.parameters = c.Value()
		case "format":
			t.format = c.Value()
		case "strict":
			strict = c.Value()
		default:
			c.Skip()
		}
	}
	if t.name = word(name); t.name == "" {
		return t, refuse(t.path()+".name", "must be a string that is not empty")
	}
	if given(t.description) && wire.KindOf(t.description) != wire.KindString {
		return t, refuse(t.path()+".description", "must be a string")
	}
	return t, mayBeBool(strict, t.path()+".strict")
}

// readHosted reports the settings of a tool of Google's that have no effect.
func (f *form) readHosted(v []byte, t *tool) *apierror.Error {
	for o := wire.ObjectOf(v); o.Next(); {
		if o.Is("type") || wire.KindOf(o.Value) == wire.KindNull {
			continue
		}
		if files := wire.ArrayOf(wire.Get(o.Value, "file_ids")); o.Is("container") && files.Next() {
			return refuse(t.path()+".container.file_ids", "is not supported: files are not kept here")
		}
		f.Ignore(t.path() + "." + wire.HeaderSafe(string(o.Key)))
	}
	return nil
}

// declare appends the members of a function declaration.
func (f *form) declare(dst []byte, t *tool) ([]byte, *apierror.Error) {
	dst = wire.AppendQuoted(key(dst, "name"), f.names.Google(t.name))
	if t.sort == custom {
		return f.declareCustom(dst, t)
	}
	if text, _ := inside(t.description); len(text) > 0 {
		dst = append(key(dst, "description"), t.description...)
	}
	dst = key(dst, "parametersJsonSchema")
	if !given(t.parameters) {
		return append(dst, schema.Empty...), nil
	}
	if wire.KindOf(t.parameters) != wire.KindObject {
		return dst, refuse(t.path()+".parameters", "must be an object")
	}
	dst, notes, bad := schema.AppendObject(dst, t.parameters)
	if bad != nil {
		return dst, refuse(t.path()+".parameters"+bad.Path, bad.Why)
	}
	for _, n := range notes {
		f.Ignore(n)
	}
	return dst, nil
}

// declareCustom declares a function with the one parameter "input". The grammar of its text, if there
// is one, is told in words, for Google knows none.
func (f *form) declareCustom(dst []byte, t *tool) ([]byte, *apierror.Error) {
	about, _ := inside(t.description)
	grammar, syntax, fail := t.grammar()
	if fail != nil {
		return dst, fail
	}
	if grammar != nil {
		f.Ignore(t.path() + ".format")
	}
	if len(about)+len(grammar) > 0 {
		dst = append(append(key(dst, "description"), '"'), about...)
		if len(grammar) > 0 {
			if len(about) > 0 {
				dst = append(dst, `\n\n`...)
			}
			dst = append(append(append(dst, "The input must fit this grammar ("...), syntax...), `):\n`...)
			dst = append(dst, grammar...)
		}
		dst = append(dst, '"')
	}
	return append(key(dst, "parametersJsonSchema"),
		`{"type":"object","properties":{"input":{"type":"string","description":"The input of the tool: plain text, not JSON"}},"required":["input"]}`...), nil
}

// grammar reads the format of a custom tool: insides of strings, nil where any text will do.
func (t *tool) grammar() (definition, syntax []byte, fail *apierror.Error) {
	at := t.path() + ".format"
	switch wire.KindOf(t.format) {
	case wire.KindNone, wire.KindNull:
		return nil, nil, nil
	case wire.KindObject:
	default:
		return nil, nil, refuse(at, "must be an object")
	}
	switch word(wire.Get(t.format, "type")) {
	case "text":
		return nil, nil, nil
	case "grammar":
	default:
		return nil, nil, refuse(at+".type", "must be text or grammar")
	}
	syntax, _ = inside(wire.Get(t.format, "syntax"))
	if s := string(syntax); s != "lark" && s != "regex" {
		return nil, nil, refuse(at+".syntax", "must be lark or regex")
	}
	definition, ok := inside(wire.Get(t.format, "definition"))
	if !ok {
		return nil, nil, refuse(at+".definition", "must be a string")
	}
	return definition, syntax, nil
}
