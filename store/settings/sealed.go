package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// unsealing has a loader hear settings as they are meant. What stays sealed is left out and said once.
func unsealing(o Options) func(map[string]any) (*config.Snapshot, error) {
	said := ""
	return func(values map[string]any) (*config.Snapshot, error) {
		plain, wrong := opened(o.Ring, values)
		text := ""
		if wrong != nil {
			text = strings.ReplaceAll(wrong.Error(), "\n", "; ")
		}
		if text != said && text != "" {
			o.Log.Error("settings of the panel stay sealed and are left out", "error", text)
		}
		said = text
		return o.Load(plain)
	}
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
