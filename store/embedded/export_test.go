package embedded

// Format is the version that this build writes.
const Format = format

// Info is the name of the part that says what a file is, and KeyFormat where its version stands.
const (
	Info      = string(inInfo)
	KeyFormat = keyFormat
)

// SealNumber makes a value as the file has it.
func SealNumber(key string, n int64) []byte { return sealNumber(inInfo, []byte(key), n) }

// Sweep sweeps now, and Due is how many documents wait to be swept. Nobody may write meanwhile.
func (db *DB) Sweep() { db.sweep() }
