package move

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
	"gcli2api/store/storetest/servers"

	"log/slog"
)

// oldFiles are the fixtures, with times that are of today.
func oldFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	now := time.Now().UTC()
	for _, name := range []string{oldCreds, oldSettings, oldKeys} {
		text, err := os.ReadFile(filepath.Join("testdata/old", name))
		ok(t, err)
		text = bytes.ReplaceAll(text, []byte("{{CALL}}"), []byte(now.Add(-time.Hour).Format("2006-01-02T15:04:05.000000-07:00")))
		files[name] = bytes.ReplaceAll(text, []byte("{{RESET}}"), []byte(now.Truncate(24*time.Hour).Add(24*time.Hour).Format("2006-01-02T15:04:05-07:00")))
	}
	return files
}

// inDatabase are the fixtures as a database has them: a credential, its state and its figures apart.
func inDatabase(t testing.TB) map[string]map[string]json.RawMessage {
	t.Helper()
	f := &found{}
	f.files(oldFiles(t))
	creds := map[string]json.RawMessage{"not an object.json": json.RawMessage(`"nonsense"`), "nothing.json": json.RawMessage(`{"credential": null, "state": {"disabled": true}}`)}
	for name, body := range f.Credentials {
		var flat map[string]json.RawMessage
		ok(t, json.Unmarshal(body, &flat))
		cred, state, stats := map[string]json.RawMessage{}, map[string]json.RawMessage{}, map[string]json.RawMessage{}
		for member, v := range flat {
			switch {
			case member == "call_timestamps":
				stats[member] = v
			case bytes.Contains([]byte("client_id client_secret token refresh_token scopes token_uri project_id expiry"), []byte(member)):
				cred[member] = v
			default:
				state[member] = v
			}
		}
		text, err := json.Marshal(map[string]any{"credential": cred, "state": state, "stats": stats})
		ok(t, err)
		creds[name] = text
	}
	raw := func(all map[string][]byte) map[string]json.RawMessage {
		out := map[string]json.RawMessage{}
		for name, body := range all {
			out[name] = body
		}
		return out
	}
	return map[string]map[string]json.RawMessage{"credentials": creds, "config": raw(f.Config), "api_keys": raw(f.Keys)}
}

// redisSays gives commands to a Redis, without a client of ours.
func redisSays(t testing.TB, port int, commands ...[]string) string {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	ok(t, err)
	defer conn.Close()
	var b bytes.Buffer
	for _, c := range append(commands, []string{"QUIT"}) {
		fmt.Fprintf(&b, "*%d\r\n", len(c))
		for _, word := range c {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
		}
	}
	_, err = conn.Write(b.Bytes())
	ok(t, err)
	said, err := io.ReadAll(conn)
	ok(t, err)
	if strings.HasPrefix(string(said), "-") || strings.Contains(string(said), "\n-") {
		t.Fatalf("Redis says %.200s", said)
	}
	return string(said)
}

// psql gives SQL to a Postgres.
func psql(t testing.TB, address, sql string) string {
	t.Helper()
	cmd := exec.Command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", address)
	cmd.Stdin = strings.NewReader(sql)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v %s", err, said)
	}
	return string(said)
}

// oldPlace is a place with the fixtures in it.
type oldPlace struct {
	from string
	dump func() string // all that is in it
	zip  bool          // it has credentials only, without states

	dotless bool // what has a dot in its name is not there
}

func oldFolderOf(t testing.TB, files map[string][]byte) oldPlace {
	dir := t.TempDir()
	for name, text := range files {
		ok(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	return oldPlace{from: dir, dump: func() string { return fmt.Sprint(snapshotOf(t, dir)) }}
}

func oldRedis(t testing.TB) oldPlace {
	s := servers.Redis(t)
	for part, all := range inDatabase(t) {
		for name, body := range all {
			redisSays(t, s.Port, []string{"HSET", "gcli2api:" + part, name, string(body)})
		}
	}
	return oldPlace{from: s.Address(), dump: func() string {
		return redisSays(t, s.Port, []string{"HGETALL", "gcli2api:credentials"}, []string{"HGETALL", "gcli2api:config"}, []string{"HGETALL", "gcli2api:api_keys"}, []string{"DBSIZE"})
	}}
}

func oldPostgres(t testing.TB) oldPlace {
	s := servers.Postgres(t)
	var sql strings.Builder
	sql.WriteString("CREATE TABLE unified_storage (key text PRIMARY KEY, data jsonb NOT NULL, updated_at timestamptz DEFAULT now());\n")
	for part, row := range map[string]string{"credentials": "all_credentials", "config": "config_data", "api_keys": "api_keys_data"} {
		body, err := json.Marshal(inDatabase(t)[part])
		ok(t, err)
		fmt.Fprintf(&sql, "INSERT INTO unified_storage (key, data) VALUES ('%s', '%s');\n", row, strings.ReplaceAll(string(body), "'", "''"))
	}
	psql(t, s.Address(), sql.String())
	return oldPlace{from: s.Address(), dump: func() string {
		return psql(t, s.Address(), "SELECT * FROM unified_storage ORDER BY key; SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema');")
	}}
}

// oldZIP is what the panel of the old product makes: the credentials, without their states.
func oldZIP(t testing.TB) oldPlace {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, body []byte) {
		w, err := z.Create(name)
		ok(t, err)
		_, err = w.Write(body)
		ok(t, err)
	}
	for name, entry := range inDatabase(t)["credentials"] {
		var one struct{ Credential json.RawMessage }
		if json.Unmarshal(entry, &one) == nil && len(one.Credential) > 4 {
			add(name, one.Credential)
		}
	}
	add("other/bob.json", []byte(`{"refresh_token": "1//old-refresh-bob-2", "client_id": "c", "client_secret": "s", "project_id": "project-bob-2"}`))
	add("../../evil.json", []byte(`{}`))
	add("README.txt", []byte("hello"))
	ok(t, z.Close())
	path := filepath.Join(t.TempDir(), "credentials.zip")
	ok(t, os.WriteFile(path, b.Bytes(), 0o600))
	return oldPlace{from: path, zip: true, dump: func() string { return fmt.Sprint(snapshotOf(t, filepath.Dir(path))) }}
}

// opened shows what came of it, as a gateway would see it.
func opened(t testing.TB, text string, look func(p *pool.Pool, b *apikey.Book)) {
	t.Helper()
	ctx := context.Background()
	with(t, text, func(s *Side) {
		states, err := pool.Remember(ctx, s.Store, slog.New(slog.DiscardHandler), nil)
		ok(t, err)
		google := oauth.New(oauth.Options{Settings: func() oauth.Settings { return oauth.Settings{} }})
		p, err := pool.New(pool.Options{Still: true, Dir: s.Folder, OAuth: google, States: states, Claims: s.Store, Store: s.Store})
		ok(t, err)
		b, err := apikey.Open(ctx, apikey.Options{Store: s.Store, Log: slog.New(slog.DiscardHandler)})
		ok(t, err)
		look(p, b)
		ok(t, b.Close())
		ok(t, p.Close())
		ok(t, states.Close())
	})
}

func docOf(t testing.TB, s *Side, table store.Table, id string) string {
	d, err := s.Store.Get(context.Background(), table, id)
	if err != nil {
		return err.Error()
	}
	return string(d.Body)
}
