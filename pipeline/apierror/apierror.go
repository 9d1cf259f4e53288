// Package apierror is the one error type that may reach a client.
//
// A code fixes the HTTP status, the OpenAI type and the Gemini status at once, so that no stage
// chooses them by hand. The cause is for the log and never leaves the process.
package apierror

import (
	"errors"
	"fmt"
	"time"
)

// Error says why a request has no answer, in words that are safe to show to the client.
type Error struct {
	Status     int           // HTTP status for the client
	Code       Code          // stable machine word: "quota_exhausted"
	Message    string        // safe to show: no tokens, no file names, no upstream body verbatim
	Param      string        // the request member that is wrong, "" when no single one is
	RetryAfter time.Duration // when another try may succeed; 0 when unknown
	Upstream   bool          // Google said so; worth a look by retry and pool
	Said       *Said         // what Google's body said, for the pool's table; never sent
	cause      error         // logged with the exchange id, never sent
}

// Said holds the facts of a Google error body that decide what becomes of the credential
// (protocol 4.1 to 4.7). Nothing in it may be shown to a client: it names projects and accounts.
type Said struct {
	HTTP    int               // status of the reply, 0 when no reply came (network)
	Status  string            // google.rpc status: "RESOURCE_EXHAUSTED"
	Text    string            // the innermost message, as Google wrote it
	Reason  string            // ErrorInfo.reason, else the legacy errors[0].reason
	Domain  string            // ErrorInfo.domain, stray characters removed
	Meta    map[string]string // ErrorInfo.metadata
	Quotas  []string          // QuotaFailure quotaId of every violation
	Links   []string          // Help links, in order
	Delay   time.Duration     // until the reset by protocol 4.1; 0 when nothing was said
	Timing  bool              // Delay came from the body or a header and was not guessed
	Network bool              // no reply at all: dial, reset, time-out
	HTML    bool              // the body was not JSON
}

// New makes an error whose status follows from its code.
func New(code Code, message string) *Error {
	return &Error{Status: code.status(), Code: code, Message: message}
}

// Newf is New with a format.
func Newf(code Code, format string, args ...any) *Error {
	return New(code, fmt.Sprintf(format, args...))
}

// Wrap makes an error with a message fit for clients and a cause that only the log sees.
func Wrap(code Code, message string, cause error) *Error {
	e := New(code, message)
	e.cause = cause
	return e
}

// Naming returns a copy that blames one member of the request.
func (e *Error) Naming(param string) *Error {
	c := *e
	c.Param = param
	return &c
}

// After returns a copy that tells the client when to come back.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Error is the line for the log; a client gets Message.
func (e *Error) Error() string {
	if e.cause != nil {
		return string(e.Code) + ": " + e.Message + ": " + e.cause.Error()
	}
	return string(e.Code) + ": " + e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// From returns err as *Error, or wraps anything else as an internal one.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(Internal, "the gateway failed to handle this request", err)
}
