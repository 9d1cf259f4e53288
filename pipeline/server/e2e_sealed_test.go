package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
	"gcli2api/store"
	opening "gcli2api/store/open"
)

const (
	sealA = "the first secret key of the house"
	sealB = "5f0c7a1e9b3d48624c1f0e8a7d6b5c3920f1e2d3c4b5a69788796a5b4c3d2e1f"
)

// lasting are the secrets of a credential file that must not lie anywhere plain.
func lasting(t *testing.T, file []byte) (all []string) {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(file, &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"refresh_token", "client_secret", "token", "access_token", "api_key"} {
		if text, _ := m[name].(string); text != "" {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		t.Fatal("a credential without secrets")
	}
	return all
}

func holdsNone(t *testing.T, where, text string, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s: a secret lies there plain", where)
		}
	}
}

// told runs a command in the folder of a gateway, at its address, until it ends.
func (g *gateway) told(env map[string]string, args ...string) *gateway {
	g.t.Helper()
	at := map[string]string{"PORT": strconv.Itoa(g.port)}
	for name, value := range env {
		at[name] = value
	}
	one := spawn(g.t, launch{dir: g.dir, env: at, args: args, dirty: true})
	<-one.ended
	return one
}

// The life of a house whose secrets are sealed: files that are dropped in and uploaded, a new key through the
// running gateway, a start without any key, and the way back to plain.
func TestSealedAtRest(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 2)
	account := sim.StaleCredentialFile("ann0@example.com", simulator.LayoutGateway)
	dropped := string(sim.KeyFile(apiKey(0)))
	secrets := lasting(t, account)
	l := launch{sim: sim, env: map[string]string{"SECRET_KEY": sealA, "REVEAL_KEYS": "true", "CALLS_PER_ROTATION": "1"}, files: map[string]string{"dropped.json": dropped}}
	g := start(t, l)
	if status, a := g.upload(part{name: "ann.json", text: string(account)}); status != 200 || a.Good != 1 {
		t.Fatalf("%d %+v", status, a)
	}
	serves := func(g *gateway) {
		t.Helper()
		for range 2 { // the account and the key
			if r := g.put(ask{}, "hello"); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
		}
	}
	serves(g)
	made := g.post("/auth/keys", `{"total_quota": 100}`)
	var key struct {
		ID  string `json:"id"`
		Key string `json:"api_key"`
	}
	if err := json.Unmarshal([]byte(made.body), &key); err != nil || key.Key == "" {
		t.Fatalf("%d %s", made.status, made.body)
	}
	if got := g.read("creds/ann.json"); strings.Count(got, "sealed:1:") < 2 {
		t.Errorf("the upload lies there as %s", got)
	} else {
		holdsNone(t, "the upload", got, secrets)
	}
	if got := g.read("creds/dropped.json"); got != dropped {
		t.Error("what somebody dropped in was changed")
	}
	// A download is plain, and in the audit.
	plain := g.get("/creds/download/ann.json")
	if plain.status != 200 || !strings.Contains(string(plain.body), secrets[0]) || strings.Contains(string(plain.body), "sealed:") {
		t.Errorf("a download: %d %s", plain.status, plain.body)
	}
	if rows := string(g.get("/audit?limit=5").body); !strings.Contains(rows, "GET /creds/download/:filename") || !strings.Contains(rows, "ann.json") {
		t.Errorf("it is not in the audit: %s", rows)
	} else {
		holdsNone(t, "the audit", rows, secrets)
	}
	g.close(false)
	holdsNone(t, "the store", g.read("creds/.gcli2api.db"), append(secrets, key.Key, "ya29."))

	// Another key: the gateway that has the folder does it.
	l.dir, l.env["SECRET_KEY"], l.env["OLD_SECRET_KEYS"] = g.dir, sealB, sealA
	g = start(t, l)
	serves(g)
	before := g.read("creds/ann.json")
	if one := g.told(l.env, "rotate-secret", "-dry-run"); one.code != 0 || g.read("creds/ann.json") != before || !strings.Contains(one.stdout.String(), "nothing was written") {
		t.Fatalf("dry: %d %s%s", one.code, one.stdout.String(), one.stderr.String())
	}
	one := g.told(l.env, "rotate-secret")
	if one.code != 0 || !strings.Contains(one.stdout.String(), "sealed with the key in force") {
		t.Fatalf("%d %s%s", one.code, one.stdout.String(), one.stderr.String())
	}
	t.Log(strings.TrimSpace(one.stdout.String()))
	now := g.read("creds/ann.json")
	if now == before || !strings.Contains(g.read("creds/dropped.json"), "sealed:1:") {
		t.Error("it was not sealed anew")
	}
	holdsNone(t, "the file", now, secrets)
	serves(g)
	g.close(false)
	delete(l.env, "OLD_SECRET_KEYS")
	g = start(t, l)
	serves(g)
	if r := g.get("/auth/keys/" + key.ID + "/reveal"); r.status != 200 || !strings.Contains(string(r.body), key.Key) {
		t.Errorf("the copy of an API key: %d", r.status)
	}
	if r := g.post("/auth/login", `{"password":"`+secret+`"}`); r.status != 200 {
		t.Errorf("a session: %d %s", r.status, r.body)
	}
	g.close(false)

	// Without the key the credentials are named, the rest is served, and nothing is written over.
	without := launch{sim: sim, dir: g.dir, env: map[string]string{"GEMINI_API_KEY": apiKey(1)}}
	g = start(t, without)
	serves(g)
	said := g.stdout.String()
	if !strings.Contains(said, "ann.json") || !strings.Contains(said, "SECRET_KEY") {
		t.Errorf("said: %s", said)
	}
	g.close(false)
	if g.read("creds/ann.json") != now {
		t.Error("the file was changed by a gateway that cannot open it")
	}

	// And back.
	if one := g.told(l.env, "rotate-secret", "-plain"); one.code != 2 || !strings.Contains(one.stderr.String(), "OLD_SECRET_KEYS") {
		t.Errorf("-plain with a key in force: %d %s", one.code, one.stderr.String())
	}
	if one := g.told(map[string]string{"OLD_SECRET_KEYS": sealB}, "rotate-secret", "-plain"); one.code != 0 {
		t.Fatalf("%d %s%s", one.code, one.stdout.String(), one.stderr.String())
	}
	if got := g.read("creds/ann.json"); strings.Contains(got, "sealed:") || !strings.Contains(got, secrets[0]) || g.read("creds/dropped.json") != dropped {
		t.Errorf("back to plain: %s", got)
	}
	g = start(t, launch{sim: sim, dir: g.dir, env: map[string]string{"CALLS_PER_ROTATION": "1"}})
	serves(g)
}

// With a database the documents are sealed, and the command works on the database itself.
func TestSealedInDatabases(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, of engine) {
		sim := google(t, 1, 0)
		account := sim.StaleCredentialFile("ann0@example.com", simulator.LayoutGateway)
		env := of.env(t)
		env["SECRET_KEY"] = sealA
		l := launch{sim: sim, env: env, files: map[string]string{"ann.json": string(account)}}
		g := start(t, l)
		asks := func(g *gateway) {
			t.Helper()
			if r := g.put(ask{}, "hello"); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
		}
		asks(g)
		g.close(false)
		at, database := "", "0"
		if name := env["MONGODB_DATABASE"]; name != "" {
			database = name
		}
		for _, name := range []string{"REDIS_URI", "POSTGRES_DSN", "MONGODB_URI"} {
			if env[name] != "" {
				at = env[name]
			}
		}
		bodies := func() (all string) {
			t.Helper()
			p, err := opening.ParsePlace(at, opening.Place{Prefix: "gcli2api", Database: database, Connections: 4, Timeout: 5e9})
			if err != nil {
				t.Fatal(err)
			}
			s, err := p.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, table := range store.Tables() {
				docs, err := s.List(t.Context(), table, "", 1000)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range docs {
					all += string(table) + " " + string(d.Body) + "\n"
				}
			}
			return all
		}
		first := bodies()
		if !strings.Contains(first, `cred {`) || strings.Count(first, "sealed:1:") < 3 {
			t.Errorf("what lies there: %s", first)
		}
		holdsNone(t, "the database", first, append(lasting(t, account), "ya29."))
		if err := os.Remove(filepath.Join(g.dir, "creds", "ann.json")); err != nil {
			t.Fatal(err)
		}
		env["SECRET_KEY"], env["OLD_SECRET_KEYS"] = sealB, sealA
		l.dir = g.dir
		g = start(t, l)
		asks(g)
		if one := g.told(env, "rotate-secret"); one.code != 0 {
			t.Fatalf("%d %s%s", one.code, one.stdout.String(), one.stderr.String())
		}
		asks(g)
		g.close(false)
		delete(env, "OLD_SECRET_KEYS")
		g = start(t, l)
		asks(g)
	})
}
