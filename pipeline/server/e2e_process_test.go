package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// run runs the program to its end.
func run(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, false), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"HOME=" + cmd.Dir, "GORACE=atexit_sleep_ms=0"}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	code, stdout, stderr := run(t, []string{"PORT=" + port, "PASSWORD=x", "HOST=127.0.0.1"})
	if code != 1 || strings.Count(strings.TrimSpace(stderr), "\n") != 0 || !strings.Contains(stderr, port) || !strings.Contains(stderr, "set PORT or server.port") || stdout != "" {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"version"}, 0, "gcli2api "},
		{[]string{"--help"}, 0, "usage: gcli2api"}, {[]string{"help"}, 0, "usage: gcli2api"},
		{[]string{"dance"}, 2, `unknown command "dance"`},
		{[]string{"serve", "-nonsense"}, 2, "nonsense"},
		{[]string{"serve", "more"}, 2, `"more"`},
		{[]string{"serve", "-port", "99"}, 2, "-port"}, {[]string{"demo", "-config", "x"}, 2, "-config"},
		{[]string{"version", "-config", "x"}, 2, "-config"}, {[]string{"demo", "-port", "99999"}, 2, "between 1 and 65535"},
		{[]string{"serve", "--help"}, 0, "usage: gcli2api serve"}, {[]string{"help", "demo"}, 0, "usage: gcli2api demo"},
		{[]string{"check", "-h"}, 0, "usage: gcli2api check"}, {[]string{"healthcheck", "--help"}, 0, "usage: gcli2api healthcheck"},
		{[]string{"stages", "--help"}, 0, "usage: gcli2api stages"}, {[]string{"version", "--help"}, 0, "usage: gcli2api version"},
		{[]string{"migrate", "--help"}, 0, "usage: gcli2api migrate"}, {[]string{"backup", "--help"}, 0, "usage: gcli2api backup"}, {[]string{"help", "restore"}, 0, "usage: gcli2api restore"},
		{[]string{"migrate"}, 2, "say -to PLACE"}, {[]string{"migrate", "-out", "x"}, 2, "-out"}, {[]string{"restore"}, 2, "say -in FILE"}, {[]string{"backup", "more"}, 2, `"more"`},
		{[]string{"migrate", "-to", "ftp://x"}, 2, "no place for data"}, {[]string{"restore", "-in", "nowhere"}, 1, "nowhere"},
		{[]string{"help", "dance"}, 2, `unknown command "dance"`}, {[]string{"serv"}, 2, `did you mean "serve"`},
		{[]string{"stages"}, 0, "| `stage.retry.max_calls` | | `12` |"}, {[]string{"stages", "usage"}, 0, "## usage"}, {[]string{"stages", "dance"}, 2, `no stage "dance"`},
		{[]string{"check"}, 0, "built-in defaults: ok"},
		{[]string{"check", "-config", "nowhere.toml"}, 2, "nowhere.toml: there is no such file"},
		{[]string{"serve", "-config", "nowhere.toml"}, 2, "nowhere.toml: there is no such file"},
	} {
		code, stdout, stderr := run(t, nil, tt.args...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.says) || tt.code == 0 && stderr != "" || tt.code != 0 && stdout != "" {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", tt.args, code, stdout, stderr)
		}
	}
	_, stdout, _ := run(t, nil, "check")
	for _, name := range strings.Fields("auth quota format model translate credential upstream retry shape usage") {
		if !regexp.MustCompile(`(?m)^ *\d+  on +` + name + ` +\S`).MatchString(stdout) {
			t.Errorf("check does not list %q:\n%s", name, stdout)
		}
	}
}

// TestBadConfiguration: check and start say file, line, key and what would be right.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config string
		says   []string
	}{
		"unknown key":        {"[stage.retry]\nretruns = 3\n", []string{"config.toml:2: stage.retry.retruns", `"returns"`}},
		"unknown stage":      {"\n[stage.retri]\nreturns = 3\n", []string{"config.toml:2: stage.retri", `"retry"`}},
		"stage in the order": {"[pipeline]\norder = [\"auth\", \"dance\"]\n", []string{"config.toml:2: pipeline.order", `"dance"`}},
		"wrong type":         {"[server]\n\nport = \"many\"\n", []string{"config.toml:3: server.port", "between 1 and 65535"}},
		"out of range":       {"[stage.retry]\nmax_calls = 0\n", []string{"config.toml:2: stage.retry.max_calls", "between 1 and 64"}},
		"not UTF-8":          {"[server]\nhost = \"caf\xe9\"\n", []string{"config.toml:2: server.host: must be UTF-8"}},
		"table of the old":   {"[retry]\nretry_429_enabled = true\n", []string{"config.toml:1: retry: unknown table", "[stage.retry]"}},
		"two names of one":   {"port = 1\n[server]\nport = 2\n", []string{"config.toml:", "server.port: is set twice"}},
		"not TOML":           {"[server]\nport == 1\n", []string{"config.toml:2:"}},
		"impossible order": {"[pipeline]\norder = [\"auth\", \"quota\", \"format\", \"model\", \"translate\", \"upstream\", \"credential\", \"retry\", \"shape\", \"usage\"]\n",
			[]string{"config.toml:2: pipeline.order", `move "credential" before "upstream"`}},
		"nobody answers":      {"[stage.upstream]\nenabled = false\n", []string{"config.toml:", "upstream", "reply"}},
		"retry from nowhere":  {"[stage.retry]\nfrom = \"dance\"\n", []string{"config.toml:1: stage.retry", "dance"}},
		"user in an endpoint": {"[google]\n\ncode_assist_endpoint = \"https://u:hunter2@h\"\n", []string{"config.toml:3: google.code_assist_endpoint", "user or password"}},
		"half a proxy login":  {"[outbound]\nproxy = \"socks5://hunter2@h:1\"\n", []string{"config.toml:2: outbound.proxy", "SOCKS5"}},
		"bad models":          {"[models]\nlisting = \"some\"\n", []string{"config.toml:2: models.listing", `"all"`}},
		"auth off in public":  {"[server]\nhost = \"0.0.0.0\"\npassword = \"x\"\n[stage.auth]\nenabled = false\n", []string{"config.toml:", "auth", "pipeline.open"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(file, []byte(tt.config), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"check", "serve"} {
				code, stdout, stderr := run(t, []string{fmt.Sprintf("PORT=%d", freePort(t))}, command, "-config", file)
				for _, says := range tt.says {
					if code != 2 || stdout != "" || strings.Contains(stderr, "hunter2") || !strings.Contains(stderr, says) {
						t.Errorf("%s: exit %d, want 2 with %q: %s%s", command, code, says, stdout, stderr)
					}
				}
			}
		})
	}
}

// A variable that cannot be read does not keep the gateway from starting: it is named, and the default counts.
func TestBadEnvironment(t *testing.T) {
	t.Parallel()
	code, _, stderr := run(t, []string{"PORT=many"}, "check")
	if code != 0 || !strings.Contains(stderr, "warning: environment: PORT: ") || !strings.Contains(stderr, "between 1 and 65535") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

// The address is printed at once, and then the gateway answers.
func TestAddressIsPrinted(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1, light: true})
	if text := g.stdout.String(); !strings.Contains(text, "listens on "+g.url+"\n") {
		t.Errorf("it says %q", text)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// BenchmarkStart is the time until the gateway listens, with everything open.
func BenchmarkStart(b *testing.B) {
	for _, accounts := range []int{1, 100} {
		b.Run(fmt.Sprint("credentials=", accounts), func(b *testing.B) {
			sim := google(b, accounts, 0)
			dir := ""
			var took []time.Duration
			for b.Loop() {
				g := start(b, launch{sim: sim, accounts: accounts, light: true, dir: dir})
				took, dir = append(took, g.first), g.dir
				g.signal(syscall.SIGTERM)
				g.exits()
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e6, "ms/start")
		})
	}
}

// A gateway that can answer nothing says so, and one that can does not.
func TestNoCredentialIsSaid(t *testing.T) {
	t.Parallel()
	for accounts, want := range map[int]int{0: 1, 1: 0} {
		g := start(t, launch{sim: google(t, accounts, 0), accounts: accounts})
		g.signal(syscall.SIGTERM)
		g.exits()
		if said := g.stdout.String(); strings.Count(said, "[WARNING] there is no credential: set GEMINI_API_KEY") != want {
			t.Errorf("with %d accounts: %s", accounts, said)
		}
	}
}

// begin starts a stream and returns once its first event is there.
func (g *gateway) begin(a ask, prompt string) *http.Response {
	g.t.Helper()
	path, body := a.http(flash, prompt)
	resp, err := client.Do(g.request("POST", path, body))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { resp.Body.Close() })
	one := make([]byte, 5)
	if _, err := resp.Body.Read(one); err != nil || string(one) != "data:" {
		g.t.Fatalf("the stream begins with %q, %v", one, err)
	}
	return resp
}

// sees waits until the process has ended.
func (g *gateway) exits() int {
	g.t.Helper()
	select {
	case <-g.ended:
	case <-time.After(2 * time.Minute):
		g.t.Error("the gateway did not end within 20 s")
	}
	return g.code
}

func (g *gateway) signal(s os.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		g.t.Error(err)
	}
}

func TestStopLetsStreamsFinish(t *testing.T) {
	t.Parallel()
	for i, a := range []ask{{stream: true}, {gemini: true, stream: true}} {
		sim := google(t, 1, 0)
		g := start(t, launch{sim: sim, accounts: 1})
		resp := g.begin(a, "!fault silence 1s")
		g.signal([]os.Signal{syscall.SIGTERM, syscall.SIGINT}[i])
		if !g.waitLine("stopping") {
			t.Fatal("no line about the stop")
		}
		g.signal(syscall.SIGHUP) // by now it means nothing
		wait(t, "no connection is accepted any more", func() bool {
			c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		rest := readAll(t, resp.Body)
		if got := understand(t, a, reply{status: 200, body: []byte("data:" + rest)}); !got.whole || got.text != "echo: !fault silence 1s" {
			t.Errorf("%+v", got)
		}
		if code := g.exits(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if said := strings.TrimSpace(g.stdout.String()); !strings.HasSuffix(said, "[INFO] stopped") {
			t.Errorf("the last line is not the end: %s", said)
		}
	}
}

func TestStopCutsWhatDoesNotFinish(t *testing.T) {
	t.Parallel()
	for _, a := range []ask{{stream: true}, {gemini: true, stream: true}} {
		sim := google(t, 1, 0)
		g := start(t, launch{sim: sim, accounts: 1, config: "[server]\ndrain_timeout = \"300ms\"\n"})
		resp := g.begin(a, "!fault silence 60s")
		g.signal(syscall.SIGTERM)
		got := understand(t, a, reply{status: 200, body: []byte("data:" + readAll(t, resp.Body))})
		if got.whole || got.fail == nil || !strings.Contains(got.fail.Error.Message, "stopping") {
			t.Errorf("%+v", got)
		}
		if code := g.exits(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if said := g.stdout.String(); !strings.Contains(said, "code=overloaded gone=false") || strings.Contains(said, "code=client_gone") {
			t.Errorf("the log blames somebody else: %s", said)
		}
		idle(t, sim)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, dirty: true})
	g.begin(ask{stream: true}, "!fault silence 60s")
	g.signal(syscall.SIGTERM)
	if !g.waitLine("stopping") {
		t.Fatal("no line about the stop")
	}
	g.signal(syscall.SIGTERM)
	if g.exits(); g.code != -1 { // ended by the signal
		t.Errorf("exit code %d", g.code)
	}
	idle(t, sim)
}

// idle waits until Google's side has no call of ours left.
func idle(t testing.TB, sim *simulator.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := sim.WaitIdle(ctx); err != nil {
		t.Errorf("%d calls are still open at Google", sim.Open())
	}
}

// TestLogs: each request has its line with its id, and nothing in any log is secret or a body.
func TestLogs(t *testing.T) {
	t.Parallel()
	const shapeless = "of-no-known-shape" // only who was told knows that this is a key
	sim := google(t, 2, 2)
	sim.AddKey(shapeless)
	g := start(t, launch{sim: sim, accounts: 2, keys: 1, env: map[string]string{"GEMINI_API_KEY": apiKey(1), "CALLS_PER_ROTATION": "1"},
		files: map[string]string{"stale.json": string(sim.StaleCredentialFile("ann1@example.com", simulator.LayoutCLIProxy)),
			"shapeless.json": `{"type":"gemini_api_key","api_key":"` + shapeless + `"}`}})
	const prompt = "Xylophones-are-private"
	picture := base64.StdEncoding.EncodeToString([]byte("not really a picture, but private"))
	ids := map[string]int{}
	note := func(r reply) { ids[r.header.Get("X-Request-Id")] = r.status }
	for _, a := range asks() {
		for _, p := range []string{prompt, "!fault 400 # " + prompt, "!fault cut # " + prompt} {
			note(g.put(a, p))
		}
	}
	note(g.post("/v1/chat/completions", `{"model":"`+flash+`","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,`+picture+`"}}]}]}`))
	note(g.post("/v1/chat/completions?key="+secret, `{"model":"`+flash+`","messages":["`+prompt+`"]}`, header("Authorization", "Bearer wrong-"+secret)))
	for _, model := range []string{secret, shapeless} { // the line of a request names its model
		note(g.post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"`+prompt+`"}]}`))
	}
	note(g.get("/v1/models?key="+prompt, header("Authorization")))
	note(g.get("/nothing/" + prompt))
	note(g.post("/v1beta/models/"+prompt+":predict", "{}"))
	g.settled()
	sim.ExpireTokens("ann0@example.com")
	note(g.put(ask{}, prompt))
	g.signal(syscall.SIGTERM)
	g.exits()
	file := g.read("gateway.log")
	stdout := g.stdout.String()
	for id, status := range ids {
		line := regexp.MustCompile(`(?m)^.* id=` + regexp.QuoteMeta(id) + ` .*$`)
		for name, text := range map[string]string{"stdout": stdout, "the file": file} {
			if got := line.FindAllString(text, -1); id == "" || len(got) != 1 || !strings.Contains(got[0], fmt.Sprintf("status=%d", status)) {
				t.Errorf("request %q with status %d in %s: %q", id, status, name, got)
			}
		}
	}
	secrets := []string{secret, shapeless, apiKey(0), apiKey(1), "ya29.", "1//0sim", simulator.ClientSecret, picture, "Xylophones"}
	for name, text := range map[string]string{"stdout": stdout, "stderr": g.stderr.String(), "the file": file} {
		for _, s := range secrets {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s holds %q: ...%s...", name, s, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}
}
