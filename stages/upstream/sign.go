package upstream

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// prepare writes the call for the lease. Thought signatures are good for one kind of credential only:
// those of another kind give way to the sentinel, for this attempt.
func prepare(d Dialect, c *call, x *pipeline.Exchange) *apierror.Error {
	if x.Tools == nil {
		return d.Prepare(&c.req, &c.buf, x)
	}
	contents, _ := x.Call.Get("contents")
	if mended, some := x.Tools.AppendForKind(nil, contents, x.Lease.Kind()); some {
		defer x.Call.Restore(x.Call.Mark())
		x.Call.Set("contents", mended)
	}
	return d.Prepare(&c.req, &c.buf, x)
}

type resignedKey struct{}

// resigned answers a refusal for the signatures that a client sent, or did not send: the call is made
// once more with the sentinel in their place, which Google takes from everybody.
func resigned(x *pipeline.Exchange, f *apierror.Error) bool {
	contents, there := x.Call.Get("contents")
	if !gemini.Unsigned(f) || !there || wire.KindOf(contents) != wire.KindArray || x.Note(resignedKey{}) != nil {
		return false
	}
	x.Keep(resignedKey{}, true)
	x.Call.Set("contents", gemini.AppendSentinels(make([]byte, 0, len(contents)+256), contents))
	return true
}
