package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/apikey"
)

// What the behaviour reference says of keys, costs and statistics (with 0.3b, which replaces some of it), and
// where it is held; TestRowsOfTheReference and TestLifeOfAKey are of the console:
//
//	1.2 the routes, names with slashes                  TestCostTable, TestCostsAreHot, TestRowsOfTheReference
//	1.7 the four routes of usage                        TestUsageRoutes
//	2.1 a key in every place, refused in every format   TestAKeyInEveryPlaceAndFormat, TestRefusalsInEveryFormat
//	2.4 Hi is free                                      there is no hi_check: Hi is a request like any other
//	6.8 once a success, gemini-2.5-pro by its very name store/pool
//	7.1 the form of a key, what is kept of it           TestKeyWalkthrough, TestAKeyInEveryPlaceAndFormat
//	7.2 costs                                           TestCostTable, store/apikey; doubled also where the model is unknown
//	7.3 reserved, refunded, all or nothing (A5)         TestWhatIsLeft, TestRefunds of stages/quota
//	7.4 the shapes                                      TestRowsOfTheReference, TestLifeOfAKey
//	7.4 a body that does not fit is 422                 otherwise: 400, and detail is text that names the member
//	7.5 calls by model, bounded                         TestRowsOfTheReference, TestServedByKey
//	A12 the cost of a prefixed name is taken away       TestCostsAreHot

// turnedDown is how an API key is turned down, in the words of each format.
type turnedDown struct {
	name      string
	key       string
	free      bool   // what costs nothing is let through
	status    int    //
	openai    string // type and code
	anthropic string // error.type
	gemini    string // status and reason
	says      string
	after     string // Retry-After: "" for none, else the range in seconds
	vain      bool   // asking again is of no use
	limit     string // which of x-ratelimit-* come with it
}

// costs tells which requests have a price.
func (f formatOfClient) costs() bool { return f.body != "" && !strings.Contains(f.name, "count") }

// speaks is the format of what answers.
func (f formatOfClient) speaks() string {
	word, _, _ := strings.Cut(f.name, " ")
	if word == "gemini" || word == "anthropic" {
		return word
	}
	return "openai"
}

// check holds an answer against what the clients of its format look at.
func (c *turnedDown) check(t *testing.T, f formatOfClient, r reply) {
	t.Helper()
	bad := func(what string, got any) {
		t.Helper()
		t.Errorf("%s in %s: %s %v: %d %v %s", c.name, f.name, what, got, r.status, r.header, r.body)
	}
	var whole map[string]json.RawMessage
	var e struct {
		Type  string
		Error struct {
			Message, Type, Status string
			Param, Code           any
			Details               []map[string]any
		}
	}
	if json.Unmarshal(r.body, &whole) != nil || json.Unmarshal(r.body, &e) != nil || !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
		bad("no JSON", r.header.Get("Content-Type"))
		return
	}
	delay := ""
	switch f.speaks() {
	case "openai":
		if got := e.Error.Type + " " + anyText(e.Error.Code); got != c.openai || len(whole) != 1 {
			bad("type and code", got)
		}
	case "anthropic":
		if e.Type != "error" || e.Error.Type != c.anthropic || len(whole) != 2 {
			bad("types", e.Type+" "+e.Error.Type)
		}
	case "gemini":
		reason := ""
		for _, d := range e.Error.Details {
			reason += anyText(d["reason"])
			delay += anyText(d["retryDelay"])
		}
		if got := e.Error.Status + " " + reason; got != c.gemini || e.Error.Code != float64(c.status) || len(whole) != 1 {
			bad("status and reason", got)
		}
		if (delay != "") != (c.after != "") {
			bad("retryDelay", delay)
		}
	}
	if r.status != c.status || !strings.Contains(e.Error.Message, c.says) || strings.Contains(string(r.body), c.key) && c.key != "" {
		bad("message", e.Error.Message)
	}
	h := r.header
	if checkAfter(t, h.Get("Retry-After"), c.after); (h.Get("X-Should-Retry") == "false") != c.vain || h.Get("X-Request-Id") == "" || (h.Get("Www-Authenticate") != "") != (c.status == 401) {
		bad("headers", "")
	}
	for _, of := range []string{"Requests", "Tokens"} {
		if told := h.Get("X-Ratelimit-Remaining-" + of); (told != "") != (c.limit == of) || c.limit == of && c.after != "" && c.status == 429 && of == "Requests" && told != "0" {
			bad("remaining "+of, told)
		}
		if told := h.Get("Anthropic-Ratelimit-" + of + "-Remaining"); (told != "") != (c.limit == of && f.speaks() == "anthropic") {
			bad("Anthropic's remaining "+of, told)
		}
	}
}

func anyText(v any) string {
	s, _ := v.(string)
	return s
}

// Every way to turn a key down, in every format: the status, the words and the headers that clients go by; and
// nothing is asked of Google or charged. (Behaviour 2.1, 2.6, 7.3 and 7.4, with 0.3b in front; a store that is
// away is in stages/refused_test.go.)
func TestRefusalsInEveryFormat(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	denied := func(name, key, says string) turnedDown {
		return turnedDown{name: name, key: key, status: 401, openai: "authentication_error unauthorized", anthropic: "authentication_error", gemini: "UNAUTHENTICATED unauthorized", says: says}
	}
	forbidden := func(name, key, says string) turnedDown {
		return turnedDown{name: name, key: key, status: 403, openai: "permission_error forbidden", anthropic: "permission_error", gemini: "PERMISSION_DENIED forbidden", says: says}
	}
	spent := func(name, key, says, after string) turnedDown {
		return turnedDown{name: name, key: key, free: true, status: 429, openai: "insufficient_quota insufficient_quota", anthropic: "rate_limit_error",
			gemini: "RESOURCE_EXHAUSTED insufficient_quota", says: says, after: after, vain: true}
	}
	fast := func(name, key, says, limit, after string) turnedDown {
		return turnedDown{name: name, key: key, status: 429, openai: "rate_limit_error rate_limited", anthropic: "rate_limit_error", gemini: "RESOURCE_EXHAUSTED rate_limited",
			says: says, limit: limit, after: after, vain: after == ""}
	}
	var cases []turnedDown
	var ids []string
	var busy, often, empty string
	var brief string
	dir := folderWithKeys(t, sim, func(k *apikey.Keys) {
		key := func(terms apikey.Terms) string {
			terms.Quota = max(terms.Quota, 1)
			one, key, err := k.Create(t.Context(), terms)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, one.ID)
			return key
		}
		off := key(apikey.Terms{})
		if _, err := k.Edit(t.Context(), ids[0], func(t *apikey.Terms) error { t.Disabled = true; return nil }); err != nil {
			t.Fatal(err)
		}
		busy, often, empty = key(apikey.Terms{Quota: 1000, Concurrency: 1}), key(apikey.Terms{Quota: 1000, Requests: 1}), key(apikey.Terms{Quota: 2, Renews: apikey.Daily})
		over := key(apikey.Terms{Quota: 1000, Expires: time.Now().Add(time.Hour)})
		brief = ids[len(ids)-1]
		cases = []turnedDown{
			fast("requests a minute", often, "1 requests a minute", "Requests", "1-60"), // while it lasts
			denied("missing", "", "a password or API key is missing"),
			denied("unknown", apikey.NewSecret(), "the password or API key is wrong"),
			denied("disabled", off, "the API key is disabled"),
			denied("expired", over, "has expired on "),
			forbidden("another address", key(apikey.Terms{Quota: 1000, Addresses: []string{"192.0.2.1"}}), "from this address"),
			forbidden("another model", key(apikey.Terms{Quota: 1000, Models: []string{"gemini-2.5-pro"}}), "gemini-"),
			spent("quota", key(apikey.Terms{Quota: 1}), " units and the API key has 1 of 1 left", ""),
			spent("quota that never does", key(apikey.Terms{Quota: 1, Renews: apikey.Daily}), " has 1 of 1 left, until ", ""),
			spent("quota that does tomorrow", empty, " has 0 of 2 left, until ", "1-86400"),
			spent("allowance", key(apikey.Terms{Quota: 1000, Daily: 1}), " has 1 of 1 left for today", ""),
			fast("too large", key(apikey.Terms{Quota: 1000, Tokens: 1}), "too large", "Tokens", ""),
			fast("requests at a time", busy, "1 requests at a time", "", "1"),
		}
	})
	g := start(t, launch{sim: sim, dir: dir, env: map[string]string{"ACCOUNT_CONCURRENCY": "100"}})
	if r := g.post("/auth/models/costs", `{"model_name": "gemini-embedding-001", "cost": 2}`); r.status != 200 { // as dear as the others
		t.Fatalf("%d %s", r.status, r.body)
	}
	expires := g.soonOver(brief)
	wait(t, "the key expires", func() bool { return !time.Now().Before(expires) })
	defer g.hold(busy)()
	for _, key := range []string{empty, often} {
		if r := formatsOfClients()[0].ask(g, header("x-api-key", key)); r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	calls, before := len(sim.Calls()), g.used(ids)
	for _, c := range cases {
		for _, f := range formatsOfClients() {
			switch r := f.ask(g, header("x-api-key", c.key)); {
			case c.status == 429 && (f.body == "" || c.free && !f.costs()):
				if r.status != 200 { // no price, and looking up a model is not even counted
					t.Errorf("%s in %s: %d %s", c.name, f.name, r.status, r.body)
				}
			case c.limit == "Tokens" && !f.costs(): // counting sends none
			default:
				c.check(t, f, r)
			}
		}
	}
	asked := slices.DeleteFunc(sim.Calls()[calls:], func(c simulator.Call) bool { return strings.HasPrefix(c.Verb, "count") })
	if after := g.used(ids); len(asked) != 0 || after != before {
		t.Errorf("%d calls of Google, and %s were charged, %s before", len(asked), after, before)
	}
}

// Example A5 of the reference, as it is since 0.3b: a call that costs more than what is left is refused and takes
// nothing; one that fails gives back.
func TestWhatIsLeft(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	l, keys := keysBefore(t, launch{sim: sim, keys: 1}, apikey.Terms{Quota: 5})
	g := start(t, l)
	for _, step := range []struct {
		model, prompt string
		status        int
		left          int64
		says          string
	}{
		{"gemini-2.5-pro", "hello", 429, 5, "costs 10 units and the API key has 5 of 5 left"},
		{flash, "!fault 400", 400, 5, ""},
		{flash, "hello", 200, 3, ""},
		{"gemini-2.5-pro", "hello", 429, 3, "costs 10 units and the API key has 3 of 5 left"},
		{flash, "hello", 200, 1, ""},
		{flash, "hello", 429, 1, "costs 2 units and the API key has 1 of 5 left"},
	} {
		r := g.post("/v1/chat/completions", `{"model":"`+step.model+`","messages":[{"role":"user","content":"`+step.prompt+`"}]}`, header("Authorization", "Bearer "+keys[0]))
		var v struct {
			Left int64 `json:"remaining_quota"`
		}
		own := g.get("/auth/quota", header("Authorization", "Bearer "+keys[0]))
		if json.Unmarshal(own.body, &v) != nil || own.status != 200 || v.Left != step.left { // also where nothing is left to pay with
			t.Errorf("%s: %d %s", step.model, own.status, own.body)
		}
		if r.status != step.status || !strings.Contains(string(r.body), step.says) || (r.header.Get("X-Should-Retry") == "false") != (step.status == 429) {
			t.Errorf("%s: %d %v %s", step.model, r.status, r.header, r.body)
		}
	}
}

// used is what keys were charged, by the panel.
func (g *gateway) used(ids []string) string {
	g.t.Helper()
	var all []string
	for _, id := range ids {
		var v struct {
			Used int64 `json:"used_quota"`
		}
		if r := g.get("/auth/keys/" + id); r.status != 200 || json.Unmarshal(r.body, &v) != nil {
			g.t.Errorf("%d %s", r.status, r.body)
		}
		all = append(all, strconv.FormatInt(v.Used, 10))
	}
	return strings.Join(all, " ")
}

// hold has a request of a key under way until its end is called.
func (g *gateway) hold(key string) (end func()) {
	g.t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	body := strings.Replace(speakers()[1].body, "PROMPT", "!fault silence 600s", 1)
	resp, err := client.Do(g.request(http.MethodPost, speakers()[1].path, body, header("Authorization", "Bearer "+key)).WithContext(ctx))
	if err != nil || resp.StatusCode != 200 {
		g.t.Fatalf("%v %v", resp, err)
	}
	return func() { leave(); resp.Body.Close() }
}
