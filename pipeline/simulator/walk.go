package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// object is a decoded JSON object.
type object = map[string]any

// violation is one complaint of the proto-JSON reader, with the path in Google's spelling.
type violation struct {
	Field       string `json:"field,omitempty"`
	Description string `json:"description"`
}

// walker reads a JSON tree as one message, as strictly as proto-JSON does, and gives it back with camelCase names.
type walker struct {
	*spec
	found []violation
}

// read decodes body as the named message. The failure lists every field that is not known or has the wrong kind.
func (s *spec) read(body []byte, message string) (tree, raw object, f *failure) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, nil, badRequest("Invalid JSON payload received. " + jsonTrouble(err, len(body)))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, nil, badRequest("Invalid JSON payload received. Unexpected token after the end of the value.")
	}
	raw, ok := value.(object)
	if !ok {
		return nil, nil, badRequest("Invalid JSON payload received. Root element must be a message.")
	}
	w := walker{spec: s}
	tree = w.message("", message, raw)
	if len(w.found) > 0 {
		return nil, nil, badFields(w.found)
	}
	return tree, raw, nil
}

func jsonTrouble(err error, size int) string {
	if size == 0 || err == io.EOF {
		return "Unexpected end of string. Expected a value."
	}
	return "Unexpected token: " + err.Error() + "."
}

func (w *walker) complain(path, format string, args ...any) {
	w.found = append(w.found, violation{Field: path, Description: fmt.Sprintf(format, args...)})
}

func at(path string) string {
	if path == "" {
		return ""
	}
	return " at '" + path + "'"
}

func join(path, name string) string {
	if path == "" {
		return snake(name)
	}
	return path + "." + snake(name)
}

func (w *walker) message(path, name string, in object) object {
	out := make(object, len(in))
	taken := ""
	for _, key := range slices.Sorted(maps.Keys(in)) {
		f, ok := w.messages[name][camel(key)]
		if !ok {
			w.complain(path, "Invalid JSON payload received. Unknown name %q%s: Cannot find field.", key, at(path))
			continue
		}
		if in[key] == nil && f.kind != "value" { // null is "not set"
			continue
		}
		if _, twice := out[camel(key)]; twice || f.oneof != "" && taken != "" {
			w.complain(path, "Invalid value%s (oneof), oneof field '%s' is already set. Cannot set '%s'", at(path), f.oneof, camel(key))
			continue
		}
		if f.oneof != "" {
			taken = key
		}
		if v, ok := w.field(join(path, camel(key)), f, in[key]); ok {
			out[camel(key)] = v
		}
	}
	return out
}

func (w *walker) field(path string, f field, in any) (any, bool) {
	items, isList := in.([]any)
	if !f.list {
		if isList && f.kind != "value" {
			parent, last := cutLast(path)
			w.complain(parent, "Invalid JSON payload received. Unknown name %q%s: Proto field is not repeating, cannot start list.", last, at(parent))
			return nil, false
		}
		return w.value(path, f, in)
	}
	if !isList { // Google reads a single value as a list of one
		items = []any{in}
	}
	out := make([]any, 0, len(items))
	for i, item := range items {
		if v, ok := w.value(fmt.Sprintf("%s[%d]", path, i), f, item); ok {
			out = append(out, v)
		}
	}
	return out, true
}

func cutLast(path string) (parent, last string) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

func (w *walker) value(path string, f field, in any) (any, bool) {
	switch f.kind {
	case "value":
		return in, true
	case "message":
		if o, ok := in.(object); ok {
			return w.message(path, f.of, o), true
		}
		return w.wrong(path, "type.googleapis.com/google.ai."+f.of, in)
	case "struct":
		if o, ok := in.(object); ok {
			return o, true
		}
		return w.wrong(path, "type.googleapis.com/google.protobuf.Struct", in)
	case "map":
		return w.entries(path, f, in)
	case "enum":
		return w.enum(path, f, in)
	}
	return w.scalar(path, f, in)
}

func (w *walker) wrong(path, want string, in any) (any, bool) {
	if n, ok := in.(json.Number); ok && !json.Valid([]byte(n)) { // it was text
		in = string(n)
	}
	shown := string(encode(in))
	if len(shown) > 120 {
		shown = shown[:120]
	}
	w.complain(path, "Invalid value%s (%s), %s", at(path), want, shown)
	return nil, false
}

func (w *walker) entries(path string, f field, in any) (any, bool) {
	o, ok := in.(object)
	if !ok {
		return w.wrong(path, "map", in)
	}
	out := make(object, len(o))
	for i, key := range slices.Sorted(maps.Keys(o)) {
		if v, ok := w.value(fmt.Sprintf("%s[%d].value", path, i), field{kind: "message", of: f.of}, o[key]); ok {
			out[key] = v
		}
	}
	return out, true
}

func (w *walker) enum(path string, f field, in any) (any, bool) {
	e := w.enums[f.of]
	if n, ok := in.(json.Number); ok {
		if i, err := strconv.Atoi(n.String()); err == nil && i >= 0 && i < len(e.words) {
			return e.words[i], true
		}
	}
	word, ok := in.(string)
	if ok && e.fold {
		word = strings.ToUpper(word)
	}
	if !ok || !slices.Contains(e.words, word) {
		return w.wrong(path, "type.googleapis.com/google.ai."+f.of, in)
	}
	return word, true
}

func (w *walker) scalar(path string, f field, in any) (any, bool) {
	switch v := in.(type) {
	case string:
		switch f.kind {
		case "string":
			return v, true
		case "bytes":
			if _, err := decodeBase64(v); err == nil {
				return v, true
			}
			w.complain(path, "Invalid value%s (TYPE_BYTES), Base64 decoding failed for %q", at(path), shorten(v, 80))
			return nil, false
		case "bool":
			return w.wrong(path, "TYPE_BOOL", in)
		}
		return w.number(path, f, json.Number(v))
	case bool:
		if f.kind == "bool" {
			return v, true
		}
	case json.Number:
		if f.kind == "int32" || f.kind == "int64" || f.kind == "double" {
			return w.number(path, f, v)
		}
	}
	return w.wrong(path, "TYPE_"+strings.ToUpper(f.kind), in)
}

func (w *walker) number(path string, f field, n json.Number) (any, bool) {
	v, err := strconv.ParseFloat(n.String(), 64)
	whole := err == nil && v == float64(int64(v))
	if err != nil || f.kind != "double" && !whole || f.kind == "int32" && (v > 1<<31-1 || v < -1<<31) {
		return w.wrong(path, "TYPE_"+strings.ToUpper(f.kind), n)
	}
	return v, true
}

func shorten(s string, n int) string {
	if len(s) > n {
		return s[:n] + "..."
	}
	return s
}
