package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	email = "alice@example.com"
	key   = "AIzaTestKey0000000000000000000000000001"
)

// kit is a running simulator with one account and one key, and a client without redirects.
type kit struct {
	*Server
	t       testing.TB
	account Account
	token   string
}

func start(t testing.TB, o Options) *kit {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if n := s.Open(); n != 0 {
			t.Errorf("%d calls are open after Close", n)
		}
	})
	k := &kit{Server: s, t: t, account: s.AddAccount(Account{Email: email})}
	k.token = s.AccessToken(email)
	s.AddKey(key)
	return k
}

// answered is a response with its body read.
type answered struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body
}

func (k *kit) send(method, path, body string, header map[string]string) answered {
	k.t.Helper()
	request, err := http.NewRequest(method, k.URL()+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		k.t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return answered{response.StatusCode, response.Header, all, err}
}

func (k *kit) bearerHeader() map[string]string {
	return map[string]string{"Authorization": "Bearer " + k.token, "Content-Type": "application/json"}
}

func keyHeader() map[string]string {
	return map[string]string{"X-Goog-Api-Key": key, "Content-Type": "application/json"}
}

// assist posts to a method of Code Assist.
func (k *kit) assist(method, body string) answered {
	k.t.Helper()
	return k.send("POST", "/v1internal:"+method, body, k.bearerHeader())
}

// ask sends a request body in the envelope of Code Assist.
func (k *kit) ask(method, model, request string) answered {
	k.t.Helper()
	return k.assist(method, `{"model":"`+model+`","project":"`+k.account.Project+`","request":`+request+`}`)
}

// studio posts to a method of a model at AI Studio.
func (k *kit) studio(method, model, body string) answered {
	k.t.Helper()
	return k.send("POST", "/v1beta/models/"+model+":"+method, body, keyHeader())
}

func user(text string) string {
	return `{"contents":[` + turn(text) + `]}`
}

func turn(text string) string {
	return `{"role":"user","parts":[{"text":` + string(encode(text)) + `}]}`
}

// reply is what tests read of an answer, with or without envelope.
type seen struct {
	Response   *seen
	TraceID    string
	Candidates []struct {
		Content struct {
			Role  string
			Parts []struct {
				Text             string
				Thought          bool
				ThoughtSignature string
				FunctionCall     *struct {
					ID, Name string
					Args     map[string]any
				}
				ToolCall, ToolResponse map[string]any
				InlineData             *struct{ MIMEType, Data string }
			}
		}
		FinishReason      string
		GroundingMetadata map[string]any
	}
	PromptFeedback map[string]any
	UsageMetadata  *struct {
		PromptTokenCount, CandidatesTokenCount, ThoughtsTokenCount, TotalTokenCount int
	}
	ModelVersion, ResponseID string
	Error                    *struct {
		Code            int
		Message, Status string
		Details         []map[string]any
	}
}

func read(t testing.TB, data []byte) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatalf("not a JSON object: %v\n%s", err, data)
	}
	if s.Response != nil {
		inner := *s.Response
		inner.TraceID = s.TraceID
		return inner
	}
	return s
}

func (s seen) text() string {
	var out strings.Builder
	for _, c := range s.Candidates {
		for _, p := range c.Content.Parts {
			if !p.Thought {
				out.WriteString(p.Text)
			}
		}
	}
	return out.String()
}

func (s seen) finish() string {
	if len(s.Candidates) == 0 {
		return ""
	}
	return s.Candidates[0].FinishReason
}

// events cuts an SSE body into payloads and checks its framing.
func events(t testing.TB, body []byte) []seen {
	t.Helper()
	var out []seen
	for _, block := range bytes.Split(bytes.TrimSuffix(body, []byte("\r\n\r\n")), []byte("\r\n\r\n")) {
		data, ok := bytes.CutPrefix(block, []byte("data: "))
		if !ok {
			t.Fatalf("not an event: %q", block)
		}
		out = append(out, read(t, data))
	}
	return out
}

func joined(all []seen) string {
	var out strings.Builder
	for _, s := range all {
		out.WriteString(s.text())
	}
	return out.String()
}

func (a answered) want(t testing.TB, status int, text string) {
	t.Helper()
	if a.status != status || !strings.Contains(string(a.body), text) {
		t.Errorf("got %d %s\nwant %d with %q", a.status, a.body, status, text)
	}
}

func soon(t testing.TB) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return c
}
