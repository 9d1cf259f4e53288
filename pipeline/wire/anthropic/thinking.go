package anthropic

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// thought is what thinking and output_config say of it.
type thought struct {
	kind   thoughtKind
	budget int64
	hidden bool // display omitted
	effort string
}

type thoughtKind uint8

const (
	unsaid thoughtKind = iota
	enabled
	adaptive
	disabled
)

func takeThinking(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse("thinking", "must be an object")
	}
	kind := ""
	var budget []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch {
		case o.Is("type"):
			kind, _ = wire.Text(o.Value)
		case o.Is("budget_tokens"):
			budget = o.Value
		case o.Is("display") && wire.Given(o.Value):
			word, _ := wire.Text(o.Value)
			if word != "summarized" && word != "omitted" {
				return gemini.Refuse("thinking.display", "must be summarized or omitted")
			}
			f.thought.hidden = word == "omitted"
		}
	}
	switch kind {
	case "enabled":
		f.thought.kind = enabled
		return gemini.Least{Name: "thinking.budget_tokens", From: 1}.Take(&f.thought.budget, budget)
	case "adaptive", "between_tools": // Google's models decide when to think, also between calls
		f.thought.kind = adaptive
	case "disabled":
		f.thought.kind = disabled
	default:
		return gemini.Refuse("thinking.type", "must be enabled, adaptive or disabled")
	}
	return nil
}

func takeOutputConfig(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse("output_config", "must be an object")
	}
	for o := wire.ObjectOf(v); o.Next(); {
		switch {
		case !wire.Given(o.Value):
		case o.Is("effort"):
			switch f.thought.effort, _ = wire.Text(o.Value); f.thought.effort {
			case "low", "medium", "high", "xhigh", "max":
			default:
				return gemini.Refuse("output_config.effort", "must be low, medium, high, xhigh or max")
			}
		case o.Is("format"):
			if err := f.takeFormat(o.Value, "output_config.format"); err != nil {
				return err
			}
		default:
			f.Ignore("output_config." + wire.HeaderSafe(string(wire.PlainKey(o.Key[:min(len(o.Key), 128)]))))
		}
	}
	return nil
}

// takeFormat reads the form that the answer must have.
func (f *form) takeFormat(v []byte, name string) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse(name, "must be an object")
	}
	if kind, _ := wire.Text(wire.Get(v, "type")); kind != "json_schema" {
		return gemini.Refuse(name+".type", "must be json_schema")
	}
	if f.format != nil {
		return gemini.Refuse("output_format", "and output_config.format exclude each other")
	}
	f.format, f.formatName = wire.Get(v, "schema"), name+".schema"
	if wire.KindOf(f.format) != wire.KindObject {
		return gemini.Refuse(f.formatName, "must be an object")
	}
	return nil
}

// appendThinking appends the thinkingConfig, if anything was said. A budget and disabled win over
// the effort, which at Anthropic is about more than thoughts.
func (f *form) appendThinking(dst []byte, o gemini.Target) ([]byte, *apierror.Error) {
	var t gemini.Thinking
	var err *apierror.Error
	said := &f.thought
	switch {
	case said.kind == enabled:
		err = t.Take(append(strconv.AppendInt([]byte(`{"thinking_budget":`), said.budget, 10), '}'), "thinking")
	case said.kind == disabled:
		err = t.Take([]byte(`{"type":"disabled"}`), "thinking")
	case said.effort != "":
		err = t.TakeEffort(wire.AppendQuoted(nil, said.effort), "output_config.effort")
	case said.kind == adaptive && o.Limits.Idle:
		err = t.Take([]byte(`{"thinking_budget":-1}`), "thinking")
	}
	if err != nil {
		return dst, err
	}
	if said.effort != "" && (said.kind == enabled || said.kind == disabled) {
		f.Ignore("output_config.effort")
	}
	if said.kind != disabled && (said.kind != unsaid || said.effort != "") {
		t.Show(said.kind != unsaid && !said.hidden)
	}
	dst, ignored, err := t.Append(dst, o)
	switch ignored {
	case "":
	case "reasoning_effort":
		f.Ignore("output_config.effort")
	default:
		f.Ignore(ignored)
	}
	return dst, err
}
