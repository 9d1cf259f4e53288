package pipeline

import (
	"fmt"
	"math/bits"
	"runtime/debug"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
)

// maxTurns bounds rewinds and segments of one exchange, whatever the stages decide.
const maxTurns = 64

// walk runs the list from stage i through the last one of the stretch [from, through]. It comes
// back after a panic in a stage, which has become the reply by then.
func (p *snapshot) walk(x *Exchange, i, from, through int) {
	outer := x.running
	x.running = true
	for i <= through {
		i = p.stretch(x, i, from, through)
	}
	x.running = outer
}

// stretch is the whole loop. It returns early only when a stage panicked.
func (p *snapshot) stretch(x *Exchange, i, from, through int) (at int) {
	defer func() {
		if r := recover(); r != nil {
			at = p.panicked(x, r)
		}
	}()
	verb := uint8(1) << x.In.Route.Verb
	for i <= through {
		s := &p.stages[i]
		if s.verbs&verb == 0 {
			i++
			continue
		}
		x.at, x.ran = i, x.ran|1<<i
		v := s.process(x)
		if x.restart != "" { // a Segment that the stage ran has ended for it
			v, x.restart = Restart(x.restart), ""
		}
		switch v.act {
		case next:
			i++
		case respond:
			i = max(i, p.turn) + 1
		case rewind:
			i = p.back(x, v.to, from, i)
		case restart:
			if p.index[v.to] < from {
				x.restart = v.to
				x.Fail(apierror.New(apierror.Internal, "the request is made again"))
				return through + 1
			}
			i = p.back(x, v.to, from, i)
		case past:
			i = v.i + 1
		}
	}
	return i
}

// back is where a rewind goes on; too many of them end the exchange instead.
func (p *snapshot) back(x *Exchange, to string, from, i int) int {
	x.turns++
	if x.turns > maxTurns {
		x.Fail(apierror.Newf(apierror.Internal, "the request went back %d times without an answer", maxTurns))
		return max(i, p.turn) + 1
	}
	x.Reply.drop()
	return max(from, p.index[to])
}

// panicked turns a panic of the stage at x.at into the reply and says where to go on.
func (p *snapshot) panicked(x *Exchange, r any) int {
	s := &p.stages[x.at]
	p.engine.report(s.name, "stage panicked", fmt.Errorf("%v", r))
	p.log.Error("stage panicked", "stage", s.name, "id", x.In.ID, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	x.Fail(apierror.New(apierror.Internal, "the gateway failed to handle this request"))
	return max(x.at, p.turn) + 1
}

// begin calls the Beginners that ran, once, before the first byte of an answer.
func (p *snapshot) begin(x *Exchange) *apierror.Error {
	if x.began {
		return nil
	}
	x.began = true
	for ran := x.ran & p.beginners; ran != 0; ran &= ran - 1 {
		i := bits.TrailingZeros64(ran)
		if f := p.stages[i].held.stage.(Beginner).Begin(x); f != nil {
			return f
		}
	}
	return nil
}

// Reprice tells the stages that have taken a price that the request is going to ask m instead. It comes
// before the first byte of an answer; an error means that m must not be asked.
func (x *Exchange) Reprice(m models.Model) *apierror.Error {
	if x.list == nil || x.began {
		return nil
	}
	for ran := x.ran & x.list.repricers; ran != 0; ran &= ran - 1 {
		i := bits.TrailingZeros64(ran)
		if f := x.list.stages[i].held.stage.(Repricer).Reprice(x, m); f != nil {
			return f
		}
	}
	return nil
}

// closeReply closes what is still open; a wrapper of a plugin that panics there ends only itself.
func (p *snapshot) closeReply(x *Exchange) {
	defer func() {
		if r := recover(); r != nil {
			p.log.Error("stream panicked while it was closed", "id", x.In.ID, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	if x.Reply.Stream != nil {
		_ = x.Reply.Stream.Close()
	}
}

// end calls the Enders that ran, last one first, then the Recorders. A panic in one does not keep the others
// from it.
func (p *snapshot) end(x *Exchange) {
	for ran := x.ran & p.enders; ran != 0; {
		i := 63 - bits.LeadingZeros64(ran)
		ran &^= 1 << i
		p.endOne(x, i)
	}
	for ran := x.ran & p.recorders; ran != 0; ran &= ran - 1 {
		p.recordOne(x, bits.TrailingZeros64(ran))
	}
}

func (p *snapshot) endOne(x *Exchange, i int) {
	defer p.survive(x, i)
	p.stages[i].held.stage.(Ender).End(x)
}

func (p *snapshot) recordOne(x *Exchange, i int) {
	defer p.survive(x, i)
	p.stages[i].held.stage.(Recorder).Record(x)
}

// survive is deferred by what runs at the end of an exchange.
func (p *snapshot) survive(x *Exchange, i int) {
	if r := recover(); r != nil {
		p.engine.report(p.stages[i].name, "end panicked", fmt.Errorf("%v", r))
		p.log.Error("end of stage panicked", "stage", p.stages[i].name, "id", x.In.ID, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	}
}
