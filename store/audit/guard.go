package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	stars      = "***"
	mostTarget = 512      // bytes of a target
	mostString = 1 << 10  // bytes of one text
	mostItems  = 100      // of a list
	mostSide   = 16 << 10 // bytes of before, and of after
	mostDepth  = 8
)

// guarded is a change as it may be kept: no secrets, and of a size.
func (l *Log) guarded(c Change) Change {
	c.Target = cut(l.o.Mask(clean([]byte(c.Target))), mostTarget)
	c.Who, c.From, c.What, c.ID = cut(c.Who, maxText), cut(c.From, maxText), cut(c.What, maxText), cut(c.ID, maxText)
	c.Before, c.After = l.side(c.Before), l.side(c.After)
	return c
}

// side is before or after.
func (l *Log) side(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	var plain map[string]any // structs and pointers become what JSON has
	body, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(body, &plain)
	}
	if err != nil {
		return map[string]any{"unreadable": "it cannot be written as JSON"} // the error may quote a value
	}
	return fit(l.object(plain, mostDepth))
}

// fit leaves members out until the rest is small enough.
func fit(m map[string]any) map[string]any {
	out, size, left := map[string]any{}, 0, 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		body, _ := json.Marshal(m[name]) // it came from JSON
		if size += len(body) + len(name) + 8; size > mostSide {
			size -= len(body) + len(name) + 8
			left++
			continue
		}
		out[name] = m[name]
	}
	if left > 0 {
		out["cut"] = fmt.Sprintf("%d members are left out: too long", left)
	}
	return out
}

func (l *Log) object(m map[string]any, depth int) map[string]any {
	out := make(map[string]any, len(m))
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i == mostItems {
			out["cut"] = fmt.Sprintf("%d members are left out", len(m)-i)
			break
		}
		v := m[name]
		if secretName(name) {
			v = masked(v)
		}
		out[cut(l.o.Mask(clean([]byte(name))), maxText)] = l.value(v, depth-1)
	}
	return out
}

func (l *Log) value(v any, depth int) any {
	switch v := v.(type) {
	case string:
		if isMask(v) {
			return v
		}
		return cut(l.o.Mask(v), mostString)
	case []any:
		if depth <= 0 {
			return "..."
		}
		out := make([]any, 0, min(len(v), mostItems+1))
		for i, one := range v {
			if i == mostItems {
				return append(out, fmt.Sprintf("... and %d more", len(v)-i))
			}
			out = append(out, l.value(one, depth-1))
		}
		return out
	case map[string]any:
		if depth <= 0 {
			return "..."
		}
		return l.object(v, depth)
	}
	return v
}

// masked hides what stands under the name of a secret: texts, also inside of lists and objects. Numbers
// count something (tokens), and true says that there is one.
func masked(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" || isMask(v) {
			return v
		}
		return stars
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = masked(one)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, one := range v {
			out[name] = masked(one)
		}
		return out
	}
	return v
}

// isMask tells what a key is shown as: its first nine and its last three characters.
func isMask(text string) bool {
	begin, end, ok := strings.Cut(text, "...")
	return text == stars || ok && strings.HasPrefix(begin, "sk-") && len(begin) == 9 && len(end) == 3
}

// secretName tells a member whose text is a secret by its name, however that is written.
func secretName(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
	for _, part := range [...]string{"apikey", "password", "passwd", "passphrase", "secret", "token", "privatekey", "credentialdata", "authorization", "cookie", "assertion", "signature"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return name == "key" || name == "code" || name == "pass"
}

// cut bounds a text.
func cut(text string, most int) string {
	const mark = "... (cut)"
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len(mark)], "") + mark // a rune may have been cut in two
}
