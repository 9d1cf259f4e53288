package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Start is the state that the old product kept of a credential (behaviour 6.2).
type Start struct {
	Disabled     bool
	Codes        []int
	CoolingUntil time.Time
	Models       map[string]time.Time // cooldowns of single models
	Email        string
	LastSuccess  time.Time
}

// Starts reads a file that has states only, the old product's creds_state.toml: by the names of
// credential files.
func Starts(data []byte) (map[string]Start, error) {
	tables, err := decodeTOML(data)
	if err != nil {
		return nil, err
	}
	starts := map[string]Start{}
	for name, f := range tables {
		starts[path.Base(strings.ReplaceAll(name, `\`, "/"))] = start(f)
	}
	return starts, nil
}

// tables reads the old product's creds.toml (behaviour 6.3): a table a credential, called after the
// file that it once was, with the credential's members and those of its state side by side.
func (r reader) tables(data []byte) (Sheet, error) {
	all, err := decodeTOML(data)
	if err != nil {
		return Sheet{}, err
	}
	s := Sheet{Starts: map[string]Start{}}
	var lost []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f, id := all[name], nameable(name)
		s.Starts[id] = start(f)
		if !f.credential() {
			continue // a state that has outlived its credential, or that of a file beside this one
		}
		one := reader{id: id, name: r.name + ": " + id, rules: r.rules}
		lost = append(lost, s.add(one, piece{top: f}))
	}
	return s, s.settle(r, lost)
}

// decodeTOML gives the tables of a file as if they were objects of JSON. What has no form there,
// such as an infinite number, is left out.
func decodeTOML(data []byte) (map[string]fields, error) {
	text, _, err := inUTF8(data)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := toml.Unmarshal(text, &all); err != nil {
		var where *toml.DecodeError
		if errors.As(err, &where) {
			line, _ := where.Position()
			return nil, fmt.Errorf("line %d is not TOML", line) // the error itself quotes the line
		}
		return nil, errors.New("it is not TOML")
	}
	tables := map[string]fields{}
	for name, value := range all {
		table, is := value.(map[string]any)
		if !is {
			continue
		}
		f := fields{}
		for member, v := range table {
			if raw, err := json.Marshal(v); err == nil {
				f[member] = raw
			}
		}
		tables[name] = f
	}
	return tables, nil
}

func start(f fields) Start {
	s := Start{Email: f.text("user_email"), CoolingUntil: f.unix("cooldown_until"), LastSuccess: f.unix("last_success")}
	_ = json.Unmarshal(f["disabled"], &s.Disabled) // anything but a truth value is none
	var codes []float64
	_ = json.Unmarshal(f["error_codes"], &codes)
	for _, c := range codes {
		if c >= 100 && c < 600 {
			s.Codes = append(s.Codes, int(c))
		}
	}
	models := f.object("model_cooldowns")
	for model := range models {
		if until := models.unix(model); !until.IsZero() {
			if s.Models == nil {
				s.Models = map[string]time.Time{}
			}
			s.Models[model] = until
		}
	}
	return s
}

// unix is a member that holds seconds since 1970, with a fraction.
func (f fields) unix(name string) time.Time {
	n, ok := f.number(name)
	if !ok || n <= 0 || n > 1e11 {
		return time.Time{}
	}
	return time.UnixMilli(int64(n * 1000))
}
