package server_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"gcli2api/pipeline/simulator"
)

// nowhere is a name that resolves at the proxies of a test only, so nothing gets there without one.
const nowhere = "http://google.test"

// tollgate is a proxy with a password that leads everything to the simulator and keeps what passed.
type tollgate struct {
	url   string
	mu    sync.Mutex
	heard bytes.Buffer
	wg    sync.WaitGroup
}

// must tells what the proxy has to have heard.
func (p *tollgate) must(t *testing.T, texts ...string) {
	t.Helper()
	heard := p.String()
	for _, text := range texts {
		if !strings.Contains(heard, text) {
			t.Errorf("the proxy %.10s did not hear %q", p.url, text)
		}
	}
}

const tollSecret = "w4yOut-of-the-tests" // made up

func (p *tollgate) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard.Write(b)
}

func (p *tollgate) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard.String()
}

// toll starts one; greet takes the client's wish for a tunnel.
func toll(t *testing.T, sim *simulator.Server, scheme string, greet func(c net.Conn, br *bufio.Reader) bool) *tollgate {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tollgate{url: scheme + "://someone:" + tollSecret + "@" + ln.Addr().String()}
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() {
				defer c.Close()
				br := bufio.NewReader(c)
				if !greet(c, br) {
					return
				}
				up, err := net.Dial("tcp", strings.TrimPrefix(sim.URL(), "http://"))
				if err != nil {
					return
				}
				defer up.Close()
				go func() { _, _ = io.Copy(c, up); _ = c.Close() }()
				_, _ = io.Copy(io.MultiWriter(p, up), br) // heard before it is answered
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close() })
	return p
}

func connectToll(c net.Conn, br *bufio.Reader) bool {
	req, err := http.ReadRequest(br)
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("someone:"+tollSecret))
	if err != nil || req.Method != http.MethodConnect || req.Host != "google.test:80" || req.Header.Get("Proxy-Authorization") != want {
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return false
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	return true
}

func socksToll(c net.Conn, br *bufio.Reader) bool {
	for _, step := range []struct{ hears, says string }{
		{"\x05\x02\x00\x02", "\x05\x02"},
		{"\x01\x07someone" + string(rune(len(tollSecret))) + tollSecret, "\x01\x00"},
		{"\x05\x01\x00\x03\x0bgoogle.test\x00\x50", "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
	} {
		heard := make([]byte, len(step.hears))
		if _, err := io.ReadFull(br, heard); err != nil || string(heard) != step.hears {
			return false
		}
		_, _ = io.WriteString(c, step.says)
	}
	return true
}

// behind is a gateway that reaches Google by proxies only, with two accounts whose tokens have run
// out, one of them without a project, and a key.
func behind(t *testing.T, sim *simulator.Server) launch {
	env := map[string]string{"CALLS_PER_ROTATION": "1"}
	for _, name := range []string{"OAUTH_PROXY_URL", "GOOGLEAPIS_PROXY_URL", "RESOURCE_MANAGER_API_URL", "SERVICE_USAGE_API_URL",
		"CODE_ASSIST_ENDPOINT", "GEMINI_API_BASE_URL", "VERTEX_BASE_URL"} {
		env[name] = nowhere
	}
	env["METADATA_SERVICE_URL"] = "-"
	env["OAUTH_CLIENT_ID"], env["OAUTH_CLIENT_SECRET"] = simulator.ClientID, simulator.ClientSecret
	l := launch{sim: sim, env: env, files: map[string]string{"key0.json": string(sim.KeyFile(apiKey(0)))}}
	for i, layout := range []simulator.Layout{simulator.LayoutGateway, simulator.LayoutGeminiCLI} {
		text := string(sim.StaleCredentialFile(fmt.Sprintf("ann%d@example.com", i), layout))
		l.files[fmt.Sprintf("ann%d.json", i)] = strings.ReplaceAll(text, sim.URL(), nowhere)
	}
	return l
}

func (g *gateway) configure(body string) {
	g.t.Helper()
	r := g.post("/creds/configure", body)
	if r.status != 200 || bytes.Contains(r.body, []byte(tollSecret)) {
		g.t.Fatalf("%s: %d %s", body, r.status, r.body)
	}
}

// Two accounts by two proxies: refresh, discovery and calls of each go by its own, also after a
// restart, and no log and no page shows a password.
func TestEachCredentialByItsOwnProxy(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 1)
	one, two := toll(t, sim, "http", connectToll), toll(t, sim, "socks5", socksToll)
	l := behind(t, sim)
	g := start(t, l)
	if r := g.put(ask{}, "hello"); r.status < 500 {
		t.Fatalf("Google is reached without a proxy: %d %s", r.status, r.body)
	}
	g.configure(`{"filename":"ann0.json","proxy":` + quoted(one.url) + `}`)
	g.configure(`{"filename":"ann1.json","proxy":` + quoted(two.url) + `}`)
	for _, name := range []string{"ann0.json", "ann1.json", "key0.json"} { // what was learned of them without a proxy is over
		g.post("/creds/action", `{"filename":"`+name+`","action":"enable"}`)
	}
	g.post("/creds/action", `{"filename":"key0.json","action":"disable"}`)
	for range 4 {
		for _, a := range append(asks(), ask{}) { // an odd number, so that each account has each kind
			if r := g.put(a, "hello"); r.status != 200 {
				t.Errorf("%s: %d %s", a.name, r.status, r.body)
			}
		}
	}
	one.must(t, "POST /token ", ":generateContent ", ":streamGenerateContent?alt=sse ")
	two.must(t, "POST /token ", ":loadCodeAssist ", ":generateContent ", ":streamGenerateContent?alt=sse ")
	ann := [2]string{refreshTokenOf(t, l.files["ann0.json"]), refreshTokenOf(t, l.files["ann1.json"])}
	escape := strings.NewReplacer("/", "%2F")
	if !strings.Contains(one.String(), escape.Replace(ann[0])) || strings.Contains(one.String(), escape.Replace(ann[1])) ||
		!strings.Contains(two.String(), escape.Replace(ann[1])) || strings.Contains(two.String(), escape.Replace(ann[0])) {
		t.Error("a refresh went by the proxy of another account")
	}

	pages := string(g.get("/creds/status").body) + string(g.get("/creds/detail?filename=ann0.json").body)
	if !strings.Contains(pages, "http://***@127.0.0.1:") || strings.Contains(pages, tollSecret) {
		t.Errorf("pages: %s", pages)
	}
	g.settled()
	g.close(false)
	l.dir = g.dir
	heard := len(one.String())
	again := start(t, l)
	for range 3 {
		if r := again.put(ask{}, "hello"); r.status != 200 {
			t.Errorf("after a restart: %d %s", r.status, r.body)
		}
	}
	if len(one.String()) == heard {
		t.Error("after a restart nothing goes by the proxy")
	}
	if log := again.read("gateway.log"); strings.Contains(log, tollSecret) {
		t.Error("the log shows the password of a proxy")
	}
}

// What a key does, Google's list of models included, goes by its proxy.
func TestKeyByItsOwnProxy(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 1)
	gate := toll(t, sim, "socks5", socksToll)
	l := behind(t, sim)
	delete(l.files, "ann0.json")
	delete(l.files, "ann1.json")
	l.config = "[models]\nlive = true\n"
	g := start(t, l)
	g.configure(`{"filenames":["key0.json"],"proxy":` + quoted(gate.url) + `}`)
	if r := g.get("/v1/models"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.post("/v1/embeddings", `{"model":"gemini-embedding-001","input":"hi"}`); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	gate.must(t, "GET /v1beta/models?pageSize=1000 ", "mbedContent", ":generateContent ")
}

// A proxy that is gone, or has another password, costs its credential a rest and no client an answer.
func TestBrokenProxyOfOneCredential(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 1)
	good := toll(t, sim, "http", connectToll)
	g := start(t, behind(t, sim))
	gone := fmt.Sprintf("socks5://someone:%s@127.0.0.1:%d", tollSecret, freePort(t))
	g.configure(`{"filename":"ann0.json","proxy":` + quoted(gone) + `}`)
	g.configure(`{"filename":"ann1.json","proxy":` + quoted(good.url) + `}`)
	g.configure(`{"filename":"key0.json","proxy":` + quoted(strings.Replace(good.url, "someone", "other", 1)) + `}`)
	for range 6 {
		for _, a := range asks() {
			if r := g.put(a, "hello"); r.status != 200 {
				t.Errorf("%s: %d %s", a.name, r.status, r.body)
			}
		}
	}
	for _, c := range sim.CallsOf("generateContent", "streamGenerateContent") {
		if c.Credential != "ann1@example.com" {
			t.Errorf("served by %s", c.Credential)
		}
	}
	if text := g.stdout.String() + g.read("gateway.log"); strings.Contains(text, tollSecret) {
		t.Error("the log shows the password of a proxy")
	}
	if strings.Contains(string(g.get("/creds/status?status_filter=disabled").body), `"filename"`) {
		t.Error("a broken proxy has switched a credential off")
	}
}

func refreshTokenOf(t *testing.T, file string) string {
	t.Helper()
	var c struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(file), &c); err != nil || c.RefreshToken == "" {
		t.Fatalf("no refresh token in it: %v", err)
	}
	return c.RefreshToken
}
