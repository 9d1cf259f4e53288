// Package responses is OpenAI's Responses API, to and from the hub format.
//
// Neither direction decodes a document: texts, pictures and arguments are copied as they were written,
// because both languages are JSON. The dialogue of this API is a flat list of items. A request may go
// on from the response before it; what has been said until then is its thread, a list of items too,
// which this package writes and reads and somebody else keeps (AppendKept).
package responses

import (
	"slices"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Input is a request, and what was said before it.
type Input struct {
	Body    []byte
	Members []wire.Member // what wire.Scan found in Body
	Thread  []byte        // the items of the dialogue that previous_response_id names, nil for none
}

// Request is what the body said beside the hub request.
type Request struct {
	gemini.Beside
	Store    bool   // the response is to be kept
	Previous string // previous_response_id, "" for none
}

// ToHub appends the hub request that the body means. An error is a bad_request that names the member
// in Param; dst may then hold a part of the request and is to be cut back.
//
// Instructions, and the system and developer messages that stand before everything else, become the
// system instruction; a later one is a turn of the user in its place. Reasoning items are not sent:
// what the model thought is bound to signatures, which the calls carry. A result may stand behind
// later messages, as long as its call stands before it.
func ToHub(dst []byte, in Input, t gemini.Target) ([]byte, Request, *apierror.Error) {
	f, fail := read(in.Members)
	if fail != nil {
		return dst, Request{}, fail
	}
	dst = slices.Grow(dst, len(in.Body)+len(in.Thread)+room)
	out, fail := f.toHub(dst, in.Thread, &t)
	if fail != nil && f.missed {
		// Items bring tools along, which few do: once more, with those tools among the others.
		if f, fail = read(in.Members); fail != nil {
			return dst, Request{}, fail
		}
		f.gather = true
		out, fail = f.toHub(dst, in.Thread, &t)
	}
	return out, f.Request, fail
}

// toHub appends the hub request. It fails with missed when the tools of items are not gathered and may
// make a difference.
func (f *form) toHub(dst, thread []byte, t *gemini.Target) ([]byte, *apierror.Error) {
	f.missed = !f.gather // a choice may be of their tools
	dst, fail := f.appendTools(append(dst, '{'), thread, t)
	if fail != nil {
		return dst, fail
	}
	f.missed = false
	if dst, fail = f.dialogue(dst, thread, t); fail != nil {
		return dst, fail
	}
	if dst, fail = f.generation(dst, t); fail != nil {
		return dst, fail
	}
	if f.names.Len() > 0 || len(f.names.Hosted) > 0 {
		f.names.Single = f.single
		f.Tools = f.names
	}
	return append(dst, '}'), nil
}

// room is what a hub request usually needs beyond the length of the body it was made of.
const room = 512

// Previous finds which response the request goes on from, "" for none.
func Previous(members []wire.Member) (id string, fail *apierror.Error) {
	for i := range members {
		v := members[i].Value
		if wire.KindOf(v) == wire.KindNull {
			continue
		}
		switch string(members[i].Key) {
		case "conversation":
			return "", gemini.Refuse("conversation", "is not supported: use previous_response_id, or send the whole dialogue as input")
		case "previous_response_id":
			var ok bool
			if id, ok = wire.Text(v); !ok || id == "" {
				return "", gemini.Refuse("previous_response_id", "must be the id of a response")
			}
		}
	}
	return id, nil
}

// form is a request read halfway: raw values, checked where they have a range, nil when absent.
type form struct {
	Request
	input        []byte
	instructions []byte
	list         []byte // tools
	gather       bool   // the tools of items are among them
	missed       bool   // they are not, and an item has some
	choice       []byte // tool_choice
	temperature  []byte
	topP         []byte
	most         int64 // max_output_tokens
	json         bool  // the answer is to be JSON
	schema       []byte
	thinking     gemini.Thinking
	effort       bool
	summary      bool // thoughts are to be shown
	single       bool // one call an answer
	picture      bool // the tool image_generation
	shape        gemini.Picture
	called       bool // a function goes up
	names        *gemini.Tools
}

func read(members []wire.Member) (*form, *apierror.Error) {
	if name, twice := wire.Duplicate(members); twice {
		return nil, gemini.Refuse(wire.HeaderSafe(name), "is in the request twice")
	}
	f := &form{names: &gemini.Tools{}}
	f.Store = true
	if fail := fields.Read(f, &f.Beside, members); fail != nil {
		return nil, fail
	}
	if f.summary || f.effort {
		f.thinking.Show(f.summary) // an effort alone would show them
	}
	return f, nil
}

// quoted makes a string again of its inside.
func quoted(inner []byte) []byte {
	return append(append(append(make([]byte, 0, len(inner)+2), '"'), inner...), '"')
}

// word is a short string decoded, "" when v is none.
func word(v []byte) string {
	s, _ := wire.Text(v)
	return s
}
