package circuit

import (
	"time"

	"gcli2api/store"
)

// State is how a database does, for an operator.
type State struct {
	Engine string    `json:"engine"`
	Place  string    `json:"place"`
	Up     bool      `json:"up"`                // it answers, and does what it is asked for
	Refuse string    `json:"refuses,omitempty"` // "reads", "writes" or "everything": it answers, and says no
	Since  time.Time `json:"since,omitzero"`    // a database is up, or away
	Error  string    `json:"last_error,omitempty"`
	At     time.Time `json:"last_error_at,omitzero"`

	Calls    int64 `json:"calls"`     // since the start
	Failures int64 `json:"failures"`  // of those: not answered
	Refused  int64 `json:"refused"`   // without asking: it was away, or too many waited
	InFlight int64 `json:"in_flight"` // now

	Minute      Minute       `json:"last_minute"`
	Connections *Connections `json:"connections,omitempty"` // where the engine tells
}

// Readable tells that documents can be read: where the disk is full it is time for a copy of them.
func (s State) Readable() bool { return s.Up || s.Refuse == "writes" }

// Connections are how those to the database are used. Calls wait where all of them are in use.
type Connections struct {
	InUse   int   `json:"in_use"`
	Idle    int   `json:"idle"`
	Most    int   `json:"max"`
	Waiting int64 `json:"waiting"` // calls, about
}

// Minute is how long answers took in the last minute, in milliseconds.
type Minute struct {
	Answers int64   `json:"answers"`
	Median  float64 `json:"median_ms"`
	Slow    float64 `json:"p99_ms"`
}

// State tells how the database does now.
func (c *Circuit) State() State {
	s := State{Engine: c.o.Engine, Place: c.o.Place, Up: c.away.Load() == nil, Calls: c.calls.Load(), Failures: c.failed.Load(),
		Refused: c.denied.Load(), InFlight: c.flying.Load(), Minute: c.times.minute(time.Now())}
	if e, can := c.Store.(interface{ Stats() store.Pool }); can {
		p := e.Stats()
		s.Connections = &Connections{p.InUse, p.Idle, p.Max, max(0, s.InFlight-int64(p.Max))}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Since = c.since.UTC()
	if what, since := c.refuses(); what != "" && s.Up {
		s.Up, s.Refuse, s.Since = false, what, since.UTC()
	}
	if c.last != nil {
		s.Error, s.At = c.o.Mask(c.last.Error()), c.lastAt.UTC()
	}
	return s
}

// StateOf is how a store does: a database has a circuit, and an embedded store is always up.
func StateOf(s store.Store) State {
	if c, can := s.(interface{ State() State }); can {
		return c.State()
	}
	return State{Engine: file, Up: true}
}

// file is what the embedded engine is called: it has no circuit.
const file = "file"

// Health is what strangers may know of a store: which engine, whether it is up, and since when.
func Health(s store.Store) func() (engine string, up bool, since time.Time) {
	c, can := s.(*Circuit)
	if !can {
		return func() (string, bool, time.Time) { return file, true, time.Time{} }
	}
	return func() (string, bool, time.Time) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if what, since := c.refuses(); what != "" && c.away.Load() == nil {
			return c.o.Engine, false, since
		}
		return c.o.Engine, c.away.Load() == nil, c.since
	}
}
