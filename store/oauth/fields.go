package oauth

import (
	"encoding/json"
	"strings"
	"time"
)

// fields are the members of a JSON object, read one by one: files of strangers have a string where
// another one has an object, and one odd member must not spoil the rest.
type fields map[string]json.RawMessage

func (f fields) text(name string) string {
	var s string
	if json.Unmarshal(f[name], &s) != nil {
		return ""
	}
	return strings.TrimSpace(s)
}

func (f fields) object(name string) fields {
	var o fields
	if json.Unmarshal(f[name], &o) != nil {
		return nil
	}
	return o
}

func (f fields) number(name string) (float64, bool) {
	var n float64
	if len(f[name]) == 0 || json.Unmarshal(f[name], &n) != nil {
		return 0, false
	}
	return n, true
}

func first(options ...string) string {
	for _, s := range options {
		if s != "" {
			return s
		}
	}
	return ""
}

func scopes(all ...fields) []string {
	for _, f := range all {
		for _, name := range []string{"scopes", "scope"} {
			var list []string
			if json.Unmarshal(f[name], &list) == nil && len(list) > 0 {
				return list
			}
			text := f.text(name)
			if list = strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }); len(list) > 0 {
				return list
			}
		}
	}
	return nil
}

// expiry reads the end of the access token by protocol 1.9. What cannot be read is the zero time,
// which means expired; so does expires_in, because nobody knows since when it counts.
func expiry(top, token fields) time.Time {
	for _, place := range []struct {
		f    fields
		name string
	}{{top, "expiry"}, {token, "expiry"}, {top, "expires_at"}, {top, "expiry_date"}, {token, "expiry_date"}} {
		if text := place.f.text(place.name); text != "" {
			return moment(text)
		}
		if n, ok := place.f.number(place.name); ok && n > 0 && n < 1e15 {
			if n > 1e11 {
				return time.UnixMilli(int64(n))
			}
			return time.Unix(int64(n), 0)
		}
	}
	return time.Time{}
}

// moment reads ISO 8601 with an offset, with Z, or naive, which is UTC.
func moment(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}
