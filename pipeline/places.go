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

// Secrets gives every password and key that came with a request, from all places in which clients put
// them (behaviour 2.1), the most usual ones first. ofKey is true for a place that is for API keys only.
func Secrets(from Asker) iter.Seq2[string, bool] {
	return func(yield func(secret string, ofKey bool) bool) {
		for _, p := range [...]struct {
			look  func(string) string
			name  string
			ofKey bool
		}{
			{func(name string) string { return bearer(from.Header(name)) }, "Authorization", false},
			{from.Header, "x-goog-api-key", false},
			{from.Query, "key", false},
			{from.Header, "x-api-key", false},
			{from.Header, "access_token", false},
			{from.Header, "anthropic-auth-token", false},
			{from.Header, "x-anthropic-auth-token", false},
			{from.Query, "api_key", true},
		} {
			if s := p.look(p.name); s != "" && !yield(s, p.ofKey) {
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
