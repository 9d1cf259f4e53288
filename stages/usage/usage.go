// Package usage counts calls, errors and tokens, every try of a request, also the failed ones.
package usage

import (
	"bytes"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/audit"
	"gcli2api/store/stats"
)

// Settings is the [stage.usage] table.
type Settings struct{}

// Kind describes the stage to the registry. Where a is nil no request is taken down.
func Kind(s *stats.Stats, a *audit.Log) pipeline.Kind {
	return pipeline.Kind{
		Name:  "usage",
		Does:  "counts calls, errors and tokens by credential, key and model",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Embed},
		Needs: []pipeline.Fact{pipeline.HasReply},
		New: pipeline.New(Settings{}, func(Settings, *pipeline.Build) (pipeline.Stage, error) {
			return &stage{s, a}, nil
		}),
	}
}

type stage struct {
	stats *stats.Stats
	audit *audit.Log // nil takes no request down
}

type meterKey struct{}

// Process reads the usage of a whole answer, or wraps a stream to read it as it passes.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	m := &meter{inner: x.Reply.Stream}
	x.Keep(meterKey{}, m)
	switch {
	case m.inner != nil:
		x.Reply.Stream = m
	case x.Reply.Usage != gemini.Usage{}:
		m.usage = x.Reply.Usage
	case x.Reply.Body != nil:
		m.read(x.Reply.Body)
	}
	return pipeline.Next
}

// End records the request and its tries. The tokens belong to the last try: the earlier ones failed.
func (s *stage) End(x *pipeline.Exchange) {
	r := stats.Request{Key: x.Caller.ID, Model: x.Model.Base}
	m, metered := x.Note(meterKey{}).(*meter)
	if metered {
		r.Tries = m.tries[:0]
	}
	switch {
	case r.Key != "":
	case x.Caller.Kind != "":
		r.Key = x.Caller.Kind
	default:
		r.Key = "refused" // nobody was let in
	}
	if x.Outcome.Err != nil {
		r.Code = x.Outcome.Err.Code
	}
	for i := range x.Attempts {
		a := &x.Attempts[i]
		t := stats.Try{Credential: a.Credential, Model: a.Model, Code: a.Code}
		if a.Code == apierror.ClientGone {
			t.Code = "" // a client that leaves is no failure of the credential
		}
		r.Tries = append(r.Tries, t)
	}
	if metered {
		x.Used = m.usage
	}
	if metered && len(r.Tries) > 0 {
		t := &r.Tries[len(r.Tries)-1]
		t.Prompt = m.usage.Prompt + m.usage.ToolUse
		t.Output = m.usage.Candidates + m.usage.Thoughts
		t.Total = m.usage.Total
	}
	s.stats.Record(r)
}

// meter reads the usage of the events that pass.
type meter struct {
	inner wire.Stream
	usage gemini.Usage
	tries [1]stats.Try // room for what End records
}

// Next passes the event on.
func (m *meter) Next() (wire.Event, error) {
	ev, err := m.inner.Next()
	if err == nil {
		m.read(ev.Data)
	}
	return ev, err
}

func (m *meter) read(data []byte) {
	const name = `"usageMetadata"`
	i := bytes.Index(data, []byte(name))
	if i < 0 {
		return
	}
	var v []byte
	if i > 0 && data[i-1] != '\\' {
		v = wire.Behind(data, i+len(name)) // the counts stand near the end of an event
	}
	if v == nil {
		v = wire.Get(data, "usageMetadata") // that one was inside of something else
	}
	if v != nil {
		m.usage.Merge(gemini.UsageOf(v))
	}
}

// Close stops the upstream call.
func (m *meter) Close() error { return m.inner.Close() }
