package gemini

import (
	"slices"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// Field is a member of a request in another language and what becomes of it.
type Field struct {
	Name string
	Does string
}

// Table is all that is known of a kind of request, by the names of its members: what becomes of each, and
// who takes it into the request that is read halfway; nobody does when it has no effect. It is never
// written to once it is made.
type Table[F any] map[string]Row[F]

// Row is a row of a Table.
type Row[F any] = struct {
	Does string
	Take func(*F, []byte) *apierror.Error
}

// Read hands every member to its row, and notes those without one. null is the same as absent. What is in
// the request twice is the caller's to refuse.
func (t Table[F]) Read(f *F, beside *Beside, members []wire.Member) *apierror.Error {
	for i := range members {
		m := &members[i]
		if wire.KindOf(m.Value) == wire.KindNull {
			continue
		}
		known, ok := t[string(m.Key)]
		switch {
		case !ok:
			beside.Ignore(wire.HeaderSafe(string(m.Key[:min(len(m.Key), 128)])))
		case known.Take != nil:
			if fail := known.Take(f, m.Value); fail != nil {
				return fail
			}
		}
	}
	return nil
}

// Fields lists the table by name.
func (t Table[F]) Fields() []Field {
	list := make([]Field, 0, len(t))
	for name, r := range t {
		list = append(list, Field{Name: name, Does: r.Does})
	}
	slices.SortFunc(list, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return list
}
