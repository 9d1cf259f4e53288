package server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store/embedded"
	"gcli2api/store/pool"
)

// tokenOf and refreshOf are the secrets of made-up accounts, as long as Google's.
func tokenOf(i int) string   { return fmt.Sprintf("ya29.%0200d", i) }
func refreshOf(i int) string { return fmt.Sprintf("1//%0100d", i) }

// usedStates puts into a folder what a gateway keeps of n accounts that have served for a day: tokens,
// counters by hour and day, and rests of two models for every other one.
func usedStates(t testing.TB, creds string, n int) {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(creds, ".gcli2api.db")})
	if err != nil {
		t.Fatal(err)
	}
	m, err := pool.Remember(t.Context(), db, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range n {
		sum := sha256.Sum256([]byte(refreshOf(i)))
		s := pool.State{Of: hex.EncodeToString(sum[:8]), Calls: 500, LastSuccess: now, AccessToken: tokenOf(i) + "x",
			TokenUntil: now.Add(50 * time.Minute), Tier: "standard-tier", Day: pool.Day{Since: now.Unix(), Pro: 12, Total: 99}}
		for h := range int32(24) {
			s.Hours = append(s.Hours, pool.Hour{At: int32(now.Unix()/3600) - 23 + h, N: 20})
		}
		if i%2 == 0 {
			rest := pool.Rest{Until: now.Add(time.Hour), Since: now, Code: apierror.QuotaExhausted, Status: 429}
			s.Rests = map[string]pool.Rest{"gemini-2.5-pro": rest, "gemini-2.5-flash": rest}
			s.Codes, s.Messages = []int{429}, map[int]string{429: "You have exhausted your capacity on this model. Your quota will reset after 1h0m0s."}
		}
		m.Save(fmt.Sprintf("acc-%05d.json", i), s)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Ten thousand accounts that have served for a day, with all that is kept of each: at the start, when
// all of it was shown, and when all of it has changed and was written anew. 80 MB are promised for the
// credentials; what lists and writes leave behind until it is collected may be some more.
func TestTenThousandStates(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures")
	}
	const n, most, atWork = 10_000, 80 << 10, 100 << 10 // kB
	dir := t.TempDir()
	creds := filepath.Join(dir, "creds")
	if err := os.Mkdir(creds, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		text := fmt.Sprintf(`{"client_id":"1234567890-abcdefghijklmnopqrstuvwxyz012345.apps.googleusercontent.com","client_secret":"made-up-client-secret-of-the-tests",
"token":"%s","refresh_token":"%s","scopes":["https://www.googleapis.com/auth/cloud-platform","https://www.googleapis.com/auth/userinfo.email","https://www.googleapis.com/auth/userinfo.profile"],
"token_uri":"https://oauth2.googleapis.com/token","project_id":"project-%d","expiry":"2025-01-01T00:00:00Z","email":"person%d@example.com"}`, tokenOf(i), refreshOf(i), i, i)
		if err := os.WriteFile(filepath.Join(creds, fmt.Sprintf("acc-%05d.json", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	usedStates(t, creds, n)
	g := start(t, launch{dir: dir, light: true, env: map[string]string{"LOG_LEVEL": "info"}})
	stage := func(what string, most int) {
		t.Helper()
		kb, file := g.memory()
		stat, err := os.Stat(filepath.Join(creds, ".gcli2api.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-24s %d kB resident, %d of it mapped files, store %d kB", what, kb, file, stat.Size()>>10)
		if kb > most {
			t.Errorf("%s: %d kB resident, at most %d", what, kb, most)
		}
	}
	t.Logf("start %v", g.first.Round(time.Millisecond))
	stage("at the start", most)
	time.Sleep(3 * time.Second)
	stage("three seconds later", atWork)
	r := g.get("/creds/status")
	if r.status != 200 || strings.Count(string(r.body), `"filename"`) != n {
		t.Errorf("%d %.200s", r.status, r.body)
	}
	stage("a status of all", atWork)
	begun := time.Now()
	if r := g.post("/usage/reset", "{}"); r.status != 200 {
		t.Errorf("%d %.200s", r.status, r.body)
	}
	t.Logf("every state written anew in %v", time.Since(begun).Round(time.Millisecond))
	stage("all written", atWork)
	time.Sleep(3 * time.Second)
	stage("three seconds later", atWork)
}

// memory is VmRSS, and what of it is mapped files, in kB.
func (g *gateway) memory() (all, file int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d", &all)
		_, _ = fmt.Sscanf(line, "RssFile: %d", &file)
	}
	return all, file
}
