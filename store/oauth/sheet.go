package oauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Sheet is what one source, a file or an environment variable, holds. Nothing in it that is meant
// for a log shows a secret.
type Sheet struct {
	Items    []Item
	Starts   map[string]Start // of the old product's creds.toml: states by id
	Warnings []string         // each names the source
	InPlace  bool             // Amend can change it; else its form does not allow that
	Lost     int              // credentials in it that cannot be used
	Closed   []string         // of those, the ones that stay sealed: the id of the key of each, "" where none is named

	text []byte
}

// Item is one sign-in, or one API key, of a sheet.
type Item struct {
	ID    string       // the name of the source; with "#2" and so on, or "#" and a name, where it has several
	Creds []Credential // never empty; a list of projects gives several that share one token

	from, to int
}

// Parse reads what a file called name holds: one credential in any of the layouts of protocol 1.8, an
// API key, a list of such, an object that names such, one a line, or any of this in base64. The old
// product's creds.toml is known by its ending. One that cannot be used is a warning while others can.
// Neither warnings nor the error hold a secret.
func Parse(name string, data []byte, r Rules) (Sheet, error) {
	return reader{id: name, name: name, rules: r}.read(data)
}

// Find gives the item of an id, nil when there is none.
func (s Sheet) Find(id string) *Item {
	if i := slices.IndexFunc(s.Items, func(it Item) bool { return it.ID == id }); i >= 0 {
		return &s.Items[i]
	}
	return nil
}

// reader reads one source.
type reader struct {
	id    string // of the first credential
	name  string // for warnings
	rules Rules
}

func (r reader) read(data []byte) (Sheet, error) {
	if isTOML(r.name) {
		return r.tables(data)
	}
	text, asIs, err := readable(data)
	if err != nil {
		return Sheet{}, err
	}
	pieces, broken, err := split(text)
	if err != nil {
		return Sheet{}, err
	}
	s := Sheet{InPlace: asIs, Lost: len(broken), text: text}
	for _, why := range broken {
		s.Warnings = append(s.Warnings, r.name+": "+why)
	}
	var lost []error
	for _, p := range pieces {
		if p.top.text("type") == deleted {
			continue
		}
		lost = append(lost, s.add(r, p))
	}
	if len(pieces) > 0 && len(lost) == 0 {
		return s, errors.New("every credential in it was deleted")
	}
	return s, s.settle(r, lost)
}

func isTOML(name string) bool { return strings.HasSuffix(name, ".toml") }

// maxObject bounds one credential: it has a few kilobytes, and what is in it is shown in lists.
const maxObject = 256 << 10

// add takes a credential over and gives the reason why it cannot.
func (s *Sheet) add(r reader, p piece) error {
	c := parser{id: r.id + p.mark, name: r.name + p.mark, rules: r.rules, top: p.top}
	var creds []Credential
	err := errors.New("it is larger than 256 kilobytes, which no credential is")
	if p.to-p.from <= maxObject {
		creds, err = c.parse()
	}
	s.Warnings = append(s.Warnings, c.warnings...)
	if err != nil {
		if sealed := (*closedError)(nil); errors.As(err, &sealed) {
			s.Closed = append(s.Closed, sealed.key)
		}
		return fmt.Errorf("%s: %w", c.name, err)
	}
	for i := range creds {
		creds[i].share()
	}
	s.Items = append(s.Items, Item{ID: c.id, Creds: creds, from: p.from, to: p.to})
	return nil
}

// maxWarnings is how many are said of one source: they are lines of a log and of an answer.
const maxWarnings = 100

// few keeps the first warnings and the number of the others.
func (s *Sheet) few() {
	if more := len(s.Warnings) - maxWarnings; more > 0 {
		s.Warnings = append(s.Warnings[:maxWarnings:maxWarnings], fmt.Sprintf("and %d more of this kind", more))
	}
}

// settle makes what was lost warnings, or the error when nothing else is left.
func (s *Sheet) settle(r reader, lost []error) error {
	only := len(lost) == 1
	defer s.few()
	lost = slices.DeleteFunc(lost, func(err error) bool { return err == nil })
	s.Lost += len(lost)
	switch {
	case len(s.Items) > 0 || len(lost) == 0:
		for _, err := range lost {
			s.Warnings = append(s.Warnings, err.Error())
		}
		return nil
	case only:
		return errors.Unwrap(lost[0]) // whoever reports it names the source
	}
	return fmt.Errorf("none of its %d credentials can be used; the first: %w", len(lost), lost[0])
}
