package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
)

// CheckName is ErrInvalid with the reason for what cannot be an id, or the name of a table, a
// counter, a claim or its owner. Engines ask it, so that all of them refuse the same.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: the name is empty", ErrInvalid)
	case len(name) > MaxName:
		return fmt.Errorf("%w: a name of %d bytes, at most %d are possible", ErrInvalid, len(name), MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: the name is not UTF-8", ErrInvalid)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: a control character in the name", ErrInvalid)
	}
	return nil
}

// CheckBody is ErrInvalid with the reason for what cannot be the body of a document.
func CheckBody(body []byte) error {
	switch {
	case len(body) > MaxBody:
		return fmt.Errorf("%w: a body of %d bytes, at most %d are possible", ErrInvalid, len(body), MaxBody)
	case !utf8.Valid(body): // json.Valid lets such bytes through inside strings
		return fmt.Errorf("%w: the body is not UTF-8", ErrInvalid)
	case !isJSON(body):
		return fmt.Errorf("%w: the body is not one JSON value", ErrInvalid)
	}
	return nil
}

// isJSON is json.Valid, which takes three times as long: it has the last word about what the other one
// refuses or sees otherwise.
func isJSON(body []byte) bool {
	if len(body) > 0 && body[0] != '\xef' && wire.Check(body) == nil { // a byte order mark is no part of JSON
		return true
	}
	return json.Valid(body)
}
