package stats

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func find(rows []Row, who, model string) Count {
	for _, r := range rows {
		if r.Who == who && r.Model == model {
			return r.Count
		}
	}
	return Count{}
}

func TestEveryTryIsCounted(t *testing.T) {
	s := New()
	s.Record(Request{Key: "password", Model: "m", Tries: []Try{
		{Credential: "a", Model: "m", Code: "rate_limited"},
		{Credential: "b", Model: "m", Prompt: 3, Output: 4, Total: 7},
	}})
	s.Record(Request{Key: "password", Model: "m", Code: "no_credential"})
	r := s.Report()
	if got, want := find(r.Credentials, "a", "m"), (Count{Calls: 1, Errors: 1}); got != want {
		t.Errorf("failed try: %+v, want %+v", got, want)
	}
	if got, want := find(r.Credentials, "b", "m"), (Count{Calls: 1, Prompt: 3, Output: 4, Total: 7}); got != want {
		t.Errorf("good try: %+v, want %+v", got, want)
	}
	if got, want := find(r.Keys, "password", "m"), (Count{Calls: 2, Errors: 1, Prompt: 3, Output: 4, Total: 7}); got != want {
		t.Errorf("key: %+v, want %+v", got, want)
	}
}

// What was refused before its model was settled has one name, here and in the store.
func TestARefusalWithoutAModel(t *testing.T) {
	s := New()
	s.Record(Request{Key: "k", Code: "quota_exhausted"})
	if got, want := find(s.Report().Keys, "k", "other"), (Count{Calls: 1, Errors: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestClientsCannotGrowTheTables(t *testing.T) {
	s := New()
	for i := range 10 * maxModels {
		s.Record(Request{Key: "k", Model: fmt.Sprint("made-up-", i)})
	}
	r := s.Report()
	if len(r.Keys) != maxModels+1 {
		t.Errorf("%d rows, want %d names and the rest", len(r.Keys), maxModels)
	}
	if got := find(r.Keys, "k", "other").Calls; got != 9*maxModels {
		t.Errorf("%d calls under other, want %d", got, 9*maxModels)
	}
}

// A key that somebody took for a model is no name to be shown, also where a pattern made it work.
func TestKeysAreNoNames(t *testing.T) {
	s := New()
	key := "sk-" + strings.Repeat("aB3_-", 8) + "xyz"
	s.Record(Request{Key: "k", Model: key, Tries: []Try{{Credential: "a", Model: key}}})
	r := s.Report()
	if find(r.Keys, "k", "other").Calls != 1 || find(r.Credentials, "a", "other").Calls != 1 {
		t.Errorf("%+v", r)
	}
}

func TestMadeUpNamesMakeRoom(t *testing.T) {
	s := New()
	for i := range 2 * maxModels {
		s.Record(Request{Key: "k", Model: fmt.Sprint("made-up-", i), Code: "model_not_found"})
	}
	s.Record(Request{Key: "k", Model: "real"})
	s.Record(Request{Key: "k", Model: "real", Code: "rate_limited"})
	r := s.Report()
	if got := find(r.Keys, "k", "real").Calls; got != 2 {
		t.Errorf("%d calls of a real model, want 2", got)
	}
	if got := find(r.Keys, "k", "other"); len(r.Keys) != maxModels+1 || got.Calls != maxModels+1 || got.Errors != maxModels+1 {
		t.Errorf("%d rows, other %+v", len(r.Keys), got)
	}
}

func TestParallelRecordsAddUp(t *testing.T) {
	s := New()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 500 {
				s.Record(Request{Key: "k", Model: "m", Tries: []Try{{Credential: "c", Model: "m", Total: 2}}})
				s.Report()
			}
		})
	}
	wg.Wait()
	r := s.Report()
	if c := find(r.Credentials, "c", "m"); c.Calls != 8000 || c.Total != 16000 {
		t.Errorf("%+v, want 8000 calls and 16000 tokens", c)
	}
}
