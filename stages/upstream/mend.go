package upstream

import (
	"strings"

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

// mended answers a refusal of something that Google can do without: the call is made once more, and
// once only for each reason.
func mended(x *pipeline.Exchange, f *apierror.Error) bool {
	return resigned(x, f) || unpunished(x, f)
}

// resignedKey and unpunishedKey keep the model whose call was mended: that of a fallback is another one.
type resignedKey struct{}

// resigned is for the signatures that a client sent, or did not send: the sentinel stands in their
// place, which Google takes from everybody.
func resigned(x *pipeline.Exchange, f *apierror.Error) bool {
	contents, there := x.Call.Get("contents")
	if !gemini.Unsigned(f) || !there || wire.KindOf(contents) != wire.KindArray || x.Note(resignedKey{}) == x.Model.Base {
		return false
	}
	x.Keep(resignedKey{}, x.Model.Base)
	x.Call.Set("contents", gemini.AppendSentinels(make([]byte, 0, len(contents)+256), contents))
	return true
}

type unpunishedKey struct{}

// unpunished is for penalties, which many models refuse (protocol 3.3) and no list tells which: they are
// left out, and the client hears so. One that speaks Gemini hears Google's own word instead.
func unpunished(x *pipeline.Exchange, f *apierror.Error) bool {
	if x.Asked == wire.Gemini || f.Status != 400 || f.Said == nil || !strings.Contains(f.Said.Text, "enalty is not enabled") || x.Note(unpunishedKey{}) == x.Model.Base {
		return false
	}
	x.Keep(unpunishedKey{}, x.Model.Base)
	for ours, theirs := range map[string]string{"presencePenalty": "presence_penalty", "frequencyPenalty": "frequency_penalty"} {
		if _, there := x.Call.GetIn("generationConfig", ours); there {
			x.Call.DeleteIn("generationConfig", ours)
			x.Dropped(theirs)
		}
	}
	return true
}
