// Package model takes the model name apart and answers the model listing.
package model

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Settings is the [stage.model] table; the table of known models is [models].
type Settings struct{}

// Listing keeps the list of models that Google serves, for catalogues that want to know it.
type Listing interface {
	// Refresh sees to it that the list is not old. It waits, but never long; what failed leaves the old list.
	Refresh(ctx context.Context)
	// Want is Refresh for who can do with an old list: only the very first one is waited for.
	Want(ctx context.Context)
}

// Kind describes the stage to the registry. l may be nil: then there is no list but the table.
func Kind(l Listing) pipeline.Kind {
	return pipeline.Kind{
		Name:  "model",
		Does:  "takes features off the model name and answers the model listing",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed, pipeline.List, pipeline.Get},
		Needs: []pipeline.Fact{pipeline.HasFormat},
		Gives: []pipeline.Fact{pipeline.HasModel},
		New: pipeline.New(Settings{}, func(_ Settings, b *pipeline.Build) (pipeline.Stage, error) {
			c, err := b.Models()
			if err != nil {
				return nil, err
			}
			s := &stage{catalogue: c, on: enabled(b), compat: b.Has("compat")}
			s.warn(b)
			if c.Live() {
				s.listing = l
			}
			return s, nil
		}),
		Heeds: []pipeline.Heed{{Key: []string{"models", "alias"}}, {Key: []string{"models", "fallback"}}, {Key: []string{"models", "listing"}},
			{Key: []string{"models", "live"}}, {Key: []string{"models", "image_suffixes"}}},
		Off: unparsed,
	}
}

// enabled: a feature whose stage is off is neither listed nor accepted.
func enabled(b *pipeline.Build) models.Enabled {
	on := models.Enabled{Thinking: b.Has("thinking")}
	for stage, f := range map[string]models.Features{"fakestream": models.FakeStream, "antitrunc": models.AntiTruncation, "search": models.Search} {
		if b.Has(stage) {
			on.Features |= f
		}
	}
	return on
}

// warn names the aliases that are refused whoever asks for them, because of what they lead to.
func (s *stage) warn(b *pipeline.Build) {
	aliases := s.catalogue.Aliases()
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		to := aliases[name]
		if off := s.off(to); len(off) > 0 {
			b.Warn([]string{"models", "alias", name}, fmt.Sprintf("leads to %q, which asks for %s: that is switched off, and each request for it is refused",
				to.Asked, strings.Join(off, " ")))
		}
	}
}

// off is what a name asks for, as it is written there, although the stage for it is off.
func (s *stage) off(m models.Model) []string {
	return m.Wrote(m.Features&^s.on.Features, m.Thinking != models.None && !s.on.Thinking)
}

type stage struct {
	catalogue *models.Catalogue
	on        models.Enabled
	compat    bool    // there is a stage that heeds X-Compat
	listing   Listing // nil when Google's list is not asked for
}

// Start has Google's list at hand before anybody takes a name apart: the stage quota prices what this
// one settles, and both have to read a name alike.
func (s *stage) Start(x *pipeline.Exchange) {
	if s.listing == nil || x.In.Trial {
		return
	}
	switch x.In.Route.Verb {
	case pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed:
		s.listing.Want(x.Context())
	}
}

// Process settles x.Model, or answers a listing. Come back to for a fallback, it settles that one with the
// features of the name that was asked for.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	verb := x.In.Route.Verb
	if s.listing != nil && (verb == pipeline.List || verb == pipeline.Get) {
		s.listing.Refresh(x.Context())
	}
	if verb == pipeline.List {
		return s.list(x)
	}
	name, fail := x.AskedModel()
	if fail != nil {
		return x.Fail(fail)
	}
	x.Model = s.catalogue.Parse(name)
	if fail := s.accept(x); fail != nil {
		return x.Fail(fail)
	}
	if x.Fallback != "" {
		x.Model.Base = x.Fallback
		x.Header.Set("X-Model-Fallback", wire.HeaderSafe(x.Fallback))
	}
	if fail := permitted(x); fail != nil {
		return x.Fail(fail)
	}
	if x.In.Route.Verb == pipeline.Get {
		return s.get(x)
	}
	return pipeline.Next
}

// permitted refuses a model that the key of the caller may not ask, whatever name led to it.
func permitted(x *pipeline.Exchange) *apierror.Error {
	m := x.Model
	if x.Caller.May(m.Base) {
		return nil
	}
	what := fmt.Sprintf("the model %q", clip(m.Base))
	if m.Alias() != "" {
		what = fmt.Sprintf("the model %q, which is %q on this gateway,", clip(m.Asked), clip(m.Base))
	}
	return apierror.Newf(apierror.Forbidden, "%s is not among those that this API key may use: the list of models shows them", what).Naming("model")
}

// accept refuses names that contradict themselves and features whose stage is off.
func (s *stage) accept(x *pipeline.Exchange) *apierror.Error {
	m := x.Model
	switch {
	case m.Base == "":
		return apierror.New(apierror.BadRequest, "the model name is empty").Naming("model")
	case m.Nameless():
		return apierror.Newf(apierror.BadRequest, "the model name %q has features and no model", clip(m.Asked)).Naming("model")
	}
	if fail := m.Check(); fail != nil {
		return fail
	}
	if fail := able(x.In.Route.Verb, m); fail != nil {
		return fail
	}
	if off := m.Features &^ s.on.Features; off != 0 {
		return disabled(m, off, false)
	}
	if m.Thinking != models.None && !s.on.Thinking {
		return disabled(m, 0, true)
	}
	if fail := picture(m); fail != nil {
		return fail
	}
	return s.compatible(x)
}

// able refuses what no credential can get from the model. Google's answer would be that there is no such model,
// and the pool would take its word for it.
func able(verb pipeline.Verb, m models.Model) *apierror.Error {
	why := ""
	switch line := models.FamilyOf(m.Base).Line; {
	case verb == pipeline.Get:
	case verb != pipeline.Embed && (strings.HasPrefix(m.Base, "gemini-embedding") || strings.HasPrefix(m.Base, "text-embedding")):
		why = "makes vectors and no words: ask for embeddings"
	case verb == pipeline.Embed && line != models.OtherLine:
		why = "makes no vectors: ask a model for embeddings"
	case verb == pipeline.Embed && (m.Features != 0 || m.Thinking != models.None):
		why = "has no features: ask for it alone"
	}
	if why == "" {
		return nil
	}
	return apierror.Newf(apierror.BadRequest, "the model %q %s", clip(m.Base), why).Naming("model")
}

// disabled names what is off as the client wrote it, or as the alias brought it.
func disabled(m models.Model, off models.Features, thinking bool) *apierror.Error {
	asks, words := "asks for", strings.Join(m.Wrote(off, thinking), " ")
	if words == "" {
		asks, words = "is an alias that asks for", off.String()
		if thinking {
			words = m.Thinking.String()
		}
	}
	return apierror.Newf(apierror.FeatureDisabled, "the model name %q %s %s, which is switched off on this gateway",
		clip(m.Asked), asks, words).Naming("model")
}

// picture refuses a size or a ratio that the model does not draw in.
func picture(m models.Model) *apierror.Error {
	if m.Picture == (models.Picture{}) {
		return nil
	}
	f := models.FamilyOf(m.Base)
	t := gemini.Target{Major: f.Major, Minor: f.Minor, Image: true}
	for _, part := range [...]struct {
		what, asked string
		has         []string
	}{{"size", m.Picture.Size, t.Sizes()}, {"ratio", m.Picture.Ratio, t.Ratios()}} {
		switch {
		case part.asked == "" || slices.Contains(part.has, part.asked):
		case len(part.has) == 0:
			return apierror.Newf(apierror.BadRequest, "the model name %q asks for the %s %q, but %s draws in one %s only",
				clip(m.Asked), part.what, part.asked, m.Base, part.what).Naming("model")
		default:
			return apierror.Newf(apierror.BadRequest, "the model name %q asks for the %s %q, but %s draws in %s",
				clip(m.Asked), part.what, part.asked, m.Base, strings.Join(part.has, ", ")).Naming("model")
		}
	}
	return nil
}

// compatible refuses a header for a stage that is off; "off" is what it gets then.
func (s *stage) compatible(x *pipeline.Exchange) *apierror.Error {
	v := x.In.Route.Verb
	if s.compat || v != pipeline.Generate && v != pipeline.Streaming {
		return nil
	}
	if asked := strings.TrimSpace(x.In.Header("X-Compat")); asked != "" && !strings.EqualFold(asked, "off") {
		return apierror.New(apierror.FeatureDisabled, "the compatibility mode (header X-Compat) is switched off on this gateway").Naming("X-Compat")
	}
	return nil
}

// list shows what the caller may ask.
func (s *stage) list(x *pipeline.Exchange) pipeline.Verdict {
	all := s.catalogue.List(s.on)
	if len(x.Caller.Models) > 0 {
		all = slices.DeleteFunc(all, func(e models.Entry) bool { return !x.Caller.May(e.Base) })
	}
	x.Reply.Body = models.AppendList(nil, all)
	return pipeline.Respond
}

// get answers for one model.
func (s *stage) get(x *pipeline.Exchange) pipeline.Verdict {
	e, ok := s.catalogue.Lookup(x.Model.Base)
	if !ok {
		return x.Fail(apierror.Newf(apierror.ModelNotFound, "the model %q is not in this gateway's list", clip(x.Model.Asked)).Naming("model"))
	}
	if e.Name = x.Model.Canonical(); e.Name != e.Base {
		e.Display = "" // as in the listing: it would be the same for all variants
	}
	x.Reply.Body = models.AppendModel(nil, e)
	return pipeline.Respond
}

// unparsed stands in for the stage when it is switched off: names go up as they are, features are
// part of the name.
func unparsed(x *pipeline.Exchange) pipeline.Verdict {
	if v := x.In.Route.Verb; v == pipeline.List || v == pipeline.Get {
		return pipeline.Next
	}
	name, fail := x.AskedModel()
	if fail != nil {
		return x.Fail(fail)
	}
	x.Model = models.Model{Asked: name, Base: name}
	if fail := permitted(x); fail != nil {
		return x.Fail(fail)
	}
	return pipeline.Next
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
