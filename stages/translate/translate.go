// Package translate makes the hub request: Gemini bodies pass untouched, OpenAI bodies are
// rewritten.
package translate

import (
	"strings"
	"sync"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
)

// Settings is the [stage.translate] table.
type Settings struct{}

// Kind describes the stage to the registry.
func Kind() pipeline.Kind {
	return pipeline.Kind{
		Name:  "translate",
		Does:  "turns the body into a hub (Gemini) request",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count},
		Needs: []pipeline.Fact{pipeline.HasFormat, pipeline.HasModel},
		Gives: []pipeline.Fact{pipeline.HasCall},
		New: pipeline.New(Settings{}, func(_ Settings, b *pipeline.Build) (pipeline.Stage, error) {
			c, err := b.Models()
			return &stage{catalogue: c}, err
		}),
		Off: hubOnly,
	}
}

type stage struct {
	catalogue *models.Catalogue
	buffers   sync.Pool // *wire.Buffer, the handles: each keeps its bytes in wire.Buffers
}

type bufferKey struct{}

// Process settles x.Call.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	take := s.foreign
	if x.Asked == wire.Gemini {
		take = s.native
	}
	if fail := take(x); fail != nil {
		return x.Fail(fail)
	}
	return pipeline.Next
}

// native takes a Gemini body over.
func (s *stage) native(x *pipeline.Exchange) *apierror.Error {
	if fail := native(x); fail != nil {
		return fail
	}
	clamp(x, s.output(x.Model.Base))
	return nil
}

// foreign rewrites an OpenAI body.
func (s *stage) foreign(x *pipeline.Exchange) *apierror.Error {
	members, fail := x.Members()
	if fail != nil {
		return fail
	}
	body, fail := x.In.Body()
	if fail != nil {
		return fail
	}
	buf := s.buffer(x, len(body)+512)
	hub, asked, fail := openai.ToHub(buf.B, body, members, s.options(x.Model.Base))
	if fail != nil {
		return fail
	}
	buf.B = hub
	if len(asked.Ignored) > 0 {
		x.Header.Set("X-Dropped-Params", strings.Join(asked.Ignored, ", "))
	}
	x.Call.TakeMade(hub)
	return nil
}

// buffer lends the exchange one buffer, also when a rewind brings it here again.
func (s *stage) buffer(x *pipeline.Exchange, size int) *wire.Buffer {
	b, ok := x.Note(bufferKey{}).(*wire.Buffer)
	if !ok {
		if b, _ = s.buffers.Get().(*wire.Buffer); b == nil {
			b = &wire.Buffer{}
		}
		wire.Buffers.Lend(b, size)
		x.Keep(bufferKey{}, b)
	}
	b.B = b.B[:0]
	return b
}

// options is what the translation has to know of the model.
func (s *stage) options(base string) gemini.Target {
	f := models.FamilyOf(base)
	return gemini.Target{MaxOutput: s.output(base), Major: f.Major, Minor: f.Minor,
		Pro: f.Line == models.Pro, Lite: f.Line == models.FlashLite, Thinks: f.Thinks()}
}

// output is how many tokens the model writes at most.
func (s *stage) output(base string) int {
	if e, ok := s.catalogue.Lookup(base); ok && e.Output > 0 {
		return e.Output
	}
	return models.DefaultOutput
}

// End returns the buffer of the rewritten request.
func (s *stage) End(x *pipeline.Exchange) {
	if b, ok := x.Note(bufferKey{}).(*wire.Buffer); ok {
		x.Keep(bufferKey{}, nil)
		wire.Buffers.Put(b)
		s.buffers.Put(b)
	}
}

// hubOnly stands in for the stage when it is switched off.
func hubOnly(x *pipeline.Exchange) pipeline.Verdict {
	fail := apierror.New(apierror.BadRequest, "translation is switched off on this gateway: send a Gemini body with contents").Naming("contents")
	if x.Asked == wire.Gemini {
		fail = native(x)
	}
	if fail != nil {
		return x.Fail(fail)
	}
	return pipeline.Next
}
