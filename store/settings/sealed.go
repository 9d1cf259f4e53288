package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"gcli2api/pipeline/config"
	"gcli2api/store/seal"
)

// each gives a value with do done to all texts in it, however deep.
func each(value any, do func(string) (string, error)) (any, error) {
	var err error
	one := func(v any) any {
		w, bad := each(v, do)
		err = errors.Join(err, bad)
		return w
	}
	switch v := value.(type) {
	case string:
		return do(v)
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = one(s)
		}
		return list, err
	case []any:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = one(s)
		}
		return list, err
	case map[string]any:
		table := make(map[string]any, len(v))
		for name, s := range v {
			table[name] = one(s)
		}
		return table, err
	}
	return value, nil
}

func box(ring *seal.Ring) seal.Box { return seal.Box{Ring: ring, For: seal.Setting} }

// opened gives settings as they are meant, without those that stay sealed, and why these do.
func opened(ring *seal.Ring, values map[string]any) (map[string]any, error) {
	plain, wrong := map[string]any{}, error(nil)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value, err := each(values[key], box(ring).Open)
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("%s: %w", key, err))
			continue
		}
		plain[key] = value
	}
	return plain, wrong
}

// unsealed has a loader hear settings as they are meant. One that stays sealed keeps the value that it had last:
// after a change of SECRET_KEY on another node nobody must find an older password in force here. Where none is
// known it is left out, and what the file says counts.
type unsealed struct {
	opt   Options
	load  func(map[string]any) (*config.Snapshot, error)
	last  map[string]any // as they were opened last
	wrong string         // what of the settings that were loaded last stays sealed, and why; "" for nothing
	since time.Time      // when that was found
}

func (u *unsealed) loaded(values map[string]any) (*config.Snapshot, error) {
	plain, wrong := opened(u.opt.Ring, values)
	text := ""
	if wrong != nil {
		text = strings.ReplaceAll(wrong.Error(), "\n", "; ")
	}
	for key := range values {
		if _, open := plain[key]; !open && u.last[key] != nil {
			plain[key] = u.last[key]
		}
	}
	if text != u.wrong {
		u.wrong, u.since = text, time.Now()
		if text != "" {
			u.opt.Log.Error("settings of the panel stay sealed: those that were known stay as they were, the others are left out", "error", text)
		}
	}
	c, err := u.load(plain)
	if err == nil {
		u.last = plain
	}
	return c, err
}

// Why a text is not saved.
var (
	errSealed  = errors.New(`it must not begin with "sealed:"`)
	errControl = errors.New("it must not have control characters in it: no client could send them")
)

// usable refuses what could not be told from something that is sealed, and passwords that would lock everybody
// out.
func usable(c config.Change) error {
	_, err := each(c.Value, func(text string) (string, error) {
		switch {
		case seal.Is(text):
			return "", errSealed
		case c.Param.Secret && strings.ContainsFunc(text, unicode.IsControl):
			return "", errControl
		}
		return text, nil
	})
	if err != nil {
		return &RefusedError{fmt.Errorf("panel: %s: %w", c.Param.Key, err)}
	}
	return nil
}

// Reseal seals the secret settings in the document anew, and those that lie there plain; with a ring that seals
// nothing it opens them. n is how many texts have changed, stuck how many do not open.
func Reseal(ring *seal.Ring, c *config.Snapshot, body []byte) (out []byte, n, stuck int, err error) {
	l := layerOf(docOf(body))
	if l.values == nil {
		return body, 0, 0, nil
	}
	again := func(text string) (string, error) {
		if ring.Current(text) {
			return text, nil
		}
		plain, err := box(ring).Open(text)
		if err != nil {
			stuck++
			return text, nil
		}
		with, err := box(ring).Seal(plain)
		if with != text {
			n++
		}
		return with, err
	}
	for _, key := range slices.Sorted(maps.Keys(l.values)) {
		if p, known := c.Resolve(key); !known || !p.Secret {
			continue
		}
		if l.values[key], err = each(l.values[key], again); err != nil {
			return nil, 0, 0, fmt.Errorf("%s: %w", key, err)
		}
	}
	if n == 0 {
		return body, 0, stuck, nil
	}
	out, err = json.Marshal(l.values)
	return out, n, stuck, err
}
