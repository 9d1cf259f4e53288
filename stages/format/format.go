// Package format finds out what the body is written in and whether the client wants events.
//
// The body decides, not the route: a Gemini body on an OpenAI route is served as it is, and the
// other way round (behaviour 5.10).
package format

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/wire/openai"
)

// Settings is the [stage.format] table.
type Settings struct{}

// Kind describes the stage to the registry.
func Kind() pipeline.Kind {
	return pipeline.Kind{
		Name:  "format",
		Does:  "tells OpenAI, Gemini and Anthropic bodies apart, and whether the client wants events",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed},
		Gives: []pipeline.Fact{pipeline.HasFormat},
		New: pipeline.New(Settings{}, func(Settings, *pipeline.Build) (pipeline.Stage, error) {
			return stage{}, nil
		}),
		Off: byRoute,
	}
}

type stage struct{}

// Process reads the members of the body.
func (stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	members, fail := x.Members()
	if fail != nil {
		return x.Fail(fail)
	}
	x.Asked = x.In.Route.Format
	if x.In.Route.Verb != pipeline.Embed {
		x.Asked = openai.Language(x.Asked, members)
	}
	return streaming(x)
}

// byRoute stands in for the stage when it is switched off: the route's own format.
func byRoute(x *pipeline.Exchange) pipeline.Verdict {
	if _, fail := x.Members(); fail != nil {
		return x.Fail(fail)
	}
	x.Asked = x.In.Route.Format
	return streaming(x)
}

// streaming settles whether the client wants events.
func streaming(x *pipeline.Exchange) pipeline.Verdict {
	on, fail := x.AsksStream()
	if fail != nil {
		return x.Fail(fail)
	}
	x.WantsStream = on
	return pipeline.Next
}
