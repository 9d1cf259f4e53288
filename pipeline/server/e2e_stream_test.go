package server_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

func streams() []ask {
	return []ask{{name: "openai", stream: true}, {name: "gemini", gemini: true, stream: true}, {name: "array", gemini: true, stream: true, array: true}}
}

func paced(o *simulator.Options) { o.EventGap = 60 * time.Millisecond }

// oneByOne streams some dozen events and holds each arrival against what Google has sent by then:
// whoever keeps events back falls behind, every time. A busy machine makes the reader late as well,
// so that one of several goes has to be in time.
func (g *gateway) oneByOne(a ask, sim *simulator.Server, base string) {
	g.t.Helper()
	for try := 1; ; try++ {
		here, sent := g.behind(a, sim, base)
		if sent <= here+3 {
			return
		}
		if try == 4 {
			g.t.Errorf("%s: %d events were here when Google had sent %d", a.name, here, sent)
			return
		}
	}
}

// behind gives the moment of a stream at which most events were missing.
func (g *gateway) behind(a ask, sim *simulator.Server, base string) (here, sent int) {
	g.t.Helper()
	words := strings.TrimSpace(strings.Repeat("one two three four ", 9)) + fmt.Sprintf(" %p", &here)
	path, body := a.http(flash, words)
	req := g.request("POST", path, body)
	req.URL.Host = base
	resp, err := client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	mark := map[bool]string{true: `"candidates"`, false: `"choices"`}[a.gemini]
	var all strings.Builder
	buf := make([]byte, 32<<10)
	for err == nil {
		var n int
		n, err = resp.Body.Read(buf)
		all.Write(buf[:n])
		if h, s := strings.Count(all.String(), mark), eventsSent(sim, words); s-h > sent-here {
			here, sent = h, s
		}
	}
	got := understand(g.t, a, reply{status: resp.StatusCode, body: []byte(all.String())})
	if err != io.EOF || !got.whole || got.text != "echo: "+words || got.events < 12 {
		g.t.Errorf("%s: %v, %+v", a.name, err, got)
	}
	return here, sent
}

// eventsSent looks the call up by its prompt: heartbeats may come before it has reached Google.
func eventsSent(sim *simulator.Server, prompt string) int {
	for _, c := range sim.CallsOf("streamGenerateContent") {
		if strings.Contains(string(c.Body), prompt) {
			return c.Events
		}
	}
	return 0
}

func TestEventsArriveOneByOne(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0, paced)
	g := start(t, launch{sim: sim, accounts: 1})
	for _, a := range streams() {
		g.oneByOne(a, sim, strings.TrimPrefix(g.url, "http://"))
	}
}

// TestSilence: heartbeats before the first event and inside an answer, in the form of each format,
// and an error that comes after the status line is out.
func TestSilence(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 1)
	env := map[string]string{"FIRST_BYTE_GRACE": "0.05", "HEARTBEAT_INTERVAL": "0.05"}
	for kind, l := range map[string]launch{"codeassist": {sim: sim, accounts: 1, env: env}, "geminiapi": {sim: sim, keys: 1, env: env}} {
		g := start(t, l)
		for _, a := range streams() {
			for _, fault := range []string{"slow-first 2s", "slow-event 2s", "silence 2s"} {
				t.Run(kind+"/"+a.name+"/"+fault, func(t *testing.T) {
					t.Parallel()
					r := g.put(a, "!fault "+fault)
					got := understand(t, a, r)
					beats := regexp.MustCompile(map[string]string{"openai": `(: ping\n\n){3}`, "gemini": `data: {4}`, "array": `\n{3}`}[a.name])
					if !got.whole || got.text != "echo: !fault "+fault || !beats.Match(r.body) {
						t.Errorf("%q", r.body)
					}
				})
			}
			t.Run(kind+"/"+a.name+"/a late error", func(t *testing.T) {
				t.Parallel()
				r := g.put(a, "!fault slow-first 2s 400")
				if got := understand(t, a, r); r.status != 200 || got.whole || got.fail == nil || got.text != "" {
					t.Errorf("%d %q", r.status, r.body)
				}
			})
		}
	}
}

// TestClientLeaves: whoever leaves is noticed within a second, the call to Google ends, the
// credential is free and bears no blame.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ask
		fault string
	}{
		{ask{name: "stream", stream: true}, "silence 60s"},
		{ask{name: "gemini stream", gemini: true, stream: true}, "silence 60s"},
		{ask{name: "stream that has not begun", stream: true}, "slow-first 60s"},
		{ask{name: "plain"}, "slow-first 60s"},
		{ask{name: "gemini plain", gemini: true}, "silence 60s"},
		{ask{name: "between two tries"}, "503"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim := google(t, 1, 0)
			g := start(t, launch{sim: sim, accounts: 1})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			path, body := tt.http(flash, "!fault "+tt.fault)
			left := make(chan struct{})
			go func() {
				defer close(left)
				resp, err := client.Do(g.request("POST", path, body).WithContext(ctx))
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
			if tt.fault == "503" {
				wait(t, "the first call has failed", func() bool { c := sim.CallsOf("generateContent"); return len(c) == 1 && c[0].Done })
			} else if err := sim.WaitOpen(ctx, 1); err != nil {
				t.Fatal(err)
			}
			gone := time.Now()
			cancel()
			<-left
			idle(t, sim)
			calls := sim.CallsOf("generateContent", "streamGenerateContent")
			if took := time.Since(gone); took > 10*time.Second { // at once; Google would take a minute
				t.Errorf("noticed after %v", took)
			}
			if tt.fault != "503" && !calls[0].Gone {
				t.Errorf("Google did not see the caller leave: %+v", calls[0])
			}
			g.settled()
			if !g.waitLine("code=client_gone") {
				t.Error("the log does not say that the client left")
			}
			if r := g.put(ask{}, "hello"); r.status != 200 {
				t.Errorf("the next request: %d %s", r.status, r.body)
			}
			if n := len(sim.CallsOf("generateContent", "streamGenerateContent")); n != 2 {
				t.Errorf("%d calls, want the one that was left and the next", n)
			}
		})
	}
}

// A storm of all that goes wrong leaves nothing behind (start looks for leases at the end).
func TestStormLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	sim := google(t, 3, 3, paced)
	g := start(t, launch{sim: sim, accounts: 3, keys: 3, env: map[string]string{"RETRY_429_INTERVAL": "0.01", "AUTO_BAN": "false"}})
	faults := []string{"400", "429", "429-reset 1s", "500", "cut", "eof", "garbage", "error-event", "empty", "silence 200ms", "slow-first 200ms", "big 1", "many 50"}
	var wg sync.WaitGroup
	for i := range 120 {
		wg.Go(func() {
			a := append(asks(), streams()...)[i%7]
			path, body := a.http(flash, "!fault "+faults[i%len(faults)])
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(50+37*i)*time.Millisecond)
			defer cancel()
			if resp, err := client.Do(g.request("POST", path, body).WithContext(ctx)); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	idle(t, sim)
}

// nginx runs the part of the README's configuration that stands in front of a gateway.
func nginx(t *testing.T, g *gateway, change ...string) (addr string) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			t.Skip("nginx is not installed")
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	location := ""
	for rest := string(readme); rest != "" && !strings.Contains(location, "http://127.0.0.1:7861"); { // another one is for several gateways
		_, rest, _ = strings.Cut(rest, "```nginx\n")
		location, rest, _ = strings.Cut(rest, "```")
	}
	if !strings.Contains(location, "http://127.0.0.1:7861") {
		t.Fatal("the README has no nginx configuration for 127.0.0.1:7861")
	}
	location = strings.NewReplacer(append([]string{"http://127.0.0.1:7861", g.url}, change...)...).Replace(location)
	dir, port := t.TempDir(), freePort(t)
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // else its workers could not reach the folder
	}
	conf := fmt.Sprintf(`%s
daemon off; worker_processes 1; pid %[2]s/pid; error_log %[2]s/error.log;
events {}
http {
  access_log off; client_body_temp_path %[2]s/a; proxy_temp_path %[2]s/b; fastcgi_temp_path %[2]s/c; uwsgi_temp_path %[2]s/d; scgi_temp_path %[2]s/e;
  server { listen 127.0.0.1:%[3]d; %[4]s }
}`, user, dir, port, location)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	var said capture
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &said, &said, dieWithTest()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		_ = cmd.Wait()
	})
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	wait(t, "nginx listens: "+said.String(), func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return addr
}

func TestBehindNginx(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0, paced)
	g := start(t, launch{sim: sim, accounts: 2, env: map[string]string{"FIRST_BYTE_GRACE": "0.2", "HEARTBEAT_INTERVAL": "0.3"}})
	addr := nginx(t, g)
	through := func(r *http.Request) { r.URL.Host = addr }
	old := nginx(t, g, "proxy_http_version 1.1;", "", `proxy_set_header Connection "";`, "") // what many have: HTTP/1.0
	for _, a := range streams() {
		g.oneByOne(a, sim, addr)
		g.oneByOne(a, sim, old)
	}
	for _, a := range asks() {
		path, body := a.http(flash, "hello nginx")
		if got := understand(t, a, g.post(path, body, through)); got.text != "echo: hello nginx" {
			t.Errorf("%s: %+v", a.name, got)
		}
	}
	_, body := ask{}.http(flash, "hello")
	if got := g.post("/v1/models/%E6%B5%81%E5%BC%8F/x:generateContent", `{"contents":[]}`, through); got.status != 400 {
		t.Errorf("an encoded name through nginx: %d %s", got.status, got.body)
	}
	if r := g.post("/v1/chat/completions", body, through, header("Authorization", "Bearer wrong")); r.status != 401 || r.header.Get("X-Request-Id") == "" {
		t.Errorf("a wrong password: %d", r.status)
	}
	for i := range 4 { // nginx sends a body to its end before it looks for an answer
		r := g.post("/v1/chat/completions", strings.Repeat("x", 40<<20), through, header("Authorization", "Bearer wrong"))
		if r.status != 401 {
			t.Errorf("a wrong password with a large body, try %d: %d %s", i, r.status, tail(string(r.body)))
		}
	}
	picture := base64.StdEncoding.EncodeToString(append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 3<<20-8)...))
	big := `{"model":"` + flash + `","messages":[{"role":"user","content":[{"type":"text","text":"!describe"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + picture + `"}}]}]}`
	if r := g.post("/v1/chat/completions", big, through); r.status != 200 || !strings.Contains(string(r.body), `\"bytes\":3145728`) {
		t.Errorf("a big picture: %d %s", r.status, tail(string(r.body)))
	}
	sim.ForgetCalls()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	path, body := ask{stream: true}.http(flash, "!fault silence 60s")
	resp, err := client.Do(g.request("POST", path, body, through).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(resp.Body)
	line, err := lines.ReadString('\n')
	for err == nil && (line == "\n" || line == ": ping\n") { // of a busy machine, before the first event
		line, err = lines.ReadString('\n')
	}
	if err != nil || !strings.HasPrefix(line, "data: {") {
		t.Errorf("%q %v", line, err)
	}
	cancel()
	resp.Body.Close()
	idle(t, sim)
	if c := sim.CallsOf("streamGenerateContent"); len(c) != 1 || !c[0].Gone {
		t.Errorf("Google did not see the caller leave: %+v", c)
	}
}

// Heartbeats keep an impatient nginx from giving a silent stream up.
func TestNginxWaitsThroughSilence(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	for name, env := range map[string]map[string]string{"heartbeats": {"FIRST_BYTE_GRACE": "0.2", "HEARTBEAT_INTERVAL": "0.3"},
		"none": {"FIRST_BYTE_GRACE": "0", "HEARTBEAT_INTERVAL": "0"}} {
		g := start(t, launch{sim: sim, accounts: 1, env: env})
		addr := nginx(t, g, "proxy_read_timeout 600s", "proxy_read_timeout 1s")
		for _, a := range streams() {
			for _, fault := range []string{"slow-first 3s", "silence 3s"} {
				t.Run(name+"/"+a.name+"/"+fault, func(t *testing.T) {
					t.Parallel()
					path, body := a.http(flash, "!fault "+fault)
					req := g.request("POST", path, body)
					req.URL.Host = addr
					resp, err := client.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					all, err := io.ReadAll(resp.Body)
					if name == "none" {
						if resp.StatusCode == 200 && err == nil && strings.Contains(string(all), fault) {
							t.Errorf("this nginx is not impatient, the test shows nothing: %q", all)
						}
						return
					}
					if got := understand(t, a, reply{status: resp.StatusCode, body: all}); err != nil || !got.whole || got.text != "echo: !fault "+fault {
						t.Errorf("%v %q", err, all)
					}
				})
			}
		}
	}
}
