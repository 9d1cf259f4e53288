package apikey

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The bounds of what an operator may decide. Larger numbers are slips of the keyboard, and a sum of two of
// them must still fit.
const (
	MaxQuota       = 1_000_000_000_000_000 // units, also of a day
	MaxRequests    = 1_000_000             // a minute
	MaxTokens      = 1_000_000_000         // a minute
	MaxConcurrency = 100_000
	MaxDescription = 500 // characters
	MaxModels      = 100 // globs
	MaxAddresses   = 100

	maxGlob  = 128 // bytes
	maxGroup = 64  // bytes, as for a credential
	maxYear  = 9999
)

// FieldError says which member of a request about keys is wrong, and how it would be right.
type FieldError struct {
	Field string // as it stands in the JSON: "total_quota"; "" for the whole
	Says  string
}

// Error is the field with what is said of it.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Says
	}
	return e.Field + ": " + e.Says
}

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Says: fmt.Sprintf(format, args...)}
}

// amount is a number among the terms.
type amount struct {
	field string
	at    *int64
	most  int64
	must  bool // zero is not "no limit": there has to be one
}

func (t *Terms) amounts() [5]amount {
	return [5]amount{
		{"total_quota", &t.Quota, MaxQuota, true},
		{"daily_quota", &t.Daily, MaxQuota, false},
		{"requests_per_minute", &t.Requests, MaxRequests, false},
		{"tokens_per_minute", &t.Tokens, MaxTokens, false},
		{"concurrency", &t.Concurrency, MaxConcurrency, false},
	}
}

// Check refuses what no key can be made with: a *FieldError.
func (t *Terms) Check() error {
	for _, a := range t.amounts() {
		if *a.at < 0 || *a.at > a.most || a.must && *a.at == 0 {
			return a.refuse()
		}
	}
	switch t.Renews {
	case Never, Daily, Weekly, Monthly:
	default:
		return wrong("renews", `must be "day", "week", "month" or "none"`)
	}
	if utf8.RuneCountInString(t.Description) > MaxDescription || !oneLine(t.Description) {
		return wrong("description", "must be one line of %d characters at most", MaxDescription)
	}
	if g := t.Group; len(g) > maxGroup || !oneLine(g) || strings.TrimSpace(g) != g {
		return wrong("group", "must be one line of %d bytes at most, without space around it", maxGroup)
	}
	if !t.Expires.IsZero() && (t.Expires.Year() < 1970 || t.Expires.Year() > maxYear) {
		return wrong("expires", "must be a time between the years 1970 and %d", maxYear)
	}
	if err := checkGlobs(t.Models); err != nil {
		return err
	}
	_, err := readAddresses(t.Addresses)
	return err
}

func (a amount) refuse() error {
	if a.must {
		return wrong(a.field, "must be a whole number from 1 to %d", a.most)
	}
	return wrong(a.field, "must be a whole number from 1 to %d, or null for no limit", a.most)
}

// checkAhead refuses an expiry that is over.
func (t *Terms) checkAhead(now time.Time) error {
	if !t.Expires.IsZero() && !t.Expires.After(now) {
		return wrong("expires", "is over already")
	}
	return nil
}

func oneLine(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

// checkGlobs: what other patterns mean by ? and brackets would silently match nothing here.
func checkGlobs(globs []string) error {
	if len(globs) > MaxModels {
		return wrong("models", "must have %d patterns at most", MaxModels)
	}
	for i, g := range globs {
		switch {
		case g == "" || len(g) > maxGlob || !oneLine(g) || strings.ContainsFunc(g, unicode.IsSpace):
			return wrong("models", "pattern %d must be a model name of 1 to %d bytes without spaces, in which * stands for any text", i+1, maxGlob)
		case strings.ContainsAny(g, "?[]{}\\"):
			return wrong("models", "pattern %d has one of ?[]{}\\: only * stands for other text", i+1)
		}
	}
	return nil
}

// readAddresses reads single addresses and blocks alike.
func readAddresses(list []string) ([]netip.Prefix, error) {
	if len(list) > MaxAddresses {
		return nil, wrong("addresses", "must have %d entries at most", MaxAddresses)
	}
	var all []netip.Prefix
	for i, text := range list {
		block, err := netip.ParsePrefix(text)
		if err != nil {
			var one netip.Addr
			if one, err = netip.ParseAddr(text); err == nil && one.Zone() == "" {
				block = netip.PrefixFrom(one, one.BitLen())
			}
		}
		switch {
		case !block.IsValid():
			return nil, wrong("addresses", "entry %d must be an IP address or a block such as 10.0.0.0/8", i+1)
		case block.Addr().Is4In6():
			return nil, wrong("addresses", "entry %d: write an IPv4 address as such, without ::ffff:", i+1)
		case block != block.Masked():
			return nil, wrong("addresses", "entry %d: the block begins at %s", i+1, block.Masked())
		}
		all = append(all, block)
	}
	return all, nil
}
