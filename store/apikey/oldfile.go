package apikey

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxOldFile bounds a file of the old product; real ones have some kilobytes.
const maxOldFile = 16 << 20

// readOld reads a file whole. One that is not there is empty.
func readOld(path string) ([]byte, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxOldFile+1))
	if err == nil && len(data) > maxOldFile {
		err = errors.New("the file is larger than 16 megabytes")
	}
	return bytes.TrimPrefix(data, []byte("\ufeff")), err
}

// oldSection is a table of a TOML file as it stands there, with its header.
type oldSection struct {
	table string // first part of the header; empty in front of all headers
	whole bool   // the header has no other part
	line  int
	text  []byte
}

// oldSections cuts a file at its headers. Behind an error of grammar nothing is cut any more, so that the last
// oldSection is one that cannot be read.
func oldSections(data []byte) []oldSection {
	all := []oldSection{{line: 1, text: data}}
	p, from, line := unstable.Parser{}, 0, 1
	p.Reset(data)
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind != unstable.Table && e.Kind != unstable.ArrayTable {
			continue
		}
		key := e.Key()
		key.Next()
		at := bytes.LastIndexByte(data[:key.Node().Raw.Offset], '\n') + 1
		line += bytes.Count(data[from:at], []byte("\n"))
		last := &all[len(all)-1]
		last.text = data[from:at]
		all = append(all, oldSection{table: string(key.Node().Data), whole: key.IsLast(), line: line, text: data[at:]})
		from = at
	}
	return all
}

// read gives the tables of a section. The library's own error would quote the line.
func (s oldSection) read() (map[string]any, error) {
	var all map[string]any
	err := toml.Unmarshal(s.text, &all)
	if where := (*toml.DecodeError)(nil); errors.As(err, &where) {
		line, _ := where.Position()
		return nil, fmt.Errorf("line %d is not TOML", s.line+line-1)
	}
	if err != nil {
		return nil, errors.New("it is not TOML")
	}
	return all, nil
}

// oldTable is one table of the file, with what stands in tables below it.
type oldTable struct {
	name   string
	line   int // of the file it stands in; 0 where there is no file
	place  int // among the keys of a store, from 1; 0 where it stands in a file
	fields map[string]any
	err    error // why it cannot be used
}

// oldTables reads a file table by table: what is wrong with one of them costs no other.
func oldTables(data []byte) []*oldTable {
	byName := map[string]*oldTable{}
	headers := map[string]bool{}
	for _, s := range oldSections(data) {
		if s.whole && headers[s.table] {
			byName[s.table].err = fmt.Errorf("it stands there again in line %d: leave one of them", s.line)
			continue
		}
		headers[s.table] = headers[s.table] || s.whole
		all, err := s.read()
		if err != nil {
			all = map[string]any{s.table: map[string]any{}}
		}
		for name, value := range all {
			t := byName[name]
			if t == nil {
				t = &oldTable{name: name, line: s.line, fields: map[string]any{}}
				byName[name] = t
			}
			fields, is := value.(map[string]any)
			if !is {
				t.err = cmp.Or(t.err, errors.New("it is no table"))
			}
			t.err = cmp.Or(t.err, err)
			for member, v := range fields {
				t.fields[member] = v
			}
		}
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b *oldTable) int { return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.name, b.name)) })
}

// whole is a member that has to be a whole number.
func (t *oldTable) whole(member string) (int64, error) {
	switch v := t.fields[member].(type) {
	case nil:
		return 0, errors.New(member + " is missing")
	case int64:
		return v, nil
	case float64:
		if n := int64(v); float64(n) == v && n > -1<<53 && n < 1<<53 {
			return n, nil
		}
	}
	return 0, errors.New(member + " is no whole number")
}
