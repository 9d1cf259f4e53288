package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/apikey"
)

// paid is a request that has its answer, and what it costs.
type paid struct {
	name   string
	path   string
	body   string // none is a GET
	units  int64
	says   string // in the answer
	broken bool   // the answer ends with an error, which is the client's to see
	calls  int    // at Google; 0 for one
	config string
	script simulator.Fault
	opens  bool // the client leaves when it has seen the first byte
}

func payments() []paid {
	const pro, uncut, fox = "gemini-2.5-pro", "流式抗截断/" + flash, `"gemini-2.5-flash-image"`
	chat := func(model, prompt, more string) string {
		return `{"model":"` + model + `","messages":[{"role":"user","content":` + quoted(prompt) + `}]` + more + `}`
	}
	native := func(more string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"hello"}]}]` + more + `}`
	}
	const stream, chats, models = `,"stream":true`, "/v1/chat/completions", "/v1beta/models/"
	rows := []paid{
		{name: "Flash", path: chats, body: chat(flash, "hello", ""), units: 2},
		{name: "Pro", path: chats, body: chat(pro, "hello", ""), units: 10},
		{name: "Pro of the third generation", path: chats, body: chat("gemini-3-pro-preview", "hello", ""), units: 15},
		{name: "Pro by family", path: chats, body: chat("gemini-3.1-pro-preview", "hello", ""), units: 10},
		{name: "by default", path: chats, body: chat("gemma-4-31b-it", "hello", ""), units: 1},
		{name: "thinking costs nothing", path: chats, body: chat(pro+"-maxthinking", "hello", ""), units: 10},
		{name: "search costs nothing", path: chats, body: chat(flash+"-search", "hello", ""), units: 2},
		{name: "an alias", path: chats, body: chat("cheap", "hello", ""), units: 2, config: "[models.alias]\n\"cheap\" = \"" + flash + "\"\n"},
		{name: "a fake stream", path: chats, body: chat("假流式/"+flash, "hello", stream), units: 2},
		{name: "a stream that breaks", path: chats, body: chat(flash, "!fault cut", stream), units: 2, broken: true},
		{name: "a stream that falls silent", path: chats, body: chat(flash, "!fault silence 60s", stream), units: 2, broken: true, config: "[outbound]\nidle_timeout = \"3s\"\n"},
		{name: "an error inside a stream", path: chats, body: chat(flash, "!fault error-event", stream), units: 2, broken: true},
		{name: "the client leaves in the middle", path: chats, body: chat(flash, "!fault silence 60s", stream), units: 2, opens: true},
		{name: "an answer that was cut short", path: chats, body: chat(flash, "!fault max-tokens", ""), units: 2},
		{name: "anti-truncation without a stream", path: chats, body: chat(uncut, "hello", ""), units: 2},
		{name: "anti-truncation", path: chats, body: chat(uncut, "hello", stream), units: 4},
		{name: "anti-truncation goes on", path: chats, body: chat(uncut, "!fault times 2 cut", stream), units: 4, calls: 3},
		{name: "anti-truncation, messages", path: "/v1/messages", body: `{"model":"` + uncut + `","max_tokens":900,"stream":true,"messages":[{"role":"user","content":"!fault cut"}]}`, units: 4, calls: 2},
		{name: "anti-truncation, Gemini", path: models + uncut + ":streamGenerateContent?alt=sse", body: native(""), units: 4},
		{name: "tried again", path: chats, body: chat(flash, "!fault once 503", ""), units: 2, calls: 2},
		{name: "the fallback is cheaper", path: chats, body: chat(pro, "hello", ""), units: 2, calls: 2, config: proFallsBack + "[stage.retry]\nmax_calls = 1\n", script: simulator.Fault{Do: "503-capacity", Model: pro, Count: -1}},
		{name: "the fallback is dearer", path: chats, body: chat(flash, "hello", ""), units: 10, calls: 2,
			config: "[models.fallback]\n\"" + flash + "\" = \"" + pro + "\"\n[stage.retry]\nmax_calls = 1\n", script: simulator.Fault{Do: "503-capacity", Model: flash, Count: -1}},
		{name: "one vector", path: "/v1/embeddings", body: `{"model":"gemini-embedding-001","input":"one"}`, units: 1},
		{name: "three vectors", path: "/v1/embeddings", body: `{"model":"gemini-embedding-001","input":["one","two","three"]}`, units: 3},
		{name: "one vector of Gemini", path: models + "gemini-embedding-001:embedContent", body: `{"content":{"parts":[{"text":"one"}]}}`, units: 1},
		{name: "two vectors of Gemini", path: models + "gemini-embedding-001:batchEmbedContents", body: geminiEmbeds, units: 2},
		{name: "a picture", path: "/v1/images/generations", body: `{"model":` + fox + `,"prompt":"a fox"}`, units: 2},
		{name: "a picture in a chat", path: chats, body: chat("gemini-2.5-flash-image", "a fox", `,"modalities":["text","image"]`), units: 2},
		{name: "one answer of many", path: models + flash + ":generateContent", body: native(`,"generationConfig":{"candidateCount":1}`), units: 2},
		{name: "counting", path: models + flash + ":countTokens", body: native("")},
		{name: "counting, messages", path: "/v1/messages/count_tokens", body: `{"model":"` + flash + `","messages":[{"role":"user","content":"hello"}]}`},
		{name: "the list of models", path: "/v1/models"},
		{name: "one model", path: "/v1/models/" + flash},
		{name: "the list of Gemini", path: "/v1beta/models"},
	}
	for _, l := range payers() {
		fill := func(path, stream string) (string, string) {
			with := strings.NewReplacer("MODEL", flash, "STREAM", stream, "PROMPT", "hello")
			return with.Replace(path), with.Replace(l.body)
		}
		path, body := fill(l.path, "false")
		rows = append(rows, paid{name: l.name, path: path, body: body, units: 2})
		if l.stream == "" {
			l.stream = l.path
		}
		path, body = fill(l.stream, "true")
		rows = append(rows, paid{name: l.name + " stream", path: path, body: body, units: 2})
	}
	return rows
}

// Whoever has an answer, or a part of one, has paid its price, once.
func TestChargeIsKept(t *testing.T) {
	for _, row := range payments() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			sim := google(t, 0, 2)
			from, keys := withKeys(t, launch{sim: sim, keys: 2, light: true, config: row.config}, apikey.Terms{Quota: 1000})
			if row.script.Do != "" {
				sim.Script(row.script)
			}
			g := start(t, from)
			row.ask(t, g, keys[0])
			want := max(row.calls, 1)
			if n := len(sim.CallsOf("generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents", "countTokens")); n != want && row.body != "" {
				t.Errorf("%d calls at Google, want %d", n, want)
			}
			if units := g.stopped(keys...); units[0] != row.units {
				t.Errorf("%d units, want %d", units[0], row.units)
			}
		})
	}
}

func (row paid) ask(t *testing.T, g *gateway, key keyHolder) {
	t.Helper()
	method := "POST"
	if row.body == "" {
		method = "GET"
	}
	req := g.request(method, row.path, row.body, key.as())
	if row.opens {
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := resp.Body.Read(make([]byte, 1)); n != 1 {
			t.Errorf("nothing came: %v", err)
		}
		resp.Body.Close()
		return
	}
	r := g.whole(req)
	if r.status != 200 || r.broken != nil {
		t.Fatalf("%d (%v): %s", r.status, r.broken, tail(string(r.body)))
	}
	if is := strings.Contains(string(r.body), `"error":`); is != row.broken && !strings.Contains(string(r.body), `"error":null`) {
		t.Errorf("an error is there: %v, in %s", is, tail(string(r.body)))
	}
}

// A response that is kept can be read again for nothing; going on from it is another answer.
func TestKeptResponsesAreFree(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	from, keys := withKeys(t, launch{sim: sim, accounts: 1}, apikey.Terms{Quota: 1000})
	g := start(t, from)
	r := g.post("/v1/responses", `{"model":"`+flash+`","input":"hello"}`, keys[0].as())
	var first struct{ ID string }
	if err := json.Unmarshal(r.body, &first); err != nil || first.ID == "" {
		t.Fatalf("%v: %s", err, r.body)
	}
	for _, path := range []string{"", "/input_items"} {
		if r := g.get("/v1/responses/"+first.ID+path, keys[0].as()); r.status != 200 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if r := g.post("/v1/responses", `{"model":"`+flash+`","input":"go on","previous_response_id":"`+first.ID+`"}`, keys[0].as()); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.do("DELETE", "/v1/responses/"+first.ID, "", keys[0].as()); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if units := g.stopped(keys...); units[0] != 4 {
		t.Errorf("%d units, want 4", units[0])
	}
}

// refusal is a 429 as the clients of a language read it.
type refusal struct {
	Type  string
	Error struct {
		Message, Type, Status string
		Code                  any
	}
}

// A call that costs more than what is left is refused before anybody is asked, in words that help.
func TestInsufficientQuota(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 2)
	from, keys := withKeys(t, launch{sim: sim, accounts: 2, keys: 2}, apikey.Terms{Quota: 9}, apikey.Terms{Quota: 1}, apikey.Terms{Quota: 2})
	g := start(t, from)
	const pro = "gemini-2.5-pro"
	for _, l := range payers() {
		for _, stream := range []bool{false, true} {
			r := g.whole(l.order(g, pro, "hello", stream, keys[0].as()))
			insufficient(t, l.name, r, "10", "9")
			r = g.whole(l.order(g, flash, "hello", stream, keys[1].as()))
			insufficient(t, l.name, r, "2", "1")
		}
	}
	for _, other := range [][2]string{
		{"/v1/images/generations", `{"model":"gemini-2.5-flash-image","prompt":"x"}`},
		{"/v1/embeddings", `{"model":"gemini-embedding-001","input":["one","two"]}`},
	} {
		insufficient(t, other[0], g.post(other[0], other[1], keys[1].as()), "2", "1")
	}
	if n := len(sim.CallsOf("generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents")); n != 0 {
		t.Errorf("%d calls reached Google", n)
	}
	path, body := (ask{}).http(flash, "hello") // the last units can be spent
	if r := g.post(path, body, keys[2].as()); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	insufficient(t, "chat", g.post(path, body, keys[2].as()), "2", "0")
	if units := g.stopped(keys...); units[0] != 0 || units[1] != 0 || units[2] != 2 {
		t.Errorf("used %v", units)
	}
}

// insufficient holds a refusal to its language.
func insufficient(t *testing.T, language string, r reply, costs, left string) {
	t.Helper()
	var e refusal
	if err := json.Unmarshal(r.body, &e); err != nil || r.status != http.StatusTooManyRequests {
		t.Errorf("%s: %d (%v) %s", language, r.status, err, tail(string(r.body)))
		return
	}
	if r.header.Get("X-Should-Retry") != "false" || r.header.Get("Retry-After") != "" {
		t.Errorf("%s: X-Should-Retry %q, Retry-After %q", language, r.header.Get("X-Should-Retry"), r.header.Get("Retry-After"))
	}
	words := strings.FieldsFunc(e.Error.Message, func(c rune) bool { return c < '0' || c > '9' })
	if said := fmt.Sprint(words); !strings.Contains(said, costs) || !strings.Contains(said, left) {
		t.Errorf("%s: the numbers %s and %s are not in %q", language, costs, left, e.Error.Message)
	}
	got, want := fmt.Sprint(e.Error.Type, " ", e.Error.Code), "insufficient_quota insufficient_quota"
	switch language {
	case "gemini":
		got, want = fmt.Sprint(e.Error.Status, " ", e.Error.Code), "RESOURCE_EXHAUSTED 429"
	case "messages":
		got, want = e.Type+" "+e.Error.Type, "error rate_limit_error"
	}
	if got != want {
		t.Errorf("%s: %q, want %q: %s", language, got, want, r.body)
	}
}

// What no answer needs is not kept waiting for the store: an answer that was given shows on the key at once.
func TestChargeSurvivesTheStop(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	from, keys := withKeys(t, launch{sim: sim, accounts: 1, dirty: true}, apikey.Terms{Quota: 1000})
	g := start(t, from)
	path, body := (ask{}).http(flash, "hello")
	for range 5 {
		if r := g.post(path, body, keys[0].as()); r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if err := g.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	g.exits()
	if units := used(t, g.dir, keys...); units[0] != 10 {
		t.Errorf("%d units, want 10", units[0])
	}
	from.dir = g.dir
	begun := time.Now()
	g = start(t, from)
	if r := g.post(path, body, keys[0].as()); r.status != 200 {
		t.Errorf("after %v: %d %s", time.Since(begun), r.status, r.body)
	}
	if units := g.stopped(keys...); units[0] != 12 {
		t.Errorf("%d units, want 12", units[0])
	}
}
