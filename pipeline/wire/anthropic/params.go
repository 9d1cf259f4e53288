package anthropic

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// limits is the range of a number.
type limits struct {
	name     string
	from, to float64
}

// ranged takes a number as it is written, when it is in the range.
func ranged(to *[]byte, v []byte, l limits) *apierror.Error {
	n, ok := wire.Float(v)
	if !ok || n < l.from || n > l.to {
		return refuse(l.name, "must be a number from "+plain(l.from)+" to "+plain(l.to))
	}
	*to = v
	return nil
}

func plain(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }

// bounds is the least that a whole number may be.
type bounds struct {
	name string
	from int64
}

func counted(to *int64, v []byte, b bounds) *apierror.Error {
	n, ok := wire.Int(v)
	if !ok || n < b.from {
		return refuse(b.name, "must be a whole number of at least "+strconv.FormatInt(b.from, 10))
	}
	*to = n
	return nil
}

func takeStream(f *form, v []byte) *apierror.Error {
	var ok bool
	if f.Stream, ok = wire.Bool(v); !ok {
		return refuse("stream", "must be true or false")
	}
	return nil
}

// mostStops is how many stop sequences Google takes.
const mostStops = 5

func takeStop(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindArray {
		return refuse("stop_sequences", "must be a list of strings")
	}
	count := 0
	for a, i := wire.ArrayOf(v), 0; a.Next(); i++ {
		inner, ok := wire.Inside(a.Value)
		if !ok {
			return refuse("stop_sequences["+strconv.Itoa(i)+"]", "must be a string")
		}
		if len(inner) > 0 {
			count++
		}
	}
	if count > mostStops {
		return refuse("stop_sequences", "may have at most 5 sequences: Google takes no more")
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
		return refuse("tool_choice", "must be an object")
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
				return refuse("tool_choice.disable_parallel_tool_use", "must be true or false")
			}
		}
		if !ok {
			return refuse("tool_choice.type", "must be a string")
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
			return refuse("tool_choice.name", "must be the name of a tool")
		}
	default:
		return refuse("tool_choice.type", "must be auto, any, tool or none")
	}
	return nil
}
