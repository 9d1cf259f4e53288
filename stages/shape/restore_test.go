package shape

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// shelf remembers what it was given.
type shelf struct {
	at    pipeline.Place
	ttl   time.Duration
	items map[string]gemini.Remembered
	err   error
}

func (s *shelf) Keep(_ context.Context, at pipeline.Place, ttl time.Duration, items ...pipeline.Item) error {
	s.at, s.ttl = at, ttl
	for _, i := range items {
		s.items[i.ID] = gemini.Recollect(i.Value)
	}
	return s.err
}

func (s *shelf) Recall(context.Context, pipeline.Place, string) ([]byte, bool, error) {
	return nil, false, nil
}

func (s *shelf) Forget(context.Context, pipeline.Place, string) (bool, error) { return false, nil }

// loan is a lease of some kind.
type loan struct{ pipeline.Lease }

func (loan) Kind() string { return "codeassist" }

func remembering(route pipeline.Route, asked wire.Format) (*pipeline.Exchange, *stage, *shelf) {
	m := &shelf{items: map[string]gemini.Remembered{}}
	x := exchange(route, `{}`)
	x.In.ID, x.Asked, x.Lease = "abc", asked, loan{}
	x.Model.Base = "gemini-3-pro-preview"
	x.Caller = pipeline.Caller{Kind: "key", ID: "k"}
	x.Tools = &gemini.Tools{}
	x.Tools.Declare("天气", false)
	return x, &stage{Settings{SignatureLife: time.Hour}, m, slog.New(slog.DiscardHandler)}, m
}

const called = `{"candidates":[{"content":{"parts":[{"functionCall":{"id":"g1","name":"NAME","args":{}},"thoughtSignature":"s1"},{"functionCall":{"name":"other"}}]},"finishReason":"STOP"}]}`

func TestCallsAreRememberedBeforeTheClientHears(t *testing.T) {
	for name, c := range map[string]struct {
		route  pipeline.Route
		asked  wire.Format
		prefix string
	}{
		"chat":                      {openaiRoute, wire.OpenAI, "call_"},
		"messages":                  {pipeline.Route{Format: wire.Anthropic}, wire.Anthropic, "toolu_"},
		"an OpenAI body for Gemini": {geminiRoute, wire.OpenAI, "call_"},
		"a Gemini body for OpenAI":  {openaiRoute, wire.Gemini, "call_"},
	} {
		for _, streamed := range []bool{false, true} {
			x, s, m := remembering(c.route, c.asked)
			answer := strings.Replace(called, "NAME", x.Tools.Google("天气"), 1)
			if streamed {
				x.WantsStream, x.Reply.Stream = true, &stream{events: []string{answer}, err: io.EOF}
			} else {
				x.Reply.Body = []byte(answer)
			}
			if v := s.Process(x); v != pipeline.Next {
				t.Fatalf("%s: %v", name, x.Reply.Err)
			}
			got := string(x.Reply.Body)
			if streamed {
				ev, err := x.Reply.Stream.Next()
				if err != nil {
					t.Fatal(err)
				}
				got = string(ev.Data)
			}
			if !strings.Contains(got, `"name":"天气"`) || !strings.Contains(got, `{"id":"`+c.prefix) || strings.Contains(got, "g1") {
				t.Errorf("%s: %s", name, got)
			}
			if len(m.items) != 1 || m.at != (pipeline.Place{Owner: "key:k", Shelf: pipeline.Signatures}) || m.ttl != time.Hour {
				t.Errorf("%s: kept %v at %v for %v", name, m.items, m.at, m.ttl)
			}
			for id, known := range m.items {
				if !strings.Contains(got, `"id":"`+id+`"`) || known != (gemini.Remembered{ID: "g1", Signature: "s1", Kind: "codeassist", Model: "gemini-3-pro-preview"}) {
					t.Errorf("%s: %s is %+v", name, id, known)
				}
			}
		}
	}
}

// A client of Gemini carries everything itself, and a store that fails costs nobody the answer.
// A client that was promised to go on from its response gets an error instead, and the operator a line.
func TestResponseNotKept(t *testing.T) {
	var b strings.Builder
	x, s, m := remembering(pipeline.Route{Format: wire.Responses, Verb: pipeline.Generate}, wire.Responses)
	s.log, s.ResponseLife = slog.New(slog.NewTextHandler(&b, nil)), time.Minute
	x.Thread = []byte("[]")
	keep := s.keeper(x)
	if f := keep([]byte(`{"id":"resp_1"}`), []byte("[]")); f != nil || m.ttl != time.Minute || m.at.Owner != "key:k" || b.Len() > 0 {
		t.Errorf("%v %+v %s", f, m, b.String())
	}
	m.err = errors.New("disk full")
	if f := keep([]byte(`{"id":"resp_1"}`), []byte("[]")); f == nil || f.Code != apierror.Internal {
		t.Error(f)
	}
	if line := b.String(); !strings.Contains(line, "disk full") || !strings.Contains(line, "id=abc") {
		t.Error(line)
	}
	if x.Thread = nil; s.keeper(x) != nil {
		t.Error("store: false is kept")
	}
}

func TestNothingToRemember(t *testing.T) {
	x, s, m := remembering(geminiRoute, wire.Gemini)
	x.Reply.Body = []byte(called)
	if s.Process(x); string(x.Reply.Body) != called || len(m.items) != 0 {
		t.Errorf("%s, kept %v", x.Reply.Body, m.items)
	}
	x, s, m = remembering(openaiRoute, wire.OpenAI)
	m.err = errors.New("down")
	x.Reply.Body = []byte(called)
	if v := s.Process(x); v != pipeline.Next || x.Reply.Err != nil {
		t.Errorf("%v %v", v, x.Reply.Err)
	}
}

// What Google has blocked, and calls that nobody can read, are errors for all but Gemini's clients.
func TestDisappointments(t *testing.T) {
	malformed := `{"candidates":[{"content":{"parts":[{"text":"so"}]},"finishReason":"MALFORMED_FUNCTION_CALL"}]}`
	for _, c := range []struct {
		route pipeline.Route
		body  string
		code  apierror.Code
	}{
		{openaiRoute, blocked, apierror.ContentFilter},
		{pipeline.Route{Format: wire.Anthropic}, blocked, apierror.ContentFilter},
		{geminiRoute, blocked, ""},
		{openaiRoute, malformed, apierror.EmptyAnswer},
		{geminiRoute, malformed, ""},
		{openaiRoute, `{"candidates":[{"content":{"parts":[{"text":"blockReason MALFORMED_FUNCTION_CALL"}]},"finishReason":"STOP"}]}`, ""},
	} {
		for _, streamed := range []bool{false, true} {
			x := exchange(c.route, `{}`)
			x.Asked = c.route.Format
			if streamed {
				x.WantsStream, x.Reply.Stream = true, &stream{events: []string{c.body}, err: io.EOF}
			} else {
				x.Reply.Body = []byte(c.body)
			}
			usual.Process(x)
			fail := x.Reply.Err
			if streamed {
				if _, err := x.Reply.Stream.Next(); err != nil {
					fail = apierror.From(err)
				}
			}
			want := c.code
			if streamed && c.body == malformed {
				want = apierror.EmptyAnswer // whoever listens: half of it is out
			}
			if fail == nil && want != "" || fail != nil && fail.Code != want {
				t.Errorf("%v %s: %v, want %q", c.route.Format, c.body, fail, want)
			}
		}
	}
}

// What Google's own tools did in front of a call is kept with it; where that is too much, so that the
// signature which covers it is no good, the call is kept without.
func TestStepsOfGooglesToolsAreRemembered(t *testing.T) {
	const step = `{"toolCall":{"id":"s"},"thoughtSignature":"t"}`
	large := `{"toolResponse":{"response":"` + strings.Repeat("x", 64<<10) + `"}}`
	for name, c := range map[string]struct {
		hosted       []string
		step         string
		before, sign string
	}{
		"a mix":         {[]string{"googleSearch"}, step, step, "s1"},
		"too much":      {[]string{"googleSearch"}, large, "", ""},
		"no such thing": {nil, step, "", "s1"},
	} {
		x, s, m := remembering(openaiRoute, wire.OpenAI)
		x.Mix.Hosted = c.hosted
		x.Reply.Body = []byte(strings.Replace(called, `"parts":[`, `"parts":[`+c.step+`,`, 1))
		if v := s.Process(x); v != pipeline.Next || len(m.items) != 1 {
			t.Fatalf("%s: %v %v", name, x.Reply.Err, m.items)
		}
		for _, known := range m.items {
			if known.Before != c.before || known.Signature != c.sign || known.ID != "g1" {
				t.Errorf("%s: %+v", name, known)
			}
		}
	}
}
