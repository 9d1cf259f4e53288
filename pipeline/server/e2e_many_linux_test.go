package server_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Ten thousand accounts in the folder: what they take of memory, of the start, and of the CPU while
// nothing happens, each printed. A page of a thousand is asked for on top.
func TestTenThousandCredentials(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures")
	}
	const n, most = 10_000, 80 << 10 // kB
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("acc-%05d.json", i)] = fmt.Sprintf(`{"client_id":"1234567890-abcdefghijklmnopqrstuvwxyz012345.apps.googleusercontent.com","client_secret":"made-up-client-secret-of-the-tests",
"token":"ya%[2]s9.%0200[1]d","refresh_token":"1/%[3]s/%0100[1]d","scopes":["https://www.googleapis.com/auth/cloud-platform","https://www.googleapis.com/auth/userinfo.email","https://www.googleapis.com/auth/userinfo.profile"],
"token_uri":"https://oauth2.googleapis.com/token","project_id":"project-%[1]d","expiry":"2099-01-01T00:00:00Z","email":"person%[1]d@example.com"}`, i, "2", "")
	}
	g := start(t, launch{files: files, light: true, env: map[string]string{"LOG_LEVEL": "info"}})
	loaded := g.resident()
	begun, used := time.Now(), g.ticks()
	time.Sleep(5 * time.Second) // several looks into the folder
	share := 100 * float64(g.ticks()-used) / 100 / time.Since(begun).Seconds()
	idle := g.resident()
	asked := time.Now()
	r := g.get("/creds/status?limit=1000&offset=4000&sort=-name")
	took := time.Since(asked)
	if r.status != 200 || strings.Count(string(r.body), `"filename"`) != 1000 || !strings.Contains(string(r.body), `"total":10000`) {
		t.Errorf("%d %.200s", r.status, r.body)
	}
	t.Logf("start %v, resident %d kB, after five seconds %d kB, CPU at rest %.1f %%, a page of 1,000 of 10,000 %v", g.first.Round(time.Millisecond), loaded, idle, share, took)
	if loaded > most || idle > most {
		t.Errorf("resident %d and %d kB, at most %d", loaded, idle, most)
	}
}

// resident is VmRSS in kB.
func (g *gateway) resident() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// ticks are the hundredths of a second that the process has had of a CPU.
func (g *gateway) ticks() (n int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	for _, field := range strings.Fields(rest)[11:13] {
		one, err := strconv.Atoi(field)
		if err != nil {
			g.t.Fatal(err)
		}
		n += one
	}
	return n
}
