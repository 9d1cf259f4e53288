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
	NoPreview    bool // Google has shown it no preview models

	Pro, Total           int64       // calls of the day that ends at NextReset
	NextReset            time.Time   // zero where nothing is known of the day
	Calls                []time.Time // that succeeded, of the last 24 hours
	LimitPro, LimitTotal *int64      // of a day, where an operator had chosen one
}

// What the old product wrote as the daily limits of a credential that nobody had given its own.
const (
	oldLimitPro   = 100
	oldLimitTotal = 1000
)

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

// StartOf reads the state of a credential from the members that the old product kept it in.
func StartOf(members map[string]json.RawMessage) Start { return start(members) }

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
	s.usage(f)
	return s
}

// maxTimes bounds the calls of a day that are taken over one by one.
const maxTimes = 20_000

// usage reads what was counted, and how much of it was to be allowed.
func (s *Start) usage(f fields) {
	var preview *bool
	s.NoPreview = json.Unmarshal(f["preview"], &preview) == nil && preview != nil && !*preview
	count := func(name string) int64 {
		n, _ := f.number(name)
		return int64(min(max(n, 0), 1e9))
	}
	s.Pro, s.Total, s.NextReset = count("gemini_2_5_pro_calls"), count("total_calls"), moment(f.text("next_reset_time"))
	limit := func(name string, usual int64) *int64 {
		n, there := f.number(name)
		if v := int64(n); there && n == float64(v) && v >= 0 && v <= 1e9 && v != usual {
			return &v
		}
		return nil
	}
	s.LimitPro, s.LimitTotal = limit("daily_limit_gemini_2_5_pro", oldLimitPro), limit("daily_limit_total", oldLimitTotal)
	var times []string
	_ = json.Unmarshal(f["call_timestamps"], &times) // anything but a list of texts is none
	for _, text := range times[:min(len(times), maxTimes)] {
		if t := moment(text); !t.IsZero() {
			s.Calls = append(s.Calls, t)
		}
	}
}

// unix is a member that holds seconds since 1970, with a fraction.
func (f fields) unix(name string) time.Time {
	n, ok := f.number(name)
	if !ok || n <= 0 || n > 1e11 {
		return time.Time{}
	}
	return time.UnixMilli(int64(n * 1000))
}
