package gemini

import (
	"bytes"
	"strings"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// nested is how many messages inside messages are unwrapped.
const nested = 4

// findings is what a tolerant reading of an error body gives.
type findings struct {
	said      *apierror.Said
	code      int    // error.code
	legacy    string // errors[0].reason
	field     string // fieldViolations[0].field
	retry     string // RetryInfo.retryDelay
	anyObject bool
}

// ParseError reads Google's error body, or an event of a stream with an "error" in it (status 200
// then), as tolerantly as protocol 4.1 asks: object or array, "error" as object or text, JSON inside
// the message, HTML, nothing at all. It never fails. Said holds everything for the pool's table;
// Message is scrubbed; Status and Code are what a client is told when nothing else can be tried
// (4.8). RetryAfter is the delay of the 429 and 503 answers that name one.
func ParseError(status int, retryAfter string, body []byte, now time.Time) *apierror.Error {
	f := findings{said: &apierror.Said{}}
	f.read(body, 0)
	s := f.said
	s.HTML = !f.anyObject && len(bytes.TrimSpace(body)) > 0
	if s.HTTP = status; status < 300 {
		s.HTTP = f.inStream()
	}
	if s.Reason == "" {
		s.Reason = f.legacy
	}
	t := timing{
		stamp: s.Meta["quotaResetTimeStamp"], retry: f.retry, reset: s.Meta["quotaResetDelay"],
		text: s.Text, retryAfter: retryAfter,
	}
	s.Delay, s.Timing = t.delay(now)
	return f.forClient()
}

// inStream is the status of an error inside a 200: what it says itself.
func (f *findings) inStream() int {
	if f.code >= 300 && f.code < 600 {
		return f.code
	}
	return httpStatus(f.said.Status)
}

func httpStatus(status string) int {
	switch status {
	case "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE":
		return 400
	case "UNAUTHENTICATED":
		return 401
	case "PERMISSION_DENIED":
		return 403
	case "NOT_FOUND":
		return 404
	case "ABORTED", "ALREADY_EXISTS":
		return 409
	case "RESOURCE_EXHAUSTED":
		return 429
	case "CANCELLED":
		return 499
	case "UNIMPLEMENTED":
		return 501
	case "UNAVAILABLE":
		return 503
	case "DEADLINE_EXCEEDED":
		return 504
	}
	return 500
}

// read looks for an error in body, which may be an array of which the first element counts.
func (f *findings) read(body []byte, level int) {
	if wire.KindOf(body) == wire.KindArray {
		a := wire.ArrayOf(body)
		a.Next()
		body = a.Value
	}
	if wire.KindOf(body) != wire.KindObject {
		return
	}
	f.anyObject = true
	for o := wire.ObjectOf(body); o.Next(); {
		switch strings.TrimSpace(string(o.Key)) {
		case "error":
			f.value(o.Value, level)
		case "error_description": // the OAuth form: "error" is a word then
			f.legacy = f.said.Text
			f.text(o.Value, level)
		}
	}
}

func (f *findings) value(v []byte, level int) {
	if wire.KindOf(v) == wire.KindString {
		f.text(v, level)
		return
	}
	var message []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch strings.TrimSpace(string(o.Key)) {
		case "code":
			f.number(o.Value)
		case "message":
			message = o.Value
		case "status":
			if s, ok := wire.Text(o.Value); ok && s != "" {
				f.said.Status = s
			}
		case "errors":
			a := wire.ArrayOf(o.Value)
			if a.Next() {
				set(&f.legacy, wire.Get(a.Value, "reason"))
			}
		case "details":
			for a := wire.ArrayOf(o.Value); a.Next(); {
				f.detail(a.Value)
			}
		}
	}
	f.text(message, level) // last, so that an error inside the message wins
}

func (f *findings) number(v []byte) {
	if s, ok := wire.Inner(v); ok {
		v = s
	}
	if n, ok := wire.Int(v); ok && n > 0 && n < 1000 {
		f.code = int(n)
	}
}

// text takes a message over, or the error that it holds as JSON: of an error that was passed on by
// a proxy the inner one is what Google said.
func (f *findings) text(v []byte, level int) {
	s, ok := wire.Text(v)
	if !ok || s == "" {
		return
	}
	f.said.Text = s
	s = strings.TrimSpace(s)
	if level >= nested || s == "" || s[0] != '{' && s[0] != '[' {
		return
	}
	in := findings{said: &apierror.Said{}}
	if in.read([]byte(s), level+1); in.said.Text != "" {
		f.prefer(&in)
	}
}

// prefer overwrites what in says as well.
func (f *findings) prefer(in *findings) {
	over := func(to *string, v string) {
		if v != "" {
			*to = v
		}
	}
	over(&f.said.Text, in.said.Text)
	over(&f.said.Status, in.said.Status)
	over(&f.said.Reason, in.said.Reason)
	over(&f.said.Domain, in.said.Domain)
	over(&f.legacy, in.legacy)
	over(&f.field, in.field)
	over(&f.retry, in.retry)
	if in.code != 0 {
		f.code = in.code
	}
	if in.said.Meta != nil {
		f.said.Meta = in.said.Meta
	}
	if in.said.Quotas != nil {
		f.said.Quotas = in.said.Quotas
	}
	if in.said.Links != nil {
		f.said.Links = in.said.Links
	}
}

// detail reads one of error.details by the names of its members: they differ between the types
// that count, and the key of the type itself has been seen misspelt.
func (f *findings) detail(v []byte) {
	for o := wire.ObjectOf(v); o.Next(); {
		switch strings.TrimSpace(string(o.Key)) {
		case "reason":
			set(&f.said.Reason, o.Value)
		case "domain":
			if s, ok := wire.Text(o.Value); ok && f.said.Domain == "" {
				f.said.Domain = cleanDomain(s)
			}
		case "metadata":
			f.metadata(o.Value)
		case "retryDelay":
			if s, ok := wire.Text(o.Value); ok {
				f.retry = s
			}
		case "violations":
			for a := wire.ArrayOf(o.Value); a.Next(); {
				if s, ok := wire.Text(wire.Get(a.Value, "quotaId")); ok && s != "" {
					f.said.Quotas = append(f.said.Quotas, s)
				}
			}
		case "fieldViolations":
			if a := wire.ArrayOf(o.Value); a.Next() {
				set(&f.field, wire.Get(a.Value, "field"))
			}
		case "links":
			for a := wire.ArrayOf(o.Value); a.Next(); {
				if s, ok := wire.Text(wire.Get(a.Value, "url")); ok && s != "" {
					f.said.Links = append(f.said.Links, s)
				}
			}
		}
	}
}

func (f *findings) metadata(v []byte) {
	for o := wire.ObjectOf(v); o.Next(); {
		s, ok := wire.Text(o.Value)
		if !ok {
			s = string(o.Value)
		}
		if f.said.Meta == nil {
			f.said.Meta = make(map[string]string)
		}
		f.said.Meta[strings.TrimSpace(string(o.Key))] = s
	}
}

// set fills a text that nobody filled yet.
func set(to *string, v []byte) {
	if s, ok := wire.Text(v); ok && *to == "" {
		*to = strings.TrimSpace(s)
	}
}

func cleanDomain(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return -1
	}, s)
}
