package responses

import (
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// message writes a message. One that says nothing opens no turn: Google refuses empty ones.
func (r *reader) message(it *item) *fault {
	who, bad := it.speaker()
	if bad != nil {
		return bad
	}
	if who != gemini.TheModel {
		r.sign = ""
	}
	switch wire.KindOf(it.content) {
	case wire.KindString:
		return r.text(it.content, who)
	case wire.KindArray:
	case wire.KindNone, wire.KindNull:
		return &fault{below: ".content", why: "is missing"}
	default:
		return &fault{below: ".content", why: "must be a string or a list of parts"}
	}
	i := 0
	for a := wire.ArrayOf(it.content); a.Next(); i++ {
		p, bad := readPart(a.Value)
		if bad == nil {
			bad = r.part(&p, who)
		}
		if bad != nil {
			return bad.in(".content", i)
		}
	}
	return nil
}

func (it *item) speaker() (gemini.Role, *fault) {
	switch word(it.role) {
	case "user":
		return gemini.User, nil
	case "assistant":
		return gemini.TheModel, nil
	case "system", "developer":
		return gemini.System, nil
	}
	if !wire.Given(it.role) {
		return gemini.Nobody, &fault{below: ".role", why: "is missing"}
	}
	return gemini.Nobody, &fault{below: ".role", why: "must be user, assistant, system or developer"}
}

func (r *reader) part(p *part, who gemini.Role) *fault {
	if p.sort == written {
		return r.text(p.value, who)
	}
	if who == gemini.System && r.d.Role() <= gemini.System {
		return &fault{below: ".type", why: "must be input_text in a system message"}
	}
	if bad := r.open(who); bad != nil {
		return bad
	}
	return p.append(&r.d, &r.f.Beside)
}

func (r *reader) text(v []byte, who gemini.Role) *fault {
	inner, _ := wire.Inside(v)
	if len(inner) == 0 {
		return nil
	}
	if bad := r.open(who); bad != nil {
		return bad
	}
	r.d.Text(inner)
	return nil
}

// ran writes code that the model has run, and what came of it, as a text of the model.
func (r *reader) ran(it *item) *fault {
	source, _ := wire.Inside(it.code)
	if len(source) == 0 {
		return nil
	}
	if bad := r.open(gemini.TheModel); bad != nil {
		return bad
	}
	text := append(append([]byte("```\\n"), source...), "\\n```"...)
	for a := wire.ArrayOf(it.outputs); a.Next(); {
		if logs, _ := wire.Inside(wire.Get(a.Value, "logs")); len(logs) > 0 {
			text = append(append(append(text, "\\n```output\\n"...), logs...), "\\n```"...)
		}
	}
	r.d.Text(text)
	return nil
}

// drew writes a picture that the model has made.
func (r *reader) drew(it *item) *fault {
	if !wire.Given(it.result) {
		return nil
	}
	p := part{sort: filed, value: it.result, name: it.format, below: ".result"}
	if wire.KindOf(it.result) != wire.KindString {
		return &fault{below: p.below, why: "must be a string"}
	}
	p.name = []byte(`".png"`)
	switch format := word(it.format); format {
	case "jpeg", "webp":
		p.name = []byte(`".` + format + `"`)
	}
	if bad := r.open(gemini.TheModel); bad != nil {
		return bad
	}
	return p.append(&r.d, &r.f.Beside)
}
