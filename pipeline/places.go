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
// them (behaviour 2.1), the most usual ones first.
func Secrets(from Asker) iter.Seq[string] {
	return func(yield func(string) bool) {
		if s := bearer(from.Header("Authorization")); s != "" && !yield(s) {
			return
		}
		headers, queries := [...]string{"x-goog-api-key", "x-api-key", "access_token", "anthropic-auth-token", "x-anthropic-auth-token"}, [...]string{"key", "api_key"}
		for _, name := range headers[:1] {
			if s := from.Header(name); s != "" && !yield(s) {
				return
			}
		}
		for _, name := range queries {
			if s := from.Query(name); s != "" && !yield(s) {
				return
			}
		}
		for _, name := range headers[1:] {
			if s := from.Header(name); s != "" && !yield(s) {
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
