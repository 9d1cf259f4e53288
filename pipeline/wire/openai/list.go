package openai

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// NewListEncoder makes the encoder of the model routes. Whole turns Google's listing into OpenAI's,
// or, when one is set, a single model into a single one. created is the same constant for every
// model: null breaks strict clients.
func NewListEncoder(created int64, one bool) wire.Encoder { return &lister{created: created, one: one} }

type lister struct {
	created int64
	one     bool
}

func (l *lister) Whole(dst, data []byte) ([]byte, error) {
	if err := wire.Check(data); err != nil {
		return dst, gemini.Broken(err)
	}
	if l.one {
		return l.model(dst, data), nil
	}
	dst = append(dst, `{"object":"list","data":[`...)
	for a := wire.ArrayOf(wire.Get(data, "models")); a.Next(); {
		dst = l.model(wire.Comma(dst), a.Value)
	}
	return append(dst, "]}"...), nil
}

func (l *lister) model(dst, v []byte) []byte {
	var scratch [128]byte
	name := wire.AppendText(scratch[:0], wire.Get(v, "name"))
	dst = wire.AppendQuotedBytes(append(dst, `{"id":`...), bytes.TrimPrefix(name, []byte("models/")))
	dst = strconv.AppendInt(append(dst, `,"object":"model","created":`...), l.created, 10)
	return append(dst, `,"owned_by":"google"}`...)
}

// A listing is no stream: one event is the whole of it.

func (l *lister) Event(dst, data []byte) ([]byte, error)       { return l.Whole(dst, data) }
func (l *lister) Error(dst []byte, f *apierror.Error) []byte   { return AppendError(dst, f) }
func (l *lister) Failure(dst []byte, f *apierror.Error) []byte { return AppendError(dst, f) }
func (l *lister) Finish(dst []byte) []byte                     { return dst }
func (l *lister) Beat() wire.Beat                              { return wire.Heartbeat(wire.OpenAI, false) }
