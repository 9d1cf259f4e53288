package pipeline

import (
	"log/slog"
	"sync/atomic"

	"gcli2api/pipeline/models"
)

// snapshot is one checked list. It never changes; exchanges hold a counted reference to it.
type snapshot struct {
	engine    *Engine
	log       *slog.Logger
	stages    []place
	index     map[string]int
	turn      int    // the last stage that gives the reply
	split     int    // the last stage that must run before the server knows about streaming
	enders    uint64 // bit i: stage i has an End
	beginners uint64
	repricers uint64
	recorders uint64
	starters  []Starter
	models    *models.Catalogue
	revision  string
	number    uint64
	refs      atomic.Int64 // 1 for the engine and one for each exchange
}

// place is a stage in the list. Its fields are copied from the instance for the loop's sake.
type place struct {
	name    string
	process func(*Exchange) Verdict
	verbs   uint8
	off     bool
	held    *instance // nil when the place only runs Kind.Off
}

// instance is a stage and the number of snapshots that use it.
type instance struct {
	stage  Stage
	kind   string
	hash   uint64 // of its section
	build  *Build // its questions and promises
	counts int    // guarded by Engine.mu
}

// acquire takes a reference, unless the snapshot has drained already.
func (p *snapshot) acquire() bool {
	for {
		n := p.refs.Load()
		if n == 0 {
			return false
		}
		if p.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release drops a reference; the last one lets go of the instances.
func (p *snapshot) release() {
	if p.refs.Add(-1) == 0 {
		p.engine.drained(p)
	}
}
