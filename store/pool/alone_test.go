package pool

import (
	"log/slog"
	"path/filepath"
	"testing"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

// On a store that nobody else writes to a state is not kept twice: it is read when somebody asks, with
// what a newer version has put into it.
func TestStatesOfALonelyStore(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	was := []byte(`{"of":"x","calls":3,"hours":[500000,2,1,5],"news":{"a":1}}`)
	if _, err := db.Put(t.Context(), store.CredentialStates, store.Doc{ID: "a", Body: was}, store.New); err != nil {
		t.Fatal(err)
	}
	m, err := Remember(t.Context(), db, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if r := m.known["a"]; r.body != "" {
		t.Errorf("its text is kept: %s", r.body)
	}
	s, ok := m.Load("a")
	if !ok || s.Calls != 3 || len(s.Hours) != 2 || s.Hours[1] != (Hour{At: 500001, N: 5}) || len(s.more) != 1 {
		t.Errorf("%v %+v", ok, s)
	}
	s.Calls, s.more = 4, nil
	for range 2 { // the second write needs what the first one left
		s.Calls++
		m.Save("a", s)
		if err := m.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s, ok = m.Load("a"); !ok || s.Calls != 6 || string(s.more["news"]) != `{"a":1}` || len(s.Writes) != 1 {
		t.Errorf("%v %+v", ok, s)
	}
	if _, ok := m.Load("b"); ok {
		t.Error("a state out of nothing")
	}
}
