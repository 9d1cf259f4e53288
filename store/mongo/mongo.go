// Package mongo is the engine that keeps everything in MongoDB.
package mongo

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gcli2api/store"
)

// Options say which database, and how.
type Options struct {
	Address     string        // a secret: it may hold a password
	Database    string        // where the address names none
	Prefix      string        // sets data of ours apart from others in the same database
	Connections int           // at a time, at most; 0 is the driver's own
	Timeout     time.Duration // of one call; 0 is 5 s
	Log         *slog.Logger  // nil logs nothing
}

// DB is the engine. It is made by Open.
type DB struct{ store.Store }

// Open reaches the database once, and brings its schema up to date. An error that is worth another try
// is a *store.Away.
func Open(ctx context.Context, o Options) (*DB, error) {
	return nil, errors.New("MongoDB has not landed yet")
}
