package apikey

import (
	"strconv"
	"strings"
	"time"

	"gcli2api/pipeline/wire"
)

// DefaultQuota is the quota of a key for which nobody says one.
const DefaultQuota = 1000

// Patch is what a JSON object asks of the terms of a key: it changes what the object names, and nothing
// else.
type Patch struct {
	named   []string
	beside  map[string][]byte
	changes []func(*Terms)
}

// ReadPatch reads a JSON object strictly: members that terms do not have, or twice, are refused, and so is
// a number that is no plain whole one. null takes a limit away. Members called as one of beside are for the
// caller to read. The error is a *FieldError.
func ReadPatch(doc []byte, beside ...string) (*Patch, error) {
	members, err := wire.Scan(doc, nil)
	if err != nil {
		return nil, wrong("", "the body must be a JSON object: %v", err)
	}
	if at := wire.NotText(doc); at >= 0 {
		return nil, wrong("", "the body is not UTF-8, or has half a surrogate pair, at byte %d", at)
	}
	if name, twice := wire.Duplicate(members); twice {
		return nil, wrong(wire.HeaderSafe(name), "is given twice")
	}
	p := &Patch{beside: map[string][]byte{}}
	for _, m := range members {
		if err := p.read(string(m.Key), m.Value, beside); err != nil {
			return nil, err
		}
	}
	if p.Has("enabled") && p.Has("disabled") {
		return nil, wrong("disabled", "says the same as enabled: give one of them")
	}
	return p, nil
}

func (p *Patch) read(name string, value []byte, beside []string) error {
	for _, own := range beside {
		if own == name {
			p.beside[name] = value
			return nil
		}
	}
	change, err := readTerm(name, value)
	if err != nil {
		return err
	}
	p.named, p.changes = append(p.named, name), append(p.changes, change)
	return nil
}

// ReadTerms reads the terms of a new key; what the object leaves out is at its default.
func ReadTerms(doc []byte, beside ...string) (Terms, *Patch, error) {
	p, err := ReadPatch(doc, beside...)
	if err != nil {
		return Terms{}, nil, err
	}
	t := Terms{Quota: DefaultQuota}
	if err := p.Apply(&t); err != nil {
		return Terms{}, nil, err
	}
	return t, p, nil
}

// Has tells whether a term is named.
func (p *Patch) Has(name string) bool {
	for _, n := range p.named {
		if n == name {
			return true
		}
	}
	return false
}

// Names are the terms that are named, as they came.
func (p *Patch) Names() []string { return p.named }

// Beside is the raw value of a member that is for the caller; nil when it is not there.
func (p *Patch) Beside(name string) []byte { return p.beside[name] }

// Apply changes terms and checks what becomes of them: what Keys.Edit takes.
func (p *Patch) Apply(t *Terms) error {
	for _, change := range p.changes {
		change(t)
	}
	return t.Check()
}

// Whole reads a whole number strictly: digits alone, without sign, fraction, exponent or quotes.
func Whole(field string, value []byte, least, most int64) (int64, error) {
	n, err := strconv.ParseUint(string(value), 10, 63)
	if err != nil || int64(n) < least || int64(n) > most {
		return 0, wrong(field, "must be a whole number from %d to %d", least, most)
	}
	return int64(n), nil
}

// readTerm reads one member.
func readTerm(name string, value []byte) (func(*Terms), error) {
	null := wire.KindOf(value) == wire.KindNull
	switch name {
	case "enabled", "disabled":
		on, ok := wire.Bool(value)
		if !ok {
			return nil, wrong(name, "must be true or false")
		}
		return func(t *Terms) { t.Disabled = on == (name == "disabled") }, nil
	case "description", "group", "renews":
		text, ok := wire.Text(value)
		if !ok && !null {
			return nil, wrong(name, "must be text, or null for none")
		}
		return textTerm(name, text), nil
	case "models", "addresses":
		list, err := texts(name, value)
		return func(t *Terms) {
			if name == "models" {
				t.Models = list
			} else {
				t.Addresses = list
			}
		}, err
	case "expires":
		at, err := expiry(value)
		return func(t *Terms) { t.Expires = at }, err
	}
	return readAmount(name, value, null)
}

func textTerm(name, text string) func(*Terms) {
	return func(t *Terms) {
		switch name {
		case "description":
			t.Description = text
		case "group":
			t.Group = text
		case "renews":
			if t.Renews = Period(text); text == "none" {
				t.Renews = Never
			}
		}
	}
}

// readAmount: a limit of 0 could be none or one that lets nobody pass, so it is neither.
func readAmount(name string, value []byte, null bool) (func(*Terms), error) {
	for i, a := range new(Terms).amounts() {
		if a.field != name {
			continue
		}
		if null && !a.must {
			return func(t *Terms) { *t.amounts()[i].at = 0 }, nil
		}
		n, err := Whole(name, value, 1, a.most)
		if err != nil {
			return nil, a.refuse()
		}
		return func(t *Terms) { *t.amounts()[i].at = n }, nil
	}
	return nil, wrong(wire.HeaderSafe(name), "there is no such member; there are total_quota, renews, daily_quota, requests_per_minute, "+
		"tokens_per_minute, concurrency, description, models, addresses, group, expires, enabled")
}

func texts(name string, value []byte) (list []string, err error) {
	switch wire.KindOf(value) {
	case wire.KindNull:
		return nil, nil
	case wire.KindArray:
	default:
		return nil, wrong(name, "must be a list of texts, or null to allow all")
	}
	for a := wire.ArrayOf(value); a.Next(); {
		text, ok := wire.Text(a.Value)
		if !ok {
			return nil, wrong(name, "must be a list of texts, or null to allow all")
		}
		if list = append(list, strings.TrimSpace(text)); len(list) > MaxModels+MaxAddresses {
			break // Check refuses it
		}
	}
	if len(list) == 0 { // a list that came out empty by mistake must not open everything
		return nil, wrong(name, "must have an entry at least, or be null to allow all")
	}
	return list, nil
}

func expiry(value []byte) (time.Time, error) {
	if wire.KindOf(value) == wire.KindNull {
		return time.Time{}, nil
	}
	text, _ := wire.Text(value)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, wrong("expires", `must be a time with its zone such as "2030-12-31T23:59:59Z", or null for never`)
	}
	return at.UTC().Truncate(time.Second), nil
}
