package pool

import (
	"context"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
)

const (
	infoA     = `{"error":{"code":429,"message":"You have exhausted your capacity on this model. Your quota will reset after 2s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"cloudcode-pa.googleapis.com","metadata":{"model":"gemini-2.5-pro"}},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"}]}}`
	infoB     = `{"error":{"code":429,"message":"You have exhausted your capacity on this model. Your quota will reset after 13h19m1s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"QUOTA_EXHAUSTED","domain":"cloudcode-pa.googleapis.com","metadata":{"uiMessage":"true","model":"gemini-2.5-pro","quotaResetDelay":"13h19m1s"}},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"47941s"}]}}`
	infoC     = `{"error":{"code":429,"message":"No capacity available for model gemini-3.1-pro-preview on the server","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"MODEL_CAPACITY_EXHAUSTED","domain":"cloudcode-pa.googleapis.com","metadata":{"model":"gemini-3.1-pro-preview"}}]}}`
	infoHMin  = `{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: x, limit: 10, model: gemini-2.5-flash\nPlease retry in 56.1s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"10"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"56s"}]}}`
	infoHDay  = `{"error":{"code":429,"message":"You exceeded your current quota. limit: 250\nPlease retry in 12s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"},{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"12s"}]}}`
	infoDDay  = `{"error":{"code":429,"message":"Quota exceeded for quota metric 'Gemini 2.5 Pro Requests'.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"googleapis.com","metadata":{"quota_limit":"Gemini25ProRequestsPerDayPerUserPerTier"}}]}}`
	infoDAt   = `{"error":{"code":429,"message":"Quota exceeded for quota metric 'Gemini 2.5 Pro Requests'.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"googleapis.com","metadata":{"quota_limit":"Gemini25ProRequestsPerDayPerUserPerTier","quotaResetDelay":"3h"}}]}}`
	infoDMin  = `{"error":{"code":429,"message":"Quota exceeded for quota metric 'Gemini 2.5 Pro Requests' and limit 'Gemini 2.5 Pro Requests per minute per user per tier' of service.","errors":[{"reason":"rateLimitExceeded"}]}}`
	infoDText = `{"error":{"code":429,"message":"Quota exceeded for quota metric 'Gemini 2.5 Pro Requests' and limit '... per day per user per tier' of service.","errors":[{"reason":"rateLimitExceeded"}]}}`
	bare      = `[{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED","errors":[{"reason":"rateLimitExceeded"}]}}]`
	shared    = `{"error":{"code":429,"message":"Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."}}`
	page      = `<!DOCTYPE html><title>Error</title><p>Our systems have detected unusual traffic.`
)

func info(status, message, reason, domain string) string {
	return `[{"error":{"message":"` + message + `","status":"` + status + `","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"` + reason + `","domain":"` + domain + `"}]}}]`
}

func plain(message string) string { return `{"error":{"message":"` + message + `"}}` }

// situation is one row of the decision table at work, for a Google account unless key is set.
type situation struct {
	row    string
	http   int
	body   string
	key    bool
	proxy  string
	model  string
	code   apierror.Code // an error without a body
	alone  pipeline.Again
	wait   time.Duration // of alone
	others pipeline.Again
	pair   time.Duration // cooldown of the model on the credential
	cred   time.Duration // cooldown of the credential
	off    bool
}

func situations() []situation {
	const no, same, other = pipeline.No, pipeline.Same, pipeline.Other
	cc := "cloudcode-pa.googleapis.com"
	return []situation{
		{row: "empty answer", code: apierror.EmptyAnswer, alone: same, others: other},
		{row: "network, own proxy", proxy: "http://127.0.0.1:3128", code: apierror.UpstreamTimeout, alone: same, wait: 500 * time.Millisecond, others: same},
		{row: "network", code: apierror.UpstreamTimeout, alone: same, wait: 500 * time.Millisecond, others: same},
		{row: "stream broken", code: apierror.StreamBroken, alone: same, wait: 500 * time.Millisecond, others: same},
		{row: "page: unusual traffic", http: 429, body: page, others: other},
		{row: "page: unusual traffic", http: 403, body: page, others: other},
		{row: "page instead of a reply", http: 200, body: page, alone: same, wait: 500 * time.Millisecond, others: same},
		{row: "page 4xx", http: 413, body: page, others: other},
		{row: "400 dead key", http: 400, key: true, body: info("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID", "googleapis.com"), others: other, off: true},
		{row: "400 dead key by text", http: 400, key: true, body: plain("API key expired. Please renew the API key."), others: other, off: true},
		{row: "400 location", http: 400, body: `{"error":{"status":"FAILED_PRECONDITION","message":"User location is not supported for the API use."}}`},
		{row: "400", http: 400, body: plain("Request contains an invalid argument.")},
		{row: "400 thought signature", http: 400, body: plain("Function call is missing a thought_signature in functionCall parts.")},
		{row: "401", http: 401, body: info("UNAUTHENTICATED", "Request had invalid authentication credentials.", "ACCESS_TOKEN_EXPIRED", "googleapis.com"), alone: same, others: same},
		{row: "401", http: 401, key: true, body: plain("Request had invalid authentication credentials."), others: other},
		{row: "403 verify", http: 403, body: info("PERMISSION_DENIED", "Verify your account to continue.", "VALIDATION_REQUIRED", cc), others: other, off: true},
		{row: "403 terms", http: 403, body: info("PERMISSION_DENIED", "Disabled.", "TOS_VIOLATION", cc), others: other, off: true},
		{row: "403 terms by text", http: 403, body: plain("This service has been disabled in this account for violation of Terms of Service."), others: other, off: true},
		{row: "403 suspended", http: 403, body: info("PERMISSION_DENIED", "x", "BILLING_DISABLED", "googleapis.com"), others: other, off: true},
		{row: "403 suspended by text", http: 403, body: plain("Consumer 'projects/x' has been suspended."), others: other, off: true},
		{row: "403 service disabled", http: 403, body: info("PERMISSION_DENIED", "Gemini for Google Cloud API has not been used in project x before or it is disabled.", "SERVICE_DISABLED", "googleapis.com"), others: other, cred: 2 * time.Minute},
		{row: "403 service disabled", http: 403, key: true, body: `{"error":{"message":"disabled","errors":[{"reason":"accessNotConfigured"}]}}`, others: other, off: true, cred: 2 * time.Minute},
		{row: "403 service disabled by text", http: 403, body: plain("Gemini for Google Cloud API has not been used in project x before or it is disabled."), others: other, cred: 2 * time.Minute},
		{row: "403 scope", http: 403, body: info("PERMISSION_DENIED", "Request had insufficient authentication scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com"), others: other, off: true},
		{row: "403 policy", http: 403, body: info("PERMISSION_DENIED", "Request is prohibited by organization's policy.", "SECURITY_POLICY_VIOLATED", "googleapis.com"), others: other, off: true},
		{row: "403 key blocked", http: 403, key: true, body: info("PERMISSION_DENIED", "blocked", "API_KEY_SERVICE_BLOCKED", "googleapis.com"), others: other, off: true},
		{row: "403 key leaked", http: 403, key: true, body: plain("Your API key was reported as leaked. Please use another API key."), others: other, off: true},
		{row: "403 licence", http: 403, body: info("PERMISSION_DENIED", "lacks a licence (#3501)", "SUBSCRIPTION_REQUIRED", "cloudaicompanion.googleapis.com"), alone: same, others: same},
		{row: "403 licence by text", http: 403, body: plain("You must be a named user on your organization's Gemini Code Assist Standard edition subscription"), alone: same, others: same},
		{row: "403 project", http: 403, body: info("PERMISSION_DENIED", "Permission denied on resource project X.", "CONSUMER_INVALID", "googleapis.com"), alone: same, others: same},
		{row: "403 project", http: 403, key: true, body: info("PERMISSION_DENIED", "Permission denied on resource project X.", "CONSUMER_INVALID", "googleapis.com"), others: other, off: true},
		{row: "403 permission by text", http: 403, body: plain("The caller does not have permission"), alone: same, others: same},
		{row: "403 permission by text", http: 403, body: plain("Permission denied on resource project x."), alone: same, others: same},
		{row: "403", http: 403, body: plain("Forbidden"), others: other, cred: 30 * time.Minute},
		{row: "anything else", http: 402, body: plain("Payment required"), others: other, off: true},
		{row: "404 preview", http: 404, model: "gemini-3.1-pro-preview", body: plain("Requested entity was not found."), others: other, pair: 12 * time.Hour},
		{row: "404", http: 404, body: plain("Requested entity was not found."), others: other, pair: 12 * time.Hour},
		{row: "429 I limit 0", http: 429, key: true, body: plain("You exceeded your current quota. Quota exceeded for metric: x, limit: 0, model: y"), others: other, pair: 24 * time.Hour},
		{row: "429 C capacity", http: 429, body: infoC, alone: same, wait: time.Second, others: same},
		{row: "429 C capacity", http: 503, body: infoC, alone: same, wait: time.Second, others: same},
		{row: "429 C capacity by text", http: 503, body: plain("The model is overloaded. Please try again later."), alone: same, wait: time.Second, others: same},
		{row: "429 G credits", http: 429, body: info("RESOURCE_EXHAUSTED", "used up", "INSUFFICIENT_G1_CREDITS_BALANCE", cc), others: other, cred: time.Hour},
		// Noon UTC is 4 o'clock in the Californian winter morning: 20 hours to midnight.
		{row: "429 D, H per day", http: 429, key: true, body: infoHDay, others: other, pair: 20 * time.Hour},
		{row: "429 D, H per day", http: 429, body: infoDDay, others: other, pair: 20 * time.Hour},
		{row: "429 D, H per day", http: 429, body: infoDAt, others: other, pair: 3 * time.Hour},
		{row: "429 D per day by text", http: 429, body: infoDText, others: other, pair: 20 * time.Hour},
		{row: "429 D, H per minute", http: 429, key: true, body: infoHMin, others: other, pair: 56 * time.Second},
		{row: "429 D per minute by text", http: 429, body: infoDMin, others: other, pair: time.Minute},
		{row: "429 B quota", http: 429, body: infoB, others: other, pair: 47941 * time.Second},
		{row: "429 A rate", http: 429, body: infoA, alone: same, wait: 2 * time.Second, others: other, pair: 2 * time.Second},
		{row: "429 A rate", http: 429, body: strings.ReplaceAll(infoA, "2s", "40s"), others: other, pair: 40 * time.Second},
		{row: "429 F shared capacity", http: 429, body: shared, alone: same, wait: 2 * time.Second, others: other, pair: 5 * time.Second},
		{row: "429 E bare", http: 429, body: bare, alone: same, others: other, pair: time.Minute},
		{row: "429 E bare", http: 429, body: "", alone: same, others: other, pair: time.Minute},
		{row: "499", http: 499, body: plain("The operation was cancelled."), alone: same, wait: 500 * time.Millisecond, others: same},
		{row: "500, 502", http: 500, body: plain("Internal error encountered."), alone: same, wait: time.Second, others: same},
		{row: "500, 502", http: 502, body: page, alone: same, wait: time.Second, others: same},
		{row: "503, 504", http: 503, body: plain("The service is currently unavailable."), alone: same, wait: time.Second, others: same},
		{row: "503, 504", http: 504, body: plain("Deadline expired before operation could complete."), alone: same, wait: time.Second, others: same},
		{row: "anything else", http: 413, body: plain("too large")},
		{row: "anything else", code: apierror.BadRequest},
		{row: "anything else", code: apierror.Overloaded},
	}
}

func (s situation) failure(now time.Time) *apierror.Error {
	switch {
	case s.code == apierror.UpstreamTimeout:
		f := apierror.New(s.code, "no answer")
		f.Said = &apierror.Said{Network: true}
		return f
	case s.code != "":
		return apierror.New(s.code, "made here")
	case s.http == 200:
		f := apierror.New(apierror.UpstreamUnavailable, "unreadable")
		f.Said = &apierror.Said{HTTP: 200, HTML: true}
		return f
	}
	return gemini.ParseError(s.http, "", []byte(s.body), now)
}

// pool gives one of two credentials of the kind, or of one.
func (s situation) pool(t *testing.T, n int) (*Pool, pipeline.Lease) {
	if s.model == "" {
		s.model = "gemini-2.5-pro"
	}
	if s.key {
		p, _ := keys(t, n)
		return p, take(t, p, Want{Model: s.model})
	}
	c := newClock()
	hour := c.at.Add(time.Hour)
	files := []string{"a.json", ready("a", "ya29.a", hour), "b.json", ready("b", "ya29.b", hour)}
	p := folder(t, Options{Now: c.now}, files[:2*n]...)
	for _, one := range p.Status() {
		p.Configure(one.ID, func(w *Wish) { w.Proxy = s.proxy })
	}
	return p, take(t, p, Want{Model: s.model})
}

func TestDecisionTable(t *testing.T) {
	hit := map[string]bool{}
	for _, s := range situations() {
		hit[s.row] = true
		t.Run(s.row, func(t *testing.T) {
			alone, l := s.pool(t, 1)
			f := s.failure(newClock().at)
			if r := alone.find(f, l.(*lease)); r.name != s.row {
				t.Fatalf("row %q", r.name)
			}
			if got := l.Report(f); got.Again != s.alone || got.Wait != s.wait {
				t.Errorf("alone: %+v, want %d after %s", got, s.alone, s.wait)
			}
			s.check(t, alone)
			l.Release()

			_, l = s.pool(t, 2)
			if got := l.Report(f); got.Again != s.others {
				t.Errorf("with another one: %+v, want %d", got, s.others)
			}
			l.Release()
		})
	}
	for _, r := range table() {
		if !hit[r.name] {
			t.Errorf("no situation for the row %q", r.name)
		}
	}
}

// check looks at what became of the only credential.
func (s situation) check(t *testing.T, p *Pool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	e, now := p.queue[0], newClock().at.UnixNano()
	if e.disabled != s.off || s.off && e.reason == "" {
		t.Errorf("switched off: %t (%s), want %t", e.disabled, e.reason, s.off)
	}
	rest := time.Duration(0)
	if e.cool.until > 0 {
		rest = time.Duration(e.cool.until - now)
	}
	if rest < s.cred || s.cred == 0 && rest != 0 || rest > 3*s.cred {
		t.Errorf("credential rests %s, want %s", rest, s.cred)
	}
	model := s.model
	if model == "" {
		model = "gemini-2.5-pro"
	}
	rest = 0
	if m := e.marks[model]; m != nil && m.until > 0 {
		rest = time.Duration(m.until - now)
	}
	if rest < s.pair || s.pair == 0 && rest != 0 || rest > 2*s.pair {
		t.Errorf("model rests %s, want %s", rest, s.pair)
	}
}

func TestClientThatLeftChangesNothing(t *testing.T) {
	p, _ := keys(t, 2)
	l := take(t, p, Want{Model: "m"})
	if a := l.Report(apierror.New(apierror.ClientGone, "left")); a.Again != pipeline.No {
		t.Errorf("advice %+v", a)
	}
	l.Release()
	s := status(t, p, l.ID())
	if s.Calls != 0 || len(s.LastCodes) != 0 || s.Disabled || len(s.Models) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestSuccessClears(t *testing.T) {
	p, c := keys(t, 1)
	failing := gemini.ParseError(429, "", []byte(bare), c.at)
	for _, want := range []time.Duration{time.Minute, 4 * time.Minute, 16 * time.Minute, 64 * time.Minute, 4 * time.Hour, 4 * time.Hour} {
		l := take(t, p, Want{Model: "m"})
		l.Report(failing)
		l.Release()
		if got := status(t, p, l.ID()).Models[0].Until.Sub(c.at); got != want {
			t.Fatalf("rests %s, want %s", got, want)
		}
		c.forward(want + time.Second)
	}
	l := take(t, p, Want{Model: "m"})
	l.Report(nil)
	l.Release()
	s := status(t, p, l.ID())
	if len(s.LastCodes) != 0 || !s.LastSuccess.Equal(c.at) || s.Calls != 7 {
		t.Errorf("%+v", s)
	}
	l = take(t, p, Want{Model: "m"})
	l.Report(failing)
	l.Release()
	if got := status(t, p, l.ID()).Models[0].Until.Sub(c.at); got != time.Minute {
		t.Errorf("after the success it rests %s", got)
	}
}

func TestOldNewsClearNothing(t *testing.T) {
	p, c := keys(t, 1)
	slow := take(t, p, Want{Model: "m"}) // a long stream
	c.forward(time.Second)
	l := take(t, p, Want{Model: "m"})
	c.forward(time.Second)
	l.Report(rate(time.Hour))
	l.Release()
	slow.Report(nil)
	slow.Release()
	if s := status(t, p, l.ID()); len(s.Models) != 1 {
		t.Errorf("a call from before the limit lifted it: %+v", s)
	}
}

// What Google said of a quota is not undone by a shorter rest that comes behind it, of a model or of all.
func TestShorterRestShortensNothing(t *testing.T) {
	p, c := keys(t, 1, func(o *Options) { o.Settings.AutoBan = false })
	long, short := take(t, p, Want{Model: "m"}), take(t, p, Want{Model: "m"})
	verify := gemini.ParseError(403, "", []byte(info("PERMISSION_DENIED", "Verify.", "VALIDATION_REQUIRED", "cloudcode-pa.googleapis.com")), c.at)
	credits := gemini.ParseError(429, "", []byte(info("RESOURCE_EXHAUSTED", "used up", "INSUFFICIENT_G1_CREDITS_BALANCE", "cloudcode-pa.googleapis.com")), c.at)
	long.Report(rate(13 * time.Hour))
	short.Report(rate(2 * time.Second))
	long.Report(credits) // an hour
	short.Report(verify) // half an hour
	long.Release()
	short.Release()
	s := status(t, p, long.ID())
	if len(s.Models) != 1 || !s.Models[0].Until.Equal(c.at.Add(13*time.Hour)) {
		t.Errorf("the model rests %+v", s.Models)
	}
	if !s.CoolingUntil.Equal(c.at.Add(time.Hour)) {
		t.Errorf("all of it rests until %s", s.CoolingUntil)
	}
}

// Old news do not end the rest of a whole credential either.
func TestOldNewsDoNotEndARest(t *testing.T) {
	p, c := keys(t, 1, func(o *Options) { o.Settings.AutoBan = false })
	slow := take(t, p, Want{Model: "m"})
	c.forward(time.Second)
	l := take(t, p, Want{Model: "m"})
	c.forward(time.Second)
	l.Report(gemini.ParseError(403, "", []byte(info("PERMISSION_DENIED", "x", "BILLING_DISABLED", "googleapis.com")), c.at))
	l.Release()
	slow.Report(nil)
	if s := status(t, p, l.ID()); !s.CoolingUntil.Equal(c.at.Add(30 * time.Minute)) {
		t.Errorf("a call from before the refusal ended the rest: until %s", s.CoolingUntil)
	}
	c.forward(time.Second)
	slow.Report(nil) // its next call, begun after the refusal
	slow.Release()
	if s := status(t, p, l.ID()); !s.CoolingUntil.IsZero() {
		t.Errorf("works again, and rests until %s", s.CoolingUntil)
	}
}

func TestBurstCountsOnce(t *testing.T) {
	p, c := keys(t, 1)
	burst := func(f *apierror.Error) {
		var all []pipeline.Lease
		for range 10 {
			all = append(all, take(t, p, Want{Model: "m"}))
		}
		c.forward(time.Second)
		for _, l := range all {
			l.Report(f)
			l.Release()
		}
	}
	id := oauth.APIKey("key-0").ID
	burst(gemini.ParseError(429, "", []byte(bare), c.at))
	if got := status(t, p, id).Models[0].Until.Sub(c.at); got != time.Minute {
		t.Errorf("ten limits at once: rests %s", got)
	}
	refused := gemini.ParseError(403, "", []byte(plain("Forbidden")), c.at)
	for strike := 1; strike <= 3; strike++ {
		c.forward(time.Hour)
		burst(refused)
		if s := status(t, p, id); s.Disabled != (strike == 3) {
			t.Errorf("after %d bursts: %+v", strike, s)
		}
	}
}

func TestBans(t *testing.T) {
	refused := gemini.ParseError(403, "", []byte(plain("Forbidden")), time.Now())
	terms := gemini.ParseError(403, "", []byte(info("PERMISSION_DENIED", "Disabled.", "TOS_VIOLATION", "cloudcode-pa.googleapis.com")), time.Now())
	verify := gemini.ParseError(403, "", []byte(info("PERMISSION_DENIED", "Verify.", "VALIDATION_REQUIRED", "cloudcode-pa.googleapis.com")), time.Now())
	strange := gemini.ParseError(402, "", []byte(plain("Payment required")), time.Now())
	dead := gemini.ParseError(400, "", []byte(info("INVALID_ARGUMENT", "API key not valid.", "API_KEY_INVALID", "googleapis.com")), time.Now())
	broken := gemini.ParseError(500, "", []byte(plain("Internal error encountered.")), time.Now())
	bad := gemini.ParseError(400, "", []byte(plain("Request contains an invalid argument.")), time.Now())
	for _, row := range []struct {
		name  string
		ban   bool
		codes []int
		f     *apierror.Error
		after int // failures until it is off; 0 is never
	}{
		{"unknown 403", true, []int{403}, refused, 1},
		{"unknown 403, not in the list", true, []int{401}, refused, 3},
		{"unknown 403, no list", true, []int{}, refused, 3},
		{"402 in the list", true, []int{403, 402}, strange, 1},
		{"402 not in the list", true, []int{403}, strange, 0},
		{"402 in the list, no bans", false, []int{402}, strange, 0},
		{"unknown 403, no bans", false, []int{403}, refused, 0},
		{"unknown 403, no list, no bans", false, []int{}, refused, 0},
		{"known 403", true, []int{403}, terms, 1},
		{"known 403, no bans", false, []int{403}, verify, 0},
		{"terms of service, no bans", false, []int{403}, terms, 1},
		{"dead key, no bans", false, nil, dead, 1},
		{"500", true, []int{403}, broken, 0},
		{"500 in the list", true, []int{403, 500}, broken, 0},
		{"429 in the list", true, []int{429}, gemini.ParseError(429, "", []byte(bare), time.Now()), 0},
		{"400 is the client's, whatever the list", true, []int{400}, bad, 0},
	} {
		p, c := keys(t, 1, func(o *Options) { o.Settings.AutoBan, o.Settings.AutoBanCodes = row.ban, row.codes })
		for n := 1; n <= 5; n++ {
			l, fail := p.Acquire(context.Background(), Want{Model: "m"})
			if fail != nil {
				break
			}
			c.forward(time.Second)
			l.Report(row.f)
			l.Release()
			if off := status(t, p, l.ID()).Disabled; off != (row.after > 0 && n >= row.after) {
				t.Errorf("%s: off is %t after %d", row.name, off, n)
			}
			c.forward(time.Hour)
		}
	}
}

// The line about a credential that is lost names the request that lost it.
func TestLossNamesItsRequest(t *testing.T) {
	var log lines
	p, c := keys(t, 2, func(o *Options) { o.Log = log.logger() })
	l := take(t, p, Want{Model: "m", ID: "boot-7"})
	l.Report(gemini.ParseError(400, "", []byte(`{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}`), c.at))
	l.Release()
	if log.count("credential switched off") != 1 || log.count("id=boot-7") != 1 {
		t.Errorf("%s", log.String())
	}
	if !p.Disable(p.Status()[1].ID) || log.count("id=boot-7") != 1 || log.count("credential switched off") != 2 { // by hand: no request did it
		t.Errorf("%s", log.String())
	}
}
