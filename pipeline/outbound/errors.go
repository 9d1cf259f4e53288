package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"gcli2api/pipeline/apierror"
)

// What can go wrong with a call; test with errors.Is.
var (
	ErrRequest        = errors.New("request cannot be sent")
	ErrBusy           = errors.New("all connections to the upstream are in use")
	ErrClosed         = errors.New("client is closed")
	ErrDial           = errors.New("cannot connect to the upstream")
	ErrConnectTimeout = fmt.Errorf("%w in time", ErrDial)
	ErrProxy          = errors.New("proxy gave no connection")
	ErrClosedEarly    = errors.New("upstream closed the connection before its answer")
	ErrMalformed      = errors.New("upstream answered something that is not HTTP")
	ErrCut            = errors.New("upstream ended its answer in the middle")
	ErrFirstByte      = errors.New("upstream did not begin to answer in time")
	ErrIdle           = errors.New("upstream fell silent")
	ErrTotal          = errors.New("upstream took longer than a call may take")
	ErrCancelled      = errors.New("call was cancelled")
)

// Error is a call that failed: one of the kinds above, where, and what caused it.
type Error struct {
	Kind  error  // one of the Err values
	Where string // host and port, never credentials
	cause error
}

// Error is for the log.
func (e *Error) Error() string {
	s := e.Kind.Error()
	if e.Where != "" {
		s += " (" + e.Where + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.cause}
}

// cancelled is the error of a call whose context ended. A context that ran out of time set a total.
func cancelled(ctx context.Context) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{Kind: ErrTotal, cause: context.Cause(ctx)}
	}
	return &Error{Kind: ErrCancelled, cause: context.Cause(ctx)}
}

// Explain says what a client may know of a failed call, of Do, of a body or of Client.HTTP. A
// cancellation whose cause is an *apierror.Error is explained by that. All but a client that left
// carry Said{Network: true}, which is what the pool decides on; a client that left blames nobody.
func Explain(err error) *apierror.Error {
	if err == nil {
		return nil
	}
	var own *apierror.Error
	if errors.As(err, &own) {
		return own
	}
	var ue *url.Error // its text shows the whole URL, which may carry a key
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if errors.Is(err, ErrCancelled) || errors.Is(err, context.Canceled) {
		return apierror.Wrap(apierror.ClientGone, "the client closed the connection", err)
	}
	code, message := reason(err)
	e := apierror.Wrap(code, message, err)
	if code == apierror.UpstreamTimeout || code == apierror.UpstreamUnavailable {
		e.Upstream = true
		e.Said = &apierror.Said{Network: true}
	}
	return e
}

func reason(err error) (apierror.Code, string) {
	kinds := []struct {
		err     error
		code    apierror.Code
		message string
	}{
		{ErrFirstByte, apierror.UpstreamTimeout, "the upstream did not begin to answer in time"},
		{ErrIdle, apierror.UpstreamTimeout, "the upstream fell silent in the middle of its answer"},
		{ErrTotal, apierror.UpstreamTimeout, "the upstream took longer than the configured total time"},
		{ErrConnectTimeout, apierror.UpstreamTimeout, "the upstream did not accept a connection in time"},
		{ErrDial, apierror.UpstreamUnavailable, "the upstream cannot be reached"},
		{ErrProxy, apierror.UpstreamUnavailable, "the configured proxy gave no connection to the upstream"},
		{ErrClosedEarly, apierror.UpstreamUnavailable, "the upstream closed the connection before it answered"},
		{ErrMalformed, apierror.UpstreamUnavailable, "the upstream sent an answer that is not HTTP"},
		{ErrCut, apierror.UpstreamUnavailable, "the upstream ended its answer in the middle"},
		{ErrBusy, apierror.Overloaded, "this gateway has too many calls in flight to this upstream"},
		{ErrClosed, apierror.Overloaded, "this gateway is shutting down or changing its settings"},
		{ErrRequest, apierror.Internal, "the gateway made a request that cannot be sent"},
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.code, k.message
		}
	}
	var timed net.Error
	if errors.As(err, &timed) && timed.Timeout() {
		return apierror.UpstreamTimeout, "the upstream did not answer in time"
	}
	return apierror.UpstreamUnavailable, "the call to the upstream failed"
}
