package pipeline

import "errors"

// build makes the snapshot of c beside the current one; the lock is held. Instances whose section
// and answers did not change are kept. On error everything made here is closed again.
func (e *Engine) build(c Settings) (*snapshot, error) {
	plan, err := newPlan(e.kinds, c)
	if err != nil {
		return nil, err
	}
	if err := plan.check(); err != nil {
		return nil, err
	}
	s := &snapshot{engine: e, log: e.log, index: plan.index, turn: plan.turn(), split: plan.split(), revision: c.Revision()}
	s.refs.Store(1)
	old := e.current.Load()
	for i, k := range plan.kinds {
		if err := e.place(s, plan, i, old, c); err != nil {
			e.discard(s)
			var order *OrderError
			if errors.As(err, &order) {
				return nil, err
			}
			return nil, &StageError{Stage: k.Name, cause: err}
		}
	}
	if s.models, err = e.asker("", plan, c).Models(); err != nil { // a list without a stage that asks for them
		e.discard(s)
		return nil, err
	}
	return s, nil
}

// StageError pins a failed build to its stage.
type StageError struct {
	Stage string
	cause error
}

// Error names the stage and what it refused.
func (e *StageError) Error() string { return `stage "` + e.Stage + `": ` + e.cause.Error() }

// Unwrap gives what the stage said.
func (e *StageError) Unwrap() error { return e.cause }

// place fills position i of the new snapshot.
func (e *Engine) place(s *snapshot, p *plan, i int, old *snapshot, c Settings) error {
	k := p.kinds[i]
	at := place{name: k.Name, verbs: k.verbs(), off: p.off[i]}
	b := e.asker(k.Name, p, c)
	if p.off[i] {
		if k.MayBeOff != nil {
			if err := k.MayBeOff(b); err != nil {
				return err
			}
		}
		at.process = k.Off
		if k.Off == nil || p.shadowed(i) {
			at.verbs = 0
		}
		s.stages = append(s.stages, at)
		return nil
	}
	h, err := e.instance(k, b, old, c)
	if err != nil {
		return err
	}
	h.counts++
	at.held, at.process = h, h.stage.Process
	if _, ok := h.stage.(Ender); ok {
		s.enders |= 1 << i
	}
	if _, ok := h.stage.(Recorder); ok {
		s.recorders |= 1 << i
	}
	if _, ok := h.stage.(Beginner); ok {
		s.beginners |= 1 << i
	}
	if _, ok := h.stage.(Repricer); ok {
		s.repricers |= 1 << i
	}
	if st, ok := h.stage.(Starter); ok {
		s.starters = append(s.starters, st)
	}
	s.stages = append(s.stages, at)
	return nil
}

// shadowed says that another enabled stage gives everything the switched-off stage at i would.
func (p *plan) shadowed(i int) bool {
	for _, f := range p.kinds[i].Gives {
		found := false
		for j := range p.kinds {
			found = found || j != i && !p.off[j] && p.gives(j, f)
		}
		if !found {
			return false
		}
	}
	return len(p.kinds[i].Gives) > 0
}

func (e *Engine) asker(name string, p *plan, c Settings) *Build {
	b := &Build{Log: e.log.With("stage", name), name: name, c: c, live: e.live,
		open: e.loopback || c.Bool("pipeline.open"), index: p.index, off: map[string]bool{}}
	for i, k := range p.kinds {
		b.off[k.Name] = p.off[i]
	}
	return b
}

// again is a copy to ask questions with, so that they are not remembered twice.
func (b *Build) again() *Build {
	c := *b
	c.asked, c.rewinds, c.reruns, c.rests, c.befores, c.warns = nil, nil, nil, nil, nil, nil
	return &c
}

// instance keeps the old instance of k where it may, else makes one.
func (e *Engine) instance(k *Kind, b *Build, old *snapshot, c Settings) (*instance, error) {
	hash := c.SectionHash("stage." + k.Name)
	var before *instance
	if old != nil {
		if i, ok := old.index[k.Name]; ok {
			before = old.stages[i].held
		}
	}
	if before != nil && before.hash == hash && before.build.sameAnswers(b.again()) {
		return before, before.build.promises(b)
	}
	stage, err := k.New.make(c, b)
	if err != nil {
		return nil, err
	}
	if a, ok := stage.(Adopter); ok && before != nil {
		a.Adopt(before.stage)
	}
	return &instance{stage: stage, kind: k.Name, hash: hash, build: b}, nil
}

// sameAnswers asks the questions of an earlier build again.
func (b *Build) sameAnswers(now *Build) bool {
	for _, still := range b.asked {
		if !still(now) {
			return false
		}
	}
	return true
}

// promises checks what a kept instance said of the order against the new one.
func (b *Build) promises(now *Build) error {
	for _, to := range b.rewinds {
		if err := now.backTo(to); err != nil {
			return err
		}
	}
	for _, r := range b.reruns {
		if err := now.segment(r[0], r[1]); err != nil {
			return err
		}
	}
	for _, through := range b.rests {
		if err := now.rest(through); err != nil {
			return err
		}
	}
	for _, name := range b.befores {
		if err := now.before(name); err != nil {
			return err
		}
	}
	return nil
}
