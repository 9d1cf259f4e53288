package shape

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/anthropic"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
	"gcli2api/pipeline/wire/responses"
)

// created is what the listing says of every model; strict clients break on null (behaviour 2.2).
const created = 1_700_000_000

// encoder is chosen by what the client wants to hear and by the verb.
func (s *stage) encoder(x *pipeline.Exchange) wire.Encoder {
	switch verb := x.In.Route.Verb; {
	case x.Answer == wire.Gemini:
		return gemini.NewEncoder(x.WantsStream, x.In.Route.Array)
	case x.Answer == wire.Anthropic:
		return messages(x)
	case verb == pipeline.List, verb == pipeline.Get:
		return openai.NewListEncoder(created, verb == pipeline.Get)
	case verb == pipeline.Recall, verb == pipeline.Forget:
		return kept{}
	case x.Answer == wire.Responses:
		return s.response(x)
	case verb == pipeline.Embed:
		said, _ := x.Asking.(openai.EmbedRequest)
		return openai.NewEmbedEncoder(openai.EmbedOptions{Model: x.Model.Asked, Base64: said.Base64, Tokens: said.Tokens})
	case x.Answer == wire.Completions:
		said, _ := x.Asking.(openai.CompletionRequest)
		return openai.NewCompletionEncoder(openai.CompletionOptions{ID: x.In.ID, Model: x.Model.Asked, Created: x.Started().Unix(),
			IncludeUsage: usageAsked(x), Echo: said.Echo})
	case x.Answer == wire.Images:
		said, _ := x.Asking.(openai.ImageRequest)
		return openai.NewImageEncoder(openai.ImageOptions{Created: x.Started().Unix(), URL: said.URL})
	}
	return openai.NewEncoder(openai.EncoderOptions{ID: x.In.ID, Model: x.Model.Asked,
		Created: x.Started().Unix(), IncludeUsage: usageAsked(x), Images: s.Images, Tools: x.Tools})
}

// response is the encoder of the Responses API, which repeats most of the request. The body of a
// refused caller must not be read.
func (s *stage) response(x *pipeline.Exchange) wire.Encoder {
	var members []wire.Member
	if x.Reply.Err == nil {
		members, _ = x.Members() // translate has read them
	}
	return responses.NewEncoder(responses.EncoderOptions{ID: x.In.ID, Model: x.Model.Asked, Created: x.Started().Unix(),
		Members: members, Tools: x.Tools, Stream: x.WantsStream, Keep: s.keeper(x)})
}

// messages is the encoder for a client of Anthropic.
func messages(x *pipeline.Exchange) wire.Encoder {
	switch verb := x.In.Route.Verb; verb {
	case pipeline.List, pipeline.Get:
		return anthropic.NewListEncoder(verb == pipeline.Get)
	case pipeline.Count:
		return anthropic.NewCountEncoder()
	}
	return anthropic.NewEncoder(anthropic.EncoderOptions{ID: x.In.ID, Model: x.Model.Asked})
}

// usageAsked reads the body only where the client wants events: that of a refused caller must not be
// read.
func usageAsked(x *pipeline.Exchange) bool {
	if !x.WantsStream {
		return false
	}
	on, _ := wire.Bool(wire.Get(x.Member("stream_options"), "include_usage"))
	return on
}
