// Package schema puts the JSON Schemas of clients into the form that Google takes in
// parametersJsonSchema and responseJsonSchema: references inlined, allOf merged, and what Google
// does not know said in words.
//
// A schema goes through four steps: read (the document as a tape of values), gather (references and
// allOf become one node), finish (types, alternatives and limits become Google's), write.
package schema

import "slices"

// Empty is the schema of a function without arguments.
const Empty = `{"type":"object","properties":{}}`

// The limits. Google refuses schemas of more than 32 levels and, by its own measure, too large ones.
const (
	maxValues = 1 << 17 // JSON values in the document
	maxNodes  = 1 << 14 // schemas once references are inlined
	maxBytes  = 2 << 20 // text that goes into them
	maxLevel  = 31      // of a schema with schemas inside; the root is 0
	maxGather = 2 * maxLevel
	maxChain  = 128 // references and allOf in one another without a level between them
	maxNotes  = 16
	maxTries  = 4
)

// Error says what makes a schema unusable.
type Error struct {
	Path string // below the root of the schema, ".properties.city.type"; "" is the root itself
	Why  string
}

// Error names the place and the reason.
func (e *Error) Error() string {
	if e.Path == "" {
		return "the schema " + e.Why
	}
	return e.Path + " " + e.Why
}

// Append appends the schema that raw (one JSON value: object, true, false or null, which wire.Scan
// has accepted) means, in the form Google takes. The notes name what was lost and could not be put
// into a description, at most 16; they are fit for a header.
func Append(dst, raw []byte) (out []byte, notes []string, err *Error) {
	return rewrite(dst, raw, (*job).any)
}

// AppendObject is Append for the parameters of a function: the root comes out as an object with
// properties, and alternatives at the root are put together into one.
func AppendObject(dst, raw []byte) (out []byte, notes []string, err *Error) {
	return rewrite(dst, raw, (*job).object)
}

// job is one rewriting. The tape outlives a second try, the rest does not.
type job struct {
	tape
	unroll  int     // how often a definition may stand inside itself
	path    []int32 // targets of the references that are being followed
	chain   int     // how deep the calls are nested
	nodes   int
	bytes   int
	counted bool // a limit on the size was met
	mixed   bool // a result has alternatives beside types
	notes   []string
}

func rewrite(dst, raw []byte, root func(*job, *node) *fault) ([]byte, []string, *Error) {
	had := len(dst)
	dst, j, f := once(dst, raw, root)
	if f != nil {
		return dst, nil, f.public()
	}
	// Alternatives beside types may become simpler when the result is read again, a level at a time.
	for tries := 0; j.mixed && tries < maxTries; tries++ {
		first := slices.Clone(dst[had:])
		var again job
		if dst, again, f = once(dst[:had], first, root); f != nil || string(dst[had:]) == string(first) {
			return append(dst[:had], first...), j.notes, nil
		}
		j.mixed = again.mixed
	}
	return dst, j.notes, nil
}

func once(dst, raw []byte, root func(*job, *node) *fault) ([]byte, job, *fault) {
	j := job{}
	f := j.read(raw)
	// A recursive schema is shown twice inside itself if that is not too much, else once.
	for j.unroll = 2; j.unroll > 0 && f == nil; j.unroll-- {
		j.path, j.chain, j.nodes, j.bytes, j.counted, j.notes = append(j.path[:0], 0), 0, 0, 0, false, nil
		var n *node
		if n, f = j.gather(0, 0); f == nil {
			f = root(&j, n)
		}
		if f == nil {
			return n.write(dst), j, nil
		}
		if j.counted && j.unroll > 1 {
			f = nil
		}
	}
	return dst, j, f
}

func (j *job) any(n *node) *fault { return j.finish(n, 0) }

// note keeps the name of something lost.
func (j *job) note(name string) {
	if len(j.notes) < maxNotes && !slices.Contains(j.notes, name) {
		j.notes = append(j.notes, name)
	}
}

// spend charges text that goes into the result.
func (j *job) spend(n int) *fault {
	if j.bytes += n; j.bytes > maxBytes || j.nodes > maxNodes {
		j.counted = true
		return because("is too large once its references are followed")
	}
	return nil
}

// fault is an Error on its way up: every level puts its name in front, until a reference fixes the path.
type fault struct {
	path, why string
	fixed     bool
}

func because(why string) *fault { return &fault{why: why} }

func (f *fault) under(segment string) *fault {
	if f != nil && !f.fixed {
		f.path = segment + f.path
	}
	return f
}

func (f *fault) public() *Error { return &Error{Path: f.path, Why: f.why} }
