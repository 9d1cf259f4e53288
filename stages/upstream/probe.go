package upstream

import (
	"context"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// question is the smallest call that there is.
const question = `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":1}}`

// Probe makes one call of a token with a lease, as the stage makes calls: the dialect of its kind, the
// addresses and the way out are those of chat. The outcome is reported to the lease; nil is success.
func (c Clients) Probe(ctx context.Context, l pipeline.Lease, model string) (pipeline.Advice, *apierror.Error) {
	x := pipeline.NewExchange(ctx, pipeline.Request{ID: "test", Route: pipeline.Route{Format: wire.Gemini, Verb: pipeline.Generate}})
	x.Model = models.Model{Asked: model, Base: model}
	call, fail := gemini.NewCall([]byte(question))
	if fail != nil {
		return pipeline.Advice{}, fail
	}
	x.Call, x.Lease = call, l
	s := &stage{clients: c}
	defer s.End(x)
	s.Process(x)
	return x.Advice(), x.Reply.Err
}
