package redis

import (
	"strings"

	"gcli2api/store"
)

// keys are the names of what we keep. What stands in braces is what a cluster spreads keys by: with the same
// for all of them they lie in one place, where a script reaches them.
type keys struct{ prefix string }

func (k keys) of(parts ...string) string {
	return "{" + k.prefix + "}:" + strings.Join(parts, ":")
}

// heads are revision and expiry of a table's documents, bodies their bodies, ids their order.
func (k keys) heads(t store.Table) string  { return k.of("head", string(t)) }
func (k keys) bodies(t store.Table) string { return k.of("body", string(t)) }
func (k keys) ids(t store.Table) string    { return k.of("ids", string(t)) }

func (k keys) due() string              { return k.of("due") } // expiries of all tables
func (k keys) revision() string         { return k.of("revision") }
func (k keys) version() string          { return k.of("version") }
func (k keys) counts() string           { return k.of("count") }
func (k keys) names() string            { return k.of("names") } // of counters, in their order
func (k keys) batch(id string) string   { return k.of("once", id) }
func (k keys) lease(name string) string { return k.of("lease", name) }
func (k keys) sweeping() string         { return k.of("sweeping") }
func (k keys) channel(db string) string { return k.of("changes", db) }
func (k keys) probe(what string) string { return k.of("probe", what) }
func (k keys) kind(key string) string {
	part, _, _ := strings.Cut(strings.TrimPrefix(key, k.of("")), ":")
	switch part {
	case "head", "body", "count":
		return "hash"
	case "ids", "due", "names":
		return "zset"
	}
	return "string"
}

// dueID is a document among the expiries. No name contains a 0.
func dueID(t store.Table, id string) string { return string(t) + "\x00" + id }
