package search_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/anthropic"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
	"gcli2api/pipeline/wire/responses"
	"gcli2api/plugins/search"
	"gcli2api/stages/upstream"
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
)

// lease is a credential of one of the two kinds.
type lease string

func (l lease) ID() string                           { return string(l) }
func (l lease) Kind() string                         { return string(l) }
func (lease) Token() string                          { return "t" }
func (lease) Project() string                        { return "p" }
func (lease) Proxy() string                          { return "" }
func (lease) Report(*apierror.Error) pipeline.Advice { return pipeline.Advice{} }
func (lease) Release()                               {}

type addresses struct{}

func (addresses) CodeAssist() string      { return "http://assist.test" }
func (addresses) Gemini() string          { return "http://studio.test" }
func (addresses) UserAgent(string) string { return "test" }

var dialects = map[string]upstream.Dialect{"Code Assist": codeassist.New(addresses{}), "Gemini API": geminiapi.New(addresses{})}

// engine runs the stage alone, behind one that puts the call there.
func engine(t testing.TB, setting string, call func(x *pipeline.Exchange)) *pipeline.Engine {
	t.Helper()
	before := pipeline.Kind{Name: "before", Gives: []pipeline.Fact{pipeline.HasCaller, pipeline.HasFormat, pipeline.HasModel, pipeline.HasCall, pipeline.HasLease},
		New: pipeline.New(struct{}{}, func(struct{}, *pipeline.Build) (pipeline.Stage, error) { return fills(call), nil })}
	after := pipeline.Kind{Name: "after", Gives: []pipeline.Fact{pipeline.HasReply, pipeline.HasEncoder},
		New: pipeline.New(struct{}{}, func(struct{}, *pipeline.Build) (pipeline.Stage, error) { return answers{}, nil })}
	kinds := []pipeline.Kind{before, search.Kind(), after}
	toml := "[pipeline]\norder = [\"before\", \"search\", \"after\"]\n[stage.search]\nsearch_with_tools = \"" + setting + "\"\n"
	c, err := config.Load(config.Options{Data: []byte(toml), File: "test.toml", Params: search.Kind().Params, Stages: []string{"before", "search", "after"}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := pipeline.NewEngine(pipeline.Options{Kinds: kinds, Loopback: true})
	if err == nil {
		err = e.Apply(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

type fills func(x *pipeline.Exchange)

func (f fills) Process(x *pipeline.Exchange) pipeline.Verdict {
	f(x)
	return pipeline.Next
}

type answers struct{}

func (answers) Process(x *pipeline.Exchange) pipeline.Verdict {
	if x.Reply.Empty() {
		x.Reply.Body = []byte("{}")
	}
	return pipeline.Next
}

// language is how a request of the table is written.
type language struct {
	format   wire.Format
	head     string
	function string
	search   string
}

var languages = map[string]language{
	"OpenAI":    {wire.OpenAI, `{"messages":[{"role":"user","content":"hi"}]`, `{"type":"function","function":{"name":"F"}}`, `{"type":"web_search"}`},
	"Responses": {wire.Responses, `{"input":"hi"`, `{"type":"function","name":"F"}`, `{"type":"web_search"}`},
	"Anthropic": {wire.Anthropic, `{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]`, `{"name":"F","input_schema":{"type":"object"}}`, `{"type":"web_search_20250305","name":"web_search"}`},
	"Gemini":    {wire.Gemini, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]`, `{"functionDeclarations":[{"name":"F"}]}`, `{"googleSearch":{}}`},
}

// body writes a request out.
func (l language) body(request string) []byte {
	request = strings.NewReplacer("[F", "["+l.function, ",F", ","+l.function, "[S", "["+l.search, ",S", ","+l.search).Replace(request)
	if request != "" {
		request = "," + request
	}
	return []byte(l.head + request + "}")
}

// put makes the call of a request, as translate does.
func (l language) put(t *testing.T, x *pipeline.Exchange, model string, body []byte) {
	t.Helper()
	catalogue, err := models.New(models.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	x.Asked, x.Model = l.format, catalogue.Parse(model)
	members, err := wire.Scan(body, nil)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	f := models.FamilyOf(x.Model.Base)
	target := gemini.Target{Major: f.Major, Minor: f.Minor, Limits: gemini.Limits(f.Thinking()), MaxOutput: 65536}
	var hub []byte
	var fail *apierror.Error
	switch l.format {
	case wire.Gemini:
		fail = x.Call.Take(body, members)
		hub = nil
	case wire.OpenAI:
		var r openai.Request
		hub, r, fail = openai.ToHub(nil, body, members, target)
		x.Tools = r.Tools
	case wire.Responses:
		var r responses.Request
		hub, r, fail = responses.ToHub(nil, responses.Input{Body: body, Members: members}, target)
		x.Tools = r.Tools
	case wire.Anthropic:
		var r anthropic.Request
		hub, r, fail = anthropic.ToHub(nil, body, members, target)
		x.Tools = r.Tools
	}
	if fail != nil {
		t.Fatalf("%v: %s", fail, body)
	}
	if hub != nil {
		x.Call.TakeMade(hub)
	}
}

// run takes a request through the stage.
func run(t *testing.T, setting, model, lang, request string) *pipeline.Exchange {
	t.Helper()
	return runBody(t, setting, model, languages[lang], languages[lang].body(request))
}

func runBody(t *testing.T, setting, model string, l language, body []byte) *pipeline.Exchange {
	t.Helper()
	e := engine(t, setting, func(x *pipeline.Exchange) { l.put(t, x, model, body) })
	x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: "t", Route: pipeline.Route{Format: l.format}})
	x.Reply = e.Run(x)
	t.Cleanup(func() { e.End(x, pipeline.Outcome{}); _ = e.Close(context.Background()) })
	return x
}

// sent is what a backend is asked with.
type sent struct {
	Tools      []map[string]json.RawMessage
	ToolConfig map[string]json.RawMessage
}

// at writes the call for a backend.
func at(t *testing.T, x *pipeline.Exchange, backend string) (names []string, mixed bool) {
	t.Helper()
	x.Lease = lease(map[string]string{"Code Assist": "codeassist", "Gemini API": "gemini"}[backend])
	req, buf := &outbound.Request{}, wire.Buffers.Get(1)
	defer wire.Buffers.Put(buf)
	if fail := dialects[backend].Prepare(req, buf, x); fail != nil {
		t.Fatal(fail)
	}
	var body struct {
		sent
		Request *sent
	}
	if err := json.Unmarshal(req.Body, &body); err != nil {
		t.Fatalf("%v: %s", err, req.Body)
	}
	s := body.sent
	if body.Request != nil {
		s = *body.Request
	}
	for _, tool := range s.Tools {
		for name := range tool {
			if name == "functionDeclarations" {
				name = "F"
			}
			names = append(names, gemini.Canonical(name))
		}
	}
	_, mixed = s.ToolConfig["includeServerSideToolInvocations"]
	return names, mixed
}

// row is a row of the table in the README.
type row struct{ model, language, request, backend, tools, mixed, dropped string }

func rows(t *testing.T) (list []row) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| model name | language | request |")
	for _, line := range strings.Split(table, "\n")[2:] {
		if !strings.HasPrefix(line, "|") {
			return list
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 7 {
			t.Fatalf("%d cells in %s", len(cells), line)
		}
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		list = append(list, row{cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6]})
	}
	return list
}

// The table in the README is what the stage and the two dialects make of a request.
// Beside a cache Google takes no tools: the suffix is left out, or refused. What the client sends itself is Google's to judge.
func TestSearchBesideACache(t *testing.T) {
	const cached = `"cachedContent":"cachedContents/c"`
	if x := run(t, "drop", "gemini-2.5-flash-search", "Gemini", cached); x.Header.Get("X-Dropped-Params") != "-search" || strings.Contains(string(x.Call.AppendTo(nil)), "tools") {
		t.Errorf("dropped %q: %s", x.Header.Get("X-Dropped-Params"), x.Call.AppendTo(nil))
	}
	if x := run(t, "refuse", "gemini-2.5-flash-search", "Gemini", cached); x.Reply.Err == nil || !strings.Contains(x.Reply.Err.Message, "cachedContent") || !strings.Contains(x.Reply.Err.Message, "-search") {
		t.Errorf("%v", x.Reply.Err)
	}
	if x := run(t, "drop", "gemini-2.5-flash", "Gemini", cached+`,"tools":[{"googleSearch":{}}]`); x.Header.Get("X-Dropped-Params") != "" || !strings.Contains(string(x.Call.AppendTo(nil)), "googleSearch") {
		t.Errorf("dropped %q: %s", x.Header.Get("X-Dropped-Params"), x.Call.AppendTo(nil))
	}
}

func TestTable(t *testing.T) {
	list := rows(t)
	if len(list) < 25 {
		t.Fatalf("%d rows", len(list))
	}
	for _, r := range list {
		backends := []string{r.backend}
		if r.backend == "both" {
			backends = []string{"Code Assist", "Gemini API"}
		}
		for _, backend := range backends {
			t.Run(r.model+" "+r.language+" "+r.request+" "+backend, func(t *testing.T) {
				x := run(t, "drop", r.model, r.language, r.request)
				if x.Reply.Err != nil {
					t.Fatal(x.Reply.Err)
				}
				got, mixed := at(t, x, backend)
				if strings.Join(got, ", ") != r.tools || mixed != (r.mixed == "yes") {
					t.Errorf("tools %q, mixed %v, the page says %q, %s", got, mixed, r.tools, r.mixed)
				}
				if got := x.Header.Get("X-Dropped-Params"); got != r.dropped {
					t.Errorf("dropped %q, the page says %q", got, r.dropped)
				}
				if (len(x.Mix.Hosted) > 0) != (slices.Contains([]string{"Code Assist", "Gemini API"}, r.backend)) || x.Mix.Whole {
					t.Errorf("mix %+v", x.Mix)
				}
			})
		}
	}
}

// With refuse nothing is dropped: what the table drops at both backends is refused, naming what the client
// wrote; what it drops at one of them must go to the other.
func TestRefuse(t *testing.T) {
	for _, r := range rows(t) {
		name, _, _ := strings.Cut(r.dropped, ", ")
		lost := r.dropped != "" && !strings.Contains(name, ".dynamic")
		x := run(t, "refuse", r.model, r.language, r.request)
		switch {
		case lost && r.backend == "both":
			f := x.Reply.Err
			if f == nil || f.Status != 400 || f.Code != apierror.BadRequest || f.Param != name || !strings.Contains(f.Message, " and "+name+" do not go together") ||
				!strings.Contains(f.Message, "tools") && !strings.Contains(f.Message, "esponse") {
				t.Errorf("%+v: %v", r, f)
			}
			if x.Header.Get("X-Dropped-Params") != "" {
				t.Errorf("%+v: dropped and refused", r)
			}
		case x.Reply.Err != nil:
			t.Errorf("%+v: %v", r, x.Reply.Err)
		case x.Mix.Whole != (r.backend != "both"):
			t.Errorf("%+v: mix %+v", r, x.Mix)
		}
	}
}

// What the stage has no business with stays byte for byte.
func TestUntouched(t *testing.T) {
	for _, request := range []string{``, `"tools":null`, `"tools":{}`, `"tools":7`, `"tools":[]`, `"tools":[F]`, `"tools":[null,{},{"googleMaps":{}},F]`,
		`"tools":[{"google_search":{}}]`, `"tools":[{"urlContext":null},F]`, `"tools":[{"googleSearch":{}},{"functionDeclarations":[]}]`} {
		x := run(t, "drop", "gemini-2.5-pro", "Gemini", request)
		if got, want := string(x.Call.AppendTo(nil)), string(languages["Gemini"].body(request)); got != want || x.Reply.Err != nil {
			t.Errorf("%s became %s, %v", want, got, x.Reply.Err)
		}
	}
	if x := run(t, "drop", "gemma-3-27b-it-search", "Gemini", `"tools":[{"google_search_retrieval":{}}]`); strings.Contains(string(x.Call.AppendTo(nil)), "googleSearch") {
		t.Errorf("a model of no known generation keeps the search that it has: %s", x.Call.AppendTo(nil))
	}
	for _, request := range []string{`"tools":{}`, `"tools":"x"`} {
		x := run(t, "drop", "gemini-2.5-pro-search", "Gemini", request)
		if got := string(x.Call.AppendTo(nil)); strings.Contains(got, "googleSearch") {
			t.Errorf("tools that are no list are Google's to refuse: %s", got)
		}
	}
}

// Members of one tool are taken apart, in any spelling.
func TestOneToolWithAll(t *testing.T) {
	x := run(t, "drop", "gemini-2.5-pro", "Gemini", `"tools":[{"google_search":{},"function_declarations":[{"name":"F"}],"\u0063odeExecution":{}}]`)
	if got, _ := x.Call.Get("tools"); string(got) != `[{"function_declarations":[{"name":"F"}]}]` || x.Header.Get("X-Dropped-Params") != "googleSearch, codeExecution" {
		t.Errorf("%s, dropped %q", got, x.Header.Get("X-Dropped-Params"))
	}
	// The client's own word for a mix goes with it.
	x = run(t, "drop", "gemini-2.5-pro", "Gemini", `"tools":[F,S],"tool_config":{"include_server_side_tool_invocations":true,"functionCallingConfig":{"mode":"ANY"}}`)
	if got, _ := x.Call.Get("toolConfig"); string(got) != `{"functionCallingConfig":{"mode":"ANY"}}` {
		t.Errorf("%s", got)
	}
}

// A call that is tried with a key first and at Code Assist then is cut for the second one only.
func TestBackendsInTurn(t *testing.T) {
	x := run(t, "drop", "gemini-3-flash-preview", "OpenAI", `"tools":[F],"web_search_options":{}`)
	for range 2 {
		if got, mixed := at(t, x, "Gemini API"); !slices.Equal(got, []string{"F", "googleSearch"}) || !mixed {
			t.Errorf("%q, mixed %v", got, mixed)
		}
		if got, mixed := at(t, x, "Code Assist"); !slices.Equal(got, []string{"F"}) || mixed {
			t.Errorf("%q, mixed %v", got, mixed)
		}
	}
	if got := x.Header.Get("X-Dropped-Params"); got != "web_search_options" {
		t.Errorf("named %q", got)
	}
}

func FuzzTools(f *testing.F) {
	for _, r := range []string{`[]`, `[{}]`, `[{"googleSearch":{}},{"functionDeclarations":[{"name":"f"}]}]`, `[{"googleSearchRetrieval":{"a":1},"urlContext":{}},7,null]`, `{"a":[]}`} {
		f.Add(r, true)
		f.Add(r, false)
	}
	f.Fuzz(func(t *testing.T, tools string, third bool) {
		if wire.Check([]byte(tools)) != nil {
			return
		}
		model := "gemini-2.5-pro-search"
		if third {
			model = "gemini-3-flash-preview-search"
		}
		x := runBody(t, "drop", model, languages["Gemini"], []byte(`{"contents":[],"tools":`+tools+`}`))
		if err := wire.Check(x.Call.AppendTo(nil)); err != nil {
			t.Errorf("%v: %s", err, x.Call.AppendTo(nil))
		}
	})
}
