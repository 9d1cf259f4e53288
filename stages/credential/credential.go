// Package credential takes a credential out of the pool for each call.
package credential

import (
	"gcli2api/pipeline"
	"gcli2api/store/pool"
)

// Settings is the [stage.credential] table.
type Settings struct{}

// Kind describes the stage to the registry.
func Kind(p *pool.Pool) pipeline.Kind {
	return pipeline.Kind{
		Name:  "credential",
		Does:  "takes a credential out of the pool",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed},
		Needs: []pipeline.Fact{pipeline.HasModel},
		Gives: []pipeline.Fact{pipeline.HasLease},
		New: pipeline.New(Settings{}, func(Settings, *pipeline.Build) (pipeline.Stage, error) {
			return &stage{p}, nil
		}),
	}
}

type stage struct{ pool *pool.Pool }

// Process settles x.Lease, one that this exchange has not tried yet where there is one.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	var tried []string
	for i := range x.Attempts {
		tried = append(tried, x.Attempts[i].Credential)
	}
	if x.Lease != nil {
		x.Lease.Release()
		x.Lease = nil
	}
	want := pool.Want{Model: x.Model.Base, Verb: x.In.Route.Verb, Tried: tried}
	if len(tried) > 0 && x.Advice().Again == pipeline.Same {
		want.Prefer = tried[len(tried)-1]
	}
	l, fail := s.pool.Acquire(x.Context(), want)
	if fail != nil {
		return x.Fail(fail)
	}
	x.Lease = l
	return pipeline.Next
}

// End gives the credential back.
func (s *stage) End(x *pipeline.Exchange) {
	if x.Lease != nil {
		x.Lease.Release()
	}
}
