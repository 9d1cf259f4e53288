package shape

import (
	"strconv"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// estimated answers countTokens with an estimate where Google could not be asked: whoever counts
// wants to know whether a prompt fits, and a number that is nearly right tells more than a 429. By
// now all that may be tried again has been, and a mistake of the client stays its error.
func (s *stage) estimated(x *pipeline.Exchange) {
	why := x.Reply.Err
	if why == nil || !guessable(x, why) {
		return
	}
	tokens, fail := gemini.Estimate(&x.Call)
	if fail != nil {
		x.Reply.Err = fail
		return
	}
	x.Reply = pipeline.Reply{Body: append(strconv.AppendInt([]byte(`{"totalTokens":`), tokens, 10), '}')}
	x.Header.Set("X-Token-Count", "estimate")
	s.log.Info("tokens estimated", "id", x.In.ID, "code", string(why.Code), "says", why.Message)
}

// guessable tells the failures of Google and of the pool from those of the client and of our own.
// A call that was never made ready, and a client that left, get no number.
func guessable(x *pipeline.Exchange, why *apierror.Error) bool {
	if x.Call.IsZero() || x.Context().Err() != nil || cached(&x.Call) {
		return false
	}
	switch why.Code {
	case apierror.NoCredential, apierror.QuotaExhausted, apierror.RateLimited,
		apierror.UpstreamUnavailable, apierror.UpstreamTimeout, apierror.EmptyAnswer, apierror.StreamBroken:
		return true
	case apierror.Unsupported:
		return why.Upstream
	case apierror.BadRequest: // Google serves nobody from here, or wants billing first
		return why.Upstream && why.Said != nil && why.Said.Status == "FAILED_PRECONDITION"
	}
	return false
}

// cached: most of such a prompt lies with Google, and an estimate of the rest would be far too low.
func cached(c *gemini.Call) bool {
	v, there := c.Get("cachedContent")
	if whole, nested := c.Get("generateContentRequest"); nested && !there {
		v, _ = gemini.Find(whole, "cachedContent")
	}
	k := wire.KindOf(v)
	return k != wire.KindNone && k != wire.KindNull
}
