package vertex_test

import (
	"context"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/stages/upstream/vertex"
)

type settings struct{ base, location string }

func (s settings) Vertex() string         { return s.base }
func (s settings) VertexLocation() string { return s.location }

const own = "https://aiplatform.googleapis.com"

// lease is one of a project, or a key when that is "".
type lease string

func (lease) ID() string                             { return "someone" }
func (lease) Kind() string                           { return "vertex" }
func (lease) Token() string                          { return "made-up" }
func (l lease) Project() string                      { return string(l) }
func (lease) Proxy() string                          { return "" }
func (lease) Report(*apierror.Error) pipeline.Advice { return pipeline.Advice{} }
func (lease) Release()                               {}

func exchange(t testing.TB, verb pipeline.Verb, model, body string) *pipeline.Exchange {
	t.Helper()
	x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: "t", Route: pipeline.Route{Format: wire.Gemini, Verb: verb}})
	x.Model, x.Asked = models.Model{Asked: model, Base: model}, wire.Gemini
	var fail *apierror.Error
	if x.Call, fail = gemini.NewCall([]byte(body)); fail != nil {
		t.Fatal(fail)
	}
	x.Lease = lease("")
	return x
}

func prepare(t testing.TB, s settings, x *pipeline.Exchange) (*outbound.Request, string) {
	t.Helper()
	req, buf := &outbound.Request{}, wire.Buffers.Get(1)
	defer wire.Buffers.Put(buf)
	if fail := vertex.New(s).Prepare(req, buf, x); fail != nil {
		t.Fatal(fail)
	}
	return req, string(req.Body)
}

const turn = `[{"role":"user","parts":[{"text":"hi"}]}]`

func TestAddress(t *testing.T) {
	for _, c := range []struct {
		base, location, project, model string
		verb                           pipeline.Verb
		want                           string
	}{
		{own, "global", "", "gemini-2.5-pro", pipeline.Generate, own + "/v1/publishers/google/models/gemini-2.5-pro:generateContent"},
		{own, "us-central1", "", "models/gemini-2.5-pro", pipeline.Streaming, own + "/v1/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"},
		{own, "global", "", "gemini-2.5-pro", pipeline.Count, own + "/v1/publishers/google/models/gemini-2.5-pro:countTokens"},
		{own, "global", "p-1", "gemini-2.5-pro", pipeline.Generate, own + "/v1/projects/p-1/locations/global/publishers/google/models/gemini-2.5-pro:generateContent"},
		{own, "us-central1", "p-1", "gemini-2.5-pro", pipeline.Generate, "https://us-central1-aiplatform.googleapis.com/v1/projects/p-1/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent"},
		{own, "eu", "p-1", "gemini-2.5-pro", pipeline.Generate, "https://aiplatform.eu.rep.googleapis.com/v1/projects/p-1/locations/eu/publishers/google/models/gemini-2.5-pro:generateContent"},
		{own, "us", "p-1", "gemini-2.5-pro", pipeline.Count, "https://aiplatform.us.rep.googleapis.com/v1/projects/p-1/locations/us/publishers/google/models/gemini-2.5-pro:countTokens"},
		{own, "us-central1", "p-1", "gemini-3-flash-preview", pipeline.Generate, own + "/v1/projects/p-1/locations/global/publishers/google/models/gemini-3-flash-preview:generateContent"},
		{own, "us-central1", "p-1", "gemini-2.5-flash-preview-09-2025", pipeline.Generate, "https://us-central1-aiplatform.googleapis.com/v1/projects/p-1/locations/us-central1/publishers/google/models/gemini-2.5-flash-preview-09-2025:generateContent"},
		{"http://mirror.example/v", "us-central1", "p-1", "gemini-2.5-pro", pipeline.Generate, "http://mirror.example/v/v1/projects/p-1/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent"},
		{own, "global", "a:b/c", "../x?y=1", pipeline.Generate, own + "/v1/projects/a:b%2Fc/locations/global/publishers/google/models/..%2Fx%3Fy=1:generateContent"},
	} {
		x := exchange(t, c.verb, c.model, `{"contents":`+turn+`}`)
		x.Lease = lease(c.project)
		req, _ := prepare(t, settings{c.base, c.location}, x)
		if req.URL() != c.want {
			t.Errorf("got  %s\nwant %s", req.URL(), c.want)
		}
		key, bearer := "made-up", ""
		if c.project != "" {
			key, bearer = "", "Bearer made-up"
		}
		if req.Header("x-goog-api-key") != key || req.Header("Authorization") != bearer || req.Header("x-goog-user-project") != "" || req.Header("Content-Type") != "application/json" {
			t.Errorf("%s: key %q, bearer %q", c.want, req.Header("x-goog-api-key"), req.Header("Authorization"))
		}
	}
}

func TestRequest(t *testing.T) {
	const contents, turns = `"contents":` + turn, `{"contents":[%]}`
	for _, c := range []struct{ name, model, body, want, dropped string }{
		{"smallest", "gemini-2.5-pro", `{` + contents + `}`, `{` + contents + `}`, ""},
		{"order and bytes of the client", "m", `{ "tools" : [ {"x": 1.50} ], "contents":` + turn + `}`, `{"tools":[ {"x": 1.50} ],` + contents + `}`, ""},
		{"what only Vertex knows", "m", `{` + contents + `,"labels":{"a":"b"},"modelArmorConfig":{},"cachedContent":"projects/p/locations/l/cachedContents/c","generationConfig":{"routingConfig":{},"audioTimestamp":true}}`,
			`{` + contents + `,"labels":{"a":"b"},"modelArmorConfig":{},"cachedContent":"projects/p/locations/l/cachedContents/c","generationConfig":{"routingConfig":{},"audioTimestamp":true}}`, ""},
		{"what only the Gemini API knows", "m", `{"model":"x","store":true,"service_tier":"flex","session_id":"s",` + contents + `,"generation_config":{"top_k":4,"responseFormat":{},"new":1}}`,
			`{` + contents + `,"generationConfig":{"top_k":4,"new":1}}`, "store, serviceTier, sessionId, generationConfig.responseFormat"},
		{"generationConfig that is none", "m", `{` + contents + `,"generationConfig":[]}`, `{` + contents + `,"generationConfig":[]}`, ""},
		{"safety settings", "gemini-2.5-pro", `{"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF","method":"SEVERITY"}],` + contents + `}`,
			`{"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF","method":"SEVERITY"}],` + contents + `}`, ""},
		{"safety settings of flash-lite", "gemini-2.5-flash-lite", `{"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF"},{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]}`,
			`{"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]}`, ""},
		{"turns without roles", "m", strings.Replace(turns, "%", `{"parts":[{"text":"a"}]},{"role":"","parts":[]},{"role":"model","parts":[]}`, 1),
			strings.Replace(turns, "%", `{"parts":[{"text":"a"}],"role":"user"},{"parts":[],"role":"user"},{"role":"model","parts":[]}`, 1), ""},
		{"ids of calls", "m", strings.Replace(turns, "%", `{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","args":{"id":7}},"thoughtSignature":"s"}]},{"role":"user","parts":[{"function_response":{"name":"f","id":"c1","response":{"id":1}}}]}`, 1),
			strings.Replace(turns, "%", `{"role":"model","parts":[{"functionCall":{"name":"f","args":{"id":7}},"thoughtSignature":"s"}]},{"role":"user","parts":[{"function_response":{"name":"f","response":{"id":1}}}]}`, 1), ""},
		{"a word that is no id", "m", strings.Replace(turns, "%", `{"role":"user","parts":[{"text":"the \"id\" of it"}]}`, 1), strings.Replace(turns, "%", `{"role":"user","parts":[{"text":"the \"id\" of it"}]}`, 1), ""},
		{"partMetadata", "m", strings.Replace(turns, "%", `{"role":"user","parts":[{"text":"a","part_metadata":{"x":1}}]}`, 1), strings.Replace(turns, "%", `{"role":"user","parts":[{"text":"a"}]}`, 1), "contents.parts.partMetadata"},
		{"steps of tools that ran elsewhere", "m", strings.Replace(turns, "%", `{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"toolCall":{"id":"t"}}]}`, 1), strings.Replace(turns, "%", `{"role":"user","parts":[{"text":"a"}]}`, 1), "contents.parts.toolCall"},
		{"file search", "m", `{"tools":[{"file_search":{}},{"functionDeclarations":[{"name":"f"}]}]}`, `{"tools":[{"functionDeclarations":[{"name":"f"}]}]}`, "fileSearch"},
		{"kinds of search", "m", `{"tools":[{"googleSearch":{"search_types":{},"excludeDomains":["x"]}}]}`, `{"tools":[{"googleSearch":{"excludeDomains":["x"]}}]}`, "tools.googleSearch.searchTypes"},
		{"tools of Vertex", "m", `{"tools":[{"enterpriseWebSearch":{}},{"retrieval":{}}]}`, `{"tools":[{"enterpriseWebSearch":{}},{"retrieval":{}}]}`, ""},
		{"a mix", "m", `{"tools":[{"googleSearch":{}},{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"includeServerSideToolInvocations":true,"functionCallingConfig":{"mode":"AUTO"}}}`,
			`{"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}`, "googleSearch"},
		{"no mix", "m", `{"tools":[{"googleSearch":{}}],"toolConfig":{"includeServerSideToolInvocations":true}}`, `{"tools":[{"googleSearch":{}}],"toolConfig":{}}`, "toolConfig.includeServerSideToolInvocations"},
		{"contents that are none", "m", `{"contents":7,"tools":{"fileSearch":1}}`, `{"contents":7,"tools":{"fileSearch":1}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchange(t, pipeline.Generate, c.model, c.body)
			_, got := prepare(t, settings{own, "global"}, x)
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if _, again := prepare(t, settings{own, "global"}, x); again != c.want {
				t.Errorf("second attempt: %s", again)
			}
			if after := string(x.Call.AppendTo(nil)); strings.ReplaceAll(after, " ", "") != strings.ReplaceAll(c.body, " ", "") {
				t.Errorf("the call became %s", after)
			}
			if told := x.Header.Get("X-Dropped-Params"); told != c.dropped {
				t.Errorf("told %q, want %q", told, c.dropped)
			}
		})
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"contents", `{"contents":` + turn + `}`, `{"contents":` + turn + `}`},
		{"what counts and what does not", `{"model":"x","contents":` + turn + `,"system_instruction":{"parts":[]},"tools":[],"generationConfig":{"responseFormat":{}},"safetySettings":[],"toolConfig":{},"labels":{},"cachedContent":null}`,
			`{"contents":` + turn + `,"systemInstruction":{"parts":[]},"tools":[],"generationConfig":{}}`},
		{"a whole request", `{"generateContentRequest":{"model":"models/other","contents":[{"parts":[]}],"system_instruction":{"parts":[]},"safetySettings":[]}}`,
			`{"contents":[{"parts":[],"role":"user"}],"systemInstruction":{"parts":[]}}`},
		{"nothing", `{}`, `{}`},
	} {
		if _, got := prepare(t, settings{own, "global"}, exchange(t, pipeline.Count, "m", c.body)); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestNoEmbeddings(t *testing.T) {
	fail := vertex.New(settings{own, "global"}).Prepare(&outbound.Request{}, wire.Buffers.Get(1), exchange(t, pipeline.Embed, "m", `{}`))
	if fail == nil || fail.Code != apierror.Unsupported {
		t.Errorf("%v", fail)
	}
	if got, ok := vertex.New(settings{}).Unwrap([]byte(`{"candidates":[]}`)); !ok || string(got) != `{"candidates":[]}` {
		t.Errorf("got %q, %v", got, ok)
	}
}

// Half a megabyte of turns with ids is read in one go, not once a turn.
func TestContentsAreLinear(t *testing.T) {
	one := `{"role":"model","parts":[{"functionCall":{"id":"c","name":"f"}}]},`
	body := `{"contents":[` + strings.TrimSuffix(strings.Repeat(one, 20_000), ",") + `]}`
	x := exchange(t, pipeline.Generate, "m", body)
	_, got := prepare(t, settings{own, "global"}, x)
	if strings.Contains(got, `"id"`) || strings.Count(got, `"f"`) != 20_000 {
		t.Error("not all of it was cleaned")
	}
}

// FuzzContents: what is JSON stays JSON, and no call keeps an id.
func FuzzContents(f *testing.F) {
	for _, seed := range []string{turn, `[{"parts":[{"functionCall":{"id":"x"}}]}]`, `[{"parts":{"id":1}}]`, `{"id":[]}`, `[1,null,{"id":2}]`, `[{"parts":[{"partMetadata":{"id":1}}]}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, contents []byte) {
		body := append(append([]byte(`{"contents":`), contents...), '}')
		call, fail := gemini.NewCall(body)
		if fail != nil {
			return
		}
		x := exchange(t, pipeline.Generate, "m", `{}`)
		x.Call = call
		_, got := prepare(t, settings{own, "global"}, x)
		if err := wire.Check([]byte(got)); err != nil {
			t.Fatalf("%s became %s: %v", body, got, err)
		}
	})
}
