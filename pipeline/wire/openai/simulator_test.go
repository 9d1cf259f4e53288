package openai_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"gcli2api/pipeline/models"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
)

const simulatorKey = "AIzaTestKey0000000000000000000000000001"

// google is the simulator with an account and a key: it refuses what Google refuses.
type google struct {
	*simulator.Server
	token, project string
}

func startGoogle(t *testing.T) *google {
	t.Helper()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	a := s.AddAccount(simulator.Account{Email: "alice@example.com"})
	s.AddKey(simulatorKey)
	return &google{s, s.AccessToken(a.Email), a.Project}
}

// assist and studio send a hub request to the two backends and give the hub answer.
func (g *google) assist(t *testing.T, model, hub string) (int, []byte) {
	status, body := g.post(t, "/v1internal:generateContent", "Authorization", "Bearer "+g.token, fmt.Sprintf(`{"model":%q,"project":%q,"request":%s}`, model, g.project, hub))
	if inner, ok := gemini.Unwrap(body); ok {
		body = inner
	}
	return status, body
}

func (g *google) studio(t *testing.T, model, hub string) (int, []byte) {
	return g.post(t, "/v1beta/models/"+model+":generateContent", "X-Goog-Api-Key", simulatorKey, hub)
}

func (g *google) post(t *testing.T, path, header, value, body string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequest("POST", g.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(header, value)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, all
}

func target(model string) gemini.Target {
	f := models.FamilyOf(model)
	return gemini.Target{Major: f.Major, Minor: f.Minor, Limits: gemini.Limits(f.Thinking())}
}

func hubOf(t *testing.T, model, body string) (string, openai.Request) {
	t.Helper()
	members, err := wire.Scan([]byte(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	hub, r, bad := openai.ToHub(nil, []byte(body), members, target(model))
	if bad != nil {
		t.Fatalf("%v\n%s", bad, body)
	}
	return string(hub), r
}

const (
	ask   = `{"role":"user","content":"hello there"}`
	tools = `"tools":[{"type":"function","function":{"name":"get_weather","description":"The weather","strict":true,"parameters":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"city":{"type":"string","minLength":1},"unit":{"const":"C"},"days":{"type":["integer","null"]},"when":{"$ref":"#/$defs/When"}},"required":["city"],"additionalProperties":false,"$defs":{"When":{"oneOf":[{"type":"string","format":"date"},{"type":"null"}]}}}}},` +
		`{"type":"function","function":{"name":"搜索 now!"}},{"type":"custom","custom":{"name":"shell","description":"Runs it","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: /.+/"}}}}]`
	calls = `{"role":"assistant","content":"Let me see.","tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}},{"id":"call_2","type":"function","function":{"name":"搜索 now!","arguments":""}},{"id":"call_3","type":"custom","custom":{"name":"shell","input":"ls"}}]}`
	told  = `{"role":"tool","tool_call_id":"call_3","content":"a\nb"},{"role":"tool","tool_call_id":"call_1","content":"{\"temp\": 7}"},{"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"[1,2]"}]}`
)

var png = base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n0123456789"))

// What the translation writes is accepted by both backends and both generations.
func TestGoogleTakesIt(t *testing.T) {
	g := startGoogle(t)
	backends := map[string]func(*testing.T, string, string) (int, []byte){"code assist": g.assist, "ai studio": g.studio}
	every := []string{"gemini-2.5-pro", "gemini-2.5-flash", "gemini-3-pro-preview", "gemini-3-flash-preview"}
	old := every[:2]
	for name, c := range map[string]struct {
		body   string
		models []string
	}{
		"chat":                  {`{"messages":[{"role":"developer","content":"Be brief."},{"role":"system","content":[{"type":"text","text":"And polite."}]},` + ask + `,{"role":"assistant","content":"Hi."},{"role":"system","content":"Now be rude."},{"role":"user","content":[{"type":"text","text":"again"}]}]}`, every},
		"parameters":            {`{"messages":[` + ask + `],"temperature":2,"top_p":0.5,"top_k":100,"max_completion_tokens":100000,"seed":99999999999,"stop":["a","","b"],"reasoning_effort":"low","n":1,"frequency_penalty":0}`, every},
		"tools":                 {`{"messages":[` + ask + `],` + tools + `}`, every},
		"must call":             {`{"messages":[` + ask + `],` + tools + `,"tool_choice":"required","parallel_tool_calls":false}`, every},
		"must call one of two":  {`{"messages":[` + ask + `],` + tools + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"搜索 now!"}},{"type":"custom","custom":{"name":"shell"}}]}}}`, every},
		"may call one":          {`{"messages":[` + ask + `,` + calls + `,` + told + `],` + tools + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"get_weather"}}]}}}`, every},
		"must not call":         {`{"messages":[` + ask + `],` + tools + `,"tool_choice":"none"}`, every},
		"results in parallel":   {`{"messages":[` + ask + `,` + calls + `,` + told + `],` + tools + `}`, every},
		"results without tools": {`{"messages":[` + ask + `,` + calls + `,` + told + `]}`, every},
		"several steps":         {`{"messages":[` + ask + `,` + calls + `,` + told + `,` + calls + `,` + told + `,{"role":"assistant","content":"Done."},` + ask + `],` + tools + `}`, every},
		"functions":             {`{"messages":[` + ask + `,{"role":"assistant","function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"x"}],"functions":[{"name":"f","parameters":{"type":"object","properties":{}}}],"function_call":{"name":"f"}}`, every},
		"schema":                {`{"messages":[` + ask + `],"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"$schema":"x","type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]},"b":{"const":1}},"required":["a","b"],"additionalProperties":false}}}}`, every},
		"json":                  {`{"messages":[` + ask + `],"response_format":{"type":"json_object"}}`, every},
		"pictures":              {`{"messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image\/png;base64,` + png + `"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"file","file":{"filename":"a.pdf","file_data":"AAAA"}}]}]}`, every},
		"a picture in a result": {`{"messages":[` + ask + `,{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":"data:image/png;base64,` + png + `"}]}]}`, every},
		"only instructions":     {`{"messages":[{"role":"system","content":"Say hello."}]}`, every},
		"the model begins":      {`{"messages":[{"role":"assistant","content":"Hi."},` + ask + `]}`, every},
		"prefill":               {`{"messages":[` + ask + `,{"role":"assistant","content":"Dear"}]}`, old},
		"probabilities":         {`{"messages":[` + ask + `],"logprobs":true,"top_logprobs":3}`, old},
		"google's own":          {`{"messages":[` + ask + `],"extra_body":{"google":{"thinking_config":{"include_thoughts":true},"safety_settings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]}}}`, every},
	} {
		for backend, send := range backends {
			for _, model := range c.models {
				hub, _ := hubOf(t, model, c.body)
				if status, body := send(t, model, hub); status != 200 {
					t.Errorf("%s, %s, %s: %d %s\n%s", name, backend, model, status, body, hub)
				}
			}
		}
	}
}

// A last message of the assistant is a turn of the model; the third generation is asked to go on.
func TestPrefill(t *testing.T) {
	g := startGoogle(t)
	for model, end := range map[string]string{"gemini-2.5-flash": `{"role":"model","parts":[{"text":"Dear"}]}]}`, "gemini-3-pro-preview": `without repeating anything."}]}]}`} {
		hub, _ := hubOf(t, model, `{"messages":[`+ask+`,{"role":"assistant","content":"Dear"}]}`)
		if status, body := g.assist(t, model, hub); status != 200 || !strings.HasSuffix(hub, end) {
			t.Errorf("%s: %d %s\n%s", model, status, body, hub)
		}
	}
}

// An agent of two steps: the answer of the simulator, as the client hears it, goes back into the next
// request with its signature, and the simulator accepts it.
func TestToolsThereAndBack(t *testing.T) {
	g := startGoogle(t)
	const model = "gemini-3-pro-preview"
	messages := []any{map[string]any{"role": "user", "content": `call get_weather {"city":"Oslo"} call get_weather {"city":"Bern"} then call get_weather {"city":"Rome"}`}}
	var declared struct{ Tools []any }
	if err := json.Unmarshal([]byte(`{`+tools+`}`), &declared); err != nil {
		t.Fatal(err)
	}
	for step, calls := range []int{2, 1, 0} {
		body, err := json.Marshal(map[string]any{"messages": messages, "tools": declared.Tools})
		if err != nil {
			t.Fatal(err)
		}
		hub, r := hubOf(t, model, string(body))
		status, reply := g.assist(t, model, hub)
		if status != 200 {
			t.Fatalf("step %d: %d %s", step, status, reply)
		}
		restore := gemini.Restorer{Tools: r.Tools, Seed: fmt.Sprint(step), Prefix: "call_"}
		out, err := openai.NewEncoder(openai.EncoderOptions{ID: "1", Model: model, Tools: r.Tools}).Whole(nil, restore.Event(reply))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Choices []struct {
				Message      map[string]any
				FinishReason string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		message := answer.Choices[0].Message
		made, _ := message["tool_calls"].([]any)
		if len(made) != calls || (answer.Choices[0].FinishReason == "tool_calls") != (calls > 0) {
			t.Fatalf("step %d: %s", step, out)
		}
		if calls > 0 && !bytes.Contains(out, []byte(`"extra_content":{"google":{"thought_signature":"`)) {
			t.Errorf("step %d: no signature in %s", step, out)
		}
		messages = append(messages, message)
		for i := range made { // the last one first
			call := made[len(made)-1-i].(map[string]any)
			messages = append(messages, map[string]any{"role": "tool", "tool_call_id": call["id"], "content": "7 degrees"})
		}
	}
}
