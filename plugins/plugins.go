// Package plugins is the catalogue of optional stages: the ones a request can do without.
package plugins

import "gcli2api/pipeline"

// Catalogue is every optional stage there is; there is none yet.
func Catalogue() []pipeline.Kind { return nil }
