package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gcli2api/store"
)

// Change is one change that somebody made, or tried to.
type Change struct {
	Time   time.Time      `json:"time"`
	ID     string         `json:"id,omitempty"` // exchange id
	Who    string         `json:"who"`          // how they came in
	From   string         `json:"from"`         // address
	What   string         `json:"what"`         // method and route
	Target string         `json:"target,omitempty"`
	Before map[string]any `json:"before,omitempty"` // secrets in it are masked, long texts are cut
	After  map[string]any `json:"after,omitempty"`
	Status int            `json:"status"`
	Times  int            `json:"times,omitempty"` // how often, where many alike are one row
}

// Changed takes a change down; it is durable when Changed returns without an error.
func (l *Log) Changed(ctx context.Context, c Change) error {
	if c.Time.IsZero() {
		c.Time = l.o.Now()
	}
	c.Time = c.Time.UTC().Truncate(time.Microsecond)
	body, err := json.Marshal(l.guarded(c))
	if err != nil {
		return fmt.Errorf("encode a change for the audit: %w", err)
	}
	// Whoever made the change may be gone by now; it is written all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer cancel()
	at := place{c.Time.UnixMicro(), l.node, l.number.Add(1)}
	doc := store.Doc{ID: at.id(), Expires: c.Time.Add(l.o.Settings().Changes), Body: body}
	if _, err := l.o.Store.Put(ctx, store.Changes, doc, store.Any); err != nil {
		return fmt.Errorf("write a change into the audit: %w", err)
	}
	return nil
}

// Search asks for changes. What is empty asks for all.
type Search struct {
	Limit    int    // rows of a page; 0 is 100
	Before   string // cursor: rows behind it
	From, To time.Time
	Who      string
	Address  string
	What     string // part of method and route
	Target   string // part of it
	Status   string // "200" or "4xx"
	ID       string // of the exchange
}

// ChangePage is a part of the list of changes.
type ChangePage struct {
	Rows []Change
	Next string // cursor of the next page; "" when there is nothing more
	Full bool   // the page has as many rows as were asked for; else Next is where the look was broken off
}

// Changes lists what was changed, newest first. It reads a bounded part of it: Next is where to go on.
func (l *Log) Changes(ctx context.Context, q Search) (ChangePage, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	page := ChangePage{Rows: []Change{}}
	start, err := cursorOf(q.Before)
	if err != nil {
		return page, err
	}
	if to := front(q.To); !q.To.IsZero() && to.behind(start) {
		start = to
	}
	floor := l.o.Now().Add(-l.o.Settings().Changes)
	if q.From.After(floor) {
		floor = q.From
	}
	return page, l.look(ctx, q, scan{start.id(), floor}, &page)
}

// scan is the part of the table that is looked at.
type scan struct {
	after string
	floor time.Time
}

func (l *Log) look(ctx context.Context, q Search, s scan, page *ChangePage) error {
	const step = 256
	for docs, size := 0, 0; ; {
		list, err := l.o.Store.List(ctx, store.Changes, s.after, step)
		if err != nil {
			return fmt.Errorf("read the audit: %w", err)
		}
		for _, d := range list {
			s.after, docs, size = d.ID, docs+1, size+len(d.Body)
			at, ok := placeOf(d.ID)
			if ok && at.at < s.floor.UnixMicro() {
				return nil
			}
			var c Change
			if err := json.Unmarshal(d.Body, &c); err != nil || !ok {
				l.o.Log.Error("a row of the audit cannot be read", "id", d.ID, "error", err)
				continue
			}
			if !q.fits(&c) {
				continue
			}
			page.Rows = append(page.Rows, c)
			if len(page.Rows) == q.Limit {
				page.Next, page.Full = d.ID, true
				return nil
			}
		}
		if len(list) < step {
			return nil
		}
		if docs >= budgetDocs || size >= budgetBytes {
			page.Next = s.after
			return nil
		}
	}
}

func (q *Search) fits(c *Change) bool {
	return (q.Who == "" || q.Who == c.Who) &&
		(q.Address == "" || q.Address == c.From) &&
		(q.ID == "" || q.ID == c.ID) &&
		(q.What == "" || strings.Contains(strings.ToLower(c.What), strings.ToLower(q.What))) &&
		(q.Target == "" || strings.Contains(strings.ToLower(c.Target), strings.ToLower(q.Target))) &&
		(q.Status == "" || fitsStatus(q.Status, c.Status))
}
