// Package geminiapi speaks to the Gemini API (AI Studio) with an API key.
//
// The body is the hub format itself; the model is in the path and there is no envelope (protocol 8.1).
package geminiapi

import (
	"net/url"
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Settings are asked at each call, so that a changed address counts at once.
type Settings interface {
	Gemini() string // base address without a trailing slash
}

// New makes the dialect.
func New(s Settings) *Dialect { return &Dialect{s} }

// Dialect is the dialect of the Gemini API.
type Dialect struct{ settings Settings }

// Prepare writes the call as it is, less what only Vertex knows.
func (d *Dialect) Prepare(req *outbound.Request, buf *wire.Buffer, x *pipeline.Exchange) *apierror.Error {
	// Escaped, because "../" in a name would reach other methods.
	req.To(d.settings.Gemini(), "/v1beta/models/", url.PathEscape(bare(x.Model.Base)), method(x))
	req.Set("x-goog-api-key", x.Lease.Token())
	req.Set("Content-Type", "application/json")
	req.Set("User-Agent", "gcli2api")
	var fail *apierror.Error
	if x.In.Route.Verb == pipeline.Count {
		buf.B, fail = appendCount(buf.B, x)
	} else {
		buf.B = appendCall(buf.B, x)
	}
	req.Body = buf.B
	return fail
}

// bare is the model without the folder, which the path has already.
func bare(base string) string { return strings.TrimPrefix(base, "models/") }

func method(x *pipeline.Exchange) string {
	switch {
	case x.In.Route.Verb == pipeline.Count:
		return ":countTokens"
	case x.In.Route.Verb == pipeline.Embed:
		return embeds(x)
	case x.Events():
		return ":streamGenerateContent?alt=sse"
	}
	return ":generateContent"
}

// Unwrap has nothing to cut: the reply is the hub format.
func (d *Dialect) Unwrap(data []byte) ([]byte, bool) { return data, true }

// appendCount writes either bare contents or a whole request, never both (protocol 8.1).
func appendCount(dst []byte, x *pipeline.Exchange) ([]byte, *apierror.Error) {
	call := x.Call
	if whole, ok := x.Call.Get("generateContentRequest"); ok {
		var fail *apierror.Error
		if call, fail = gemini.NewCall(whole); fail != nil {
			named := fail.Naming(strings.TrimSuffix("generateContentRequest."+fail.Param, "."))
			named.Message = "in generateContentRequest, " + fail.Message
			return dst, named
		}
	}
	if _, ok := call.Get("contents"); ok && call.Len() == 1 {
		return call.AppendTo(dst), nil
	}
	// System instruction and tools count too, and stand only in a whole request.
	dst = append(dst, `{"generateContentRequest":`...)
	dst = wire.AppendQuoted(wire.Key(append(dst, '{'), "model"), "models/"+bare(x.Model.Base))
	return append(appendMembers(dst, x, &call), "}}"...), nil
}
