// Package compat hands the instructions of the system to the model as words of the user.
//
// Some prompts make Google answer an instruction with an empty stream, and a few models take none; the same
// words in the user's first turn go through. Which mode is on is settled by request: a header goes before the
// setting.
package compat

import (
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
)

// Settings is the [stage.compat] table.
type Settings struct {
	SystemToUser bool `koanf:"system_to_user"`
}

// Kind describes the stage to the registry.
func Kind() pipeline.Kind {
	return pipeline.Kind{
		Name:   "compat",
		Does:   "turns instructions of the system into words of the user",
		Needs:  []pipeline.Fact{pipeline.HasCall},
		Before: []pipeline.Fact{pipeline.HasLease},
		Params: []config.Param{
			{Key: "stage.compat.system_to_user", Flat: "compatibility_mode_enabled", Env: []string{"COMPATIBILITY_MODE"}, Type: config.Bool, Default: false,
				Help: "true does so for every request that has no header X-Compat"},
		},
		New: pipeline.New(Settings{}, func(s Settings, _ *pipeline.Build) (pipeline.Stage, error) {
			return &stage{s}, nil
		}),
	}
}

type stage struct{ Settings }

// The header, and what it takes.
const (
	header       = "X-Compat"
	systemToUser = "system-to-user"
	off          = "off"
)

// Process settles x.SystemAsUser, and moves the instructions of the call.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	on, fail := s.wanted(x)
	if fail != nil {
		return x.Fail(fail)
	}
	if x.SystemAsUser = on; on {
		move(&x.Call)
	}
	return pipeline.Next
}

// wanted is what the client says for this request, else the setting.
func (s *stage) wanted(x *pipeline.Exchange) (bool, *apierror.Error) {
	switch strings.ToLower(strings.TrimSpace(x.In.Header(header))) {
	case "":
		return s.SystemToUser, nil
	case systemToUser:
		return true, nil
	case off:
		return false, nil
	}
	return false, apierror.Newf(apierror.BadRequest, "the header %s must be %q or %q", header, systemToUser, off).Naming(header)
}
