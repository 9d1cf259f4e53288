package anthropic

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// plainEncoder is what the encoders of answers that are no stream have in common.
type plainEncoder struct{}

func (plainEncoder) Error(dst []byte, f *apierror.Error) []byte   { return AppendError(dst, f) }
func (plainEncoder) Failure(dst []byte, f *apierror.Error) []byte { return AppendError(dst, f) }
func (plainEncoder) Finish(dst []byte) []byte                     { return dst }
func (plainEncoder) Beat() wire.Beat                              { return wire.Heartbeat(wire.Anthropic, false) }

// NewListEncoder makes the encoder of the model routes. Whole turns Google's listing into Anthropic's,
// or, when one is set, a single model into a single one.
func NewListEncoder(one bool) wire.Encoder { return &lister{one: one} }

type lister struct {
	plainEncoder
	one bool
}

func (l *lister) Event(dst, data []byte) ([]byte, error) { return l.Whole(dst, data) }

func (l *lister) Whole(dst, data []byte) ([]byte, error) {
	if err := wire.Check(data); err != nil {
		return dst, gemini.Broken(err)
	}
	if l.one {
		return appendModel(dst, data), nil
	}
	var first, last []byte
	dst = append(dst, `{"data":[`...)
	for a := wire.ArrayOf(wire.Get(data, "models")); a.Next(); {
		dst = appendModel(wire.Comma(dst), a.Value)
		if last = modelID(a.Value); first == nil {
			first = last
		}
	}
	dst = append(dst, `],"has_more":false,"first_id":`...)
	dst = append(appendID(dst, first), `,"last_id":`...)
	return append(appendID(dst, last), '}'), nil
}

func appendID(dst, id []byte) []byte {
	if id == nil {
		return append(dst, "null"...)
	}
	return wire.AppendQuotedBytes(dst, id)
}

// modelID is the name without its folder, decoded, never nil.
func modelID(v []byte) []byte {
	name := wire.AppendText(make([]byte, 0, 64), wire.Get(v, "name"))
	return bytes.TrimPrefix(name, []byte("models/"))
}

// appendModel appends one model. Google does not say when it was made: the epoch stands for that.
func appendModel(dst, v []byte) []byte {
	id := modelID(v)
	dst = wire.AppendQuotedBytes(append(dst, `{"type":"model","id":`...), id)
	dst = append(dst, `,"display_name":`...)
	if name := wire.AppendText(nil, wire.Get(v, "displayName")); len(name) > 0 {
		dst = wire.AppendQuotedBytes(dst, name)
	} else {
		dst = wire.AppendQuotedBytes(dst, id)
	}
	dst = append(dst, `,"created_at":"1970-01-01T00:00:00Z","lifecycle":"active"`...)
	for _, limit := range [...]struct{ google, ours string }{
		{"inputTokenLimit", "max_input_tokens"}, {"outputTokenLimit", "max_tokens"},
	} {
		if n, ok := wire.Int(wire.Get(v, limit.google)); ok {
			dst = strconv.AppendInt(wire.Key(dst, limit.ours), n, 10)
		}
	}
	return append(dst, '}')
}

// NewCountEncoder makes the encoder of /v1/messages/count_tokens.
func NewCountEncoder() wire.Encoder { return counter{} }

type counter struct{ plainEncoder }

func (counter) Event(dst, data []byte) ([]byte, error) { return counter{}.Whole(dst, data) }

func (counter) Whole(dst, data []byte) ([]byte, error) {
	if err := wire.Check(data); err != nil {
		return dst, gemini.Broken(err)
	}
	v := wire.Get(data, "totalTokens")
	if inner, ok := wire.Inside(v); ok { // proto-JSON may write a number as a string
		v = inner
	}
	n, _ := wire.Int(v)
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), max(n, 0), 10)
	return append(dst, '}'), nil
}
