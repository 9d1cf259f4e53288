package pipeline

import (
	"iter"
	"strings"
)

// Asker looks up what came with a request: headers, and query parameters decoded; "" for what is not there.
type Asker interface {
	Header(name string) string
	Query(name string) string
}

// spot is a place in which clients put a password or a key.
type spot struct {
	name                  string
	bearer, query, ofKeys bool
}

func (s *spot) look(from Asker) string {
	switch {
	case s.query:
		return from.Query(s.name)
	case s.bearer:
		return bearer(from.Header(s.name))
	}
	return from.Header(s.name)
}

// Secrets gives every password and key that came with a request, from all places in which clients put
// them (behaviour 2.1), the most usual ones first. ofKey is true for a place that is for API keys only.
func Secrets(from Asker) iter.Seq2[string, bool] {
	return func(yield func(secret string, ofKey bool) bool) {
		for _, s := range [...]spot{
			{name: "Authorization", bearer: true},
			{name: "x-goog-api-key"},
			{name: "key", query: true},
			{name: "x-api-key"},
			{name: "access_token"},
			{name: "anthropic-auth-token"},
			{name: "x-anthropic-auth-token"},
			{name: "api_key", query: true, ofKeys: true},
		} {
			if secret := s.look(from); secret != "" && !yield(secret, s.ofKeys) {
				return
			}
		}
	}
}

// bearer cuts the scheme off an Authorization header, whatever its case.
func bearer(h string) string {
	const scheme = "bearer "
	if len(h) > len(scheme) && strings.EqualFold(h[:len(scheme)], scheme) {
		return strings.TrimSpace(h[len(scheme):])
	}
	return ""
}
