package gemini

import (
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
)

func TestUnwrap(t *testing.T) {
	for _, tt := range []struct {
		in, response, trace string
		ok                  bool
	}{
		{`{"response":{"candidates":[]},"traceId":"t1"}`, `{"candidates":[]}`, "t1", true},
		{`{"traceId":"t1"}`, "", "t1", false},
		{`{"response":null}`, "null", "", false},
		{`{"error":{}}`, "", "", false},
		{`[]`, "", "", false},
		{``, "", "", false},
		{`{"response":{"a`, "", "", false},
	} {
		got, ok := Unwrap([]byte(tt.in))
		if string(got) != tt.response || ok != tt.ok || string(TraceID([]byte(tt.in))) != tt.trace {
			t.Errorf("Unwrap(%s) = %s, %v; trace %s", tt.in, got, ok, TraceID([]byte(tt.in)))
		}
	}
}

func TestLook(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     func(g *Glance) bool
	}{
		{"text", `{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]}}]}`,
			func(g *Glance) bool {
				return g.Text && g.Useful() && g.Parts == 1 && g.Candidates == 1 && g.Finish == nil
			}},
		{"thought", `{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}`,
			func(g *Glance) bool { return g.Thought && !g.Text && !g.Useful() }},
		{"draft image", `{"candidates":[{"content":{"parts":[{"thought":true,"inlineData":{"data":""}}]}}]}`,
			func(g *Glance) bool { return g.Thought && !g.Data && !g.Useful() }},
		{"call", `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"},"thoughtSignature":"x"}]}}]}`,
			func(g *Glance) bool { return g.Call && g.Useful() && !g.Data }},
		{"image", `{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}}]}`,
			func(g *Glance) bool { return g.Data && g.Useful() && !g.Text }},
		{"code", `{"candidates":[{"content":{"parts":[{"executableCode":{}},{"codeExecutionResult":{}}]}}]}`,
			func(g *Glance) bool { return g.Data && g.Parts == 2 }},
		{"empty text at the end", `{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":50,"candidatesTokenCount":25,"thoughtsTokenCount":18,"totalTokenCount":93,"cachedContentTokenCount":"7","toolUsePromptTokenCount":1}}`,
			func(g *Glance) bool {
				return !g.Text && !g.Useful() && string(g.Finish) == "STOP" && g.HasUsage && g.Usage == Usage{50, 7, 25, 18, 1, 93}
			}},
		{"max tokens without content", `{"candidates":[{"finishReason":"MAX_TOKENS","index":0}]}`,
			func(g *Glance) bool { return string(g.Finish) == "MAX_TOKENS" && g.Parts == 0 && g.Candidates == 1 }},
		{"malformed call", `{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"bad \"call\""}]}`,
			func(g *Glance) bool { return string(g.FinishMessage) == `"bad \"call\""` && !g.Useful() }},
		{"blocked", `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{},"responseId":"r1","modelVersion":"m"}`,
			func(g *Glance) bool {
				return string(g.Blocked) == "PROHIBITED_CONTENT" && g.Useful() && g.Candidates == 0 && g.HasUsage && string(g.ResponseID) == "r1" && string(g.ModelVersion) == "m"
			}},
		{"error", `{"error":{"code":503}}`, func(g *Glance) bool { return string(g.Error) == `{"code":503}` }},
		{"error in an array", `[{"error":{"code":503}}]`, func(g *Glance) bool { return string(g.Error) == `{"code":503}` }},
		{"empty array", `[]`, func(g *Glance) bool { return g.Error == nil }},
		{"no error", `{"error":null}`, func(g *Glance) bool { return g.Error == nil }},
		{"two candidates", `{"candidates":[{"finishReason":""},{"finishReason":"SAFETY"},{"finishReason":"STOP"}]}`,
			func(g *Glance) bool { return g.Candidates == 3 && string(g.Finish) == "SAFETY" }},
		{"wrong types", `{"candidates":[null,7,{"content":[],"finishReason":5},{"content":{"parts":{}}},{"content":{"parts":[null,"x",{"text":5}]}}],"usageMetadata":[],"promptFeedback":"x","responseId":1}`,
			func(g *Glance) bool { return g.Candidates == 5 && !g.Useful() && !g.HasUsage && g.Finish == nil }},
		{"cut", `{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"promptTok`,
			func(g *Glance) bool { return g.Text && !g.HasUsage }},
		{"nothing", ``, func(g *Glance) bool { return !g.Useful() && g.Candidates == 0 }},
	} {
		if g := Look([]byte(tt.in)); !tt.want(&g) {
			t.Errorf("%s: %+v", tt.name, g)
		}
	}
}

func TestUsageMerge(t *testing.T) {
	var u Usage
	u.Merge(Usage{Prompt: 50, Total: 68, Thoughts: 18})
	u.Merge(Usage{Candidates: 1, Total: 69})
	u.Merge(Usage{})
	if (u != Usage{Prompt: 50, Candidates: 1, Thoughts: 18, Total: 69}) {
		t.Errorf("%+v", u)
	}
}

func TestParts(t *testing.T) {
	data := []byte(`{"candidates":[{"index":1},{"content":{"parts":[{"text":"a"},{"function_call":{}}]}}]}`)
	n := 0
	for a := Parts(data, 1); a.Next(); n++ {
		if p := PartOf(a.Value); (p.Text != nil) != (n == 0) || (p.Call != nil) != (n == 1) {
			t.Errorf("%+v", p)
		}
	}
	empty, beyond := Parts(data, 0), Parts(data, 7)
	if n != 2 || empty.Next() || beyond.Next() {
		t.Error("parts of a candidate without content, or of none")
	}
	if Index([]byte(`{"index":3}`), 0) != 3 || Index([]byte(`{}`), 2) != 2 || Index([]byte(`{"index":-1}`), 2) != 2 {
		t.Error("Index")
	}
}

func TestEncoder(t *testing.T) {
	fault := apierror.New(apierror.UpstreamUnavailable, "gone")
	failure := string(AppendError(nil, fault))
	for _, tt := range []struct {
		name          string
		stream, array bool
		play          string // e event, f finish, x error
		want          string
	}{
		{"sse", true, false, "eef", "data: {\"a\": 1}\r\n\r\ndata: {\"a\": 1}\r\n\r\n"},
		{"sse error", true, false, "ex", "data: {\"a\": 1}\r\n\r\ndata: " + failure + "\r\n\r\n"},
		{"array", true, true, "eef", "[{\"a\":\n1},\r\n{\"a\":\n1}]"},
		{"array, nothing", true, true, "f", "[]"},
		{"array, finished twice", true, true, "eff", "[{\"a\":\n1}]"},
		{"array error", true, true, "ex", "[{\"a\":\n1},\r\n" + failure + "]"},
		{"array error and finish", true, true, "exfx", "[{\"a\":\n1},\r\n" + failure + "]"},
		{"array error first", true, true, "x", "[" + failure + "]"},
	} {
		e := NewEncoder(tt.stream, tt.array)
		var out []byte
		for _, op := range tt.play {
			switch op {
			case 'e':
				out, _ = e.Event(out, []byte("{\"a\":\n1}"))
			case 'x':
				out = e.Error(out, fault)
			case 'f':
				out = e.Finish(out)
			}
		}
		if string(out) != tt.want {
			t.Errorf("%s: %q\nwant %q", tt.name, out, tt.want)
		}
		if b := e.Beat(); b.Joins && !strings.HasPrefix(string(out), string(b.Open)) {
			t.Errorf("%s: an event does not begin with the beat", tt.name)
		}
	}
	for _, e := range []interface {
		Whole(dst, data []byte) ([]byte, error)
		Failure([]byte, *apierror.Error) []byte
	}{NewEncoder(false, false), NewEncoder(true, false), NewEncoder(true, true)} {
		whole, err := e.Whole([]byte("x"), []byte("{ }"))
		if string(whole) != "x{ }" || err != nil || string(e.Failure(nil, fault)) != failure {
			t.Errorf("whole %s, %v", whole, err)
		}
	}
	if b := NewEncoder(false, false).Beat(); b.Open != nil || b.More != nil {
		t.Error("a whole reply has no heartbeat")
	}
}

func TestNothingIsAllocated(t *testing.T) {
	event := []byte(`{"candidates":[{"content":{"role":"model","parts":[{"text":"Checking"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":50,"totalTokenCount":69},"modelVersion":"gemini-3.1-pro-preview","responseId":"r1"}`)
	envelope := append(append([]byte(`{"response":`), event...), `,"traceId":"t1"}`...)
	dst := make([]byte, 0, 4096)
	sse, array := NewEncoder(true, false), NewEncoder(true, true)
	call := mustCall(t, `{"contents":[],"generationConfig":{}}`)
	call.Set("contents", []byte("[1]"))
	for name, f := range map[string]func(){
		"Unwrap":    func() { Unwrap(envelope); TraceID(envelope) },
		"Look":      func() { Look(event) },
		"SSE":       func() { sse.Event(dst, event) },
		"array":     func() { array.Event(dst, event) },
		"AppendTo":  func() { call.AppendTo(dst) },
		"Get":       func() { call.Get("generationConfig"); call.GetIn("generationConfig", "topP") },
		"Canonical": func() { Canonical("top_p") },
	} {
		if n := testing.AllocsPerRun(100, f); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
