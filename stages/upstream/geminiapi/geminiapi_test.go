package geminiapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/stages/upstream/geminiapi"
)

type settings string

func (s settings) Gemini() string { return string(s) }

type lease struct{}

func (lease) ID() string                             { return "key" }
func (lease) Kind() string                           { return "gemini" }
func (lease) Token() string                          { return "AIza-made-up" }
func (lease) Project() string                        { return "" }
func (lease) Proxy() string                          { return "" }
func (lease) Report(*apierror.Error) pipeline.Advice { return pipeline.Advice{} }
func (lease) Release()                               {}

func exchange(t testing.TB, verb pipeline.Verb, model, body string) *pipeline.Exchange {
	t.Helper()
	x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: "t", Route: pipeline.Route{Format: wire.Gemini, Verb: verb}})
	x.Model = models.Model{Asked: model, Base: model}
	var fail *apierror.Error
	if x.Call, fail = gemini.NewCall([]byte(body)); fail != nil {
		t.Fatal(fail)
	}
	x.Lease = lease{}
	return x
}

func body(t testing.TB, x *pipeline.Exchange) string {
	t.Helper()
	req := &outbound.Request{}
	buf := wire.Buffers.Get(1)
	defer wire.Buffers.Put(buf)
	if fail := geminiapi.New(settings("http://studio.test")).Prepare(req, buf, x); fail != nil {
		t.Fatal(fail)
	}
	return string(req.Body)
}

const turn = `[{"role":"user","parts":[{"text":"hi"}]}]`

func TestRequest(t *testing.T) {
	const contents = `"contents":` + turn
	for _, c := range []struct{ name, body, want string }{
		{"smallest", `{` + contents + `}`, `{` + contents + `}`},
		{"what only others know", `{"model":"x","labels":{},"session_id":"s","model_armor_config":{},` + contents + `,"modelArmorConfig2":1}`,
			`{` + contents + `,"modelArmorConfig2":1}`},
		{"what only this one knows", `{` + contents + `,"cachedContent":"c","store":true,"service_tier":"flex","new":{"a":1}}`,
			`{` + contents + `,"cachedContent":"c","store":true,"serviceTier":"flex","new":{"a":1}}`},
		{"generationConfig", `{` + contents + `,"generation_config":{"top_k":4,"routing_config":{},"audioTimestamp":true,"modelSelectionConfig":{},"responseFormat":{},"new":1}}`,
			`{` + contents + `,"generationConfig":{"top_k":4,"responseFormat":{},"new":1}}`},
		{"generationConfig that is none", `{` + contents + `,"generationConfig":[]}`, `{` + contents + `,"generationConfig":[]}`},
		{"safety settings", `{` + contents + `,"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF"},{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF","method":"SEVERITY"}]}`,
			`{` + contents + `,"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]}`},
		{"turns without roles are Google's to read", `{"contents":[{"parts":[]}]}`, `{"contents":[{"parts":[]}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchange(t, pipeline.Generate, "gemini-2.5-pro", c.body)
			if got := body(t, x); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if again := body(t, x); again != c.want {
				t.Errorf("second attempt: %s", again)
			}
			if after := string(x.Call.AppendTo(nil)); after != c.body {
				t.Errorf("the call became %s", after)
			}
		})
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"bare contents", `{"contents":` + turn + `}`, `{"contents":` + turn + `}`},
		{"more than contents", `{"contents":` + turn + `,"tools":[],"labels":{}}`,
			`{"generateContentRequest":{"model":"models/gemini-2.5-pro","contents":` + turn + `,"tools":[]}}`},
		{"a whole request", `{"generateContentRequest":{"model":"models/other","contents":` + turn + `,"system_instruction":{"parts":[]},"labels":{}}}`,
			`{"generateContentRequest":{"model":"models/gemini-2.5-pro","contents":` + turn + `,"systemInstruction":{"parts":[]}}}`},
		{"never both", `{"contents":[],"generateContentRequest":{"contents":` + turn + `}}`, `{"contents":` + turn + `}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := body(t, exchange(t, pipeline.Count, "models/gemini-2.5-pro", c.body)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestCountOfSomethingElse(t *testing.T) {
	for body, param := range map[string]string{
		`{"generateContentRequest":7}`:                                      "generateContentRequest",
		`{"generateContentRequest":{"model":"a","model":"b"}}`:              "generateContentRequest.model",
		`{"generateContentRequest":{"topK":1,"contents":[],"contents":[]}}`: "generateContentRequest.contents",
	} {
		x := exchange(t, pipeline.Count, "m", body)
		fail := geminiapi.New(settings("http://studio.test")).Prepare(&outbound.Request{}, wire.Buffers.Get(1), x)
		if fail == nil || fail.Code != apierror.BadRequest || fail.Param != param || !strings.Contains(fail.Message, "generateContentRequest") {
			t.Errorf("%s: got %v, want a bad_request for %s", body, fail, param)
		}
	}
}

// What a model is called must not lead to another method, host or header.
func TestAddressOnTheWire(t *testing.T) {
	seen := make(chan *http.Request, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen <- r
	}))
	defer s.Close()
	client, err := outbound.New(outbound.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, c := range []struct {
		model, uri string
		verb       pipeline.Verb
	}{
		{"gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:generateContent", pipeline.Generate},
		{"models/gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:countTokens", pipeline.Count},
		{"gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", pipeline.Streaming},
		{"../../v1beta/cachedContents/x", "/v1beta/models/..%2F..%2Fv1beta%2FcachedContents%2Fx:generateContent", pipeline.Generate},
		{"a?key=b#c", "/v1beta/models/a%3Fkey=b%23c:generateContent", pipeline.Generate},
		{"假/模 型%2F", "/v1beta/models/%E5%81%87%2F%E6%A8%A1%20%E5%9E%8B%252F:generateContent", pipeline.Generate},
		{"x\r\nX-Evil: 1", "/v1beta/models/x%0D%0AX-Evil:%201:generateContent", pipeline.Generate},
	} {
		t.Run(c.model, func(t *testing.T) {
			req := &outbound.Request{}
			buf := wire.Buffers.Get(1)
			defer wire.Buffers.Put(buf)
			x := exchange(t, c.verb, c.model, `{"contents":`+turn+`}`)
			if fail := geminiapi.New(settings(s.URL)).Prepare(req, buf, x); fail != nil {
				t.Fatal(fail)
			}
			resp, err := client.Do(context.Background(), req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			r := <-seen
			if r.RequestURI != c.uri {
				t.Errorf("got  %s\nwant %s", r.RequestURI, c.uri)
			}
			if r.Header.Get("x-goog-api-key") != "AIza-made-up" || r.Header.Get("Authorization") != "" || r.Header.Get("X-Evil") != "" ||
				r.Header.Get("Content-Type") != "application/json" || r.Method != http.MethodPost || r.Header.Get("x-goog-user-project") != "" {
				t.Errorf("%s with headers %v", r.Method, r.Header)
			}
		})
	}
}

func TestUnwrapHasNothingToCut(t *testing.T) {
	if got, ok := geminiapi.New(settings("")).Unwrap([]byte(`{"candidates":[]}`)); !ok || string(got) != `{"candidates":[]}` {
		t.Errorf("got %q, %v", got, ok)
	}
}
