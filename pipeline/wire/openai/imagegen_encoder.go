package openai

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// ImageOptions is what the client asked for.
type ImageOptions struct {
	Created int64 // seconds since 1970
	URL     bool  // ImageRequest.URL
}

// NewImageEncoder makes the encoder for one answer in the form of OpenAI's images. Format and size in
// it are those of the picture that came, not what was asked for; the drafts of a model that thinks are
// left out, and so are words beside a picture.
//
// An answer without a picture is an error: Whole returns it, and Finish writes it into the stream. It
// is a content_filter when the finish reason says so, else an empty_answer, with what the model said
// instead. In a stream Event writes nothing: the picture goes out in Finish, when its price is known.
func NewImageEncoder(o ImageOptions) wire.Encoder { return &painter{ImageOptions: o} }

type painter struct {
	ImageOptions
	pictures []gemini.Inlined
	said     []byte // the first words of the model, decoded
	finish   string
	blocked  bool
	failed   bool
	usage    gemini.Usage
}

// kindOf is the name of a picture's format, "" for what is no picture.
func kindOf(b gemini.Inlined) []byte {
	var scratch [32]byte
	quoted := append(append(append(scratch[:0], '"'), b.MIME...), '"')
	kind, ok := bytes.CutPrefix(wire.AppendText(nil, quoted), []byte("image/"))
	if !ok {
		return nil
	}
	return kind
}

// Event takes over what the event says.
func (e *painter) Event(dst, data []byte) ([]byte, error) {
	from := len(e.pictures)
	if err := e.look(data); err != nil {
		return dst, err
	}
	for i := range e.pictures[from:] { // the event is gone when the next one comes
		p := &e.pictures[from+i]
		p.MIME, p.Data = bytes.Clone(p.MIME), bytes.Clone(p.Data)
	}
	return dst, nil
}

// look collects the pictures of a reply or event, as parts of it, and why there may be none.
func (e *painter) look(data []byte) error {
	if err := wire.Check(data); err != nil {
		return gemini.Broken(err)
	}
	for c := wire.CursorOf(data); c.Member(); {
		switch string(c.Key) {
		case "candidates":
			for in := c.Array(); in && c.Element(); {
				e.candidate(&c)
			}
		case "usageMetadata":
			e.usage.Merge(gemini.UsageOf(c.Value()))
		case "promptFeedback":
			e.blocked = wire.Get(c.Value(), "blockReason") != nil
		default:
			c.Skip()
		}
	}
	return nil
}

func (e *painter) candidate(c *wire.Cursor) {
	for in := c.Object(); in && c.Member(); {
		switch string(c.Key) {
		case "finishReason":
			if word, _ := wire.Inside(c.Value()); len(word) > 0 {
				e.finish = string(word)
			}
		case "content":
			for in := c.Object(); in && gemini.IntoParts(c); {
				for c.Element() {
					e.part(c.Value())
				}
			}
		default:
			c.Skip()
		}
	}
}

// mostSaid is how much of the model's words an error repeats.
const mostSaid = 300

func (e *painter) part(v []byte) {
	p := gemini.PartOf(v)
	if p.Thought {
		return
	}
	if len(e.said) <= mostSaid {
		e.said = wire.AppendText(e.said, p.Text)
	}
	if b := gemini.InlinedOf(p.InlineData); len(b.Data) > 0 && len(kindOf(b)) > 0 {
		e.pictures = append(e.pictures, b)
	}
}

// Whole appends the answer in one piece.
func (e *painter) Whole(dst, data []byte) ([]byte, error) {
	if err := e.look(data); err != nil {
		return dst, err
	}
	if len(e.pictures) == 0 {
		return dst, e.nothing()
	}
	dst = strconv.AppendInt(append(dst, `{"created":`...), e.Created, 10)
	dst = append(dst, `,"data":[`...)
	for _, p := range e.pictures {
		dst = append(wire.Comma(dst), '{')
		if e.URL {
			dst = append(p.AppendURL(append(wire.Key(dst, "url"), '"')), `"}`...)
		} else {
			dst = append(append(append(wire.Key(dst, "b64_json"), '"'), p.Data...), `"}`...)
		}
	}
	return append(e.appendFacts(append(dst, ']'), e.pictures[0]), '}'), nil
}

// appendFacts appends what a picture is and what it cost.
func (e *painter) appendFacts(dst []byte, p gemini.Inlined) []byte {
	dst = wire.AppendQuotedBytes(append(dst, `,"output_format":`...), kindOf(p))
	if wide, high, ok := gemini.PictureSize(p.Data); ok {
		dst = strconv.AppendInt(append(dst, `,"size":"`...), int64(wide), 10)
		dst = append(strconv.AppendInt(append(dst, 'x'), int64(high), 10), '"')
	}
	u := &e.usage
	if *u == (gemini.Usage{}) {
		return dst
	}
	in, out := u.Prompt+u.ToolUse, u.Candidates+u.Thoughts
	dst = strconv.AppendInt(append(dst, `,"usage":{"input_tokens":`...), in, 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens":`...), out, 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), in+out, 10)
	dst = strconv.AppendInt(append(dst, `,"input_tokens_details":{"text_tokens":`...), in, 10)
	return append(dst, `,"image_tokens":0}}`...) // the prompt is a text
}

// nothing says why there is no picture.
func (e *painter) nothing() *apierror.Error {
	code, why := apierror.EmptyAnswer, "the model made no picture"
	if e.blocked {
		code, why = apierror.ContentFilter, "Google blocked the prompt"
	} else if gemini.Filtered([]byte(e.finish)) {
		code = apierror.ContentFilter
	}
	if e.finish != "" && e.finish != "STOP" {
		why += " (" + wire.HeaderSafe(e.finish) + ")"
	}
	if said := bytes.TrimSpace(e.said); len(said) > 0 {
		why += ": " + clipped(said)
	}
	return apierror.New(code, why)
}

// clipped cuts a long text behind a whole character.
func clipped(text []byte) string {
	if len(text) <= mostSaid {
		return string(text)
	}
	n := mostSaid
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return string(text[:n]) + "..."
}

// Finish appends the event with the picture, or why there is none.
func (e *painter) Finish(dst []byte) []byte {
	if e.failed {
		return dst
	}
	if len(e.pictures) == 0 {
		return e.Error(dst, e.nothing())
	}
	for _, p := range e.pictures {
		dst = append(dst, "event: image_generation.completed\n"+dataOpen+`{"type":"image_generation.completed","b64_json":"`...)
		dst = append(append(dst, p.Data...), `","created_at":`...)
		dst = e.appendFacts(strconv.AppendInt(dst, e.Created, 10), p)
		dst = append(dst, "}\n\n"...)
	}
	return dst
}

// Error appends the error as the last event.
func (e *painter) Error(dst []byte, f *apierror.Error) []byte {
	e.failed = true
	return append(AppendError(append(dst, dataOpen...), f), "\n\n"...)
}

// Failure appends the error envelope.
func (e *painter) Failure(dst []byte, f *apierror.Error) []byte { return AppendError(dst, f) }

// Beat is a comment, which OpenAI's clients skip.
func (e *painter) Beat() wire.Beat { return wire.Heartbeat(wire.Images, false) }
