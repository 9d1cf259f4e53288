package ephemeral

import (
	"encoding/base64"
	"fmt"
	"slices"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
	"gcli2api/store"
)

// A document says whose it is, for somebody who looks into the store, and has its value as one of
//
//	{"owner":"key:k1","id":"resp_1","json":{"output":[]}}    as it came
//	{"owner":"key:k1","id":"call_1","text":"CiQB..."}        any other UTF-8
//	{"owner":"key:k1","id":"call_2","base64":"/w=="}         all else
//
// or the list of its parts.

// shownBytes is how much of an owner and an id can be seen: a client's id may be of any length.
const shownBytes = 256

// open begins the document of a thing.
func (n name) open() []byte {
	b := wire.AppendQuoted([]byte(`{"owner":`), shown(n.at.Owner))
	return wire.AppendQuoted(append(b, `,"id":`...), shown(n.id))
}

func shown(s string) string { return s[:min(len(s), shownBytes)] }

// finish puts the value behind what open began.
func finish(b, value []byte) []byte {
	b = slices.Grow(b, len(value)+len(`,"json":""}`))
	if utf8.Valid(value) {
		doc := append(append(append(b, `,"json":`...), value...), '}')
		// Only what comes out as it went in: no space around it, not nested too deep, one value.
		if m, err := wire.Scan(doc, nil); err == nil && len(m[len(m)-1].Value) == len(value) {
			return doc
		}
		doc = append(wire.AppendQuotedBytes(append(b, `,"text":`...), value), '}')
		if len(doc) <= store.MaxBody { // control characters take six times their size
			return doc
		}
	}
	return append(base64.StdEncoding.AppendEncode(append(b, `,"base64":"`...), value), `"}`...)
}

// held is what a document holds: a value, or the list of its parts.
type held struct {
	value []byte // of the document's own bytes where it stands there as it came
	set   string // of parts, "" when there are none
	parts int64
	bytes int64
	sum   string
}

func read(doc store.Doc) (h held, err error) {
	members, err := wire.Scan(doc.Body, nil)
	ok := false
	for i := range members {
		v := members[i].Value
		switch string(members[i].Key) {
		case "json":
			h.value, ok = v, true
		case "text":
			_, ok = wire.Inner(v)
			h.value = wire.AppendText(make([]byte, 0, len(v)), v)
		case "base64":
			inner, text := wire.Inner(v)
			h.value, err = base64.StdEncoding.AppendDecode(make([]byte, 0, len(v)), inner)
			ok = text && err == nil
		case "set":
			h.set, ok = wire.Text(v)
		case "parts":
			h.parts, _ = wire.Int(v)
		case "bytes":
			h.bytes, _ = wire.Int(v)
		case "sha256":
			h.sum, _ = wire.Text(v)
		}
	}
	if !ok || h.parts < 0 || h.parts > mostParts || h.bytes < 0 || h.bytes > MaxValue {
		return held{}, fmt.Errorf("read %s: nothing that was kept here looks like this", doc.ID)
	}
	return h, nil
}
