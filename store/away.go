package store

import "fmt"

// Away says that an engine could not be reached, or did not answer in time: another try may go
// better. What was asked for may have been done all the same.
type Away struct {
	Engine string // "Redis", "Postgres", "MongoDB"
	Err    error  // without a password
}

// Error names the engine.
func (a *Away) Error() string { return fmt.Sprintf("%s cannot be reached: %v", a.Engine, a.Err) }

// Unwrap gives the cause.
func (a *Away) Unwrap() error { return a.Err }
