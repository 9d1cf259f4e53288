package pipeline

import (
	"context"
	"time"
)

// Ephemeral keeps short-lived things that belong to a caller. Nobody else finds them.
type Ephemeral interface {
	// Keep stores values under their ids until ttl is over; all of them, or an error. When it returns
	// nil they are durable, and every node finds them; where the store is a database, signatures are a moment later,
	// and while it is away all that is small is.
	Keep(ctx context.Context, at Place, ttl time.Duration, items ...Item) error
	// Recall finds a value; false when there is none, it has expired, or it belongs to somebody else.
	// An error means that the store failed.
	Recall(ctx context.Context, at Place, id string) ([]byte, bool, error)
	// Forget removes it and reports whether it was there.
	Forget(ctx context.Context, at Place, id string) (bool, error)
}

// Item is a value with the id it is found under. Both may be any bytes.
type Item struct {
	ID    string
	Value []byte
}

// Shelf is what kind of thing is kept; the same id on two shelves is two things.
type Shelf string

// The shelves.
const (
	Signatures Shelf = "sig"    // thought signatures by tool call id
	Responses  Shelf = "resp"   // objects of the Responses API
	Parts      Shelf = "part"   // what is large in those objects, by its hash: a value never changes
	Answers    Shelf = "answer" // cached answers
)

// Place is where a thing is kept: whose it is, and on which shelf.
type Place struct {
	Owner string // of Caller.Owner
	Shelf Shelf
}

// Owner names the caller as the owner of what is kept. A key has its own things; all who know the
// password share theirs, and so do all who need not say who they are.
func (c Caller) Owner() string {
	if c.ID == "" {
		return c.Kind
	}
	return c.Kind + ":" + c.ID // no kind has a colon: nobody's id can make him somebody else
}
