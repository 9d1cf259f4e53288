package shape

import (
	"context"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// patience is how long the store may take to remember something: an answer does not wait longer.
const patience = 2 * time.Second

// restorer gives the calls of an answer back the names and ids that the client knows, and remembers
// the signatures that came with them before the client can hear of the calls.
type restorer struct {
	s  *stage
	x  *pipeline.Exchange
	at gemini.Restorer
}

// restorer is nil for a client that speaks Gemini itself: it carries everything on its own.
func (s *stage) restorer(x *pipeline.Exchange) *restorer {
	v := x.In.Route.Verb
	if x.Answer == wire.Gemini && x.Asked == wire.Gemini || v != pipeline.Generate && v != pipeline.Streaming {
		return nil
	}
	r := &restorer{s: s, x: x, at: gemini.Restorer{Tools: x.Tools, Seed: x.In.ID, Prefix: "call_", Mixed: len(x.Mix.Hosted) > 0}}
	if x.Answer == wire.Anthropic {
		r.at.Prefix = "toolu_"
	}
	return r
}

// event is the event as the client is to see it.
func (r *restorer) event(data []byte) []byte {
	data = r.at.Event(data)
	if r.s.memory == nil || len(r.at.Made()) == 0 || r.x.Lease == nil {
		return data
	}
	var items []pipeline.Item
	for _, m := range r.at.Made() {
		if m.Over {
			m.Signature = ""
		}
		if m.Signature == "" && m.Google == "" {
			continue
		}
		known := gemini.Remembered{ID: m.Google, Signature: m.Signature, Kind: r.x.Lease.Kind(), Model: r.x.Model.Base, Before: m.Before}
		items = append(items, pipeline.Item{ID: m.ID, Value: known.Append(nil)})
	}
	if len(items) == 0 {
		return data
	}
	ctx, cancel := context.WithTimeout(r.x.Context(), patience)
	defer cancel()
	err := r.s.memory.Keep(ctx, pipeline.Place{Owner: r.x.Caller.Owner(), Shelf: pipeline.Signatures}, r.s.SignatureLife, items...)
	if err != nil && r.x.Context().Err() == nil { // the next turn does without: Google takes the sentinel as well
		r.s.log.Warn("thought signatures could not be kept", "id", r.x.In.ID, "error", err)
	}
	return data
}

// restored is a stream through a restorer.
type restored struct {
	inner wire.Stream
	by    *restorer
}

// Next passes the event on.
func (s *restored) Next() (wire.Event, error) {
	ev, err := s.inner.Next()
	if err == nil {
		ev.Data = s.by.event(ev.Data)
	}
	return ev, err
}

// Close stops the upstream call.
func (s *restored) Close() error { return s.inner.Close() }
