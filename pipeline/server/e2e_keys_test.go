package server_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
)

// folderWithKeys is the folder of a gateway whose operator has made keys; one API key of Google serves it.
func folderWithKeys(t *testing.T, sim *simulator.Server, do func(*apikey.Keys)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	(&gateway{t: t, dir: dir}).credentials(launch{sim: sim, keys: 1})
	keysOf(t, dir, do)
	return dir
}

// keysOf works on the keys of a gateway that is not running.
func keysOf(t *testing.T, dir string, do func(*apikey.Keys)) {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(dir, "creds", ".gcli2api.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	book, err := apikey.Open(t.Context(), apikey.Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	do(book.Keys)
	if err := book.Close(); err != nil {
		t.Fatal(err)
	}
}

// keyOf makes a key.
func keyOf(t *testing.T, k *apikey.Keys, terms apikey.Terms) (id, key string) {
	t.Helper()
	terms.Quota = 100_000
	one, key, err := k.Create(t.Context(), terms)
	if err != nil {
		t.Fatal(err)
	}
	return one.ID, key
}

// placesOfKeys is where a client may put a key.
func placesOfKeys() map[string]func(key string) func(*http.Request) {
	places := map[string]func(string) func(*http.Request){
		"Authorization": func(v string) func(*http.Request) { return header("Authorization", "Bearer "+v) },
	}
	for _, name := range []string{"key", "api_key"} {
		places["?"+name+"="] = func(v string) func(*http.Request) {
			return func(r *http.Request) { r.URL.RawQuery += "&" + name + "=" + url.QueryEscape(v) }
		}
	}
	for _, name := range []string{"x-api-key", "x-goog-api-key", "access_token", "anthropic-auth-token", "x-anthropic-auth-token"} {
		places[name] = func(v string) func(*http.Request) { return func(r *http.Request) { r.Header[name] = []string{v} } }
	}
	return places
}

// formatOfClient is one request of each kind that names a model.
type formatOfClient struct{ name, path, body, model string }

func formatsOfClients() []formatOfClient {
	const (
		turn  = `"messages":[{"role":"user","content":"hi"}]`
		asked = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
		image = "gemini-2.5-flash-image"
		vecs  = "gemini-embedding-001"
	)
	return []formatOfClient{
		{"openai", "/v1/chat/completions", `{"model":"gemini-2.5-flash",` + turn + `}`, flash},
		{"openai stream", "/v1/chat/completions", `{"model":"gemini-2.5-flash","stream":true,` + turn + `}`, flash},
		{"gemini", "/v1beta/models/gemini-2.5-flash:generateContent", asked, flash},
		{"gemini stream", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", asked, flash},
		{"gemini count", "/v1beta/models/gemini-2.5-flash:countTokens", asked, flash},
		{"anthropic", "/v1/messages", `{"model":"gemini-2.5-flash","max_tokens":99,` + turn + `}`, flash},
		{"anthropic stream", "/v1/messages", `{"model":"gemini-2.5-flash","max_tokens":99,"stream":true,` + turn + `}`, flash},
		{"anthropic count", "/v1/messages/count_tokens", `{"model":"gemini-2.5-flash",` + turn + `}`, flash},
		{"responses", "/v1/responses", `{"model":"gemini-2.5-flash","input":"hi"}`, flash},
		{"images", "/v1/images/generations", `{"model":"gemini-2.5-flash-image","prompt":"a fox"}`, image},
		{"embeddings", "/v1/embeddings", `{"model":"gemini-embedding-001","input":"a"}`, vecs},
		{"gemini embeddings", "/v1beta/models/gemini-embedding-001:embedContent", `{"content":{"parts":[{"text":"a"}]}}`, vecs},
		{"openai model", "/v1/models/gemini-2.5-flash", "", flash},
		{"gemini model", "/v1beta/models/gemini-2.5-flash", "", flash},
	}
}

// ask sends it without the password.
func (f formatOfClient) ask(g *gateway, change ...func(*http.Request)) reply {
	g.t.Helper()
	method := "POST"
	if f.body == "" {
		method = "GET"
	}
	return g.do(method, f.path, f.body, append([]func(*http.Request){header("Authorization")}, change...)...)
}

// messageOf is what an error says, in whichever format.
func messageOf(t *testing.T, r reply) string {
	t.Helper()
	var e struct {
		Error struct{ Message string }
	}
	if err := json.Unmarshal(r.body, &e); err != nil || e.Error.Message == "" {
		t.Errorf("no error of any format: %d %s", r.status, r.body)
	}
	return e.Error.Message
}

func TestAKeyInEveryPlaceAndFormat(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	var id, key string
	dir := folderWithKeys(t, sim, func(k *apikey.Keys) { id, key = keyOf(t, k, apikey.Terms{}) })
	g := start(t, launch{sim: sim, dir: dir})
	wrong := apikey.NewSecret()
	for place, put := range placesOfKeys() {
		for _, f := range formatsOfClients() {
			if r := f.ask(g, put(key)); r.status != 200 {
				t.Errorf("%s in %s: %d %s", f.name, place, r.status, r.body)
			}
			if r := f.ask(g, put(wrong)); r.status != 401 || messageOf(t, r) != "the password or API key is wrong" || strings.Contains(string(r.body), wrong[3:]) {
				t.Errorf("%s with a wrong key in %s: %d %s", f.name, place, r.status, r.body)
			}
		}
	}
	calls := len(sim.Calls())
	for name, bad := range map[string]string{"a key with a space": key[:20] + " " + key[20:], "a space alone": " ", "a key and more": key + key, "text of Chinese": "钥匙",
		"control characters": key + "\x01\x1b", "a long one": strings.Repeat("k", 3000)} {
		if r := formatsOfClients()[0].ask(g, placesOfKeys()["?key="](bad)); r.status != 401 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	huge := strings.Repeat("k", 10<<20) // the server does not read as far
	req := g.request("POST", "/v1/chat/completions", `{}`, header("Authorization", "Bearer "+huge))
	if resp, err := client.Do(req); err == nil {
		if resp.Body.Close(); resp.StatusCode < 400 || resp.StatusCode > 499 {
			t.Errorf("a key of 10 MB: %d", resp.StatusCode)
		}
	}
	if r := formatsOfClients()[0].ask(g, header("x-api-key", key)); r.status != 200 || len(sim.Calls()) != calls+1 {
		t.Errorf("after all of them: %d, %d calls", r.status, len(sim.Calls())-calls)
	}
	g.close(false)
	for _, hidden := range []string{key, wrong} {
		for where, text := range map[string]string{"the log": g.read("gateway.log"), "the console": g.stdout.String() + g.stderr.String()} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s has a key", where)
			}
		}
	}
	keysOf(t, dir, func(k *apikey.Keys) {
		if at := k.LastUsed(id); time.Since(at) > 10*time.Minute {
			t.Errorf("last used %s", at)
		}
	})
	if raw, err := os.ReadFile(filepath.Join(dir, "creds", ".gcli2api.db")); err != nil || strings.Contains(string(raw), key[3:]) {
		t.Errorf("the store has the key itself: %v", err)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	var good, off, old, rotated, gone, elsewhere, here, brief, briefID string
	dir := folderWithKeys(t, sim, func(k *apikey.Keys) {
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		_, good = keyOf(t, k, apikey.Terms{})
		var id string
		id, off = keyOf(t, k, apikey.Terms{})
		_, err := k.Edit(t.Context(), id, func(t *apikey.Terms) error { t.Disabled = true; return nil })
		must(err)
		id, old = keyOf(t, k, apikey.Terms{})
		_, rotated, err = k.Rotate(t.Context(), id)
		must(err)
		id, gone = keyOf(t, k, apikey.Terms{})
		must(k.Delete(t.Context(), id))
		_, elsewhere = keyOf(t, k, apikey.Terms{Addresses: []string{"192.0.2.0/24", "2001:db8::/32"}})
		_, here = keyOf(t, k, apikey.Terms{Addresses: []string{"192.0.2.0/24", "127.0.0.0/8"}})
		briefID, brief = keyOf(t, k, apikey.Terms{Expires: time.Now().Add(time.Hour)})
	})
	g := start(t, launch{sim: sim, dir: dir})
	for _, c := range []struct {
		name, key string
		status    int
		says      string
	}{
		{"good", good, 200, ""},
		{"disabled", off, 401, "the API key is disabled"},
		{"before the rotation", old, 401, "the password or API key is wrong"},
		{"after it", rotated, 200, ""},
		{"deleted", gone, 401, "the password or API key is wrong"},
		{"another address", elsewhere, 403, "the API key may not be used from this address"},
		{"this address", here, 200, ""},
		{"not over yet", brief, 200, ""},
	} {
		for _, f := range formatsOfClients() {
			r := f.ask(g, header("x-api-key", c.key))
			if r.status != c.status || c.says != "" && !strings.Contains(messageOf(t, r), c.says) {
				t.Errorf("%s, %s: %d %s", c.name, f.name, r.status, r.body)
			}
		}
	}
	expires := g.soonOver(briefID)
	for late := time.After(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		r := formatsOfClients()[0].ask(g, header("x-api-key", brief))
		if over := !time.Now().Before(expires); r.status == 401 && strings.Contains(messageOf(t, r), "has expired on "+expires.UTC().Format("2006-01-02")) {
			if !over {
				t.Error("it has expired too early")
			}
			break
		}
		select {
		case <-late:
			t.Fatalf("it does not expire: %d %s", r.status, r.body)
		default:
		}
	}
}

// soonOver has a key expire in a few seconds, in as many as this machine needs to say so.
func (g *gateway) soonOver(id string) (expires time.Time) {
	g.t.Helper()
	for in := 2 * time.Second; in < time.Minute; in *= 2 {
		expires = time.Now().Add(in).Truncate(time.Second)
		r := g.do("PATCH", "/auth/keys/"+id, `{"expires":"`+expires.UTC().Format(time.RFC3339)+`"}`)
		if r.status == 200 {
			return expires
		}
		if time.Now().Before(expires) {
			g.t.Fatalf("%d %s", r.status, r.body)
		}
	}
	g.t.Fatal("no expiry was taken before it was over")
	return expires
}

func TestModelsOfAKey(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	var all, some, aliased string
	dir := folderWithKeys(t, sim, func(k *apikey.Keys) {
		_, all = keyOf(t, k, apikey.Terms{Models: []string{"*flash*", "*embedding*"}})
		_, some = keyOf(t, k, apikey.Terms{Models: []string{"gemini-2.5-pro"}})
		_, aliased = keyOf(t, k, apikey.Terms{Models: []string{"gpt-*"}})
	})
	g := start(t, launch{sim: sim, dir: dir, config: "[models.alias]\n\"gpt-4o\" = \"gemini-2.5-pro\"\n\"mini\" = \"gemini-2.5-flash\"\n"})
	for _, f := range formatsOfClients() {
		if r := f.ask(g, header("x-api-key", all)); r.status != 200 {
			t.Errorf("%s, a model that it may ask: %d %s", f.name, r.status, r.body)
		}
		calls := len(sim.Calls())
		if r := f.ask(g, header("x-api-key", some)); r.status != 403 || !strings.Contains(messageOf(t, r), f.model) {
			t.Errorf("%s, a model that it may not ask: %d %s", f.name, r.status, r.body)
		}
		if n := len(sim.Calls()) - calls; n != 0 {
			t.Errorf("%s: %d calls to Google for a model that it may not ask", f.name, n)
		}
	}
	for _, c := range []struct {
		key, model string
		status     int
	}{{some, "gpt-4o", 200}, {some, "流式抗截断/gemini-2.5-pro-search", 200}, {some, "mini", 403}, {aliased, "gpt-4o", 403}, {aliased, "gpt-5", 200}} {
		r := g.post("/v1/chat/completions", `{"model":"`+c.model+`","messages":[{"role":"user","content":"hi"}]}`, header("Authorization", "Bearer "+c.key))
		if r.status != c.status && !(c.model == "gpt-5" && r.status == 404) { // unknown to Google
			t.Errorf("%s: %d %s", c.model, r.status, r.body)
		}
	}
	for _, path := range []string{"/v1/models", "/v1beta/models"} {
		mine, whole := g.get(path, header("Authorization", "Bearer "+some)), g.get(path)
		if mine.status != 200 || len(mine.body) >= len(whole.body) || strings.Contains(string(mine.body), "flash") || !strings.Contains(string(mine.body), "gemini-2.5-pro") {
			t.Errorf("%s: %d %s", path, mine.status, mine.body)
		}
	}
}

// SECRET_KEY is asked for where keys are to be shown again.
func TestRevealNeedsASecretKey(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"check"}, {"serve"}} {
		g := spawn(t, launch{env: map[string]string{"REVEAL_KEYS": "true", "SECRET_KEY": "too-short-a-key"}, args: args, dirty: true})
		<-g.ended
		if text := g.stderr.String(); g.code != 2 || !strings.Contains(text, "keys.secret_key") || strings.Contains(text, "too-short") {
			t.Errorf("%s: code %d, %s", args[0], g.code, text)
		}
	}
}
