package logging

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const stars = "***"

// masker takes secrets out of texts: those it was told, and what looks like one. Each value of a
// line goes through it before it is quoted, so no quoting can hide a secret and no masking break a
// quote.
type masker struct {
	mu    sync.RWMutex
	known index    // looked for all at once: there are thousands where there are thousands of credentials
	words []hidden // those too short for that, only as whole words
}

// hidden is a short secret in one of the forms in which it can stand in a text.
type hidden struct{ text string }

func (m *masker) hide(secret string) {
	if len(secret) < 3 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, form := range forms(secret) {
		if len(secret) >= tail {
			m.known.add(form)
		} else if h := (hidden{form}); !slices.Contains(m.words, h) {
			m.words = append(m.words, h)
		}
	}
	// the longest first, or a secret inside another would leave the rest of that one standing
	m.words = slices.Clone(m.words) // some text may be looked through right now
	slices.SortStableFunc(m.words, func(a, b hidden) int { return len(b.text) - len(a.text) })
}

// forms is the secret as it is, quoted, and escaped for JSON and for URLs.
func forms(secret string) []string {
	quoted := strconv.Quote(secret)
	list := []string{secret, quoted[1 : len(quoted)-1], url.QueryEscape(secret), url.PathEscape(secret)}
	if b, err := json.Marshal(secret); err == nil {
		list = append(list, string(b[1:len(b)-1]))
	}
	return list
}

// apply gives text without its secrets; one without any comes back as it is.
func (m *masker) apply(text string) string {
	m.mu.RLock()
	text = m.known.apply(text)
	words := m.words
	m.mu.RUnlock()
	for _, h := range words {
		if strings.Contains(text, h.text) { // nearly never, and cheap to rule out
			text = replace(text, h.next)
		}
	}
	return replace(text, nextSecret)
}

// Mask puts stars over what looks like a secret in a text that goes elsewhere than into the log.
func Mask(text string) string { return replace(text, nextSecret) }

// replace puts stars over each range that find gives; find(text, i) looks from i on and answers an
// empty range when there is no more.
func replace(text string, find func(text string, i int) (start, end int)) string {
	start, end := find(text, 0)
	if start >= end {
		return text
	}
	out := make([]byte, 0, len(text)+len(stars))
	done := 0
	for start < end {
		out = append(append(out, text[done:start]...), stars...)
		done = end
		start, end = find(text, done)
	}
	return string(append(out, text[done:]...))
}

func (h hidden) next(text string, i int) (start, end int) {
	for {
		at := strings.Index(text[i:], h.text)
		if at < 0 {
			return 0, 0
		}
		start, end = i+at, i+at+len(h.text)
		if !wordAt(text, start-1) && !wordAt(text, end) {
			return start, end
		}
		i = start + 1
	}
}

func wordAt(text string, i int) bool {
	return i >= 0 && i < len(text) && (alnum(text[i]) || text[i] == '_')
}

func alnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
