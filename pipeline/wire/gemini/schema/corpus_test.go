package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini/schema"
)

var update = flag.Bool("update", false, "write what comes out as what is wanted")

// tool is a declaration of the corpus.
type tool struct {
	file, name string
	parameters []byte
}

func corpus(t testing.TB) []tool {
	t.Helper()
	files, err := filepath.Glob("testdata/tools/*.json")
	if err != nil || len(files) < 65 {
		t.Fatalf("%d tools, %v", len(files), err)
	}
	var tools []tool
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := wire.Text(wire.Get(data, "name"))
		parameters := wire.Get(data, "parameters")
		if name == "" || parameters == nil || wire.Check(data) != nil {
			t.Fatalf("%s is no declaration", file)
		}
		tools = append(tools, tool{filepath.Base(file), name, parameters})
	}
	return tools
}

// wanted is a file of testdata/want.
type wanted struct {
	Notes      []string        `json:"notes,omitempty"`
	Parameters json.RawMessage `json:"parameters"`
}

func TestCorpus(t *testing.T) {
	for _, c := range corpus(t) {
		t.Run(c.file, func(t *testing.T) {
			out, notes, fail := schema.AppendObject(nil, c.parameters)
			if fail != nil {
				t.Fatal(fail)
			}
			if why := breaks(c.parameters); why != "" {
				t.Error(why)
			}
			got := pretty(t, wanted{notes, out})
			path := filepath.Join("testdata", "want", c.file)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// pretty keeps the order of members, which is part of what is promised.
func pretty(t *testing.T, w wanted) []byte {
	t.Helper()
	var plain, out bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	if err := e.Encode(w); err != nil {
		t.Fatal(err)
	}
	if err := json.Indent(&out, plain.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// google is the simulator with a credential of each kind.
type google struct {
	sim            *simulator.Server
	project, token string
}

const key = "AIzaTestKey0000000000000000000000000001"

func start(t *testing.T) google {
	t.Helper()
	sim, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	sim.AddKey(key)
	account := sim.AddAccount(simulator.Account{Email: "alice@example.com"})
	return google{sim, account.Project, sim.AccessToken("alice@example.com")}
}

// assist asks Code Assist with one function, studio AI Studio; both give the status and the body.
func (g google) assist(t *testing.T, request string) (int, string) {
	return g.post(t, "/v1internal:generateContent", `{"model":"gemini-2.5-flash","project":"`+g.project+`","request":`+request+`}`, "Authorization", "Bearer "+g.token)
}

func (g google) studio(t *testing.T, request string) (int, string) {
	return g.post(t, "/v1beta/models/gemini-2.5-flash:generateContent", request, "X-Goog-Api-Key", key)
}

func (g google) post(t *testing.T, path, body string, credential ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, g.sim.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(credential[0], credential[1])
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func declaring(tools ...tool) string {
	var list []string
	for _, c := range tools {
		list = append(list, `{"name":"`+c.name+`","description":"x","parametersJsonSchema":`+string(c.parameters)+`}`)
	}
	return `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[` + strings.Join(list, ",") + `]}]}`
}

func rewritten(t *testing.T, c tool) tool {
	t.Helper()
	out, _, fail := schema.AppendObject(nil, c.parameters)
	if fail != nil {
		t.Fatal(c.file, fail)
	}
	c.parameters = out
	return c
}

func TestGoogleTakesTheCorpus(t *testing.T) {
	g := start(t)
	var all []tool
	for _, c := range corpus(t) {
		c = rewritten(t, c)
		all = append(all, c)
		if status, body := g.assist(t, declaring(c)); status != http.StatusOK {
			t.Errorf("%s at Code Assist: %d %s\n%s", c.file, status, body, c.parameters)
		}
		if status, body := g.studio(t, declaring(c)); status != http.StatusOK {
			t.Errorf("%s at AI Studio: %d %s\n%s", c.file, status, body, c.parameters)
		}
	}
	if status, body := g.assist(t, declaring(all...)); status != http.StatusOK {
		t.Errorf("all at once: %d %s", status, body)
	}
}

// TestGoogleRefusesTheRaw proves that the corpus needs rewriting: which tools are refused as they came.
func TestGoogleRefusesTheRaw(t *testing.T) {
	g := start(t)
	accepted := []string{ // by Code Assist; the rest of the corpus is refused there
		"agent_glob.json", "flow_nested_collections.json", "flow_pydantic_tuple.json", "flow_untyped_inputs.json", "large_enum.json", "large_flat.json",
		"mcp_fs_tree.json", "mcp_git_commit.json", "mcp_git_log.json", "mcp_github_issue.json", "mcp_memory_graph.json", "mcp_mutual_recursion.json", "mcp_root_recursive.json",
		"mcp_thinking.json", "names_duplicate.json", "names_keywords.json", "strict_weather.json", "words_formats.json", "words_gemini_style.json",
	}
	var taken []string
	for _, c := range corpus(t) {
		if status, _ := g.assist(t, declaring(c)); status == http.StatusOK {
			taken = append(taken, c.file)
		} else if status != http.StatusBadRequest {
			t.Errorf("%s: %d", c.file, status)
		}
	}
	if !slices.Equal(taken, accepted) {
		t.Errorf("Code Assist takes %d as they are: %q", len(taken), taken)
	}
	for _, file := range []string{"mcp_calendar_event.json", "agent_root_variants.json", "deep_tree.json", "flow_pydantic.json", "strict_linked_list.json"} {
		for _, c := range corpus(t) {
			if c.file != file {
				continue
			}
			if status, body := g.studio(t, declaring(c)); status != http.StatusBadRequest {
				t.Errorf("%s at AI Studio: %d %s", file, status, body)
			}
		}
	}
}

// TestAnswers sends schemas of answers, which may be of any type.
func TestAnswers(t *testing.T) {
	g := start(t)
	for _, raw := range []string{
		`true`, `{}`, `{"type":"array","items":{"const":"a"}}`, `{"type":["string","null"],"pattern":"^a"}`, `{"enum":["a","b",null]}`,
		`{"oneOf":[{"type":"object","properties":{"k":{"const":1}},"required":["k"]},{"type":"string"}]}`, `{"type":"object","$schema":"x","properties":{"a":{"$ref":"#"}}}`,
	} {
		out, notes, fail := schema.Append(nil, []byte(raw))
		if fail != nil || notes != nil {
			t.Fatal(raw, notes, fail)
		}
		request := `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":` + string(out) + `}}`
		if status, body := g.assist(t, request); status != http.StatusOK {
			t.Errorf("%s at Code Assist: %d %s", out, status, body)
		}
		if status, body := g.studio(t, request); status != http.StatusOK {
			t.Errorf("%s at AI Studio: %d %s", out, status, body)
		}
	}
}
