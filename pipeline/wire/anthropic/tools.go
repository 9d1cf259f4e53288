package anthropic

import (
	"slices"
	"strconv"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/gemini/schema"
)

// toolbox is what the list of tools comes to.
type toolbox struct {
	functions int
	google    []string // Google's own tools, each once
	names     []string // what the client calls those
	hosted    []gemini.Hosted
}

// tool is one element of tools as it was written.
type tool struct {
	at          int
	kind        string // "" for a custom one
	name        string
	description []byte
	schema      []byte
}

func (t *tool) path() string { return "tools[" + strconv.Itoa(t.at) + "]" }

// appendTools appends tools and toolConfig, if there are any.
func (f *form) appendTools(dst []byte, o gemini.Target) ([]byte, *apierror.Error) {
	if f.tools != nil && wire.KindOf(f.tools) != wire.KindArray {
		return dst, gemini.Refuse("tools", "must be a list")
	}
	var box toolbox
	begin := len(dst)
	dst = append(dst, `"tools":[{"functionDeclarations":[`...)
	for a, i := wire.ArrayOf(f.tools), 0; a.Next(); i++ {
		t, err := readTool(a.Value, i)
		if err == nil {
			dst, err = f.appendTool(dst, &t, &box)
		}
		if err != nil {
			return dst, err
		}
	}
	f.functions = box.functions
	if forced := f.choice.kind == oneTool && slices.Contains(box.names, f.choice.name); forced && box.functions > 0 {
		f.Ignore("tools")
		*f.Tools = gemini.Tools{}
		f.functions = 0
	}
	if f.functions == 0 {
		return f.appendGoogle(dst[:begin], &box)
	}
	if dst = append(dst, "]}"...); f.choice.kind != noTool {
		dst = f.appendHosted(dst, &box)
	}
	return f.appendCalling(append(dst, ']'))
}

// appendHosted appends Google's own tools. Whether they may stand beside functions is for the stage search
// to say; they make no tokens that could be counted.
func (f *form) appendHosted(dst []byte, box *toolbox) []byte {
	f.Tools.Hosted = box.hosted
	if f.counting && f.functions > 0 {
		return dst
	}
	for _, name := range box.google {
		dst = append(wire.Key(append(wire.Comma(dst), '{'), name), "{}}"...)
	}
	return dst
}

// appendGoogle appends Google's own tools: nothing forces one, they are used when they are of use.
func (f *form) appendGoogle(dst []byte, box *toolbox) ([]byte, *apierror.Error) {
	c := &f.choice
	switch {
	case c.kind == oneTool && !slices.Contains(box.names, c.name):
		return dst, gemini.Refuse("tool_choice.name", "is not the name of a tool in the list")
	case c.kind == anyTool && len(box.google) == 0:
		return dst, gemini.Refuse("tool_choice", "is any, and there are no tools")
	case c.kind == noTool || len(box.google) == 0:
		return dst, nil
	case c.kind != auto:
		f.Ignore("tool_choice")
	}
	return append(f.appendHosted(append(dst, `"tools":[`...), box), ']'), nil
}

// appendCalling appends what tool_choice says of functions.
func (f *form) appendCalling(dst []byte) ([]byte, *apierror.Error) {
	f.Tools.Single = f.choice.single
	mode, name := "", ""
	switch f.choice.kind {
	case auto:
		return dst, nil
	case noTool:
		mode = "NONE"
	case anyTool:
		mode = "ANY"
	case oneTool:
		known, ok := f.Tools.Known(f.choice.name)
		if !ok {
			return dst, gemini.Refuse("tool_choice.name", "is not the name of a tool in the list")
		}
		mode, name = "ANY", known.Google
	}
	dst = append(dst, `,"toolConfig":{"functionCallingConfig":{"mode":"`...)
	dst = append(append(dst, mode...), '"')
	if name != "" {
		dst = wire.AppendQuoted(append(dst, `,"allowedFunctionNames":[`...), name)
		dst = append(dst, ']')
	}
	return append(dst, "}}"...), nil
}

func readTool(v []byte, at int) (tool, *apierror.Error) {
	t := tool{at: at}
	if wire.KindOf(v) != wire.KindObject {
		return t, gemini.Refuse(t.path(), "must be an object")
	}
	var kind, name []byte
	for c := wire.CursorOf(v); c.Member(); {
		key, v := wire.PlainKey(c.Key), c.Value()
		switch string(key) {
		case "type":
			kind = v
		case "name":
			name = v
		case "description":
			t.description = v
		case "input_schema":
			t.schema = v
		}
	}
	var ok bool
	if t.kind, ok = wire.Text(kind); !ok && wire.Given(kind) {
		return t, gemini.Refuse(t.path()+".type", "must be a string")
	}
	if t.name, ok = wire.Text(name); !ok && wire.Given(name) {
		return t, gemini.Refuse(t.path()+".name", "must be a string")
	}
	if wire.Given(t.description) && wire.KindOf(t.description) != wire.KindString {
		return t, gemini.Refuse(t.path()+".description", "must be a string")
	}
	return t, nil
}

// appendTool declares a function, or takes note of a tool of Google's.
func (f *form) appendTool(dst []byte, t *tool, box *toolbox) ([]byte, *apierror.Error) {
	if t.kind == "" || t.kind == "custom" {
		return f.appendFunction(dst, t, box)
	}
	google := ""
	switch family(t.kind) {
	case "bash":
		return f.appendKnown(dst, t, box, known{"bash", bash})
	case "text_editor":
		return f.appendKnown(dst, t, box, editor(t.kind))
	case "tool_search_tool": // all tools are told at once, so there is nothing to search
		f.once("tools.tool_search_tool")
		return dst, nil
	case "web_search":
		google = "googleSearch"
	case "web_fetch":
		google = "urlContext"
	case "code_execution":
		google = "codeExecution"
	default:
		return dst, gemini.Refuse(t.path()+".type", "is "+wire.HeaderSafe(t.kind)+
			", which only Anthropic's own models have: declare a custom tool with a name and an input_schema instead")
	}
	if t.name == "" {
		t.name = family(t.kind)
	}
	box.names = append(box.names, t.name)
	box.hosted = append(box.hosted, gemini.Hosted{Google: google, Client: "tools." + wire.HeaderSafe(t.name)})
	if !slices.Contains(box.google, google) {
		box.google = append(box.google, google)
	}
	return dst, nil
}

// family is the kind of a tool without the date behind it: "bash" of "bash_20250124".
func family(kind string) string {
	if strings.HasPrefix(kind, "tool_search_tool_") { // there are two, and the date may be missing
		return "tool_search_tool"
	}
	name, date := kind, ""
	if at := strings.LastIndexByte(kind, '_'); at >= 0 {
		name, date = kind[:at], kind[at+1:]
	}
	if _, err := strconv.ParseUint(date, 10, 32); err != nil {
		return kind
	}
	return name
}

// appendFunction appends the declaration of a custom tool.
func (f *form) appendFunction(dst []byte, t *tool, box *toolbox) ([]byte, *apierror.Error) {
	if t.name == "" {
		return dst, gemini.Refuse(t.path()+".name", "is missing")
	}
	if t.schema == nil {
		return dst, gemini.Refuse(t.path()+".input_schema", "is missing")
	}
	dst, err := f.declare(dst, t, box)
	if err != nil {
		return dst, err
	}
	if inner, _ := wire.Inside(t.description); len(inner) > 0 {
		dst = append(wire.Key(dst, "description"), t.description...)
	}
	dst, notes, bad := schema.AppendObject(wire.Key(dst, "parametersJsonSchema"), t.schema)
	if bad != nil {
		return dst, gemini.Refuse(t.path()+".input_schema"+bad.Path, bad.Why)
	}
	if len(notes) > 0 {
		f.note(t.path()+".input_schema", notes)
	}
	return append(dst, '}'), nil
}

// declare opens the declaration of a function.
func (f *form) declare(dst []byte, t *tool, box *toolbox) ([]byte, *apierror.Error) {
	google, fresh := f.Tools.Declare(t.name, false)
	if !fresh {
		return dst, gemini.Refuse(t.path()+".name", "is the name of another tool, too")
	}
	box.functions++
	return wire.AppendQuoted(append(wire.Comma(dst), `{"name":`...), google), nil
}
