// Package shape gives the answer the form that the client asked for.
//
// It makes the encoder, gathers a stream for a client that wants none, and holds a stream to its
// promise: one that ends without a finish reason, or without having said anything, ends with an error.
// A token count that Google could not give is estimated here, behind the last try.
package shape

import (
	"log/slog"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/wire"
)

// Settings is the [stage.shape] table.
type Settings struct {
	Grace         time.Duration `koanf:"first_byte_grace"`
	Heartbeat     time.Duration `koanf:"heartbeat"`
	Images        string        `koanf:"images"`
	SignatureLife time.Duration `koanf:"signature_life"`
	ResponseLife  time.Duration `koanf:"response_life"`
}

// The values of Settings.Images.
const (
	markdown = "markdown"
	images   = "images"
)

// Kind describes the stage to the registry. memory is where signatures of calls and answers of the
// Responses API are kept; nil keeps nothing.
func Kind(memory pipeline.Ephemeral) pipeline.Kind {
	shortest := 60.0
	return pipeline.Kind{
		Name: "shape",
		Does: "gives the answer the client's form and keeps a silent stream company",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed, pipeline.List, pipeline.Get,
			pipeline.Recall, pipeline.Forget},
		Needs: []pipeline.Fact{pipeline.HasReply},
		Gives: []pipeline.Fact{pipeline.HasEncoder},
		Params: []config.Param{
			{Key: "stage.shape.first_byte_grace", Env: []string{"FIRST_BYTE_GRACE"}, Type: config.Duration, Default: "10s",
				Help: "silence before a stream is begun without its first byte; an error until then has its true status; 0 waits for ever"},
			{Key: "stage.shape.heartbeat", Env: []string{"HEARTBEAT_INTERVAL"}, Type: config.Duration, Default: "15s",
				Help: "silence in a stream after which a heartbeat is sent; 0 sends none"},
			{Key: "stage.shape.images", Env: []string{"OPENAI_IMAGES"}, Type: config.String, Default: markdown, OneOf: []string{markdown, images},
				Help: "pictures in answers of chat completions: as Markdown in the text, or as the member images beside it"},
			{Key: "stage.shape.signature_life", Type: config.Duration, Default: "24h", Min: &shortest,
				Help: "how long the thought signatures of calls are kept for clients that cannot carry them"},
			{Key: "stage.shape.response_life", Type: config.Duration, Default: "24h", Min: &shortest,
				Help: "how long answers of the Responses API are kept for previous_response_id"},
		},
		New: pipeline.New(Settings{10 * time.Second, 15 * time.Second, markdown, 24 * time.Hour, 24 * time.Hour},
			func(s Settings, b *pipeline.Build) (pipeline.Stage, error) {
				return &stage{s, memory, b.Log}, nil
			}),
	}
}

type stage struct {
	Settings
	memory pipeline.Ephemeral
	log    *slog.Logger
}

// Start sets how long the server keeps silent, before anything else happens.
func (s *stage) Start(x *pipeline.Exchange) { x.Patience(s.Grace, s.Heartbeat) }

// Process settles x.Encoder and looks after the stream.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	x.Encoder = s.encoder(x)
	if x.In.Route.Verb == pipeline.Count {
		s.estimated(x)
	}
	back := s.restorer(x)
	if x.Reply.Stream == nil {
		return s.whole(x, back)
	}
	var stream wire.Stream = &promise{x: x, inner: x.Reply.Stream}
	if back != nil {
		stream = &restored{stream, back}
	}
	if x.WantsStream {
		x.Reply.Stream = stream
		return pipeline.Next
	}
	if x.Reply = x.Gather(stream); x.Reply.Err != nil {
		return x.Fail(x.Reply.Err)
	}
	return pipeline.Next
}

// whole looks after an answer in one piece.
func (s *stage) whole(x *pipeline.Exchange, back *restorer) pipeline.Verdict {
	if x.Reply.Body == nil || back == nil {
		return pipeline.Next
	}
	if f := disappointing(x, x.Reply.Body); f != nil {
		return x.Fail(f)
	}
	x.Reply.Body = back.event(x.Reply.Body)
	return pipeline.Next
}
