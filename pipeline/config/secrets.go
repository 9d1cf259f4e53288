package config

import (
	"net/url"
	"strings"
)

// Secrets are the values that no log line may show: of every setting that is secret, and the
// passwords in addresses, as they are written and as they are meant.
func (s *Snapshot) Secrets() []string {
	var out []string
	for _, p := range s.table.params {
		value := s.values[p.Key]
		switch text, _ := value.(string); {
		case p.Secret:
			out = texts(out, value)
		case p.Type == URL:
			out = append(out, userSecret(text)...)
		}
	}
	return out
}

// texts adds the strings in a value, however deep.
func texts(out []string, value any) []string {
	switch v := value.(type) {
	case string:
		if v != "" {
			out = append(out, v)
		}
	case []string:
		out = append(out, v...)
	case []any:
		for _, one := range v {
			out = texts(out, one)
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			out = texts(out, v[name])
		}
	}
	return out
}

func userSecret(address string) []string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return nil
	}
	password, set := u.User.Password()
	if !set || password == "" {
		return nil
	}
	_, written, _ := strings.Cut(u.User.String(), ":")
	if written == password {
		return []string{password}
	}
	return []string{password, written}
}
