package config

// Waiting lists the settings whose feature has not landed yet.
func (s *Snapshot) Waiting() []Param {
	var out []Param
	for _, p := range s.table.params {
		if p.Waits != "" {
			out = append(out, p)
		}
	}
	return out
}

// useless warns of settings that somebody made and that have no effect yet.
func (s *Snapshot) useless() []string {
	var out []string
	for _, p := range s.Waiting() {
		if s.origins[p.Key].Source != "" && !s.isDefault(p.Key) {
			out = append(out, s.origins[p.Key].problem(p.Key, "has no effect: "+p.Waits).String())
		}
	}
	return out
}
