package simulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// failure is an error answer in the shape that Google gives it.
type failure struct {
	status  int    // HTTP status
	word    string // google.rpc word, by default the one of the HTTP status
	message string
	legacy  string // errors[0].reason of the old form; "" leaves the list out
	details []any
	html    string // a front end answered instead of the service
	raw     string // this body as it stands
	header  http.Header
}

type errorBody struct {
	Error errorStatus `json:"error"`
}

type errorStatus struct {
	Code    int           `json:"code"`
	Message string        `json:"message"`
	Errors  []legacyError `json:"errors,omitempty"`
	Status  string        `json:"status"`
	Details []any         `json:"details,omitempty"`
}

type legacyError struct {
	Message string `json:"message"`
	Domain  string `json:"domain"`
	Reason  string `json:"reason"`
}

// statusWord gives the google.rpc word for an HTTP status.
func statusWord(status int) string {
	words := map[int]string{
		400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS",
		429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
	}
	if word, ok := words[status]; ok {
		return word
	}
	return "UNKNOWN"
}

// body renders the failure; array is the form in which Code Assist answers on its stream endpoint.
func (f *failure) body(array bool) []byte {
	if f.html != "" {
		return []byte(f.html)
	}
	if f.raw != "" {
		return []byte(f.raw)
	}
	word := f.word
	if word == "" {
		word = statusWord(f.status)
	}
	e := errorBody{errorStatus{Code: f.status, Message: f.message, Status: word, Details: f.details}}
	if f.legacy != "" {
		e.Error.Errors = []legacyError{{f.message, "global", f.legacy}}
	}
	if array {
		return encode([]errorBody{e})
	}
	return encode(e)
}

func (f *failure) contentType() string {
	if f.html != "" {
		return "text/html; charset=UTF-8"
	}
	return "application/json; charset=UTF-8"
}

func badRequest(message string) *failure {
	return &failure{status: http.StatusBadRequest, message: message}
}

// badFields is a 400 whose message joins all complaints of the reader and whose details list them.
func badFields(found []violation) *failure {
	lines := make([]string, len(found))
	for i, v := range found {
		lines[i] = v.Description
	}
	f := badRequest(strings.Join(lines, "\n"))
	f.details = []any{object{"@type": rpcType("BadRequest"), "fieldViolations": found}}
	return f
}

func forbidden(message string, details ...any) *failure {
	return &failure{status: http.StatusForbidden, message: message, details: details}
}

func rpcType(name string) string { return "type.googleapis.com/google.rpc." + name }

// errorInfo is the detail that carries the machine-readable reason.
func errorInfo(reason, domain string, metadata object) object {
	info := object{"@type": rpcType("ErrorInfo"), "reason": reason, "domain": domain}
	if metadata != nil {
		info["metadata"] = metadata
	}
	return info
}

func helpLinks(pairs ...string) object {
	links := []object{}
	for i := 0; i+1 < len(pairs); i += 2 {
		links = append(links, object{"description": pairs[i], "url": pairs[i+1]})
	}
	return object{"@type": rpcType("Help"), "links": links}
}

// htmlPage is what Google's front ends say when the service behind them did not.
func htmlPage(status int, text string) *failure {
	title := http.StatusText(status)
	return &failure{status: status, html: "<!DOCTYPE html>\n<html lang=en>\n<title>Error (" + title + ")!!1</title>\n<p><b>" +
		title + "</b> That is an error.\n<p>" + text + " That is all we know.\n"}
}

// encode gives the JSON of v without escaping of HTML characters.
func encode(v any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return []byte(`{"error":{"code":500,"message":"simulator: answer cannot be written","status":"INTERNAL"}}`)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// decodeBase64 reads both alphabets, padded or not, as proto-JSON does for bytes fields.
func decodeBase64(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}
