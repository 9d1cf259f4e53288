package responses

import (
	"strconv"
	"unicode/utf8"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

func takeFlag(name string, set func(*form, bool)) func(*form, []byte) *apierror.Error {
	return func(f *form, v []byte) *apierror.Error {
		on, ok := wire.Bool(v)
		if !ok {
			return gemini.Refuse(name, "must be true or false")
		}
		set(f, on)
		return nil
	}
}

func refuseAlways(name, why string) func(*form, []byte) *apierror.Error {
	return func(*form, []byte) *apierror.Error { return gemini.Refuse(name, why) }
}

func ignore(name string) func(*form, []byte) *apierror.Error {
	return func(f *form, _ []byte) *apierror.Error {
		f.Ignore(name)
		return nil
	}
}

func takeInstructions(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindString {
		return gemini.Refuse("instructions", "must be a string")
	}
	f.instructions = v
	return nil
}

func takeBackground(_ *form, v []byte) *apierror.Error {
	switch on, ok := wire.Bool(v); {
	case !ok:
		return gemini.Refuse("background", "must be true or false")
	case on:
		return gemini.Refuse("background", "is not supported: responses are made while the client waits")
	}
	return nil
}

func takeMostTokens(f *form, v []byte) *apierror.Error {
	return gemini.Least{Name: "max_output_tokens", From: 1}.Take(&f.most, v)
}

func takeMaxToolCalls(f *form, v []byte) *apierror.Error {
	var most int64
	if fail := (gemini.Least{Name: "max_tool_calls", From: 1}).Take(&most, v); fail != nil {
		return fail
	}
	f.Ignore("max_tool_calls")
	return nil
}

func takeTopLogprobs(f *form, v []byte) *apierror.Error {
	n, ok := wire.Int(v)
	if !ok || n < 0 || n > 20 {
		return gemini.Refuse("top_logprobs", "must be a whole number from 0 to 20")
	}
	if n > 0 {
		f.Ignore("top_logprobs")
	}
	return nil
}

func takeTruncation(f *form, v []byte) *apierror.Error {
	switch word(v) {
	case "disabled":
	case "auto":
		f.Ignore("truncation")
	default:
		return gemini.Refuse("truncation", "must be auto or disabled")
	}
	return nil
}

func takeStreamOptions(_ *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse("stream_options", "must be an object")
	}
	return nil
}

// OpenAI's limits of metadata.
const (
	mostPairs = 16
	mostName  = 64
	mostValue = 512
)

func takeMetadata(_ *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse("metadata", "must be an object")
	}
	pairs := 0
	for o := wire.ObjectOf(v); o.Next(); {
		name := wire.PlainKey(o.Key)
		if pairs++; pairs > mostPairs {
			return gemini.Refuse("metadata", "may have at most 16 pairs")
		}
		if utf8.RuneCount(name) > mostName {
			return gemini.Refuse("metadata", "may have names of at most 64 characters")
		}
		value, ok := wire.Text(o.Value)
		switch at := "metadata." + wire.HeaderSafe(string(name)); {
		case !ok:
			return gemini.Refuse(at, "must be a string")
		case utf8.RuneCountInString(value) > mostValue:
			return gemini.Refuse(at, "may have at most 512 characters")
		}
	}
	return nil
}

func takeReasoning(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse("reasoning", "must be an object")
	}
	for o := wire.ObjectOf(v); o.Next(); {
		if wire.KindOf(o.Value) == wire.KindNull {
			continue
		}
		switch {
		case o.Is("effort"):
			if fail := f.thinking.TakeEffort(o.Value, "reasoning.effort"); fail != nil {
				return fail
			}
			f.effort = true
		case o.Is("summary"), o.Is("generate_summary"):
			switch word(o.Value) {
			case "auto", "concise", "detailed":
				f.summary = true
			default:
				return gemini.Refuse("reasoning.summary", "must be auto, concise or detailed")
			}
		default:
			f.Ignore("reasoning." + wire.HeaderSafe(string(o.Key)))
		}
	}
	return nil
}

func takeInclude(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindArray {
		return gemini.Refuse("include", "must be a list")
	}
	i := 0
	for a := wire.ArrayOf(v); a.Next(); i++ {
		name, ok := wire.Text(a.Value)
		if !ok {
			return gemini.Refuse("include["+strconv.Itoa(i)+"]", "must be a string")
		}
		switch name {
		case "reasoning.encrypted_content", "code_interpreter_call.outputs", "web_search_call.action.sources":
		default:
			f.Ignore("include=" + wire.HeaderSafe(name))
		}
	}
	return nil
}

func takeText(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse("text", "must be an object")
	}
	for o := wire.ObjectOf(v); o.Next(); {
		switch {
		case wire.KindOf(o.Value) == wire.KindNull:
		case o.Is("format"):
			if fail := f.takeFormat(o.Value); fail != nil {
				return fail
			}
		default:
			f.Ignore("text." + wire.HeaderSafe(string(o.Key)))
		}
	}
	return nil
}

func (f *form) takeFormat(v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse("text.format", "must be an object")
	}
	switch word(wire.Get(v, "type")) {
	case "text":
	case "json_object":
		f.json = true
	case "json_schema":
		f.json, f.schema = true, wire.Get(v, "schema")
		if wire.KindOf(f.schema) != wire.KindObject {
			return gemini.Refuse("text.format.schema", "must be an object")
		}
		for _, name := range [...]string{"name", "description"} {
			if m := wire.Get(v, name); wire.Given(m) && wire.KindOf(m) != wire.KindString {
				return gemini.Refuse("text.format."+name, "must be a string")
			}
		}
		return mayBeBool(wire.Get(v, "strict"), "text.format.strict")
	default:
		return gemini.Refuse("text.format.type", "must be text, json_object or json_schema")
	}
	return nil
}

// mayBeBool takes what changes nothing here, and is no sign of a mistake.
func mayBeBool(v []byte, name string) *apierror.Error {
	if _, ok := wire.Bool(v); wire.Given(v) && !ok {
		return gemini.Refuse(name, "must be true or false")
	}
	return nil
}
