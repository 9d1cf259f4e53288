package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gcli2api/pipeline/models"
	"gcli2api/store"
	"gcli2api/store/embedded"
)

// ofMany hides that the store is this process's own, as one on a server is not.
type ofMany struct{ store.Store }

func costStore(t testing.TB, file string) store.Store {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func costsOn(t testing.TB, s store.Store) *Costs {
	t.Helper()
	c, err := openCosts(t.Context(), Options{Store: s, Log: slog.New(slog.DiscardHandler), Settings: func() Settings { return Settings{DefaultCost: 1} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func costGrammar(t testing.TB) *models.Catalogue {
	t.Helper()
	s := models.Defaults()
	s.Alias = map[string]string{"gpt-4o": "gemini-2.5-pro"}
	s.ImageSuffixes = true
	c, err := models.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The order of behaviour 7.2: the entry that says most of what is asked, the base (twice for anti-truncation),
// the family, the default.
func TestPrices(t *testing.T) {
	g, c := costGrammar(t), costsOn(t, costStore(t, filepath.Join(t.TempDir(), "db")))
	check := func(what string, want map[string]int64) {
		t.Helper()
		for name, units := range want {
			if got := c.Price(g.Parse(name)); got != units {
				t.Errorf("%s: %s costs %d, want %d", what, name, got, units)
			}
		}
	}
	check("built in", map[string]int64{
		"gemini-2.5-pro": 10, "models/gemini-2.5-pro": 10, "假流式/gemini-2.5-pro": 10, "流式抗截断/gemini-2.5-pro": 20, "gemini-2.5-pro-流式抗截断": 20,
		"gemini-2.5-pro-maxthinking-search": 10, "gemini-2.5-pro-preview-06-05": 10, "流式抗截断/gemini-2.5-flash": 4, "gemini-2.5-flash-nothinking": 2,
		"gemini-3-pro-preview": 15, "抗截断/gemini-3-pro-preview-high": 30, "gpt-4o": 10,
		"gemini-9-Pro-exp": 10, "gemini-3-flash-preview": 2, "流式抗截断/gemini-9-pro": 20, "something-else": 1, "流式抗截断/something-else": 2,
	})
	for name, units := range map[string]int64{"gemini-2.5-pro": 8, "流式抗截断/gemini-2.5-pro": 12, "gemini-2.5-pro-search": 9, "gemini-2.5-flash": 0,
		"new/model-中文": 7, "gemini-2.5-pro-maxthinking": 30} {
		if err := c.SetModel(t.Context(), g.Parse(name), Cost{Units: units}); err != nil {
			t.Fatal(name, err)
		}
	}
	check("changed", map[string]int64{
		"gemini-2.5-pro": 8, "假流式/gemini-2.5-pro": 8, "gemini-2.5-pro-流式抗截断": 12, "假流式/流式抗截断/gemini-2.5-pro": 12, "gemini-2.5-pro-search": 9,
		"gemini-2.5-pro-nothinking-search": 9, // one thing more is no way round the price of search
		"gemini-2.5-pro-maxthinking":       30, "gemini-2.5-pro-maxthinking-search": 30, "gemini-2.5-flash": 0, "流式抗截断/gemini-2.5-flash": 0,
		"new/model-中文": 7, "流式抗截断/new/model-中文": 14,
	})
	if err := c.Reset(t.Context(), g.Parse("gemini-2.5-pro")); err != nil {
		t.Fatal(err)
	}
	if err := c.Reset(t.Context(), g.Parse("gemini-2.5-pro")); !errors.Is(err, ErrNoCost) {
		t.Errorf("a second reset: %v", err)
	}
	check("as built in again", map[string]int64{"gemini-2.5-pro": 10, "流式抗截断/gemini-2.5-pro": 12, "gemini-2.5-pro-search": 9})
}

func TestWhatTheTableSays(t *testing.T) {
	g, c := costGrammar(t), costsOn(t, costStore(t, filepath.Join(t.TempDir(), "db")))
	if err := c.SetModel(t.Context(), g.Parse("gemini-2.5-flash"), Cost{Units: 3, In: 100, Out: 400}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetModel(t.Context(), g.Parse("gemini-2.5-flash-search"), Cost{Units: 5}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Cost{"gemini-2.5-flash": {3, 100, 400}, "gemini-2.5-flash-search": {5, 100, 400},
		"流式抗截断/gemini-2.5-flash": {6, 100, 400}, "gemini-2.5-pro": {10, 0, 0}} {
		if got, listed := c.Of(g.Parse(name)); got != want || !listed {
			t.Errorf("%s: %+v, listed %v", name, got, listed)
		}
	}
	if got, listed := c.Of(g.Parse("gemini-7-pro")); got.Units != 10 || listed {
		t.Errorf("by family: %+v, listed %v", got, listed)
	}
	var rows []string
	for _, r := range c.List() {
		rows = append(rows, fmt.Sprintf("%s=%d,%v", r.Name, r.Units, r.Own))
	}
	want := "gemini-2.5-flash=3,true gemini-2.5-flash-search=5,true gemini-2.5-pro=10,false gemini-2.5-pro-preview-06-05=10,false gemini-3-pro-preview=15,false"
	if got := strings.Join(rows, " "); got != want {
		t.Errorf("the table: %s", got)
	}
}

func TestWhatHasNoCost(t *testing.T) {
	g, c := costGrammar(t), costsOn(t, costStore(t, filepath.Join(t.TempDir(), "db")))
	for name, says := range map[string]string{
		"": "no model", "流式抗截断/": "no model", "-search": "no model", "gpt-4o": "alias", "gemini-*": "*", "a b": "space", "a\x00b": "control",
		"a\xffb": "text", strings.Repeat("x", maxCostName+1): "200 bytes", "gemini-2.5-pro-thinking-512": "tokens", "gemini-2.5-flash-image-2k": "pictures",
		"gemini-2.5-pro-low-high": "asks for", NewSecret(): "is an API key",
	} {
		if err := c.SetModel(t.Context(), g.Parse(name), Cost{Units: 1}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: %v", name, err)
		}
	}
	for says, cost := range map[string]Cost{"cost": {Units: -1}, "input": {In: -1}, "output": {Out: MaxCost + 1}} {
		var wrong *FieldError
		if err := c.SetModel(t.Context(), g.Parse("m"), cost); !errors.As(err, &wrong) || wrong.Field != says {
			t.Errorf("%+v: %v", cost, err)
		}
	}
	if n := len(c.List()); n != len(builtInNames()) {
		t.Errorf("%d entries", n)
	}
}

func TestTheTableIsBounded(t *testing.T) {
	g, c := costGrammar(t), costsOn(t, costStore(t, filepath.Join(t.TempDir(), "db")))
	c.writing.Lock()
	for i := range maxCosts {
		c.own[fmt.Sprint("m", i)] = Cost{Units: 1}
	}
	c.writing.Unlock()
	if err := c.SetModel(t.Context(), g.Parse("one-more"), Cost{Units: 1}); !errors.Is(err, ErrManyCosts) {
		t.Errorf("one more: %v", err)
	}
	if err := c.SetModel(t.Context(), g.Parse("m1"), Cost{Units: 2}); err != nil {
		t.Errorf("one that is there: %v", err)
	}
}

// The id of a document says what the entry is for, whatever the grammar makes of it later.
func TestCostIDs(t *testing.T) {
	g := costGrammar(t)
	for _, name := range []string{"gemini-2.5-pro", "流式抗截断/gemini-2.5-pro", "假流式/流式抗截断/a/b-maxthinking-search", "模型-中文-think"} {
		m := g.Parse(name)
		back := modelOf(costID(m))
		if back.Base != m.Base || back.Features != m.Features || back.Thinking != m.Thinking || back.Canonical() != m.Canonical() {
			t.Errorf("%s became %q and %+v", name, costID(m), back)
		}
	}
}

func TestCostsOutliveTheProcess(t *testing.T) {
	g, file := costGrammar(t), filepath.Join(t.TempDir(), "db")
	s := costStore(t, file)
	if err := costsOn(t, s).SetModel(t.Context(), g.Parse("流式抗截断/gemini-2.5-pro"), Cost{Units: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), store.Costs, store.Doc{ID: "torn", Body: []byte(`"x"`)}, store.New); err != nil {
		t.Fatal(err)
	}
	s.Close()
	c := costsOn(t, costStore(t, file))
	if got := c.Price(g.Parse("流式抗截断/gemini-2.5-pro")); got != 3 {
		t.Errorf("after a new start it costs %d", got)
	}
}

// Another node's changes count here within a second, with hints and without.
func TestCostsAcrossNodes(t *testing.T) {
	for name, wrap := range map[string]func(store.Store) store.Store{
		"hints":    func(s store.Store) store.Store { return ofMany{s} },
		"no hints": func(s store.Store) store.Store { return ofManyDeaf{ofMany{s}} },
	} {
		t.Run(name, func(t *testing.T) {
			g, s := costGrammar(t), costStore(t, filepath.Join(t.TempDir(), "db"))
			one, two := costsOn(t, wrap(s)), costsOn(t, wrap(s))
			m := g.Parse("gemini-2.5-pro")
			if err := one.SetModel(t.Context(), m, Cost{Units: 77}); err != nil {
				t.Fatal(err)
			}
			soon(t, "the new cost", func() bool { return two.Price(m) == 77 })
			if err := two.Reset(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			soon(t, "the old cost again", func() bool { return one.Price(m) == 10 })
		})
	}
}

// ofManyDeaf has no hints.
type ofManyDeaf struct{ store.Store }

func (ofManyDeaf) Watch(context.Context) (<-chan store.Change, error) {
	return nil, errors.New("no hints")
}

// Writers and readers at the same time: what was set last holds, in memory as in the store.
func TestCostsAreSetAtTheSameTime(t *testing.T) {
	g, s := costGrammar(t), costStore(t, filepath.Join(t.TempDir(), "db"))
	c, m := costsOn(t, s), g.Parse("gemini-2.5-pro")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 20 {
				if err := c.SetModel(t.Context(), m, Cost{Units: int64(i*100 + n)}); err != nil {
					t.Error(err)
				}
				c.Price(m)
			}
		})
	}
	all.Wait()
	if now, later := c.Price(m), costsOn(t, s).Price(m); now != later {
		t.Errorf("%d in memory, %d in the store", now, later)
	}
}

// The price is looked up for every request that has a key.
func BenchmarkPrice(b *testing.B) {
	g, c := costGrammar(b), costsOn(b, costStore(b, filepath.Join(b.TempDir(), "db")))
	if err := c.SetModel(b.Context(), g.Parse("流式抗截断/gemini-2.5-pro-search"), Cost{Units: 3}); err != nil {
		b.Fatal(err)
	}
	m := g.Parse("流式抗截断/gemini-2.5-pro-maxthinking")
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c.Price(m)
		}
	})
}

func TestPriceAllocatesNothing(t *testing.T) {
	g, c := costGrammar(t), costsOn(t, costStore(t, filepath.Join(t.TempDir(), "db")))
	m := g.Parse("流式抗截断/gemini-2.5-pro-maxthinking-search")
	if n := testing.AllocsPerRun(100, func() { c.Price(m) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
