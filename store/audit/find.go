package audit

import (
	"context"
	"strconv"
	"strings"
	"time"

	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

// Query asks for requests. What is empty asks for all.
type Query struct {
	Limit      int    // rows of a page; 0 is 100
	Before     string // cursor: rows behind it
	From, To   time.Time
	Key        string
	Credential string
	Model      string // glob
	Status     string // "429" or "4xx"
	Code       string
	Route      string // glob
	Text       string // part of an id: of the exchange, the key or the credential
	id         string // of the one exchange
}

// Page is what a look into the log found.
type Page struct {
	Rows []Request
	Next string // cursor of the next page; "" when there is nothing more
	Full bool   // the page has as many rows as were asked for; else Next is where the look was broken off
	Lost int64  // requests that this process could not write down
}

const (
	defaultLimit = 100
	// MaxLimit is how many rows a page may have.
	MaxLimit = 1000
	// What one look reads at most, or a question that fits little would read everything.
	budgetRows  = 20_000
	budgetBytes = 32 << 20
	budgetDocs  = 4096
)

// StatusOK tells whether a text is a filter of Query.Status.
func StatusOK(text string) bool {
	if len(text) != 3 || text[0] < '1' || text[0] > '5' {
		return false
	}
	if strings.EqualFold(text[1:], "xx") {
		return true
	}
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// Requests looks into the log, newest first, also into what is not yet written. It reads a bounded part
// of it: Next is where to go on. Rows of other nodes are there as soon as those have written them.
func (l *Log) Requests(ctx context.Context, q Query) (Page, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	w, err := l.walk(ctx, q)
	if err != nil {
		return Page{}, err
	}
	p := Page{Rows: []Request{}}
	for {
		r, at, err := w.next()
		switch {
		case err != nil:
			return Page{}, err
		case r == nil && w.ended:
			p.Lost = l.Lost()
			return p, nil
		case r == nil: // out of budget
			p.Next, p.Lost = at.cursor(), l.Lost()
			return p, nil
		case !q.fits(r):
			continue
		}
		p.Rows = append(p.Rows, *r)
		if len(p.Rows) == q.Limit {
			p.Next, p.Full, p.Lost = at.cursor(), true, l.Lost()
			return p, nil
		}
	}
}

// Request finds the newest row of an exchange, or says where the look was broken off.
func (l *Log) Request(ctx context.Context, id, before string) (r Request, found bool, next string, err error) {
	p, err := l.Requests(ctx, Query{Limit: 1, Before: before, id: id})
	if err != nil || len(p.Rows) == 0 {
		return r, false, p.Next, err
	}
	return p.Rows[0], true, "", nil
}

// Lost is how many requests this process could not write down since it started.
func (l *Log) Lost() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rows.lost
}

// Keeps is how far the log of requests and the list of changes go back.
func (l *Log) Keeps() (requests, changes time.Duration) {
	s := l.o.Settings()
	return s.Requests, s.Changes
}

func (q *Query) fits(r *Request) bool {
	return (q.id == "" || q.id == r.ID) &&
		(q.Key == "" || q.Key == r.Key) &&
		(q.Credential == "" || q.Credential == r.Credential) &&
		(q.Model == "" || models.Matches(q.Model, r.Model)) &&
		(q.Route == "" || models.Matches(q.Route, r.Route)) &&
		(q.Code == "" || q.Code == r.Code) &&
		(q.Status == "" || fitsStatus(q.Status, r.Status)) &&
		(q.Text == "" || strings.Contains(r.ID, q.Text) || strings.Contains(r.Key, q.Text) || strings.Contains(r.Credential, q.Text))
}

func fitsStatus(want string, status int) bool {
	if strings.EqualFold(want[1:], "xx") {
		return status/100 == int(want[0]-'0')
	}
	return want == strconv.Itoa(status)
}

// needles are texts that a document must have for one of its rows to fit, as they stand in it: reading a
// document costs a hundred times what looking for them does.
func (q *Query) needles() (all [][]byte) {
	for _, text := range []string{q.id, q.Key, q.Credential, q.Code, q.Text} {
		if text == "" {
			continue
		}
		s := wire.AppendQuoted(nil, text)
		all = append(all, s[1:len(s)-1])
	}
	return all
}
