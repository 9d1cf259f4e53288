package shape

import (
	"bytes"
	"context"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/openai"
	"gcli2api/pipeline/wire/responses"
)

// keeper is what keeps an answer of the Responses API, with the dialogue that led to it; nil where
// nothing is to be kept. The client is promised that it can go on from there, so an answer that could
// not be kept is an error.
func (s *stage) keeper(x *pipeline.Exchange) func(response, output []byte) *apierror.Error {
	if s.memory == nil || x.Thread == nil {
		return nil
	}
	return func(response, output []byte) *apierror.Error {
		doc := responses.AppendKept(nil, response, responses.AppendThread(nil, x.Thread, output), x.Thread)
		id, _ := wire.Text(wire.Get(response, "id"))
		ctx, cancel := context.WithTimeout(x.Context(), 5*patience)
		defer cancel()
		err := s.memory.Keep(ctx, pipeline.Place{Owner: x.Caller.Owner(), Shelf: pipeline.Responses}, s.ResponseLife, pipeline.Item{ID: id, Value: doc})
		if err != nil {
			if x.Context().Err() == nil { // in a stream nobody else hears of it but the client
				s.log.Error("a response could not be kept", "id", x.In.ID, "error", err)
			}
			return apierror.Wrap(apierror.Internal, `the response could not be kept; "store": false asks for one that is not`, err)
		}
		return nil
	}
}

// kept is the encoder of what was kept in the client's own form.
type kept struct{}

func (kept) Whole(dst, data []byte) ([]byte, error) {
	return append(dst, bytes.TrimSpace(data)...), nil
}
func (kept) Event(dst, data []byte) ([]byte, error)       { return append(dst, data...), nil }
func (kept) Error(dst []byte, f *apierror.Error) []byte   { return openai.AppendError(dst, f) }
func (kept) Failure(dst []byte, f *apierror.Error) []byte { return openai.AppendError(dst, f) }
func (kept) Finish(dst []byte) []byte                     { return dst }
func (kept) Beat() wire.Beat                              { return wire.Beat{} }
