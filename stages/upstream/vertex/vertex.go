// Package vertex speaks to Vertex AI, with a service account in a project of its own or with an API key in
// express mode.
//
// The body is the hub format itself, with members of Vertex's own and without those of the Gemini API; the
// model is in the path and there is no envelope (protocol 8.2, 8.3).
package vertex

import (
	"net/url"
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
)

// Settings are asked at each call, so that a changed address counts at once.
type Settings interface {
	Vertex() string         // base address without a trailing slash
	VertexLocation() string // where projects are served: "global", "eu", "us-central1"
}

// New makes the dialect.
func New(s Settings) *Dialect { return &Dialect{s} }

// Dialect is the dialect of Vertex AI.
type Dialect struct{ settings Settings }

// Prepare writes the call as it is, less what only the Gemini API knows.
func (d *Dialect) Prepare(req *outbound.Request, buf *wire.Buffer, x *pipeline.Exchange) *apierror.Error {
	if x.In.Route.Verb == pipeline.Embed {
		return apierror.New(apierror.Unsupported, "Vertex AI makes no embeddings here: they need an API key of Google AI Studio")
	}
	d.address(req, x)
	req.Set("Content-Type", "application/json")
	req.Set("User-Agent", "gcli2api")
	if x.In.Route.Verb == pipeline.Count {
		buf.B = appendCount(buf.B, x)
	} else {
		buf.B = appendCall(buf.B, x)
	}
	req.Body = buf.B
	return nil
}

// address is where the call goes. A lease without a project is a key in express mode.
func (d *Dialect) address(req *outbound.Request, x *pipeline.Exchange) {
	base := d.settings.Vertex()
	// Escaped, because "../" in a name would reach other methods.
	model := url.PathEscape(strings.TrimPrefix(x.Model.Base, "models/"))
	project := x.Lease.Project()
	if project == "" {
		req.To(base, "/v1", publisher, model, method(x))
		req.Set("x-goog-api-key", x.Lease.Token())
		return
	}
	loc := d.settings.VertexLocation()
	if onlyGlobal(model) {
		loc = global
	}
	req.To(host(base, loc), "/v1/projects/", url.PathEscape(project), "/locations/", loc, publisher, model, method(x))
	req.Set("Authorization", "Bearer ", x.Lease.Token())
}

const (
	publisher = "/publishers/google/models/"
	global    = "global"
	google    = "https://aiplatform.googleapis.com" // of which each location has a host of its own
)

// host is the base of a location. An address that is not Google's is a mirror, whose hosts nobody knows.
func host(base, loc string) string {
	switch {
	case base != google || loc == global:
		return base
	case loc == "us" || loc == "eu":
		return "https://aiplatform." + loc + ".rep.googleapis.com"
	}
	return "https://" + loc + "-aiplatform.googleapis.com"
}

// onlyGlobal tells models that no other location has: previews from the third generation on.
func onlyGlobal(model string) bool {
	return strings.Contains(model, "preview") && models.FamilyOf(model).Major >= 3
}

func method(x *pipeline.Exchange) string {
	switch {
	case x.In.Route.Verb == pipeline.Count:
		return ":countTokens"
	case x.Events():
		return ":streamGenerateContent?alt=sse"
	}
	return ":generateContent"
}

// Unwrap has nothing to cut: the reply is the hub format.
func (d *Dialect) Unwrap(data []byte) ([]byte, bool) { return data, true }
