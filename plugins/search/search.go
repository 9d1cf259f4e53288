// Package search lets Google search: for the suffix -search of a model name, and for what a request itself asks.
//
// Google takes its own tools beside functions, and beside an answer in JSON, from some models at some of its
// backends only (protocol 7). All requests of all languages come by here with everything that they ask for,
// and here it is decided what of it the call has.
package search

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Settings is the [stage.search] table.
type Settings struct {
	WithTools string `koanf:"search_with_tools"`
}

// The values of Settings.WithTools.
const (
	drop   = "drop"
	refuse = "refuse"
)

// Kind describes the stage to the registry.
func Kind() pipeline.Kind {
	return pipeline.Kind{
		Name:  "search",
		Does:  "lets Google search, and keeps its own tools from what they do not go with",
		Needs: []pipeline.Fact{pipeline.HasModel, pipeline.HasCall},
		Params: []config.Param{
			{Key: "stage.search.search_with_tools", Flat: "search_with_tools", Env: []string{"SEARCH_WITH_TOOLS"}, Type: config.String, Default: drop,
				OneOf: []string{drop, refuse},
				Help:  "search beside functions or JSON where Google does not take both: drop leaves the search out and says so in X-Dropped-Params, refuse answers 400"},
		},
		New: pipeline.New(Settings{drop}, func(s Settings, _ *pipeline.Build) (pipeline.Stage, error) {
			return &stage{refuses: s.WithTools == refuse}, nil
		}),
	}
}

type stage struct{ refuses bool }

// Process edits the tools of x.Call and settles x.Mix.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	x.Mix = pipeline.Mix{}
	list, _ := x.Call.Get("tools")
	suffix := x.Model.Features.Has(models.Search)
	if wire.KindOf(list) != wire.KindArray && (wire.Given(list) || !suffix) {
		return pipeline.Next // nothing to do, or Google's to refuse
	}
	r := request{x: x, of: models.FamilyOf(x.Model.Base), list: list, tools: gemini.ToolsetOf(list)}
	r.modernise()
	if suffix && !r.tools.Has(gemini.Search) && !r.tools.Has(gemini.OldSearch) {
		r.add(r.search())
		r.added = true
	}
	if fail := s.decide(&r); fail != nil {
		return x.Fail(fail)
	}
	return pipeline.Next
}

// decide looks at what does not go together.
func (s *stage) decide(r *request) *apierror.Error {
	hosted := r.hosted()
	if len(hosted) == 0 {
		return nil
	}
	beside := ""
	switch {
	case r.added && r.cached(): // Google takes no tools beside a cache; the client's own are its matter
		beside, hosted = "cachedContent", []string{r.search()}
	case r.tools.Functions && r.third() && r.mayMix():
		r.x.Call.SetIn("toolConfig", gemini.ServerTools, []byte("true"))
		r.x.Mix = pipeline.Mix{Hosted: hosted, Whole: s.refuses}
		return nil
	case r.tools.Functions:
		beside = "functions"
	case !r.third() && r.json():
		beside = "an answer in JSON"
	default:
		return nil
	}
	if s.refuses {
		return r.clash(beside, hosted[0])
	}
	r.without(hosted)
	return nil
}
