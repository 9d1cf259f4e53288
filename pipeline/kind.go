package pipeline

import (
	"fmt"
	"log/slog"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
)

// Stage is one step of the list. Process is called concurrently for different exchanges.
type Stage interface{ Process(x *Exchange) Verdict }

// Ender is a stage that cleans up: End is called once per exchange, in reverse order, if Process ran.
type Ender interface{ End(x *Exchange) }

// Recorder is a stage that writes down how an exchange ended: Record is called once per exchange, if Process
// ran, behind the last End, when all of them have settled what they settle.
type Recorder interface{ Record(x *Exchange) }

// Starter is a stage with something to set before the walk begins, wherever it stands in the list.
type Starter interface{ Start(x *Exchange) }

// Repricer is a stage that has taken a price. Reprice takes the price of another model in its place, before
// that one is asked; an error leaves the old price taken.
type Repricer interface {
	Reprice(x *Exchange, m models.Model) *apierror.Error
}

// Closer is a stage that holds something: Close is called when no snapshot uses the instance any more.
type Closer interface{ Close() error }

// Adopter takes state over from the instance that it replaces after its settings changed.
type Adopter interface{ Adopt(old Stage) }

// Fact is something that one stage settles and others need.
type Fact uint8

// The facts of an exchange.
const (
	HasCaller Fact = iota
	HasFormat
	HasModel
	HasCall
	HasLease
	HasReply
	HasEncoder
	facts
)

// String names the fact as the messages of the order check do.
func (f Fact) String() string {
	return [...]string{"caller", "format", "model", "call", "lease", "reply", "encoder", "?"}[min(f, facts)]
}

// Kind describes a stage to the registry.
type Kind struct {
	Name   string         // TOML key
	Does   string         // one line for the tables
	Verbs  []Verb         // which routes pass through it; default generate and stream
	Params []config.Param // its part of the settings table
	Needs  []Fact         // settled by an earlier stage
	Before []Fact         // must not be settled yet
	Gives  []Fact         // settled here
	New    Builder        // made by New(defaults, build)
	Heeds  []Heed         // tables of others that are for this stage

	// Off runs in the place of a stage that is switched off and whose facts nobody else gives;
	// nil: the stage is skipped and gives nothing.
	Off func(x *Exchange) Verdict
	// MayBeOff refuses that the stage is switched off; nil allows it.
	MayBeOff func(b *Build) error
}

// Heed is a table, or a setting in one, that is lost on a list without the stage: check says so.
type Heed struct {
	Key  []string // "models", "fallback"
	Lost string   // what is lost; "" is all of it
}

func (k *Kind) verbs() (mask uint8) {
	if len(k.Verbs) == 0 {
		return 1<<Generate | 1<<Streaming
	}
	for _, v := range k.Verbs {
		mask |= 1 << v
	}
	return mask
}

// Settings is what the engine reads of a configuration; *config.Snapshot is one.
type Settings interface {
	Order() []string                    // pipeline.order
	Enabled(stage string) bool          // stage.<name>.enabled
	Bool(key string) bool               // pipeline.open: auth may be switched off
	Section(key string, into any) error // strict decode of one table
	SectionHash(key string) uint64      // changes when the table does
	Revision() string                   // changes when anything does
}

// Builder makes an instance from its table.
type Builder struct {
	make func(Settings, *Build) (Stage, error)
}

// New makes a Builder: the table [stage.<name>] is decoded strictly into a copy of defaults.
func New[S any](defaults S, build func(S, *Build) (Stage, error)) Builder {
	return Builder{make: func(c Settings, b *Build) (Stage, error) {
		s := defaults
		if err := c.Section("stage."+b.name, &s); err != nil {
			return nil, err
		}
		return build(s, b)
	}}
}

// Build is what a stage may ask while it is built. Questions are remembered: an instance is kept
// across a reload only while the answers stay the same, and the order check repeats the promises.
type Build struct {
	Log *slog.Logger

	name    string
	c       Settings
	live    *models.Live
	open    bool // loopback listener or pipeline.open
	index   map[string]int
	off     map[string]bool
	asked   []question
	rewinds []string
	reruns  [][2]string
	rests   []string
	befores []string
	warns   []warning
}

// Has says whether a stage of that name is in the list and enabled.
func (b *Build) Has(name string) bool {
	_, there := b.index[name]
	answer := there && !b.off[name]
	b.asked = append(b.asked, func(now *Build) bool { return now.Has(name) == answer })
	return answer
}

// Open says whether callers may come in without a password: a loopback listener or pipeline.open.
func (b *Build) Open() bool {
	answer := b.open
	b.asked = append(b.asked, func(now *Build) bool { return now.Open() == answer })
	return answer
}

// Models makes the catalogue of the [models] table, which several stages share.
func (b *Build) Models() (*models.Catalogue, error) {
	hash := b.c.SectionHash("models")
	b.asked = append(b.asked, func(now *Build) bool { return now.c.SectionHash("models") == hash })
	s := models.Defaults()
	if err := b.c.Section("models", &s); err != nil {
		return nil, err
	}
	c, err := models.New(s)
	if err != nil {
		return nil, err
	}
	return c.With(b.live), nil
}

// question asks something of a later build again and tells whether the answer is still the same.
type question func(now *Build) bool

// Warn notes that something in the configuration will not do what it says. It is no error: check prints
// it, and the log has it when the configuration takes effect. key is where, as in "models", "alias", "x".
func (b *Build) Warn(key []string, message string) { b.warns = append(b.warns, warning{key, message}) }

// GoesBackTo declares a rewind target.
func (b *Build) GoesBackTo(name string) error {
	b.rewinds = append(b.rewinds, name)
	return b.backTo(name)
}

// Reruns declares a Segment.
func (b *Build) Reruns(from, through string) error {
	b.reruns = append(b.reruns, [2]string{from, through})
	return b.segment(from, through)
}

// RerunsRest declares a Segment from the stage after this one.
func (b *Build) RerunsRest(through string) error {
	b.rests = append(b.rests, through)
	return b.rest(through)
}

// StandsBefore declares that this stage stands before another one, where there is such a one that is
// switched on.
func (b *Build) StandsBefore(name string) error {
	b.befores = append(b.befores, name)
	return b.before(name)
}

func (b *Build) before(name string) error {
	i, there := b.index[name]
	me := b.index[b.name]
	if !there || b.off[name] || me < i {
		return nil
	}
	return wrong(b.name, "stage %q (position %d) must stand before %q, which stands at position %d: move %q before %q",
		b.name, me+1, name, i+1, b.name, name)
}

func (b *Build) rest(through string) error {
	last, ok := b.index[through]
	switch me := b.index[b.name]; {
	case !ok:
		return fmt.Errorf("runs what follows to %q again, but %q is not in the list%s", through, through, suggest(through, b.index))
	case last <= me:
		return fmt.Errorf("runs what follows to %q again, but %q stands at position %d, not behind it: move %q before %q", through, through, last+1, b.name, through)
	}
	return nil
}

func (b *Build) backTo(name string) error {
	i, ok := b.index[name]
	switch {
	case !ok:
		return fmt.Errorf("goes back to %q, which is not in the list%s", name, suggest(name, b.index))
	case b.off[name]:
		return fmt.Errorf("goes back to %q, which is switched off", name)
	case i >= b.index[b.name]:
		return fmt.Errorf("goes back to %q, which stands at position %d, not before it: move %q before %q", name, i+1, name, b.name)
	}
	return nil
}

func (b *Build) segment(from, through string) error {
	first, ok := b.index[from]
	last, ok2 := b.index[through]
	me := b.index[b.name]
	switch {
	case !ok:
		return fmt.Errorf("runs %q to %q again, but %q is not in the list%s", from, through, from, suggest(from, b.index))
	case !ok2:
		return fmt.Errorf("runs %q to %q again, but %q is not in the list%s", from, through, through, suggest(through, b.index))
	case first > last:
		return fmt.Errorf("runs %q to %q again, but %q stands after %q", from, through, from, through)
	case first <= me && me <= last:
		return fmt.Errorf("runs %q to %q again, but stands between them itself: move %q out of that stretch", from, through, b.name)
	}
	return nil
}

// suggest gives ` (did you mean "x"?)` when a known name is near.
func suggest[V any](name string, known map[string]V) string {
	best, at := "", 3
	for k := range known {
		if d := distance(strings.ToLower(name), k); d < at || d == at && best != "" && k < best {
			best, at = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal, row[j] = row[j], min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
