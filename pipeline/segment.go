package pipeline

import "gcli2api/pipeline/apierror"

// Segment is a stretch of the list that a stage runs by itself, in Process or later inside a
// stream's Next. Segments nest: the stretch of one may hold a stage that takes another.
type Segment struct{ from, through int }

// Segment takes the stretch between two stages, both included; declared by Build.Reruns.
func (x *Exchange) Segment(from, through string) Segment {
	return Segment{x.list.index[from], x.list.index[through]}
}

// Rest takes the stretch from the stage after this one; declared by Build.RerunsRest.
func (x *Exchange) Rest(through string) Segment {
	return Segment{x.at + 1, x.list.index[through]}
}

// Run runs the stretch on the exchange's own snapshot, rewinds inside it included, and gives its
// reply. In Process the reply also stands in x.Reply, and one that stood there before is closed.
// Inside a Next the reply belongs to the caller, who closes it; x.Reply is what is being pulled
// then and stays untouched.
func (s Segment) Run(x *Exchange) Reply {
	at, outer := x.at, x.Reply
	if x.running {
		outer.drop()
	}
	x.Reply = Reply{}
	if x.turns++; x.turns > maxTurns {
		x.Reply.Err = apierror.Newf(apierror.Internal, "the request went back %d times without an answer", maxTurns)
	} else {
		x.list.walk(x, s.from, s.from, s.through)
	}
	x.at = at
	inner := x.Reply
	if !x.running {
		x.Reply = outer
	}
	return inner
}

// Instead ends Process after the stretch was run: the list goes on behind it.
func (s Segment) Instead() Verdict { return Verdict{act: past, i: s.through} }
