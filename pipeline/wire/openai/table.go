package openai

import (
	"slices"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// readTable reads a request by its table, unless a member is in it twice.
func readTable[F any](t gemini.Table[F], f *F, beside *gemini.Beside, members []wire.Member) *apierror.Error {
	if name, twice := wire.Duplicate(members); twice {
		return refuse(printable(name), "is in the request twice")
	}
	return t.Read(f, beside, members)
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
