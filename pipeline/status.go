package pipeline

import "time"

// Status is what the operator sees of the engine.
type Status struct {
	Revision  string
	Number    uint64 // applies that took effect
	Stages    []StageStatus
	LastError string // of the last Apply, "" when it took effect
	LastApply time.Time
}

// StageStatus is one place of the list.
type StageStatus struct {
	Name    string
	Does    string
	Enabled bool
	Fault   string // last panic, "" when there was none
}

// Status describes the list in use.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Status{LastApply: e.lastAt}
	if e.lastErr != nil {
		s.LastError = e.lastErr.Error()
	}
	p := e.current.Load()
	if p == nil {
		return s
	}
	s.Revision, s.Number = p.revision, p.number
	for _, at := range p.stages {
		s.Stages = append(s.Stages, StageStatus{Name: at.name, Does: e.kinds[at.name].Does, Enabled: !at.off, Fault: e.faults[at.name]})
	}
	return s
}
