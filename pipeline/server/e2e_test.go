// The end-to-end tests run the built binary against the simulator over real sockets: what a client
// sees is all they look at, with the simulator's record of what reached "Google" beside it.
package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// secret is the password of the gateways under test: no other text contains it, so that a search
// through logs cannot find it by accident.
const secret = "s3cret-Passw0rd-of-the-tests"

// TestMain lets many tests run at a time: nearly all they do is wait for pauses of the gateway.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("48")
	}
	code := m.Run()
	for _, b := range []*builder{&plainBinary, &raceBinary, &shiftedBinary} {
		if b.dir != "" {
			os.RemoveAll(b.dir)
		}
	}
	os.Exit(code)
}

// plainBinary, raceBinary and shiftedBinary are the program, each built once, when a test first asks for it.
var plainBinary, raceBinary, shiftedBinary builder

type builder struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// program builds the gateway like the test itself, with the race detector or without; light asks
// for one without, for tests that start hundreds.
func program(t testing.TB, light bool) string {
	t.Helper()
	b, args := &plainBinary, []string{"build"}
	if raceDetector && !light {
		b, args = &raceBinary, append(args, "-race")
	}
	return b.build(t, args)
}

// program is what is started.
func (l launch) program(t testing.TB) string {
	if l.shifted {
		return shiftedBinary.build(t, []string{"build", "-tags", "clockshift"})
	}
	return program(t, l.light)
}

// build builds once.
func (b *builder) build(t testing.TB, args []string) string {
	t.Helper()
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "gcli2api-e2e-"); b.err != nil {
			return
		}
		b.path = filepath.Join(b.dir, "gcli2api")
		cmd := exec.Command("go", append(args, "-o", b.path, ".")...)
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// google starts a simulator with accounts (ann0@example.com, ...) and API keys.
func google(t testing.TB, accounts, keys int, change ...func(*simulator.Options)) *simulator.Server {
	t.Helper()
	var o simulator.Options
	for _, f := range change {
		f(&o)
	}
	sim, err := simulator.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	for i := range accounts {
		sim.AddAccount(simulator.Account{Email: fmt.Sprintf("ann%d@example.com", i)})
	}
	for i := range keys {
		sim.AddKey(apiKey(i))
	}
	return sim
}

func apiKey(i int) string { return fmt.Sprintf("AIzaTest%031d", i) }

// launch says how a gateway is started.
type launch struct {
	sim            *simulator.Server
	accounts, keys int               // which of the simulator's go into the credentials folder
	files          map[string]string // more for that folder
	env            map[string]string // on top of the defaults; "-" takes one away
	config         string            // text of a config.toml
	dirty          bool              // the test ends it by force: nothing to check at the end
	light          bool              // without the race detector, whatever the test has
	shifted        bool              // its clock is wrong by CLOCK_SHIFT
	args           []string          // instead of serve and the configuration
	dir            string            // of an earlier gateway, with all that it left; "" for a new one
}

// gateway is a running process.
type gateway struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string
	port   int
	dir    string // with creds/, config.toml and gateway.log
	pass   string
	stdout capture
	stderr capture
	ended  chan struct{}
	code   int
	first  time.Duration // from the start to the line that it listens
}

// capture keeps what a process writes.
type capture struct {
	mu    sync.Mutex
	b     bytes.Buffer
	lines chan string
}

func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.Write(p)
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}

// freePort gives a port that was free a moment ago. It is none of those that the system gives to connections by
// itself, of which the tests have hundreds at a time: one of them would have taken it by the time it is used.
func freePort(t testing.TB) int {
	t.Helper()
	var ln net.Listener
	var err error
	for range 100 {
		port := 10_000 + rand.IntN(22_000)
		if ln, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal(err)
	return 0
}

// start runs the gateway until the test ends and waits until it listens.
func start(t testing.TB, l launch) *gateway {
	t.Helper()
	for try := 0; ; try++ {
		g := spawn(t, l)
		if g.waitLine("listens on ") {
			t.Cleanup(func() { g.close(l.dirty) })
			return g
		}
		<-g.ended
		if try == 5 || !strings.Contains(g.stderr.String(), "address already in use") {
			t.Fatalf("the gateway did not start: %s%s", g.stdout.String(), g.stderr.String())
		}
	}
}

// spawn runs the gateway and returns at once.
func spawn(t testing.TB, l launch) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: l.dir, port: freePort(t), pass: secret, ended: make(chan struct{})}
	g.url = "http://127.0.0.1:" + strconv.Itoa(g.port)
	if g.dir == "" {
		g.dir = t.TempDir()
		g.credentials(l)
	}
	args := []string{"serve"}
	if l.config != "" {
		file := filepath.Join(g.dir, "config.toml")
		if err := os.WriteFile(file, []byte(l.config), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-config", file)
	}
	if l.args != nil {
		args = l.args
	}
	g.cmd = exec.Command(l.program(t), args...)
	g.cmd.Dir, g.cmd.Env, g.cmd.SysProcAttr = g.dir, g.environ(l), dieWithTest()
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.cmd.Stderr = &g.stderr
	g.stdout.lines = make(chan string, 64)
	begun := time.Now()
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go g.follow(out, begun)
	return g
}

// follow hands on the lines of stdout until the process has ended.
func (g *gateway) follow(out io.Reader, begun time.Time) {
	defer close(g.ended)
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		if g.first == 0 && strings.Contains(scan.Text(), "listens on") {
			g.first = time.Since(begun)
		}
		fmt.Fprintln(&g.stdout, scan.Text())
		select {
		case g.stdout.lines <- scan.Text():
		default:
		}
	}
	close(g.stdout.lines)
	var exit *exec.ExitError
	if err := g.cmd.Wait(); errors.As(err, &exit) {
		g.code = exit.ExitCode()
	}
}

// waitLine waits for a line on stdout; false when the process ended without it.
func (g *gateway) waitLine(says string) bool {
	late := time.After(2 * time.Minute)
	for {
		select {
		case line, ok := <-g.stdout.lines:
			if !ok {
				return false
			}
			if strings.Contains(line, says) {
				return true
			}
		case <-late:
			_ = g.cmd.Process.Kill()
			g.t.Errorf("no line with %q within two minutes", says)
			return false
		}
	}
}

func (g *gateway) credentials(l launch) {
	dir := filepath.Join(g.dir, "creds")
	if err := os.Mkdir(dir, 0o700); err != nil {
		g.t.Fatal(err)
	}
	for i := range l.accounts {
		g.drop(fmt.Sprintf("ann%d.json", i), l.sim.CredentialFile(fmt.Sprintf("ann%d@example.com", i), simulator.LayoutGateway))
	}
	for i := range l.keys {
		g.drop(fmt.Sprintf("key%d.json", i), l.sim.KeyFile(apiKey(i)))
	}
	for name, text := range l.files {
		g.drop(name, []byte(text))
	}
}

// read gives a file of the gateway's folder.
func (g *gateway) read(name string) string {
	g.t.Helper()
	b, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil {
		g.t.Error(err)
	}
	return string(b)
}

func (g *gateway) drop(name string, data []byte) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, "creds", name), data, 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// environ is all the process gets: nothing of the environment of the tests but where things are.
func (g *gateway) environ(l launch) []string {
	env := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": g.dir, "TMPDIR": os.TempDir(), "GORACE": "atexit_sleep_ms=0",
		"HOST": "127.0.0.1", "PORT": strconv.Itoa(g.port), "PASSWORD": secret,
		"CREDENTIALS_DIR": filepath.Join(g.dir, "creds"), "LOG_FILE": filepath.Join(g.dir, "gateway.log"), "LOG_LEVEL": "debug",
	}
	google := "http://127.0.0.1:9" // nobody there
	if l.sim != nil {
		google = l.sim.URL()
	}
	for _, name := range []string{"OAUTH_PROXY_URL", "GOOGLEAPIS_PROXY_URL", "METADATA_SERVICE_URL", "RESOURCE_MANAGER_API_URL",
		"SERVICE_USAGE_API_URL", "CODE_ASSIST_ENDPOINT", "GEMINI_API_BASE_URL", "VERTEX_BASE_URL", "OAUTH_AUTH_URL"} {
		env[name] = google
	}
	for name, value := range l.env {
		if env[name] = value; value == "-" {
			delete(env, name)
		}
	}
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// close ends the process and checks what must hold after every test: nothing is lent, nothing
// raced, nothing panicked, and it stops when told.
func (g *gateway) close(dirty bool) {
	g.t.Helper()
	if !dirty {
		g.settled()
	}
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.ended:
	case <-time.After(2 * time.Minute):
		_ = g.cmd.Process.Kill()
		<-g.ended
		g.t.Errorf("the gateway did not stop within 20 s of SIGTERM")
	}
	text := g.stdout.String() + g.stderr.String()
	if !dirty && g.code != 0 {
		g.t.Errorf("exit code %d\n%s", g.code, text)
	}
	for _, bad := range []string{"DATA RACE", "panicked", "panic:"} {
		if strings.Contains(text, bad) {
			g.t.Errorf("the gateway says %q:\n%s", bad, text)
		}
	}
}

// settled waits until no credential is lent; only what is in flight lends one.
func (g *gateway) settled() {
	g.t.Helper()
	select {
	case <-g.ended:
		return
	default:
	}
	var leases int64
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		a := g.get("/creds/status")
		if a.status != 200 {
			return // a test of a gateway without this password
		}
		var s struct{ Leases int64 }
		if err := json.Unmarshal(a.body, &s); err != nil {
			g.t.Errorf("/creds/status: %v in %s", err, a.body)
			return
		}
		if leases = s.Leases; leases == 0 {
			return
		}
	}
	g.t.Errorf("%d leases are still out", leases)
}

// reply is a whole HTTP answer.
type reply struct {
	status int
	header http.Header
	body   []byte
	broken error // while reading the body
}

// do sends a request with the password and reads the whole answer.
func (g *gateway) do(method, path string, body string, change ...func(*http.Request)) reply {
	g.t.Helper()
	req := g.request(method, path, body, change...)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		g.t.Errorf("%s %s: %v", method, path, err)
		return reply{header: http.Header{}}
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header}
	r.body, r.broken = io.ReadAll(resp.Body)
	return r
}

// client follows no redirect and keeps no connection: each test owns its own.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (g *gateway) request(method, path, body string, change ...func(*http.Request)) *http.Request {
	g.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, g.url+path, r)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.pass)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, f := range change {
		f(req)
	}
	return req
}

func (g *gateway) get(path string, change ...func(*http.Request)) reply {
	g.t.Helper()
	return g.do("GET", path, "", change...)
}

func (g *gateway) post(path, body string, change ...func(*http.Request)) reply {
	g.t.Helper()
	return g.do("POST", path, body, change...)
}

// header sets a header; without a value it takes it away.
func header(name string, value ...string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del(name)
		for _, v := range value {
			r.Header.Set(name, v)
		}
	}
}

// envelope is an error of either format.
type envelope struct {
	Error struct {
		Message string
		Type    string
		Param   string
		Code    any // OpenAI: a word; Gemini: the HTTP status
		Status  string
		Details []struct{ Reason, RetryDelay string }
	}
}

func (r reply) err() *envelope {
	e := &envelope{}
	_ = json.Unmarshal(r.body, e)
	return e
}

// quoted is s as a JSON string.
func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("reading the answer: %v", err)
	}
	return string(b)
}
