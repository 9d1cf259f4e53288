// Package plugins is the catalogue of optional stages: the ones a request can do without.
package plugins

import (
	"gcli2api/pipeline"
	"gcli2api/plugins/compat"
	"gcli2api/plugins/search"
)

// Catalogue is every optional stage there is.
func Catalogue() []pipeline.Kind {
	return []pipeline.Kind{
		search.Kind(),
		compat.Kind(),
	}
}
