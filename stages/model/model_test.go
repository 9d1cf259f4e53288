package model

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

var everything = models.Enabled{Thinking: true, Features: models.FakeStream | models.AntiTruncation | models.Search}

func made(t *testing.T, on models.Enabled) *stage {
	t.Helper()
	s := models.Defaults()
	s.Alias = map[string]string{"gpt-4o": "gemini-2.5-pro", "fast": "gemini-2.5-flash-nothinking", "art": "gemini-3-pro-image-512", "claude-*": "gemini-2.5-pro-search"}
	s.ImageSuffixes = true
	s.Limits = map[string]models.Limits{"gemini-2.5-flash": {Display: "Flash", Output: 1000}}
	c, err := models.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return &stage{catalogue: c, on: on}
}

// onOpenAI asks in the body, onGemini in the path.
func onOpenAI(name string) *pipeline.Exchange {
	body, _ := json.Marshal(map[string]string{"model": name})
	return pipeline.NewExchange(context.Background(), pipeline.Request{Route: pipeline.Route{Format: wire.OpenAI}, Client: pipeline.Fixed{Data: body}})
}

func onGemini(verb pipeline.Verb, name string) *pipeline.Exchange {
	return pipeline.NewExchange(context.Background(), pipeline.Request{Route: pipeline.Route{Format: wire.Gemini, Verb: verb},
		Model: name, Client: pipeline.Fixed{Data: []byte(`{"model":"not this one"}`)}})
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name, base string
		features   models.Features
		thinking   models.Thinking
	}{
		{"gemini-2.5-pro", "gemini-2.5-pro", 0, models.None},
		{"models/gemini-2.5-pro", "gemini-2.5-pro", 0, models.None},
		{" gemini-2.5-pro ", "gemini-2.5-pro", 0, models.None},
		{"gemini-2.5-pro-假流式", "gemini-2.5-pro", models.FakeStream, models.None},
		{"流式抗截断/gemini-2.5-pro-search-maxthinking", "gemini-2.5-pro", models.AntiTruncation | models.Search, models.Full},
		{"假流式/流式抗截断/x-low", "x", models.FakeStream | models.AntiTruncation, models.Low},
		{"unknown/model:1", "unknown/model:1", 0, models.None},
		{"gpt-4o", "gemini-2.5-pro", 0, models.None},
		{"gpt-4o-search", "gemini-2.5-pro", models.Search, models.None},
		{"fast", "gemini-2.5-flash", 0, models.Off},
	} {
		for route, x := range map[string]*pipeline.Exchange{"openai": onOpenAI(c.name), "gemini": onGemini(pipeline.Generate, c.name),
			"stream": onGemini(pipeline.Streaming, c.name), "count": onGemini(pipeline.Count, c.name)} {
			v := made(t, everything).Process(x)
			m := x.Model
			if v != pipeline.Next || m.Base != c.base || m.Features != c.features || m.Thinking != c.thinking {
				t.Errorf("%q on %s: verdict %v, %+v", c.name, route, v, m)
			}
			if m.Asked != strings.TrimSpace(c.name) {
				t.Errorf("%q on %s: asked %q", c.name, route, m.Asked)
			}
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	const disabled = apierror.FeatureDisabled
	for _, c := range []struct {
		name string
		on   models.Enabled
		code apierror.Code // "" is accepted
		says string
	}{
		{"gemini-2.5-pro-假流式", models.Enabled{}, disabled, `"gemini-2.5-pro-假流式" asks for -假流式, which is switched off on this gateway`},
		{"假流式/x", models.Enabled{}, disabled, `"假流式/x" asks for 假流式/, which`},
		{"流式抗截断/gemini-2.5-pro", models.Enabled{Features: models.FakeStream}, disabled, "asks for 流式抗截断/, which"},
		{"fake-stream/gemini-2.5-pro-search", models.Enabled{Features: models.FakeStream}, disabled, "asks for -search, which"},
		{"gemini-2.5-pro-search-fake-stream", models.Enabled{Thinking: true}, disabled, "asks for -fake-stream -search, which"},
		{"gemini-2.5-pro-maxthinking", models.Enabled{Features: models.Search}, disabled, "asks for -maxthinking, which"},
		{"gemini-2.5-pro-thinking-512", models.Enabled{}, disabled, "asks for -thinking-512, which"},
		{"fast", models.Enabled{}, disabled, `"fast" is an alias that asks for -nothinking, which`},
		{"claude-x", models.Enabled{}, disabled, `"claude-x" is an alias that asks for -search, which`},
		{"claude-x", models.Enabled{Features: models.Search}, "", ""},
		{"gemini-3-pro-image-4k-16x9", models.Enabled{}, "", ""},
		{"gemini-3.1-flash-image-512-1x8", models.Enabled{}, "", ""},
		{"gemini-9-image-1k", models.Enabled{}, "", ""}, // as the ones before it
		{"gemini-3-pro-image-8k", models.Enabled{}, apierror.BadRequest, `asks for the size "8k", but gemini-3-pro-image draws in 1K, 2K, 4K`},
		{"gemini-3-pro-image-1x8", models.Enabled{}, apierror.BadRequest, `asks for the ratio "1:8", but gemini-3-pro-image draws in 1:1, 3:2, 2:3, 4:3, 3:4, 5:4, 4:5, 16:9, 9:16, 21:9`},
		{"gemini-2.5-flash-image-2k", models.Enabled{}, apierror.BadRequest, `asks for the size "2K", but gemini-2.5-flash-image draws in one size only`},
		{"gemini-3-pro-image-1k-2k", models.Enabled{}, apierror.BadRequest, `asks for "-1k" and for "-2k"`},
		{"art", models.Enabled{}, apierror.BadRequest, `asks for the size "512"`},
		{"gemini-2.5-pro-search", models.Enabled{Features: models.Search}, "", ""},
		{"gemini-2.5-pro-low", models.Enabled{Thinking: true}, "", ""},
		{"gemini-2.5-pro-low-high", everything, apierror.BadRequest, "one of them has to go"},
		{"  ", everything, apierror.BadRequest, "empty"},
	} {
		for route, x := range map[string]*pipeline.Exchange{"openai": onOpenAI(c.name), "gemini": onGemini(pipeline.Generate, c.name), "get": onGemini(pipeline.Get, c.name)} {
			v := made(t, c.on).Process(x)
			f := x.Reply.Err
			switch {
			case c.code == "" && f != nil && f.Code == apierror.ModelNotFound && route == "get": // nobody lists it
			case c.code == "" && f != nil:
				t.Errorf("%q on %s: %v", c.name, route, f)
			case c.code != "" && (v != pipeline.Respond || f == nil || f.Code != c.code || f.Status != 400 || f.Param != "model" || !strings.Contains(f.Message, c.says)):
				t.Errorf("%q on %s: verdict %v, %+v", c.name, route, v, f)
			}
		}
	}
}

// What no credential can get from a model is refused here: Google would say that there is no such model, and the
// pool would believe it.
func TestWhatAModelCannot(t *testing.T) {
	for _, c := range []struct {
		verb pipeline.Verb
		name string
		says string // "" is accepted
	}{
		{pipeline.Embed, "gemini-embedding-001", ""},
		{pipeline.Embed, "gemini-embedding-001-search", "no features"},
		{pipeline.Embed, "假流式/gemini-embedding-001", "no features"},
		{pipeline.Embed, "gemini-embedding-001-low", "no features"},
		{pipeline.Embed, "gemini-2.5-flash", "no vectors"},
		{pipeline.Embed, "gemini-2.5-flash-image", "no vectors"},
		{pipeline.Embed, "my-vectors", ""},
		{pipeline.Generate, "gemini-embedding-001", "no words"},
		{pipeline.Streaming, "text-embedding-004", "no words"},
		{pipeline.Count, "gemini-embedding-001", "no words"},
		{pipeline.Generate, "my-embeddings-are-good", ""},
		{pipeline.Get, "gemini-embedding-001", ""},
		{pipeline.Generate, "假流式/", "features and no model"},
		{pipeline.Generate, "-search", "features and no model"},
		{pipeline.Generate, "假流式/-search", "features and no model"},
		{pipeline.Generate, "抗截断／", "features and no model"},
	} {
		x := onGemini(c.verb, c.name)
		v := made(t, everything).Process(x)
		if f := x.Reply.Err; c.says == "" && f != nil || c.says != "" && (v != pipeline.Respond || f == nil || f.Code != apierror.BadRequest || f.Param != "model" || !strings.Contains(f.Message, c.says)) {
			t.Errorf("%v %s: %v, %+v", c.verb, c.name, v, f)
		}
	}
}

// A name that no model can have is kept nowhere.
func TestLongNames(t *testing.T) {
	fits, long := strings.Repeat("x", 256), strings.Repeat("x", 257)
	openaiGet := func(name string) *pipeline.Exchange {
		return pipeline.NewExchange(context.Background(), pipeline.Request{Route: pipeline.Route{Format: wire.OpenAI, Verb: pipeline.Get}, Model: name})
	}
	for route, ask := range map[string]func(string) *pipeline.Exchange{"openai": onOpenAI, "openai get": openaiGet,
		"gemini":     func(n string) *pipeline.Exchange { return onGemini(pipeline.Generate, n) },
		"gemini get": func(n string) *pipeline.Exchange { return onGemini(pipeline.Get, n) }} {
		for how, process := range map[string]func(*pipeline.Exchange) pipeline.Verdict{"on": made(t, everything).Process, "off": unparsed} {
			if how == "off" && strings.HasSuffix(route, "get") {
				continue // nobody answers
			}
			x := ask(long)
			process(x)
			if f := x.Reply.Err; f == nil || f.Code != apierror.BadRequest || f.Param != "model" || !strings.Contains(f.Message, "longer than 256") || x.Model != (models.Model{}) {
				t.Errorf("%s, stage %s: %+v, kept %d bytes", route, how, f, len(x.Model.Asked))
			}
			x = ask(fits)
			process(x)
			if f := x.Reply.Err; f != nil && f.Code == apierror.BadRequest || x.Model.Asked != fits {
				t.Errorf("256 bytes, %s, stage %s: %v", route, how, f)
			}
		}
	}
}

func TestBodiesWithoutAName(t *testing.T) {
	for name, body := range map[string]string{"missing": `{}`, "null": `{"model":null}`, "a number": `{"model":7}`, "empty": `{"model":""}`,
		"twice": `{"model":"a","model":"a"}`, "escaped": `{"mod\u0065l":"a"}`} {
		for how, process := range map[string]func(*pipeline.Exchange) pipeline.Verdict{"on": made(t, everything).Process, "off": unparsed} {
			x := pipeline.NewExchange(context.Background(), pipeline.Request{Route: pipeline.Route{Format: wire.OpenAI}, Client: pipeline.Fixed{Data: []byte(body)}})
			v := process(x)
			if f := x.Reply.Err; v != pipeline.Respond || f == nil || f.Code != apierror.BadRequest || f.Param != "model" {
				t.Errorf("%s, stage %s: verdict %v, %+v", name, how, v, f)
			}
		}
	}
}

// entry is what a listing says of one model.
type entry struct {
	Name, BaseModelID, DisplayName    string
	InputTokenLimit, OutputTokenLimit int
	SupportedGenerationMethods        []string
}

func TestListing(t *testing.T) {
	for _, c := range []struct {
		name   string
		on     models.Enabled
		has    []string
		hasNot []string
	}{
		{"nothing on", models.Enabled{}, []string{"models/gemini-2.5-pro", "models/gemini-3.5-flash", "models/gemini-2.5-flash-image"},
			[]string{"models/gemini-2.5-pro-search", "models/假流式/gemini-2.5-pro", "models/gemini-2.5-pro-maxthinking", "models/gpt-4o"}},
		{"search", models.Enabled{Features: models.Search}, []string{"models/gemini-2.5-pro-search"}, []string{"models/假流式/gemini-2.5-pro", "models/gemini-2.5-flash-image-search"}},
		{"everything", everything, []string{"models/假流式/gemini-2.5-pro", "models/流式抗截断/gemini-2.5-flash", "models/gemini-2.5-pro-maxthinking"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := onGemini(pipeline.List, "")
			if v := made(t, c.on).Process(x); v != pipeline.Respond || x.Reply.Err != nil {
				t.Fatalf("verdict %v, %v", v, x.Reply.Err)
			}
			var listing struct{ Models []entry }
			if err := json.Unmarshal(x.Reply.Body, &listing); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, m := range listing.Models {
				names = append(names, m.Name)
				input, methods := models.DefaultInput, 3
				if models.Embeds(m.Name) {
					input, methods = 2048, 2
				}
				if m.InputTokenLimit != input || len(m.SupportedGenerationMethods) != methods {
					t.Errorf("%+v", m)
				}
			}
			for _, want := range c.has {
				if !slices.Contains(names, want) {
					t.Errorf("%s is not in the list", want)
				}
			}
			for _, no := range c.hasNot {
				if slices.Contains(names, no) {
					t.Errorf("%s is in the list", no)
				}
			}
		})
	}
}

func TestGet(t *testing.T) {
	for _, c := range []struct{ ask, name, base, display string }{
		{"gemini-2.5-pro", "models/gemini-2.5-pro", "gemini-2.5-pro", "gemini-2.5-pro"},
		{"models/gemini-2.5-flash", "models/gemini-2.5-flash", "gemini-2.5-flash", "Flash"},
		{"gemini-2.5-flash-search-假流式", "models/假流式/gemini-2.5-flash-search", "gemini-2.5-flash", "假流式/gemini-2.5-flash-search"},
		{"gpt-4o", "models/gemini-2.5-pro", "gemini-2.5-pro", "gemini-2.5-pro"},
	} {
		x := onGemini(pipeline.Get, c.ask)
		if v := made(t, everything).Process(x); v != pipeline.Respond || x.Reply.Err != nil {
			t.Fatalf("%s: verdict %v, %v", c.ask, v, x.Reply.Err)
		}
		var got entry
		if err := json.Unmarshal(x.Reply.Body, &got); err != nil {
			t.Fatal(err)
		}
		if got.Name != c.name || got.BaseModelID != c.base || got.DisplayName != c.display {
			t.Errorf("%s: %+v", c.ask, got)
		}
	}
	// single look-ups are as strict as calls
	for name, on := range map[string]models.Enabled{"gemini-2.5-pro-search": {}, "gemini-2.5-pro-low": {Features: models.Search}, "gemini-3-pro-image-8k": everything} {
		x := onGemini(pipeline.Get, name)
		made(t, on).Process(x)
		if f := x.Reply.Err; f == nil || f.Status != 400 {
			t.Errorf("%s: %+v", name, f)
		}
	}
	x := onGemini(pipeline.Get, strings.Repeat("x", 200))
	v := made(t, everything).Process(x)
	if f := x.Reply.Err; v != pipeline.Respond || f == nil || f.Code != apierror.ModelNotFound || f.Status != 404 || len(f.Message) > 200 {
		t.Errorf("unknown model: verdict %v, %+v", v, f)
	}
}

// counted notes who asks for the list.
type counted struct{ refreshed, wanted int }

func (c *counted) Refresh(context.Context) { c.refreshed++ }
func (c *counted) Want(context.Context)    { c.wanted++ }

// The list is brought up to date for those who read it, and is there before names are taken apart.
func TestWhoAsksForTheList(t *testing.T) {
	for verb, want := range map[pipeline.Verb]counted{
		pipeline.List: {refreshed: 1}, pipeline.Get: {refreshed: 1},
		pipeline.Generate: {wanted: 1}, pipeline.Streaming: {wanted: 1}, pipeline.Count: {wanted: 1}, pipeline.Embed: {wanted: 1},
	} {
		var got counted
		s := made(t, everything)
		s.listing = &got
		x := onGemini(verb, "gemini-2.5-pro")
		s.Start(x)
		s.Process(x)
		if got != want {
			t.Errorf("%v: %+v", verb, got)
		}
		got = counted{}
		trial := onGemini(pipeline.Generate, "gemini-2.5-pro")
		trial.In.Trial = true
		if s.Start(trial); got != (counted{}) {
			t.Errorf("%v: a trial asks: %+v", verb, got)
		}
		s.listing = nil // the setting is off
		s.Start(x)
		s.Process(x)
	}
}

func TestOffNamesGoUpUnparsed(t *testing.T) {
	for _, x := range []*pipeline.Exchange{onOpenAI("假流式/x-maxthinking-search"), onGemini(pipeline.Generate, "假流式/x-maxthinking-search")} {
		v := unparsed(x)
		if want := (models.Model{Asked: "假流式/x-maxthinking-search", Base: "假流式/x-maxthinking-search"}); v != pipeline.Next || x.Model != want {
			t.Errorf("verdict %v, %+v", v, x.Model)
		}
	}
	for _, verb := range []pipeline.Verb{pipeline.List, pipeline.Get} {
		if x := onGemini(verb, "x"); unparsed(x) != pipeline.Next || !x.Reply.Empty() {
			t.Errorf("%v: reply %+v", verb, x.Reply)
		}
	}
}

// Walked again for a fallback, the base is another one, and all else what the name asks for.
func TestFallback(t *testing.T) {
	for _, c := range []struct {
		name     string
		features models.Features
		thinking models.Thinking
	}{
		{"gemini-2.5-pro", 0, models.None},
		{"gpt-4o", 0, models.None}, // an alias
		{"假流式/gemini-2.5-pro-search-low", models.FakeStream | models.Search, models.Low},
	} {
		for _, x := range []*pipeline.Exchange{onOpenAI(c.name), onGemini(pipeline.Streaming, c.name)} {
			s := made(t, everything)
			s.Process(x)
			if x.Model.Base != "gemini-2.5-pro" || x.Header.Get("X-Model-Fallback") != "" {
				t.Errorf("%q, at first: %+v", c.name, x.Model)
			}
			x.FallBack("gemini-2.5-flash")
			v := s.Process(x)
			m := x.Model
			if v != pipeline.Next || m.Asked != c.name || m.Base != "gemini-2.5-flash" || m.Features != c.features || m.Thinking != c.thinking {
				t.Errorf("%q: verdict %v, %+v", c.name, v, m)
			}
			if got := x.Header.Get("X-Model-Fallback"); got != "gemini-2.5-flash" {
				t.Errorf("%q: header %q", c.name, got)
			}
		}
	}
}

// A header for a stage that is not there is refused where that stage would act.
func TestCompatIsOff(t *testing.T) {
	for _, c := range []struct {
		header string
		verb   pipeline.Verb
		on     bool
		fails  bool
	}{
		{"system-to-user", pipeline.Generate, false, true},
		{"system-to-user", pipeline.Streaming, false, true},
		{"nonsense", pipeline.Generate, false, true},
		{"off", pipeline.Generate, false, false},
		{"", pipeline.Generate, false, false},
		{"system-to-user", pipeline.Count, false, false},
		{"system-to-user", pipeline.Get, false, false},
		{"system-to-user", pipeline.Generate, true, false},
		{"nonsense", pipeline.Generate, true, false}, // that stage says so itself
	} {
		x := onGemini(c.verb, "gemini-2.5-pro")
		x.In.Client = pipeline.Fixed{Headers: map[string]string{"X-Compat": c.header}}
		s := made(t, everything)
		s.compat = c.on
		v := s.Process(x)
		f := x.Reply.Err
		if c.fails != (f != nil) || c.fails && (v != pipeline.Respond || f.Code != apierror.FeatureDisabled || f.Status != 400 || f.Param != "X-Compat") {
			t.Errorf("%+v: verdict %v, %v", c, v, f)
		}
	}
}

// A key asks the models that it may, whatever they are called and whichever way they are asked.
func TestModelsOfAKey(t *testing.T) {
	for _, c := range []struct {
		name  string
		globs []string
		base  string // "" is refused
	}{
		{"gemini-2.5-pro", nil, "gemini-2.5-pro"},
		{"gemini-2.5-pro", []string{"gemini-2.5-pro"}, "gemini-2.5-pro"},
		{"models/gemini-2.5-pro", []string{"gemini-2.5-pro"}, "gemini-2.5-pro"},
		{"流式抗截断/gemini-2.5-pro-search-maxthinking", []string{"gemini-2.5-pro"}, "gemini-2.5-pro"},
		{"gemini-2.5-pro", []string{"gemini-2.5-flash", "gemini-2.5-p*"}, "gemini-2.5-pro"},
		{"gemini-2.5-pro", []string{"gemini-2.5-flash"}, ""},
		{"gemini-2.5-pro", []string{"Gemini-2.5-Pro"}, ""},
		{"gemini-2.5-pro", []string{"gpt-*"}, ""},
		{"gpt-4o", []string{"gpt-*"}, ""}, // it is what the alias leads to that counts
		{"gpt-4o", []string{"gemini-2.5-pro"}, "gemini-2.5-pro"},
		{"claude-4", []string{"gemini-2.5-flash"}, ""},
		{"unknown/model:1", []string{"unknown/*"}, "unknown/model:1"},
		{"unknown/model:1", []string{"gemini-*"}, ""},
	} {
		exchanges := map[string]*pipeline.Exchange{"openai": onOpenAI(c.name), "gemini": onGemini(pipeline.Generate, c.name),
			"stream": onGemini(pipeline.Streaming, c.name), "count": onGemini(pipeline.Count, c.name), "get": onGemini(pipeline.Get, c.name)}
		for route, x := range exchanges {
			x.Caller = pipeline.Caller{Kind: "key", ID: "key-x", Models: c.globs}
			v := made(t, everything).Process(x)
			fail := x.Reply.Err
			switch {
			case c.base == "" && (v != pipeline.Respond || fail == nil || fail.Status != 403 || fail.Code != apierror.Forbidden || fail.Param != "model" || !strings.Contains(fail.Message, c.name)):
				t.Errorf("%q with %q on %s: verdict %v, %v", c.name, c.globs, route, v, fail)
			case c.base != "" && (x.Model.Base != c.base || fail != nil && fail.Code == apierror.Forbidden):
				t.Errorf("%q with %q on %s: base %q, %v", c.name, c.globs, route, x.Model.Base, fail)
			}
		}
		x := onGemini(pipeline.Embed, "gemini-embedding-001")
		x.Caller.Models = c.globs
		if v := made(t, everything).Process(x); (v == pipeline.Next) != (c.globs == nil || slices.Contains(c.globs, "gemini-*")) {
			t.Errorf("vectors with %q: verdict %v", c.globs, v)
		}
	}
	x := onGemini(pipeline.Generate, "gemini-2.5-flash")
	x.Caller.Models, x.Fallback = []string{"gemini-2.5-flash"}, "gemini-2.5-pro"
	if v := made(t, everything).Process(x); v != pipeline.Respond || x.Reply.Err.Code != apierror.Forbidden || !strings.Contains(x.Reply.Err.Message, "gemini-2.5-pro") {
		t.Errorf("the fallback: verdict %v", v)
	}
	x = onGemini(pipeline.Generate, "gemini-2.5-pro")
	x.Caller.Models = []string{"gemini-2.5-flash"}
	if v := unparsed(x); v != pipeline.Respond || x.Reply.Err.Code != apierror.Forbidden {
		t.Errorf("with the stage off: verdict %v", v)
	}
}

func TestListOfAKey(t *testing.T) {
	names := func(globs ...string) (list []string) {
		x := pipeline.NewExchange(context.Background(), pipeline.Request{Route: pipeline.Route{Verb: pipeline.List}})
		x.Caller.Models = globs
		if v := made(t, everything).Process(x); v != pipeline.Respond {
			t.Fatal(v)
		}
		for a := wire.ArrayOf(wire.Get(x.Reply.Body, "models")); a.Next(); {
			name, _ := wire.Text(wire.Get(a.Value, "name"))
			list = append(list, strings.TrimPrefix(name, "models/"))
		}
		return list
	}
	all, some := names(), names("gemini-2.5-flash")
	if len(some) == 0 || len(some) >= len(all) {
		t.Errorf("%d of %d names", len(some), len(all))
	}
	for _, name := range some {
		if !strings.Contains(name, "gemini-2.5-flash") || strings.Contains(name, "lite") {
			t.Errorf("%q is shown", name)
		}
	}
	if none := names("nothing"); len(none) != 0 {
		t.Errorf("%q are shown", none)
	}
}
