// Package store is the narrow waist between what the gateway remembers and where it is kept.
//
// Everything is either a document (JSON with a revision, written by compare-and-set) or a counter
// (a number that only ever moves by differences). An engine keeps both; storetest says what it has
// to promise. Docs gives documents a type.
package store

import (
	"context"
	"errors"
	"time"
)

// Table names a group of documents. Its ids are its own: the same id in two tables is two documents.
type Table string

// The tables.
const (
	CredentialStates Table = "credstate" // what the pool learned about a credential
	Keys             Table = "key"       // API keys by the hash of the key that they were made with
	KeyUse           Table = "keyuse"    // when API keys were last used, many in a document
	Costs            Table = "cost"      // prices of models
	Settings         Table = "setting"   // the panel's overrides
	Short            Table = "short"     // things with an expiry and an owner
	Panel            Table = "panel"     // login epoch and secret of the panel
	Requests         Table = "reqlog"    // the log of requests, many rows a document (audit)
	Changes          Table = "audit"     // what was changed in the panel, newest first
	Imports          Table = "import"    // what was taken over from older layouts, by the hash of its content
	Credentials      Table = "cred"      // credential files, by name, where the engine is a database
	Nodes            Table = "node"      // the gateways on this store
	Batches          Table = "once"      // ids of AddOnce; an engine may keep them elsewhere
)

// Tables are all of them that outlive a move to another engine. What is not here is of one engine only.
func Tables() []Table {
	return []Table{CredentialStates, Keys, KeyUse, Costs, Settings, Short, Panel, Requests, Changes, Imports, Credentials}
}

// Rev counts the writes of one document, from 1.
type Rev int64

// What a write expects of the document; any other Rev means "as I read it".
const (
	New Rev = 0  // there is none
	Any Rev = -1 // whatever there is
)

// Doc is one document.
type Doc struct {
	ID      string
	Rev     Rev       // of the last write; Put ignores it
	Expires time.Time // zero for never; kept to the millisecond. An expired document is not there
	Body    []byte    // one JSON value, kept byte for byte
}

// Delta is a difference to a counter.
type Delta struct {
	Counter string
	N       int64
}

// Change tells that a document may have changed. An empty ID stands for the whole table, an empty
// Table for everything.
type Change struct {
	Table Table
	ID    string
}

// The limits of what an engine takes; anything beyond is ErrInvalid. They are those of the
// narrowest engine, so that nobody is surprised by a move.
const (
	MaxName = 512     // bytes of an id, the name of a counter or of a claim: UTF-8 without control characters, at least one byte
	MaxBody = 8 << 20 // bytes of a body
)

// OnceFor is how long an engine remembers the id of an AddOnce, at the least.
const OnceFor = 24 * time.Hour

// What can go wrong. Engines wrap these; everything else means that the engine failed, and then
// nothing is known about what was asked for.
var (
	ErrNotFound  = errors.New("there is no such document")
	ErrConflict  = errors.New("the document was changed by somebody else")
	ErrExhausted = errors.New("the counter's limit does not allow this")
	ErrInvalid   = errors.New("this cannot be stored")
	ErrClosed    = errors.New("the store is closed")
)

// Store is an engine. It is safe for concurrent use. A write that returned without an error is
// durable: it survives a crash of this process. A write that is followed by another one to the same
// name is never reordered with it.
type Store interface {
	// Get reads a document; ErrNotFound when there is none or it has expired.
	Get(ctx context.Context, t Table, id string) (Doc, error)

	// List reads up to limit documents whose id sorts behind after, in the order of their bytes.
	// Fewer than limit means that there are no more. limit must be positive.
	List(ctx context.Context, t Table, after string, limit int) ([]Doc, error)

	// Put writes a document if it is as when says, else it returns ErrConflict and changes nothing.
	// Writing to a revision of a document that is gone is ErrConflict as well. The revision of a
	// document that was deleted or has expired may begin anew.
	Put(ctx context.Context, t Table, d Doc, when Rev) (Rev, error)

	// Delete removes a document if it is as when says; ErrNotFound when there is none, whatever when
	// says.
	Delete(ctx context.Context, t Table, id string, when Rev) error

	// Take adds n to a counter if the sum stays within limit, and returns what is left of the limit
	// then. If it does not fit, nothing changes: left is what is left now (zero when the limit has
	// been lowered below the counter), with ErrExhausted. n must not be negative.
	Take(ctx context.Context, counter string, n, limit int64) (left int64, err error)

	// Add applies all differences, or none. No counter goes below zero or beyond the largest int64: it
	// stops there.
	Add(ctx context.Context, deltas []Delta) error

	// AddOnce is Add, but of all calls with one id within OnceFor only one is applied, whatever became
	// of the others: a call whose answer was lost can be made again, also while the first one may still
	// be under way. The id is a name of the caller's own making, never used for other differences.
	AddOnce(ctx context.Context, id string, deltas []Delta) error

	// Counters reads the counters whose name begins with prefix. Those at zero may be left out, and so may
	// one that somebody spoilt in the database: Take and Add say that it is broken.
	Counters(ctx context.Context, prefix string) (map[string]int64, error)

	// Claim takes or renews a lease. It is true while the owner holds it. A lease that has run out may
	// be claimed by anybody. A ttl of zero or less gives up a lease that the owner holds, and is false.
	Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error)

	// Watch sends hints about changes until ctx is over, then the channel is closed. Hints can be
	// lost, doubled or late; Revision is the truth. A reader that is slow loses hints, it never
	// holds up a writer.
	Watch(ctx context.Context) (<-chan Change, error)

	// Revision grows with every change of a document. Counters do not move it.
	Revision(ctx context.Context) (int64, error)

	// Close ends what is under way and gives the store back. Every later call is ErrClosed; a second
	// Close does nothing.
	Close() error
}

// Alone tells that nobody but this process can write to a store while it is open.
func Alone(s Store) bool {
	a, can := s.(interface{ Alone() bool })
	return can && a.Alone()
}
