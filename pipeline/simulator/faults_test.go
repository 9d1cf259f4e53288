package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestErrorFaults(t *testing.T) {
	k := start(t, Options{})
	cases := []struct {
		fault  string
		status int
		with   []string
	}{
		{"400", 400, []string{"INVALID_ARGUMENT"}},
		{"400-signature", 400, []string{"thought_signature"}},
		{"400-location", 400, []string{"FAILED_PRECONDITION", "User location"}},
		{"400-key", 400, []string{"API_KEY_INVALID"}},
		{"400-tokens", 400, []string{"exceeds the maximum number of tokens"}},
		{"401", 401, []string{"ACCESS_TOKEN_EXPIRED"}},
		{"403", 403, []string{"PERMISSION_DENIED"}},
		{"403-validation", 403, []string{"VALIDATION_REQUIRED", "validation_url", "google.rpc.Help"}},
		{"403-tos", 403, []string{"TOS_VIOLATION", "appeal_url"}},
		{"403-service-disabled", 403, []string{"SERVICE_DISABLED", "activationUrl"}},
		{"403-license", 403, []string{"SUBSCRIPTION_REQUIRED", "#3501"}},
		{"403-leaked", 403, []string{"leaked"}},
		{"404", 404, []string{"Requested entity was not found."}},
		{"429", 429, []string{"RATE_LIMIT_EXCEEDED", `"retryDelay":"0.539477544s"`, `"quotaResetDelay":"539.477544ms"`}},
		{"429-reset 30s", 429, []string{"will reset after 30s.", `"retryDelay":"30s"`, "quotaResetTimeStamp"}},
		{"429-quota", 429, []string{"QUOTA_EXHAUSTED", "13h19m1.20964964s", "47941.2096"}},
		{"429-quota 2h", 429, []string{"QUOTA_EXHAUSTED", `"retryDelay":"7200s"`}},
		{"429-capacity", 429, []string{"MODEL_CAPACITY_EXHAUSTED", "No capacity available for model gemini-2.5-flash"}},
		{"429-bare", 429, []string{"rateLimitExceeded", "check quota"}},
		{"429-perminute", 429, []string{"RequestsPerMinute", `"domain":"googleapis.com"`}},
		{"429-perday", 429, []string{"RequestsPerDay"}},
		{"429-shared", 429, []string{"error-code-429"}},
		{"429-credits", 429, []string{"INSUFFICIENT_G1_CREDITS_BALANCE"}},
		{"429-limit0", 429, []string{"limit: 0"}},
		{"499", 499, []string{"CANCELLED"}},
		{"500", 500, []string{"Internal error encountered."}},
		{"502-html", 502, []string{"<!DOCTYPE html>"}},
		{"503", 503, []string{"overloaded"}},
		{"503-capacity", 503, []string{"MODEL_CAPACITY_EXHAUSTED", `"retryDelay":"9s"`}},
		{"504", 504, []string{"DEADLINE_EXCEEDED"}},
	}
	for _, c := range cases {
		t.Run(c.fault, func(t *testing.T) {
			unary := k.ask("generateContent", "gemini-2.5-flash", user("!fault "+c.fault))
			for _, with := range c.with {
				unary.want(t, c.status, with)
			}
			stream := k.ask("streamGenerateContent?alt=sse", "gemini-2.5-flash", user("!fault "+c.fault))
			if c.fault == "502-html" {
				return
			}
			var array []struct{ Error struct{ Code int } }
			if err := json.Unmarshal(stream.body, &array); err != nil || len(array) != 1 || array[0].Error.Code != c.status || stream.status != c.status {
				t.Errorf("stream: %d %s", stream.status, stream.body)
			}
		})
	}
	k.ask("generateContent", "gemini-2.5-flash", user("!fault nothing")).want(t, 400, "no such fault: nothing")
	if s := read(t, k.ask("generateContent", "gemini-2.5-flash", user("!fault 429-bare")).body); len(s.Error.Details) != 0 {
		t.Errorf("a bare 429 has details: %+v", s.Error)
	}
	for fault, quota := range map[string]string{"429": "PerMinute", "429-perday": "PerDay", "429-quota": "PerDay"} {
		k.studio("generateContent", "gemini-2.5-flash", user("!fault "+fault)).want(t, 429, "GenerateRequests"+quota+"PerProjectPerModel-FreeTier")
	}
}

func TestAnswerFaults(t *testing.T) {
	k := start(t, Options{})
	ask := func(fault string) seen {
		return read(t, k.ask("generateContent", "gemini-2.5-flash", user("!fault "+fault)).body)
	}
	for fault, finish := range map[string]string{"max-tokens-empty": "MAX_TOKENS", "empty": "STOP", "malformed-call": "MALFORMED_FUNCTION_CALL",
		"safety": "SAFETY", "recitation": "RECITATION", "finish other": "OTHER", "thoughts-only": "STOP"} {
		if s := ask(fault); s.finish() != finish || s.text() != "" {
			t.Errorf("%s: %+v", fault, s)
		}
		all := events(t, k.ask("streamGenerateContent?alt=sse", "gemini-2.5-flash", user("!fault "+fault)).body)
		if last := all[len(all)-1]; last.finish() != finish || joined(all) != "" {
			t.Errorf("%s as a stream: %+v", fault, all)
		}
	}
	if s := ask("max-tokens"); s.finish() != "MAX_TOKENS" || s.text() == "" {
		t.Errorf("max-tokens: %+v", s)
	}
	if s := ask("thoughts-only"); !s.Candidates[0].Content.Parts[0].Thought || len(s.Candidates[0].Content.Parts) != 1 {
		t.Errorf("thoughts-only: %+v", s)
	}
	if s := ask("blocked"); len(s.Candidates) != 0 || s.PromptFeedback["blockReason"] != "PROHIBITED_CONTENT" {
		t.Errorf("blocked: %+v", s)
	}
	if all := events(t, k.ask("streamGenerateContent?alt=sse", "gemini-2.5-flash", user("!fault blocked")).body); len(all) != 1 || all[0].PromptFeedback == nil {
		t.Errorf("blocked as a stream: %+v", all)
	}
	if n := len(ask("big 2").text()); n != 2<<20 {
		t.Errorf("big 2: %d bytes", n)
	}
	if all := events(t, k.ask("streamGenerateContent?alt=sse", "gemini-2.5-flash", user("!fault many 500")).body); len(all) != 501 {
		t.Errorf("many 500: %d events", len(all))
	}
}

func TestBrokenStreams(t *testing.T) {
	k := start(t, Options{})
	stream := func(fault string) answered {
		t.Helper()
		a := k.ask("streamGenerateContent?alt=sse", "gemini-2.5-flash", user("!fault "+fault+" # one two three four five"))
		if a.status != 200 || !bytes.HasPrefix(a.body, []byte("data: {")) {
			t.Errorf("%s: %d %s", fault, a.status, a.body)
		}
		return a
	}
	if a := stream("cut"); a.err == nil || !strings.Contains(a.err.Error(), "reset") || !bytes.Contains(a.body, []byte("echo: !fault")) {
		t.Errorf("cut: %v %s", a.err, a.body)
	}
	if a := stream("eof"); a.err != nil || bytes.Contains(a.body, []byte("finishReason")) || !strings.Contains(joined(events(t, a.body)), "five") {
		t.Errorf("eof: %v %s", a.err, a.body)
	}
	if a := stream("garbage"); !bytes.Contains(a.body, []byte("oops\r\n\r\n")) {
		t.Errorf("garbage: %s", a.body)
	}
	if a := stream("error-event 503"); !bytes.Contains(a.body, []byte("\r\n\r\ndata: {\"error\":{\"code\":503")) || bytes.Contains(a.body, []byte("finishReason")) {
		t.Errorf("error-event: %s", a.body)
	}
	if a := stream("error-line 429-bare"); !bytes.Contains(a.body, []byte("\r\n\r\n[{\"error\":{\"code\":429")) {
		t.Errorf("error-line: %s", a.body)
	}
	if a := stream("no-response-member"); !bytes.Contains(a.body, []byte("\r\n\r\ndata: {\"traceId\":")) || !bytes.Contains(a.body, []byte("STOP")) {
		t.Errorf("no-response-member: %s", a.body)
	}
	if a := stream("split-data"); !bytes.HasPrefix(a.body, []byte("data: {\r\ndata: \"response\"")) {
		t.Errorf("split-data: %s", a.body)
	} else if block, _, _ := bytes.Cut(a.body, []byte("\r\n\r\n")); !json.Valid(bytes.ReplaceAll(block, []byte("data: "), nil)) {
		t.Errorf("the two lines joined are not JSON: %s", block)
	}
}

func TestBrokenBodies(t *testing.T) {
	k := start(t, Options{})
	request, err := http.NewRequest("POST", k.URL()+"/v1beta/models/gemini-2.5-flash:generateContent", strings.NewReader(user("!fault cut")))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"X-Goog-Api-Key": {key}, "Content-Type": {"application/json"}}
	if response, err := http.DefaultClient.Do(request); err == nil {
		defer response.Body.Close()
		if _, err := io.ReadAll(response.Body); err == nil {
			t.Error("a cut body was read to its end")
		}
	}
	if s := read(t, k.studio("generateContent", "gemini-2.5-flash", user("!fault eof")).body); s.finish() != "" || s.text() == "" {
		t.Errorf("eof: %+v", s)
	}
	if a := k.studio("generateContent", "gemini-2.5-flash", user("!fault garbage")); a.status != 200 || json.Valid(a.body) {
		t.Errorf("garbage: %s", a.body)
	}
	if a := k.studio("generateContent", "gemini-2.5-flash", user("!fault error-event 500")); a.status != 200 || read(t, a.body).Error.Code != 500 {
		t.Errorf("error-event: %s", a.body)
	}
}

func TestSlowFaults(t *testing.T) {
	k := start(t, Options{})
	const wait = 300 * time.Millisecond
	prompt := func(fault string) string {
		return "!fault " + fault + " " + wait.String() + " # one two three four five six"
	}
	for fault, want := range map[string]struct{ header, first, end bool }{ // what comes only after the wait
		"slow-first": {true, true, true}, "slow-event": {false, true, true}, "silence": {false, false, true},
	} {
		begin := time.Now()
		response := k.open(soon(t), prompt(fault))
		header := time.Since(begin)
		lines := bufio.NewReader(response.Body)
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		first := time.Since(begin)
		if _, err := io.Copy(io.Discard, lines); err != nil {
			t.Error(err)
		}
		end := time.Since(begin)
		response.Body.Close()
		// Only lower bounds are certain on a busy machine; what must come early is tested by order, below.
		if want.header && header < wait || want.first && first < wait || want.end && end < wait {
			t.Errorf("%s: header %v, first event %v, end %v", fault, header, first, end)
		}
		if !want.header && header > first || !want.first && end-first < wait/2 {
			t.Errorf("%s: header %v, first event %v, end %v", fault, header, first, end)
		}
	}
	k.ask("generateContent", "gemini-2.5-flash", user("!fault slow-first 1ms 503")).want(t, 503, "overloaded")
}

func TestOnceAndTimes(t *testing.T) {
	k := start(t, Options{})
	ask := func(prompt string) int { return k.ask("generateContent", "gemini-2.5-flash", user(prompt)).status }
	for i, want := range []int{429, 200, 200} {
		if got := ask("!fault once 429"); got != want {
			t.Errorf("once, call %d: %d", i, got)
		}
	}
	for i, want := range []int{503, 503, 200} {
		if got := ask("!fault times 2 503 # unique"); got != want {
			t.Errorf("times 2, call %d: %d", i, got)
		}
	}
	if got := ask("!fault times 2 503 # other"); got != 503 {
		t.Errorf("another prompt shares the count: %d", got)
	}
	k.ClearScripts()
	if got := ask("!fault once 429"); got != 429 {
		t.Errorf("after ClearScripts: %d", got)
	}
	k.ask("generateContent", "gemini-2.5-flash", user("Some text of the gateway.\n!fault 500\nAnd more.")).want(t, 500, "Internal")
}

func TestScripts(t *testing.T) {
	k := start(t, Options{})
	k.AddAccount(Account{Email: "bob@example.com", Project: k.account.Project})
	bob := k.AccessToken("bob@example.com")
	k.Script(
		Fault{Do: "429-reset 10s", Credential: email, Model: "gemini-2.5-pro", Skip: 1, Count: 2},
		Fault{Do: "500", Credential: key, Count: -1},
		Fault{Do: "cut", Verb: "loadCodeAssist"},
		Fault{Do: "503", Verb: "token"},
	)
	for i, want := range []int{200, 429, 429, 200} {
		if got := k.ask("generateContent", "gemini-2.5-pro", user("x")).status; got != want {
			t.Errorf("call %d: %d, want %d", i, got, want)
		}
		if got := k.ask("generateContent", "gemini-2.5-flash", user("x")).status; got != 200 {
			t.Errorf("another model: %d", got)
		}
	}
	for range 3 {
		k.studio("generateContent", "gemini-2.5-pro", user("x")).want(t, 500, "Internal")
	}
	k.token = bob
	k.ask("generateContent", "gemini-2.5-pro", user("x")).want(t, 200, "echo")
	request, _ := http.NewRequest("POST", k.URL()+"/v1internal:loadCodeAssist", strings.NewReader("{}"))
	request.Header.Set("Authorization", "Bearer "+bob)
	if response, err := (&http.Client{Transport: &http.Transport{}}).Do(request); err == nil {
		response.Body.Close()
		t.Errorf("a cut call was answered with %d", response.StatusCode)
	}
	if a, _ := k.form("/token", k.refreshForm()); a.status != 503 {
		t.Errorf("token: %d", a.status)
	}
	if a, _ := k.form("/token", k.refreshForm()); a.status != 200 {
		t.Errorf("token again: %d", a.status)
	}
	defer func() {
		if recover() == nil {
			t.Error("Script took a fault that does not exist")
		}
	}()
	k.Script(Fault{Do: "nonsense"})
}

func TestStandingFaults(t *testing.T) {
	k := start(t, Options{})
	k.UpdateAccount(email, func(a *Account) { a.Fault = "403-tos" })
	k.ask("generateContent", "gemini-2.5-pro", user("x")).want(t, 403, "TOS_VIOLATION")
	k.AddKey("dead-key-000000", KeyFault("400-key"))
	k.AddKey("express-key-000", KeyOnly(Vertex))
	header := func(name string) map[string]string {
		return map[string]string{"X-Goog-Api-Key": name, "Content-Type": "application/json"}
	}
	k.send("POST", "/v1beta/models/gemini-2.5-pro:generateContent", user("x"), header("dead-key-000000")).want(t, 400, "API_KEY_INVALID")
	k.send("POST", "/v1beta/models/gemini-2.5-pro:generateContent", user("x"), header("express-key-000")).want(t, 400, "API_KEY_INVALID")
	k.send("POST", "/v1/publishers/google/models/gemini-2.5-pro:generateContent", user("x"), header("express-key-000")).want(t, 200, "echo")
	if c := k.CallsOf("generateContent"); c[0].Fault != "403-tos" {
		t.Errorf("fault in the record: %+v", c[0])
	}
}

func TestFaultsAreListed(t *testing.T) {
	k := start(t, Options{})
	help := k.ask("generateContent", "gemini-2.5-flash", user("!fault help"))
	if help.status != 200 || read(t, help.body).text() != "The faults are: "+strings.Join(FaultNames(), ", ")+`. "!story help" lists answers that break off by themselves.` {
		t.Errorf("%d %s", help.status, help.body)
	}
	unknown := k.ask("generateContent", "gemini-2.5-flash", user("!fault hepl"))
	for _, want := range append(FaultNames(), `no such fault: hepl; \"!fault help\" lists them`) {
		unknown.want(t, 400, want)
	}
}
