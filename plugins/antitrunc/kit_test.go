package antitrunc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// reel is one attempt of a scripted Google: its events, and how it ends.
type reel struct {
	events []string
	end    error           // io.EOF when nil
	fail   *apierror.Error // there is no stream at all
}

// script is Google: what it says to each request in turn.
type script struct {
	t      testing.TB
	play   func(call int, body string) reel
	bodies []string
	open   int
}

// projector is a running reel. The memory of an event is overwritten when the next one is asked for.
type projector struct {
	s    *script
	r    reel
	buf  []byte
	shut bool
}

func (p *projector) Next() (wire.Event, error) {
	for i := range p.buf {
		p.buf[i] = '#'
	}
	if p.shut {
		p.s.t.Error("read after Close")
	}
	if len(p.r.events) == 0 {
		if p.r.end != nil {
			return wire.Event{}, p.r.end
		}
		return wire.Event{}, io.EOF
	}
	p.buf = append(p.buf[:0], p.r.events[0]...)
	p.r.events = p.r.events[1:]
	return wire.Event{Data: p.buf[:len(p.buf):len(p.buf)]}, nil
}

func (p *projector) Close() error {
	if !p.shut {
		p.shut = true
		p.s.open--
	}
	return nil
}

func (s *script) Process(x *pipeline.Exchange) pipeline.Verdict {
	if s.open != 0 {
		s.t.Errorf("%d streams are open when the next one begins", s.open)
	}
	s.bodies = append(s.bodies, string(x.Call.AppendTo(nil)))
	r := s.play(len(s.bodies), s.bodies[len(s.bodies)-1])
	if r.fail != nil {
		return x.Fail(r.fail)
	}
	s.open++
	x.Reply.Stream = &projector{s: s, r: r}
	return pipeline.Next
}

// step is a stage made of a function.
type step func(x *pipeline.Exchange) pipeline.Verdict

func (s step) Process(x *pipeline.Exchange) pipeline.Verdict { return s(x) }

// list is a configuration made by hand.
type list struct {
	order []string
	set   func(*Settings)
}

func (l list) Order() []string           { return l.order }
func (l list) Enabled(string) bool       { return true }
func (l list) Bool(string) bool          { return true }
func (l list) SectionHash(string) uint64 { return 0 }
func (l list) Revision() string          { return "1" }
func (l list) Section(_ string, into any) error {
	if s, ok := into.(*Settings); ok && l.set != nil {
		l.set(s)
	}
	return nil
}

// house is an engine around the stage, with a scripted Google behind it.
type house struct {
	*script
	engine *pipeline.Engine
	logged bytes.Buffer
}

const hello = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`

// inquiry is a request as the stages before leave it.
type inquiry struct {
	body   string // hello when empty
	base   string // gemini-2.5-flash when empty
	plain  bool   // no stream
	change func(*pipeline.Exchange)
	after  func(*pipeline.Exchange)
	ctx    context.Context
}

func newHouse(t testing.TB, set func(*Settings), play func(call int, body string) reel, more ...pipeline.Kind) *house {
	t.Helper()
	h := &house{script: &script{t: t, play: play}}
	kind := func(name string, s pipeline.Stage, needs, gives []pipeline.Fact) pipeline.Kind {
		return pipeline.Kind{Name: name, Needs: needs, Gives: gives, New: pipeline.New("", func(string, *pipeline.Build) (pipeline.Stage, error) { return s, nil })}
	}
	pass := step(func(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next })
	kinds, order := append([]pipeline.Kind(nil), more...), []string{}
	for i := range more {
		order = append(order, more[i].Name)
	}
	e, err := pipeline.NewEngine(pipeline.Options{Log: slog.New(slog.NewTextHandler(&h.logged, nil)), Kinds: append(kinds,
		kind("read", pass, nil, []pipeline.Fact{pipeline.HasCaller, pipeline.HasFormat, pipeline.HasModel, pipeline.HasCall}), Kind(),
		kind("credential", pass, nil, []pipeline.Fact{pipeline.HasLease}), kind("upstream", h.script, nil, []pipeline.Fact{pipeline.HasReply}),
		kind("shape", step(gathers), []pipeline.Fact{pipeline.HasReply}, []pipeline.Fact{pipeline.HasEncoder}),
	)})
	if err == nil {
		err = e.Apply(list{order: append(order, "read", "antitrunc", "credential", "upstream", "shape"), set: set})
	}
	if err != nil {
		t.Fatal(err)
	}
	h.engine = e
	return h
}

// gathers reads the whole answer inside of Process, for a client that wants no stream.
func gathers(x *pipeline.Exchange) pipeline.Verdict {
	if x.WantsStream || x.Reply.Stream == nil {
		return pipeline.Next
	}
	all, stream := &gathered{}, x.Reply.Stream
	x.Reply = pipeline.Reply{}
	for {
		ev, err := stream.Next()
		if err != nil {
			all.end = err
			break
		}
		all.events = append(all.events, string(ev.Data))
	}
	_ = stream.Close()
	x.Reply = pipeline.Reply{Stream: all}
	return pipeline.Next
}

// gathered is an answer that was read.
type gathered struct {
	events []string
	end    error
}

func (b *gathered) Next() (wire.Event, error) {
	if len(b.events) == 0 {
		return wire.Event{}, b.end
	}
	data := b.events[0]
	b.events = b.events[1:]
	return wire.Event{Data: []byte(data)}, nil
}

func (b *gathered) Close() error { return nil }

func (q inquiry) exchange(t testing.TB) *pipeline.Exchange {
	t.Helper()
	if q.ctx == nil {
		q.ctx = context.Background()
	}
	if q.body == "" {
		q.body = hello
	}
	if q.base == "" {
		q.base = "gemini-2.5-flash"
	}
	x := pipeline.NewExchange(q.ctx, pipeline.Request{ID: "the-id"})
	x.WantsStream = !q.plain
	x.Model = models.Model{Asked: q.base, Base: q.base, Features: models.AntiTruncation}
	var fail *apierror.Error
	if x.Call, fail = gemini.NewCall([]byte(q.body)); fail != nil {
		t.Fatal(fail)
	}
	if q.change != nil {
		q.change(x)
	}
	return x
}

// told is what a client makes of an answer.
type told struct {
	text, thoughts string
	finish         []string
	usage          gemini.Usage
	calls          int
	events         []string
	raw            map[string]any // the last event
	err            error
	header         string
}

// ask runs one request and reads its answer.
func (h *house) ask(q inquiry) (out told) {
	h.t.Helper()
	x := q.exchange(h.t)
	h.bodies = nil
	reply := h.engine.Run(x)
	defer h.engine.End(x, pipeline.Outcome{})
	out.header = x.Header.Get("X-Dropped-Params")
	if q.after != nil {
		q.after(x)
	}
	if reply.Err != nil {
		out.err = reply.Err
		return out
	}
	for {
		ev, err := reply.Stream.Next()
		if err != nil {
			if _, again := reply.Stream.Next(); again != err {
				h.t.Errorf("behind %v comes %v", err, again)
			}
			if err != io.EOF {
				out.err = err
			}
			break
		}
		out.add(h.t, string(ev.Data))
	}
	if err := reply.Stream.Close(); err != nil || h.open != 0 {
		h.t.Errorf("%v, %d streams are open at the end", err, h.open)
	}
	return out
}

func (o *told) add(t testing.TB, data string) {
	t.Helper()
	var e struct {
		Candidates []struct {
			Content struct {
				Parts []struct {
					Text         string
					Thought      bool
					FunctionCall any
				}
			}
			FinishReason string
		}
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	if wire.Check([]byte(data)) != nil {
		t.Fatalf("not strict: %s", data)
	}
	o.events, o.raw = append(o.events, data), nil
	_ = json.Unmarshal([]byte(data), &o.raw)
	for _, c := range e.Candidates {
		for _, p := range c.Content.Parts {
			switch {
			case p.Thought:
				o.thoughts += p.Text
			case p.FunctionCall != nil:
				o.calls++
			default:
				o.text += p.Text
			}
		}
		if c.FinishReason != "" {
			o.finish = append(o.finish, c.FinishReason)
		}
	}
	if g := gemini.Look([]byte(data)); g.HasUsage {
		o.usage.Merge(g.Usage)
	}
}

// word is an event with a text.
func word(s string) string {
	b, _ := json.Marshal(s)
	return `{"candidates":[{"content":{"role":"model","parts":[{"text":` + string(b) + `}]},"index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1,"totalTokenCount":8},"modelVersion":"m"}`
}

// last is an event with the end.
func last(reason string) string {
	return `{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"` + reason + `","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":2,"totalTokenCount":17,"trafficType":"ON_DEMAND"},"modelVersion":"m"}`
}

func says(reason string, texts ...string) reel {
	var r reel
	for _, text := range texts {
		r.events = append(r.events, word(text))
	}
	if reason != "" {
		r.events = append(r.events, last(reason))
	} else {
		r.end = broken()
	}
	return r
}

func broken() *apierror.Error {
	return apierror.New(apierror.StreamBroken, "Google ended the stream before the answer was whole")
}

// reels plays one after the other; more calls than reels are a mistake.
func reels(t testing.TB, all ...reel) func(int, string) reel {
	return func(call int, body string) reel {
		if call > len(all) {
			t.Errorf("call %d: %s", call, body)
			return says("STOP", "too many")
		}
		return all[call-1]
	}
}

// roles and texts of a request.
func dialogue(t testing.TB, body string) (out []string) {
	t.Helper()
	var r struct {
		Contents []struct {
			Role  string
			Parts []struct{ Text string }
		}
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for _, c := range r.Contents {
		var texts []string
		for _, p := range c.Parts {
			texts = append(texts, p.Text)
		}
		out = append(out, fmt.Sprintf("%s: %s", c.Role, strings.Join(texts, "|")))
	}
	return out
}
