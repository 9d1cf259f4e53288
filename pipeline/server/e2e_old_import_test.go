package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/storetest/servers"
)

const oldKey = "sk-AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJKKK" // 20 of 1000 used

// oldHouse is a Redis of the old product: one account in use, one switched off, a key, a price and settings.
func oldHouse(t *testing.T, sim *simulator.Server) *servers.RedisServer {
	t.Helper()
	s := servers.Redis(t)
	sim.AddAccount(simulator.Account{Email: "bob@example.com"})
	entry := func(email string, off bool) string {
		text, err := json.Marshal(map[string]any{"credential": json.RawMessage(sim.CredentialFile(email, simulator.LayoutGateway)), "state": map[string]any{"disabled": off, "error_codes": []int{403}, "user_email": email}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	sayTo(t, s.Port,
		[]string{"HSET", "gcli2api:credentials", "ann.json", entry("ann0@example.com", false), "bob.json", entry("bob@example.com", true)},
		[]string{"HSET", "gcli2api:api_keys", oldKey, `{"total_quota": 1000, "used_quota": 20, "created_at": 1764576000.5, "description": "Alice", "model_stats": {}}`},
		[]string{"HSET", "gcli2api:config", "model_costs", `{"gemini-2.5-pro": 8}`, "retry_429_max_retries", "7", "password", `"the old password"`})
	return s
}

// sayTo gives commands to a Redis and returns what it said.
func sayTo(t *testing.T, port int, commands ...[]string) string {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var b bytes.Buffer
	for _, c := range append(commands, []string{"QUIT"}) {
		fmt.Fprintf(&b, "*%d\r\n", len(c))
		for _, word := range c {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
		}
	}
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(conn)
	if err != nil || bytes.HasPrefix(said, []byte("-")) {
		t.Fatalf("%v %.200s", err, said)
	}
	return string(said)
}

// TestMoveIn moves an installation of the old product in by one command, while the gateway runs: from its Redis into
// the folder that the gateway holds, into the very same Redis, and into a Postgres.
func TestMoveIn(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"file", "Redis", "Postgres"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			l := launch{sim: google(t, 1, 0)}
			l.env = map[string]string{"OAUTH_PROXY_URL": l.sim.URL()}
			old := oldHouse(t, l.sim)
			dump := func() string {
				return sayTo(t, old.Port, []string{"HGETALL", "gcli2api:credentials"}, []string{"HGETALL", "gcli2api:api_keys"}, []string{"HGETALL", "gcli2api:config"})
			}
			before, from := dump(), old.Address()
			switch to {
			case "Redis":
				l.env["REDIS_URI"], from = old.Address(), "old"
			case "Postgres":
				l.env["POSTGRES_DSN"] = servers.Postgres(t).Address()
			}
			g := start(t, l)
			if named := strings.Contains(g.read("gateway.log"), "gcli2api import -from old"); named != (to == "Redis") {
				t.Errorf("the old data are named at the start: %v", named)
			}
			if n := len(g.creds()); n != 0 {
				t.Errorf("%d credentials before the import", n)
			}
			if one := g.told(l.env, "import", "-from", from, "-dry-run"); one.code != 0 || !strings.Contains(one.stdout.String(), "credentials: 2 would be taken over") || len(g.creds()) != 0 {
				t.Fatalf("dry run: %d %s%s", one.code, one.stdout.String(), one.stderr.String())
			}
			one := g.told(l.env, "import", "-from", from)
			if said := one.stdout.String(); one.code != 0 || !strings.Contains(said, "credentials: 2 taken over") || !strings.Contains(said, "settings: 1 taken over") || !strings.Contains(said, "set PASSWORD") || strings.Contains(said, "the old password") || strings.Contains(said, oldKey) {
				t.Fatalf("%d %s%s", one.code, said, one.stderr.String())
			}
			g.movedIn(22)
			if one := g.told(l.env, "import", "-from", from); one.code != 0 || !strings.Contains(one.stdout.String(), "credentials: 0 taken over, 2 here already") {
				t.Errorf("again: %d %s%s", one.code, one.stdout.String(), one.stderr.String())
			}
			g.movedIn(24)
			if audit := string(g.get("/audit").body); to == "file" && !strings.Contains(audit, "data of the old product") {
				t.Errorf("the audit: %s", audit)
			}
			g.signal(syscall.SIGTERM)
			g.exits()
			l.dir = g.dir
			if err := os.Remove(filepath.Join(g.dir, "gateway.log")); err != nil {
				t.Error(err)
			}
			g = start(t, l)
			g.movedIn(26)
			if strings.Contains(g.read("gateway.log"), "gcli2api import") {
				t.Error("what was taken over is named again")
			}
			if after := dump(); after != before {
				t.Errorf("the source was %s and is %s", before, after)
			}
		})
	}
}

// movedIn checks that the gateway serves as the old product did: a call with the old key, after which it has used
// so much.
func (g *gateway) movedIn(used int64) {
	g.t.Helper()
	wait(g.t.(*testing.T), "both credentials", func() bool { return len(g.creds()) == 2 })
	var s struct {
		Creds map[string]struct {
			Status struct{ Disabled bool }
		}
	}
	mustRead(g.t.(*testing.T), g.get("/creds/status"), &s)
	if s.Creds["ann.json"].Status.Disabled || !s.Creds["bob.json"].Status.Disabled {
		g.t.Errorf("%+v", s)
	}
	with := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+oldKey) }
	var a reply
	wait(g.t.(*testing.T), "the old key", func() bool {
		a = g.do("POST", "/v1/chat/completions", `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hi"}]}`, with)
		return a.status != 401
	})
	if a.status != 200 {
		g.t.Errorf("%d %s", a.status, a.body)
	}
	var v struct {
		Used int64 `json:"used_quota"`
	}
	mustRead(g.t.(*testing.T), g.get("/auth/quota", with), &v)
	if v.Used != used {
		g.t.Errorf("used %d, not %d", v.Used, used)
	}
	var c struct{ Config map[string]any }
	mustRead(g.t.(*testing.T), g.get("/config/get"), &c)
	if got := fmt.Sprint(c.Config["retry_429_max_retries"]); got != "7" {
		g.t.Errorf("retry_429_max_retries is %s", got)
	}
}

// TestOldFolder names a folder of the old product that lies beside, and does not use it until somebody says so.
func TestOldFolder(t *testing.T) {
	t.Parallel()
	l := launch{sim: google(t, 1, 0), dir: t.TempDir()}
	for _, dir := range []string{"creds", "geminicli/creds"} {
		if err := os.MkdirAll(filepath.Join(l.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(l.dir, "geminicli/creds/ann.json"), l.sim.CredentialFile("ann0@example.com", simulator.LayoutGateway), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, l)
	if log := g.read("gateway.log"); strings.Count(log, "gcli2api import -from ./geminicli/creds") != 1 || len(g.creds()) != 0 {
		t.Errorf("%v %s", g.creds(), log)
	}
	if one := g.told(nil, "import", "-from", "./geminicli/creds"); one.code != 0 || len(g.creds()) != 1 {
		t.Errorf("%d %s%s", one.code, one.stdout.String(), one.stderr.String())
	}
	if one := g.told(map[string]string{"PASSWORD": "another"}, "import", "-from", "./geminicli/creds"); one.code != 1 || !strings.Contains(one.stderr.String(), "stop it to do it without") {
		t.Errorf("%d %s%s", one.code, one.stdout.String(), one.stderr.String())
	}
	if one := g.told(nil, "import"); one.code != 2 {
		t.Errorf("%d", one.code)
	}
}
