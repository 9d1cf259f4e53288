package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
	opening "gcli2api/store/open"
	"gcli2api/store/storetest/faults"
	"gcli2api/store/storetest/servers"
)

// command makes a command of the binary with the configuration of a gateway.
func (g *gateway) command(l launch, args ...string) (code int, said string) {
	g.t.Helper()
	cmd := g.prepared(l, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func (g *gateway) prepared(l launch, args ...string) *exec.Cmd {
	cmd := exec.Command(program(g.t, false), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = g.dir, g.environ(l), dieWithTest()
	return cmd
}

// well makes a command that has to go well.
func (g *gateway) well(l launch, args ...string) string {
	g.t.Helper()
	code, said := g.command(l, args...)
	if code != 0 {
		g.t.Fatalf("%s: exit %d: %s", args, code, said)
	}
	return said
}

// sold is a key with what is left of it.
func sold(t *testing.T, g *gateway) (key string) {
	t.Helper()
	var made struct {
		Key string `json:"api_key"`
	}
	r := g.post("/auth/keys", `{"total_quota": 50, "description": "Alice"}`)
	if err := json.Unmarshal(r.body, &made); err != nil || made.Key == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return made.Key
}

// calls makes calls with a key and says what its owner sees afterwards.
func calls(g *gateway, key string, n int) string {
	g.t.Helper()
	with := header("Authorization", "Bearer "+key)
	for range n {
		path, body := ask{}.http(flash, "hello")
		if r := g.do("POST", path, body, with); r.status != 200 {
			g.t.Fatalf("%d %s", r.status, r.body)
		}
	}
	return g.left(key)
}

func (g *gateway) left(key string) string {
	g.t.Helper()
	var v struct {
		Used      json.Number `json:"used_quota"`
		Remaining json.Number `json:"remaining_quota"`
	}
	r := g.do("GET", "/auth/quota", "", header("Authorization", "Bearer "+key))
	if err := json.Unmarshal(r.body, &v); err != nil || r.status != 200 {
		g.t.Fatalf("%d %s", r.status, r.body)
	}
	return fmt.Sprintf("used %s, left %s", v.Used, v.Remaining)
}

// A backup is taken from the gateway that runs; a new folder serves the same keys with the same quotas and
// credentials.
func TestBackupOfARunningGateway(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 1)
	l := launch{sim: sim, accounts: 1, keys: 1, env: map[string]string{"SECRET_KEY": "a secret key of these tests"}}
	g := start(t, l)
	key := sold(t, g)
	before := calls(g, key, 7)
	archive := filepath.Join(t.TempDir(), "archive")
	g.well(l, "backup", "-out", archive)
	if r := g.get("/audit?what=GET%20/storage/backup"); !strings.Contains(string(r.body), "/storage/backup") {
		t.Errorf("the audit says nothing of it: %s", r.body)
	}
	if code, said := g.command(l, "migrate", "-to", "file:"+t.TempDir()); code != 1 || !strings.Contains(said, "a gateway runs on") || strings.Count(said, "\n") != 1 {
		t.Errorf("migrating it: exit %d, %s", code, said)
	}
	if code, said := g.command(l, "restore", "-in", archive, "-force"); code != 1 || !strings.Contains(said, "another gcli2api holds the folder") {
		t.Errorf("restoring into it: exit %d, %s", code, said)
	}
	wrong := launch{sim: sim, env: map[string]string{"SECRET_KEY": l.env["SECRET_KEY"], "PASSWORD": "another-password"}}
	if code, said := g.command(wrong, "backup", "-out", archive+"2"); code != 1 || !strings.Contains(said, "401") || strings.Contains(said, "another-password") {
		t.Errorf("with another password: exit %d, %s", code, said)
	}
	fresh := t.TempDir()
	to := &gateway{t: t, dir: fresh, port: g.port}
	to.well(l, "restore", "-in", archive)
	two := start(t, launch{sim: sim, dir: fresh, env: l.env})
	if after := two.left(key); after != before {
		t.Errorf("%s, and it was %s", after, before)
	}
	calls(two, key, 2)
	for _, name := range []string{"ann0.json", "key0.json"} {
		if a, b := g.read("creds/"+name), two.read("creds/"+name); a != b || a == "" {
			t.Errorf("%s is another one", name)
		}
	}
}

// From the folder to Redis and back: the gateway serves the same everywhere.
func TestMigrateServes(t *testing.T) {
	t.Parallel()
	redis := servers.Redis(t)
	sim := google(t, 1, 1)
	l := launch{sim: sim, accounts: 1, keys: 1}
	g := start(t, l)
	key := sold(t, g)
	want := calls(g, key, 5)
	g.close(false)
	g.well(l, "migrate", "-to", redis.Address())
	back := filepath.Join(t.TempDir(), "creds")
	g.well(l, "migrate", "-from", redis.Address(), "-to", "file:"+back)
	for name, l := range map[string]launch{
		"back": {sim: sim, dir: filepath.Dir(back)},
	} {
		two := start(t, l)
		if got := two.left(key); got != want {
			t.Errorf("%s: %s, and it was %s", name, got, want)
		}
		calls(two, key, 1)
	}
}

// A migration that is killed in the middle leaves what no gateway serves, and the same command brings it to
// its end with exact counts.
func TestMigrateKilled(t *testing.T) {
	t.Parallel()
	redis := servers.Redis(t)
	g := &gateway{t: t, dir: t.TempDir(), port: freePort(t)}
	g.credentials(launch{files: map[string]string{"ann.json": `{"refresh_token":"1//x"}`}})
	many(t, filepath.Join(g.dir, "creds", ".gcli2api.db"))
	shared := launch{env: map[string]string{"REDIS_URI": redis.Address()}}
	direct := fmt.Sprintf("127.0.0.1:%d", redis.Port)
	proxy := faults.Start(t, direct)
	proxy.Reset(faults.Reset{Saying: "use/2026", Answers: true}) // it does not get beyond the first counters, however late this test is
	args := []string{"migrate", "-from", "file:" + filepath.Join(g.dir, "creds"), "-to", strings.Replace(redis.Address(), direct, proxy.Addr(), 1)}
	db, err := opening.Place{Engine: opening.Redis, Address: redis.Address(), Database: "0", Prefix: "gcli2api"}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// So Redis knows the script by which counters are added: its answer that it does not would be lost as well.
	if err := db.AddOnce(t.Context(), "of the test", nil); err != nil {
		t.Fatal(err)
	}
	cmd := g.prepared(launch{}, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Minute); len(found(t, db)) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no counter arrives")
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	proxy.Heal(t)
	if n := len(found(t, db)); n == 60_000 {
		t.Fatal("it had written everything before it was killed")
	}
	if code, said := g.command(shared, "serve"); code != 1 || !strings.Contains(said, "half of what a move from") {
		t.Errorf("serving what is half there: exit %d, %s", code, said)
	}
	said := g.well(launch{}, args...)
	for _, says := range []string{"going on with a move", "counters             60000       60000", "1800030000  1800030000"} {
		if !strings.Contains(said, says) {
			t.Errorf("it does not say %q:\n%s", says, said)
		}
	}
	all := found(t, db)
	for i := range 60_000 {
		if name := fmt.Sprintf("use/2026-11-01/key/%06d/m/calls", i); all[name] != int64(i+1) {
			t.Fatalf("%s is %d, want %d", name, all[name], i+1)
		}
	}
}

func found(t *testing.T, s store.Store) map[string]int64 {
	t.Helper()
	all, err := s.Counters(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// many fills a store with what takes a while.
func many(t *testing.T, path string) {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var deltas []store.Delta
	for i := range 60_000 {
		deltas = append(deltas, store.Delta{Counter: fmt.Sprintf("use/2026-11-01/key/%06d/m/calls", i), N: int64(i + 1)})
	}
	if err := db.Add(t.Context(), deltas); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		doc := store.Doc{ID: fmt.Sprintf("%05d", i), Body: []byte(`{"quota":1}`)}
		if _, err := db.Put(t.Context(), store.Requests, doc, store.Any); err != nil {
			t.Fatal(err)
		}
	}
}

// The schedule writes the first backup at once, and none again after a restart.
func TestScheduledBackup(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "backups")
	l := launch{sim: google(t, 0, 1), keys: 1, env: map[string]string{"BACKUP_DIR": dir}}
	g := start(t, l)
	var names []string
	for end := time.Now().Add(2 * time.Minute); len(names) != 1 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		names, _ = filepath.Glob(filepath.Join(dir, "gcli2api-*.tar.gz"))
	}
	if len(names) != 1 {
		t.Fatalf("the folder has %q", names)
	}
	if r := g.get("/storage/backups"); !strings.Contains(string(r.body), filepath.Base(names[0])) {
		t.Errorf("%d %s", r.status, r.body)
	}
	g.close(false)
	l.dir = g.dir
	two := start(t, l)
	two.get("/storage/backups")
	two.close(false)
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("after a restart there are %d, %v", len(list), err)
	}
	out := filepath.Join(t.TempDir(), "creds")
	two.well(launch{}, "restore", "-in", names[0], "-to", "file:"+out)
}
