package pipeline

type action uint8

const (
	next action = iota
	respond
	rewind
	past
)

// Verdict is what a stage decides at the end of Process.
type Verdict struct {
	act action
	to  string
	i   int
}

var (
	// Next goes on with the following stage.
	Next = Verdict{act: next}
	// Respond says that the reply is here: go on after the stage that settles it.
	Respond = Verdict{act: respond}
)

// Rewind goes back to an earlier stage, declared by Build.GoesBackTo. The reply is closed and forgotten.
func Rewind(to string) Verdict { return Verdict{act: rewind, to: to} }
