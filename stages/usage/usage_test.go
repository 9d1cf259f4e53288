package usage

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/embedded"
	"gcli2api/store/stats"
)

type lease string

func (l lease) ID() string                           { return string(l) }
func (lease) Kind() string                           { return "gemini" }
func (lease) Token() string                          { return "" }
func (lease) Project() string                        { return "" }
func (lease) Proxy() string                          { return "" }
func (lease) Release()                               {}
func (lease) Report(*apierror.Error) pipeline.Advice { return pipeline.Advice{} }

type stream struct {
	events []string
	err    error
	closed int
}

func (s *stream) Next() (wire.Event, error) {
	if len(s.events) == 0 {
		return wire.Event{}, s.err
	}
	e := s.events[0]
	s.events = s.events[1:]
	return wire.Event{Data: []byte(e), More: len(s.events) > 0}, nil
}

func (s *stream) Close() error { s.closed++; return nil }

func exchange(caller pipeline.Caller) *pipeline.Exchange {
	x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: "t"})
	x.Caller, x.Model = caller, models.Model{Base: "m"}
	return x
}

// try is one call with a credential that ended with code.
func try(x *pipeline.Exchange, who string, code apierror.Code) {
	x.Lease = lease(who)
	x.Try()
	if code == "" {
		x.Report(nil)
	} else {
		x.Report(apierror.New(code, "x"))
	}
}

const counts = `{"usageMetadata":{"promptTokenCount":10,"toolUsePromptTokenCount":2,"candidatesTokenCount":3,"thoughtsTokenCount":4,"totalTokenCount":19}}`

func row(who, model string, c stats.Count) stats.Row {
	return stats.Row{Who: who, Model: model, Count: c}
}

// end is how an exchange ends: its stages have settled everything when it is recorded.
func end(u *stage, x *pipeline.Exchange) {
	u.End(x)
	u.Record(x)
}

func check(t *testing.T, s *stats.Stats, creds, keys []stats.Row) {
	t.Helper()
	r := s.Report()
	if !reflect.DeepEqual(r.Credentials, creds) {
		t.Errorf("credentials %+v\nwant %+v", r.Credentials, creds)
	}
	if !reflect.DeepEqual(r.Keys, keys) {
		t.Errorf("keys %+v\nwant %+v", r.Keys, keys)
	}
}

func TestWholeAnswer(t *testing.T) {
	s := stats.New()
	u := &stage{stats: s}
	x := exchange(pipeline.Caller{Kind: "key", ID: "k1"})
	try(x, "a", "")
	x.Reply.Body = []byte(counts)
	if v := u.Process(x); v != pipeline.Next || string(x.Reply.Body) != counts {
		t.Fatalf("verdict %v", v)
	}
	end(u, x)
	c := stats.Count{Calls: 1, Prompt: 12, Output: 7, Total: 19, Thought: 4}
	check(t, s, []stats.Row{row("a", "m", c)}, []stats.Row{row("k1", "m", c)})
}

// Every try counts, also the failed ones; the tokens are the last one's.
func TestEveryTry(t *testing.T) {
	s := stats.New()
	u := &stage{stats: s}
	x := exchange(pipeline.Caller{Kind: "password"})
	try(x, "a", apierror.RateLimited)
	try(x, "b", apierror.UpstreamUnavailable)
	try(x, "a", "")
	x.Reply.Body = []byte(counts)
	u.Process(x)
	end(u, x)
	tokens := stats.Count{Calls: 1, Prompt: 12, Output: 7, Total: 19, Thought: 4}
	twice := tokens
	twice.Calls, twice.Errors = 2, 1
	check(t, s, []stats.Row{row("a", "m", twice), row("b", "m", stats.Count{Calls: 1, Errors: 1})},
		[]stats.Row{row("password", "m", tokens)})
}

// The counts of a stream are cumulative: the last of each wins, they are never added up.
func TestTokensAreThoseOfTheLastTry(t *testing.T) {
	s := stats.New()
	u := &stage{stats: s}
	x := exchange(pipeline.Caller{Kind: "password"})
	try(x, "a", apierror.RateLimited)
	try(x, "b", "")
	x.Reply.Body = []byte(counts)
	u.Process(x)
	end(u, x)
	c := stats.Count{Calls: 1, Prompt: 12, Output: 7, Total: 19, Thought: 4}
	check(t, s, []stats.Row{row("a", "m", stats.Count{Calls: 1, Errors: 1}), row("b", "m", c)}, []stats.Row{row("password", "m", c)})
}

func TestStream(t *testing.T) {
	s := stats.New()
	u := &stage{stats: s}
	x := exchange(pipeline.Caller{Kind: "password"})
	try(x, "a", "")
	events := []string{
		`{"candidates":[],"usageMetadata":{"promptTokenCount":10}}`,
		`{"candidates":[{"content":{"parts":[{"text":"\"usageMetadata\":{\"promptTokenCount\":99}"}]}}]}`,
		`{"candidates":[],"x\"usageMetadata":{"promptTokenCount":99}}`,
		`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"usageMetadata":{"promptTokenCount":99}}}}]}}],"usageMetadata":{"promptTokenCount":10}}`,
		`{"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1,"totalTokenCount":11}}`,
		`{"usageMetadata":{"candidatesTokenCount":3,"thoughtsTokenCount":4,"totalTokenCount":17}}`,
	}
	inner := &stream{events: append([]string(nil), events...), err: io.EOF}
	x.Reply.Stream = inner
	u.Process(x)
	for i, want := range events {
		ev, err := x.Reply.Stream.Next()
		if err != nil || string(ev.Data) != want || ev.More != (i+1 < len(events)) {
			t.Errorf("event %d: %s, more %v, %v", i, ev.Data, ev.More, err)
		}
	}
	if _, err := x.Reply.Stream.Next(); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
	if _ = x.Reply.Stream.Close(); inner.closed != 1 {
		t.Errorf("closed %d times", inner.closed)
	}
	end(u, x)
	c := stats.Count{Calls: 1, Prompt: 10, Output: 7, Total: 17, Thought: 4}
	check(t, s, []stats.Row{row("a", "m", c)}, []stats.Row{row("password", "m", c)})
}

func TestHowItEnded(t *testing.T) {
	for _, c := range []struct {
		name        string
		caller      pipeline.Caller
		tries       []apierror.Code
		err         apierror.Code
		creds, keys []stats.Row
	}{
		{"refused at the door", pipeline.Caller{}, nil, apierror.Unauthorized, []stats.Row{}, []stats.Row{row("refused", "m", stats.Count{Calls: 1, Errors: 1})}},
		{"nobody asked Google", pipeline.Caller{Kind: "anonymous"}, nil, apierror.BadRequest, []stats.Row{}, []stats.Row{row("anonymous", "m", stats.Count{Calls: 1, Errors: 1})}},
		{"all tries failed", pipeline.Caller{Kind: "password"}, []apierror.Code{apierror.RateLimited, apierror.RateLimited}, apierror.RateLimited,
			[]stats.Row{row("a", "m", stats.Count{Calls: 2, Errors: 2})}, []stats.Row{row("password", "m", stats.Count{Calls: 1, Errors: 1})}},
		{"the client left, which is no fault of the credential", pipeline.Caller{Kind: "password"}, []apierror.Code{apierror.ClientGone}, apierror.ClientGone,
			[]stats.Row{row("a", "m", stats.Count{Calls: 1})}, []stats.Row{row("password", "m", stats.Count{Calls: 1, Errors: 1})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stats.New()
			u := &stage{stats: s}
			x := exchange(c.caller)
			for _, code := range c.tries {
				try(x, "a", code)
			}
			x.Reply.Err = apierror.New(c.err, "x")
			u.Process(x)
			x.Outcome.Err = x.Reply.Err
			end(u, x)
			check(t, s, c.creds, c.keys)
		})
	}
}

// What passed before a stream broke was paid for.
func TestTokensOfABrokenStream(t *testing.T) {
	s := stats.New()
	u := &stage{stats: s}
	x := exchange(pipeline.Caller{Kind: "password"})
	x.Lease = lease("a")
	x.Try()
	x.Reply.Stream = &stream{events: []string{counts}, err: apierror.New(apierror.StreamBroken, "x")}
	u.Process(x)
	_, _ = x.Reply.Stream.Next()
	_, err := x.Reply.Stream.Next()
	x.Report(apierror.From(err))
	x.Outcome.Err = apierror.From(err)
	end(u, x)
	c := stats.Count{Calls: 1, Errors: 1, Prompt: 12, Output: 7, Total: 19, Thought: 4}
	check(t, s, []stats.Row{row("a", "m", c)}, []stats.Row{row("password", "m", c)})
}

func BenchmarkEvent(b *testing.B) {
	data := []byte(`{"candidates":[{"content":{"role":"model","parts":[{"text":"a few words of an answer"}]},"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"totalTokenCount":13},"modelVersion":"m"}`)
	m := &meter{inner: endless(data)}
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := m.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

type endless []byte

func (e endless) Next() (wire.Event, error) { return wire.Event{Data: e}, nil }
func (endless) Close() error                { return nil }

// said40 is an event without counts whose text is forty bytes, and its quotes.
const said40 = `{"candidates":[{"content":{"parts":[{"text":"an answer of forty bytes, quotes apart.."}]}}]}`

// What is spent is known to the stages before, whatever the answer looks like and however far it came.
func TestUsedIsKnown(t *testing.T) {
	whole := gemini.Usage{Prompt: 10, ToolUse: 2, Candidates: 3, Thoughts: 4, Total: 19}
	for _, c := range []struct {
		name  string
		reply pipeline.Reply
		hear  int
		want  gemini.Usage
		count stats.Count
	}{
		{"whole", pipeline.Reply{Body: []byte(counts)}, 0, whole, stats.Count{Prompt: 12, Output: 7, Total: 19, Thought: 4}},
		{"whole, read already", pipeline.Reply{Body: []byte(`{}`), Usage: whole}, 0, whole, stats.Count{Prompt: 12, Output: 7, Total: 19, Thought: 4}},
		{"embeddings", pipeline.Reply{Body: []byte(`{"embeddings":[{"values":[0.1]}],"usageMetadata":{"promptTokenCount":6}}`)}, 0,
			gemini.Usage{Prompt: 6}, stats.Count{Prompt: 6, Total: 6}},
		{"stream", pipeline.Reply{Stream: &stream{events: []string{`{"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":8}}`, `{}`, counts}, err: io.EOF}}, 4,
			gemini.Usage{Prompt: 10, Cached: 8, ToolUse: 2, Candidates: 3, Thoughts: 4, Total: 19}, stats.Count{Prompt: 12, Output: 7, Total: 19, Thought: 4, Cached: 8}},
		{"stream, left half way", pipeline.Reply{Stream: &stream{events: []string{`{"usageMetadata":{"promptTokenCount":10,"totalTokenCount":10}}`, counts}, err: io.EOF}}, 1,
			gemini.Usage{Prompt: 10, Total: 10}, stats.Count{Prompt: 10, Total: 10}},
		{"fake stream, left half way", pipeline.Reply{Stream: &stream{events: []string{`{}`, counts}, err: io.EOF}, Usage: whole}, 1, whole, stats.Count{Prompt: 12, Output: 7, Total: 19, Thought: 4}},
		{"stream whose counts come last, left before", pipeline.Reply{Stream: &stream{events: []string{said40, `{"usageMetadata":{"promptTokenCount":10}}`, said40, counts}, err: io.EOF}}, 3,
			gemini.Usage{Prompt: 10, Candidates: 21, Total: 31}, stats.Count{Prompt: 10, Output: 21, Total: 31}},
		{"the same, heard to its end", pipeline.Reply{Stream: &stream{events: []string{said40, said40, counts}, err: io.EOF}}, 4, whole, stats.Count{Prompt: 12, Output: 7, Total: 19, Thought: 4}},
		{"fake stream that says something, left half way", pipeline.Reply{Stream: &stream{events: []string{said40, counts}, err: io.EOF}, Usage: whole}, 1, whole, stats.Count{Prompt: 12, Output: 7, Total: 19, Thought: 4}},
		{"nothing", pipeline.Reply{Err: apierror.New(apierror.NoCredential, "x")}, 0, gemini.Usage{}, stats.Count{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stats.New()
			u := &stage{stats: s}
			x := exchange(pipeline.Caller{Kind: "key", ID: "k"})
			try(x, "a", "")
			x.Reply = c.reply
			u.Process(x)
			for range c.hear {
				_, _ = x.Reply.Stream.Next()
			}
			u.End(x)
			if x.Used != c.want {
				t.Errorf("%+v, want %+v", x.Used, c.want)
			}
			if len(s.Report().Keys) != 0 {
				t.Error("counted before the price is settled")
			}
			u.Record(x)
			c.count.Calls = 1
			check(t, s, []stats.Row{row("a", "m", c.count)}, []stats.Row{row("k", "m", c.count)})
		})
	}
}

// Units are those of an answer that began; the first byte belongs to the call that it came from.
func TestPriceAndTime(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := stats.Open(t.Context(), stats.Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	u := &stage{stats: s}
	for _, began := range []bool{true, false} {
		x := exchange(pipeline.Caller{Kind: "key", ID: "k"})
		x.Charge = pipeline.Charge{Key: "k", Units: 5}
		for _, who := range []string{"early", "answers", "late"} {
			try(x, who, map[string]apierror.Code{"early": apierror.RateLimited}[who])
		}
		x.Attempts[1].Start = x.Started().Add(300 * time.Millisecond)
		x.Attempts[2].Start = x.Started().Add(3000 * time.Millisecond)
		u.Process(x)
		u.End(x)
		if x.Outcome.Began = began; began {
			x.Outcome.First = 900 * time.Millisecond
		}
		u.Record(x)
	}
	ask := func(q stats.Query) stats.Figures {
		q.From, q.To = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		found, err := s.Series(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var sum stats.Figures
		for i := range found.Points {
			sum.Add(&found.Points[i].Figures)
		}
		return sum
	}
	if f := ask(stats.Query{Key: "k"}); f.Calls != 2 || f.Units != 5 || f.First.Measured() != 1 || f.Took.Measured() != 2 || f.First.Quantile(1) != 1600*time.Millisecond {
		t.Errorf("%+v", f)
	}
	for who, want := range map[string]int64{"early": 0, "answers": 1, "late": 0} {
		if f := ask(stats.Query{Credential: who}); f.Calls != 2 || f.First.Measured() != want || f.Took.Measured() != 2 || want == 1 && f.First.Quantile(1) != 800*time.Millisecond {
			t.Errorf("%s: %+v", who, f)
		}
	}
}

// A request that was refused before its model was settled counts for the one that was asked for, by whatever
// name, if there is such a one. Who was not let in names none, and a body that nobody has read stays unread.
func TestRefusedBeforeTheModelIsSettled(t *testing.T) {
	catalogue, err := models.New(models.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind, body string
		read       bool
		want       string
	}{
		{"key", `{"model":"gemini-2.5-pro"}`, true, "gemini-2.5-pro"},
		{"key", `{"model":"流式抗截断/gemini-2.5-pro-search"}`, true, "gemini-2.5-pro"},
		{"key", `{"model":"nonesuch-pro"}`, true, "other"},
		{"key", `{"model":7}`, true, "other"},
		{"key", `{"model":"gemini-2.5-pro"}`, false, "other"},
		{"", `{"model":"gemini-2.5-pro"}`, true, "other"},
	} {
		s := stats.New()
		u := &stage{stats: s, catalogue: catalogue}
		x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: "t", Route: pipeline.Route{Format: wire.OpenAI}, Client: &reader{data: []byte(c.body)}})
		x.Caller = pipeline.Caller{Kind: c.kind}
		if c.read {
			_, _ = x.Members()
		}
		x.Outcome.Err = apierror.New(apierror.InsufficientQuota, "no")
		end(u, x)
		check(t, s, []stats.Row{}, []stats.Row{row(caller(x), c.want, stats.Count{Calls: 1, Errors: 1})})
	}
}
