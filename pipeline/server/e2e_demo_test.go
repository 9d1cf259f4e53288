package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// curls finds the curl lines of a text, continued lines joined.
func curls(text string) []string {
	text = strings.ReplaceAll(text, "\\\n", " ")
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.Join(strings.Fields(line), " "); strings.HasPrefix(line, "curl ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// request does what a curl line says.
func request(t *testing.T, line string) reply {
	t.Helper()
	url := regexp.MustCompile(`"?(http://[^" ]+)"?`).FindStringSubmatch(line)
	data := regexp.MustCompile(`-d '([^']*)'`).FindStringSubmatch(line)
	if url == nil || data == nil {
		t.Fatalf("not understood: %s", line)
	}
	req, err := http.NewRequest("POST", url[1], strings.NewReader(data[1]))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range regexp.MustCompile(`-H "([^:]+): ([^"]*)"`).FindAllStringSubmatch(line, -1) {
		req.Header.Set(h[1], h[2])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return reply{status: resp.StatusCode, header: resp.Header, body: []byte(readAll(t, resp.Body))}
}

// TestDemo pastes what the demo prints and the README says, against a fresh demo, until each kind of
// its credentials has answered.
func TestDemo(t *testing.T) {
	t.Parallel()
	port := strconv.Itoa(freePort(t))
	tmp := t.TempDir()
	g := start(t, launch{args: []string{"demo", "-port", port}, env: map[string]string{"TMPDIR": tmp}, dirty: true})
	g.url = "http://127.0.0.1:" + port
	wait(t, "the demo has said everything", func() bool { return strings.Contains(g.stdout.String(), "Ctrl-C stops") })
	printed := curls(g.stdout.String())
	if len(printed) != 9 {
		t.Fatalf("%d curl lines in %s", len(printed), g.stdout.String())
	}
	for name, next := range map[string]string{"README.md": "## Real use", "README.zh-CN.md": "## 正式使用"} {
		readme, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		section, _, found := strings.Cut(string(readme), "\n"+next+"\n")
		if !found {
			t.Errorf("%s has no %q", name, next)
		}
		if got := curls(strings.ReplaceAll(section, "127.0.0.1:7861", "127.0.0.1:"+port)); strings.Join(got, "\n") != strings.Join(printed, "\n") {
			t.Errorf("%s says\n%s\nand the demo\n%s", name, strings.Join(got, "\n"), strings.Join(printed, "\n"))
		}
	}
	for range 4 {
		for _, line := range printed[:4] {
			a := ask{gemini: strings.Contains(line, "Content?"), stream: strings.Contains(line, "curl -sN")}
			r := request(t, line)
			if got := understand(t, a, r); r.status != 200 || !got.whole || !strings.HasPrefix(got.text, "echo: ") {
				t.Errorf("%s: %d %s", line, r.status, r.body)
			}
		}
	}
	for i, says := range []string{`"text":"echo: Hello"`, `"name":"get_weather"`} {
		if r := request(t, printed[4+i]); r.status != 200 || !strings.Contains(string(r.body), says) {
			t.Errorf("%s: %d %s", printed[4+i], r.status, r.body)
		}
	}
	for range 4 { // as often as one likes: it puts no credential out of use
		r := request(t, printed[6])
		if got := understand(t, ask{stream: true}, r); r.status != 200 || got.whole || got.fail == nil {
			t.Errorf("%s: %d %s", printed[6], r.status, r.body)
		}
	}
	for range 2 { // as often as one likes
		r := request(t, printed[7])
		if got := understand(t, ask{stream: true}, r); r.status != 200 || !got.whole || !strings.HasSuffix(got.text, "praises its voice, 40 times by now.\n\nAt last the crow sings, and the cheese falls.") {
			t.Errorf("%s: %d %s", printed[7], r.status, r.body)
		}
	}
	if r := request(t, printed[0]); r.status != 200 {
		t.Errorf("after the fault: %d %s", r.status, r.body)
	}
	var begun signedIn
	if r := request(t, printed[8]); json.Unmarshal(r.body, &begun) != nil || r.status != 200 {
		t.Errorf("%s: %d %s", printed[8], r.status, r.body)
	}
	b := browse(t, g)
	b.lands(begun.AuthURL, 200, "You have signed in")
	if got := b.post("/auth/callback", map[string]any{"state": begun.State}); got.status != 200 || got.Email != "adam@example.com" || !got.secretless() {
		t.Errorf("signing in: %d %s", got.status, got.text)
	}
	if strings.Contains(g.stdout.String(), "everybody knows") {
		t.Errorf("the demo warns of its own password: %s", g.stdout.String())
	}
	g.signal(syscall.SIGTERM)
	if code := g.exits(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("the demo leaves %v behind, %v", left, err)
	}
}
