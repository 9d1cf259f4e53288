package pipeline

import (
	"time"

	"gcli2api/pipeline/models"
)

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

// Models is the catalogue of the list in use; before there is one, what is known without any settings.
func (e *Engine) Models() *models.Catalogue {
	if p := e.current.Load(); p != nil {
		return p.models
	}
	c, err := models.New(models.Defaults())
	if err != nil {
		panic(err) // the defaults are right, a test of models says so
	}
	return c
}
