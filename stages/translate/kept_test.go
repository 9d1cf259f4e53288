package translate

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/responses"
)

// A response is found with what is large in it, and not at all when that is gone.
func TestFind(t *testing.T) {
	thread := `[{"a":"` + strings.Repeat("A", 100<<10) + `"}]`
	doc, parts := responses.Slim(nil, responses.AppendKept(nil, []byte(`{"id":"resp_1"}`), []byte(thread), []byte(thread)))
	part := "key:k1/part/" + parts[0].ID
	m := &shelf{docs: map[string][]byte{"key:k1/resp/resp_1": doc, "key:k2/resp/resp_1": doc, part: parts[0].Data}}
	var said strings.Builder
	s := made(t)
	s.memory, s.log = m, slog.New(slog.NewTextHandler(&said, nil))
	x := exchange(openaiRoute, wire.Responses, `{}`)
	x.Caller = pipeline.Caller{Kind: "key", ID: "k1"}
	response, got, items, fail := s.find(x, "resp_1")
	if fail != nil || string(response) != `{"id":"resp_1"}` || string(got) != thread || string(items) != thread || said.Len() > 0 {
		t.Errorf("%v %s, %d and %d bytes, %s", fail, response, len(got), len(items), said.String())
	}
	if _, _, _, fail := s.find(x, parts[0].ID); fail == nil || fail.Code != apierror.NotFound {
		t.Errorf("a part was shown: %v", fail)
	}
	for who, gone := range map[string]string{"k1": part, "k2": "nothing of his own"} {
		said.Reset()
		delete(m.docs, gone)
		x.Caller.ID = who
		if response, _, _, fail := s.find(x, "resp_1"); fail == nil || fail.Code != apierror.NotFound || response != nil || !strings.Contains(said.String(), parts[0].ID) {
			t.Errorf("%s: %v, %d bytes, %s", who, fail, len(response), said.String())
		}
	}
}

// slow takes its time for everything.
type slow struct {
	shelf
	takes time.Duration
	fails string // for this id, as if the store were gone
}

func (s *slow) Recall(ctx context.Context, at pipeline.Place, id string) ([]byte, bool, error) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		s.asks++
		return nil, false, ctx.Err()
	}
	if doc, ok, err := s.shelf.Recall(ctx, at, id); id != s.fails {
		return doc, ok, err
	}
	return nil, false, errors.New("down")
}

func TestFindWaits(t *testing.T) {
	thread := `["` + strings.Repeat("A", 100<<10) + `"]`
	doc, parts := responses.Slim(nil, responses.AppendKept(nil, []byte(`{"id":"resp_1"}`), []byte(thread), nil))
	docs := map[string][]byte{"/resp/resp_1": doc, "/part/" + parts[0].ID: parts[0].Data}
	for name, c := range map[string]struct {
		slow
		code apierror.Code
	}{
		"a slow store":      {slow{takes: 4 * time.Second}, ""},
		"a store too slow":  {slow{takes: 6 * time.Second}, apierror.Internal},
		"no store at all":   {slow{fails: "resp_1"}, apierror.Internal},
		"no store any more": {slow{fails: parts[0].ID}, apierror.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := made(t)
				c.docs = docs
				s.memory = &c.slow
				_, got, _, fail := s.find(exchange(openaiRoute, wire.Responses, `{}`), "resp_1")
				if fail == nil && (c.code != "" || string(got) != thread) || fail != nil && fail.Code != c.code {
					t.Errorf("%v, %d bytes", fail, len(got))
				}
			})
		})
	}
}

// All the look-ups of a request together take no longer than the store may.
func TestRecallIsSlow(t *testing.T) {
	known := gemini.Remembered{ID: "g", Signature: "s", Kind: "gemini", Model: "gemini-2.5-pro"}
	for _, takes := range []time.Duration{0, 300 * time.Millisecond, patience, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			m := &slow{takes: takes, shelf: shelf{docs: map[string][]byte{"/sig/call": known.Append(nil)}}}
			var said strings.Builder
			s := made(t)
			s.memory, s.log = m, slog.New(slog.NewTextHandler(&said, nil))
			find, began := s.recall(exchange(openaiRoute, wire.OpenAI, `{}`)), time.Now()
			if _, ok := find([]byte("call")); ok != (takes < patience) {
				t.Errorf("%v: found %v", takes, ok)
			}
			for range 99 {
				find([]byte("other"))
			}
			want := 100
			if takes > 0 {
				want = int((patience + takes - 1) / takes)
			}
			if took := time.Since(began); m.asks != want || took > patience || strings.Count(said.String(), "signatures cannot be read") != min(1, int(takes)) {
				t.Errorf("%v: %d look-ups in %v: %s", takes, m.asks, took, said.String())
			}
		})
	}
}
