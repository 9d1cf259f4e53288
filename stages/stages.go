// Package stages is the table of contents of a request: the catalogue of its stages, one line each.
package stages

import (
	"gcli2api/pipeline"
	"gcli2api/stages/auth"
	"gcli2api/stages/credential"
	"gcli2api/stages/format"
	"gcli2api/stages/model"
	"gcli2api/stages/quota"
	"gcli2api/stages/retry"
	"gcli2api/stages/shape"
	"gcli2api/stages/translate"
	"gcli2api/stages/upstream"
	"gcli2api/stages/usage"
	"gcli2api/store/apikey"
	"gcli2api/store/audit"
	"gcli2api/store/pool"
	"gcli2api/store/stats"
)

// Services are what the stages stand on; each outlives every reload.
type Services struct {
	Access  auth.Access
	Book    *apikey.Book // nil where there are no keys
	Pool    *pool.Pool
	Clients upstream.Clients
	Stats   *stats.Stats
	Audit   *audit.Log // nil takes no request down

	Memory   pipeline.Ephemeral // what callers find again; nil keeps nothing
	Pictures translate.Pictures // what clients name by address; nil fetches nothing
	Listing  model.Listing      // what Google serves; nil asks nobody
}

// Catalogue is every stage that no list does without, in the default order.
func Catalogue(s Services) []pipeline.Kind {
	return []pipeline.Kind{
		auth.Kind(s.Access, s.Book), quota.Kind(s.Book), format.Kind(), model.Kind(s.Listing), translate.Kind(s.Memory, s.Pictures),
		credential.Kind(s.Pool), upstream.Kind(s.Clients), retry.Kind(), shape.Kind(s.Memory), usage.Kind(s.Stats, s.Audit),
	}
}
