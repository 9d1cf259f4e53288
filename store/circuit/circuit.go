// Package circuit stands between the gateway and a database: it counts, bounds the time of each call, and
// while the database is away lets callers know at once instead of one time-out after the other.
package circuit

import "gcli2api/store"

// Circuit is a store whose engine may be away.
type Circuit struct{ store.Store }

// Around puts a circuit around an engine.
func Around(s store.Store) *Circuit { return &Circuit{Store: s} }
