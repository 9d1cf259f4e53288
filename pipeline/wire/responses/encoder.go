package responses

import (
	"strings"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// EncoderOptions is what the response says of itself and of its request.
type EncoderOptions struct {
	ID      string        // not the same for two answers; "resp_" is put before it where it is missing
	Model   string        // as the client wrote it
	Created int64         // seconds since 1970
	Members []wire.Member // of the request; they must stay valid as long as the encoder is used
	Tools   *gemini.Tools // Request.Tools
	Stream  bool          // events are wanted

	// Keep is called once with the whole response and the list of its output, before the client is
	// told that it is complete. It may be nil.
	Keep func(response, output []byte) *apierror.Error
}

// NewEncoder makes the encoder for one answer: typed events, or one response object.
//
// Thoughts become a reasoning item, texts a message, calls a function_call or custom_tool_call item
// each, code that Google ran a code_interpreter_call, pictures an image_generation_call. What Google
// searched for is a web_search_call, in front of the message when that has not begun yet and behind it
// otherwise, and the pages are annotations of the message. Only the first candidate is told.
//
// Finish closes the open item and writes response.completed or response.incomplete; Error writes an
// error event and response.failed. After either nothing follows. An event that is cut, or a reply that
// is not JSON, gives a stream_broken and leaves everything as it was.
func NewEncoder(o EncoderOptions) wire.Encoder {
	if !strings.HasPrefix(o.ID, idMark) {
		o.ID = idMark + o.ID
	}
	e := &encoder{o: o, seed: gemini.Hash(o.ID), now: func() int64 { return time.Now().Unix() }}
	e.readMembers()
	return e
}

const idMark = "resp_"

type encoder struct {
	o    EncoderOptions
	seed uint64
	now  func() int64
	echo [echoed][]byte // what the request said, by member

	encrypted, outputs, sources bool // what include asks for

	seq    int64 // number of the next event
	begun  bool  // response.created is out
	ended  bool  // so is the last event
	failed *apierror.Error
	why    reason // why it is incomplete

	open   openKind // what the open item is
	id     []byte   // the open item's
	text   []byte   // what it has said: the inside of a string
	sign   []byte   // what an open reasoning item carries
	output []byte   // the items that are complete, separated by commas
	items  int      // how many
	nth    uint64   // ids made

	ground   []byte // groundingMetadata, as it came last
	searched bool   // its item is written
	cited    bool   // a message has its pages as annotations
	usage    gemini.Usage
	parts    []said // room for those of an event
}

// openKind is the item that is being written.
type openKind uint8

const (
	nothing openKind = iota
	thinking
	speaking
	running
)

// reason is why a response is incomplete.
type reason uint8

const (
	complete reason = iota
	tooLong
	filtered
)

// Event appends what the hub event tells.
func (e *encoder) Event(dst, data []byte) ([]byte, error) {
	v := view{parts: e.parts[:0]}
	ok := v.read(data)
	if e.parts = v.parts; !ok {
		return dst, gemini.Broken(nil)
	}
	if e.ended {
		return dst, nil
	}
	return e.absorb(e.begin(dst), &v), nil
}

// absorb takes a view in.
func (e *encoder) absorb(dst []byte, v *view) []byte {
	e.usage.Merge(v.usage)
	if v.ground != nil {
		e.ground = append(e.ground[:0], v.ground...)
		if e.open == nothing {
			dst = e.search(dst)
		}
	}
	for i := range v.parts {
		switch p := &v.parts[i]; p.kind {
		case aText:
			dst = e.say(dst, p.text)
		case aThought:
			dst = e.think(dst, p.text)
		case aCall:
			dst = e.call(dst, p)
		case aPicture:
			dst = e.draw(dst, p)
		case aCode:
			dst = e.run(dst, p.text)
		case aCodeResult:
			dst = e.ran(dst, p)
		}
	}
	switch {
	case len(v.finish) > 0:
		e.why = reasonOf(v.finish)
	case v.blocked && !v.answers:
		e.why = filtered
	}
	return dst
}

// reasonOf reads a finish reason (protocol 5.4).
func reasonOf(finish []byte) reason {
	switch string(finish) {
	case "MAX_TOKENS":
		return tooLong
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return filtered
	}
	return complete
}

// Finish closes the open item and appends the last event, once the response is kept.
func (e *encoder) Finish(dst []byte) []byte {
	if e.ended {
		return dst
	}
	dst = e.end(e.begin(dst))
	status, from := e.status(), len(dst)
	dst = append(e.event(dst, "response."+status), `,"response":`...)
	begin := len(dst)
	dst = e.object(dst, status)
	if fail := e.keep(dst[begin:]); fail != nil {
		e.seq--
		return e.Error(dst[:from], fail)
	}
	e.ended = true
	return append(dst, "}\n\n"...)
}

// end closes what is open.
func (e *encoder) end(dst []byte) []byte { return e.search(e.close(dst)) }

func (e *encoder) status() string {
	if e.why == complete {
		return "completed"
	}
	return "incomplete"
}

func (e *encoder) keep(response []byte) *apierror.Error {
	if e.o.Keep == nil {
		return nil
	}
	output := append(append(make([]byte, 0, len(e.output)+2), '['), e.output...)
	return e.o.Keep(response, append(output, ']'))
}

// Whole appends the response object.
func (e *encoder) Whole(dst, data []byte) ([]byte, error) {
	e.o.Stream = false
	if err := wire.Check(data); err != nil {
		return dst, gemini.Broken(err)
	}
	var v view
	if !v.read(data) {
		return dst, gemini.Broken(nil)
	}
	begin := len(dst)
	dst = e.end(e.absorb(dst, &v))
	dst = e.object(dst, e.status())
	if fail := e.keep(dst[begin:]); fail != nil {
		return dst[:begin], fail
	}
	return dst, nil
}

// Error appends an error event and response.failed. OpenAI sends both, the first with the envelope
// that clients throw for; the members beside the envelope are those of the published type.
func (e *encoder) Error(dst []byte, f *apierror.Error) []byte {
	if e.ended {
		return dst
	}
	dst = e.begin(dst)
	e.ended, e.failed = true, f
	dst = wire.AppendQuoted(append(e.event(dst, "error"), `,"code":`...), string(f.Code))
	dst = wire.AppendQuoted(append(dst, `,"message":`...), f.Message)
	dst = append(appendParam(append(dst, `,"param":`...), f), ',')
	envelope := AppendError(nil, f)
	dst = append(append(dst, envelope[1:]...), "\n\n"...) // its members and its closing bracket
	dst = append(e.event(dst, "response.failed"), `,"response":`...)
	return append(e.object(dst, "failed"), "}\n\n"...)
}

// Failure appends the error envelope.
func (e *encoder) Failure(dst []byte, f *apierror.Error) []byte { return AppendError(dst, f) }

// Beat is a comment, which OpenAI's clients skip.
func (e *encoder) Beat() wire.Beat { return wire.Heartbeat(wire.Responses, false) }

// AppendError appends the error envelope of OpenAI: {"error":{"message","type","param","code"}}.
func AppendError(dst []byte, f *apierror.Error) []byte {
	dst = wire.AppendQuoted(append(dst, `{"error":{"message":`...), f.Message)
	dst = wire.AppendQuoted(append(dst, `,"type":`...), f.Code.OpenAIType())
	dst = appendParam(append(dst, `,"param":`...), f)
	dst = wire.AppendQuoted(append(dst, `,"code":`...), string(f.Code))
	return append(dst, "}}"...)
}

func appendParam(dst []byte, f *apierror.Error) []byte {
	if f.Param == "" {
		return append(dst, "null"...)
	}
	return wire.AppendQuoted(dst, f.Param)
}
