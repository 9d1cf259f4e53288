// Package usage counts calls, errors, tokens and time, every try of a request, also the failed ones.
package usage

import (
	"bytes"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
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
		Verbs: everyVerb(),
		Needs: []pipeline.Fact{pipeline.HasReply},
		New: pipeline.New(Settings{}, func(_ Settings, b *pipeline.Build) (pipeline.Stage, error) {
			c, err := b.Models()
			return &stage{s, a, c, routeNames()}, err
		}),
	}
}

type stage struct {
	stats *stats.Stats
	audit *audit.Log // nil takes no request down

	catalogue *models.Catalogue
	routes    *routes
}

type meterKey struct{}

// Process reads the usage of a whole answer, or wraps a stream to read it as it passes.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	if !counted(x.In.Route.Verb) {
		return pipeline.Next
	}
	m := &meter{inner: x.Reply.Stream, usage: x.Reply.Usage, known: x.Reply.Usage != gemini.Usage{}}
	x.Keep(meterKey{}, m)
	switch {
	case m.inner != nil:
		x.Reply.Stream = m
	case x.Reply.Body != nil:
		m.spoke(x.Reply.Body)
		if !m.known {
			m.read(x.Reply.Body)
		}
	}
	return pipeline.Next
}

// End tells the stages before what was spent.
func (s *stage) End(x *pipeline.Exchange) {
	if m, ok := x.Note(meterKey{}).(*meter); ok {
		x.Used, x.Blocked = m.usage, m.blocked && !m.spoken
		if left := (m.silent + perToken - 1) / perToken; left > 0 && !m.known {
			x.Used.Candidates += left
			x.Used.Total = max(x.Used.Total, x.Used.Prompt+x.Used.ToolUse+x.Used.Candidates+x.Used.Thoughts)
		}
	}
}

// Record counts the request and its tries, when it is settled what it cost. The tokens belong to the last try:
// the earlier ones failed, or were gone on with.
func (s *stage) Record(x *pipeline.Exchange) {
	s.note(x)
	if !counted(x.In.Route.Verb) {
		return
	}
	r := stats.Request{Key: caller(x), Model: s.counts(x), First: x.Outcome.First, Took: time.Since(x.Started())}
	if m, ok := x.Note(meterKey{}).(*meter); ok {
		r.Tries = m.tries[:0]
	}
	if x.Outcome.Err != nil {
		r.Code = x.Outcome.Err.Code
	}
	if x.Outcome.Began {
		r.Units = x.Charge.Units // else they were given back
	}
	for i := range x.Attempts {
		a := &x.Attempts[i]
		t := stats.Try{Credential: a.Credential, Model: a.Model, Code: a.Code, Took: a.Took}
		if a.Code == apierror.ClientGone {
			t.Code = "" // a client that leaves is no failure of the credential
		}
		r.Tries = append(r.Tries, t)
	}
	if n := len(r.Tries); n > 0 {
		spend(&r.Tries[n-1], x.Used)
		heard(r.Tries, x)
	}
	s.stats.Record(r)
}

// counts is the model that a request counts for. Where it was refused before that was settled, as for want of
// quota, it is what was asked for, if that is known and somebody was let in: strangers could name what they like.
func (s *stage) counts(x *pipeline.Exchange) string {
	if x.Model.Base != "" || x.Caller.Kind == "" {
		return x.Model.Base
	}
	m := s.catalogue.Parse(refusedModel(x))
	if _, known := s.catalogue.Lookup(m.Base); !known {
		return ""
	}
	return m.Base
}

// heard gives the first byte to the try that it came from: the last one that had begun by then.
func heard(tries []stats.Try, x *pipeline.Exchange) {
	if x.Outcome.First <= 0 {
		return
	}
	at := x.Started().Add(x.Outcome.First)
	for i := len(tries) - 1; i >= 0; i-- {
		if after := at.Sub(x.Attempts[i].Start); after >= 0 {
			tries[i].First = max(after, 1)
			return
		}
	}
}

// caller is who a request counts for.
func caller(x *pipeline.Exchange) string {
	switch {
	case x.Caller.ID != "":
		return x.Caller.ID
	case x.Caller.Kind != "":
		return x.Caller.Kind
	}
	return "refused" // nobody was let in
}

func spend(t *stats.Try, u gemini.Usage) {
	t.Prompt = u.Prompt + u.ToolUse
	t.Output = u.Candidates + u.Thoughts
	t.Total = u.Total
	if t.Total == 0 {
		t.Total = t.Prompt + t.Output
	}
	t.Cached, t.Thought = u.Cached, u.Thoughts
}

// meter reads the usage of the events that pass.
type meter struct {
	inner wire.Stream
	usage gemini.Usage
	tries [1]stats.Try // room for what Record counts

	spoken, blocked bool // there was a candidate; there was word that the prompt is refused

	known  bool  // the counts came with the reply
	silent int64 // bytes that were said since the last counts, which come late or, where the client leaves, never
}

const perToken = 4 // bytes of text

// Next passes the event on.
func (m *meter) Next() (wire.Event, error) {
	ev, err := m.inner.Next()
	if err == nil {
		m.spoke(ev.Data)
		m.read(ev.Data)
	}
	return ev, err
}

// spoke looks whether Google has said anything but that it will not: up to the first candidate, which is
// where nearly all answers begin.
func (m *meter) spoke(data []byte) {
	if m.spoken {
		return
	}
	if m.spoken = bytes.Contains(data, []byte(`"candidates"`)); !m.spoken {
		m.blocked = m.blocked || gemini.Look(data).Blocked != nil
	}
}

func (m *meter) read(data []byte) {
	const name = `"usageMetadata"`
	i := bytes.Index(data, []byte(name))
	if i < 0 {
		m.silent += said(data)
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
		u := gemini.UsageOf(v)
		m.usage.Merge(u)
		if u.Candidates > 0 || u.Thoughts > 0 { // of all that was said so far
			m.silent = 0
			return
		}
	}
	m.silent += said(data)
}

// said are the bytes of text and of calls in an event.
func said(data []byte) (n int64) {
	for c := wire.ArrayOf(wire.Get(data, "candidates")); c.Next(); {
		for p := wire.ArrayOf(wire.Get(wire.Get(c.Value, "content"), "parts")); p.Next(); {
			n += int64(len(wire.Get(p.Value, "text")) + len(wire.Get(p.Value, "functionCall")))
		}
	}
	return n
}

// Close stops the upstream call.
func (m *meter) Close() error { return m.inner.Close() }
