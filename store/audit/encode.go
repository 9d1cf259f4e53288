package audit

import (
	"strconv"
	"time"

	"gcli2api/pipeline/wire"
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

// doc is the chunk as it goes into the store. It is written by hand, because at a thousand requests a second
// the usual way is seen in what a request costs: a sheet reads it, and TestDocIsASheet holds the two together.
func (c *chunk) doc(keep time.Duration) store.Doc {
	n := len(c.slots)
	last := c.slots[n-1].at
	b := make([]byte, 0, 64+len(c.text)+n*rowRoom)
	b = number(b, `{"v":`, version)
	b = number(b, `,"last":`, last)
	b = number(b, `,"n":`, int64(n))
	b = append(b, `,"rows":[`...)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.appendRow(b, i)
	}
	return store.Doc{ID: c.from.id(), Expires: time.UnixMicro(last).Add(keep), Body: append(b, "]}"...)}
}

// rowRoom is what the names and numbers of most rows take.
const rowRoom = 160

func (c *chunk) appendRow(b []byte, i int) []byte {
	s := &c.slots[i]
	b = number(b, `{"t":`, s.at)
	for k, name := range [texts]string{`,"id":`, `,"k":`, `,"r":`, `,"a":`, `,"m":`, `,"c":`, `,"e":`} {
		if text := c.textOf(i, k); len(text) > 0 || k <= textRoute {
			b = wire.AppendQuotedBytes(append(b, name...), plain(text))
		}
	}
	if s.stream {
		b = append(b, `,"st":true`...)
	}
	b = number(b, `,"s":`, int64(s.status))
	for _, one := range [...]struct {
		name string
		n    int64
	}{{`,"n":`, int64(s.tries)}, {`,"i":`, s.input}, {`,"o":`, s.output}, {`,"ic":`, s.cached}, {`,"ot":`, s.thoughts}, {`,"u":`, s.cost}, {`,"f":`, s.first.Microseconds()}} {
		if one.n != 0 {
			b = number(b, one.name, one.n)
		}
	}
	return append(number(b, `,"d":`, s.took.Microseconds()), '}')
}

func number(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}
