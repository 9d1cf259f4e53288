// Package translate makes the hub request: Gemini bodies pass untouched, those of other languages are
// rewritten.
package translate

import (
	"log/slog"
	"strings"
	"sync"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Settings is the [stage.translate] table.
type Settings struct {
	Safety string `koanf:"safety_default"`
}

// Kind describes the stage to the registry. memory is where signatures of calls and earlier answers
// are found again, pictures fetches what clients name; either may be nil.
func Kind(memory pipeline.Ephemeral, pictures Pictures) pipeline.Kind {
	return pipeline.Kind{
		Name: "translate",
		Does: "turns the body into a hub (Gemini) request",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed,
			pipeline.Recall, pipeline.Forget},
		Needs: []pipeline.Fact{pipeline.HasFormat, pipeline.HasModel},
		Gives: []pipeline.Fact{pipeline.HasCall},
		Params: []config.Param{
			{Key: "stage.translate.safety_default", Env: []string{"SAFETY_DEFAULT"}, Type: config.String, Default: "",
				OneOf: []string{"", "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"},
				Help:  "threshold for every harm category that a request says nothing of; empty adds nothing, and Google's own defaults count"},
		},
		New: pipeline.New(Settings{}, func(set Settings, b *pipeline.Build) (pipeline.Stage, error) {
			c, err := b.Models()
			return &stage{catalogue: c, memory: memory, pictures: pictures, turns: make(chan struct{}, mostFetchers), safety: strings.ToUpper(set.Safety),
				searches: b.Has("search"), thinking: b.Has("thinking"), log: b.Log}, err
		}),
		Off: hubOnly,
	}
}

type stage struct {
	catalogue *models.Catalogue
	memory    pipeline.Ephemeral
	pictures  Pictures
	turns     chan struct{} // who may fetch a picture
	safety    string
	searches  bool // the stage search is there
	thinking  bool // that stage decides whether thoughts are shown of which the request does not say
	log       *slog.Logger
	buffers   sync.Pool // *wire.Buffer, the handles: each keeps its bytes in wire.Buffers
}

type bufferKey struct{}

// Process settles x.Call, or answers what is asked of a kept answer.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	take := s.foreign
	switch {
	case x.In.Kept != "":
		return s.kept(x)
	case x.Asked == wire.Gemini:
		take = s.native
	}
	if fail := take(x); fail != nil {
		return x.Fail(fail)
	}
	if x.Model.Picture != (models.Picture{}) {
		sized(x, s.target(x))
	}
	if v := x.In.Route.Verb; s.safety != "" && (v == pipeline.Generate || v == pipeline.Streaming) {
		x.Call.Set("safetySettings", s.safetySettings(x))
	}
	return pipeline.Next
}

// native takes a Gemini body over.
func (s *stage) native(x *pipeline.Exchange) *apierror.Error {
	if fail := native(x); fail != nil {
		return fail
	}
	withoutHollow(x)
	joined(x)
	clamp(x, s.output(x.Model.Base))
	return nil
}

// foreign rewrites a body of another language.
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
	hub, said, fail := s.rewrite(x, buf.B, body, members)
	if fail != nil {
		return fail
	}
	buf.B = hub
	if fail := s.hosted(said.Tools, hub); fail != nil {
		return fail
	}
	if len(said.Ignored) > 0 {
		x.Header.Set("X-Dropped-Params", strings.Join(said.Ignored, ", "))
	}
	if said.Remote > 0 {
		if hub, fail = s.inline(x, hub); fail != nil {
			return fail
		}
	}
	x.Tools = said.Tools
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

// target is what the translation has to know of the model and the dialogue.
func (s *stage) target(x *pipeline.Exchange) gemini.Target {
	f := models.FamilyOf(x.Model.Base)
	t := gemini.Target{MaxOutput: s.output(x.Model.Base), Major: f.Major, Minor: f.Minor, Image: f.Line == models.Image,
		Limits: gemini.Limits(s.catalogue.Thinking(x.Model.Base).ThinkingLimits), ShownElsewhere: s.thinking}
	if s.memory != nil {
		t.Recall = s.recall(x)
	}
	return t
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
