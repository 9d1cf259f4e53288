package usage

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/audit"
	"gcli2api/store/embedded"
	"gcli2api/store/stats"
)

// noted is what a stage writes down of an exchange.
func noted(t *testing.T, x *pipeline.Exchange) audit.Request {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := audit.Open(t.Context(), audit.Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	defer l.Close()
	s := &stage{stats: stats.New(), audit: l, routes: routeNames()}
	s.Process(x)
	s.End(x)
	s.Record(x)
	page, err := l.Requests(t.Context(), audit.Query{})
	if err != nil || len(page.Rows) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	return page.Rows[0]
}

func TestRowOfARequest(t *testing.T) {
	x := exchange(pipeline.Caller{Kind: "key", ID: "k1"})
	x.In.Route = pipeline.Route{Format: wire.OpenAI, Verb: pipeline.Generate}
	x.Answer, x.WantsStream = wire.Responses, true
	x.Model = models.Model{Asked: "流式抗截断/m", Base: "m"}
	try(x, "a", apierror.RateLimited)
	try(x, "b", "")
	x.Reply.Body, x.Reply.Usage = []byte(`{}`), gemini.Usage{Prompt: 10, ToolUse: 2, Candidates: 3, Thoughts: 4, Cached: 5}
	x.Charge = pipeline.Charge{Key: "k1", Units: 20}
	x.Outcome = pipeline.Outcome{Began: true, Status: 200, First: time.Millisecond}
	got := noted(t, x)
	want := audit.Request{Time: got.Time, ID: "t", Key: "k1", Route: "openai/stream", Answer: "responses", Model: "流式抗截断/m", Credential: "b", Stream: true,
		Status: 200, Tries: 2, Input: 12, Output: 7, Cached: 5, Thoughts: 4, Cost: 20, First: time.Millisecond, Took: got.Took}
	if got != want || got.Took <= 0 {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// A row comes of every verb; what costs nothing is not counted.
func TestRowsOfWhatIsNotCounted(t *testing.T) {
	for verb, route := range map[pipeline.Verb]string{pipeline.List: "gemini/list", pipeline.Count: "gemini/count", pipeline.Recall: "gemini/recall", pipeline.Embed: "gemini/embed"} {
		x := exchange(pipeline.Caller{})
		x.Model = models.Model{}
		x.In.Route.Verb, x.In.Model = verb, "of-the-path"
		x.Reply.Err = apierror.New(apierror.Unauthorized, "no")
		x.Outcome = pipeline.Outcome{Err: x.Reply.Err, Status: 401}
		got := noted(t, x)
		if got.Key != "refused" || got.Route != route || got.Code != "unauthorized" || got.Status != 401 || got.Model != "of-the-path" {
			t.Errorf("%+v", got)
		}
	}
	s := &stage{stats: stats.New(), routes: routeNames()}
	x := exchange(pipeline.Caller{Kind: "password"})
	x.In.Route.Verb = pipeline.List
	s.Process(x)
	s.End(x)
	s.Record(x)
	if r := s.stats.Report(); len(r.Keys) != 0 {
		t.Errorf("a listing is counted: %+v", r.Keys)
	}
}

// A body that nobody has read is not read to write down what it asks for.
func TestUnreadBodiesStayUnread(t *testing.T) {
	for _, read := range []bool{false, true} {
		c := &reader{data: []byte(`{"model":"m-1"}`)}
		x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: "t", Route: pipeline.Route{Format: wire.OpenAI}, Client: c})
		want := ""
		if read {
			_, _ = x.Members()
			want = "m-1"
		}
		x.Outcome = pipeline.Outcome{Status: 401}
		if got := noted(t, x); got.Model != want || c.reads > 1 || !read && c.reads != 0 {
			t.Errorf("model %q after %d reads", got.Model, c.reads)
		}
	}
}

type reader struct {
	pipeline.Fixed
	data  []byte
	reads int
}

func (r *reader) Body() ([]byte, *apierror.Error) { r.reads++; return r.data, nil }

// What anybody can ask has no row each: the others would fill the store.
func TestStrangersHaveFewRows(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	l, err := audit.Open(t.Context(), audit.Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &stage{stats: stats.New(), audit: l, routes: routeNames()}
	const many = 300
	for range many {
		for _, who := range []struct {
			kind string
			verb pipeline.Verb
		}{{"", pipeline.Generate}, {"anonymous", pipeline.List}, {"anonymous", pipeline.Generate}, {"password", pipeline.List}} {
			x := exchange(pipeline.Caller{Kind: who.kind})
			x.In.Route.Verb = who.verb
			s.Record(x)
		}
	}
	for key, want := range map[string]func(n int) bool{
		"refused": func(n int) bool { return n < many }, "password": func(n int) bool { return n == many },
		"anonymous": func(n int) bool { return n >= many && n < 2*many }, // who asks a gateway that is open is no stranger
	} {
		page, err := l.Requests(t.Context(), audit.Query{Key: key, Limit: audit.MaxLimit})
		if err != nil || !want(len(page.Rows)) {
			t.Errorf("%s: %d rows, %v", key, len(page.Rows), err)
		}
	}
}
