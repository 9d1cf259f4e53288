package codeassist_test

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
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
)

type settings struct{}

func (settings) CodeAssist() string { return "https://assist.test" }
func (settings) Gemini() string     { return "https://studio.test" }
func (settings) UserAgent(model string) string {
	return "GeminiCLI/1.2.3/" + model + " (linux; x64; terminal)"
}

type lease struct{}

func (lease) ID() string                             { return "someone" }
func (lease) Kind() string                           { return "codeassist" }
func (lease) Token() string                          { return "ya29.made-up" }
func (lease) Project() string                        { return "my-project" }
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

// dialect is what both upstream clients offer.
type dialect interface {
	Prepare(*outbound.Request, *wire.Buffer, *pipeline.Exchange) *apierror.Error
	Unwrap([]byte) ([]byte, bool)
}

// prepared is a copy of what Prepare wrote; the request itself is given back.
type prepared struct{ uri, body, agent, auth, kind, method string }

func prepare(t testing.TB, d dialect, x *pipeline.Exchange) prepared {
	t.Helper()
	req := &outbound.Request{}
	buf := wire.Buffers.Get(1)
	defer wire.Buffers.Put(buf)
	if fail := d.Prepare(req, buf, x); fail != nil {
		t.Fatal(fail)
	}
	if got := req.Header("x-goog-user-project"); got != "" {
		t.Errorf("x-goog-user-project is sent: %q", got)
	}
	return prepared{req.URL(), string(req.Body), req.Header("User-Agent"),
		req.Header("Authorization"), req.Header("Content-Type"), req.Method}
}

const turn = `[{"role":"user","parts":[{"text":"hi"}]}]`

func TestAddressAndHeaders(t *testing.T) {
	for _, c := range []struct {
		name string
		verb pipeline.Verb
		uri  string
	}{
		{"plain", pipeline.Generate, "https://assist.test/v1internal:generateContent"},
		{"stream", pipeline.Streaming, "https://assist.test/v1internal:streamGenerateContent?alt=sse"},
		{"count", pipeline.Count, "https://assist.test/v1internal:countTokens"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := prepare(t, codeassist.New(settings{}), exchange(t, c.verb, "gemini-2.5-pro", `{"contents":`+turn+`}`))
			want := prepared{uri: c.uri, body: got.body, agent: "GeminiCLI/1.2.3/gemini-2.5-pro (linux; x64; terminal)",
				auth: "Bearer ya29.made-up", kind: "application/json"}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// A model may be called anything; the header with its name in it may not.
func TestModelNameCannotBreakTheHeader(t *testing.T) {
	got := prepare(t, codeassist.New(settings{}), exchange(t, pipeline.Generate, "a\r\nX-Evil: 1\x00模", `{"contents":`+turn+`}`))
	if want := "GeminiCLI/1.2.3/a__X-Evil: 1__ (linux; x64; terminal)"; got.agent != want {
		t.Errorf("User-Agent %q, want %q", got.agent, want)
	}
	if want := `{"model":"a\r\nX-Evil: 1\u0000模",`; !strings.HasPrefix(got.body, want) {
		t.Errorf("body %q does not begin with %q", got.body, want)
	}
}

func TestRequest(t *testing.T) {
	const head, contents = `{"model":"gemini-2.5-pro","project":"my-project","request":`, `"contents":` + turn
	for _, c := range []struct{ name, body, request string }{
		{"smallest", `{` + contents + `}`, `{` + contents + `}`},
		{"order and bytes of the client", `{ "tools" : [ {"x": 1.50} ], "contents":` + turn + `}`, `{"tools":[ {"x": 1.50} ],` + contents + `}`},
		{"everything that is known", `{` + contents + `,"systemInstruction":{"parts":[]},"tools":[],"toolConfig":{},"safetySettings":[],"generationConfig":{}}`,
			`{` + contents + `,"systemInstruction":{"parts":[]},"tools":[],"toolConfig":{},"safetySettings":[],"generationConfig":{}}`},
		{"what is not", `{"model":"x","cachedContent":"c","labels":{},"store":true,"serviceTier":"flex","new":1,"session_id":"s",` + contents + `}`, `{` + contents + `}`},
		{"snake case", `{"contents":` + turn + `,"system_instruction":{"parts":[]},"tool_config":{},"safety_settings":[],"generation_config":{"max_output_tokens":5,"top_p":0.5,"thinking_config":{"include_thoughts":true}},"cached_content":"c"}`,
			`{` + contents + `,"systemInstruction":{"parts":[]},"toolConfig":{},"safetySettings":[],"generationConfig":{"maxOutputTokens":5,"topP":0.5,"thinkingConfig":{"include_thoughts":true}}}`},
		{"null is no value", `{` + contents + `,"tools":null,"generationConfig":{"seed":null,"topK":3}}`, `{` + contents + `,"generationConfig":{"topK":3}}`},
		{"unknown members of generationConfig", `{"generationConfig":{"enableEnhancedCivicAnswers":true,"temperature":0.1,"responseFormat":{},"translationConfig":{},"foo":{"temperature":2}},` + contents + `}`,
			`{"generationConfig":{"temperature":0.1},` + contents + `}`},
		{"images", `{` + contents + `,"generationConfig":{"imageConfig":{"aspectRatio":"16:9"},"responseModalities":["IMAGE"]}}`,
			`{` + contents + `,"generationConfig":{"imageConfig":{"aspectRatio":"16:9"},"responseModalities":["IMAGE"]}}`},
		{"generationConfig that is none", `{` + contents + `,"generationConfig":7}`, `{` + contents + `,"generationConfig":7}`},
		{"safety settings", `{` + contents + `,"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF","method":"SEVERITY","x":1},{"category":"HARM_CATEGORY_HARASSMENT"}]}`,
			`{` + contents + `,"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF"}]}`},
		{"safetySettings that are none", `{` + contents + `,"safetySettings":"x"}`, `{` + contents + `,"safetySettings":"x"}`},
		{"a turn without a role is the user's", `{"contents":[{"parts":[{"text":"a"}]},{"role":"model","parts":[]},{"role":"","parts":[]},{"parts":[],"role":null}]}`,
			`{"contents":[{"parts":[{"text":"a"}],"role":"user"},{"role":"model","parts":[]},{"parts":[],"role":"user"},{"parts":[],"role":"user"}]}`},
		{"turns with roles stay byte for byte", `{"contents":[ {"role":"user", "parts":[]} , {"role":"model"} ]}`, `{"contents":[ {"role":"user", "parts":[]} , {"role":"model"} ]}`},
		{"a system role becomes the user's", `{` + contents + `,"systemInstruction":{"role":"system","parts":[{"text":"s"}]}}`,
			`{` + contents + `,"systemInstruction":{"parts":[{"text":"s"}],"role":"user"}}`},
		{"thought signatures survive", `{"contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"Ci-_QB=="}]}]}`,
			`{"contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"Ci-_QB=="}]}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchange(t, pipeline.Generate, "gemini-2.5-pro", c.body)
			got := prepare(t, codeassist.New(settings{}), x)
			if want := head + c.request + `}`; got.body != want {
				t.Errorf("got  %s\nwant %s", got.body, want)
			}
			if err := wire.Check([]byte(got.body)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestModelsOnTheWire(t *testing.T) {
	safety := `{"contents":` + turn + `,"safetySettings":[{"category":"HARM_CATEGORY_IMAGE_HATE","threshold":"OFF"},{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]}`
	for _, c := range []struct {
		model, wire string
		pictures    bool // categories of pictures are sent
	}{
		{"gemini-2.5-pro", "gemini-2.5-pro", true},
		{"gemini-3.5-flash", "gemini-3-flash", true},
		{"models/gemini-3.5-flash", "gemini-3-flash", true},
		{"gemini-2.5-flash-lite", "gemini-2.5-flash-lite", false},
		{`odd"name`, `odd\"name`, true},
	} {
		t.Run(c.model, func(t *testing.T) {
			got := prepare(t, codeassist.New(settings{}), exchange(t, pipeline.Generate, c.model, safety)).body
			if want := `{"model":"` + c.wire + `",`; !strings.HasPrefix(got, want) {
				t.Errorf("%s does not begin with %s", got, want)
			}
			if strings.Contains(got, "IMAGE_HATE") != c.pictures || !strings.Contains(got, "HARASSMENT") {
				t.Errorf("safety settings of %s: %s", c.model, got)
			}
		})
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct{ name, body, contents string }{
		{"contents only", `{"contents":` + turn + `,"generationConfig":{"topK":1},"safetySettings":[]}`, turn},
		{"a whole request", `{"generateContentRequest":{"model":"models/x","contents":` + turn + `}}`, turn},
		{"a whole request in snake case", `{"generate_content_request":{"contents":` + turn + `,"system_instruction":{"parts":[{"text":"s"}]}}}`,
			`[{"role":"user","parts":[{"text":"s"}]},{"role":"user","parts":[{"text":"hi"}]}]`},
		{"steps of Google's own tools do not", `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"toolCall":{},"thoughtSignature":"x"},{"toolResponse":{},"thoughtSignature":"x"},{"text":"a"}]}]}`,
			`[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"a"}]}]`},
		{"the system instruction counts", `{"contents":` + turn + `,"systemInstruction":{"role":"system","parts":[{"text":"s"}]}}`,
			`[{"role":"user","parts":[{"text":"s"}]},{"role":"user","parts":[{"text":"hi"}]}]`},
		{"thoughts and signatures do not", `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"t","thought":true},{"text":"a","thoughtSignature":"x"},{"text":"b","thought_signature":"x"}]},{"role":"model","parts":[{"text":"t","thought":true}]},{"parts":[{"text":"no thought"}]}]}`,
			`[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"a"},{"text":"b"}]},{"parts":[{"text":"no thought"}],"role":"user"}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := prepare(t, codeassist.New(settings{}), exchange(t, pipeline.Count, "gemini-3.5-flash", c.body)).body
			if want := `{"request":{"model":"models/gemini-3-flash","contents":` + c.contents + `}}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// What the Gemini API ran by itself is unknown here, and a client that brought it hears that it is left out.
func TestStepsOfGooglesTools(t *testing.T) {
	const body = `{"contents":[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"toolCall":{"id":"s"},"thoughtSignature":"x"},{"tool_response":{"id":"s"}},{"functionCall":{"name":"f"}}]}],` +
		`"tools":[{"functionDeclarations":[{"name":"f"}]},{"googleSearch":{}}],"tool_config":{"include_server_side_tool_invocations":true,"functionCallingConfig":{"mode":"AUTO"}}}`
	x := exchange(t, pipeline.Generate, "gemini-3-flash-preview", body)
	got := prepare(t, codeassist.New(settings{}), x).body
	for _, want := range []string{`{"role":"model","parts":[{"functionCall":{"name":"f"}}]}`, `"tools":[{"functionDeclarations":[{"name":"f"}]}]`, `"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if named := x.Header.Get("X-Dropped-Params"); named != "contents.parts.toolCall, googleSearch" {
		t.Errorf("named %q", named)
	}
	x = exchange(t, pipeline.Generate, "gemini-3-flash-preview", `{"contents":`+turn+`,"toolConfig":{"includeServerSideToolInvocations":true}}`)
	if got := prepare(t, codeassist.New(settings{}), x).body; strings.Contains(got, "ServerSide") || x.Header.Get("X-Dropped-Params") != "toolConfig.includeServerSideToolInvocations" {
		t.Errorf("%s, named %q", got, x.Header.Get("X-Dropped-Params"))
	}
}

// An attempt must leave the call as it is: the next one may be made with another kind of credential.
func TestCallStaysAsItIs(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"hi"}]}],"generation_config":{"top_k":1,"foo":1},"labels":{},"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF"}],"systemInstruction":{"role":"system","parts":[]}}`
	x := exchange(t, pipeline.Generate, "gemini-2.5-flash-lite", body)
	x.Call.Set("tools", []byte(`[{"googleSearch":{}}]`)) // an edit, as plugins make them
	before := string(x.Call.AppendTo(nil))
	assist, studio := codeassist.New(settings{}), geminiapi.New(settings{})
	first := prepare(t, assist, x)
	other := prepare(t, studio, x)
	if again := prepare(t, assist, x); again != first {
		t.Errorf("second attempt: %+v\nfirst: %+v", again, first)
	}
	if again := prepare(t, studio, x); again != other {
		t.Errorf("second attempt: %+v\nfirst: %+v", again, other)
	}
	if after := string(x.Call.AppendTo(nil)); after != before {
		t.Errorf("the call became %s\nit was %s", after, before)
	}
}

func TestUnwrap(t *testing.T) {
	for _, c := range []struct {
		name, in, out string
		ok            bool
	}{
		{"envelope", `{"response":{"candidates":[]},"traceId":"x"}`, `{"candidates":[]}`, true},
		{"response last", `{"traceId":"x", "response": {"a":1} }`, `{"a":1}`, true},
		{"no response", `{"traceId":"x"}`, "", false},
		{"response is null", `{"response":null}`, "", false},
		{"count", `{"totalTokens":7}`, `{"totalTokens":7}`, true},
		{"count of nothing", `{}`, `{}`, true},
		{"no JSON", `<html>`, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := codeassist.New(settings{}).Unwrap([]byte(c.in))
			if ok != c.ok || ok && string(got) != c.out {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
}

// What a backend does not take is not dropped in silence, and told once.
func TestDroppedIsTold(t *testing.T) {
	const body = `{"model":"x","labels":{},"new":null,"contents":` + turn + `,"generation_config":{"top_k":1,"enable_x":true,"seed":null,"routingConfig":{}}}`
	x := exchange(t, pipeline.Generate, "gemini-2.5-pro", body)
	prepare(t, codeassist.New(settings{}), x)
	prepare(t, codeassist.New(settings{}), x)
	if got := x.Header.Get("X-Dropped-Params"); got != "labels, generationConfig.enable_x" {
		t.Errorf("codeassist: %q", got)
	}
	x = exchange(t, pipeline.Generate, "gemini-2.5-pro", body)
	prepare(t, geminiapi.New(settings{}), x)
	if got := x.Header.Get("X-Dropped-Params"); got != "labels, generationConfig.routingConfig" {
		t.Errorf("geminiapi: %q", got)
	}
	x = exchange(t, pipeline.Generate, "gemini-2.5-pro", `{"model":"x","contents":`+turn+`,"generationConfig":{"topK":1}}`)
	prepare(t, codeassist.New(settings{}), x)
	if got := x.Header.Get("X-Dropped-Params"); got != "" {
		t.Errorf("nothing was dropped: %q", got)
	}
}
