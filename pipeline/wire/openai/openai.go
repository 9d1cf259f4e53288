// Package openai is OpenAI chat completions, to and from the hub format.
//
// Neither direction decodes a document. Texts, pictures and arguments are copied as they were
// written, escapes included, because both languages are JSON; numbers are read only where they have
// a range. What cannot be honoured is refused by name: a field that is dropped in silence costs its
// user a day.
package openai

import (
	"slices"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Request is what the body said beside the hub request.
type Request struct {
	gemini.Beside
	IncludeUsage bool // stream_options.include_usage: a last chunk with the usage
}

// ToHub appends the hub request that body, an OpenAI chat completion request, means. members is
// what wire.Scan found in body. An error is a bad_request that names the field in Param; dst may
// then hold a part of the request and is to be cut back.
//
// The rules for turns, beyond those of OpenAI: the leading run of system and developer messages
// becomes the system instruction, one part a text; a later one is a user turn in its place. Turns of
// one role are joined, results stand in the order of their calls. A dialogue that does not begin with
// the user gets a short user turn there; an assistant message in the last place stays there, and
// Google goes on from it. Messages without any content are left out. Of members of one name in a
// message or a tool the last one counts; at the top they are refused.
func ToHub(dst, body []byte, members []wire.Member, o gemini.Target) ([]byte, Request, *apierror.Error) {
	var f form
	if err := readTable(fields, &f, &f.Beside, members); err != nil {
		return dst, Request{}, err
	}
	dst = slices.Grow(dst, len(body)+room)
	dst, err := f.declare(append(dst, '{'))
	if err != nil {
		return dst, Request{}, err
	}
	if dst, err = f.messages(dst, body, &o); err != nil {
		return dst, Request{}, err
	}
	if dst, err = f.generation(dst, o); err != nil {
		return dst, Request{}, err
	}
	return append(f.google(dst), '}'), f.Request, nil
}

// room is what a hub request usually needs beyond the length of the body it was made of.
const room = 256

// form is a request read halfway: raw values, checked where they have a range, nil when absent.
type form struct {
	Request
	turns       []byte // messages
	temperature []byte
	topP        []byte
	frequency   []byte // penalties; nil when zero
	presence    []byte
	topK        int64
	most        int64 // max_tokens
	mostNew     int64 // max_completion_tokens, which wins
	seed        int32
	seeded      bool
	stop        []byte
	json        bool   // response_format is JSON
	schema      []byte // and has this schema
	logprobs    bool
	topLogprobs int64
	image       bool // modalities has image
	pictures    []wish
	thinking    gemini.Thinking

	told           bool       // the format of the answer stands in the instruction
	searches       int        // places that ask for Google's search: the field, and tools of the list
	functions      int        // in the list of tools
	toolList       []byte     // tools
	functionList   []byte     // functions
	choice         toolChoice // tool_choice
	functionChoice toolChoice // function_call
	single         bool       // parallel_tool_calls is false

	safety []byte // safety_settings
	cached []byte // cached_content
}

// unknown takes note of a member that no table knows.
func (f *form) unknown(key []byte) { f.ignored(wire.HeaderSafe(string(key[:min(len(key), 128)]))) }

func (f *form) ignored(what string) { f.Ignore(what) }

// printable is the name when it may stand in a header or an error, else "".
func printable(name string) string {
	if len(name) > 64 {
		return ""
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return ""
		}
	}
	return name
}

// refuse is gemini.Refuse, also for a member whose name may not stand in an error.
func refuse(param, why string) *apierror.Error {
	if param == "" {
		return apierror.New(apierror.BadRequest, "a member "+why)
	}
	return gemini.Refuse(param, why)
}
