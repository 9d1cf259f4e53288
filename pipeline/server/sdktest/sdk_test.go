// Package sdktest holds the gateway to what the official clients of OpenAI, Google and Anthropic make of it: the
// built binary, the simulated Google, real sockets. It is a module of its own, so that the clients'
// dependencies stay out of the gateway's.
package sdktest

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"google.golang.org/genai"
)

const (
	password   = "sdk-password"
	flash      = "gemini-2.5-flash"
	apiKey     = "AIzaSdkTests-000000000000000000000000000"
	expressKey = "AQ.express-key-of-the-clients-0000000001"
	story      = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
)

// program is the gateway, built by TestMain.
var program string

func TestMain(m *testing.M) { os.Exit(withProgram(m)) }

func withProgram(m *testing.M) int {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("64") // nearly all that the tests do is wait for silences
	}
	dir, err := os.MkdirTemp("", "gcli2api-sdk-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "gcli2api")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// house is a gateway in front of a simulator, with one kind of credentials.
type house struct {
	kind     string
	password string // "" leaves the built-in one, pwd
	config   string // config.toml
	env      []string
	retries  int // of the clients themselves
	sim      *simulator.Server
	url      string
	ai       openai.Client // with the right password
	gen      *genai.Client
}

// kinds runs a test once for each kind of credentials, each time in a house of its own.
func kinds(t *testing.T, test func(*testing.T, *house)) {
	t.Parallel()
	for _, kind := range credentials() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, kind))
		})
	}
}

// credentials are the kinds with which the clients of all languages are tried. Vertex is a service account and an
// express key, which take turns call by call, so that dialogues go to and fro between them.
func credentials() []string { return []string{"codeassist", "geminiapi", "vertex"} }

// accounts are enough for the calls that a test holds open at a time: an account serves two.
const accounts = 24

func open(t *testing.T, kind string, config ...string) *house {
	t.Helper()
	h := build(t, kind, password, config...)
	h.ai = h.openai(password)
	h.gen = h.genai(t, password)
	return h
}

// build is a house without clients.
func build(t *testing.T, kind, password string, config ...string) *house {
	t.Helper()
	sim, err := simulator.Start(simulator.Options{EventGap: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	h := &house{kind: kind, password: password, config: "[stage.shape]\nheartbeat = \"3s\"\nfirst_byte_grace = \"10s\"\n", sim: sim}
	if len(config) > 0 {
		h.config = config[0]
	}
	creds := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(creds, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	switch kind {
	case "vertex":
		write("robot.json", sim.AddServiceAccount("", "sdk-project"))
		sim.AddKey(expressKey, simulator.KeyOnly(simulator.Vertex))
		write("express.json", sim.ExpressKeyFile(expressKey))
		h.env = append(h.env, "CALLS_PER_ROTATION=1")
	case "codeassist":
		for i := range accounts {
			a := sim.AddAccount(simulator.Account{Email: fmt.Sprintf("ann%d@example.com", i)})
			data := sim.CredentialFile(a.Email, simulator.LayoutGateway)
			if i < 2 { // whose tokens have run out
				data = sim.StaleCredentialFile(a.Email, simulator.LayoutGateway)
			}
			write(fmt.Sprintf("ann%02d.json", i), data)
		}
	default:
		sim.AddKey(apiKey)
		write("key.json", sim.KeyFile(apiKey))
	}
	write("config.toml", []byte(h.config))
	h.start(t, creds)
	return h
}

// start runs the gateway until the test ends.
func (h *house) start(t *testing.T, creds string) {
	t.Helper()
	for range 5 {
		port := freePort(t)
		cmd := exec.Command(program)
		cmd.Dir = creds
		cmd.SysProcAttr = dieWithTest()
		cmd.Env = []string{"HOST=127.0.0.1", "PORT=" + strconv.Itoa(port), "CREDENTIALS_DIR=" + creds, "LOG_FILE=/dev/null",
			"RETRY_429_INTERVAL=0.01", "IMAGE_FETCH_ALLOW=127.0.0.0/8"}
		if h.password != "" {
			cmd.Env = append(cmd.Env, "PASSWORD="+h.password)
		}
		for _, name := range []string{"OAUTH_PROXY_URL", "GOOGLEAPIS_PROXY_URL", "METADATA_SERVICE_URL", "RESOURCE_MANAGER_API_URL",
			"SERVICE_USAGE_API_URL", "CODE_ASSIST_ENDPOINT", "GEMINI_API_BASE_URL", "VERTEX_BASE_URL", "OAUTH_AUTH_URL"} {
			cmd.Env = append(cmd.Env, name+"="+h.sim.URL())
		}
		cmd.Env = append(cmd.Env, h.env...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		if !listens(lines) { // somebody else took the port
			_ = cmd.Wait()
			continue
		}
		drained := make(chan struct{})
		go func() { _, _ = io.Copy(io.Discard, lines); close(drained) }()
		t.Cleanup(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			<-drained
			if err := cmd.Wait(); err != nil {
				t.Errorf("the gateway ended with %v", err)
			}
		})
		h.url = "http://127.0.0.1:" + strconv.Itoa(port)
		return
	}
	t.Fatal("the gateway did not start")
}

// listens reads as far as the line that says so; false when the gateway ended without it.
func listens(lines *bufio.Reader) bool {
	for {
		line, err := lines.ReadString('\n')
		if err != nil || strings.Contains(line, "listens on") {
			return err == nil
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// openai is a client whose own retries are off, unless a test is about them: what the gateway says is what it sees.
func (h *house) openai(key string) openai.Client {
	return openai.NewClient(option.WithBaseURL(h.url+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(h.retries))
}

func (h *house) genai(t *testing.T, key string) *genai.Client {
	t.Helper()
	o := genai.HTTPOptions{BaseURL: h.url}
	if h.retries > 0 { // or it has none
		o.RetryOptions = &genai.HTTPRetryOptions{Attempts: new(int32(h.retries + 1))}
	}
	c, err := genai.NewClient(context.Background(), &genai.ClientConfig{APIKey: key, Backend: genai.BackendGeminiAPI, HTTPOptions: o})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// retrying is the house with Go clients that try again so often.
func (h *house) retrying(t *testing.T, retries int) *house {
	t.Helper()
	if retries == h.retries {
		return h
	}
	again := *h
	again.retries = retries
	again.ai, again.gen = again.openai(password), again.genai(t, password)
	return &again
}

// description reads what the simulator says of the request that reached it.
func description(t *testing.T, text string) (d simulator.Description) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("no description: %v in %q", err, text)
	}
	return d
}

// idle waits until no call to Google is open.
func (h *house) idle(t *testing.T, patience time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.sim.WaitIdle(ctx); err != nil {
		t.Errorf("%d calls are still open at Google", h.sim.Open())
	}
}
