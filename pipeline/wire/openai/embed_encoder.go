package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// EmbedOptions is what the client asked for.
type EmbedOptions struct {
	Model  string // as the client wrote it
	Base64 bool   // EmbedRequest.Base64
	Tokens int64  // EmbedRequest.Tokens, told where Google tells nothing
}

// NewEmbedEncoder makes the encoder of the embeddings route. Whole turns Google's embeddings, of a
// batch or a single one, into OpenAI's list; numbers are copied as they were written. An answer
// without embeddings is an empty_answer.
func NewEmbedEncoder(o EmbedOptions) wire.Encoder { return &embedder{o} }

type embedder struct{ EmbedOptions }

func (e *embedder) Whole(dst, data []byte) ([]byte, error) {
	if err := wire.Check(data); err != nil {
		return dst, gemini.Broken(err)
	}
	begin, count, tokens, ok := len(dst), 0, e.Tokens, true
	dst = append(dst, `{"object":"list","data":[`...)
	for c := wire.CursorOf(data); c.Member(); {
		switch string(c.Key) {
		case "embeddings":
			for in := c.Array(); in && c.Element() && ok; count++ {
				dst, ok = e.entry(dst, c.Value(), count)
			}
		case "embedding":
			dst, ok = e.entry(dst, c.Value(), count)
			count++
		case "usageMetadata":
			if u := gemini.UsageOf(c.Value()); u.Prompt > 0 {
				tokens = u.Prompt
			}
		default:
			c.Skip()
		}
		if !ok {
			return dst[:begin], gemini.Broken(nil)
		}
	}
	if count == 0 {
		return dst[:begin], apierror.New(apierror.EmptyAnswer, "Google's answer has no embeddings")
	}
	dst = wire.AppendQuoted(append(dst, `],"model":`...), e.Model)
	dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), tokens, 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), tokens, 10)
	return append(dst, "}}"...), nil
}

// entry appends one vector; false when it is none.
func (e *embedder) entry(dst, v []byte, index int) (out []byte, ok bool) {
	dst = strconv.AppendInt(append(wire.Comma(dst), `{"object":"embedding","index":`...), int64(index), 10)
	dst = append(dst, `,"embedding":`...)
	values := wire.Get(v, "values")
	if wire.KindOf(values) != wire.KindArray {
		return dst, false
	}
	if e.Base64 {
		dst, ok = appendPacked(dst, values)
	} else {
		dst, ok = appendNumbers(dst, values)
	}
	return append(dst, '}'), ok
}

// appendNumbers leaves out the white space between the numbers, which may be half of the answer.
func appendNumbers(dst, values []byte) (out []byte, ok bool) {
	dst = append(dst, '[')
	for a := wire.ArrayOf(values); a.Next(); {
		if wire.KindOf(a.Value) != wire.KindNumber {
			return dst, false
		}
		dst = append(wire.Comma(dst), a.Value...)
	}
	return append(dst, ']'), true
}

// appendPacked appends the numbers as OpenAI's clients read them fastest: 32 bits each, little end
// first, in base64. Twelve bytes at a time need no padding between them.
func appendPacked(dst, values []byte) (out []byte, ok bool) {
	var room [12]byte
	packed := room[:0]
	dst = append(dst, '"')
	for a := wire.ArrayOf(values); a.Next(); {
		n, err := strconv.ParseFloat(string(a.Value), 32) // of words, JSON has none that this takes
		if err != nil {
			return dst, false
		}
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(float32(n)))
		if len(packed) == len(room) {
			dst, packed = base64.StdEncoding.AppendEncode(dst, packed), room[:0]
		}
	}
	return append(base64.StdEncoding.AppendEncode(dst, packed), '"'), true
}

// Embeddings are no stream: one event is the whole of it.

func (e *embedder) Event(dst, data []byte) ([]byte, error)       { return e.Whole(dst, data) }
func (e *embedder) Error(dst []byte, f *apierror.Error) []byte   { return AppendError(dst, f) }
func (e *embedder) Failure(dst []byte, f *apierror.Error) []byte { return AppendError(dst, f) }
func (e *embedder) Finish(dst []byte) []byte                     { return dst }
func (e *embedder) Beat() wire.Beat                              { return wire.Heartbeat(wire.OpenAI, false) }
