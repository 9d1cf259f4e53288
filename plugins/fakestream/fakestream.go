// Package fakestream answers a client that wants events from a call in one piece: heartbeats while Google
// is silent, then the answer cut into events.
//
// A model that thinks for a minute says nothing in a stream either, and some networks do not let one
// through. What the client hears is a stream like any other, to the last event.
package fakestream

import (
	"errors"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

// Settings is the [stage.fakestream] table.
type Settings struct {
	Heartbeat time.Duration `koanf:"heartbeat"`
	Chunk     int           `koanf:"chunk"`
}

// Kind describes the stage to the registry.
func Kind() pipeline.Kind {
	least, most := 1.0, 10_000.0
	return pipeline.Kind{
		Name:   "fakestream",
		Does:   "asks Google in one piece for a client that wants events, and cuts the answer into some",
		Needs:  []pipeline.Fact{pipeline.HasModel, pipeline.HasCall},
		Before: []pipeline.Fact{pipeline.HasLease},
		Params: []config.Param{
			{Key: "stage.fakestream.heartbeat", Type: config.Duration, Default: "3s",
				Help: "silence after which a heartbeat is sent while Google works on the answer; 0 sends none but the first"},
			{Key: "stage.fakestream.chunk", Type: config.Int, Default: 50, Min: &least, Max: &most,
				Help: "characters of text in one event; an event ends with a space where there is one"},
		},
		New: pipeline.New(Settings{3 * time.Second, 50}, func(s Settings, b *pipeline.Build) (pipeline.Stage, error) {
			through := "upstream"
			if b.Has("retry") {
				through = "retry"
			}
			// Behind antitrunc it would make an error of an answer that breaks off, and nobody goes on from one.
			return &stage{s, through}, errors.Join(b.RerunsRest(through), b.StandsBefore("antitrunc"))
		}),
	}
}

type stage struct {
	Settings
	through string // end of the stretch that it runs: what gives the answer, tries again included
}

// Process runs the rest of the list through the answer and makes a stream of that.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	if !x.WantsStream || !x.Model.Features.Has(models.FakeStream) {
		return pipeline.Next
	}
	rest := x.Rest(s.through)
	if reply := s.fetch(x, rest); reply.Body != nil {
		x.Reply = pipeline.Reply{Stream: newCut(reply.Body, s.Chunk, x.Answer != wire.Gemini), Usage: reply.Usage}
	} else {
		x.Reply = reply
	}
	return rest.Instead()
}

// fetch gets the answer in one piece. What it sets of the exchange it puts back: the list may be walked
// again for a model that is not to be faked.
func (s *stage) fetch(x *pipeline.Exchange, rest pipeline.Segment) pipeline.Reply {
	fetch, beat := x.Fetch, x.Beat()
	defer func() {
		x.Fetch = fetch
		x.Patience(x.Grace(), beat)
	}()
	x.Fetch = pipeline.InOne
	x.Patience(x.Grace(), s.Heartbeat)
	reply := rest.Run(x)
	if reply.Stream == nil {
		return reply
	}
	return x.Gather(reply.Stream) // a stage in the stretch has asked for events after all
}
