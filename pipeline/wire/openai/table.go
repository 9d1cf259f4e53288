package openai

import (
	"slices"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// row is a member of a request other than chat: what becomes of it, and who takes it; nobody does
// when it has no effect.
type row[F any] struct {
	does string
	take func(*F, []byte) *apierror.Error
}

// table is all that is known of a kind of request, by name. It is never written to.
type table[F any] map[string]row[F]

// read hands every member to its row, and notes those without one. null is the same as absent.
func (t table[F]) read(f *F, beside *gemini.Beside, members []wire.Member) *apierror.Error {
	if name, twice := wire.Duplicate(members); twice {
		return refuse(printable(name), "is in the request twice")
	}
	for i := range members {
		m := &members[i]
		if wire.KindOf(m.Value) == wire.KindNull {
			continue
		}
		known, ok := t[string(m.Key)]
		switch {
		case !ok:
			beside.Ignore(wire.HeaderSafe(string(m.Key[:min(len(m.Key), 128)])))
		case known.take != nil:
			if err := known.take(f, m.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// fields lists the table by name.
func (t table[F]) fields() []Field {
	list := make([]Field, 0, len(t))
	for name, r := range t {
		list = append(list, Field{Name: name, Does: r.does})
	}
	slices.SortFunc(list, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// oneOf takes one of these words and does nothing with it.
func oneOf[F any](name string, words ...string) func(*F, []byte) *apierror.Error {
	return func(_ *F, v []byte) *apierror.Error {
		if word, ok := wire.Text(v); !ok || !slices.Contains(words, word) {
			return refuse(name, "must be "+strings.Join(words, " or "))
		}
		return nil
	}
}

// appendPrompt opens a request and writes the one turn that it has: inner is a text as it stands
// between quotes.
func appendPrompt(dst, inner []byte) []byte {
	dst = append(dst, `{"contents":[{"role":"user","parts":[{"text":"`...)
	return append(append(dst, inner...), `"}]}]`...)
}
