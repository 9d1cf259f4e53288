package store

// Pool is how the connections to a database are used.
type Pool struct {
	InUse, Idle int
	Max         int // at a time
}
