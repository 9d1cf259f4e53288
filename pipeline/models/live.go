package models

import "sync/atomic"

// Live is the list of models that Google serves, as it was read last. It may be shared, and so
// outlives every Catalogue; the zero value is an empty list.
type Live struct{ now atomic.Pointer[served] }

// served is one state of the list; it never changes.
type served struct {
	list  []Entry
	index map[string]int // base -> place in list
}

// Served is a model as Google lists it. Zero limits mean the default.
type Served struct {
	Name    string // without "models/"
	Display string
	Input   int
	Output  int
	Embeds  bool // makes vectors and no words
}

// Set puts a list into force and tells how many of its models have a name that can be asked for, each
// counted once.
func (l *Live) Set(list []Served) int {
	s := &served{index: make(map[string]int, len(list))}
	for _, m := range list {
		if _, twice := s.index[m.Name]; twice || plain(m.Name) != nil {
			continue
		}
		e := entry(m.Name)
		e.Display, e.Embeds = m.Display, m.Embeds
		if m.Input > 0 {
			e.Input = m.Input
		}
		if m.Output > 0 {
			e.Output = m.Output
		}
		s.index[m.Name] = len(s.list)
		s.list = append(s.list, e)
	}
	l.now.Store(s)
	return len(s.list)
}

// models is the list in the order of Google. A nil Live has none.
func (l *Live) models() []Entry {
	if l == nil {
		return nil
	}
	if s := l.now.Load(); s != nil {
		return s.list
	}
	return nil
}

// lookup finds a base.
func (l *Live) lookup(base string) (Entry, bool) {
	if l == nil {
		return Entry{}, false
	}
	s := l.now.Load()
	if s == nil {
		return Entry{}, false
	}
	i, ok := s.index[base]
	if !ok {
		return Entry{}, false
	}
	return s.list[i], true
}
