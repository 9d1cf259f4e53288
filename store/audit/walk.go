package audit

import (
	"bytes"
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"time"

	"gcli2api/store"
)

// walk goes through the rows of all nodes, newest first. The documents come in the order of their oldest
// rows, and a document covers the time of a window at most: a row may be given out when all documents have
// been seen that begin less than a window before it.
type walk struct {
	l       *Log
	ctx     context.Context
	start   place // rows in front of it are not asked for
	floor   int64 // and those before this time neither
	needles [][]byte

	after  string          // where the list goes on
	bound  int64           // documents that are not yet seen begin here or earlier
	listed bool            // there are no more of them
	mine   map[string]bool // documents that are in memory, and newer there
	open   stacks
	rows   int // read so far
	bytes  int
	docs   int
	ended  bool
}

// stack is a document with rows that are yet to come.
type stack struct {
	from place
	top  place  // of its newest row that is yet to come
	body []byte // until it is read
	rows []line
	made *chunk // instead of a body
}

// stacks has the newest row in front.
type stacks []*stack

func (s stacks) Len() int           { return len(s) }
func (s stacks) Less(i, j int) bool { return s[j].top.behind(s[i].top) }
func (s stacks) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *stacks) Push(x any)        { *s = append(*s, x.(*stack)) }
func (s *stacks) Pop() any {
	old := *s
	last := old[len(old)-1]
	*s = old[:len(old)-1]
	return last
}

func (l *Log) walk(ctx context.Context, q Query) (*walk, error) {
	start, err := cursorOf(q.Before)
	if err != nil {
		return nil, err
	}
	if !q.To.IsZero() {
		if to := front(q.To); to.behind(start) {
			start = to
		}
	}
	floor := l.o.Now().Add(-l.o.Settings().Requests)
	if q.From.After(floor) {
		floor = q.From
	}
	w := &walk{l: l, ctx: ctx, start: start, floor: floor.UnixMicro(), needles: q.needles(), after: invert(start.at), bound: start.at, mine: map[string]bool{}}
	w.memory() // before the store, or what is written in between would be in neither
	return w, nil
}

// memory begins with what is not yet in the store as a whole.
func (w *walk) memory() {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	for _, c := range append([]*chunk{w.l.rows.open}, w.l.rows.waiting...) {
		if c == nil {
			continue
		}
		w.mine[c.from.id()] = true
		if !c.from.behind(w.start) {
			continue // else many of them would be the whole budget of every look
		}
		c = new(*c)
		w.push(&stack{from: c.from, made: c}, c.slots[len(c.slots)-1].at, len(c.slots))
	}
}

func (w *walk) push(s *stack, last int64, n int) {
	s.top = place{last, s.from.node, s.from.no + uint64(n) - 1}
	heap.Push(&w.open, s)
}

// next is the next row and its place. Without one, the walk has ended, or it has read as much as one may
// and goes on behind that place another time.
func (w *walk) next() (*Request, place, error) {
	for {
		if err := w.ctx.Err(); err != nil {
			return nil, place{}, err
		}
		reach := w.reach()
		from := place{reach.at, reach.node, reach.no + 1} // what comes behind it has not been seen
		switch {
		case reach.at < w.floor:
			w.ended = true
			return nil, reach, nil
		case w.spent() && from.behind(w.start):
			return nil, from, nil
		case !w.listed && (len(w.open) == 0 || w.open[0].top.at <= w.horizon()):
			if err := w.list(); err != nil {
				return nil, place{}, err
			}
			continue
		}
		if s := w.open[0]; s.rows == nil {
			w.read(s)
			continue
		}
		r, at := w.take()
		return r, at, nil
	}
}

func (w *walk) spent() bool {
	return w.rows >= budgetRows || w.bytes >= budgetBytes || w.docs >= budgetDocs
}

// horizon is the time that rows in documents which are not yet seen may have; negative when there are none.
func (w *walk) horizon() int64 {
	switch far := w.bound + window.Microseconds(); {
	case w.listed:
		return -1
	case far < w.bound:
		return math.MaxInt64
	default:
		return far
	}
}

// reach is how far the walk has come: everything in front of it has been seen.
func (w *walk) reach() place {
	p := place{at: -1}
	if len(w.open) > 0 {
		p = w.open[0].top
	}
	if far := w.horizon(); far >= p.at {
		p = place{at: far}
	}
	if w.start.behind(p) {
		return w.start
	}
	return p
}

// take gives out the row in front.
func (w *walk) take() (*Request, place) {
	s := w.open[0]
	at, r := s.top, s.rows[len(s.rows)-1].request()
	s.rows = s.rows[:len(s.rows)-1]
	if len(s.rows) == 0 {
		heap.Pop(&w.open)
		return &r, at
	}
	s.top = place{s.rows[len(s.rows)-1].At, s.from.node, at.no - 1}
	heap.Fix(&w.open, 0)
	return &r, at
}

const (
	fewDocs  = 16 // are listed at a time,
	manyDocs = 256
	lightDoc = 4 << 10 // or so many where they are of this size
)

// list sees more documents.
func (w *walk) list() error {
	step := fewDocs
	if w.docs > 0 && w.bytes/w.docs < lightDoc {
		step = manyDocs
	}
	docs, err := w.l.o.Store.List(w.ctx, store.Requests, w.after, step)
	if err != nil {
		return fmt.Errorf("read the log of requests: %w", err)
	}
	w.listed = len(docs) < step
	w.docs += len(docs)
	for _, d := range docs {
		w.after = d.ID
		w.bytes += len(d.Body)
		from, ok := placeOf(d.ID)
		if !ok {
			continue
		}
		if w.bound = from.at; from.at+window.Microseconds() < w.floor {
			w.listed = true
			break
		}
		if w.mine[d.ID] || !w.holds(d.Body) {
			continue
		}
		last, n, ok := head(d.Body)
		if ok && n > 0 {
			w.push(&stack{from: from, body: d.Body}, last, n)
		}
	}
	return nil
}

// holds tells whether a row of a document may fit.
func (w *walk) holds(body []byte) bool {
	for _, n := range w.needles {
		if !bytes.Contains(body, n) {
			return false
		}
	}
	return true
}

// head reads the beginning of a document.
func head(body []byte) (last int64, n int, ok bool) {
	var v int
	_, err := fmt.Sscanf(string(body[:min(len(body), 60)]), `{"v":%d,"last":%d,"n":%d,`, &v, &last, &n)
	return last, n, err == nil && v == version
}

// read decodes the document in front, and leaves of it what is asked for. What it has is then where it
// belongs in the order.
func (w *walk) read(s *stack) {
	lines := w.lines(s)
	w.rows += len(lines)
	keep := sort.Search(len(lines), func(i int) bool {
		return !(place{lines[i].At, s.from.node, s.from.no + uint64(i)}).behind(w.start)
	})
	if keep == 0 {
		heap.Pop(&w.open)
		return
	}
	s.rows, s.body, s.made = lines[:keep], nil, nil
	s.top = place{lines[keep-1].At, s.from.node, s.from.no + uint64(keep) - 1}
	heap.Fix(&w.open, 0)
}

func (w *walk) lines(s *stack) []line {
	if s.made != nil {
		all := make([]line, len(s.made.slots))
		for i := range all {
			all[i] = lineOf(s.made.row(i))
		}
		return all
	}
	var sh sheet
	if err := json.Unmarshal(s.body, &sh); err != nil || len(sh.Rows) == 0 {
		w.l.o.Log.Error("a document of the log of requests cannot be read", "id", s.from.id(), "at", time.UnixMicro(s.from.at).UTC(), "error", err)
		return nil
	}
	return sh.Rows
}
