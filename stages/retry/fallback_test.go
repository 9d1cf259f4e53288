package retry

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
)

// falling is a stage with a fallback for the model "a", and what it logs.
func falling(t *testing.T, change func(*Settings)) (*stage, *strings.Builder) {
	t.Helper()
	table := models.Defaults()
	table.Fallback = map[string]string{"a": "b", "b": "c"}
	c, err := models.New(table)
	if err != nil {
		t.Fatal(err)
	}
	set, log := usual, &strings.Builder{}
	if change != nil {
		change(&set)
	}
	return &stage{Settings: set, catalogue: c, log: slog.New(slog.NewTextHandler(log, nil))}, log
}

func TestFallback(t *testing.T) {
	ofModel := pipeline.Advice{Model: true}
	own := apierror.New(apierror.BadRequest, "of our own making")
	for _, c := range []struct {
		name   string
		model  string
		verb   pipeline.Verb
		advice pipeline.Advice
		fail   *apierror.Error
		change func(*Settings)
		unlent bool // the pool lent nothing, and gave the advice
		falls  bool
	}{
		{"the model failed", "a", pipeline.Generate, ofModel, said(503), nil, false, true},
		{"in a stream", "a", pipeline.Streaming, ofModel, said(503), nil, false, true},
		{"the pool knew before", "a", pipeline.Generate, ofModel, apierror.New(apierror.RateLimited, "every credential"), nil, true, true},
		{"the pool has none at all", "a", pipeline.Generate, pipeline.Advice{}, apierror.New(apierror.NoCredential, "no credential"), nil, true, false},
		{"a model without one", "other", pipeline.Generate, ofModel, said(503), nil, false, false},
		{"not the model", "a", pipeline.Generate, pipeline.Advice{}, said(503), nil, false, false},
		{"there are tries left", "a", pipeline.Generate, pipeline.Advice{Again: pipeline.Other, Model: true}, said(503), nil, false, false},
		{"there were", "a", pipeline.Generate, pipeline.Advice{Again: pipeline.Other, Model: true}, said(503), func(s *Settings) { s.MaxCalls = 1 }, false, true},
		{"an error that is not the call's", "a", pipeline.Generate, ofModel, own, nil, false, false},
		{"counting", "a", pipeline.Count, ofModel, said(503), nil, false, false},
		{"embedding", "a", pipeline.Embed, ofModel, said(503), nil, false, false},
		{"a 429 to be passed on", "a", pipeline.Generate, ofModel, said(429), func(s *Settings) { s.On429 = false }, false, false},
		{"a 429 that was the last", "a", pipeline.Generate, pipeline.Advice{Model: true, Free: time.Hour}, said(429), func(s *Settings) { s.On429 = false }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, log := falling(t, c.change)
			x := failed(context.Background(), &lease{advice: c.advice}, c.fail)
			x.Model, x.In.Route.Verb = models.Model{Asked: c.model, Base: c.model}, c.verb
			x.Attempts[0].Model = c.model
			if c.unlent {
				x.Lease, x.Attempts = nil, nil
				x.Advise(c.advice)
			}
			v := s.Process(x)
			if c.falls != (v == pipeline.Restart("model")) || c.falls != (x.Fallback == "b") || c.falls != strings.Contains(log.String(), "from=a to=b") {
				t.Errorf("verdict %v, fallback %q, log %s", v, x.Fallback, log)
			}
		})
	}
}

// What the key of the caller may not ask is no fallback.
func TestFallbackOfAKey(t *testing.T) {
	for glob, falls := range map[string]bool{"*": true, "b": true, "a": false} {
		s, _ := falling(t, nil)
		x := failed(context.Background(), &lease{advice: pipeline.Advice{Model: true}}, said(503))
		x.Model, x.Caller.Models = models.Model{Base: "a"}, []string{glob}
		if v := s.Process(x); falls != (v == pipeline.Restart("model")) || falls != (x.Fallback == "b") {
			t.Errorf("%q: verdict %v, fallback %q", glob, v, x.Fallback)
		}
	}
}

func TestNobodyWaitsForTheFallback(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s, _ := falling(t, nil)
	x := failed(ctx, &lease{advice: pipeline.Advice{Model: true}}, said(503))
	x.Model = models.Model{Base: "a"}
	cancel()
	if v := s.Process(x); v != pipeline.Next || x.Fallback != "" {
		t.Errorf("verdict %v, fallback %q", v, x.Fallback)
	}
}

// The second model has tries of its own, and no fallback of its own.
func TestTriesOfTheFallback(t *testing.T) {
	s, log := falling(t, func(s *Settings) { s.MaxCalls = 2 })
	l := &lease{advice: pipeline.Advice{Again: pipeline.Other, Model: true}}
	first, second := said(503), said(500)
	first.Code = apierror.UpstreamUnavailable
	x := failed(context.Background(), l, first)
	x.Model = models.Model{Base: "a"}
	x.Attempts[0].Model = "a"
	for i, want := range []pipeline.Verdict{pipeline.Rewind("credential"), pipeline.Restart("model"), pipeline.Rewind("credential"), pipeline.Next} {
		if v := s.Process(x); v != want {
			t.Fatalf("call %d: verdict %v, want %v", i+1, v, want)
		}
		switch x.Model.Base = "a"; {
		case want == pipeline.Next:
			continue
		case x.Fallback == "":
			again(x, first)
		default:
			x.Model.Base = x.Fallback
			again(x, second)
		}
	}
	if len(x.Attempts) != 4 || x.Reply.Err != first || !strings.Contains(log.String(), "the fallback failed too") {
		t.Errorf("%d calls, %v, log %s", len(x.Attempts), x.Reply.Err, log)
	}
}

// A client that has left by then is told nothing else.
func TestGoneWhileTheFallbackWorks(t *testing.T) {
	s, _ := falling(t, nil)
	x := failed(context.Background(), &lease{advice: pipeline.Advice{Model: true}}, said(503))
	x.Model = models.Model{Base: "a"}
	s.Process(x)
	gone := apierror.New(apierror.ClientGone, "left")
	x.Model.Base = x.Fallback
	again(x, gone)
	if v := s.Process(x); v != pipeline.Next || x.Reply.Err != gone {
		t.Errorf("verdict %v, %v", v, x.Reply.Err)
	}
}
