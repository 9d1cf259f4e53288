// Package stats counts what was asked and what it cost, by credential, key and model.
//
// The figures are served from memory. keep.go brings them into the store every two seconds, as
// counters by day, so that a crash costs at most those two seconds.
package stats

import (
	"sort"
	"sync"
	"time"

	"gcli2api/pipeline/apierror"
)

// Count is what was counted under one name.
type Count struct {
	Calls  int64 `json:"calls"`
	Errors int64 `json:"errors"`
	Prompt int64 `json:"prompt_tokens"`
	Output int64 `json:"output_tokens"` // thoughts included
	Total  int64 `json:"total_tokens"`
}

func (c *Count) add(d Count) {
	c.Calls += d.Calls
	c.Errors += d.Errors
	c.Prompt += d.Prompt
	c.Output += d.Output
	c.Total += d.Total
}

// Try is one call to Google.
type Try struct {
	Credential string
	Model      string
	Code       apierror.Code // "" on success
	Prompt     int64
	Output     int64
	Total      int64
}

// Request is one request of a client.
type Request struct {
	Key   string // key id, or the kind of caller
	Model string
	Code  apierror.Code // "" when the client got a whole answer
	Tries []Try
}

// maxModels bounds the names under which a client can make us count; the rest is "other".
const maxModels = 256

// maxModel bounds the name of a model; real ones are a third of that.
const maxModel = 100

// Stats counts. It is safe for concurrent use.
type Stats struct {
	mu    sync.Mutex
	since time.Time
	creds map[pair]*Count
	keys  map[pair]*Count
	names map[string]bool // whether a call with it ever succeeded

	now   func() time.Time
	kept  *keeper        // nil where nothing outlives the process
	fresh map[slot]Count // what the store has not heard of yet
	day   string         // dayOf(today), made anew when the number changes
	dayNo int64
}

type pair struct{ who, model string }

// New begins at zero and forgets at the end of the process.
func New() *Stats { return begin(time.Now) }

func begin(now func() time.Time) *Stats {
	return &Stats{now: now, since: now(), creds: map[pair]*Count{}, keys: map[pair]*Count{}, names: map[string]bool{}, fresh: map[slot]Count{}}
}

// Record counts a request and every try it took.
func (s *Stats) Record(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	model := s.name(r.Model, r.Code == "")
	mine := Count{Calls: 1}
	if r.Code != "" {
		mine.Errors = 1
	}
	for _, t := range r.Tries {
		c := Count{Calls: 1, Prompt: t.Prompt, Output: t.Output, Total: t.Total}
		if t.Code != "" {
			c.Errors = 1
		}
		p := pair{t.Credential, s.name(t.Model, t.Code == "")}
		at(s.creds, p).add(c)
		s.note(slot{side: "cred", pair: p}, c)
		mine.Prompt += t.Prompt
		mine.Output += t.Output
		mine.Total += t.Total
	}
	p := pair{r.Key, model}
	at(s.keys, p).add(mine)
	s.note(slot{side: "key", pair: p}, mine)
}

// name keeps clients from growing the tables at will, and from filling them with names of no model:
// these make room for one that works.
func (s *Stats) name(model string, works bool) string {
	if len(model) > maxModel {
		return "other"
	}
	worked, known := s.names[model]
	if !known && len(s.names) >= maxModels && !(works && s.makeRoom()) {
		return "other"
	}
	if !known || works && !worked {
		s.names[model] = works
	}
	return model
}

// makeRoom counts a name that never worked under "other" from now on.
func (s *Stats) makeRoom() bool {
	for name, worked := range s.names {
		if !worked {
			delete(s.names, name)
			fold(s.creds, name)
			fold(s.keys, name)
			return true
		}
	}
	return false
}

func fold(m map[pair]*Count, model string) {
	for p, c := range m {
		if p.model == model {
			delete(m, p)
			at(m, pair{p.who, "other"}).add(*c)
		}
	}
}

func at(m map[pair]*Count, p pair) *Count {
	c := m[p]
	if c == nil {
		c = &Count{}
		m[p] = c
	}
	return c
}

// Row is a figure with its names.
type Row struct {
	Who   string `json:"who"`
	Model string `json:"model"`
	Count
}

// Report is everything counted so far.
type Report struct {
	Since       time.Time `json:"since"`
	Credentials []Row     `json:"credentials"`
	Keys        []Row     `json:"keys"`
}

// Report copies the figures, sorted by name.
func (s *Stats) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Report{Since: s.since, Credentials: rows(s.creds), Keys: rows(s.keys)}
}

func rows(m map[pair]*Count) []Row {
	all := make([]Row, 0, len(m))
	for p, c := range m {
		all = append(all, Row{p.who, p.model, *c})
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Who != all[j].Who {
			return all[i].Who < all[j].Who
		}
		return all[i].Model < all[j].Model
	})
	return all
}
