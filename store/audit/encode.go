package audit

import (
	"encoding/json"
	"fmt"
	"time"

	"gcli2api/store"
)

// version of the documents of requests. Those of another one are passed over.
const version = 1

// sheet is a document of requests, the oldest first. Names are short because there are many of them.
type sheet struct {
	Version int    `json:"v"`
	Last    int64  `json:"last"` // time of the newest row; the id has that of the oldest
	Count   int    `json:"n"`
	Rows    []line `json:"rows"`
}

// line is one request. The number of a row is that of the id plus its place in the sheet.
type line struct {
	At         int64  `json:"t"` // microseconds
	ID         string `json:"id"`
	Key        string `json:"k"`
	Route      string `json:"r"`
	Answer     string `json:"a,omitempty"`
	Model      string `json:"m,omitempty"`
	Credential string `json:"c,omitempty"`
	Code       string `json:"e,omitempty"`
	Stream     bool   `json:"st,omitempty"`
	Status     int    `json:"s"`
	Tries      int    `json:"n,omitempty"`
	Input      int64  `json:"i,omitempty"`
	Output     int64  `json:"o,omitempty"`
	Cached     int64  `json:"ic,omitempty"`
	Thoughts   int64  `json:"ot,omitempty"`
	Cost       int64  `json:"u,omitempty"`
	First      int64  `json:"f,omitempty"` // microseconds
	Took       int64  `json:"d"`
}

func lineOf(r Request) line {
	return line{r.Time.UnixMicro(), r.ID, r.Key, r.Route, r.Answer, r.Model, r.Credential, r.Code, r.Stream, r.Status, r.Tries,
		r.Input, r.Output, r.Cached, r.Thoughts, r.Cost, r.First.Microseconds(), r.Took.Microseconds()}
}

func (l *line) request() Request {
	return Request{Time: time.UnixMicro(l.At).UTC(), ID: l.ID, Key: l.Key, Route: l.Route, Answer: l.Answer, Model: l.Model, Credential: l.Credential,
		Code: l.Code, Stream: l.Stream, Status: l.Status, Tries: l.Tries, Input: l.Input, Output: l.Output, Cached: l.Cached, Thoughts: l.Thoughts,
		Cost: l.Cost, First: time.Duration(l.First) * time.Microsecond, Took: time.Duration(l.Took) * time.Microsecond}
}

// doc is the chunk as it goes into the store.
func (c *chunk) doc(keep time.Duration) (store.Doc, error) {
	s := sheet{Version: version, Count: len(c.slots), Rows: make([]line, len(c.slots))}
	for i := range c.slots {
		s.Rows[i] = lineOf(c.row(i))
		s.Last = max(s.Last, s.Rows[i].At)
	}
	body, err := json.Marshal(s)
	if err != nil {
		return store.Doc{}, fmt.Errorf("encode the log of requests: %w", err)
	}
	return store.Doc{ID: c.from.id(), Expires: time.UnixMicro(s.Last).Add(keep), Body: body}, nil
}
