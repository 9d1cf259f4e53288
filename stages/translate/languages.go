package translate

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/anthropic"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
)

// rewrite appends the hub request that a body of another language means, and leaves with the exchange
// what the answer has to know of the question.
func (s *stage) rewrite(x *pipeline.Exchange, dst, body []byte, members []wire.Member) ([]byte, gemini.Beside, *apierror.Error) {
	if x.In.Route.Verb == pipeline.Embed {
		hub, said, fail := openai.EmbedToHub(dst, body, members, x.Model.Base)
		x.Asking = said
		return hub, said.Beside, fail
	}
	if x.Asked == wire.Responses {
		return s.response(x, dst, body, members)
	}
	t := s.target(x)
	switch x.Asked {
	case wire.Anthropic:
		take := anthropic.ToHub
		if x.In.Route.Verb == pipeline.Count {
			take = anthropic.CountToHub
		}
		hub, said, fail := take(dst, body, members, t)
		return hub, said.Beside, fail
	case wire.Completions:
		hub, said, fail := openai.CompletionToHub(dst, body, members, t)
		x.Asking = said
		return hub, said.Beside, fail
	case wire.Images:
		hub, said, fail := openai.ImageToHub(dst, body, members, t)
		x.Asking = said
		return hub, said.Beside, fail
	}
	hub, said, fail := openai.ToHub(dst, body, members, t)
	return hub, said.Beside, fail
}
