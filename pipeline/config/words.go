package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// expects says in words what a value of p may be.
func expects(p Param) string {
	switch p.Type {
	case Int:
		return "an integer" + bounds(p, boundShown(p.Type))
	case Float:
		return "a number" + bounds(p, boundShown(p.Type))
	case Bool:
		return "true or false"
	case Duration:
		return `a duration like "1.5s" or a number of seconds` + bounds(p, boundShown(p.Type))
	case Size:
		return `a size like "100MB" or a number of bytes` + bounds(p, boundShown(p.Type))
	case StringList:
		return "a list of " + oneOf("strings", p.OneOf)
	case IntList:
		return "a list of integers" + bounds(p, boundShown(p.Type))
	case URL:
		return expectsURL(p)
	case Table:
		return "a table"
	case Tables:
		return "a list of tables"
	}
	return expectsText(p)
}

func expectsURL(p Param) string {
	schemes := p.schemes()
	words := strings.Join(schemes[:len(schemes)-1], ", ")
	if words != "" {
		words += " or "
	}
	text := "an " + words + schemes[len(schemes)-1] + " address"
	if p.mayBeEmpty() {
		text += ", or empty"
	}
	return text
}

func expectsText(p Param) string {
	if len(p.OneOf) > 0 {
		return oneOf("", p.OneOf)
	}
	noun := "a string"
	if p.Type == Path {
		noun = "a path"
	}
	if p.Min != nil && *p.Min == 1 && p.Max == nil {
		return noun + " that is not empty"
	}
	if p.Min != nil || p.Max != nil {
		noun += " with a length"
	}
	return noun + bounds(p, boundShown(p.Type))
}

func oneOf(otherwise string, words []string) string {
	if len(words) == 0 {
		return otherwise
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return "one of " + strings.Join(quoted, ", ")
}

func bounds(p Param, show func(float64) string) string {
	switch {
	case p.Min != nil && p.Max != nil:
		return " between " + show(*p.Min) + " and " + show(*p.Max)
	case p.Min != nil:
		return " of at least " + show(*p.Min)
	case p.Max != nil:
		return " of at most " + show(*p.Max)
	}
	return ""
}

// boundShown writes a bound the way a value of the type is written.
func boundShown(t Type) func(float64) string {
	switch t {
	case Duration:
		return func(f float64) string { return formatDuration(time.Duration(f * float64(time.Second))) }
	case Size:
		return func(f float64) string { return formatSize(int64(f)) }
	}
	return plainNumber
}

func plainNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// describe shows a value in a message. A secret is not shown, nor the user part of an address.
func describe(p Param, raw any) string {
	if p.Secret {
		return "a value that is not shown"
	}
	switch v := raw.(type) {
	case string:
		if p.Type == URL {
			v = withoutUser(v)
		}
		return quote(v)
	case map[string]any:
		return "a table"
	case []any, []string, []int:
		return "a list" + firstMisfit(p, v)
	case bool, int, int64, float64:
		return fmt.Sprint(v)
	case time.Duration:
		return formatDuration(v)
	case nil:
		return "null"
	}
	return "a date or time"
}

// firstMisfit names the element of a list that is wrong, so that a long list need not be searched.
func firstMisfit(p Param, list any) string {
	elements, ok := list.([]any)
	if !ok || p.Type != StringList && p.Type != IntList {
		return ""
	}
	for _, one := range elements {
		if _, err := fit(p, []any{one}); err != nil {
			if _, deeper := one.([]any); deeper {
				return " with a list in it"
			}
			return " with " + describe(Param{}, one)
		}
	}
	return ""
}

func withoutUser(address string) string {
	if !strings.Contains(address, "@") {
		return address
	}
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return "***" + address[strings.LastIndexByte(address, '@'):]
	}
	u.User = url.User("***")
	return strings.Replace(u.String(), "%2A%2A%2A", "***", 1)
}

// quote shortens and quotes, so that a message stays one line whatever the file holds.
func quote(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + "..."
	}
	return strconv.Quote(s)
}
