package anthropic

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// EncoderOptions is what the answer says of itself.
type EncoderOptions struct {
	ID    string // not the same for two answers; "msg_" is put before it
	Model string // as the client wrote it
}

// NewEncoder makes the encoder for one answer: the events of a stream, or one message.
//
// Thoughts are thinking blocks; executed code and pictures are text, fenced or as Markdown with a data
// URL; grounding becomes the citations of the text that the answer ends with. Calls must have gone
// through gemini.Restorer; one without an id gets one of ours. Event writes nothing for an event that
// says nothing: an empty write ends a chunked HTTP body, so check the length. The reason for the end
// and the usage are written by Finish; after Error it writes nothing.
//
// An event that is cut, or a reply that is not JSON, gives a stream_broken. A prompt that Google
// blocked is an empty answer with stop_reason refusal. The finish reasons that are errors
// (MALFORMED_FUNCTION_CALL and its like) are the caller's to turn into one; here they are end_turn.
func NewEncoder(o EncoderOptions) wire.Encoder {
	b := append(make([]byte, 0, 160), `"id":"msg_`...)
	in := len(b)
	b = wire.AppendQuoted(b, o.ID)
	b = append(b[:in], b[in+1:]...) // its opening quote stands before the prefix
	id := b[in : len(b)-1]
	b = wire.AppendQuoted(append(b, `,"type":"message","role":"assistant","model":`...), o.Model)
	return &encoder{head: append(b, `,"content":[`...), id: id}
}

type encoder struct {
	head    []byte // the members of the message up to its content
	id      []byte // the part of head that is o.ID
	whole   bool   // one message instead of events
	begun   bool   // message_start was sent
	ended   bool   // nothing may follow
	broken  bool   // something in the answer would break the lines of the stream
	blocked bool   // there is no candidate, and Google said why
	open    kind   // of the block that is open
	index   int    // of the block that is open, or of the next one
	calls   int
	reason  string // stop_reason, "" while the answer runs
	usage   gemini.Usage
	sign    []byte // signature of the thinking block that is open
	ground  []byte // the last groundingMetadata with something in it
}

// Event appends the events that a hub event means.
func (e *encoder) Event(dst, data []byte) ([]byte, error) {
	begin := len(dst)
	if e.ended {
		return dst, nil
	}
	if !e.begun {
		e.usage = gemini.Look(data).Usage
		dst = e.start(dst)
	}
	if dst = e.read(dst, data); e.broken {
		return dst[:begin], gemini.Broken(nil)
	}
	return dst, nil
}

// read appends what the candidate of an event or whole reply says. Of several the first counts: there
// is no place for others.
func (e *encoder) read(dst, data []byte) []byte {
	blocked, seen := false, false
	c := wire.CursorOf(data)
	for c.Member() {
		switch string(c.Key) {
		case "candidates":
			for in := c.Array(); in && c.Element(); {
				if seen {
					c.Skip()
					continue
				}
				seen = true
				dst = e.candidate(dst, &c)
			}
		case "usageMetadata":
			e.usage.Merge(gemini.UsageOf(c.Value()))
		case "promptFeedback":
			blocked = wire.Given(wire.Get(c.Value(), "blockReason"))
		default:
			c.Skip()
		}
	}
	e.blocked = e.blocked || blocked && !seen
	e.broken = e.broken || c.Broken()
	return dst
}

// candidate appends the parts of the candidate that the cursor stands on.
func (e *encoder) candidate(dst []byte, c *wire.Cursor) []byte {
	for in := c.Object(); in && c.Member(); {
		switch string(c.Key) {
		case "finishReason":
			if inner, ok := wire.Inside(c.Value()); ok && len(inner) > 0 {
				e.reason = stopReason(inner)
			}
		case "groundingMetadata":
			if v := c.Value(); wire.Filled(wire.Get(v, "groundingSupports")) {
				e.ground = append(e.ground[:0], v...)
			}
		case "content":
			for in := c.Object(); in && gemini.IntoParts(c); {
				for c.Element() {
					if p, ok := readPart(c); ok {
						dst = e.part(dst, &p)
					}
				}
			}
		default:
			c.Skip()
		}
	}
	return dst
}

// stopReason is Anthropic's word for why a candidate ended (protocol 5.4). Google does not tell
// whether a stop sequence did it.
func stopReason(finish []byte) string {
	switch string(finish) {
	case "MAX_TOKENS":
		return "max_tokens"
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return "refusal"
	}
	return "end_turn"
}

// stop is the reason with what else is known: Google ends a turn with calls like any other.
func (e *encoder) stop() string {
	switch {
	case e.blocked && e.index == 0:
		return "refusal"
	case e.calls > 0 && (e.reason == "end_turn" || e.reason == ""):
		return "tool_use"
	case e.reason == "":
		return "end_turn"
	}
	return e.reason
}

// start appends message_start.
func (e *encoder) start(dst []byte) []byte {
	e.begun = true
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"...)
	dst = append(append(dst, e.head...), `],"stop_reason":null,"stop_sequence":null,"usage":`...)
	return append(appendUsage(dst, &e.usage, true), "}}\n\n"...)
}

// Error appends the error as the last event.
func (e *encoder) Error(dst []byte, f *apierror.Error) []byte {
	e.ended = true
	dst = AppendError(append(dst, "event: error\ndata: "...), f)
	return append(dst, "\n\n"...)
}

// Finish appends the end of the block that is open, the reason, the usage and message_stop.
func (e *encoder) Finish(dst []byte) []byte {
	if e.ended {
		return dst
	}
	if !e.begun {
		dst = e.start(dst)
	}
	dst = e.last(dst)
	e.ended = true
	dst = append(dst, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\""...)
	dst = append(append(dst, e.stop()...), `","stop_sequence":null},"usage":`...)
	dst = append(appendUsage(dst, &e.usage, false), "}\n\n"...)
	return append(dst, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}

// Whole appends a message.
func (e *encoder) Whole(dst, data []byte) ([]byte, error) {
	if err := wire.Check(data); err != nil {
		return dst, gemini.Broken(err)
	}
	begin := len(dst)
	e.whole = true
	dst = append(append(dst, '{'), e.head...)
	dst = e.last(e.read(dst, data))
	if e.broken {
		return dst[:begin], gemini.Broken(nil)
	}
	dst = append(append(dst, `],"stop_reason":"`...), e.stop()...)
	dst = append(dst, `","stop_sequence":null,"usage":`...)
	return append(appendUsage(dst, &e.usage, true), '}'), nil
}

// Failure appends the error envelope.
func (e *encoder) Failure(dst []byte, f *apierror.Error) []byte { return AppendError(dst, f) }

// Beat is a ping event.
func (e *encoder) Beat() wire.Beat { return wire.Heartbeat(wire.Anthropic, false) }
