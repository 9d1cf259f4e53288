package audit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// place is where a row stands among all of both nodes: newest first by time, then by node and number. No
// two rows have the same.
type place struct {
	at   int64 // microseconds
	node string
	no   uint64
}

// newest is a place in front of all rows.
func newest() place { return place{at: math.MaxInt64} }

// front is the place in front of everything that happened at a time or before it: no node is called "".
func front(t time.Time) place { return place{at: t.UnixMicro()} }

// behind tells that p comes later in a list than q: it is older.
func (p place) behind(q place) bool {
	switch {
	case p.at != q.at:
		return p.at < q.at
	case p.node != q.node:
		return p.node > q.node
	}
	return p.no < q.no
}

const mostNo = 1<<48 - 1

// id is the place as the id of a document: those of a table sort as their places do.
func (p place) id() string {
	return invert(p.at) + "-" + p.node + "-" + fmt.Sprintf("%012x", mostNo-min(p.no, mostNo))
}

func invert(at int64) string { return fmt.Sprintf("%016x", uint64(math.MaxInt64-at)) }

// placeOf reads an id.
func placeOf(id string) (p place, ok bool) {
	parts := strings.Split(id, "-")
	if len(parts) != 3 || len(parts[0]) != 16 || !plainHex(parts[0]) || !plainHex(parts[1]) || !plainHex(parts[2]) {
		return p, false
	}
	at, err := strconv.ParseUint(parts[0], 16, 64)
	no, err2 := strconv.ParseUint(parts[2], 16, 64)
	return place{math.MaxInt64 - int64(at), parts[1], mostNo - no}, err == nil && err2 == nil && at <= math.MaxInt64 && no <= mostNo
}

// plainHex keeps the spelling of a place to one.
func plainHex(s string) bool {
	return len(s) > 0 && len(s) <= 16 && strings.Trim(s, "0123456789abcdef") == ""
}

// cursor is the place as clients hold it.
func (p place) cursor() string { return p.id() }

// cursorOf reads what a client brings; "" is the front.
func cursorOf(text string) (place, error) {
	if text == "" {
		return newest(), nil
	}
	p, ok := placeOf(text)
	if !ok {
		return p, errCursor
	}
	return p, nil
}

var errCursor = errors.New(`"before" is no cursor: send the "next" of the answer before, as it was`)

// CursorOK is an error for what no answer has given as a cursor.
func CursorOK(text string) error {
	_, err := cursorOf(text)
	return err
}
