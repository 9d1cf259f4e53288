package config

import (
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// maxDepth bounds how deep tables and dotted keys may nest: real ones have five levels, and a
// key of a million dots would cost its square.
const maxDepth = 32

// lines knows the line of each key of the file; elements of a list count as "0", "1", ...
type lines map[string]int

func path(parts []string) string { return strings.Join(parts, "\x1f") }

// at finds the line of a key, or of the nearest table around it that has one.
func (l lines) at(parts []string) int {
	for n := len(parts); n > 0; n-- {
		if line := l[path(parts[:n])]; line > 0 {
			return line
		}
	}
	return 0
}

// indexer walks the expressions of a file that is known to be valid TOML.
type indexer struct {
	found    lines
	breaks   []int          // offsets of the line breaks
	elements map[string]int // how often [[a.b]] was seen
	deep     int            // line of the first key that nests too deep
}

func indexLines(data []byte) (lines, int) {
	x := &indexer{found: lines{}, elements: map[string]int{}}
	for i, c := range data {
		if c == '\n' {
			x.breaks = append(x.breaks, i)
		}
	}
	p := &unstable.Parser{}
	p.Reset(data)
	var table []string
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = x.header(e)
		case unstable.KeyValue:
			x.keyValue(table, e)
		}
	}
	return x.found, x.deep
}

func (x *indexer) header(e *unstable.Node) []string {
	parts, line := x.key(nil, e)
	var at []string
	for i, part := range parts {
		at = append(at, part)
		last := i == len(parts)-1
		if last && e.Kind == unstable.ArrayTable {
			x.note(at, line)
			x.elements[path(at)]++
		}
		if n := x.elements[path(at)]; n > 0 {
			at = append(at, strconv.Itoa(n-1))
		}
		x.note(at, line)
	}
	return at
}

func (x *indexer) keyValue(table []string, e *unstable.Node) {
	at, line := x.key(table, e)
	if at == nil {
		return
	}
	for n := len(table) + 1; n <= len(at); n++ {
		x.note(at[:n], line)
	}
	x.value(at, e.Value())
}

// value looks for keys inside an inline table or a list.
func (x *indexer) value(at []string, v *unstable.Node) {
	if len(at) > maxDepth {
		return
	}
	children := v.Children()
	switch v.Kind {
	case unstable.InlineTable:
		for children.Next() {
			x.keyValue(at, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			element := append(at[:len(at):len(at)], strconv.Itoa(i))
			if raw := children.Node().Raw; raw.Length > 0 {
				x.note(element, x.line(raw))
			}
			x.value(element, children.Node())
		}
	}
}

// key returns the whole path of a header or key and its line; nil when it nests too deep.
func (x *indexer) key(table []string, e *unstable.Node) ([]string, int) {
	at, line := table[:len(table):len(table)], 0
	for it := e.Key(); it.Next(); {
		n := it.Node()
		line = x.line(n.Raw)
		if len(at) >= maxDepth {
			if x.deep == 0 {
				x.deep = line
			}
			return nil, line
		}
		at = append(at, string(n.Data))
	}
	return at, line
}

func (x *indexer) line(of unstable.Range) int { return sort.SearchInts(x.breaks, int(of.Offset)) + 1 }

func (x *indexer) note(at []string, line int) {
	if key := path(at); x.found[key] == 0 {
		x.found[key] = line
	}
}
