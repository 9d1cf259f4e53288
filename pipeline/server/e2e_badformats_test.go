package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

const (
	chatPath      = "/v1/chat/completions"
	legacyPath    = "/v1/completions"
	responsesPath = "/v1/responses"
	embedPath     = "/v1/embeddings"
	drawPath      = "/v1/images/generations"
	messagesPath  = "/v1/messages"
	tokensPath    = "/v1/messages/count_tokens"
	generatePath  = "/v1beta/models/gemini-2.5-flash:generateContent"
	eventsPath    = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
	arrayPath     = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
	vectorPath    = "/v1beta/models/gemini-embedding-001:embedContent"
	vectorsPath   = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
)

// badRoute is a route with a body that it serves.
type badRoute struct {
	name, path, sample string
	native             bool // the body goes up as it is: what is wrong with it, Google says
	keys               bool // Code Assist has no such model or method
}

func badRoutes() []badRoute {
	return []badRoute{
		{"chat tools", chatPath, chatTools, false, false},
		{"chat tools of Gemini 3", chatPath, ofGemini3(chatTools), false, false},
		{"responses tools of Gemini 3", responsesPath, ofGemini3(responsesTools), false, false},
		{"messages tools of Gemini 3", messagesPath, ofGemini3(messagesTools), false, false},
		{"chat settings", chatPath, chatSettings, false, false},
		{"chat functions", chatPath, chatFunctions, false, false},
		{"chat logprobs", chatPath, chatLogprobs, false, true},
		{"completions", legacyPath, completionSample, false, false},
		{"embeddings", embedPath, embedSample, false, true},
		{"images", drawPath, drawSample, false, true},
		{"responses tools", responsesPath, responsesTools, false, false},
		{"responses settings", responsesPath, responsesSettings, false, false},
		{"messages tools", messagesPath, messagesTools, false, false},
		{"messages settings", messagesPath, messagesSettings, false, false},
		{"count_tokens", tokensPath, countMessages, false, false},
		{"gemini tools", generatePath, geminiTools, true, false},
		{"gemini settings", eventsPath, geminiSettings, true, false},
		{"gemini snake", arrayPath, geminiSnake, true, false},
		{"gemini count", countPath, geminiCount, true, false},
		{"gemini embed", vectorPath, geminiEmbed, true, true},
		{"gemini embeds", vectorsPath, geminiEmbeds, true, true},
		{"chat on gemini", generatePath, chatFunctions, false, false},
		{"chat on gemini stream", eventsPath, chatLogprobs, false, true},
		{"chat on count", countPath, chatFunctions, false, false},
		{"gemini on chat", chatPath, `{"model":"gemini-2.5-flash","stream":true,"stream_options":{},` + geminiSnake[1:], true, false},
	}
}

// ofGemini3 asks a model of the third generation, which wants its thought signatures back.
func ofGemini3(sample string) string {
	return strings.Replace(sample, "gemini-2.5-flash", "gemini-3-flash-preview", 1)
}

// TestWrongTypesEverywhere: whatever stands in the place of any value of any format, the client gets
// an answer or hears in its own format what is wrong.
func TestWrongTypesEverywhere(t *testing.T) {
	t.Parallel()
	for _, r := range badRoutes() {
		for _, by := range []launch{{accounts: 1}, {keys: 1}} {
			if by.accounts > 0 && r.keys {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d accounts, %d keys", r.name, by.accounts, by.keys), func(t *testing.T) {
				t.Parallel()
				b := badGateway(t, by)
				b.good(t, r)
				b.try(t, r, mutants(t, r.sample))
				b.good(t, r)
			})
		}
	}
}

// bad is a gateway with clients that keep their connections: there are many thousand requests.
type bad struct {
	g   *gateway
	sim *simulator.Server
	c   *http.Client
}

func badGateway(t *testing.T, l launch) *bad {
	t.Helper()
	l.sim, l.light = google(t, l.accounts, l.keys), true
	if l.env == nil {
		l.env = map[string]string{}
	}
	l.env["LOG_LEVEL"] = "info"
	c := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}}
	t.Cleanup(c.CloseIdleConnections)
	return &bad{g: start(t, l), sim: l.sim, c: c}
}

func (b *bad) post(path, body string, change ...func(*http.Request)) (r reply, err error) {
	resp, err := b.c.Do(b.g.request("POST", path, body, change...))
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	r = reply{status: resp.StatusCode, header: resp.Header}
	r.body, err = io.ReadAll(resp.Body)
	return r, err
}

// good asks what can be answered.
func (b *bad) good(t *testing.T, r badRoute) {
	t.Helper()
	got, err := b.post(r.path, r.sample)
	if why := judge(r, got, err); got.status != 200 || why != "" {
		t.Errorf("%s: the sample itself: %d %s %s", r.name, got.status, why, tail(string(got.body)))
	}
}

// try sends every mutant. A gateway has one route to serve at a time, so that what reached Google was
// made of the mutant that is being looked at.
func (b *bad) try(t *testing.T, r badRoute, list []mutant) {
	t.Helper()
	refused := 0
	for i, m := range list {
		if raceDetector && i%3 != 0 { // the gateway here is not watched for races: the tests are only slower
			continue
		}
		b.sim.ForgetCalls()
		got, err := b.post(r.path, m.body)
		why := judge(r, got, err)
		if why == "" && got.status != 200 {
			refused++
			why = b.blame(r, m, got)
		}
		if why != "" {
			t.Errorf("%s is %q: %s: %d %s", m.place, m.with, why, got.status, tail(string(got.body)))
		}
	}
	if refused < len(list)/8 && !raceDetector {
		t.Errorf("%d of %d were refused: too few for this to be a test", refused, len(list))
	}
}

// blame: a refusal names the place, and nothing that was made of a request of another language was
// refused by Google, but for what only Google knows.
func (b *bad) blame(r badRoute, m mutant, got reply) string {
	for _, c := range b.sim.Calls() {
		if c.Status == 400 && !r.native && !onlyGoogleKnows(m) {
			return "Google refuses " + tail(string(c.Body))
		}
		if c.Status >= 400 {
			return ""
		}
	}
	return misplaced(r, m, got)
}

// onlyGoogleKnows lists what is for Google to refuse: it depends on the model.
func onlyGoogleKnows(m mutant) bool {
	return m.place == "frequency_penalty" || m.place == "presence_penalty"
}

// misplaced tells a refusal that does not name the member which is wrong.
func misplaced(r badRoute, m mutant, got reply) string {
	e := got.err()
	if _, at, ok := strings.Cut(e.Error.Message, "or has half a surrogate pair, at byte "); ok {
		if n, err := strconv.Atoi(at); err != nil || n < m.from || n > m.to {
			return fmt.Sprintf("it stands at bytes %d to %d", m.from, m.to)
		}
		return ""
	}
	named := e.Error.Param
	if named == "" && (strings.HasPrefix(r.path, "/v1beta") || strings.HasPrefix(r.path, messagesPath)) {
		named = strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(e.Error.Message, "in "), "the request body has the member "), `"`)
	}
	if a, b := top(m.place), top(named); a != b && strings.ReplaceAll(a, "_", "") != strings.ToLower(b) && !strings.Contains(" "+related()[b]+" ", " "+a+" ") {
		return "another place is named: " + named
	}
	return ""
}

// related are the members that a refusal of one member may come from: what it needs is gone.
func related() map[string]string {
	return map[string]string{
		"top_logprobs":  "logprobs",
		"logprobs":      "model",
		"tool_choice":   "tools",
		"function_call": "functions",
		"contents":      "messages generateContentRequest",
		"content":       "requests",
	}
}

// top is the first name of a path.
func top(path string) string {
	if i := strings.IndexAny(path, `.[ :",`); i >= 0 {
		return path[:i]
	}
	return path
}

// judge says what is wrong with an answer to what may have been nonsense, "" for nothing.
func judge(r badRoute, got reply, err error) string {
	switch {
	case err != nil:
		return "no answer: " + err.Error()
	case got.header.Get("X-Request-Id") == "":
		return "no X-Request-Id"
	case got.status == 200:
		return judgeAnswer(got)
	case got.status != 501 && (got.status < 400 || got.status > 499):
		return "neither an answer nor a refusal"
	case !strings.HasPrefix(got.header.Get("Content-Type"), "application/json"):
		return "Content-Type " + got.header.Get("Content-Type")
	}
	return judgeRefusal(r, got)
}

func judgeRefusal(r badRoute, got reply) string {
	var e struct {
		Type  string
		Error struct {
			Message, Type, Status string
			Param                 *string
			Code                  any
		}
	}
	if err := json.Unmarshal(got.body, &e); err != nil {
		return err.Error()
	}
	code, _ := e.Error.Code.(float64)
	word, _ := e.Error.Code.(string)
	switch {
	case e.Error.Message == "":
		return "no message"
	case strings.HasPrefix(r.path, "/v1beta"):
		if int(code) != got.status || e.Error.Status == "" {
			return "not Gemini's envelope"
		}
	case strings.HasPrefix(r.path, messagesPath):
		if e.Type != "error" || e.Error.Type == "" {
			return "not Anthropic's envelope"
		}
	case e.Error.Type == "" || word == "":
		return "not OpenAI's envelope"
	}
	return ""
}

// anyAnswer is what the answers of all formats say, as far as it tells a full one from an empty one.
type anyAnswer struct {
	Type    string
	Error   any
	Choices []struct {
		Text           string
		Message, Delta struct {
			Content      string
			ToolCalls    []any `json:"tool_calls"`
			FunctionCall any   `json:"function_call"`
		}
		FinishReason string `json:"finish_reason"`
	}
	Data []struct {
		Embedding []float64
		Picture   string `json:"b64_json"`
		URL       string
	}
	Picture  string `json:"b64_json"`
	Status   string
	Output   []struct{ Type string }
	Response struct {
		Status string
		Output []struct{ Type string }
	}
	Content    []struct{ Text, Name string }
	Block      struct{ Name string } `json:"content_block"`
	StopReason string                `json:"stop_reason"`
	Delta      json.RawMessage
	Tokens     *int `json:"input_tokens"`
	Total      *int `json:"totalTokens"`
	Candidates []struct {
		Content      struct{ Parts []any }
		FinishReason string
	}
	Embedding  struct{ Values []float64 }
	Embeddings []struct{ Values []float64 }
}

// judgeAnswer says what an answer lacks.
func judgeAnswer(got reply) string {
	body := strings.TrimSpace(string(got.body))
	said, ended := false, false
	var list []anyAnswer
	switch {
	case strings.HasPrefix(got.header.Get("Content-Type"), "text/event-stream"):
		for line := range strings.SplitSeq(body, "\n") {
			data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
			if !ok || data == "[DONE]" {
				continue
			}
			var a anyAnswer
			if err := json.Unmarshal([]byte(data), &a); err != nil {
				return err.Error()
			}
			list = append(list, a)
		}
	case strings.HasPrefix(body, "["):
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			return err.Error()
		}
	default:
		list = make([]anyAnswer, 1)
		if err := json.Unmarshal([]byte(body), &list[0]); err != nil {
			return err.Error()
		}
	}
	for _, a := range list {
		if a.Error != nil {
			return "an error in an answer"
		}
		s, e := a.look()
		said, ended = said || s, ended || e
	}
	switch {
	case !said:
		return "an empty answer"
	case !ended:
		return "an answer without an end"
	}
	return ""
}

// look tells whether anything is said and whether it is the end.
func (a *anyAnswer) look() (said, ended bool) {
	for _, c := range a.Choices {
		said = said || c.Text != "" || c.Message.Content != "" || c.Delta.Content != "" || c.Message.FunctionCall != nil || c.Delta.FunctionCall != nil || len(c.Message.ToolCalls)+len(c.Delta.ToolCalls) > 0
		ended = ended || c.FinishReason != ""
	}
	for _, d := range a.Data {
		said = said || len(d.Embedding) > 0 || d.Picture != "" || d.URL != ""
	}
	for _, c := range a.Candidates {
		said = said || len(c.Content.Parts) > 0
		ended = ended || c.FinishReason != ""
	}
	for _, c := range a.Content {
		said = said || c.Text != "" || c.Name != ""
	}
	said = said || len(a.Output) > 0 || len(a.Response.Output) > 0 || a.Block.Name != "" || a.Picture != "" || strings.Contains(string(a.Delta), `"text`)
	whole := len(a.Data) > 0 || a.Picture != "" || a.Tokens != nil || a.Total != nil || len(a.Embedding.Values) > 0 || len(a.Embeddings) > 0
	ended = ended || whole || a.StopReason != "" || a.Type == "message_stop" || a.Status != "" || a.Response.Status == "completed" || a.Response.Status == "incomplete"
	return said || whole && len(a.Data) == 0, ended
}
