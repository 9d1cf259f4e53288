// Package stats counts what was asked, what it cost and how long it took, by credential, key and model.
//
// A request is counted once under its key, and every call to Google that it took once under its credential;
// the tokens under both. So these hold, always, for figures in memory, of any day or hour, and after a
// restart or a crash:
//
//	calls by key      = requests
//	calls by cred     = calls to Google
//	errors            = the sum of the errors by code
//	tokens by key     = tokens by cred
//	hours of a day    = the day, while the hours are kept
//	days              = figures since the beginning, while all days are kept
//	first byte steps  = answers that began
//	duration steps    = requests for which Google was asked; by cred, calls to Google that ended
//
// Sums are served from memory. keep.go brings what is new into the store every two seconds, so that a crash
// costs at most those two seconds.
package stats

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/logging"
)

// Try is one call to Google.
type Try struct {
	Credential string
	Model      string
	Code       apierror.Code // "" on success
	Prompt     int64
	Output     int64
	Total      int64
	Cached     int64
	Thought    int64
	First      time.Duration // until the first byte of the answer; 0 when none came of it
	Took       time.Duration // 0 when it is not known
}

// Request is one request of a client.
type Request struct {
	Key   string // key id, or the kind of caller
	Model string
	Code  apierror.Code // "" when the client got a whole answer
	Units int64         // charged
	First time.Duration // until the first byte of the answer; 0 when there was none
	Took  time.Duration
	Tries []Try
}

// maxModels bounds the names under which a client can make us count; the rest is "other".
const maxModels = 256

// maxModel bounds the name of a model; real ones are a third of that.
const maxModel = 100

// other is the model of all names that are not told apart.
const other = "other"

// Stats counts. It is safe for concurrent use.
type Stats struct {
	mu    sync.Mutex
	since time.Time
	creds table
	keys  table
	names map[string]bool // whether a call with it ever succeeded, or the configuration knows it

	now     func() time.Time
	kept    *keeper        // nil where nothing outlives the process
	waiting []*tally       // what the store has not heard of yet
	spill   map[bin]*tally // where the rest goes when too much waits
	spilled bool           // and somebody has to be told
	free    []*tally       // emptied ones
}

// table has entries by name and model.
type table map[string]map[string]*entry

// entry is what was counted of one name with one model.
type entry struct {
	sum   Count
	fresh *tally // the one in Stats.waiting that grows, or one that a flush has taken: then it is not growing
}

// The sides of the figures, as counters call them.
const (
	byKey   = "key"
	byCred  = "cred"
	overall = "all" // the sum of all keys, in the store only
)

// New begins at zero and forgets at the end of the process.
func New() *Stats { return begin(time.Now) }

func begin(now func() time.Time) *Stats {
	return &Stats{now: now, since: now(), creds: table{}, keys: table{}, names: map[string]bool{}, spill: map[bin]*tally{}}
}

// sample is one thing to be counted.
type sample struct {
	Count
	code        apierror.Code
	first, took time.Duration
	hour        int64
}

// Record counts a request and every try it took.
func (s *Stats) Record(r Request) {
	hour := hourOf(s.now())
	s.mu.Lock()
	defer s.mu.Unlock()
	model := s.name(r.Model, r.Code == "")
	mine := sample{Count: Count{Calls: 1, Units: r.Units}, code: r.Code, first: r.First, hour: hour}
	if len(r.Tries) > 0 {
		mine.took = r.Took
	}
	for i := range r.Tries {
		t := &r.Tries[i]
		one := sample{Count: Count{Prompt: t.Prompt, Output: t.Output, Total: t.Total, Cached: t.Cached, Thought: t.Thought},
			code: t.Code, first: t.First, took: t.Took, hour: hour}
		mine.Add(one.Count)
		one.Calls = 1
		s.count(byCred, t.Credential, s.name(t.Model, t.Code == ""), &one)
	}
	s.count(byKey, r.Key, model, &mine)
}

// count puts a sample under its name. The caller holds mu.
func (s *Stats) count(side, who, model string, v *sample) {
	if v.code != "" {
		v.Errors = 1
	}
	e := s.side(side).at(who, model)
	e.sum.Add(v.Count)
	if s.kept == nil {
		return
	}
	// Names that never worked are clients' inventions: the store counts them as one, or they would grow it.
	if !s.names[model] {
		model = other
	}
	t := e.fresh
	if t == nil || t.of != e || t.hour != v.hour || t.model != model {
		t = s.open(bin{v.hour, side, who, model}, e)
	}
	t.Count.Add(v.Count)
	if v.code != "" {
		t.fail(v.code, 1)
	}
	if v.first > 0 {
		t.First[step(v.first)]++
	}
	if v.took > 0 {
		t.Took[step(v.took)]++
	}
}

func (s *Stats) side(side string) table {
	if side == byCred {
		return s.creds
	}
	return s.keys
}

// name keeps clients from growing the tables at will, and from filling them with names of no model:
// these make room for one that works.
func (s *Stats) name(model string, works bool) string {
	if model == "" || len(model) > maxModel { // "": it was refused before anybody knew
		return other
	}
	worked, known := s.names[model]
	if !known && logging.Mask(model) != model { // a key in the wrong field
		return other
	}
	if !known && len(s.names) >= maxModels && !(works && s.makeRoom()) {
		return other
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
			s.creds.fold(name)
			s.keys.fold(name)
			return true
		}
	}
	return false
}

func (t table) fold(model string) {
	for who, models := range t {
		if e := models[model]; e != nil {
			delete(models, model)
			t.at(who, other).sum.Add(e.sum)
		}
	}
}

func (t table) at(who, model string) *entry {
	models := t[who]
	if models == nil {
		models = map[string]*entry{}
		t[who] = models
	}
	e := models[model]
	if e == nil {
		e = &entry{}
		models[model] = e
	}
	return e
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
	Until       time.Time `json:"until,omitzero"` // of a stretch of time
	Credentials []Row     `json:"credentials"`
	Keys        []Row     `json:"keys"`
}

// Report copies the figures, sorted by name.
func (s *Stats) Report() Report {
	s.catchUp()
	s.mu.Lock()
	r := Report{Since: s.since, Credentials: s.creds.rows(), Keys: s.keys.rows()}
	s.mu.Unlock()
	sortRows(r.Credentials)
	sortRows(r.Keys)
	return r
}

func (t table) rows() []Row {
	all := make([]Row, 0, len(t))
	for who, models := range t {
		for model, e := range models {
			all = append(all, Row{who, model, e.sum})
		}
	}
	return all
}

func sortRows(all []Row) {
	sort.Slice(all, func(i, j int) bool {
		if all[i].Who != all[j].Who {
			return all[i].Who < all[j].Who
		}
		return all[i].Model < all[j].Model
	})
}

// maxServed bounds the models that ByKey and Answered tell apart.
const maxServed = 64

// ByKey tells how many calls of a key were answered, by model: calls without errors. Where there are many
// models, those with the fewest calls are "other".
func (s *Stats) ByKey(id string) map[string]int64 {
	s.catchUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	return answered(s.keys[id])
}

// Answered is what ByKey tells, of all keys that had an answer.
func (s *Stats) Answered() map[string]map[string]int64 {
	s.catchUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]map[string]int64, len(s.keys))
	for id, models := range s.keys {
		if n := answered(models); len(n) > 0 {
			all[id] = n
		}
	}
	return all
}

func answered(models map[string]*entry) map[string]int64 {
	all := make(map[string]int64, len(models))
	for model, e := range models {
		if n := e.sum.Calls - e.sum.Errors; n > 0 {
			all[model] = n
		}
	}
	if len(all) <= maxServed {
		return all
	}
	rest := all[other]
	delete(all, other)
	names := slices.Collect(maps.Keys(all))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(all[b], all[a]), cmp.Compare(a, b)) })
	for _, name := range names[min(maxServed, len(names)):] {
		rest += all[name]
		delete(all, name)
	}
	if rest > 0 {
		all[other] = rest
	}
	return all
}
