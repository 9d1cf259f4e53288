// Package wire is about bytes: events of a stream, the JSON scanner, SSE, pooled buffers.
//
// Nothing here decodes a document into values; encoding/json is not used on the data path.
package wire

import "gcli2api/pipeline/apierror"

// Format is a language that a client speaks.
type Format uint8

// The formats; Gemini is also the hub format that every stage sees. OpenAI is chat completions,
// and what is common to OpenAI's other endpoints.
const (
	Gemini Format = iota
	OpenAI
	Completions // OpenAI's legacy completions
	Responses   // OpenAI's Responses API
	Images      // OpenAI's images
	Anthropic   // Anthropic's messages
	formats
)

// String names the format as logs and metrics do.
func (f Format) String() string {
	return [...]string{"gemini", "openai", "completions", "responses", "images", "anthropic", "?"}[min(f, formats)]
}

// ByOpenAI tells the formats that share OpenAI's envelope of errors.
func (f Format) ByOpenAI() bool { return f != Gemini && f != Anthropic }

// Stream is an answer that is pulled event by event.
type Stream interface {
	// Next returns the next event, io.EOF at the end, or why there is none (*apierror.Error).
	// Event.Data is valid until the following Next or Close.
	Next() (Event, error)
	// Close stops the upstream call; the second call does nothing.
	Close() error
}

// Event is one event in the hub format, the envelope of the upstream cut off.
type Event struct {
	Data []byte // one JSON object
	More bool   // the following event is already in memory: no flush needed in between
}

// Encoder turns hub events into client bytes. One per exchange, made by shape for the client's
// format; each call appends to dst and returns it.
type Encoder interface {
	Event(dst, data []byte) ([]byte, error)
	Error(dst []byte, f *apierror.Error) []byte   // in-band error once the status line is out
	Finish(dst []byte) []byte                     // [DONE], final usage chunk, end of an array
	Whole(dst, data []byte) ([]byte, error)       // the non-streaming reply
	Failure(dst []byte, f *apierror.Error) []byte // the body of an error reply with its own status
	Beat() Beat                                   // what keeps a silent client company
}

// Beat is the heartbeat of a format. Clients differ in what they survive (design section 4):
// OpenAI gets an SSE comment, Anthropic an event of its own; Google's SDKs fail on a comment, so for Gemini SSE the next event
// is opened and spaces follow until its JSON does; a Gemini array gets white space.
type Beat struct {
	Open  []byte // first beat of a silence
	More  []byte // every further beat of the same silence
	Joins bool   // Open is the beginning of the next event, which must then come without it
}

// Heartbeat gives the beat of a format; array is the JSON array form of a Gemini stream.
func Heartbeat(f Format, array bool) Beat {
	switch {
	case f == Anthropic:
		return Beat{Open: []byte("event: ping\ndata: {\"type\":\"ping\"}\n\n"), More: []byte("event: ping\ndata: {\"type\":\"ping\"}\n\n")}
	case f != Gemini:
		return Beat{Open: []byte(": ping\n\n"), More: []byte(": ping\n\n")}
	case array:
		return Beat{Open: []byte("\n"), More: []byte("\n")}
	}
	return Beat{Open: []byte("data: "), More: []byte(" "), Joins: true}
}
