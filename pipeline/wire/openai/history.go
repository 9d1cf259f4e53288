package openai

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// calls appends the calls that an assistant message has.
func (t *turns) calls(m *message) *apierror.Error {
	at := place{list: "messages", at: m.at}
	if m.calls != nil && wire.KindOf(m.calls) != wire.KindArray {
		return at.refuse(".tool_calls", "must be a list")
	}
	if m.legacy != nil {
		at.tail = ".function_call"
		if wire.Filled(m.calls) {
			return at.refuse("", "cannot be used together with tool_calls")
		}
		return t.function(m.legacy, gemini.Invocation{At: m.at}, at)
	}
	at.inner = ".tool_calls"
	for a := wire.ArrayOf(m.calls); a.Next(); at.nth++ {
		if err := t.call(a.Value, m, at); err != nil {
			return err
		}
	}
	return nil
}

// call appends an element of tool_calls.
func (t *turns) call(v []byte, m *message, at place) (err *apierror.Error) {
	if wire.KindOf(v) != wire.KindObject {
		return at.refuse("", "must be an object")
	}
	in := pick(v, "id", "type", "function", "custom", "extra_content")
	c := gemini.Invocation{At: m.at}
	why := ""
	if c.ID, why = named(in[0]); why != "" {
		return at.refuse(".id", why)
	}
	if c.Signature, err = signature(in[4], at); err != nil {
		return err
	}
	switch word, _ := wire.Text(in[1]); {
	case word == "custom":
		return t.custom(in[3], c, at.below(".custom"))
	case word != "function" && in[1] != nil:
		return at.refuse(".type", "must be function or custom")
	}
	return t.function(in[2], c, at.below(".function"))
}

// function appends a call with arguments; v is the object with its name and them.
func (t *turns) function(v []byte, c gemini.Invocation, at place) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return at.refuse("", "must be an object")
	}
	name, args := pick2(v, "name", "arguments")
	why := ""
	if c.Name, why = named(name); why != "" {
		return at.refuse(".name", why)
	}
	if c.Args, why = arguments(args); why != "" {
		return at.refuse(".arguments", why)
	}
	t.invoke(c)
	return nil
}

// mostAround is more brackets than stand around the arguments of a call in a request.
const mostAround = 16

// arguments decodes the JSON object that a string holds, an empty one means {}; or says what v must be.
func arguments(v []byte) (object []byte, why string) {
	inner, ok := wire.Inside(v)
	switch {
	case v == nil || ok && blank(inner):
		return nil, ""
	case !ok:
		return nil, "must be a string"
	}
	text := bytes.TrimSpace(wire.AppendText(make([]byte, 0, len(v)), v))
	switch {
	case string(text) == "null":
		return nil, ""
	case len(text) == 0 || text[0] != '{' || wire.CheckUnder(text, mostAround) != nil:
		return nil, "must be a JSON object in a string"
	case wire.NotText(text) >= 0:
		return nil, "must be text: half of a surrogate pair is in it"
	}
	return text, ""
}

// custom appends the call of a custom tool, whose text Google knows as the parameter "input".
func (t *turns) custom(v []byte, c gemini.Invocation, at place) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return at.refuse("", "must be an object")
	}
	name, input := pick2(v, "name", "input")
	why := ""
	if c.Name, why = named(name); why != "" {
		return at.refuse(".name", why)
	}
	if input == nil {
		input = []byte(`""`)
	} else if wire.KindOf(input) != wire.KindString {
		return at.refuse(".input", "must be a string")
	}
	c.Args = append(append(append(make([]byte, 0, len(input)+16), `{"input":`...), input...), '}')
	t.invoke(c)
	return nil
}

func (t *turns) invoke(c gemini.Invocation) {
	t.Turn(gemini.TheModel)
	t.Tools = t.form.tools()
	t.Call(c)
}

// named decodes a name or an id, or says why it is none.
func named(v []byte) (name []byte, why string) {
	if v == nil {
		return nil, "is missing"
	}
	inner, ok := wire.Inside(v)
	switch {
	case !ok || len(inner) == 0:
		return nil, "must be a string that is not empty"
	case bytes.IndexByte(inner, '\\') < 0:
		return inner, ""
	}
	return wire.AppendText(nil, v), ""
}

// result takes the message of a tool or, in the older form, of a function.
func (t *turns) result(m *message) *apierror.Error {
	text, pictures, err := t.told(m)
	if err != nil {
		return err
	}
	if lost := t.Turn(gemini.User); lost != nil {
		return unanswered(lost)
	}
	response := gemini.AppendResponse(make([]byte, 0, len(text)+16), text, false)
	take, name, v := t.Result, ".tool_call_id", m.callID
	if m.who == function {
		take, name, v = t.ResultOf, ".name", m.name
	}
	id, why := named(v)
	if why != "" {
		return refuse(m.path()+name, why)
	}
	if t.Tools == nil || !take(id, response) {
		return refuse(m.path()+name, "names no call of the assistant message before it that waits for a result")
	}
	for _, p := range pictures {
		t.Attach(p)
	}
	return nil
}

// told is what the content of a result says: its texts, joined, as the inside of a string, and its
// pictures as parts for Google.
func (t *turns) told(m *message) (text []byte, pictures [][]byte, err *apierror.Error) {
	switch wire.KindOf(m.content) {
	case wire.KindNone:
		return nil, nil, nil
	case wire.KindString:
		text, _ = wire.Inside(m.content)
		return text, nil, nil
	case wire.KindArray:
	default:
		return nil, nil, refuse(m.path()+".content", "must be a string or a list of parts")
	}
	i := 0
	for a := wire.ArrayOf(m.content); a.Next(); i++ {
		said, picture, bad := t.toldPart(a.Value)
		if bad != nil {
			return nil, nil, bad.in(m.path() + ".content[" + strconv.Itoa(i) + "]")
		}
		if text = append(text, said...); picture != nil {
			pictures = append(pictures, picture)
		}
	}
	return text, pictures, nil
}

// toldPart is a part of a result: the inside of its text, or a part for Google.
func (t *turns) toldPart(v []byte) (said, picture []byte, bad *fault) {
	if wire.KindOf(v) != wire.KindObject {
		return nil, nil, &fault{why: "must be an object"}
	}
	in := pick(v, "type", "text", "image_url", "input_audio", "file")
	word, bad := partType(in[0])
	switch {
	case bad != nil:
		return nil, nil, bad
	case word == "refusal":
		return nil, nil, &fault{below: ".type", why: "must be text, image_url, input_audio or file in the result of a tool"}
	case word != "text":
		m, bad := t.medium(word, media{in[2], in[3], in[4]})
		if bad != nil {
			return nil, nil, bad
		}
		picture, bad = t.aside(&m)
		return nil, picture, bad
	}
	said, ok := wire.Inside(in[1])
	if !ok {
		return nil, nil, &fault{below: ".text", why: "must be a string"}
	}
	return said, nil, nil
}

// images appends the pictures of an answer that an assistant message carries beside its content.
func (t *turns) images(m *message) *apierror.Error {
	if wire.KindOf(m.images) != wire.KindArray {
		return refuse(m.path()+".images", "must be a list")
	}
	i := 0
	for a := wire.ArrayOf(m.images); a.Next(); i++ {
		if bad := t.part(m, a.Value); bad != nil {
			return bad.in(m.path() + ".images[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}
