package translate

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

func TestCallIDs(t *testing.T) {
	const a, b, c = "call_0123456789abcdef01234567", "toolu_0123456789abcdef01234567", "call_fedcba9876543210fedcba98"
	body := fmt.Sprintf(`{"id":%q,"x":%q,"y":%q,"z":%q,"n":["call_1","call_0123456789ABCDEF01234567","call_0123456789abcdef012345678","xcall_","call_%s`, a, b, a, c, "0123456789abcdef01234567")
	if got := callIDs([]byte(body)); !slices.Equal(got, []string{a, c, b}) {
		t.Error(got)
	}
}

// warm is a memory that is near after Warm.
type warm struct {
	shelf
	warmed []string
}

func (w *warm) Warm(_ context.Context, at pipeline.Place, ids []string) (missing []string, err error) {
	w.warmed = append(w.warmed, ids...)
	for _, id := range ids {
		if _, ok := w.docs[at.Owner+"/"+string(at.Shelf)+"/"+id]; !ok {
			missing = append(missing, id)
		}
	}
	return missing, w.err
}

// TestLookAhead: all ids of a body are asked for at once, and those that nobody knows not again.
func TestLookAhead(t *testing.T) {
	const a, b = "call_0123456789abcdef01234567", "call_fedcba9876543210fedcba98"
	known := gemini.Remembered{ID: "g", Signature: "s", Kind: "gemini", Model: "gemini-3-pro-preview"}
	s := made(t)
	m := &warm{shelf: shelf{docs: map[string][]byte{"key:k1/sig/" + a: known.Append(nil)}}}
	s.memory = m
	x := exchange(openaiRoute, wire.OpenAI, fmt.Sprintf(`{"a":[%q,%q]}`, a, b))
	x.Caller, x.Model.Base = pipeline.Caller{Kind: "key", ID: "k1"}, "gemini-3-flash-preview"
	find := s.recall(x)
	if got, ok := find([]byte(a)); !ok || got != known {
		t.Errorf("%v %+v", ok, got)
	}
	if _, ok := find([]byte(b)); ok || m.asks != 1 || !slices.Equal(m.warmed, []string{a, b}) {
		t.Errorf("%v, %d asks, %v", ok, m.asks, m.warmed)
	}
	m.err = context.DeadlineExceeded
	find = s.recall(x)
	for _, id := range []string{a, b} {
		if _, ok := find([]byte(id)); ok || m.asks != 1 {
			t.Errorf("a store that fails was asked again: %v, %d asks", ok, m.asks)
		}
	}
}
