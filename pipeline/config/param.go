// Package config turns defaults, config.toml, the panel's overrides and the environment into one
// immutable Snapshot.
//
// The world is closed: a key that nobody declared as a Param is an error with file, line and what
// was probably meant. Precedence is environment > panel > file > default, key by key, and every
// key knows where its value came from. The package reads one file and nothing else: the
// environment and the panel's layer are handed to Load, and it watches nothing.
package config

// Type says how a setting is written and what the typed getters of a Snapshot return for it.
type Type int

// The types of settings. In the environment everything is text; lists are separated by commas or
// line breaks there.
const (
	String     Type = iota // string
	Int                    // int
	Float                  // float64
	Bool                   // bool; in the environment true, 1, yes, on
	Duration               // time.Duration; "1.5s", or a number of seconds
	StringList             // []string
	IntList                // []int
	URL                    // string without trailing slash; OneOf lists the schemes, default http and https
	Path                   // string
	Size                   // int64 bytes; "100MB", "512MiB", or a number of bytes
	Table                  // a table whose owner decodes it with Section; file and panel are laid over each other
	Tables                 // a list of tables, [[key]], whose owner decodes it with Decode; one layer gives all of it
)

// Param declares one setting: the row of the settings table.
type Param struct {
	Key  string   // place in TOML: "server.port", "stage.retry.returns"
	Flat string   // key of the flat files of old versions, "" when there was none
	Env  []string // environment names; of a list all are joined, of anything else the first set one counts
	Help string   // one line for config.toml, the panel and the README

	Type    Type
	Default any // typed, or as one would write it in TOML: "100MB", "10s"; nil leaves it to the struct given to Section

	// Min and Max bound the number: of characters for String, each element for IntList, seconds
	// for Duration, bytes for Size. Durations and sizes are never negative.
	Min, Max *float64
	OneOf    []string // allowed words, in any case; for StringList each element; for URL the schemes

	AfterRestart bool // read at start only; a change is shown as waiting for a restart
	Secret       bool // never printed; an empty string means not set, so that a lower layer holds

	// Waits says why the setting has no effect yet; "" for one that works. A stage that such a setting
	// belongs to does not exist yet.
	Waits string

	// Check looks at the typed value and returns an error that begins with "must".
	Check func(value any) error
}

// Options is what a Snapshot is made from.
type Options struct {
	File      string         // path of config.toml as Find gave it; "" for none
	Data      []byte         // content to use instead of reading File; File then only names it
	Environ   []string       // os.Environ(); of a name given twice the first counts
	Overrides map[string]any // the panel's layer: nested, dotted or flat keys, values as JSON or TOML give them
	Params    []Param        // settings of the stages, in addition to Server()
	Stages    []string       // names of all stages that exist; without it pipeline.order is not checked for unknown names
}

// Load reads and checks every layer. The error is a Problems with all that is wrong, and then
// there is no Snapshot; what is only worth knowing is in Snapshot.Warnings.
func Load(o Options) (*Snapshot, error) {
	t, problems := newTable(append(Server(), o.Params...), o.Stages)
	if len(problems) > 0 {
		return nil, problems
	}
	l := &loader{table: t, file: o.File, lines: lines{}}
	layers := []layer{t.defaults, l.readFile(o), l.readPanel(o.Overrides), l.readEnv(o.Environ)}
	if len(l.problems) > 0 {
		return nil, l.problems.Sorted()
	}
	s, err := l.merge(layers)
	if err != nil {
		return nil, err
	}
	if problems := s.checkOrder(); len(problems) > 0 {
		return nil, problems.Sorted()
	}
	s.warnings = append(s.warnings, s.unread(o.Environ)...)
	return s, nil
}
