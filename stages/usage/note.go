package usage

import (
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/store/audit"
)

// counted tells the verbs whose requests are counted; of the others there is the row in the log of requests.
func counted(v pipeline.Verb) bool {
	return v == pipeline.Generate || v == pipeline.Streaming || v == pipeline.Embed
}

// everyVerb are those of the chat side: each of their requests is a row.
func everyVerb() []pipeline.Verb {
	return []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Embed, pipeline.Count, pipeline.List, pipeline.Get, pipeline.Recall, pipeline.Forget}
}

// routes are the names of routes by format and verb, made once: "openai/stream".
type routes [wire.Anthropic + 1][pipeline.Forget + 1]string

func routeNames() *routes {
	r := &routes{}
	for f := range r {
		for v := range r[f] {
			r[f][v] = wire.Format(f).String() + "/" + pipeline.Verb(v).String()
		}
	}
	return r
}

func (r *routes) of(x *pipeline.Exchange) string {
	f, v := x.In.Route.Format, x.In.Route.Verb
	if v == pipeline.Generate && x.WantsStream {
		v = pipeline.Streaming // the body said so
	}
	if int(f) >= len(r) || int(v) >= len(r[f]) {
		return "?"
	}
	return r[f][v]
}

// refusedModel is what was asked for by a request that was refused before the model was settled. A body that
// nobody has read stays unread.
func refusedModel(x *pipeline.Exchange) string {
	if x.In.Model != "" || !x.Scanned() {
		return x.In.Model
	}
	name, _ := x.AskedModel()
	return name
}

// stranger tells a request that anybody can make: of who was not let in, or where the list of models is public.
func stranger(x *pipeline.Exchange) bool {
	switch x.In.Route.Verb {
	case pipeline.List, pipeline.Get:
		return x.Caller.Kind == "" || x.Caller.Kind == "anonymous"
	}
	return x.Caller.Kind == ""
}

// note takes the request down: who asked what, and what became of it, but nothing of what was said.
func (s *stage) note(x *pipeline.Exchange) {
	if s.audit == nil {
		return
	}
	r := audit.Request{ID: x.In.ID, Key: caller(x), Route: s.routes.of(x), Answer: x.Answer.String(), Model: x.Model.Asked, Stream: x.WantsStream,
		Stranger: stranger(x), Status: x.Outcome.Status, Tries: len(x.Attempts), Cost: x.Charge.Units, First: x.Outcome.First, Took: time.Since(x.Started())}
	u := &x.Used
	r.Input, r.Output, r.Cached, r.Thoughts = u.Prompt+u.ToolUse, u.Candidates+u.Thoughts, u.Cached, u.Thoughts
	if r.Model == "" {
		r.Model = refusedModel(x)
	}
	if n := len(x.Attempts); n > 0 {
		r.Credential = x.Attempts[n-1].Credential
	}
	if x.Outcome.Err != nil {
		r.Code = string(x.Outcome.Err.Code)
	}
	s.audit.Note(r)
}
