package responses

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// mostWaiting is how many calls may wait for their outputs at once. Each output looks for its call
// among them; no model makes as many.
const mostWaiting = 1024

// waiting is a call that waits for its output.
type waiting struct {
	id   []byte
	item []byte // the id of the item, by which outputs of local_shell may name it; nil for others
}

// call writes a call of the model.
func (r *reader) call(it *item) *fault {
	id, bad := it.call()
	if bad != nil {
		return bad
	}
	name, bad := r.callee(it)
	if bad != nil {
		return bad
	}
	args, bad := it.args()
	if bad != nil {
		return bad
	}
	if bad := r.open(gemini.TheModel); bad != nil {
		return bad
	}
	if len(r.waiting) == mostWaiting {
		return &fault{why: "is one call too many: 1024 others wait for their outputs"}
	}
	at := r.at
	if r.past {
		at = -1
	}
	r.d.Call(gemini.Invocation{ID: id, Google: name, Args: args, Signature: []byte(r.sign), At: at})
	r.sign = ""
	w := waiting{id: id}
	if it.kind == "local_shell_call" {
		w.item = wire.AppendText(nil, it.id)
	}
	r.waiting = append(r.waiting, w)
	return nil
}

// callee is Google's name of the function that was called. OpenAI writes the name of a function that
// was loaded late as its namespace, too.
func (r *reader) callee(it *item) (string, *fault) {
	if k, ok := kitOf(it.kind); ok {
		return r.f.names.GoogleOf(k.function()), nil
	}
	name := word(it.name)
	if name == "" {
		return "", &fault{below: ".name", why: "must be a string that is not empty"}
	}
	if wire.Given(it.namespace) && wire.KindOf(it.namespace) != wire.KindString {
		return "", &fault{below: ".namespace", why: "must be a string"}
	}
	space := plainSpace(word(it.namespace))
	if _, declared := r.f.names.Within(space, name); !declared && space == name {
		space = ""
	}
	return r.f.names.GoogleOf(gemini.Function{Client: name, Namespace: space}), nil
}

// mostAround is more brackets than stand around the arguments of a call in a request.
const mostAround = 16

// args are the arguments of the call as an object.
func (it *item) args() ([]byte, *fault) {
	if k, ok := kitOf(it.kind); ok && (k.kind != finds || wire.KindOf(it.arguments) != wire.KindString) {
		return k.given(it)
	}
	if it.kind == "custom_tool_call" {
		if wire.KindOf(it.input) != wire.KindString {
			return nil, &fault{below: ".input", why: "must be a string"}
		}
		args := append(make([]byte, 0, len(it.input)+12), `{"input":`...)
		return append(append(args, it.input...), '}'), nil
	}
	if wire.KindOf(it.arguments) != wire.KindString {
		return nil, &fault{below: ".arguments", why: "must be a string"}
	}
	args := bytes.TrimSpace(wire.AppendText(make([]byte, 0, len(it.arguments)), it.arguments))
	switch {
	case len(args) > 0 && (args[0] != '{' || wire.CheckUnder(args, mostAround) != nil):
		return nil, &fault{below: ".arguments", why: "must be a JSON object"}
	case wire.NotText(args) >= 0: // the check of the body sees two letters of an escape, not what they mean
		return nil, &fault{below: ".arguments", why: "must be text: half of a surrogate pair is in it"}
	}
	return args, nil
}

// open makes sure that parts of this role may follow. Outputs of calls that stand further down are
// read first, because Google wants them before anything else.
func (r *reader) open(who gemini.Role) *fault {
	if len(r.waiting) > 0 && (who != gemini.TheModel || r.d.Role() != gemini.TheModel) {
		if bad := r.catchUp(); bad != nil {
			return bad
		}
	}
	r.d.Turn(who)
	return nil
}

// result takes the output of a call, unless a message in front of it has made it to be read before.
func (r *reader) result(it *item) *fault {
	if r.taken[r.at] {
		return nil
	}
	id, bad := it.call()
	if bad != nil {
		return bad
	}
	for i := range r.waiting {
		if w := r.waiting[i]; bytes.Equal(w.id, id) || it.kind == "local_shell_call_output" && bytes.Equal(w.item, id) {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			r.d.Turn(gemini.User)
			return r.respond(w.id, it)
		}
	}
	return &fault{below: ".call_id", why: `is of no call that stands before it ("` + wire.HeaderSafe(string(id)) + `")`}
}

// catchUp reads the outputs of the calls that wait, wherever in the list they stand.
func (r *reader) catchUp() *fault {
	if r.later == nil {
		r.later, r.taken = outputsIn(r.list), map[int]bool{}
	}
	for _, w := range r.waiting {
		id := string(w.id)
		if len(r.later[id]) == 0 && len(w.item) > 0 {
			id = string(w.item)
		}
		places := r.later[id]
		for len(places) > 0 && places[0].at < r.at {
			places = places[1:]
		}
		if len(places) == 0 {
			continue // the draft tells that it is missing
		}
		p := places[0]
		r.later[id], r.taken[p.at] = places[1:], true
		it, bad := readItem(p.item)
		if bad == nil {
			bad = r.respond(w.id, &it)
		}
		if bad != nil {
			return &fault{path: "input[" + strconv.Itoa(p.at) + "]" + bad.below, why: bad.why}
		}
	}
	r.waiting = r.waiting[:0]
	return nil
}

// place is an output in a list.
type place struct {
	at   int
	item []byte
}

// outputsIn finds all outputs of a list, by call.
func outputsIn(list []byte) map[string][]place {
	found := map[string][]place{}
	at := 0
	for a := wire.ArrayOf(list); a.Next(); at++ {
		kind := word(wire.Get(a.Value, "type"))
		k, ok := kitOf(kind)
		if kind == "function_call_output" || kind == "custom_tool_call_output" || ok && k.output == kind {
			id := word(wire.Get(a.Value, "call_id"))
			if id == "" && k.kind == localShell {
				id = word(wire.Get(a.Value, "id"))
			}
			found[id] = append(found[id], place{at, a.Value})
		}
	}
	return found
}

// respond writes the output of a call: a string, or parts, of which the texts are joined and the
// pictures follow behind the results.
func (r *reader) respond(id []byte, it *item) *fault {
	if k, ok := kitOf(it.kind); ok {
		response, bad := r.reported(k, it)
		if bad == nil {
			r.d.Result(id, response)
		}
		return bad
	}
	var text []byte
	switch wire.KindOf(it.output) {
	case wire.KindString:
		text, _ = wire.Inside(it.output)
	case wire.KindArray:
		var bad *fault
		if text, bad = r.outputParts(it.output); bad != nil {
			return bad
		}
	default:
		return &fault{below: ".output", why: "must be a string or a list of parts"}
	}
	r.d.Result(id, gemini.AppendResponse(make([]byte, 0, len(text)+16), text, false))
	return nil
}

// reported is the response of a kit. What a search for tools found is told by the names that Google
// knows: the tools themselves are declared.
func (r *reader) reported(k kit, it *item) ([]byte, *fault) {
	if k.kind != finds {
		return k.reported(nil, it)
	}
	b := []byte(`{"tools":[`)
	name := func(v []byte, space string) {
		if client := word(wire.Get(v, "name")); client != "" {
			b = wire.AppendQuoted(wire.Comma(b), r.f.names.GoogleOf(gemini.Function{Client: client, Namespace: plainSpace(space)}))
		}
	}
	for a := wire.ArrayOf(it.tools); a.Next(); {
		if word(wire.Get(a.Value, "type")) != "namespace" {
			name(a.Value, "")
			continue
		}
		space := word(wire.Get(a.Value, "name"))
		for in := wire.ArrayOf(wire.Get(a.Value, "tools")); in.Next(); {
			name(in.Value, space)
		}
	}
	return append(b, "]}"...), nil
}

func (r *reader) outputParts(v []byte) (text []byte, bad *fault) {
	i := 0
	for a := wire.ArrayOf(v); a.Next(); i++ {
		p, bad := readPart(a.Value)
		if bad != nil {
			return nil, bad.in(".output", i)
		}
		if p.sort == written {
			if inner, _ := wire.Inside(p.value); len(inner) > 0 {
				if len(text) > 0 {
					text = append(text, `\n`...)
				}
				text = append(text, inner...)
			}
			continue
		}
		side := gemini.Draft{B: []byte{'['}}
		if bad := p.append(&side, &r.f.Beside); bad != nil {
			return nil, bad.in(".output", i)
		}
		r.d.Attach(side.B[1:])
	}
	return text, nil
}
