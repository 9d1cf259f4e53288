package pipeline

// Fetch is how Google is asked for an answer.
type Fetch uint8

// The ways to fetch an answer.
const (
	AsAsked  Fetch = iota // as the client wants it
	InOne                 // in one piece, also for a client that wants events
	InEvents              // event by event, also for a client that wants none
)

// Events says whether Google is asked for events: what comes back is Reply.Stream then, else Reply.Body.
func (x *Exchange) Events() bool {
	if v := x.In.Route.Verb; v != Generate && v != Streaming {
		return false
	}
	return x.Fetch == InEvents || x.Fetch == AsAsked && x.WantsStream
}
