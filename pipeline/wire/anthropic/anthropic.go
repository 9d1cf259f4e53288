// Package anthropic is Anthropic's Messages API, to and from the hub format.
//
// Neither direction decodes a document: texts, pictures and arguments are copied as they were
// written, escapes included. What cannot be honoured and changes the meaning is refused by name;
// what does not change it is left out and reported.
package anthropic

import (
	"slices"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Request is what the body said beside the hub request.
type Request struct {
	gemini.Beside
}

// ToHub appends the hub request that body, a request to /v1/messages, means. members is what
// wire.Scan found in body. An error is a bad_request that names the member in Param; dst may then
// hold a part of the request and is to be cut back.
//
// A last message of the assistant stays the last turn: the model goes on from there.
func ToHub(dst, body []byte, members []wire.Member, t gemini.Target) ([]byte, Request, *apierror.Error) {
	var f form
	return f.translate(dst, body, members, t)
}

// CountToHub is ToHub for /v1/messages/count_tokens, whose bodies have no max_tokens. The hub request
// is one of the verb count: what is counted stands in generateContentRequest.
func CountToHub(dst, body []byte, members []wire.Member, t gemini.Target) ([]byte, Request, *apierror.Error) {
	f := form{counting: true}
	return f.translate(dst, body, members, t)
}

// room is what a hub request usually needs beyond the length of the body it was made of.
const room = 512

// form is a request read halfway: raw values, checked where they have a range, nil when absent.
type form struct {
	Request
	counting    bool
	messages    []byte
	system      []byte
	tools       []byte
	functions   int // declared
	choice      choice
	format      []byte // the schema of the answer
	formatName  string // where it stood
	most        int64  // max_tokens
	temperature []byte
	topP        []byte
	topK        int64
	stop        []byte
	thought     thought
}

func (f *form) translate(dst, body []byte, members []wire.Member, t gemini.Target) ([]byte, Request, *apierror.Error) {
	dst, err := f.write(dst, body, members, t)
	if err != nil {
		return dst, Request{}, err
	}
	if f.Tools.Len() == 0 && len(f.Tools.Hosted) == 0 {
		f.Tools = nil
	}
	return dst, f.Request, nil
}

func (f *form) write(dst, body []byte, members []wire.Member, t gemini.Target) ([]byte, *apierror.Error) {
	f.Tools = &gemini.Tools{}
	if err := f.read(members); err != nil {
		return dst, err
	}
	if f.most == 0 && !f.counting {
		return dst, gemini.Refuse("max_tokens", "is missing")
	}
	dst = slices.Grow(dst, len(body)+room)
	if f.counting {
		dst = append(dst, `{"generateContentRequest":`...)
	}
	dst, err := f.appendTools(append(dst, '{'), t)
	if err != nil {
		return dst, err
	}
	if dst, err = f.appendDialogue(dst, body, t); err != nil {
		return dst, err
	}
	if f.counting {
		return append(dst, "}}"...), nil
	}
	if dst, err = f.appendGeneration(dst, t); err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}

// read takes the members one by one.
func (f *form) read(members []wire.Member) *apierror.Error {
	if name, twice := wire.Duplicate(members); twice {
		return gemini.Refuse(wire.HeaderSafe(name), "is in the request twice")
	}
	return fields.Read(f, &f.Beside, members)
}

// once reports what may stand in a request many times.
func (f *form) once(what string) {
	if !slices.Contains(f.Ignored, what) {
		f.Ignore(what)
	}
}
