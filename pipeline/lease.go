package pipeline

import (
	"time"

	"gcli2api/pipeline/apierror"
)

// Lease is a credential in use by one exchange, handed out by the pool.
type Lease interface {
	ID() string      // stable name of the credential
	Kind() string    // "codeassist", "gemini" or "vertex": chooses the upstream client
	Token() string   // access token or API key
	Project() string // "" for API keys
	Proxy() string   // where its calls go out, as outbound.proxy is written; "" for the way of all others
	// Report tells the pool how the call ended, at once, also from inside a stream; nil is success.
	Report(f *apierror.Error) Advice
	// Release gives the credential back; the second call does nothing.
	Release()
}

// Hears is a lease that wants to know when an answer begins to arrive, before anybody knows how it ends.
type Hears interface{ Began() }

// Again says whether another call is worth it.
type Again uint8

// What a lease advises after a call.
const (
	No    Again = iota // pass the answer on
	Same               // the same credential, after Wait
	Other              // one not yet tried in this exchange is free now: no pause, nothing spent
	Later              // all were tried: come back to one of them after Wait
)

// Advice is what the pool makes of a failed call.
type Advice struct {
	Again Again
	Wait  time.Duration
	// Free is when the pool can serve the model again, after a 429 that left it with nothing: what a
	// client is told whose request ends here. Google's own word is about one credential, and beside a
	// daily quota it is wrong (protocol 4.7). 0 when it is unknown or something is free.
	Free time.Duration
	// Next is the credential to take for the other call, "" for whichever is free.
	Next string
	// Model says that it is the model that failed, and not the request or the credential: another one may
	// be able to serve.
	Model bool
}

// Try opens the record of one call to Google with the lease in use.
func (x *Exchange) Try() {
	x.advice = Advice{}
	x.Attempts = append(x.Attempts, Attempt{
		Credential: x.Lease.ID(), Kind: x.Lease.Kind(), Model: x.Model.Base, Start: time.Now(),
	})
}

// Report closes the record of the running call and tells the lease; f nil is success. Advice has
// the answer afterwards. Only the first report of a call counts.
func (x *Exchange) Report(f *apierror.Error) {
	if len(x.Attempts) == 0 {
		return
	}
	a := &x.Attempts[len(x.Attempts)-1]
	if a.Done {
		return
	}
	a.Done, a.Took, a.Status = true, time.Since(a.Start), 200
	if f != nil {
		a.Code, a.Status = f.Code, 0
		if f.Said != nil {
			a.Status = f.Said.HTTP
		}
	}
	if x.Lease != nil {
		x.advice = x.Lease.Report(f)
	}
}

// Hear tells the lease that an answer begins to arrive.
func (x *Exchange) Hear() {
	if l, ok := x.Lease.(Hears); ok {
		l.Began()
	}
}

// Advice is what the lease said of the last call, or the pool when it lent nothing.
func (x *Exchange) Advice() Advice { return x.advice }

// Advise keeps what the pool says where it lends nothing: there is no call to report on then.
func (x *Exchange) Advise(a Advice) { x.advice = a }

// Returns counts the goes at a credential already tried.
func (x *Exchange) Returns() int { return x.returns }

// Return counts one more go at a credential already tried.
func (x *Exchange) Return() { x.returns++ }
