package openai

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/gemini/schema"
)

// takeTools keeps the list; null and an empty one are no tools.
func takeTools(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindArray {
		return refuse("tools", "must be a list")
	}
	if wire.Filled(v) {
		f.toolList = v
	}
	return nil
}

// takeFunctions keeps the list of the older form.
func takeFunctions(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindArray {
		return refuse("functions", "must be a list")
	}
	if wire.Filled(v) {
		f.functionList = v
	}
	return nil
}

func takeParallel(f *form, v []byte) *apierror.Error {
	parallel, ok := wire.Bool(v)
	if !ok {
		return refuse("parallel_tool_calls", "must be true or false")
	}
	f.single = !parallel
	return nil
}

// tools are the names of the functions, made when there is the first one.
func (f *form) tools() *gemini.Tools {
	if f.Tools == nil {
		f.Tools = &gemini.Tools{}
	}
	return f.Tools
}

// declare appends `"tools":[...],"toolConfig":{...}`, or nothing where the client has no functions.
func (f *form) declare(dst []byte) ([]byte, *apierror.Error) {
	list, name, choice, other := f.toolList, "tools", &f.choice, &f.functionChoice
	if f.functionList != nil {
		if list != nil {
			return dst, refuse("functions", "cannot be used together with tools")
		}
		list, name, choice, other = f.functionList, "functions", other, choice
	}
	if err := other.withoutTools(); err != nil {
		return dst, err
	}
	if list == nil {
		return f.appendSearch(dst), choice.withoutTools()
	}
	legacy := f.functionList != nil
	f.tools().Single, f.Tools.Legacy = f.single || legacy, legacy
	begin := len(dst)
	dst = append(wire.Key(dst, "tools"), `[{"functionDeclarations":[`...)
	for a, at := wire.ArrayOf(list), (place{list: name}); a.Next(); at.at++ {
		var err *apierror.Error
		if dst, err = f.tool(dst, a.Value, at); err != nil {
			return dst, err
		}
	}
	if f.functions == 0 {
		return f.appendSearch(dst[:begin]), f.searchOnly(choice)
	}
	if dst = append(dst, "]}"...); f.searches > 0 {
		dst = append(dst, googleSearch...)
	}
	return choice.append(append(dst, ']'), f.Tools)
}

const googleSearch = `,{"googleSearch":{}}`

// appendSearch appends the tools of a request without functions.
func (f *form) appendSearch(dst []byte) []byte {
	if f.searches == 0 {
		return dst
	}
	dst = append(wire.Key(dst, "tools"), '[')
	return append(append(dst, googleSearch[1:]...), ']')
}

// searchOnly checks a choice where the list has no functions: the model searches when that is of use, and
// cannot be made to.
func (f *form) searchOnly(c *toolChoice) *apierror.Error {
	if c.mode == must {
		f.ignored("tool_choice")
		return nil
	}
	return c.withoutTools()
}

// search takes note of a tool that asks for Google's search, unless the choice is of other tools or of none.
func (f *form) search(v []byte, at place) {
	if c := f.choice.mode; c == none || c == mayListed || c == mustListed {
		return
	}
	f.searched(at.String())
	for o := wire.ObjectOf(v); o.Next(); {
		if !o.Is("type") && wire.KindOf(o.Value) != wire.KindNull {
			f.ignored(at.String() + "." + wire.HeaderSafe(string(o.Key)))
		}
	}
}

// tool appends the declaration of an element of the list, when it may be called.
func (f *form) tool(dst, v []byte, at place) ([]byte, *apierror.Error) {
	if wire.KindOf(v) != wire.KindObject {
		return dst, at.refuse("", "must be an object")
	}
	if f.Tools.Legacy {
		return f.function(dst, v, at)
	}
	kind, fn, custom := pick3(v, "type", "function", "custom")
	switch word, _ := wire.Text(kind); word {
	case "function":
		return f.function(dst, fn, at.below(".function"))
	case "custom":
		return f.custom(dst, custom, at.below(".custom"))
	case "web_search", "web_search_preview", "web_search_2025_08_26", "web_search_preview_2025_03_11":
		f.search(v, at)
		return dst, nil
	}
	if kind == nil {
		return dst, at.refuse(".type", "is missing")
	}
	return dst, at.refuse(".type", "must be function, custom or web_search")
}

// function appends a declaration.
func (f *form) function(dst, v []byte, at place) ([]byte, *apierror.Error) {
	if wire.KindOf(v) != wire.KindObject {
		return dst, at.refuse("", "must be an object")
	}
	name, about, parameters, strict := pick4(v, [...]string{"name", "description", "parameters", "strict"})
	if _, ok := wire.Bool(strict); strict != nil && !ok {
		return dst, at.refuse(".strict", "must be true or false")
	}
	back := len(dst)
	dst, declared, err := f.head(dst, name, at, false)
	if err != nil {
		return dst, err
	}
	if about != nil {
		if wire.KindOf(about) != wire.KindString {
			return dst, at.refuse(".description", "must be a string")
		}
		dst = append(append(dst, `,"description":`...), about...)
	}
	if parameters != nil {
		var notes []string
		var bad *schema.Error
		dst, notes, bad = schema.AppendObject(append(dst, `,"parametersJsonSchema":`...), parameters)
		if bad != nil {
			return dst, at.refuse(".parameters"+bad.Path, bad.Why)
		}
		if len(notes) > 0 {
			f.noted(at.String()+".parameters", notes)
		}
	}
	if !declared {
		return dst[:back], nil
	}
	return append(dst, '}'), nil
}

// head opens a declaration; declared is false for a tool that tool_choice does not allow.
func (f *form) head(dst, name []byte, at place, custom bool) (out []byte, declared bool, err *apierror.Error) {
	client, why := named(name)
	if why != "" {
		return dst, false, at.refuse(".name", why)
	}
	f.functions++
	google, fresh := f.Tools.Declare(string(client), custom)
	if !fresh {
		return dst, false, at.refuse(".name", "is declared twice")
	}
	dst = wire.AppendQuoted(append(wire.Comma(dst), `{"name":`...), google)
	return dst, f.choice.allows(string(client)), nil
}

// custom appends the declaration of a tool that takes a text: a function with one parameter.
func (f *form) custom(dst, v []byte, at place) ([]byte, *apierror.Error) {
	if wire.KindOf(v) != wire.KindObject {
		return dst, at.refuse("", "must be an object")
	}
	name, about, format := pick3(v, "name", "description", "format")
	back := len(dst)
	dst, declared, err := f.head(dst, name, at, true)
	if err != nil {
		return dst, err
	}
	if about != nil && wire.KindOf(about) != wire.KindString {
		return dst, at.refuse(".description", "must be a string")
	}
	rule, err := grammar(format, at)
	if err != nil {
		return dst, err
	}
	if inner, _ := wire.Inside(about); len(inner)+len(rule) > 0 {
		dst = append(append(dst, `,"description":"`...), inner...)
		if len(inner) > 0 && len(rule) > 0 {
			dst = append(dst, `\n\n`...)
		}
		dst = append(append(dst, rule...), '"')
	}
	dst = append(dst, `,"parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}`...)
	if !declared {
		return dst[:back], nil
	}
	return dst, nil
}

// grammar says the format of a custom tool's text in words, as the inside of a string: Google has
// nothing that could hold the model to it.
func grammar(format []byte, at place) ([]byte, *apierror.Error) {
	if format == nil {
		return nil, nil
	}
	if wire.KindOf(format) != wire.KindObject {
		return nil, at.refuse(".format", "must be an object")
	}
	kind, in := pick2(format, "type", "grammar")
	switch word, _ := wire.Text(kind); word {
	case "text":
		return nil, nil
	case "grammar":
	default:
		return nil, at.refuse(".format.type", "must be text or grammar")
	}
	if in == nil { // the form of the other API
		in = format
	}
	syntax, definition := pick2(in, "syntax", "definition")
	language, ok := wire.Inside(syntax)
	if word := string(language); !ok || word != "lark" && word != "regex" {
		return nil, at.refuse(".format.grammar.syntax", "must be lark or regex")
	}
	rule, ok := wire.Inside(definition)
	if !ok {
		return nil, at.refuse(".format.grammar.definition", "must be a string")
	}
	b := append([]byte(`The input must follow this `), language...)
	return append(append(b, ` grammar:\n`...), rule...), nil
}

// noted tells what a schema lost, once a name.
func (f *form) noted(at string, notes []string) {
	for _, n := range notes {
		f.ignored(at + ":" + n)
	}
}
