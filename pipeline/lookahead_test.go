package pipeline_test

import (
	"io"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// feed is a stream of given events and an end.
type feed struct {
	events []string
	end    error
	read   int
	closed bool
}

func (f *feed) Next() (wire.Event, error) {
	if f.read == len(f.events) {
		return wire.Event{}, f.end
	}
	f.read++
	return wire.Event{Data: []byte(f.events[f.read-1])}, nil
}
func (f *feed) Close() error { f.closed = true; return nil }

// lease remembers what was reported.
type lease struct {
	reports []*apierror.Error
	advice  pipeline.Advice
}

func (l *lease) ID() string      { return "c1" }
func (l *lease) Kind() string    { return "gemini" }
func (l *lease) Token() string   { return "" }
func (l *lease) Project() string { return "" }
func (l *lease) Proxy() string   { return "" }
func (l *lease) Release()        {}
func (l *lease) Report(f *apierror.Error) pipeline.Advice {
	l.reports = append(l.reports, f)
	return l.advice
}

func part(p string) string {
	return `{"candidates":[{"content":{"role":"model","parts":[` + p + `]}}]}`
}

func last(reason, p string) string {
	return `{"candidates":[{"content":{"parts":[` + p + `]},"finishReason":"` + reason + `"}]}`
}

func TestFirstError(t *testing.T) {
	text, thought := part(`{"text":"hi"}`), part(`{"text":"hm","thought":true}`)
	nothing := `{"usageMetadata":{"promptTokenCount":3}}`
	cut := apierror.New(apierror.StreamBroken, "cut")
	tests := []struct {
		name   string
		events []string
		end    error
		code   apierror.Code // "" when the stream may go out
		read   int           // events taken before it was let go
	}{
		{"text", []string{text, text}, io.EOF, "", 1},
		{"thought that is shown", []string{thought, text}, io.EOF, "", 1},
		{"nothing, then text", []string{nothing, nothing, text, text}, io.EOF, "", 3},
		{"tool call", []string{part(`{"functionCall":{"name":"f"}}`)}, io.EOF, "", 1},
		{"image", []string{part(`{"inlineData":{"mimeType":"image/png","data":"AA=="}}`)}, io.EOF, "", 1},
		{"error at once", nil, cut, apierror.StreamBroken, 0},
		{"error after nothing", []string{nothing}, cut, apierror.StreamBroken, 1},
		{"error after text is not ours", []string{text}, cut, "", 1},
		{"empty stop", []string{last("STOP", "")}, io.EOF, apierror.EmptyAnswer, 1},
		{"empty text and stop", []string{last("STOP", `{"text":""}`)}, io.EOF, apierror.EmptyAnswer, 1},
		{"malformed call", []string{last("MALFORMED_FUNCTION_CALL", "")}, io.EOF, apierror.EmptyAnswer, 1},
		{"a signature is missing", []string{last("MISSING_THOUGHT_SIGNATURE", "")}, io.EOF, apierror.EmptyAnswer, 1},
		{"cut off by its limit", []string{last("MAX_TOKENS", "")}, io.EOF, "", 1},
		{"blocked prompt", []string{`{"promptFeedback":{"blockReason":"SAFETY"}}`}, io.EOF, "", 1},
		{"safety", []string{last("SAFETY", "")}, io.EOF, "", 1},
		{"no event at all", nil, io.EOF, apierror.EmptyAnswer, 0},
		{"sixteen events of nothing", strings.Split(strings.Repeat(nothing+"\n", 20), "\n")[:20], io.EOF, "", 16},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &feed{events: tt.events, end: tt.end}
			l := &lease{advice: pipeline.Advice{Again: pipeline.Other}}
			x := exchange()
			x.Lease = l
			x.Try()
			x.Reply.Stream = f
			got := x.FirstError()
			if f.read != tt.read {
				t.Errorf("%d events were read ahead, want %d", f.read, tt.read)
			}
			if tt.code != "" {
				if got == nil || got.Code != tt.code || !f.closed || x.Reply.Stream != nil || x.Reply.Err != got {
					t.Fatalf("error %v (closed %v), want %s", got, f.closed, tt.code)
				}
				if len(l.reports) != 1 || l.reports[0] != got || x.Advice().Again != pipeline.Other {
					t.Errorf("the lease heard %v, advice %+v", l.reports, x.Advice())
				}
				return
			}
			if got != nil || len(l.reports) != 0 {
				t.Fatalf("error %v, reports %v, want none", got, l.reports)
			}
			if again := x.FirstError(); again != nil {
				t.Errorf("a second look found %v", again)
			}
			for i := 0; ; i++ {
				ev, err := x.Reply.Stream.Next()
				if err != nil {
					if err != tt.end || i != len(tt.events) {
						t.Errorf("the stream ended with %v after %d events, want %v after %d", err, i, tt.end, len(tt.events))
					}
					break
				}
				if string(ev.Data) != tt.events[i] {
					t.Errorf("event %d is %s", i, ev.Data)
				}
			}
		})
	}
}

// Of the rest of an answer there may be nothing; everything else that is no answer is none there either.
func TestNoMoreToSay(t *testing.T) {
	for event, fails := range map[string]bool{
		last("STOP", ""): false, last("STOP", `{"text":""}`): false, last("OTHER", ""): true, last("MALFORMED_FUNCTION_CALL", ""): true, "": true,
	} {
		f := &feed{events: []string{event}, end: io.EOF}
		if event == "" {
			f.events = nil
		}
		x := exchange()
		x.Lease, x.Resumes, x.Reply.Stream = &lease{}, true, f
		x.Try()
		if got := x.FirstError(); (got != nil) != fails {
			t.Errorf("%s: %v", event, got)
		}
	}
}

func TestReportCountsOnceACall(t *testing.T) {
	l := &lease{}
	x := exchange()
	x.Lease = l
	x.Try()
	x.Report(nil)
	x.Report(apierror.New(apierror.StreamBroken, "late"))
	x.Try()
	x.Report(apierror.New(apierror.RateLimited, "slow"))
	if len(l.reports) != 2 || len(x.Attempts) != 2 || x.Attempts[0].Code != "" || x.Attempts[1].Code != apierror.RateLimited {
		t.Errorf("reports %v, attempts %+v", l.reports, x.Attempts)
	}
}

func TestBodyIsReadOnceAndModelNamedOnce(t *testing.T) {
	tests := []struct{ body, model, param string }{
		{`{"model":"` + strings.Repeat("x", 257) + `"}`, "", "model"},
		{`{"model":"a"}`, "a", ""},
		{`{"model":"a","model":"b"}`, "", "model"},
		{`{"mod\u0065l":"a"}`, "", "model"},
		{`{"messages":[]}`, "", "model"},
		{`{"model":7}`, "", "model"},
		{`{"model":""}`, "", "model"},
	}
	for _, tt := range tests {
		x := pipeline.NewExchange(t.Context(), pipeline.Request{Route: pipeline.Route{Format: wire.OpenAI}, Client: pipeline.Fixed{Data: []byte(tt.body)}})
		got, fail := x.AskedModel()
		if got != tt.model || (fail != nil) != (tt.param != "") || fail != nil && (fail.Param != tt.param || fail.Status != 400) {
			t.Errorf("%s: %q, %+v", tt.body, got, fail)
		}
	}
}

func TestBodiesSayWhatIsWrong(t *testing.T) {
	for body, says := range map[string]string{
		`{"model":5}`:  `"model" must be a non-empty string`,
		`{"model":""}`: `"model" must be a non-empty string`,
		`{}`:           `"model" is missing: name the model as a string`,
		` []`:          "the request body must be a JSON object",
		`"x"`:          "the request body must be a JSON object",
		`[`:            "the request body is not valid JSON",
		`{"model"}`:    "the request body is not valid JSON",
	} {
		x := pipeline.NewExchange(t.Context(), pipeline.Request{Route: pipeline.Route{Format: wire.OpenAI}, Client: pipeline.Fixed{Data: []byte(body)}})
		if _, fail := x.AskedModel(); fail == nil || fail.Status != 400 || !strings.HasPrefix(fail.Message, says) {
			t.Errorf("%s: %v, want %q", body, fail, says)
		}
	}
}

func TestChanged(t *testing.T) {
	x := pipeline.NewExchange(t.Context(), pipeline.Request{})
	for range 2 { // a request that is written again says the same again
		x.Changed("topK", "64")
		x.Dropped("labels")
		x.Changed("a=b, c", "1\r\nd=2")
	}
	if got := x.Header.Get("X-Dropped-Params"); got != "topK=64, labels, a?b??c=1??d?2" {
		t.Error(got)
	}
}

func TestDropped(t *testing.T) {
	x := pipeline.NewExchange(t.Context(), pipeline.Request{})
	x.Header.Set("X-Dropped-Params", "topK=64")
	for range 2 { // as two attempts do
		x.Dropped("labels")
		x.Dropped("a,\r\nb")
	}
	if got := x.Header.Get("X-Dropped-Params"); got != "topK=64, labels, a???b" {
		t.Errorf("%q", got)
	}
	for range 2 {
		for i := range 30 {
			x.Dropped(strings.Repeat("n", i+1))
		}
	}
	first := pipeline.NewExchange(t.Context(), pipeline.Request{})
	if first.Dropped("a,\r\nb"); first.Header.Get("X-Dropped-Params") != "a???b" {
		t.Errorf("the first one: %q", first.Header.Get("X-Dropped-Params"))
	}
	if got := x.Header.Get("X-Dropped-Params"); strings.Count(got, ", ") != 16 || !strings.HasSuffix(got, "nnnnnnnnnnnnn, more") {
		t.Errorf("%q", got)
	}
}
