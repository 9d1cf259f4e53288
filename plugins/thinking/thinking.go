// Package thinking says how much the model thinks, and whether its thoughts are shown.
//
// It edits generationConfig.thinkingConfig of the hub request, whatever language the client speaks. What
// a request says explicitly was put there by translate already.
package thinking

import (
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Settings is the [stage.thinking] table.
type Settings struct {
	ReturnThoughts bool `koanf:"return_thoughts"`
}

// Kind describes the stage to the registry.
func Kind() pipeline.Kind {
	return pipeline.Kind{
		Name:  "thinking",
		Does:  "says how much the model thinks and whether its thoughts are shown",
		Needs: []pipeline.Fact{pipeline.HasModel, pipeline.HasCall},
		Params: []config.Param{
			{Key: "stage.thinking.return_thoughts", Flat: "return_thoughts_to_frontend", Env: []string{"RETURN_THOUGHTS_TO_FRONTEND"}, Type: config.Bool, Default: true,
				Help: "show the thoughts of a model where the request does not say, in answers of Gemini and chat completions; false shows them to who asks for them"},
		},
		Heeds: []pipeline.Heed{{Key: []string{"models", "thinking"}, Lost: "sets no default and leaves a thinkingConfig as it is; only what is translated, as a reasoning_effort, keeps to it"}},
		New: pipeline.New(Settings{}, func(set Settings, b *pipeline.Build) (pipeline.Stage, error) {
			c, err := b.Models()
			return &stage{Settings: set, catalogue: c}, err
		}),
	}
}

type stage struct {
	Settings
	catalogue *models.Catalogue
}

// Process edits x.Call.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	row := s.catalogue.Thinking(x.Model.Base)
	edit := s.edit
	if !row.Thinks() {
		edit = s.remove
	}
	if fail := edit(x, row); fail != nil {
		return x.Fail(fail)
	}
	return pipeline.Next
}

// edit settles the thinkingConfig for a model that thinks.
func (s *stage) edit(x *pipeline.Exchange, row models.ThinkingRow) *apierror.Error {
	said, fail := read(&x.Call)
	if fail != nil {
		return fail
	}
	limits := gemini.Limits(row.ThinkingLimits)
	asked, unwanted := choose(x, row, said.amount)
	fit := limits.Fit(asked)
	if fit != asked && fit.Said() {
		name, value, _ := strings.Cut(fit.String(), "=")
		x.Changed(name, value)
	}
	switch {
	case said.decided:
	case !s.ReturnThoughts || unwanted || limits.Idle && !fit.Said():
	case x.Answer == wire.Gemini || x.Answer == wire.OpenAI:
		// The other languages have a switch of their own for it, or no place.
		said.show, said.decided = true, true
	}
	if fit.None() && said.show { // Google refuses thoughts of a model that does not think
		said.show, said.decided = false, false
		x.Dropped("includeThoughts")
	}
	said.amount = fit
	said.write(&x.Call)
	return nil
}

// choose is how much is asked for: by the request, else by the suffix, else by the table. unwanted tells
// that no thinking at all is, of a model that may know no way to do without.
func choose(x *pipeline.Exchange, row models.ThinkingRow, explicit gemini.Amount) (asked gemini.Amount, unwanted bool) {
	limits := gemini.Limits(row.ThinkingLimits)
	suffix := ofSuffix(x.Model, limits)
	switch {
	case explicit.Said():
		if x.Model.Thinking != models.None && limits.Fit(suffix) != limits.Fit(explicit) {
			x.Dropped(suffixOf(x.Model))
		}
		return explicit, explicit.None()
	case x.Model.Thinking != models.None:
		return suffix, x.Model.Thinking == models.Off || suffix.None()
	}
	asked = ofTable(row.Default)
	return asked, asked.None()
}

// remove takes the thinkingConfig away from a model that Google would refuse it for. A suffix would have
// no meaning. Models that draw or embed, and those whose name tells nothing, are left alone while the table
// says nothing of them.
func (s *stage) remove(x *pipeline.Exchange, row models.ThinkingRow) *apierror.Error {
	if x.Model.Thinking != models.None {
		if x.Fallback == "" {
			return apierror.Newf(apierror.BadRequest, "the model %q cannot be told how to think, as far as this gateway knows: ask for it without %q",
				x.Model.Base, suffixOf(x.Model)).Naming("model")
		}
		x.Dropped(suffixOf(x.Model)) // it was meant for another model
	}
	if !row.Written && unsure(x.Model.Base) {
		return nil
	}
	if v, ok := x.Call.GetIn("generationConfig", member); ok {
		x.Call.DeleteIn("generationConfig", member)
		if wire.Filled(v) {
			x.Dropped(member)
		}
	}
	return nil
}

// unsure tells a name that does not say whether the model takes a thinkingConfig: Google knows.
func unsure(base string) bool {
	return models.FamilyOf(base) == models.Family{} && !strings.HasPrefix(base, "gemma-") ||
		models.FamilyOf(base).Line == models.Image || models.Embeds(base)
}
