package anthropic

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

func takeStream(f *form, v []byte) *apierror.Error {
	var ok bool
	if f.Stream, ok = wire.Bool(v); !ok {
		return gemini.Refuse("stream", "must be true or false")
	}
	return nil
}

func takeStop(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindArray {
		return gemini.Refuse("stop_sequences", "must be a list of strings")
	}
	count, fail := gemini.CountStops(v, "stop_sequences")
	if fail != nil {
		return fail
	}
	if count > gemini.MostStops {
		return gemini.Refuse("stop_sequences", "may have at most 5 sequences: Google takes no more")
	}
	if count > 0 {
		f.stop = v
	}
	return nil
}

// choice is tool_choice.
type choice struct {
	kind   choiceKind
	name   string // of the tool that is forced
	single bool   // disable_parallel_tool_use
}

type choiceKind uint8

const (
	auto choiceKind = iota
	anyTool
	oneTool
	noTool
)

func takeChoice(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse("tool_choice", "must be an object")
	}
	var name []byte
	kind := ""
	for o := wire.ObjectOf(v); o.Next(); {
		ok := true
		switch {
		case o.Is("type"):
			kind, ok = wire.Text(o.Value)
		case o.Is("name"):
			name = o.Value
		case o.Is("disable_parallel_tool_use") && wire.Given(o.Value):
			if f.choice.single, ok = wire.Bool(o.Value); !ok {
				return gemini.Refuse("tool_choice.disable_parallel_tool_use", "must be true or false")
			}
		}
		if !ok {
			return gemini.Refuse("tool_choice.type", "must be a string")
		}
	}
	switch kind {
	case "auto":
		f.choice.kind = auto
	case "any":
		f.choice.kind = anyTool
	case "none":
		f.choice.kind = noTool
	case "tool":
		f.choice.kind = oneTool
		if f.choice.name, _ = wire.Text(name); f.choice.name == "" {
			return gemini.Refuse("tool_choice.name", "must be the name of a tool")
		}
	default:
		return gemini.Refuse("tool_choice.type", "must be auto, any, tool or none")
	}
	return nil
}
