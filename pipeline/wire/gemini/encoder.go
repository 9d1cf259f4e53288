package gemini

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// NewEncoder encodes for Gemini clients. stream is a stream of events, as SSE or, with array, as
// one JSON array like Google's without alt=sse; without stream it is one whole reply.
func NewEncoder(stream, array bool) wire.Encoder {
	switch {
	case !stream:
		return whole{}
	case array:
		return &list{}
	}
	return events{}
}

// whole is a reply that is no stream; only Whole and Failure are of use.
type whole struct{}

func (whole) Event(dst, data []byte) ([]byte, error)       { return append(dst, data...), nil }
func (whole) Whole(dst, data []byte) ([]byte, error)       { return append(dst, data...), nil }
func (whole) Error(dst []byte, f *apierror.Error) []byte   { return AppendError(dst, f) }
func (whole) Failure(dst []byte, f *apierror.Error) []byte { return AppendError(dst, f) }
func (whole) Finish(dst []byte) []byte                     { return dst }
func (whole) Beat() wire.Beat                              { return wire.Beat{} }

// events writes SSE with the line ends that Google uses.
type events struct{ whole }

func (events) Event(dst, data []byte) ([]byte, error) {
	dst = wire.AppendLine(append(dst, "data: "...), data)
	return append(dst, "\r\n\r\n"...), nil
}

func (events) Error(dst []byte, f *apierror.Error) []byte {
	dst = AppendError(append(dst, "data: "...), f)
	return append(dst, "\r\n\r\n"...)
}

func (events) Beat() wire.Beat { return wire.Heartbeat(wire.Gemini, false) }

// list writes a JSON array, which is closed exactly once: by Finish, or by Error.
type list struct {
	whole
	begun, closed bool
}

func (l *list) Event(dst, data []byte) ([]byte, error) {
	return append(l.open(dst), data...), nil
}

func (l *list) Error(dst []byte, f *apierror.Error) []byte {
	if l.closed {
		return dst
	}
	return l.Finish(AppendError(l.open(dst), f))
}

func (l *list) Finish(dst []byte) []byte {
	if l.closed {
		return dst
	}
	if !l.begun {
		dst = append(dst, '[')
	}
	l.closed = true
	return append(dst, ']')
}

func (l *list) Beat() wire.Beat { return wire.Heartbeat(wire.Gemini, true) }

func (l *list) open(dst []byte) []byte {
	if l.begun {
		return append(dst, ",\r\n"...)
	}
	l.begun = true
	return append(dst, '[')
}
