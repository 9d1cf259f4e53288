package openai

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// EncoderOptions is what every chunk repeats, and what the client asked for.
type EncoderOptions struct {
	ID           string // not the same for two answers; "chatcmpl-" is put before it
	Model        string // as the client wrote it
	Created      int64  // seconds since 1970
	IncludeUsage bool   // Request.IncludeUsage
	Images       string // where pictures go: "images", a list beside the content; else Markdown in it

	Tools *gemini.Tools // Request.Tools: which functions are custom tools, and what a call is called
}

// NewEncoder makes the encoder for one answer: chat.completion.chunk events, or one chat.completion.
//
// Event gives one chunk a hub event, or nothing at all when there is nothing to tell in it (usage
// alone, an empty text): an empty write ends a chunked HTTP body, so check the length. Thoughts
// come as reasoning_content, pictures as Markdown with a data URL or as images, executed code as fenced
// blocks, what an answer rests on as annotations, signatures of texts as extra_content. Finish gives the usage, when it was asked for and Google told, and [DONE]; after Error nothing.
// An event that is cut, or a reply that is not JSON, gives a stream_broken.
//
// A prompt that Google blocked is an empty choice with finish_reason content_filter. The finish
// reasons that are errors (MALFORMED_FUNCTION_CALL and its like) are the caller's to turn into one;
// here they are "stop".
func NewEncoder(o EncoderOptions) wire.Encoder {
	e := &encoder{usageAsked: o.IncludeUsage, seed: gemini.Hash(o.ID), tools: o.Tools, legacy: o.Tools != nil && o.Tools.Legacy, beside: o.Images == "images"}
	e.choices = e.room.choices[:0]
	// Every chunk begins alike, so the beginning is made once; an answer in one piece uses parts of it.
	const open = "data: "
	b := append(append(e.room.text[:0], open...), `{"id":"chatcmpl-`...)
	in := len(b)
	b = wire.AppendQuoted(b, o.ID)
	b = append(b[:in], b[in+1:]...) // its opening quote stands before the prefix
	id := len(b)
	b = append(b, `,"object":"chat.completion.chunk"`...)
	created := len(b)
	b = strconv.AppendInt(append(b, `,"created":`...), o.Created, 10)
	b = wire.AppendQuoted(append(b, `,"model":`...), o.Model)
	b = append(b, `,"choices":[`...)
	e.head, e.id, e.tail = b, b[len(open):id], b[created:]
	return e
}

type encoder struct {
	head       []byte // a chunk up to its choices
	id         []byte // the part of head with the id: `{"id":"..."`
	tail       []byte // the part of head from `,"created"` on
	stamp      []byte // `,"system_fingerprint":"..."`, the same in every chunk
	stamped    bool   // stamp is settled
	seed       uint64
	tools      *gemini.Tools
	legacy     bool // a call is a function_call
	beside     bool // pictures stand beside the content
	usageAsked bool
	failed     bool
	usage      gemini.Usage
	choices    []choice
	room       struct { // for what most answers need, so that it comes with the encoder
		choices [1]choice
		text    [192]byte
		stamp   [40]byte
	}
}

// choice is what was already said of a candidate.
type choice struct {
	begun  bool  // the role was sent
	ended  bool  // the finish reason was sent
	calls  int   // tool calls sent
	images int   // pictures sent
	ruler  ruler // of the content
	cited  cited
}

// Event appends a chunk.
func (e *encoder) Event(dst, data []byte) ([]byte, error) {
	begin := len(dst)
	dst = append(dst, e.head...)
	empty := len(dst)
	seen, blocked := false, false
	var version []byte
	c := wire.CursorOf(data)
	for c.Member() {
		switch string(c.Key) {
		case "candidates":
			n := 0
			for in := c.Array(); in && c.Element(); n++ {
				seen = true
				dst = e.delta(dst, n, &c)
			}
		case "usageMetadata":
			e.usage.Merge(gemini.UsageOf(c.Value()))
		case "promptFeedback":
			blocked = wire.Get(c.Value(), "blockReason") != nil
		case "modelVersion":
			version = c.Value()
		default:
			c.Skip()
		}
	}
	if c.Broken() {
		return dst[:begin], gemini.Broken(nil)
	}
	// What was copied is not checked whole, which would cost as much again as the rest; but nothing
	// may break the lines of the stream. No string of JSON has a raw line end.
	if said := dst[empty:]; bytes.IndexByte(said, '\n') >= 0 || bytes.IndexByte(said, '\r') >= 0 {
		return dst[:begin], gemini.Broken(nil)
	}
	if blocked && !seen {
		dst = e.blocked(dst)
	}
	if len(dst) == empty {
		return dst[:begin], nil
	}
	e.fingerprint(version)
	dst = append(append(dst, ']'), e.stamp...)
	if e.usageAsked {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...), nil
}

// fingerprint settles system_fingerprint by the first event that is told; there is none without the
// version of the model.
func (e *encoder) fingerprint(version []byte) {
	if e.stamped {
		return
	}
	e.stamped = true
	if inner, _ := wire.Inside(version); len(inner) > 0 {
		e.stamp = append(e.room.stamp[:0], `,"system_fingerprint":"fp_`...)
		e.stamp = append(gemini.AppendHex(e.stamp, gemini.Mix(gemini.Hash(inner)), 10), '"')
	}
}

// Error appends the error as the last event.
func (e *encoder) Error(dst []byte, f *apierror.Error) []byte {
	e.failed = true
	dst = AppendError(append(dst, "data: "...), f)
	return append(dst, "\n\n"...)
}

// Finish appends the usage and the end mark.
func (e *encoder) Finish(dst []byte) []byte {
	if e.failed {
		return dst
	}
	if e.usageAsked && e.usage != (gemini.Usage{}) {
		dst = appendUsage(append(append(append(dst, e.head...), ']'), e.stamp...), &e.usage)
		dst = append(dst, "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

// Failure appends the error envelope.
func (e *encoder) Failure(dst []byte, f *apierror.Error) []byte { return AppendError(dst, f) }

// Beat is a comment, which OpenAI's clients skip.
func (e *encoder) Beat() wire.Beat { return wire.Heartbeat(wire.OpenAI, false) }

// blocked appends the choice that stands for a prompt without candidates.
func (e *encoder) blocked(dst []byte) []byte {
	c := e.choice(0)
	if c.ended {
		return dst
	}
	c.begun, c.ended = true, true
	return append(dst, `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"content_filter"}`...)
}

// mostChoices bounds what an index in an event can make us remember.
const mostChoices = 128

// choice is the state of the candidate with this index.
func (e *encoder) choice(index int) *choice {
	for len(e.choices) <= index {
		e.choices = append(e.choices, choice{})
	}
	return &e.choices[index]
}

// AppendError appends the error envelope of OpenAI: {"error":{"message","type","param","code"}}.
func AppendError(dst []byte, f *apierror.Error) []byte {
	dst = wire.AppendQuoted(append(dst, `{"error":{"message":`...), f.Message)
	dst = wire.AppendQuoted(append(dst, `,"type":`...), f.Code.OpenAIType())
	dst = append(dst, `,"param":`...)
	if f.Param == "" {
		dst = append(dst, "null"...)
	} else {
		dst = wire.AppendQuoted(dst, f.Param)
	}
	dst = wire.AppendQuoted(append(dst, `,"code":`...), string(f.Code))
	return append(dst, "}}"...)
}
