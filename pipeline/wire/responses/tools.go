package responses

import (
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
	kitted        // a function that OpenAI defines
	idle          // what makes no difference to Google
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
	case "local_shell", "shell", "apply_patch", finds:
		return kitted, true
	case "programmatic_tool_calling":
		return idle, true
	}
	return 0, false
}

// hosted tells Google's own tools from functions.
func (s sort) hosted() bool { return s >= search }

// google is the member of a tool at Google, "" for what is none of its own tools.
func (s sort) google() string {
	switch s {
	case search:
		return gemini.Search
	case code:
		return "codeExecution"
	}
	return ""
}

// tool is one of the list, raw.
type tool struct {
	spot
	at          int // place among all tools
	sort        sort
	kit         string // the kind of a kitted one
	name        string // decoded
	space       string // the namespace, "" for none
	google      string // what Google calls the function
	about       []byte // the description of the namespace
	description []byte
	parameters  []byte
	format      []byte
}

// mostTools is how many functions Google takes.
const mostTools = 512

// function is what the tool is among the names.
func (t *tool) function() gemini.Function {
	if t.sort == kitted {
		return kit{kind: t.kit}.function()
	}
	return gemini.Function{Client: t.name, Namespace: t.space, Custom: t.sort == custom}
}

// appendTools appends tools and toolConfig, or nothing when there are none.
func (f *form) appendTools(dst, thread []byte, t *gemini.Target) ([]byte, *apierror.Error) {
	tools, fail := f.readTools(thread, t)
	if fail != nil {
		return dst, fail
	}
	c, fail := f.readChoice(tools)
	if fail != nil {
		return dst, fail
	}
	functions, hosted := f.sift(tools, c)
	if f.called = functions; !functions && !hosted {
		return dst, nil
	}
	dst = append(wire.Key(dst, "tools"), '[')
	if !functions {
		return append(f.appendHosted(dst, tools, c), ']'), nil
	}
	dst = append(dst, `{"functionDeclarations":[`...)
	for i := range tools {
		if tools[i].sort.hosted() || !c.allows(&tools[i]) {
			continue
		}
		if dst, fail = f.declare(append(wire.Comma(dst), '{'), &tools[i]); fail != nil {
			return dst, fail
		}
		dst = append(dst, '}')
	}
	if dst = append(dst, "]}"...); hosted {
		dst = f.appendHosted(dst, tools, c)
	}
	return f.appendChoice(append(dst, ']'), c), nil
}

// sift finds out which sorts go up. Whether Google takes both is for the stage search to say.
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
	return functions, hosted
}

// appendHosted appends Google's own tools, each once.
func (f *form) appendHosted(dst []byte, tools []tool, c *choice) []byte {
	seen := [picture + 1]bool{}
	for i := range tools {
		s := tools[i].sort
		google := s.google()
		if google == "" || !c.allows(&tools[i]) {
			continue
		}
		if f.names.Host(google, tools[i].path()); !seen[s] {
			seen[s] = true
			dst = append(wire.Key(append(wire.Comma(dst), '{'), google), "{}}"...)
		}
	}
	return dst
}

// supported ends the error about a tool of another type.
const supported = "must be function, custom, namespace, local_shell, shell, apply_patch, tool_search, web_search, code_interpreter or image_generation: other tools are not supported"

// readTool reads the tool v, whose place is known.
func (f *form) readTool(v []byte, t *tool) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse(t.path(), "must be an object")
	}
	kind, known := wire.Get(v, "type"), false
	switch t.sort, known = sortOf(kind); {
	case !wire.Given(kind):
		return gemini.Refuse(t.path()+".type", "is missing")
	case t.inner != nil && t.sort > custom, t.inner != nil && !known:
		return gemini.Refuse(t.path()+".type", "must be function or custom in a namespace")
	case !known:
		return gemini.Refuse(t.path()+".type", supported)
	case t.sort == idle:
		return nil
	case t.sort.hosted():
		return f.readHosted(v, t)
	case t.sort == kitted:
		return f.readKit(v, t)
	}
	if fail := f.readMembers(v, t); fail != nil {
		return fail
	}
	if t.name == "" {
		return gemini.Refuse(t.path()+".name", "must be a string that is not empty")
	}
	return nil
}

// readMembers reads what functions have. Others are reported unless they change nothing.
func (f *form) readMembers(v []byte, t *tool) *apierror.Error {
	var strict []byte
	for c := wire.CursorOf(v); c.Member(); {
		name := wire.PlainKey(c.Key)
		switch v := c.Value(); string(name) {
		case "name":
			t.name = word(v)
		case "description":
			t.description = v
		case "parameters":
			t.parameters = v
		case "format":
			t.format = v
		case "strict":
			strict = v
		case "type", "defer_loading", "execution", "environment": // Google is told of all tools at once
		default:
			if on, ok := wire.Bool(v); wire.Given(v) && (on || !ok) && !t.direct(name, v) {
				f.Ignore(t.path() + "." + wire.HeaderSafe(string(name)))
			}
		}
	}
	if wire.Given(t.description) && wire.KindOf(t.description) != wire.KindString {
		return gemini.Refuse(t.path()+".description", "must be a string")
	}
	return mayBeBool(strict, t.path()+".strict")
}

// direct tells that the member says what holds here anyway: the model itself may call.
func (t *tool) direct(name, v []byte) bool {
	if string(name) != "allowed_callers" {
		return false
	}
	for a := wire.ArrayOf(v); a.Next(); {
		if word(a.Value) == "direct" {
			return true
		}
	}
	return false
}

// readKit reads a tool of OpenAI's that the client runs.
func (f *form) readKit(v []byte, t *tool) *apierror.Error {
	t.kit = word(wire.Get(v, "type"))
	if t.kit == finds {
		// OpenAI's own search is for tools that come with the request: Google is told of all of them.
		if way := word(wire.Get(v, "execution")); way == "" || way == "server" {
			t.sort = idle
			return nil
		}
	}
	if where := wire.Get(v, "environment"); t.kit == "shell" && wire.Given(where) {
		if word(wire.Get(where, "type")) != "local" {
			return gemini.Refuse(t.path()+".environment.type", "must be local: there are no containers here")
		}
		if skills := wire.ArrayOf(wire.Get(where, "skills")); skills.Next() {
			f.Ignore(t.path() + ".environment.skills")
		}
	}
	return f.readMembers(v, t)
}

// readHosted reports the settings of a tool of Google's that have no effect.
func (f *form) readHosted(v []byte, t *tool) *apierror.Error {
	for o := wire.ObjectOf(v); o.Next(); {
		if o.Is("type") || wire.KindOf(o.Value) == wire.KindNull {
			continue
		}
		if files := wire.ArrayOf(wire.Get(o.Value, "file_ids")); o.Is("container") && files.Next() {
			return gemini.Refuse(t.path()+".container.file_ids", "is not supported: files are not kept here")
		}
		name := t.path() + "." + wire.HeaderSafe(string(o.Key))
		var fail *apierror.Error
		switch {
		case t.sort == picture && o.Is("size"):
			fail = f.shape.TakeSize(&f.Beside, o.Value, name)
		case t.sort == picture && o.Is("quality"):
			fail = f.shape.TakeQuality(&f.Beside, o.Value, name)
		default:
			f.Ignore(name)
		}
		if fail != nil {
			return fail
		}
	}
	return nil
}

// declare appends the members of a function declaration.
func (f *form) declare(dst []byte, t *tool) ([]byte, *apierror.Error) {
	dst = wire.AppendQuoted(wire.Key(dst, "name"), t.google)
	space, _ := wire.Inside(t.about)
	about, _ := wire.Inside(t.description)
	switch {
	case t.sort == custom:
		return f.declareCustom(dst, t)
	case t.sort == kitted && t.kit != finds:
		k, _ := kitOf(t.kit)
		dst = describe(dst, []byte(k.about))
		return append(wire.Key(dst, "parametersJsonSchema"), k.parameters...), nil
	}
	dst = wire.Key(describe(dst, space, about), "parametersJsonSchema")
	if !wire.Given(t.parameters) {
		return append(dst, schema.Empty...), nil
	}
	if wire.KindOf(t.parameters) != wire.KindObject {
		return dst, gemini.Refuse(t.path()+".parameters", "must be an object")
	}
	dst, notes, bad := schema.AppendObject(dst, t.parameters)
	if bad != nil {
		return dst, gemini.Refuse(t.path()+".parameters"+bad.Path, bad.Why)
	}
	for _, n := range notes {
		f.Ignore(n)
	}
	return dst, nil
}

// describe appends a description of these paragraphs, insides of strings, or none when all are empty.
func describe(dst []byte, paragraphs ...[]byte) []byte {
	none := true
	for _, text := range paragraphs {
		switch {
		case len(text) == 0:
			continue
		case none:
			dst = append(wire.Key(dst, "description"), '"')
		default:
			dst = append(dst, `\n\n`...)
		}
		dst, none = append(dst, text...), false
	}
	if none {
		return dst
	}
	return append(dst, '"')
}

// declareCustom declares a function with the one parameter "input". The grammar of its text, if there
// is one, is told in words, for Google knows none.
func (f *form) declareCustom(dst []byte, t *tool) ([]byte, *apierror.Error) {
	space, _ := wire.Inside(t.about)
	about, _ := wire.Inside(t.description)
	grammar, syntax, fail := t.grammar()
	if fail != nil {
		return dst, fail
	}
	if grammar != nil {
		f.Ignore(t.path() + ".format")
	}
	if len(grammar) > 0 {
		told := append([]byte("The input must fit this grammar ("), syntax...)
		grammar = append(append(told, `):\n`...), grammar...)
	}
	return append(wire.Key(describe(dst, space, about, grammar), "parametersJsonSchema"),
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
		return nil, nil, gemini.Refuse(at, "must be an object")
	}
	switch word(wire.Get(t.format, "type")) {
	case "text":
		return nil, nil, nil
	case "grammar":
	default:
		return nil, nil, gemini.Refuse(at+".type", "must be text or grammar")
	}
	syntax, _ = wire.Inside(wire.Get(t.format, "syntax"))
	if s := string(syntax); s != "lark" && s != "regex" {
		return nil, nil, gemini.Refuse(at+".syntax", "must be lark or regex")
	}
	definition, ok := wire.Inside(wire.Get(t.format, "definition"))
	if !ok {
		return nil, nil, gemini.Refuse(at+".definition", "must be a string")
	}
	return definition, syntax, nil
}
