package nodes

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// State says whether a node is up.
type State string

// The states of a node.
const (
	Up   State = "up"
	New  State = "unheard" // its document is there, but has not been seen to go on yet
	Gone State = "gone"
)

// View is a node as another one sees it: ages, because clocks may differ.
type View struct {
	Node
	ID       string
	This     bool // it is the one that looks
	State    State
	Up       time.Duration // from its start to its last document
	Silent   time.Duration // since its last document
	ErrorAge time.Duration // of its error
}

// Nodes lists all that are known, this one first, then by host and address.
func (l *List) Nodes() []View {
	own, now := l.report(), l.opt.Now()
	l.mu.Lock()
	out := make([]View, 0, len(l.others)+1)
	for id, o := range l.others {
		v := View{Node: o.Node, ID: id, State: New, Silent: max(now.Sub(o.heard), 0)}
		switch {
		case v.Silent > goneAfter:
			v.State = Gone
		case o.running:
			v.State = Up
		}
		out = append(out, v)
	}
	l.mu.Unlock()
	slices.SortFunc(out, func(a, b View) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Address, b.Address), cmp.Compare(a.ID, b.ID))
	})
	out = slices.Insert(out, 0, View{Node: own, ID: l.id, This: true, State: Up})
	for i := range out {
		v := &out[i]
		v.Up = max(v.Seen.Sub(v.Started), 0)
		if !v.ErrorAt.IsZero() {
			v.ErrorAge = max(v.Seen.Sub(v.ErrorAt), 0) + v.Silent
		}
	}
	return out
}

// Summary says how many of the nodes that are not gone have the newest settings of the panel in force.
func Summary(all []View) (text string, revision int64) {
	there, newest := 0, 0
	for _, v := range all {
		if v.State != Gone {
			there++
			revision = max(revision, v.Revision)
		}
	}
	for _, v := range all {
		if v.State != Gone && v.Revision == revision {
			newest++
		}
	}
	if there == 1 {
		return fmt.Sprintf("1 node, on revision %d", revision), revision
	}
	return fmt.Sprintf("%d of %d nodes on revision %d", newest, there, revision), revision
}
