package pipeline

type action uint8

const (
	next action = iota
	respond
	rewind
	restart
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

// Restart is Rewind to a stage that may stand before the Segment in which the stage runs: the Segment ends
// then, whoever ran it goes on as after a failure, and its verdict is not heard. Only where MayRestart.
func Restart(to string) Verdict { return Verdict{act: restart, to: to} }

// MayRestart says whether the walk can still go back to any earlier stage. A Segment that a stream runs cannot,
// be it pulled by the server or gathered in Process.
func (x *Exchange) MayRestart() bool { return !x.walked }
