package shape

import (
	"bytes"
	"context"
	"time"

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
		if len(doc) > mostKept {
			return apierror.Newf(apierror.TooLarge, `the response could not be kept: with its dialogue it is larger than %d MB; "store": false asks for one that is not`, mostKept>>20)
		}
		id, _ := wire.Text(wire.Get(response, "id"))
		if err := s.keep(x, id, doc); err != nil {
			if x.Context().Err() == nil { // in a stream nobody else hears of it but the client
				s.log.Error("a response could not be kept", "id", x.In.ID, "error", err)
			}
			return apierror.Wrap(apierror.Internal, `the response could not be kept; "store": false asks for one that is not`, err)
		}
		return nil
	}
}

// mostKept is how many bytes a response and its dialogue may have. What is stored of them grows by what
// is new only, but the next request has to read them all.
const mostKept = 64 << 20

// partsStay is how much longer parts live than the response: they are written before it.
const partsStay = time.Minute

// keep writes the large strings by themselves, and then the rest: whoever finds it finds them all. A
// part that is there from an earlier response is written again, and lives as long as this one.
func (s *stage) keep(x *pipeline.Exchange, id string, doc []byte) error {
	ctx, cancel := context.WithTimeout(x.Context(), 5*patience)
	defer cancel()
	at := pipeline.Place{Owner: x.Caller.Owner(), Shelf: pipeline.Parts}
	slim, parts := responses.Slim(nil, doc)
	if len(parts) > 0 {
		items := make([]pipeline.Item, len(parts))
		for i, p := range parts {
			items[i] = pipeline.Item{ID: p.ID, Value: p.Data}
		}
		if err := s.memory.Keep(ctx, at, s.ResponseLife+partsStay, items...); err != nil {
			return err
		}
	}
	at.Shelf = pipeline.Responses
	return s.memory.Keep(ctx, at, s.ResponseLife, pipeline.Item{ID: id, Value: slim})
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
