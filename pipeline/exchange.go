// Package pipeline is the frame: an Exchange walks down an ordered list of stages and back out.
//
// The list is flat and walked by a loop (loop.go). A list is checked before it is used (check.go),
// frozen in a snapshot (snapshot.go) and swapped while requests flow (engine.go). The package knows
// no HTTP server, no store and no stage.
package pipeline

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Exchange is one client request on its way down the list, and its answer. It is owned by one
// goroutine at a time. Each field has one writer, named in brackets; Header is the exception.
type Exchange struct {
	In           Request       // who asks what, body lookup                            (server)
	Answer       wire.Format   // what the client wants to hear, by route               (server)
	Caller       Caller        // who asks: password holder or API key                  (auth)
	Charge       Charge        // what was reserved for this request                    (quota)
	Asked        wire.Format   // what the body is written in; may differ from Answer   (format)
	WantsStream  bool          // the client asked for events                           (format)
	Model        models.Model  // asked name, base name, features                       (model)
	Fallback     string        // base name of the model to ask instead of one that failed (retry)
	Call         gemini.Call   // hub request: raw bytes and a list of edits            (translate)
	Tools        *gemini.Tools // the client's names of functions, nil when it has none (translate)
	Thread       []byte        // the dialogue so far in the client's own words, where the gateway keeps it (translate)
	Mix          Mix           // tools of Google's own beside functions                 (search)
	SystemAsUser bool          // instructions of the system stand in turns of the user (compat)
	Resumes      bool          // the call asks for the rest of an answer, and there may be none of it (antitrunc)
	Fetch        Fetch         // how Google is asked for the answer                    (fakestream, antitrunc)
	Asking       any           // what the answer has to know of the question, of a type of its language; may be nil (translate)
	Lease        Lease         // the credential in use                                 (credential)
	Attempts     []Attempt     // every call made                                       (upstream, through Try and Report)
	Reply        Reply         // the answer so far                                     (upstream)
	Encoder      wire.Encoder  // hub events to client bytes                            (shape)
	Header       Header        // response headers, until the status line is out        (any)
	Outcome      Outcome       // how it ended                                          (server)
	Blocked      bool          // Google refused the prompt and the client was told in Google's words: no answer  (usage)
	Used         gemini.Usage  // tokens of the answer, as far as it came; known to Enders before usage (usage)

	ctx     context.Context
	sleep   func(context.Context, time.Duration) bool // nil is the real time
	list    *snapshot
	next    int    // where Run goes on after Enter
	at      int    // stage in Process now
	ran     uint64 // bit i: stage i ran, its End is due
	turns   int    // rewinds and segments so far
	running bool   // inside the loop, not inside a stream's Next
	walked  bool   // the walk of Run is over: what runs now runs inside a stream's Next
	restart string // stage before the running Segment that a Restart goes back to
	began   bool   // Begin was called
	returns int
	advice  Advice
	members []wire.Member
	scanned bool
	scanErr *apierror.Error
	notes   []note
	beat    atomic.Int64 // silence between heartbeats, nanoseconds; 0 is never
	grace   atomic.Int64 // silence before the first byte
	timing  time.Time
	room    room
}

// room is memory for what nearly every exchange needs, so that it comes with the exchange.
type room struct {
	members  [8]wire.Member
	attempts [1]Attempt
	notes    [3]note
}

// Caller is who asks.
type Caller struct {
	Kind string // "password", "key" or "anonymous"
	ID   string // key id, "" for the others
	// Group binds the caller to the credentials of a group; "" is bound to none.
	Group string
	// Models are globs of the base names that the caller may ask (models.Matches); none allows all.
	Models []string
}

// May tells whether the caller may ask a model by its base name.
func (c Caller) May(base string) bool {
	return len(c.Models) == 0 || slices.ContainsFunc(c.Models, func(glob string) bool { return models.Matches(glob, base) })
}

// Priced tells that what was paid for is what will be asked; where nobody is charged it always is.
func (x *Exchange) Priced() bool {
	asked := x.Model.Base
	if x.Fallback != "" {
		asked = x.Fallback
	}
	return x.Charge.Key == "" || x.Charge.Base == asked
}

// Charge is what quota reserved for this exchange.
type Charge struct {
	Key   string // key id, "" when nobody is charged
	Base  string // base name of the model that was priced
	Units int64
}

// Attempt is one call to Google.
type Attempt struct {
	Credential string
	Kind       string
	Model      string
	Status     int           // HTTP status of Google, 0 when there was none
	Code       apierror.Code // "" on success
	Start      time.Time
	Took       time.Duration
	Done       bool // reported
}

// Reply is the answer so far: exactly one of Body, Stream and Err is set once there is one.
type Reply struct {
	Body   []byte          // a whole answer in the hub format
	Usage  gemini.Usage    // of a whole answer, where somebody has read it already, also when it comes in events; else zero
	Stream wire.Stream     // an answer that arrives event by event
	Err    *apierror.Error // why there is none
}

// Empty tells that no stage has settled the reply.
func (r *Reply) Empty() bool { return r.Body == nil && r.Stream == nil && r.Err == nil }

// drop closes what is open and forgets the rest.
func (r *Reply) drop() {
	if r.Stream != nil {
		_ = r.Stream.Close()
	}
	*r = Reply{}
}

// Outcome is how an exchange ended.
type Outcome struct {
	Err   *apierror.Error // nil when the client got a whole answer
	Gone  bool            // the client left
	Began bool            // a byte of an answer went out (not of a ping or an error)

	Status int           // what the status line says
	First  time.Duration // from Started to that byte; 0 when none went out
}

// NewExchange makes an exchange for one request. ctx ends when the client leaves.
func NewExchange(ctx context.Context, in Request) *Exchange {
	x := &Exchange{}
	x.Open(ctx, in)
	return x
}

// Open is NewExchange for an exchange that is part of something larger; x must be zero.
func (x *Exchange) Open(ctx context.Context, in Request) {
	x.In, x.ctx, x.timing = in, ctx, time.Now()
	x.Answer, x.Asked = in.Route.Format, in.Route.Format
	x.WantsStream = in.Route.Verb == Streaming
	x.members, x.Attempts, x.notes = x.room.members[:0], x.room.attempts[:0], x.room.notes[:0]
}

// Context ends when the client leaves or the server stops.
func (x *Exchange) Context() context.Context { return x.ctx }

// Started is when the request was taken up.
func (x *Exchange) Started() time.Time { return x.timing }

// Fail puts f into Reply and answers with it: the stages after the turning point still run.
func (x *Exchange) Fail(f *apierror.Error) Verdict {
	x.Reply.drop()
	x.Reply.Err = f
	return Respond
}

// Patience sets how long the server keeps silent: before the status line is sent (grace) and
// between two heartbeats (beat). Zero switches that part off. Callable at any time.
func (x *Exchange) Patience(grace, beat time.Duration) {
	x.grace.Store(int64(grace))
	x.beat.Store(int64(beat))
}

// Grace is the silence the server allows before it sends the status line; 0 is for ever.
func (x *Exchange) Grace() time.Duration { return time.Duration(x.grace.Load()) }

// Beat is the silence the server allows between two heartbeats; 0 is for ever.
func (x *Exchange) Beat() time.Duration { return time.Duration(x.beat.Load()) }

// Sleep waits for d and says whether anybody still waits for the answer.
func (x *Exchange) Sleep(d time.Duration) bool {
	if d <= 0 {
		return x.ctx.Err() == nil
	}
	if x.sleep != nil {
		return x.sleep(x.ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-x.ctx.Done():
		return false
	}
}

type note struct{ key, value any }

// Note gives the private state that a plugin kept under key, a value of a type of its own package.
func (x *Exchange) Note(key any) any {
	for i := range x.notes {
		if x.notes[i].key == key {
			return x.notes[i].value
		}
	}
	return nil
}

// Keep stores private state of a plugin under key until the exchange ends.
func (x *Exchange) Keep(key, value any) {
	for i := range x.notes {
		if x.notes[i].key == key {
			x.notes[i].value = value
			return
		}
	}
	x.notes = append(x.notes, note{key, value})
}
