// Package credential takes a credential out of the pool for each call.
package credential

import (
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
)

// Settings is the [stage.credential] table.
type Settings struct{}

// Kind describes the stage to the registry.
func Kind(p *pool.Pool) pipeline.Kind {
	return pipeline.Kind{
		Name:  "credential",
		Does:  "takes a credential out of the pool",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed},
		Needs: []pipeline.Fact{pipeline.HasModel, pipeline.HasCall},
		Gives: []pipeline.Fact{pipeline.HasLease},
		New: pipeline.New(Settings{}, func(Settings, *pipeline.Build) (pipeline.Stage, error) {
			return &stage{p}, nil
		}),
	}
}

type stage struct{ pool *pool.Pool }

// Process settles x.Lease, one that this exchange has not tried yet where there is one.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	if !x.Priced() {
		return x.Fail(apierror.Newf(apierror.BadRequest, "the model %q was paid for, and %q would be asked: it is not", x.Charge.Base, x.Model.Base).Naming("model"))
	}
	tried, served := triedBy(x)
	if x.Lease != nil {
		x.Lease.Release()
		x.Lease = nil
	}
	want := pool.Want{Model: x.Model.Base, Verb: x.In.Route.Verb, Tried: tried, Served: served, ID: x.In.ID,
		Caller: x.Caller.Owner(), Group: x.Caller.Group}
	if s.pool.Sticky() {
		want.Talk = talk(x)
	}
	cache, cached := cacheOf(x)
	switch mixed := len(x.Mix.Hosted) > 0; {
	case cached:
		want.Kinds = []string{cache.kind}
	case mixed && x.Mix.Whole:
		want.Kinds = []string{oauth.Gemini}
	case mixed:
		want.Favour = oauth.Gemini
	}
	if a := x.Advice(); len(tried) > 0 && (a.Again == pipeline.Same || len(tried) == 1 && served != "") {
		want.Prefer = tried[len(tried)-1]
	} else if len(tried) > 0 {
		want.Prefer = a.Next
	}
	l, fail := s.pool.Acquire(x.Context(), want)
	if fail != nil && cached && fail.Code == apierror.NoCredential {
		fail = apierror.New(fail.Code, "cachedContent needs "+cache.needs+": "+fail.Message).Naming("cachedContent").After(fail.RetryAfter)
	}
	if fail != nil {
		x.Advise(pipeline.Advice{Model: s.ofModel(want, fail)})
		return x.Fail(s.unserved(x, want, fail))
	}
	x.Lease = l
	return pipeline.Next
}

// triedBy lists the credentials of the calls so far, and names the one that answered last. Who goes on with
// an answer does so with the credential that gave its beginning, where Google has the conversation in its
// cache, and has all tries anew: calls before that one are forgotten.
func triedBy(x *pipeline.Exchange) (tried []string, served string) {
	for i := range x.Attempts {
		a := &x.Attempts[i]
		if a.Model != x.Model.Base { // the one that this one is the fallback of
			continue
		}
		if a.Done && a.Code == "" {
			tried, served = tried[:0], a.Credential
		}
		tried = append(tried, a.Credential)
	}
	return tried, served
}

// ofModel tells that for another model the pool might have had a credential.
func (s *stage) ofModel(want pool.Want, fail *apierror.Error) bool {
	switch fail.Code {
	case apierror.QuotaExhausted, apierror.RateLimited, apierror.ModelNotFound, apierror.UpstreamUnavailable:
		return true
	case apierror.NoCredential:
		why := s.pool.Exhausted(want)
		return why.Members > 0 && why.Fit == 0 && want.Kinds == nil
	}
	return false
}

// unserved tells a client whose request no kind of credential in the pool can make, however long it
// waits: embeddings are made with keys of Google AI Studio only, pictures with all but sign-ins.
func (s *stage) unserved(x *pipeline.Exchange, want pool.Want, fail *apierror.Error) *apierror.Error {
	if why := s.pool.Exhausted(want); x.Mix.Whole && why.Fit == 0 && (why.Members > 0 || why.Total == 0) {
		tool := x.AskedBy(x.Mix.Hosted[0])[0]
		return apierror.Newf(apierror.BadRequest, "tools: functions beside %s need an API key of Google AI Studio, and this gateway has none: leave one of the two out", tool).Naming(tool)
	}
	what := ""
	switch {
	case x.In.Route.Verb == pipeline.Embed:
		what = "embeddings need an API key of Google AI Studio, and this gateway has none (GEMINI_API_KEY): Code Assist and Vertex AI make none here"
	case x.In.Route.Format == wire.Images:
		what = "pictures need an API key of Google AI Studio or a credential of Vertex AI, and this gateway has neither (GEMINI_API_KEY, VERTEX_API_KEY): Code Assist makes none"
	}
	if why := s.pool.Exhausted(want); what == "" || why.Members == 0 || why.Fit > 0 {
		return fail
	}
	return apierror.New(apierror.Unsupported, what)
}

// cache is where a cache lives that a request names.
type cache struct{ kind, needs string }

// cacheOf finds the cache that a request names. Those of Vertex AI have a project in their names. Code
// Assist has no caches, and would answer as if the client had sent nothing.
func cacheOf(x *pipeline.Exchange) (cache, bool) {
	v, there := x.Call.Get("cachedContent")
	if whole, nested := x.Call.Get("generateContentRequest"); nested && !there {
		v, _ = gemini.Find(whole, "cachedContent")
	}
	if k := wire.KindOf(v); k == wire.KindNone || k == wire.KindNull {
		return cache{}, false
	}
	if name, _ := wire.Text(v); strings.HasPrefix(name, "projects/") {
		return cache{oauth.Vertex, "a credential of Vertex AI"}, true
	}
	return cache{oauth.Gemini, "an API key of Google AI Studio"}, true
}

// End gives the credential back.
func (s *stage) End(x *pipeline.Exchange) {
	if x.Lease != nil {
		x.Lease.Release()
	}
}
