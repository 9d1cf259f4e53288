package openai

import (
	"slices"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// toolChoice is which of the tools the model may or must call.
type toolChoice struct {
	mode  mode
	names []string // of the tools that are allowed; all of them when empty
	at    string   // the member, for errors
}

type mode uint8

const (
	auto mode = iota
	none
	must      // some tool
	must1     // the tool that is named
	mayListed // those of the list, or none
	mustListed
)

// takeChoice reads tool_choice.
func takeChoice(f *form, v []byte) *apierror.Error {
	c := &f.choice
	c.at = "tool_choice"
	switch wire.KindOf(v) {
	case wire.KindString:
		return c.word(v)
	case wire.KindObject:
	default:
		return refuse(c.at, "must be none, auto, required or an object")
	}
	kind, fn, custom, allowed := pick4(v, [...]string{"type", "function", "custom", "allowed_tools"})
	switch word, _ := wire.Text(kind); word {
	case "function":
		return c.one(fn, c.at+".function")
	case "custom":
		return c.one(custom, c.at+".custom")
	case "allowed_tools":
		return c.list(allowed)
	}
	return refuse(c.at+".type", "must be function, custom or allowed_tools")
}

// takeFunctionCall reads the older function_call.
func takeFunctionCall(f *form, v []byte) *apierror.Error {
	c := &f.functionChoice
	c.at = "function_call"
	if wire.KindOf(v) == wire.KindString {
		return c.word(v)
	}
	return c.one(v, c.at)
}

func (c *toolChoice) word(v []byte) *apierror.Error {
	switch word, _ := wire.Text(v); {
	case word == "auto":
		c.mode = auto
	case word == "none":
		c.mode = none
	case word == "required" && c.at == "tool_choice":
		c.mode = must
	case c.at == "tool_choice":
		return refuse(c.at, "must be none, auto, required or an object")
	default:
		return refuse(c.at, "must be none, auto or an object")
	}
	return nil
}

// one reads the object that names a tool.
func (c *toolChoice) one(v []byte, at string) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return refuse(at, "must be an object")
	}
	name := pick1(v, "name")
	client, why := named(name)
	if why != "" {
		return refuse(at+".name", why)
	}
	c.mode, c.names, c.at = must1, []string{string(client)}, at+".name"
	return nil
}

// list reads allowed_tools.
func (c *toolChoice) list(v []byte) *apierror.Error {
	const at = "tool_choice.allowed_tools"
	if wire.KindOf(v) != wire.KindObject {
		return refuse(at, "must be an object")
	}
	how, tools := pick2(v, "mode", "tools")
	switch word, _ := wire.Text(how); word {
	case "auto":
		c.mode = mayListed
	case "required":
		c.mode = mustListed
	default:
		return refuse(at+".mode", "must be auto or required")
	}
	if wire.KindOf(tools) != wire.KindArray || !wire.Filled(tools) {
		return refuse(at+".tools", "must be a list that is not empty")
	}
	i := 0
	for a := wire.ArrayOf(tools); a.Next(); i++ {
		name, err := listed(a.Value, at+".tools["+strconv.Itoa(i)+"]")
		if err != nil {
			return err
		}
		c.names = append(c.names, name)
	}
	c.at = at + ".tools"
	slices.Sort(c.names)
	c.names = slices.Compact(c.names)
	return nil
}

// listed is the name of an element of allowed_tools.
func listed(v []byte, at string) (string, *apierror.Error) {
	if wire.KindOf(v) != wire.KindObject {
		return "", refuse(at, "must be an object")
	}
	word, _ := wire.Text(pick1(v, "type"))
	if word != "function" && word != "custom" {
		return "", refuse(at+".type", "must be function or custom")
	}
	in := pick1(v, word)
	if in == nil { // the form of the other API has the name beside the type
		in, word = v, ""
	} else {
		word = "." + word
	}
	name := pick1(in, "name")
	client, why := named(name)
	if why != "" {
		return "", refuse(at+word+".name", why)
	}
	return string(client), nil
}

// allows tells whether a tool is declared to Google at all.
func (c *toolChoice) allows(name string) bool {
	if c.mode != mayListed {
		return true
	}
	_, there := slices.BinarySearch(c.names, name)
	return there
}

// withoutTools refuses a choice that needs tools where there are none.
func (c *toolChoice) withoutTools() *apierror.Error {
	if c.mode == auto || c.mode == none {
		return nil
	}
	return refuse(c.at, "needs such tools in the request")
}

// append appends `,"toolConfig":{...}`, or nothing where the model is free, which is the default.
func (c *toolChoice) append(dst []byte, tools *gemini.Tools) ([]byte, *apierror.Error) {
	for _, name := range c.names {
		if _, there := tools.Known(name); !there {
			return dst, refuse(c.at, "names a tool that is not in the request")
		}
	}
	switch c.mode {
	case auto, mayListed:
		return dst, nil
	case none:
		return append(dst, `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`...), nil
	}
	dst = append(dst, `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"`...)
	if len(c.names) > 0 {
		dst = append(dst, `,"allowedFunctionNames":[`...)
		for _, name := range c.names {
			dst = wire.AppendQuoted(wire.Comma(dst), tools.Google(name))
		}
		dst = append(dst, ']')
	}
	return append(dst, "}}"...), nil
}
