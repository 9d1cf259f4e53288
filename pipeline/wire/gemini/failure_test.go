package gemini

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gcli2api/pipeline/apierror"
)

var now = time.Date(2025, 11, 30, 1, 38, 23, 0, time.UTC)

const (
	variantA = `{"error":{"code":429,"message":"You have exhausted your capacity on this model. Your quota will reset after 0s.","status":"RESOURCE_EXHAUSTED","errors":[{"message":"x","domain":"global","reason":"rateLimitExceeded"}],"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"cloudcode-pa.googleapis.com","metadata":{"model":"gemini-2.5-pro","uiMessage":"true","quotaResetDelay":"539.477544ms","quotaResetTimeStamp":"2025-11-30T01:38:24Z"}},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"0.539477544s"}]}}`
	variantB = `[{"error":{"code":429,"message":"You have exhausted your capacity on this model. Your quota will reset after 13h19m1s.","status":"RESOURCE_EXHAUSTED","details":[{" @type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"QUOTA_EXHAUSTED","domain":" cloudcode-pa.googleapis.com\u200b ","metadata":{"uiMessage":"true","model":"gemini-2.5-pro","quotaResetTimeStamp":"2025-11-30T14:57:24Z","quotaResetDelay":"13h19m1.20964964s"}},,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"47941.209649640s"},]}}]`
	variantH = `{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 10, model: gemini-2.5-flash\nPlease retry in 56.185908122s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Learn more","url":"https://ai.google.dev/gemini-api/docs/rate-limits"}]},{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"10"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"56s"}]}}`
	verify   = `{"error":{"code":403,"message":"Verify your account to continue.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"VALIDATION_REQUIRED","domain":"cloudcode-pa.googleapis.com","metadata":{"validation_url":"https://accounts.google.com/signin/continue?a"}},{"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Complete validation","url":"https://accounts.google.com/signin/continue?a"},{"description":"Learn more","url":"https://support.google.com/accounts?p=b"}]}]}}`
)

func message(code int, status, text string) string {
	body, _ := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": text, "status": status}})
	return string(body)
}

func TestParseErrorForThePool(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		after  string
		body   string
		want   apierror.Said
	}{
		{"A", 429, "", variantA, apierror.Said{HTTP: 429, Status: "RESOURCE_EXHAUSTED", Text: "You have exhausted your capacity on this model. Your quota will reset after 0s.", Reason: "RATE_LIMIT_EXCEEDED", Domain: "cloudcode-pa.googleapis.com",
			Meta:  map[string]string{"model": "gemini-2.5-pro", "uiMessage": "true", "quotaResetDelay": "539.477544ms", "quotaResetTimeStamp": "2025-11-30T01:38:24Z"},
			Delay: time.Second, Timing: true}},
		{"B, array, stray spaces and commas", 429, "", variantB, apierror.Said{HTTP: 429, Status: "RESOURCE_EXHAUSTED", Text: "You have exhausted your capacity on this model. Your quota will reset after 13h19m1s.", Reason: "QUOTA_EXHAUSTED", Domain: "cloudcode-pa.googleapis.com",
			Meta:  map[string]string{"model": "gemini-2.5-pro", "uiMessage": "true", "quotaResetDelay": "13h19m1.20964964s", "quotaResetTimeStamp": "2025-11-30T14:57:24Z"},
			Delay: 47941209649640 * time.Nanosecond, Timing: true}},
		{"E, legacy reason", 429, "", `{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","errors":[{"reason":"rateLimitExceeded"}],"status":"RESOURCE_EXHAUSTED"}}`,
			apierror.Said{HTTP: 429, Status: "RESOURCE_EXHAUSTED", Text: "Resource has been exhausted (e.g. check quota).", Reason: "rateLimitExceeded"}},
		{"Retry-After", 503, "7", message(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
			apierror.Said{HTTP: 503, Status: "UNAVAILABLE", Text: "The model is overloaded. Please try again later.", Delay: 7 * time.Second, Timing: true}},
		{"links", 403, "", verify, apierror.Said{HTTP: 403, Status: "PERMISSION_DENIED", Text: "Verify your account to continue.", Reason: "VALIDATION_REQUIRED", Domain: "cloudcode-pa.googleapis.com",
			Meta: map[string]string{"validation_url": "https://accounts.google.com/signin/continue?a"}, Links: []string{"https://accounts.google.com/signin/continue?a", "https://support.google.com/accounts?p=b"}}},
		{"in a stream", 200, "", `{"error":{"code":"503","message":"x","status":"UNAVAILABLE"}}`, apierror.Said{HTTP: 503, Status: "UNAVAILABLE", Text: "x"}},
		{"in a stream, no code", 200, "", `{"error":{"message":"x","status":"RESOURCE_EXHAUSTED"}}`, apierror.Said{HTTP: 429, Status: "RESOURCE_EXHAUSTED", Text: "x"}},
		{"in a stream, nothing known", 200, "", `{"error":{"message":"x"}}`, apierror.Said{HTTP: 500, Text: "x"}},
		{"the status of the reply is believed", 502, "", message(429, "", "x"), apierror.Said{HTTP: 502, Text: "x"}},
		{"a word", 400, "", `{"error":"invalid_grant","error_description":"Token has been revoked."}`, apierror.Said{HTTP: 400, Text: "Token has been revoked.", Reason: "invalid_grant"}},
		{"a text", 500, "", `{"error":"it broke"}`, apierror.Said{HTTP: 500, Text: "it broke"}},
		{"html", 502, "", "<html><title>502</title></html>", apierror.Said{HTTP: 502, HTML: true}},
		{"empty", 502, "", " \n", apierror.Said{HTTP: 502}},
		{"cut", 429, "", `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"reason":"X"},{"rea`, apierror.Said{HTTP: 429}},
		{"passed on by a proxy", 500, "", message(500, "INTERNAL", message(500, "", `[`+message(429, "RESOURCE_EXHAUSTED", "inner, resets in 9h22m20s.")+`]`)),
			apierror.Said{HTTP: 500, Status: "RESOURCE_EXHAUSTED", Text: "inner, resets in 9h22m20s.", Delay: 9*time.Hour + 22*time.Minute + 20*time.Second, Timing: true}},
		{"only looks like one", 500, "", message(500, "INTERNAL", "{not json"), apierror.Said{HTTP: 500, Status: "INTERNAL", Text: "{not json"}},
	} {
		e := ParseError(tt.status, tt.after, []byte(tt.body), now)
		if !e.Upstream || !reflect.DeepEqual(*e.Said, tt.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.name, *e.Said, tt.want)
		}
	}
	if q := ParseError(429, "", []byte(variantH), now).Said; len(q.Quotas) != 1 || q.Delay != 56*time.Second {
		t.Errorf("H: %+v", q)
	}
}

func TestParseErrorForTheClient(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		code   apierror.Code
		want   int
		after  time.Duration
	}{
		{400, message(400, "INVALID_ARGUMENT", "Request contains an invalid argument."), apierror.BadRequest, 400, 0},
		{400, `{"error":{"message":"API key not valid. Please pass a valid API key.","details":[{"reason":"API_KEY_INVALID"}]}}`, apierror.NoCredential, 503, 0},
		{401, message(401, "UNAUTHENTICATED", "x"), apierror.NoCredential, 503, 0},
		{403, verify, apierror.NoCredential, 503, 0},
		{403, "<html>unusual traffic</html>", apierror.UpstreamUnavailable, 502, 0},
		{404, message(404, "NOT_FOUND", "Requested entity was not found."), apierror.ModelNotFound, 404, 0},
		{404, "<html>404</html>", apierror.UpstreamUnavailable, 502, 0},
		{429, variantA, apierror.RateLimited, 429, time.Second},
		{429, variantB, apierror.QuotaExhausted, 429, 47941209649640 * time.Nanosecond},
		{429, variantH, apierror.RateLimited, 429, 56 * time.Second},
		{429, strings.Replace(variantH, "PerMinute", "PerDay", 1), apierror.QuotaExhausted, 429, 56 * time.Second},
		{429, strings.Replace(variantH, "limit: 10", "limit: 0", 1), apierror.QuotaExhausted, 429, 56 * time.Second},
		{429, strings.Replace(variantH, "limit: 10", "limit: 0.5", 1), apierror.RateLimited, 429, 56 * time.Second},
		{429, "", apierror.RateLimited, 429, 0},
		{429, message(429, "", "Quota exceeded ... per day per user per tier"), apierror.QuotaExhausted, 429, 0},
		{429, message(429, "", "Requests Per Day used up"), apierror.QuotaExhausted, 429, 0},
		{400, `{"error":{"message":"x","details":[{"reason":"API_KEY_EXPIRED"}]}}`, apierror.NoCredential, 503, 0},
		{499, message(499, "CANCELLED", "x"), apierror.UpstreamUnavailable, 502, 0},
		{500, message(500, "INTERNAL", "x"), apierror.UpstreamUnavailable, 502, 0},
		{501, message(501, "UNIMPLEMENTED", "x"), apierror.Unsupported, 501, 0},
		{502, "<html>", apierror.UpstreamUnavailable, 502, 0},
		{503, message(503, "UNAVAILABLE", "retry in 9s"), apierror.UpstreamUnavailable, 503, 9 * time.Second},
		{504, message(504, "DEADLINE_EXCEEDED", "x"), apierror.UpstreamTimeout, 504, 0},
		{413, "", apierror.TooLarge, 413, 0},
	} {
		e := ParseError(tt.status, "", []byte(tt.body), now)
		if e.Code != tt.code || e.Status != tt.want || e.RetryAfter != tt.after || e.Message == "" {
			t.Errorf("%d %.60s: %s, %d, %v, %q", tt.status, tt.body, e.Code, e.Status, e.RetryAfter, e.Message)
		}
	}
	e := ParseError(400, "", []byte(`{"error":{"message":"Unknown name \"x\"","details":[{"@type":"t/google.rpc.BadRequest","fieldViolations":[{"field":"request.tools[0]","description":"d"}]}]}}`), now)
	ours := ParseError(400, "", []byte(`{"error":{"message":"API key not valid. Please pass a valid API key."}}`), now)
	if ours.Message != "Google refused a credential of this gateway: API key not valid. Please pass a valid API key." {
		t.Errorf("it reads as if the client's key were wrong: %q", ours.Message)
	}
	far := ParseError(400, "", []byte(message(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")), now)
	if far.Code != apierror.BadRequest || !strings.HasPrefix(far.Message, "User location is not supported for the API use.") || !strings.Contains(far.Message, "address of this gateway") {
		t.Errorf("it reads as if the client were in the wrong country: %q", far.Message)
	}
	if e.Param != "tools[0]" || e.Message != `Unknown name "x"` {
		t.Errorf("%q, %q", e.Param, e.Message)
	}
}

func TestDelay(t *testing.T) {
	for _, tt := range []struct {
		name string
		t    timing
		want time.Duration
		said bool
	}{
		{"nothing", timing{text: "Resource has been exhausted"}, 0, false},
		{"the later of stamp and RetryInfo", timing{stamp: "2025-11-30T03:38:23Z", retry: "10s"}, 2 * time.Hour, true},
		{"RetryInfo is later", timing{stamp: "2025-11-30T02:38:23Z", retry: "7200s"}, 2 * time.Hour, true},
		{"within the skew the duration", timing{stamp: "2025-11-30T01:42:23Z", retry: "3s"}, 3 * time.Second, true},
		{"stamp alone", timing{stamp: "2025-11-30T01:38:33.5Z"}, 10500 * time.Millisecond, true},
		{"stamp in the past", timing{stamp: "2025-11-29T01:38:33Z"}, time.Second, true},
		{"stamp in the past, and a text", timing{stamp: "2025-11-30T01:38:03Z", text: "Your quota will reset after 12s."}, 12 * time.Second, true},
		{"stamp before the text", timing{stamp: "2025-11-30T03:38:23Z", text: "Your quota will reset after 12s."}, 2 * time.Hour, true},
		{"RetryInfo before metadata", timing{retry: "68940s", reset: "1s"}, 68940 * time.Second, true},
		{"metadata", timing{reset: "13h19m1.5s", text: "resets in 5s"}, 13*time.Hour + 19*time.Minute + 1500*time.Millisecond, true},
		{"text", timing{text: "Please retry in 56.185908122s.", retryAfter: "5"}, 56185908122 * time.Nanosecond, true},
		{"text, first that is a time", timing{text: "quota resets after 7. It resets after 12s."}, 12 * time.Second, true},
		{"text, days", timing{text: "Resets in 2d3h."}, 51 * time.Hour, true},
		{"nonsense is passed over", timing{retry: "soon", reset: "-5s", stamp: "tomorrow", retryAfter: "3"}, 3 * time.Second, true},
		{"header date", timing{retryAfter: "Sun, 30 Nov 2025 01:39:23 GMT"}, time.Minute, true},
		{"header nonsense", timing{retryAfter: "-3"}, 0, false},
		{"at most eight days", timing{retry: "9999999s"}, 8 * 24 * time.Hour, true},
		{"at least a second", timing{retry: "0.2s"}, time.Second, true},
	} {
		if d, said := tt.t.delay(now); d != tt.want || said != tt.said {
			t.Errorf("%s: %v, %v", tt.name, d, said)
		}
	}
}

func TestScrub(t *testing.T) {
	for in, want := range map[string]string{
		"The caller does not have permission": "The caller does not have permission",
		"Gemini for Google Cloud API has not been used in project my-project-123 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/x?project=my-project-123 then retry.": "Gemini for Google Cloud API has not been used in project [id] before or it is disabled. Enable it by visiting [link] then retry.",
		"Permission denied on resource project acme.":                                   "Permission denied on resource project [id].",
		"Permission denied on resource project acme.com:web-1.":                         "Permission denied on resource project [id].",
		"Consumer 'projects/681255809395' has been suspended":                           "Consumer 'projects/[id]' has been suspended",
		"consumer project_number:681255809395, project number 42424":                    "consumer project_number:[id], project number [id]",
		"The project is disabled, ask the project owner":                                "The project is disabled, ask the project owner",
		`project "acme-1" and project 'acme-2' and project acme-3`:                      `project "[id]" and project '[id]' and project [id]`,
		"user jane.doe+x@example.co.uk may not":                                         "user [account] may not",
		"token ya29.a0AfB_byC-x.y key AIzaSyA1234567890_-abc refresh 1//0gAbc-_d":       "token [token] key [token] refresh [token]",
		"header Bearer abcdefgh12345":                                                   "header [token]",
		"jwt eyJhbGciOi.eyJzdWIi.sig-x secret GOCSPX-abc_d":                             "jwt [token] secret [token]",
		"visit console.cloud.google.com/billing?project=acme":                           "visit [link]",
		"Quota exceeded for metric: generativelanguage.googleapis.com/generate_content": "Quota exceeded for metric: generativelanguage.googleapis.com/generate_content",
		"  bad \xff byte ": "bad \ufffd byte",
	} {
		if got := Scrub(in); got != want {
			t.Errorf("Scrub(%q)\n got %q\nwant %q", in, got, want)
		}
	}
	if got := Scrub(strings.Repeat("\u4f60", 100000)); utf8.RuneCountInString(got) != maxMessage {
		t.Errorf("%d runes", utf8.RuneCountInString(got))
	}
}

func TestMask(t *testing.T) {
	const in = "Consumer 'api_key:AIzaSyA1234567890_-abc' of jane@example.com in project acme-1: ya29.a0AfB_byC 1//0gAbc https://console.cloud.google.com/x"
	const want = "Consumer 'api_key:[token]' of jane@example.com in project acme-1: [token] [token] https://console.cloud.google.com/x"
	if got := Mask(in); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAppendError(t *testing.T) {
	e := apierror.New(apierror.QuotaExhausted, "none \"left\"").After(1500 * time.Millisecond).Naming("model")
	e.Said = &apierror.Said{Text: "secret of jane@example.com"}
	want := `{"error":{"code":429,"message":"none \"left\"","status":"RESOURCE_EXHAUSTED","details":[` +
		`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"quota_exhausted","domain":"gcli2api"},` +
		`{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"model","description":"none \"left\""}]},` +
		`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}}`
	if got := string(AppendError(nil, e)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	back := ParseError(429, "", AppendError(nil, e), now)
	if back.Said.Delay != e.RetryAfter || back.Said.Text != e.Message {
		t.Errorf("our own envelope read back: %+v", back.Said)
	}
}

// FuzzParseError: no body may harm, and what a client gets is always fit to be sent.
func FuzzParseError(f *testing.F) {
	for i, body := range []string{variantA, variantB, variantH, verify, "", "<html>", `{"error":"x"}`, `[[]]`, `[{"error":[{"error":1}]}]`,
		message(500, "X", message(429, "Y", message(1, "", "resets in 5d"))), message(403, "", "jane@example.com in project acme-1 at https://x.example/?a=b ya29.abc")} {
		f.Add(200+i*31, strconv.Itoa(i), []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		e := ParseError(status, after, body, now)
		switch s := e.Said; {
		case s == nil || !e.Upstream:
			t.Fatal("nothing said")
		case e.Status < 400 || e.Status > 599:
			t.Fatalf("status %d", e.Status)
		case e.Message == "" || !utf8.ValidString(e.Message) || utf8.RuneCountInString(e.Message) > maxMessage:
			t.Fatalf("message %q", e.Message)
		case s.Delay != 0 && (s.Delay < shortest || s.Delay > longest) || s.Timing != (s.Delay != 0):
			t.Fatalf("delay %v, said %v", s.Delay, s.Timing)
		case strings.Contains(e.Message, "https://") || mails.MatchString(e.Message):
			t.Fatalf("leaks %q", e.Message)
		}
		if out := AppendError(nil, e); !json.Valid(out) {
			t.Fatalf("%s", out)
		}
	})
}
