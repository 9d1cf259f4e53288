package retry

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
)

// settles is the stage that a request goes back to for another model: what makes its call comes behind.
const settles = "model"

// firstKey keeps the error of the model that was asked for.
type firstKey struct{}

// fallBack sends the request back to be made again for the fallback of its model, where that may help.
func (s *stage) fallBack(x *pipeline.Exchange, fail *apierror.Error, a pipeline.Advice) pipeline.Verdict {
	to, ok := s.fallbackOf(x)
	if !ok || !s.ofModel(x, fail, a) || !x.MayRestart() || x.Context().Err() != nil {
		return pipeline.Next
	}
	m := x.Model
	if m.Base = to; !x.WantsStream {
		m.Features &^= models.AntiTruncation // no part of the price there, and whoever makes it one says so again
	}
	if f := x.Reprice(m); f != nil {
		s.log.Warn("the fallback is not asked: its price cannot be paid", "id", x.In.ID, "from", x.Model.Base, "to", to, "error", f)
		return pipeline.Next
	}
	s.log.Info("the fallback is asked", "id", x.In.ID, "from", x.Model.Base, "to", to, "error", fail)
	x.Keep(firstKey{}, fail)
	x.FallBack(to)
	return pipeline.Restart(settles)
}

// fallbackOf: vectors of another model are no substitute, tokens are counted for the model that was asked
// about, and what the key of the caller may not ask is not asked for it either.
func (s *stage) fallbackOf(x *pipeline.Exchange) (to string, ok bool) {
	v := x.In.Route.Verb
	if s.catalogue == nil || v != pipeline.Generate && v != pipeline.Streaming {
		return "", false
	}
	to, ok = s.catalogue.Fallback(x.Model.Base)
	return to, ok && x.Caller.May(to)
}

// ofModel says whether the model is what failed: by the word of the pool, on the call that failed or on why
// there was none. A 429 that is to be passed on falls back only when nothing is left of the model.
func (s *stage) ofModel(x *pipeline.Exchange, fail *apierror.Error, a pipeline.Advice) bool {
	switch {
	case !a.Model || x.Lease != nil && !fail.Upstream:
		return false
	case x.Lease != nil && fail.Status == 429 && !s.On429:
		return a.Free > 0
	}
	return true
}

// failedToo ends a request whose fallback failed as well with the error of the model that was asked for, due
// again when the first of both is. Only where that model is not there at all, and the other one is for a
// while, the other's stands: nobody comes back after a 404.
func (s *stage) failedToo(x *pipeline.Exchange, fail *apierror.Error) {
	first, ok := x.Note(firstKey{}).(*apierror.Error)
	if !ok || !x.MayRestart() || fail.Code == apierror.ClientGone {
		return
	}
	s.log.Warn("the fallback failed too", "id", x.In.ID, "to", x.Fallback, "error", fail)
	if first.Code == apierror.ModelNotFound && (fail.Status == 429 || fail.Status == 503) {
		return
	}
	if fail.RetryAfter > 0 && fail.RetryAfter < first.RetryAfter {
		first = first.After(fail.RetryAfter)
	}
	x.Reply.Err = first
	x.Header.Delete("X-Model-Fallback") // it is not the fallback that speaks
}
