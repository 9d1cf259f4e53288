package embedded

import "time"

// Format is the version that this build writes.
const Format = format

// Info is the name of the part that says what a file is, and KeyFormat where its version stands.
const (
	Info      = string(inInfo)
	KeyFormat = keyFormat
)

// SealNumber makes a value as the file has it.
func SealNumber(key string, n int64) []byte { return sealNumber(inInfo, []byte(key), n) }

// Sweep sweeps now and says when it would come back. Nobody may write meanwhile.
func (db *DB) Sweep() time.Duration { return db.sweep() }

// What Sweep says when there is nothing left, and when there may be more.
const (
	SweepRest = sweepRest
	SweepMore = sweepMore
)
