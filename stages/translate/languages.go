package translate

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
)

// rewrite appends the hub request that a body of another language means.
func (s *stage) rewrite(x *pipeline.Exchange, dst, body []byte, members []wire.Member) ([]byte, gemini.Beside, *apierror.Error) {
	t := s.target(x)
	switch x.Asked {
	default:
		hub, said, fail := openai.ToHub(dst, body, members, t)
		return hub, said.Beside, fail
	}
}
