package server_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// ruling is what becomes of a request when every call of it meets the same fault and the pool has
// three credentials.
type ruling struct {
	status int
	code   string // of the error; in a stream with status 200 that of the error event; "" for none
	calls  string // "aab": twice with one credential, then with another; "?" is one already tried
	after  string // Retry-After, "60" or "58-60"; "" when nobody knows
	finish string // OpenAI's finish reason of an answer
	native string // Gemini's
}

// faulty is a row of protocol 4.8, as one of the simulator's faults shows it.
type faulty struct {
	fault  string
	want   ruling  // with accounts (Code Assist), of a plain request
	stream *ruling // of a streaming one, where that differs
	studio *ruling // with API keys (AI Studio), where that differs
	both   *ruling // a stream with API keys, where that differs from stream
	openai *ruling // for a client of OpenAI, where that differs
	fake   *ruling // of a fake stream, where that differs from a plain request
	quiet  bool    // thoughts are not shown
}

func refusals() []faulty {
	client := ruling{status: 400, code: "bad_request", calls: "a"}
	refused := ruling{status: 503, code: "no_credential", calls: "abc"}
	soon := ruling{status: 429, code: "rate_limited", calls: "abc???", after: "1"}
	used := func(after string) ruling {
		return ruling{status: 429, code: "quota_exhausted", calls: "abc", after: after}
	}
	daily := used("2-90000") // midnight in California, whatever Google's RetryInfo says
	full := ruling{status: 503, code: "upstream_unavailable", calls: "aaabb"}
	bad := ruling{status: 502, code: "upstream_unavailable", calls: "aabbcc"}
	rows := []faulty{
		{fault: "400", want: client}, {fault: "400-location", want: client}, {fault: "400-tokens", want: ruling{status: 400, code: "context_length_exceeded", calls: "a"}},
		{fault: "400-signature", want: ruling{status: 400, code: "bad_request", calls: "aa"}}, // once more, with the sentinel
		{fault: "400-key", want: refused}, {fault: "400-key-expired", want: refused},
		{fault: "402", want: ruling{status: 502, code: "upstream_unavailable", calls: "a"}},
		{fault: "403-traffic", want: ruling{status: 502, code: "upstream_unavailable", calls: "ab"}},
		{fault: "404-html", want: ruling{status: 502, code: "upstream_unavailable", calls: "ab"}},
		{fault: "408", want: ruling{status: 504, code: "upstream_timeout", calls: "aaabb"}},
		{fault: "429-traffic", want: ruling{status: 429, code: "rate_limited", calls: "ab"}},
		{fault: "429-perminute-text", want: ruling{status: 429, code: "rate_limited", calls: "abc", after: "55-60"}},
		{fault: "429-perday-text", want: daily}, {fault: "503-unavailable", want: full},
		{fault: "401", want: ruling{status: 503, code: "no_credential", calls: "aabbcc"}, studio: &refused}, // a key cannot be refreshed
		{fault: "404", want: ruling{status: 404, code: "model_not_found", calls: "ab"}},
		{fault: "429", want: soon}, {fault: "429-noretry", want: soon},
		{fault: "429-reset 30s", want: ruling{status: 429, code: "rate_limited", calls: "abc", after: "28-30"}},
		{fault: "429-quota", want: used("47900-47942"), studio: &daily}, {fault: "429-quota 13h", want: used("46790-46800"), studio: &daily},
		{fault: "429-capacity", want: ruling{status: 429, code: "rate_limited", calls: "aaabb"}},
		{fault: "429-bare", want: ruling{status: 429, code: "rate_limited", calls: "abc???", after: "50-60"}},
		{fault: "429-perminute", want: ruling{status: 429, code: "rate_limited", calls: "abc", after: "55-60"}, studio: &soon},
		{fault: "429-perday", want: daily},
		{fault: "429-shared", want: ruling{status: 429, code: "rate_limited", calls: "abc?", after: "1-10"}},
		{fault: "429-credits", want: used("3590-3600")},
		{fault: "429-limit0", want: used("86390-86400")},
		{fault: "499", want: bad}, {fault: "500", want: bad}, {fault: "502-html", want: bad},
		{fault: "503", want: full}, {fault: "slow-first 100ms 503", want: full},
		{fault: "503-capacity", want: ruling{status: 503, code: "upstream_unavailable", calls: "aaabb", after: "9"}},
		{fault: "504", want: ruling{status: 504, code: "upstream_timeout", calls: "aaabb"}},
	}
	for _, why := range []string{"", "-validation", "-tos", "-service-disabled", "-service-disabled-text", "-license", "-consumer", "-scope", "-security", "-billing", "-suspended", "-leaked",
		"-forbidden", "-tos-text", "-named-user", "-suspended-text", "-key-blocked"} {
		rows = append(rows, faulty{fault: "403" + why, want: refused})
	}
	return rows
}

// accidents are faults of the transfer and answers that are wrong in themselves.
func accidents() []faulty {
	answer := func(finish, native string) ruling {
		return ruling{status: 200, calls: "a", finish: finish, native: native}
	}
	stop := answer("stop", "STOP")
	inBand := func(code string) *ruling { return &ruling{status: 200, code: code, calls: "a"} }
	bad := ruling{status: 502, code: "upstream_unavailable", calls: "aabbcc"}
	empty := ruling{status: 502, code: "empty_answer", calls: "abc?"} // as often as Google's own client asks
	rows := []faulty{
		{fault: "cut", want: bad, stream: inBand("upstream_unavailable")},
		{fault: "garbage", want: bad, stream: inBand("upstream_unavailable")},
		{fault: "eof", want: answer("stop", ""), stream: inBand("stream_broken"), fake: inBand("stream_broken")}, // a JSON body that is whole is whole
		{fault: "error-event", want: ruling{status: 503, code: "upstream_unavailable", calls: "aaabb"}, stream: inBand("upstream_unavailable")},
		{fault: "error-line", want: ruling{status: 503, code: "upstream_unavailable", calls: "aaabb"}, stream: inBand("upstream_unavailable")},
		{fault: "error-event 429-quota 1h", want: ruling{status: 429, code: "quota_exhausted", calls: "abc", after: "3590-3600"}, stream: inBand("quota_exhausted"),
			studio: &ruling{status: 429, code: "quota_exhausted", calls: "abc", after: "2-90000"}},
		{fault: "error-line 429", want: ruling{status: 429, code: "rate_limited", calls: "abc???", after: "1"}, stream: inBand("rate_limited")},
		{fault: "no-response-member", want: bad, stream: &stop, both: inBand("upstream_unavailable")}, // AI Studio has no such member
		{fault: "thoughts-only", want: empty, stream: inBand("empty_answer")},                         // thoughts that were shown cannot be taken back
		{fault: "max-tokens", want: answer("length", "MAX_TOKENS")}, {fault: "max-tokens-empty", want: answer("length", "MAX_TOKENS")},
		{fault: "blocked", want: answer("", "PROHIBITED_CONTENT"), openai: &ruling{status: 400, code: "content_filter", calls: "a"}}, {fault: "safety", want: answer("content_filter", "SAFETY")},
		{fault: "recitation", want: answer("content_filter", "RECITATION")}, {fault: "finish LANGUAGE", want: answer("content_filter", "LANGUAGE")},
	}
	for _, wordless := range []string{"empty", "malformed-call", "finish OTHER"} {
		rows = append(rows, faulty{fault: wordless, want: empty, stream: inBand("empty_answer")}, faulty{fault: wordless, want: empty, quiet: true})
	}
	for _, harmless := range []string{"split-data", "big 1", "many 30", "slow-first 100ms", "slow-event 100ms", "silence 100ms"} {
		rows = append(rows, faulty{fault: harmless, want: stop})
	}
	return rows
}

// Every fault of the simulator has a row.
func TestEveryFaultIsCovered(t *testing.T) {
	covered := map[string]bool{"once": true, "times": true} // see TestPool
	for _, row := range append(refusals(), accidents()...) {
		name, _, _ := strings.Cut(row.fault, " ")
		covered[name] = true
	}
	for _, words := range simulator.FaultNames() {
		if name, _, _ := strings.Cut(words, " "); !covered[name] {
			t.Errorf("no row for the fault %q", words)
		}
	}
}

// TestFaults plays every fault to a fresh gateway, in both formats, plain and streaming, with both
// kinds of credentials.
func TestFaults(t *testing.T) {
	for _, row := range append(refusals(), accidents()...) {
		for _, a := range asks() {
			for _, kind := range []string{"codeassist", "geminiapi"} {
				t.Run(row.fault+"/"+a.name+"/"+kind, func(t *testing.T) {
					if testing.Short() && (kind == "geminiapi" || a.gemini != a.stream) {
						t.Skip("short: one plain and one streaming way are enough")
					}
					t.Parallel()
					row.play(t, a, kind)
				})
			}
		}
	}
}

// choose finds the ruling for a way to ask and a kind of credential.
func (row faulty) choose(a ask, studio bool) ruling {
	stream := a.stream && !a.fake // which asks Google as a plain request does
	switch {
	case a.fake && row.fake != nil:
		return *row.fake
	case row.openai != nil && !a.gemini:
		return *row.openai
	case stream && studio && row.both != nil:
		return *row.both
	case stream && row.stream != nil:
		return *row.stream
	case studio && row.studio != nil:
		return *row.studio
	}
	return row.want
}

func (row faulty) play(t *testing.T, a ask, kind string) {
	sim := google(t, 3, 3)
	l := launch{sim: sim, accounts: 3, light: true, env: map[string]string{"RETRY_429_INTERVAL": "0.01"}}
	if kind == "geminiapi" {
		l.accounts, l.keys = 0, 3
	}
	if row.quiet {
		l.env["RETURN_THOUGHTS_TO_FRONTEND"] = "false"
	}
	g := start(t, l)
	want := row.choose(a, kind == "geminiapi")
	defer func() {
		if n := len(sim.CallsOf("streamGenerateContent")); a.fake && n > 0 {
			t.Errorf("a fake stream asked Google for %d streams", n)
		}
	}()
	prompt := "!fault " + row.fault
	r := g.put(a, prompt)
	if r.status != want.status || r.broken != nil {
		t.Errorf("status %d (%v), want %d: %s", r.status, r.broken, want.status, tail(string(r.body)))
	}
	if got := pattern(sim); !fits(got, want.calls) {
		t.Errorf("calls %q, want %q", got, want.calls)
	}
	checkAfter(t, r.header.Get("Retry-After"), want.after)
	if r.status != 200 {
		checkEnvelope(t, a, r, want.code)
		return
	}
	got := understand(t, a, r)
	if want.code != "" {
		if got.fail == nil || got.whole {
			t.Fatalf("the answer looks whole: %s", tail(string(r.body)))
		}
		if word, _ := got.fail.reason(a); word != want.code {
			t.Errorf("error %q in the stream, want %q", word, want.code)
		}
		if row.fault != "thoughts-only" && !strings.HasPrefix("echo: "+prompt, got.text) {
			t.Errorf("the text before the error is %q", got.text)
		}
		return
	}
	finish := want.finish
	if a.gemini {
		finish = want.native
	}
	whole := got.whole || row.fault == "eof" && a.gemini
	if !whole || got.finish != finish || got.text != saying(row.fault, finish) {
		t.Errorf("whole %v, finish %q, text %q; want finish %q, text %q", got.whole, got.finish, tail(got.text), finish, tail(saying(row.fault, finish)))
	}
}

// saying is the text of an answer that the simulator gives in spite of a fault.
func saying(fault, finish string) string {
	name, arg, _ := strings.Cut(fault, " ")
	switch {
	case name == "big":
		return strings.Repeat("0123456789abcdef", 1<<16)
	case name == "many":
		n, _ := strconv.Atoi(arg)
		return strings.TrimSuffix(strings.Repeat("word ", n), " ")
	case name == "max-tokens-empty" || slices.Contains([]string{"content_filter", "PROHIBITED_CONTENT", "SAFETY", "RECITATION", "LANGUAGE"}, finish):
		return ""
	}
	return "echo: !fault " + fault
}

// checkEnvelope holds an error answer against the format's envelope.
func checkEnvelope(t *testing.T, a ask, r reply, code string) {
	t.Helper()
	if kind := r.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("Content-Type %q", kind)
	}
	if r.header.Get("X-Request-Id") == "" {
		t.Error("no X-Request-Id")
	}
	e := r.err()
	word, status := e.reason(a)
	if word != code || e.Error.Message == "" {
		t.Errorf("code %q, want %q: %s", word, code, r.body)
	}
	if a.gemini && (status != r.status || e.Error.Status == "") {
		t.Errorf("code %d and status %q in the body of HTTP %d", status, e.Error.Status, r.status)
	}
	if !a.gemini && e.Error.Type == "" {
		t.Errorf("no type: %s", r.body)
	}
	for _, private := range []string{"@example.com", "sim-ann", "key-project", "simulated-project", "http://", "https://", "AIza", "ya29"} {
		if strings.Contains(string(r.body), private) {
			t.Errorf("the client reads %q: %s", private, r.body)
		}
	}
}

func checkAfter(t *testing.T, got, want string) {
	t.Helper()
	low, high, isRange := strings.Cut(want, "-")
	if !isRange {
		if got != want {
			t.Errorf("Retry-After %q, want %q", got, want)
		}
		return
	}
	n, err := strconv.Atoi(got)
	from, _ := strconv.Atoi(low)
	to, _ := strconv.Atoi(high)
	if err != nil || n < from || n > to {
		t.Errorf("Retry-After %q, want %s", got, want)
	}
}

// pattern names the credentials of the generating calls in the order of their first call: a, b, ...
func pattern(sim *simulator.Server) string {
	var seen []string
	out := ""
	for _, c := range sim.CallsOf("generateContent", "streamGenerateContent") {
		i := slices.Index(seen, c.Credential)
		if i < 0 {
			i = len(seen)
			seen = append(seen, c.Credential)
		}
		out += string(rune('a' + i))
	}
	return out
}

// fits compares a pattern; "?" stands for any credential that was tried before.
func fits(got, want string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if want[i] != '?' && got[i] != want[i] || want[i] == '?' && !strings.Contains(got[:i], got[i:i+1]) {
			return false
		}
	}
	return true
}
