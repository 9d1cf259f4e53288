package pipeline_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

// lines is a stream of one event a word.
type lines struct {
	words  []string
	closed *int
	shut   bool
}

func (l *lines) Next() (wire.Event, error) {
	if len(l.words) == 0 {
		return wire.Event{}, io.EOF
	}
	w := l.words[0]
	l.words = l.words[1:]
	return wire.Event{Data: []byte(w)}, nil
}

func (l *lines) Close() error {
	if !l.shut {
		l.shut = true
		*l.closed++
	}
	return nil
}

// prolong runs its segment again in the middle of a stream, as often as it is told to.
type prolong struct {
	x     *pipeline.Exchange
	seg   pipeline.Segment
	inner wire.Stream
	left  int
}

func (p *prolong) Next() (wire.Event, error) {
	for {
		ev, err := p.inner.Next()
		if err != io.EOF || p.left == 0 {
			return ev, err
		}
		p.left--
		_ = p.inner.Close()
		r := p.seg.Run(p.x)
		if r.Err != nil {
			return wire.Event{}, r.Err
		}
		p.inner = r.Stream
	}
}

func (p *prolong) Close() error { return p.inner.Close() }

// upper is a wrapper further down the list.
type upper struct{ wire.Stream }

func (u upper) Next() (wire.Event, error) {
	ev, err := u.Stream.Next()
	ev.Data = []byte(strings.ToUpper(string(ev.Data)))
	return ev, err
}

func TestNestedSegmentsInProcessAndInNext(t *testing.T) {
	var opened, closed, rewinds int
	prolongs := func(name, from string, times int) pipeline.Kind {
		return kind(name, nil, builds(func(b *pipeline.Build) (pipeline.Stage, error) {
			return &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
				seg := x.Rest("retry")
				r := seg.Run(x)
				x.Reply.Stream = &prolong{x: x, seg: seg, inner: r.Stream, left: times}
				return seg.Instead()
			}}, b.Reruns(from, "retry")
		}))
	}
	kinds := []pipeline.Kind{
		kind("who", &script{}, gives(pipeline.HasCaller)),
		prolongs("outer", "inner", 1), prolongs("inner", "call", 2),
		kind("call", &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
			opened++
			x.Reply.Stream = &lines{words: []string{fmt.Sprintf("w%d", opened)}, closed: &closed}
			return pipeline.Next
		}}, gives(pipeline.HasReply)),
		kind("retry", nil, needs(pipeline.HasReply), builds(func(b *pipeline.Build) (pipeline.Stage, error) {
			return &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
				if opened%2 == 1 { // every first answer is thrown away
					rewinds++
					return pipeline.Rewind("call")
				}
				return pipeline.Next
			}}, b.GoesBackTo("call")
		})),
		kind("form", &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
			x.Reply.Stream = upper{x.Reply.Stream}
			return pipeline.Next
		}}, gives(pipeline.HasEncoder), needs(pipeline.HasReply)),
	}
	e := engine(t, kinds, order("who", "outer", "inner", "call", "retry", "form"))
	x := exchange()
	r := e.Run(x)
	var got []string
	for {
		ev, err := r.Stream.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(ev.Data))
	}
	e.End(x, pipeline.Outcome{})
	// inner: 1 answer and 2 more; outer: that twice. Each answer cost two calls.
	if want := "W2 W4 W6 W8 W10 W12"; strings.Join(got, " ") != want {
		t.Errorf("events %v, want %s", got, want)
	}
	if opened != 12 || closed != opened || rewinds != 6 {
		t.Errorf("%d streams opened, %d closed, %d rewinds; want 12, 12 and 6", opened, closed, rewinds)
	}
}

func TestSegmentErrorIsTheCallersBusiness(t *testing.T) {
	calls := 0
	kinds := frame(func(x *pipeline.Exchange) pipeline.Verdict {
		calls++
		return answer(x)
	})
	kinds = append(kinds, kind("twice", nil, builds(func(b *pipeline.Build) (pipeline.Stage, error) {
		return &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
			seg := x.Segment("call", "call")
			seg.Run(x)
			if r := seg.Run(x); r.Body == nil || x.Reply.Body == nil {
				t.Error("the reply of a segment run in Process stands in x.Reply")
			}
			return seg.Instead()
		}}, b.Reruns("call", "call")
	})))
	if r := run(engine(t, kinds, order("who", "twice", "call", "form")), exchange()); r.Body == nil || calls != 2 {
		t.Errorf("reply %+v after %d calls, want a body after 2", r, calls)
	}
}

// What runs inside of a Segment may send the whole request back to a stage before it, however deep it runs.
func TestRestartFromInsideASegment(t *testing.T) {
	for name, depth := range map[string]int{"no segment": 0, "one": 1, "nested": 2} {
		var at, priced []string
		note := func(stage string, v func(x *pipeline.Exchange) pipeline.Verdict) pipeline.Kind {
			return kind(stage, &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
				at = append(at, stage)
				return v(x)
			}})
		}
		next := func(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }
		wraps := func(name string) pipeline.Kind {
			return kind(name, nil, builds(func(b *pipeline.Build) (pipeline.Stage, error) {
				return &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
					seg := x.Rest("retry")
					if r := seg.Run(x); r.Err != nil {
						at = append(at, name+" hears of an end")
					}
					return seg.Instead()
				}}, b.RerunsRest("retry")
			}))
		}
		kinds := []pipeline.Kind{
			kind("pays", nil, builds(func(*pipeline.Build) (pipeline.Stage, error) { return repriced{&priced}, nil })), note("model", next), note("upstream", func(x *pipeline.Exchange) pipeline.Verdict {
				x.Reply.Body = []byte("answer")
				return pipeline.Next
			}), note("retry", func(x *pipeline.Exchange) pipeline.Verdict {
				if x.Fallback != "" {
					return pipeline.Next
				}
				x.Fallback = "other"
				if f := x.Reprice(models.Model{Base: x.Fallback}); f != nil || !x.MayRestart() {
					t.Errorf("%s: may not restart, %v", name, f)
				}
				return pipeline.Restart("model")
			}), note("shape", next), wraps("outer"), wraps("inner"),
		}
		for i := range kinds {
			switch kinds[i].Name {
			case "upstream":
				kinds[i].Gives = []pipeline.Fact{pipeline.HasReply}
			case "shape":
				kinds[i].Gives = []pipeline.Fact{pipeline.HasEncoder}
			case "model":
				kinds[i].Gives = []pipeline.Fact{pipeline.HasCaller}
			}
		}
		names := []string{"pays", "model"}
		names = append(append(names, []string{"outer", "inner"}[:depth]...), "upstream", "retry", "shape")
		e := bare(t, kinds)
		if err := e.Apply(order(names...)); err != nil {
			t.Fatal(err)
		}
		x := pipeline.NewExchange(t.Context(), pipeline.Request{})
		reply := e.Run(x)
		want := "model upstream retry"
		for i := range depth {
			want += " " + []string{"outer", "inner"}[depth-1-i] + " hears of an end"
		}
		want += " model upstream retry shape"
		if got := strings.Join(at, " "); got != want || string(reply.Body) != "answer" || x.MayRestart() {
			t.Errorf("%s: %s\nwant %s\n%+v", name, got, want, reply)
		}
		if strings.Join(priced, " ") != "other" {
			t.Errorf("%s: priced %q", name, priced)
		}
		e.End(x, pipeline.Outcome{})
	}
}

// repriced is a stage that has taken a price.
type repriced struct{ models *[]string }

func (repriced) Process(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }

func (r repriced) Reprice(_ *pipeline.Exchange, m models.Model) *apierror.Error {
	*r.models = append(*r.models, m.Base)
	return nil
}

func TestRestOrder(t *testing.T) {
	rest := func(through string) []pipeline.Kind {
		return append(catalogue(), kind("rests", nil, builds(func(b *pipeline.Build) (pipeline.Stage, error) { return &script{}, b.RerunsRest(through) })))
	}
	for _, c := range []struct{ through, order, want string }{
		{"retry", "auth rests lease upstream retry shape", ""},
		{"rety", "auth rests lease upstream retry shape", `"rety" is not in the list (did you mean "retry"?)`},
		{"lease", "auth lease rests upstream retry shape", `"lease" stands at position 2, not behind it: move "rests" before "lease"`},
	} {
		err := bare(t, rest(c.through)).Check(order(strings.Fields(c.order)...))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.order, err)
		}
	}
}

// A stream that runs a Segment is gathered as it is pulled behind the first byte: it does not find itself in the
// reply, and nothing goes back from there.
func TestGather(t *testing.T) {
	fails := apierror.New(apierror.StreamBroken, "cut")
	for name, c := range map[string]struct {
		end  error
		want string
	}{"whole": {io.EOF, "ab"}, "broken": {fails, ""}} {
		var opened, closed int
		var restarts []bool
		kinds := []pipeline.Kind{
			kind("who", &script{}, gives(pipeline.HasCaller)),
			kind("goes on", nil, builds(func(b *pipeline.Build) (pipeline.Stage, error) {
				return &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
					seg := x.Rest("retry")
					r := seg.Run(x)
					x.Reply.Stream = &prolong{x: x, seg: seg, inner: r.Stream, left: 1}
					return seg.Instead()
				}}, b.RerunsRest("retry")
			})),
			kind("call", &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
				words := [][]string{{part(`{"text":"a"}`)}, {part(`{"text":"b"}`)}}[opened]
				if opened++; opened == 2 && c.end != io.EOF {
					return x.Fail(fails)
				}
				x.Reply.Stream = &lines{words: words, closed: &closed}
				return pipeline.Next
			}}, gives(pipeline.HasReply)),
			kind("retry", &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
				restarts = append(restarts, x.MayRestart())
				return pipeline.Next
			}}),
			kind("form", &script{process: func(x *pipeline.Exchange) pipeline.Verdict {
				x.Reply = x.Gather(x.Reply.Stream)
				restarts = append(restarts, x.MayRestart())
				return pipeline.Next
			}}, gives(pipeline.HasEncoder)),
		}
		e := bare(t, kinds)
		if err := e.Apply(order("who", "goes on", "call", "retry", "form")); err != nil {
			t.Fatal(err)
		}
		x := pipeline.NewExchange(t.Context(), pipeline.Request{})
		reply := e.Run(x)
		e.End(x, pipeline.Outcome{})
		switch {
		case c.want == "" && (reply.Err != fails || reply.Body != nil):
			t.Errorf("%s: %+v", name, reply)
		case c.want != "" && (reply.Err != nil || !strings.Contains(string(reply.Body), `"text":"`+c.want+`"`)):
			t.Errorf("%s: %s, %v", name, reply.Body, reply.Err)
		}
		if fmt.Sprint(restarts) != "[true false true]" || closed == 0 {
			t.Errorf("%s: may restart %v, %d closed", name, restarts, closed)
		}
	}
}
