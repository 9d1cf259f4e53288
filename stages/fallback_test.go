package stages_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire"
	"gcli2api/store/apikey"
)

const (
	fallsBack = "[models.fallback]\n\"gemini-2.5-pro\" = \"gemini-2.5-flash\"\n"
	hasty     = "[stage.retry]\nmax_calls = 1\n" // no pauses
)

// ever is a fault of one model that does not end.
func ever(do, model string) simulator.Fault {
	return simulator.Fault{Do: do, Model: model, Count: -1}
}

// called is the models that were called, by the last word of each: "pro pro flash".
func called(x *pipeline.Exchange) string {
	var names []string
	for _, a := range x.Attempts {
		names = append(names, a.Model[strings.LastIndexByte(a.Model, '-')+1:])
	}
	return strings.Join(names, " ")
}

// What a model fails with, and whether the other one is asked; with two keys.
func TestWhenTheFallbackIsAsked(t *testing.T) {
	for _, c := range []struct {
		fault, toml string
		calls       string
	}{
		{"404", "", "pro pro flash"},
		{"429-perday", "", "pro pro flash"},
		{"429-limit0", "", "pro pro flash"},
		{"429-capacity", hasty, "pro flash"},
		{"503-capacity", hasty, "pro flash"},
		{"503", hasty, "pro flash"},
		{"429-perday", hasty, "pro flash"}, // the tries end, though one is free
		{"error-event 503", hasty, "pro flash"},
		{"400", "", "pro"},
		{"400-tokens", "", "pro"},
		{"400-key", "", "pro pro"},
		{"401", "", "pro pro"},
		{"403", "", "pro pro"},
		{"403-tos", "", "pro pro"},
		{"500", hasty, "pro"},
		{"502-html", hasty, "pro"},
		{"504", hasty, "pro"},
		{"empty", hasty, "pro"},
		{"cut", hasty, "pro"},
		{"429-credits", "", "pro pro"}, // that is about the credential
		{"404", off("model"), "pro pro"},
		{"404", off("retry"), "pro"},
		{"blocked", "", "pro"}, // an answer, if a short one
	} {
		t.Run(c.fault+" "+c.toml, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.sim.Script(ever(c.fault, "gemini-2.5-pro"))
			x, reply := h.run(fallsBack+c.toml, onGemini("gemini-2.5-pro", native))
			if got := called(x); got != c.calls {
				t.Errorf("calls %q, want %q", got, c.calls)
			}
			fell := strings.Contains(c.calls, "flash")
			if header := x.Header.Get("X-Model-Fallback"); fell != (header == "gemini-2.5-flash") || fell != (reply.Body != nil) && c.fault != "blocked" {
				t.Errorf("header %q, %+v", header, reply)
			}
			if fell && (x.Model.Asked != "gemini-2.5-pro" || x.Model.Base != "gemini-2.5-flash") {
				t.Errorf("%+v", x.Model)
			}
		})
	}
}

// Without a line in the table nothing changes, and one fallback has none of its own in the same request.
func TestOneFallbackARequest(t *testing.T) {
	h := newHouse(t)
	h.sim.Script(ever("404", ""))
	chain := fallsBack + "\"gemini-2.5-flash\" = \"gemini-2.5-flash-lite\"\n"
	x, reply := h.run(chain, onGemini("gemini-2.5-pro", native))
	if got := called(x); got != "pro pro flash flash" || reply.Err == nil || reply.Err.Status != 404 {
		t.Errorf("calls %q, %v", got, reply.Err)
	}
	if x, _ = h.run("[models.fallback]\n\"gemini-2.5-flash\" = \"gemini-2.5-flash-lite\"\n", onGemini("gemini-2.5-pro", native)); len(x.Attempts) != 0 || x.Fallback != "" {
		t.Errorf("calls %q, fallback %q", called(x), x.Fallback)
	}
}

// The pool knows what rests and makes no call to find it out again.
func TestFallbackWithoutACall(t *testing.T) {
	h := newHouse(t)
	for _, fault := range []string{"429-perday", "404"} {
		model := map[string]string{"429-perday": "gemini-2.5-pro", "404": "gemini-3.1-pro-preview"}[fault]
		h.sim.Script(ever(fault, model))
		toml := "[models.fallback]\n\"" + model + "\" = \"gemini-2.5-flash\"\n"
		h.run("", onGemini(model, native))
		n := len(h.sim.Calls())
		x, reply := h.run(toml, onGemini(model, native))
		if got := called(x); got != "flash" || reply.Body == nil || len(h.sim.Calls()) != n+1 {
			t.Errorf("%s: calls %q, %v", fault, got, reply.Err)
		}
	}
}

// A 429 that is to be passed on is, until the model has nothing left.
func TestFallbackWhereA429IsPassedOn(t *testing.T) {
	h := newHouse(t)
	h.sim.Script(ever("429-perday", "gemini-2.5-pro"))
	for i, want := range []string{"pro", "pro flash", "flash"} {
		x, reply := h.run(fallsBack+"[stage.retry]\non_429 = false\n", onGemini("gemini-2.5-pro", native))
		if got := called(x); got != want || (reply.Err != nil) != (i == 0) {
			t.Errorf("request %d: calls %q, %v; want %q", i+1, got, reply.Err, want)
		}
	}
}

// The dearer price is there before the other model is asked, or that one is not asked.
func TestFallbackHasItsPrice(t *testing.T) {
	for _, poor := range []bool{false, true} {
		h := newHouse(t)
		quota := int64(100)
		if poor {
			quota = 10 // enough for the one that fails
		}
		h.terms(func(t *apikey.Terms) { t.Quota = quota })
		if err := h.book.Costs.Set(t.Context(), "gemini-2.5-flash", apikey.Cost{Units: 12}); err != nil {
			t.Fatal(err)
		}
		h.sim.Script(ever("404", "gemini-2.5-pro"))
		x, reply := h.run(fallsBack, onOpenAI(chat, h.secret))
		want := "pro pro flash"
		if poor {
			want = "pro pro"
		}
		if got := called(x); got != want || poor != (reply.Err != nil) || poor != (x.Header.Get("X-Model-Fallback") == "") || poor != (x.Charge.Base == "gemini-2.5-pro") {
			t.Errorf("poor %v: calls %q, charge %+v, %v", poor, got, x.Charge, reply.Err)
		}
		if poor && (reply.Err.Code != apierror.ModelNotFound || h.used() != 0) {
			t.Errorf("%v, %d units", reply.Err, h.used())
		}
		if !poor && h.used() != 12 {
			t.Errorf("%d units", h.used())
		}
	}
}

// Whose error a client hears when both models fail, and when it is told to come back.
func TestBothFail(t *testing.T) {
	const never, soon, late = 0, 10 * time.Second, 48 * time.Hour
	for _, c := range []struct {
		first, second string
		code          apierror.Code
		says          string // part of the message
		within        time.Duration
	}{
		{"429-perday", "400", apierror.QuotaExhausted, "gemini-2.5-pro", late},
		{"429-perday", "429-perday", apierror.QuotaExhausted, "gemini-2.5-pro", late},
		{"429-perday", "503-capacity", apierror.QuotaExhausted, "gemini-2.5-pro", soon}, // the other one is back before
		{"503-capacity", "429-perday", apierror.UpstreamUnavailable, "gemini-2.5-pro", soon},
		{"503-capacity", "404", apierror.UpstreamUnavailable, "gemini-2.5-pro", soon},
		{"404", "404", apierror.ModelNotFound, "gemini-2.5-pro", never},
		{"404", "400", apierror.ModelNotFound, "gemini-2.5-pro", never},
		{"404", "429-perday", apierror.QuotaExhausted, "gemini-2.5-flash", late},
		{"404", "503-capacity", apierror.UpstreamUnavailable, "gemini-2.5-flash", soon},
	} {
		t.Run(c.first+" "+c.second, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.sim.Script(ever(c.first, "gemini-2.5-pro"), ever(c.second, "gemini-2.5-flash"))
			x, reply := h.run(fallsBack+"[stage.retry]\nmax_calls = 2\n", onGemini("gemini-2.5-pro", native))
			f := reply.Err
			if f == nil || f.Code != c.code || !strings.Contains(f.Message, c.says) {
				t.Fatalf("%+v", f)
			}
			if f.RetryAfter > c.within || c.within != never && f.RetryAfter == 0 || c.within == late && f.RetryAfter < soon {
				t.Errorf("to come back after %v", f.RetryAfter)
			}
			if told := x.Header.Get("X-Model-Fallback"); (told != "") != (c.says == "gemini-2.5-flash") || !strings.Contains(called(x), "pro flash") {
				t.Errorf("header %q, calls %q", told, called(x))
			}
		})
	}
}

// Counting is for the model that was asked about, vectors are of one model.
func TestVerbsWithoutAFallback(t *testing.T) {
	for verb, name := range map[pipeline.Verb]string{pipeline.Count: "countTokens", pipeline.Embed: "embedContent"} {
		h := newHouse(t)
		h.sim.Script(simulator.Fault{Do: "404", Verb: name, Count: -1})
		in := onGemini("gemini-2.5-pro", native)
		if in.Route.Verb = verb; verb == pipeline.Embed {
			in.Model = "my-vectors"
			in.Client = client(`{"content":{"parts":[{"text":"hi"}]}}`, "secret")
		}
		if x, _ := h.run(fallsBack+"\"my-vectors\" = \"gemini-2.5-flash\"\n", in); x.Fallback != "" || strings.Contains(called(x), "flash") || len(x.Attempts) == 0 {
			t.Errorf("%v: calls %q", verb, called(x))
		}
	}
}

// What was left out for the first model is not told of the second, which honours it.
func TestFallbackIsMadeAnew(t *testing.T) {
	h := newHouse(t)
	toml := fallsBack + "[models.limits]\n\"gemini-2.5-pro\" = { output = 1000 }\n"
	in := onGemini("gemini-2.5-pro", `{"contents":`+turn+`,"generationConfig":{"maxOutputTokens":2000}}`)
	if x, _ := h.run(toml, in); x.Header.Get("X-Dropped-Params") != "maxOutputTokens=1000" {
		t.Fatalf("dropped %q", x.Header.Get("X-Dropped-Params"))
	}
	h.sim.Script(ever("404", "gemini-2.5-pro"))
	x, reply := h.run(toml, in)
	if reply.Err != nil || x.Header.Get("X-Dropped-Params") != "" {
		t.Errorf("dropped %q, %v", x.Header.Get("X-Dropped-Params"), reply.Err)
	}
	calls := h.sim.CallsOf("generateContent")
	if body := string(calls[len(calls)-1].Body); !strings.Contains(body, `"maxOutputTokens":2000`) {
		t.Errorf("the fallback got %s", body)
	}
}

// What Google refuses in a call is left out of the other model's call as well, once for each.
func TestFallbackIsMendedAnew(t *testing.T) {
	h := newHouse(t)
	h.sim.Script(ever("404", "gemini-2.5-pro"))
	x, reply := h.run(fallsBack, onOpenAI(strings.Replace(chat, "{", `{"presence_penalty":0.5,`, 1), "secret"))
	if reply.Err != nil || called(x) != "pro pro pro flash flash" || x.Header.Get("X-Dropped-Params") != "presence_penalty" {
		t.Errorf("calls %q, dropped %q, %v", called(x), x.Header.Get("X-Dropped-Params"), reply.Err)
	}
}

// around is a stage that runs the rest by itself, and once more inside of the stream where it is told to.
type around struct{ again bool }

func (a around) Process(x *pipeline.Exchange) pipeline.Verdict {
	rest := x.Rest("retry")
	if r := rest.Run(x); a.again && r.Stream != nil {
		x.Reply.Stream = &twice{Stream: r.Stream, x: x, rest: rest}
	}
	return rest.Instead()
}

type twice struct {
	wire.Stream
	x    *pipeline.Exchange
	rest pipeline.Segment
	done bool
}

func (s *twice) Next() (wire.Event, error) {
	ev, err := s.Stream.Next()
	if err != io.EOF || s.done {
		return ev, err
	}
	s.done = true
	_ = s.Close()
	r := s.rest.Run(s.x)
	if r.Err != nil {
		return wire.Event{}, r.Err
	}
	s.Stream = r.Stream
	return s.Stream.Next()
}

// with puts stages that run the rest by themselves before credential.
func (h *house) with(stages ...around) (toml string) {
	order := strings.Join(usualOrder(h), `", "`)
	for i, a := range stages {
		name := []string{"outer", "inner"}[i]
		h.kinds = append(h.kinds, pipeline.Kind{Name: name, New: pipeline.New(struct{}{}, func(_ struct{}, b *pipeline.Build) (pipeline.Stage, error) {
			return a, b.RerunsRest("retry")
		})})
		order = strings.Replace(order, `"credential"`, `"`+name+`", "credential"`, 1)
	}
	return "[pipeline]\norder = [\"" + order + "\"]\n"
}

func usualOrder(h *house) []string { return load(h.t, h.kinds, "").Order() }

func TestFallbackInsideSegments(t *testing.T) {
	for _, stream := range []bool{false, true} {
		h := newHouse(t)
		order := h.with(around{}, around{})
		h.sim.Script(ever("404", "gemini-2.5-pro"))
		in := onGemini("gemini-2.5-pro", native)
		if stream {
			in.Route.Verb = pipeline.Streaming
		}
		x, reply := h.run(order+fallsBack, in)
		if got := called(x); got != "pro pro flash" || reply.Err != nil || x.Header.Get("X-Model-Fallback") == "" {
			t.Errorf("calls %q, %v", got, reply.Err)
		}
		h.sim.Script(ever("404", "gemini-2.5-flash"))
		x, reply = h.run(order+fallsBack, in)
		if got := called(x); got != "flash flash" || reply.Err == nil || !strings.Contains(reply.Err.Message, "gemini-2.5-pro") {
			t.Errorf("both fail: calls %q, %v", got, reply.Err)
		}
	}
}

// Behind the first byte no other model goes on.
func TestNoFallbackInsideAStream(t *testing.T) {
	h := newHouse(t)
	order := h.with(around{again: true})
	h.sim.Script(simulator.Fault{Do: "404", Model: "gemini-2.5-pro", Skip: 1, Count: -1})
	in := onGemini("gemini-2.5-pro", native)
	in.Route.Verb = pipeline.Streaming
	e := engine(t, h.kinds, true)
	if err := e.Apply(load(t, h.kinds, order+fallsBack)); err != nil {
		t.Fatal(err)
	}
	x := pipeline.NewExchange(t.Context(), in)
	reply := e.Run(x)
	var last error
	for events := 0; last == nil; events++ {
		if _, last = reply.Stream.Next(); last != nil && events == 0 {
			t.Error("no event")
		}
	}
	if f := apierror.From(last); f.Code != apierror.ModelNotFound || x.Fallback != "" || called(x) != "pro pro pro" {
		t.Errorf("calls %q, %v", called(x), last) // the answer's beginning, and two that go on with it
	}
	e.End(x, pipeline.Outcome{Began: true})
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Both models' tries are counted.
func TestUsageOfAFallback(t *testing.T) {
	h := newHouse(t)
	h.sim.Script(ever("404", "gemini-2.5-pro"))
	h.run(fallsBack, onGemini("gemini-2.5-pro", native))
	calls, failed := int64(0), int64(0)
	for _, c := range h.stats.Report().Credentials {
		calls, failed = calls+c.Calls, failed+c.Errors
	}
	if calls != 3 || failed != 2 {
		t.Errorf("%+v", h.stats.Report().Credentials)
	}
}
