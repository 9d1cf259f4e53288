package shape

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

var countRoute = pipeline.Route{Format: wire.Gemini, Verb: pipeline.Count}

const prompt = `{"contents":[{"parts":[{"text":"eight by"}]}]}`

// said is an error as upstream makes it of Google's answer.
func said(status int, body string) *apierror.Error {
	return gemini.ParseError(status, "", []byte(`{"error":`+body+`}`), time.Now())
}

func counting(t *testing.T, body string) *pipeline.Exchange {
	t.Helper()
	x := exchange(countRoute, body)
	var fail *apierror.Error
	if x.Call, fail = gemini.NewCall([]byte(body)); fail != nil {
		t.Fatal(fail)
	}
	return x
}

// What Google or the pool could not do gets an estimate; what the client did wrong stays an error,
// and so does what went wrong in here.
func TestEstimated(t *testing.T) {
	for name, c := range map[string]struct {
		why      *apierror.Error
		estimate bool
	}{
		"no credential":              {apierror.New(apierror.NoCredential, "none"), true},
		"all are limited":            {apierror.New(apierror.RateLimited, "all"), true},
		"429":                        {said(429, `{"code":429,"status":"RESOURCE_EXHAUSTED"}`), true},
		"429 for the day":            {said(429, `{"details":[{"reason":"QUOTA_EXHAUSTED"}]}`), true},
		"401":                        {said(401, `{}`), true},
		"403":                        {said(403, `{}`), true},
		"500":                        {said(500, `{}`), true},
		"503":                        {said(503, `{}`), true},
		"504":                        {said(504, `{}`), true},
		"a page":                     {gemini.ParseError(200, "", []byte("<html>"), time.Now()), true},
		"a dead key":                 {said(400, `{"details":[{"reason":"API_KEY_INVALID"}]}`), true},
		"no counting there":          {said(501, `{}`), true},
		"a place that is not served": {said(400, `{"status":"FAILED_PRECONDITION","message":"User location is not supported for the API use."}`), true},
		"malformed":                  {said(400, `{"status":"INVALID_ARGUMENT","message":"contents is not specified"}`), false},
		"unknown model":              {said(404, `{}`), false},
		"unknown to all":             {apierror.New(apierror.ModelNotFound, "no credential has access"), false},
		"too large":                  {said(413, `{}`), false},
		"a bug of ours":              {apierror.New(apierror.Internal, "panic"), false},
		"ours does not serve it":     {apierror.New(apierror.Unsupported, "no"), false},
		"gone":                       {apierror.New(apierror.ClientGone, "gone"), false},
	} {
		t.Run(name, func(t *testing.T) {
			x := counting(t, prompt)
			x.Reply.Err = c.why
			usual.Process(x)
			told := x.Header.Get("X-Token-Count")
			switch {
			case x.Encoder == nil:
				t.Error("no encoder")
			case c.estimate && (x.Reply.Err != nil || string(x.Reply.Body) != `{"totalTokens":2}` || told != "estimate"):
				t.Errorf("%q, %v, header %q", x.Reply.Body, x.Reply.Err, told)
			case !c.estimate && (x.Reply.Err != c.why || x.Reply.Body != nil || told != ""):
				t.Errorf("%q, %v, header %q", x.Reply.Body, x.Reply.Err, told)
			}
		})
	}
}

func TestNotEstimated(t *testing.T) {
	none := apierror.New(apierror.NoCredential, "none")
	left, cancel := context.WithCancel(context.Background())
	cancel()
	gone := pipeline.NewExchange(left, pipeline.Request{Route: countRoute})
	gone.Call, _ = gemini.NewCall([]byte(prompt))
	for name, x := range map[string]*pipeline.Exchange{
		"no call, as behind auth":  exchange(countRoute, prompt),
		"the client left":          gone,
		"most of it is in a cache": counting(t, `{"contents":[{"parts":[{"text":"a"}]}],"cachedContent":"cachedContents/c"}`),
		"in a cache, whole":        counting(t, `{"generateContentRequest":{"contents":[{"parts":[{"text":"a"}]}],"cached_content":"cachedContents/c"}}`),
	} {
		x.Reply.Err = none
		usual.Process(x)
		if x.Reply.Err != none || x.Header.Get("X-Token-Count") != "" {
			t.Errorf("%s: %q, %v", name, x.Reply.Body, x.Reply.Err)
		}
	}
	other := exchange(geminiRoute, prompt)
	other.Call, _ = gemini.NewCall([]byte(prompt))
	other.Reply.Err = none
	if usual.Process(other); other.Reply.Err != none {
		t.Errorf("an answer was counted instead of given: %q", other.Reply.Body)
	}
	x := counting(t, `{"contents":[{"parts":"hi"}]}`)
	x.Reply.Err = none
	if usual.Process(x); x.Reply.Err == nil || x.Reply.Err.Param != "contents[0].parts" || x.Header.Get("X-Token-Count") != "" {
		t.Errorf("malformed contents: %q, %v", x.Reply.Body, x.Reply.Err)
	}
	x = counting(t, prompt)
	x.Reply.Body = []byte(`{"totalTokens":7}`)
	if usual.Process(x); string(x.Reply.Body) != `{"totalTokens":7}` || x.Header.Get("X-Token-Count") != "" {
		t.Errorf("Google's own count became %q", x.Reply.Body)
	}
}

// The log says why, and nothing of the prompt.
func TestEstimateIsLogged(t *testing.T) {
	var b bytes.Buffer
	s := &stage{Settings{}, nil, slog.New(slog.NewTextHandler(&b, nil))}
	x := counting(t, prompt)
	x.Reply.Err = apierror.New(apierror.RateLimited, "all are limited")
	s.Process(x)
	if line := b.String(); !strings.Contains(line, "tokens estimated") || !strings.Contains(line, "id=42") || !strings.Contains(line, "rate_limited") || strings.Contains(line, "eight") {
		t.Error(line)
	}
}
