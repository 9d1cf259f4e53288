package quota

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
)

// order is what a body asks for, as far as the price goes by it.
type order struct {
	answers int64 // that are asked for
	items   int64 // of a batch
	most    int64 // tokens that an answer may have; 0 where it does not say
}

func (o *order) times() int64 {
	if o.items > math.MaxInt64/o.answers {
		return math.MaxInt64
	}
	return o.answers * o.items
}

// order reads the members that the price goes by. One that is there twice would leave open which of them is
// served, and is refused.
func (s *stage) order(x *pipeline.Exchange, m models.Model) (order, *apierror.Error) {
	o := order{answers: 1, items: 1}
	members, fail := x.Members()
	if fail != nil {
		return o, fail
	}
	format := x.In.Route.Format
	if x.In.Route.Verb == pipeline.Embed {
		if format == wire.Gemini {
			return o, s.batch(&o, members, m)
		}
		return o, inputs(&o, members)
	}
	if s.detects {
		format = openai.Language(format, members)
	}
	if format == wire.Gemini {
		return o, generation(&o, members)
	}
	return o, o.own(format, members)
}

// once finds a member that may be there once, by any of its names; nil where it is not there or null.
func once(members []wire.Member, names ...string) (v []byte, fail *apierror.Error) {
	seen := false
	for i := range members {
		if !slices.Contains(names, string(members[i].Key)) {
			continue
		}
		if seen {
			return nil, twice(names[0])
		}
		if seen = true; wire.KindOf(members[i].Value) != wire.KindNull {
			v = members[i].Value
		}
	}
	return v, nil
}

func twice(name string) *apierror.Error {
	return apierror.Newf(apierror.BadRequest, "%q is given twice", name).Naming(name)
}

// own reads the members of the languages that have them at the top.
func (o *order) own(format wire.Format, members []wire.Member) (fail *apierror.Error) {
	for _, name := range [...]string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
		v, fail := once(members, name)
		if fail != nil {
			return fail
		}
		if n, ok := wire.Int(v); ok {
			o.most = max(o.most, n)
		}
	}
	take := openai.Answers
	switch format {
	case wire.OpenAI, wire.Completions:
	case wire.Images:
		take = openai.Pictures
	default: // one question, one answer
		return nil
	}
	v, fail := once(members, "n")
	if fail == nil && v != nil {
		o.answers, fail = take(v)
	}
	return fail
}

// mostCandidates is how many answers Google gives at a time.
const mostCandidates = 8

// generation reads generationConfig. What has Google choose the model is refused: nobody could say what to
// pay for.
func generation(o *order, members []wire.Member) *apierror.Error {
	const at = "generationConfig"
	config, fail := once(members, at, "generation_config")
	if fail != nil || wire.KindOf(config) != wire.KindObject {
		return fail
	}
	counted, limited := false, false
	for c := wire.ObjectOf(config); c.Next(); {
		switch name := nameOf(c.Key); name {
		case "candidateCount":
			if counted {
				return twice(at + "." + name)
			}
			if counted = true; wire.KindOf(c.Value) == wire.KindNull {
				continue
			}
			n, ok := wire.Int(c.Value)
			if !ok || n < 1 || n > mostCandidates {
				return apierror.Newf(apierror.BadRequest, "%q must be a whole number from 1 to %d", at+"."+name, mostCandidates).Naming(at + "." + name)
			}
			o.answers = n
		case "maxOutputTokens":
			if limited {
				return twice(at + "." + name)
			}
			limited = true
			o.most, _ = wire.Int(c.Value)
		case "routingConfig", "modelSelectionConfig":
			if wire.KindOf(c.Value) != wire.KindNull {
				return apierror.Newf(apierror.BadRequest, "%q is not for API keys: it would have another model answer than the one that is paid for", at+"."+name).Naming(at + "." + name)
			}
		}
	}
	return nil
}

// nameOf is the name of a member in camelCase, also where it is written with escapes.
func nameOf(key []byte) string {
	for _, c := range key {
		if c == '\\' {
			quoted := append(append(append(make([]byte, 0, len(key)+2), '"'), key...), '"')
			key = wire.AppendText(nil, quoted)
			break
		}
	}
	return gemini.Canonical(string(key))
}

// inputs counts the texts of an embeddings request: a list of numbers is one text, in tokens.
func inputs(o *order, members []wire.Member) *apierror.Error {
	v, fail := once(members, "input")
	if fail != nil || wire.KindOf(v) != wire.KindArray {
		return fail
	}
	n := int64(0)
	for a := wire.ArrayOf(v); a.Next(); n++ {
		if n == 0 && wire.KindOf(a.Value) == wire.KindNumber {
			return nil
		}
	}
	o.items = max(n, 1)
	return nil
}

// batch counts the requests of a batch, each of which may name the model once more.
func (s *stage) batch(o *order, members []wire.Member, m models.Model) *apierror.Error {
	v, fail := once(members, "requests")
	if fail != nil || wire.KindOf(v) != wire.KindArray {
		return fail
	}
	n := int64(0)
	for a := wire.ArrayOf(v); a.Next(); n++ {
		if fail := s.sameModel(a.Value, m, n); fail != nil {
			return fail
		}
	}
	o.items = max(n, 1)
	return nil
}

func (s *stage) sameModel(request []byte, m models.Model, n int64) *apierror.Error {
	if wire.KindOf(request) != wire.KindObject {
		return nil
	}
	place := func() string { return "requests[" + strconv.FormatInt(n, 10) + "].model" }
	seen := false
	for o := wire.ObjectOf(request); o.Next(); {
		if !o.Is("model") {
			continue
		}
		if seen {
			return twice(place())
		}
		seen = true
		name, ok := wire.Text(o.Value)
		if ok && strings.TrimPrefix(s.read(strings.TrimPrefix(name, "models/")).Base, "models/") != strings.TrimPrefix(m.Base, "models/") {
			return apierror.Newf(apierror.BadRequest, "%q is another model than that of the path", place()).Naming(place())
		}
	}
	return nil
}
