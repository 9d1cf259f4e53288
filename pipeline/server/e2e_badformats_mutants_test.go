package server_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// mutant is a sample with one thing in it that does not belong there.
type mutant struct {
	place    string // where: messages[0].role
	with     string // what stands there
	body     string
	from, to int // where the value stands that was replaced
}

// wrongValues stand in turn in the place of every value of a sample.
func wrongValues() []string {
	return []string{`null`, `true`, `-1`, `2.5`, `1e400`, `99999999999999999999`, `""`, `"x"`, `[]`, `{}`, `[[]]`, `{"a":[{}]}`, `"\ud800"`, "\"\xff\xc0\""}
}

// spot is a value of a document.
type spot struct {
	path            string
	begin, from, to int // begin is where its name begins, in an object
	member          bool
}

// mutants makes all mutants of a sample: every value replaced by every wrong one, left out, given twice
// and given a stranger for a neighbour.
func mutants(t testing.TB, sample string) (list []mutant) {
	t.Helper()
	for _, p := range spots(t, sample) {
		add := func(with, body string) { list = append(list, mutant{p.path, with, body, p.from, p.to + 64}) }
		for _, w := range wrongValues() {
			add(w, sample[:p.from]+w+sample[p.to:])
		}
		if sample[p.from] == '{' && sample[p.from+1] == '"' {
			add("a stranger", sample[:p.from]+`{"unheard_of":[{"a":null}],`+sample[p.from+1:])
		}
		if p.member {
			add("twice", sample[:p.begin]+sample[p.begin:p.from]+`{"first":1},`+sample[p.begin:])
			add("escaped", sample[:p.begin]+`"\u00`+strconv.FormatInt(int64(sample[p.begin+1]), 16)+sample[p.begin+2:])
			add("nothing", strings.NewReplacer("{,", "{", ",,", ",", ",}", "}").Replace(sample[:p.begin]+sample[p.to:]))
		}
	}
	return list
}

// spots lists the values below the root of a document.
func spots(t testing.TB, doc string) []spot {
	t.Helper()
	w := walker{t: t, doc: doc, dec: json.NewDecoder(strings.NewReader(doc))}
	w.value(spot{})
	return w.list[1:]
}

type walker struct {
	t    testing.TB
	doc  string
	dec  *json.Decoder
	list []spot
}

// next is where the next token begins.
func (w *walker) next() int {
	i := int(w.dec.InputOffset())
	for i < len(w.doc) && strings.IndexByte(" ,:", w.doc[i]) >= 0 {
		i++
	}
	return i
}

func (w *walker) token() json.Token {
	tok, err := w.dec.Token()
	if err != nil {
		w.t.Fatalf("%v in %s", err, w.doc)
	}
	return tok
}

func (w *walker) value(p spot) {
	p.from = w.next()
	at := len(w.list)
	w.list = append(w.list, p)
	switch w.token() {
	case json.Delim('{'):
		for w.dec.More() {
			in := spot{begin: w.next(), member: true}
			in.path = strings.TrimPrefix(p.path+"."+w.token().(string), ".")
			w.value(in)
		}
		w.token()
	case json.Delim('['):
		for i := 0; w.dec.More(); i++ {
			w.value(spot{path: p.path + "[" + strconv.Itoa(i) + "]"})
		}
		w.token()
	}
	w.list[at].to = int(w.dec.InputOffset())
}
