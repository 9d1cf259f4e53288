package translate

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/responses"
	"gcli2api/store"
)

// kept answers what is asked of an answer that the gateway keeps.
func (s *stage) kept(x *pipeline.Exchange) pipeline.Verdict {
	answer := s.show
	if x.In.Route.Verb == pipeline.Forget {
		answer = s.forget
	}
	body, fail := answer(x)
	if fail != nil {
		return x.Fail(fail)
	}
	x.Reply.Body = body
	return pipeline.Respond
}

// show gives a kept answer, or the items of its request.
func (s *stage) show(x *pipeline.Exchange) ([]byte, *apierror.Error) {
	if on := x.In.Query("stream"); on != "" && on != "false" {
		return nil, apierror.New(apierror.Unsupported, "a kept response cannot be streamed again: ask for it without stream").Naming("stream")
	}
	response, _, items, fail := s.find(x, x.In.Kept)
	if fail != nil || !x.In.Items {
		return response, fail
	}
	q := responses.ListQuery{After: x.In.Query("after"), Order: x.In.Query("order")}
	if limit := x.In.Query("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 {
			n = -1 // refused with the words for any other bad one
		}
		q.Limit = n
	}
	return responses.AppendItemList(nil, items, q)
}

// forget removes a kept answer.
func (s *stage) forget(x *pipeline.Exchange) ([]byte, *apierror.Error) {
	if s.memory == nil {
		return nil, unknown(x.In.Kept)
	}
	ctx, cancel := context.WithTimeout(x.Context(), patience)
	defer cancel()
	there, err := s.memory.Forget(ctx, shelfOf(x), x.In.Kept)
	switch {
	case err != nil:
		return nil, failed("the store did not delete the response", err)
	case !there:
		return nil, unknown(x.In.Kept)
	}
	return responses.AppendDeleted(nil, x.In.Kept), nil
}

// find reads a kept answer of the caller.
func (s *stage) find(x *pipeline.Exchange, id string) (response, thread, items []byte, fail *apierror.Error) {
	if s.memory == nil {
		return nil, nil, nil, unknown(id)
	}
	ctx, cancel := context.WithTimeout(x.Context(), 5*patience) // a thread is large, and there is no going on without it
	defer cancel()
	doc, there, err := s.memory.Recall(ctx, shelfOf(x), id)
	if err == nil && there {
		doc, there, err = s.fill(ctx, x, doc)
	}
	if err != nil {
		return nil, nil, nil, failed("the store did not give the response", err)
	}
	if there {
		response, thread, items = responses.ReadKept(doc)
	}
	if response == nil {
		return nil, nil, nil, unknown(id)
	}
	return response, thread, items, nil
}

// fill puts the large strings back into what was kept. A document without them is of no use to anybody,
// and so not there.
func (s *stage) fill(ctx context.Context, x *pipeline.Exchange, doc []byte) (full []byte, there bool, err error) {
	at := pipeline.Place{Owner: x.Caller.Owner(), Shelf: pipeline.Parts}
	full, there = responses.Fill(nil, doc, func(id string) (part []byte, ok bool) {
		if part, ok, err = s.memory.Recall(ctx, at, id); err == nil && !ok {
			s.log.Warn("a part of a kept response is gone", "id", x.In.ID, "part", id)
		}
		return part, ok && err == nil
	})
	return full, there, err
}

// failed is what a store's failure comes to: one that is away will be back, and the client may ask again.
func failed(message string, err error) *apierror.Error {
	if away := (*store.Away)(nil); !errors.As(err, &away) {
		return apierror.Wrap(apierror.Internal, message, err)
	}
	fail := apierror.Wrap(apierror.UpstreamUnavailable, message+": the database is away at the moment", err)
	fail.Status, fail.RetryAfter = http.StatusServiceUnavailable, 2*time.Second
	return fail
}

func shelfOf(x *pipeline.Exchange) pipeline.Place {
	return pipeline.Place{Owner: x.Caller.Owner(), Shelf: pipeline.Responses}
}

// unknown is said of what is gone, was never there, or belongs to somebody else.
func unknown(id string) *apierror.Error {
	return apierror.Newf(apierror.NotFound, "response with id %.80q not found: it was never kept, it is more than a day old, or it belongs to another caller", id)
}

// response rewrites a request of the Responses API, behind the dialogue that it goes on from.
func (s *stage) response(x *pipeline.Exchange, dst, body []byte, members []wire.Member) ([]byte, gemini.Beside, *apierror.Error) {
	before, fail := responses.Previous(members)
	if fail != nil {
		return dst, gemini.Beside{}, fail
	}
	var thread []byte
	if before != "" {
		if _, thread, _, fail = s.find(x, before); fail != nil {
			return dst, gemini.Beside{}, fail.Naming("previous_response_id")
		}
	}
	hub, said, fail := responses.ToHub(dst, responses.Input{Body: body, Members: members, Thread: thread}, s.target(x))
	if fail == nil && said.Store && s.memory != nil {
		x.Thread, fail = responses.AppendItems(nil, members, thread)
	}
	return hub, said.Beside, fail
}
