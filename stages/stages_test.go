package stages_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire"
	"gcli2api/plugins"
	"gcli2api/stages"
	"gcli2api/stages/upstream"
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
	"gcli2api/store/pool"
	"gcli2api/store/stats"
	"gcli2api/store/storetest"
)

// owners is the order that the owner of the product asked for.
var owners = []string{"auth", "quota", "format", "model", "translate", "credential", "upstream", "retry", "shape", "usage"}

// usual is the default order: the optional stages have their places in between.
var usual = []string{"auth", "quota", "format", "model", "translate", "thinking", "search", "compat",
	"fakestream", "antitrunc", "credential", "upstream", "retry", "shape", "usage"}

// catalogue is every stage there is, as main has it.
func catalogue(s stages.Services) []pipeline.Kind {
	return pipeline.InOrder(append(stages.Catalogue(s), plugins.Catalogue()...))
}

func TestOrder(t *testing.T) {
	c := load(t, nil, "")
	var want []string
	for _, name := range usual {
		if slices.ContainsFunc(catalogue(stages.Services{}), func(k pipeline.Kind) bool { return k.Name == name }) {
			want = append(want, name)
		}
	}
	if got := strings.Join(c.Order(), " "); got != strings.Join(want, " ") {
		t.Errorf("the default order is %s", got)
	}
	var names []string
	for _, k := range stages.Catalogue(stages.Services{}) {
		names = append(names, k.Name)
		if !c.Enabled(k.Name) {
			t.Errorf("%s is off by default", k.Name)
		}
	}
	if got := strings.Join(names, " "); got != strings.Join(owners, " ") {
		t.Errorf("the catalogue is %s", got)
	}
}

// load reads a configuration against the settings of kinds; nil is the catalogue.
func load(t *testing.T, kinds []pipeline.Kind, toml string) *config.Snapshot {
	t.Helper()
	if kinds == nil {
		kinds = catalogue(stages.Services{})
	}
	o := config.Options{Data: []byte(toml), File: "test.toml"}
	for _, k := range kinds {
		o.Params, o.Stages = append(o.Params, k.Params...), append(o.Stages, k.Name)
	}
	c, err := config.Load(o)
	if err != nil {
		t.Fatalf("%v\n%s", err, toml)
	}
	return c
}

func engine(t *testing.T, kinds []pipeline.Kind, loopback bool) *pipeline.Engine {
	t.Helper()
	e, err := pipeline.NewEngine(pipeline.Options{Kinds: kinds, Loopback: loopback, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

type access struct{}

func (access) Password() string   { return "secret" }
func (access) PublicModels() bool { return false }

type address string

func (a address) CodeAssist() string      { return string(a) }
func (a address) Gemini() string          { return string(a) }
func (a address) UserAgent(string) string { return "agent" }

// house is everything that the stages stand on, in front of the simulator.
type house struct {
	t      *testing.T
	sim    *simulator.Server
	pool   *pool.Pool
	stats  *stats.Stats
	store  *sole // of the book
	book   *apikey.Book
	key    *apikey.Key // with a quota of 1000
	secret string
	kinds  []pipeline.Kind
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, stats: stats.New()}
	h.openBook()
	var err error
	if h.sim, err = simulator.Start(simulator.Options{}); err != nil {
		t.Fatal(err)
	}
	client, err := outbound.New(outbound.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"AIza-simulated-one", "AIza-simulated-two"}
	for _, k := range keys {
		h.sim.AddKey(k)
	}
	if h.pool, err = pool.New(pool.Options{Settings: pool.Settings{APIKeys: keys}}); err != nil {
		t.Fatal(err)
	}
	at := address(h.sim.URL())
	h.kinds = catalogue(stages.Services{Access: access{}, Book: h.book, Pool: h.pool, Stats: h.stats,
		Clients: upstream.Clients{Caller: func() outbound.Caller { return client }, Dialects: map[string]upstream.Dialect{
			"codeassist": codeassist.New(at), "gemini": geminiapi.New(at)}}})
	t.Cleanup(func() {
		if n := h.pool.Leases(); n != 0 {
			t.Errorf("%d leases are still out", n)
		}
		_, _, _ = h.pool.Close(), client.Close(), h.sim.Close()
	})
	return h
}

// sole is a store that can fail and belongs to this process.
type sole struct{ *storetest.Flaky }

func (sole) Alone() bool { return true }

// openBook makes a book with one key.
func (h *house) openBook() {
	h.t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(h.t.TempDir(), "x.db")})
	if err != nil {
		h.t.Fatal(err)
	}
	h.store = &sole{&storetest.Flaky{Store: db}}
	if h.book, err = apikey.Open(h.t.Context(), apikey.Options{Store: h.store, Log: slog.New(slog.DiscardHandler)}); err != nil {
		h.t.Fatal(err)
	}
	if h.key, h.secret, err = h.book.Keys.Create(h.t.Context(), apikey.Terms{Quota: 1000}); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _, _ = h.book.Close(), db.Close() })
}

// terms changes what the operator wants of the key.
func (h *house) terms(change func(*apikey.Terms)) {
	h.t.Helper()
	one, err := h.book.Keys.Edit(h.t.Context(), h.key.ID, func(t *apikey.Terms) error { change(t); return nil })
	if err != nil {
		h.t.Fatal(err)
	}
	h.key = one
}

// used is what the key was charged so far.
func (h *house) used() int64 {
	h.t.Helper()
	b, err := h.book.Ledger.Balance(h.t.Context(), h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	return b.Used
}

// run serves one request with a list, as the server would.
func (h *house) run(toml string, in pipeline.Request) (*pipeline.Exchange, pipeline.Reply) {
	h.t.Helper()
	e := engine(h.t, h.kinds, true)
	if err := e.Apply(load(h.t, h.kinds, toml)); err != nil {
		h.t.Fatal(err)
	}
	in.ID = "t"
	x := pipeline.NewExchange(context.Background(), in)
	reply := e.Run(x)
	o := pipeline.Outcome{Err: reply.Err}
	if o.Err == nil && !reply.Empty() {
		o.Err = e.Begin(x)
		o.Began = o.Err == nil
	}
	e.End(x, o)
	if err := e.Close(context.Background()); err != nil {
		h.t.Error(err)
	}
	return x, reply
}

const (
	turn   = `[{"role":"user","parts":[{"text":"hi"}]}]`
	chat   = `{"model":"gemini-2.5-pro","messages":[{"role":"user","content":"hi"}]}`
	native = `{"contents":` + turn + `}`
)

func onOpenAI(body, password string) pipeline.Request {
	return pipeline.Request{Route: pipeline.Route{Format: wire.OpenAI}, Client: client(body, password)}
}

func onGemini(model, body string) pipeline.Request {
	return pipeline.Request{Route: pipeline.Route{Format: wire.Gemini}, Model: model, Client: client(body, "secret")}
}

func client(body, password string) pipeline.Fixed {
	return pipeline.Fixed{Headers: map[string]string{"x-goog-api-key": password}, Data: []byte(body)}
}
