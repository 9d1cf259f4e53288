package pipeline

import "gcli2api/pipeline/config"

// warning is something in the configuration that will not do what it says.
type warning struct {
	key     []string
	message string
}

// warnings are what the stages of a checked list had to say, and what is lost because a stage is missing.
func (e *Engine) warnings(s *snapshot, c *config.Snapshot) (all config.Problems) {
	for _, at := range s.stages {
		if at.held == nil {
			continue
		}
		for _, w := range at.held.build.warns {
			all = append(all, c.Problem(w.key, w.message))
		}
	}
	for _, name := range e.names {
		why := ""
		if i, there := s.index[name]; !there {
			why = `pipeline.order does not name the stage "` + name + `"`
		} else if s.stages[i].off {
			why = `the stage "` + name + `" is switched off`
		}
		for _, h := range e.kinds[name].Heeds {
			if why != "" && c.Says(h.Key) {
				all = append(all, c.Problem(h.Key, lost(h)+": "+why))
			}
		}
	}
	return all.Sorted()
}

func lost(h Heed) string {
	if h.Lost == "" {
		return "has no effect"
	}
	return h.Lost
}
