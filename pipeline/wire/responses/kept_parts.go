package responses

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"gcli2api/pipeline/wire"
)

// Every answer is kept with all that was said before it, so that a picture comes again in each of
// them. Large strings are therefore kept by themselves, and the documents refer to them. A string of
// such a document, also the name of a member, is one of
//
//	"hello"                           itself
//	"gcli2api-part:" and some hashes  the parts with these ids, joined
//	"gcli2api-part:gcli2api-part:x"   "gcli2api-part:x", which a client has written: no hash begins so
const (
	partMark    = "gcli2api-part:"
	largeString = 32 << 10 // bytes that a string may have and stay where it is
	idSize      = 2 * sha256.Size

	// mostPart is few enough bytes for one document of a store, which is overwritten when the part
	// comes again.
	mostPart = 4 << 20
)

// Part is a piece of a large string as it was written between its quotes.
type Part struct {
	ID   string // a hash of Data
	Data []byte // of the document that it was taken out of
}

// Slim appends doc with references in the place of its large strings, and returns what they refer to,
// each part once. Fill is the way back.
func Slim(dst, doc []byte) (out []byte, parts []Part) {
	known := map[string]bool{}
	out = eachString(dst, doc, func(dst, s []byte) []byte {
		if len(s) <= largeString {
			if bytes.HasPrefix(s, []byte(partMark)) {
				dst = append(dst, partMark...)
			}
			return append(dst, s...)
		}
		dst = append(dst, partMark...)
		for len(s) > 0 {
			p := Part{Data: s[:min(len(s), mostPart)]}
			sum := sha256.Sum256(p.Data)
			if p.ID = hex.EncodeToString(sum[:]); !known[p.ID] {
				known[p.ID] = true
				parts = append(parts, p)
			}
			dst, s = append(dst, p.ID...), s[len(p.Data):]
		}
		return dst
	})
	return out, parts
}

// Fill appends the document that Slim made doc of, byte for byte. get is asked once for each part. When
// it has not got one, nothing is appended and ok is false.
func Fill(dst, doc []byte, get func(id string) (data []byte, ok bool)) (out []byte, ok bool) {
	f := filler{get: get, found: map[string]span{}}
	out = eachString(dst, doc, f.string)
	if f.gone {
		return dst, false
	}
	return out, true
}

// filler puts parts in. What it has put in once it copies from there.
type filler struct {
	get   func(id string) ([]byte, bool)
	found map[string]span
	gone  bool
}

// span is where a part stands in what Fill has appended so far.
type span struct{ from, to int }

func (f *filler) string(dst, s []byte) []byte {
	refs, marked := bytes.CutPrefix(s, []byte(partMark))
	switch {
	case f.gone:
		return dst
	case !marked:
		return append(dst, s...)
	case bytes.HasPrefix(refs, []byte(partMark)):
		return append(dst, refs...)
	case len(refs) == 0 || len(refs)%idSize != 0: // Slim did not write this
		f.gone = true
	}
	for ; len(refs) > 0 && !f.gone; refs = refs[idSize:] {
		dst = f.part(dst, string(refs[:idSize]))
	}
	return dst
}

func (f *filler) part(dst []byte, id string) []byte {
	if at, ok := f.found[id]; ok {
		return append(dst, dst[at.from:at.to]...)
	}
	data, ok := f.get(id)
	if f.gone = !ok; f.gone {
		return dst
	}
	f.found[id] = span{len(dst), len(dst) + len(data)}
	return append(dst, data...)
}

// eachString appends doc with what edit appends for each of its strings, of which it gets the bytes
// between the quotes.
func eachString(dst, doc []byte, edit func(dst, s []byte) []byte) []byte {
	for {
		i := bytes.IndexByte(doc, '"')
		if i < 0 {
			break
		}
		s, closed := wire.Inner(doc[i:])
		if !closed {
			break
		}
		dst = edit(append(dst, doc[:i+1]...), s)
		dst = append(dst, '"')
		doc = doc[i+len(s)+2:]
	}
	return append(dst, doc...)
}
