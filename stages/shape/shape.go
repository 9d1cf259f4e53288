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
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
)

// Settings is the [stage.shape] table.
type Settings struct {
	Grace     time.Duration `koanf:"first_byte_grace"`
	Heartbeat time.Duration `koanf:"heartbeat"`
}

// Kind describes the stage to the registry.
func Kind() pipeline.Kind {
	return pipeline.Kind{
		Name:  "shape",
		Does:  "gives the answer the client's form and keeps a silent stream company",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed, pipeline.List, pipeline.Get},
		Needs: []pipeline.Fact{pipeline.HasReply},
		Gives: []pipeline.Fact{pipeline.HasEncoder},
		Params: []config.Param{
			{Key: "stage.shape.first_byte_grace", Env: []string{"FIRST_BYTE_GRACE"}, Type: config.Duration, Default: "10s",
				Help: "silence before a stream is begun without its first byte; an error until then has its true status; 0 waits for ever"},
			{Key: "stage.shape.heartbeat", Env: []string{"HEARTBEAT_INTERVAL"}, Type: config.Duration, Default: "15s",
				Help: "silence in a stream after which a heartbeat is sent; 0 sends none"},
		},
		New: pipeline.New(Settings{10 * time.Second, 15 * time.Second}, func(s Settings, b *pipeline.Build) (pipeline.Stage, error) {
			return &stage{s, b.Log}, nil
		}),
	}
}

type stage struct {
	Settings
	log *slog.Logger
}

// Start sets how long the server keeps silent, before anything else happens.
func (s *stage) Start(x *pipeline.Exchange) { x.Patience(s.Grace, s.Heartbeat) }

// Process settles x.Encoder and looks after the stream.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	x.Encoder = encoder(x)
	if x.In.Route.Verb == pipeline.Count {
		s.estimated(x)
	}
	if x.Reply.Stream == nil {
		return pipeline.Next
	}
	whole := &promise{x: x, inner: x.Reply.Stream}
	if x.WantsStream {
		x.Reply.Stream = whole
		return pipeline.Next
	}
	return gather(x, whole)
}

// encoder is chosen by what the client wants to hear and by the verb.
func encoder(x *pipeline.Exchange) wire.Encoder {
	verb := x.In.Route.Verb
	if x.Answer == wire.Gemini {
		return gemini.NewEncoder(x.WantsStream, x.In.Route.Array)
	}
	if verb == pipeline.List || verb == pipeline.Get {
		return openai.NewListEncoder(created, verb == pipeline.Get)
	}
	usage := false
	if x.WantsStream { // only then: the body of a refused caller must not be read
		usage, _ = wire.Bool(wire.Get(x.Member("stream_options"), "include_usage"))
	}
	return openai.NewEncoder(openai.EncoderOptions{ID: x.In.ID, Model: x.Model.Asked,
		Created: x.Started().Unix(), IncludeUsage: usage})
}

// created is what the listing says of every model; strict clients break on null (behaviour 2.2).
const created = 1_700_000_000

// maxGathered bounds what is held of a stream for a client that wants it in one piece.
const maxGathered = 256 << 20

// gather makes one reply of a stream for a client that asked for no stream.
func gather(x *pipeline.Exchange, s wire.Stream) pipeline.Verdict {
	var g gemini.Gather
	defer s.Close()
	for {
		ev, err := s.Next()
		if err != nil {
			if f := ended(err); f != nil {
				return x.Fail(f)
			}
			x.Reply = pipeline.Reply{Body: g.Append(nil)}
			return pipeline.Next
		}
		if err := g.Add(ev.Data); err != nil {
			return x.Fail(apierror.Wrap(apierror.StreamBroken, "the answer has an event that cannot be read", err))
		}
		if g.Size() > maxGathered {
			return x.Fail(apierror.New(apierror.StreamBroken, "the answer is larger than the gateway holds in one piece"))
		}
	}
}
