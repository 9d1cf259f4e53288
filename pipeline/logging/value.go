package logging

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// style is how attributes are written, and what is masked in them.
type style struct {
	json bool
	mask *masker
}

// attr writes one attribute, groups flattened. The value of a key that names a secret is not
// written at all, whatever it is.
func (s style) attr(dst []byte, group string, a *slog.Attr) []byte {
	v := a.Value
	if v.Kind() == slog.KindLogValuer {
		v = v.Resolve()
	}
	if a.Key == "" && a.Equal(slog.Attr{}) {
		return dst
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			dst = s.attr(dst, group, &inner)
		}
		return dst
	}
	dst = s.key(dst, group, a.Key)
	if sensitive(a.Key) || len(a.Key) == len(authHeader) && strings.EqualFold(a.Key, authHeader) {
		return s.text(dst, stars)
	}
	return s.value(dst, v)
}

const authHeader = "authorization"

func (s style) key(dst []byte, group, key string) []byte {
	if s.json {
		return append(appendJSON(append(dst, ','), group+key), ':')
	}
	dst = append(append(dst, ' '), group...)
	return append(appendText(dst, key), '=')
}

// value writes numbers and truth values as they are and everything else as a text.
func (s style) value(dst []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(dst, v.Uint64(), 10)
	case slog.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case slog.KindFloat64:
		if f := v.Float64(); !math.IsNaN(f) && !math.IsInf(f, 0) { // JSON has no word for those
			return strconv.AppendFloat(dst, f, 'g', -1, 64)
		}
	case slog.KindDuration: // no secret in it, and nothing to quote
		if s.json {
			return append(appendDuration(append(dst, '"'), v.Duration()), '"')
		}
		return appendDuration(dst, v.Duration())
	}
	return s.text(dst, s.mask.apply(toString(v)))
}

// appendDuration is Duration.String; the common ones, whole microseconds below a second, without
// memory for a string.
func appendDuration(dst []byte, d time.Duration) []byte {
	n := int64(d / time.Microsecond)
	if d < time.Microsecond || d >= time.Second || d%time.Microsecond != 0 {
		return append(dst, d.String()...)
	}
	if n < 1000 {
		return append(strconv.AppendInt(dst, n, 10), "µs"...)
	}
	dst = strconv.AppendInt(dst, n/1000, 10)
	if rest := n % 1000; rest > 0 {
		at := len(dst)
		dst = strconv.AppendInt(dst, 1000+rest, 10)
		dst[at] = '.' // in the place of the thousand
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	}
	return append(dst, "ms"...)
}

func (s style) text(dst []byte, text string) []byte {
	if s.json {
		return appendJSON(dst, text)
	}
	return appendText(dst, text)
}

// toString never panics: a value whose own method does must not take a request down.
func toString(v slog.Value) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = "(value cannot be printed)"
		}
	}()
	switch v.Kind() {
	case slog.KindString:
		return v.String()
	case slog.KindTime:
		return v.Time().Format(time.RFC3339)
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			return x.Error()
		case fmt.Stringer:
			return x.String()
		case []byte:
			return string(x)
		}
		return fmt.Sprintf("%+v", v.Any())
	}
	return v.String()
}

// appendText writes a value so that it ends where the reader thinks it ends.
func appendText(dst []byte, s string) []byte {
	if bare(s) {
		return append(dst, s...)
	}
	return strconv.AppendQuote(dst, s)
}

func bare(s string) bool {
	if s == "" {
		return false
	}
	plain := 0 // letters, digits and the like, which is all that most values have
	for plain < len(s) && s[plain] > ' ' && s[plain] < 0x7f && s[plain] != '"' && s[plain] != '=' && s[plain] != '\\' {
		plain++
	}
	if plain == len(s) {
		return true
	}
	for i, r := range s {
		switch {
		case r == '"' || r == '=' || r == ' ' || r == '\\' || r < ' ' || r == 0x7f:
			return false
		case r >= utf8.RuneSelf && (r == utf8.RuneError && badByte(s[i:]) || !unicode.IsPrint(r)):
			return false
		}
	}
	return true
}

func badByte(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size <= 1
}

// appendMessage writes the message as it is but for what could break or colour the line.
func appendMessage(dst []byte, s string) []byte {
	for i, r := range s {
		switch {
		case r == utf8.RuneError && badByte(s[i:]), r < ' ', r == 0x7f, r >= utf8.RuneSelf && !unicode.IsPrint(r):
			q := strconv.QuoteRune(r)
			dst = append(dst, q[1:len(q)-1]...)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// appendJSON writes a JSON string; ordinary ones without a detour.
func appendJSON(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, err := json.Marshal(s)
			if err != nil {
				return append(dst, `""`...)
			}
			return append(dst, b...)
		}
	}
	dst = append(append(dst, '"'), s...)
	return append(dst, '"')
}
