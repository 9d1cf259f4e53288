// Package plugins is the catalogue of optional stages: the ones a request can do without.
package plugins

import (
	"gcli2api/pipeline"
	"gcli2api/plugins/antitrunc"
	"gcli2api/plugins/compat"
	"gcli2api/plugins/fakestream"
	"gcli2api/plugins/search"
	"gcli2api/plugins/thinking"
)

// Catalogue is every optional stage there is, in the order in which they stand by default.
func Catalogue() []pipeline.Kind {
	return []pipeline.Kind{
		thinking.Kind(),
		search.Kind(),
		compat.Kind(),
		fakestream.Kind(),
		antitrunc.Kind(),
	}
}
