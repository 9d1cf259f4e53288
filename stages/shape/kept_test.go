package shape

import (
	"context"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/responses"
)

// rack keeps all that it is given, in the order in which it came.
type rack struct {
	pipeline.Ephemeral
	calls []call
}

type call struct {
	at    pipeline.Place
	ttl   time.Duration
	items []pipeline.Item
}

func (r *rack) Keep(_ context.Context, at pipeline.Place, ttl time.Duration, items ...pipeline.Item) error {
	r.calls = append(r.calls, call{at, ttl, items})
	return nil
}

// What is large in a dialogue is kept by itself, before the response that refers to it and for longer.
func TestLargeStringsAreKeptByThemselves(t *testing.T) {
	r := &rack{}
	x, s, _ := remembering(pipeline.Route{Format: wire.Responses, Verb: pipeline.Generate}, wire.Responses)
	s.memory, s.ResponseLife = r, time.Hour
	picture := strings.Repeat("A", 100<<10)
	x.Thread = []byte(`[{"a":"` + picture + `"},{"b":"` + picture + `"}]`)
	if f := s.keeper(x)([]byte(`{"id":"resp_1"}`), []byte(`[{"c":1}]`)); f != nil {
		t.Fatal(f)
	}
	if len(r.calls) != 2 || len(r.calls[0].items) != 1 || len(r.calls[1].items) != 1 {
		t.Fatalf("%+v", r.calls)
	}
	part, doc := r.calls[0], r.calls[1]
	if part.at != (pipeline.Place{Owner: "key:k", Shelf: pipeline.Parts}) || part.ttl <= time.Hour || string(part.items[0].Value) != picture {
		t.Errorf("%v %v %d bytes", part.at, part.ttl, len(part.items[0].Value))
	}
	if doc.at != (pipeline.Place{Owner: "key:k", Shelf: pipeline.Responses}) || doc.ttl != time.Hour || doc.items[0].ID != "resp_1" || len(doc.items[0].Value) > 1000 {
		t.Errorf("%v %v %.2000s", doc.at, doc.ttl, doc.items[0].Value)
	}
	full, _ := responses.Fill(nil, doc.items[0].Value, func(id string) ([]byte, bool) { return part.items[0].Value, id == part.items[0].ID })
	if _, thread, _ := responses.ReadKept(full); string(thread) != strings.TrimSuffix(string(x.Thread), "]")+`,{"c":1}]` {
		t.Errorf("%d bytes of a thread", len(thread))
	}
}

// Parts take no room when they come again, but the next turn has to read them all.
func TestDialogueTooLargeToKeep(t *testing.T) {
	r := &rack{}
	x, s, _ := remembering(pipeline.Route{Format: wire.Responses, Verb: pipeline.Generate}, wire.Responses)
	s.memory = r
	x.Thread = []byte(`["` + strings.Repeat("A", mostKept) + `"]`)
	if f := s.keeper(x)([]byte(`{"id":"resp_1"}`), []byte(`[]`)); f == nil || f.Code != apierror.TooLarge || f.Status != 413 || len(r.calls) != 0 {
		t.Errorf("%v after %d calls", f, len(r.calls))
	}
}
