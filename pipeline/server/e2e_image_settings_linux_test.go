package server_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gcli2api/pipeline/simulator"
)

// container is a running image.
type container struct {
	cmd       *exec.Cmd
	out, errs *capture
	env       []string
}

// up runs the image until its own health check, in the same environment, finds it well.
func (i *image) up(user *syscall.Credential, env ...string) *container {
	i.t.Helper()
	c := &container{env: env}
	c.cmd, c.out, c.errs = i.start(i.entrypoint, user, env...)
	i.t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	wait(i.t, "the container is healthy", func() bool { return i.healthy(env...) })
	return c
}

// down stops it, and takes away what a container leaves outside of its volume.
func (i *image) down(c *container) {
	i.t.Helper()
	if err := errors.Join(c.cmd.Process.Signal(syscall.SIGTERM), c.cmd.Wait()); err != nil {
		i.t.Errorf("it ended with %v: %s%s", err, c.out, c.errs)
	}
	if i.healthy(c.env...) {
		i.t.Error("healthy after its end")
	}
	if err := os.Remove(i.root + i.workdir + "/gcli2api.log"); err != nil && !os.IsNotExist(err) {
		i.t.Error(err)
	}
}

// mount makes the volume anew, as a mounted folder of an owner with one credential in it.
func (i *image) mount(sim *simulator.Server, owner int) string {
	i.t.Helper()
	creds := filepath.Join(i.root, i.volume)
	file := filepath.Join(creds, "ann0.json")
	if err := errors.Join(os.RemoveAll(creds), os.Mkdir(creds, 0o700), os.WriteFile(file, sim.CredentialFile("ann0@example.com", simulator.LayoutGateway), 0o600),
		os.Chown(file, owner, owner), os.Chown(creds, owner, owner)); err != nil {
		i.t.Fatal(err)
	}
	return creds
}

// asks puts one question and gives the answer.
func (i *image) asks(port int) reply {
	i.t.Helper()
	g := &gateway{t: i.t, url: "http://127.0.0.1:" + strconv.Itoa(port), pass: secret}
	return g.put(ask{}, "hello")
}

// owners checks who has which file; names are those below the volume.
func (i *image) owners(want map[string]int) {
	i.t.Helper()
	for name, uid := range want {
		info, err := os.Lstat(filepath.Join(i.root, i.volume, name))
		if err != nil {
			i.t.Error(err)
		} else if got := int(info.Sys().(*syscall.Stat_t).Uid); got != uid {
			i.t.Errorf("%s belongs to %d, want %d", name, got, uid)
		}
	}
}

// TestImageSettings runs the image in the ways its users run it.
func TestImageSettings(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a root folder of its own takes root")
	}
	t.Parallel()
	i := carryOut(t)
	sim := google(t, 1, 0)
	endpoints := func(google string) (env []string) {
		for _, name := range []string{"OAUTH_PROXY_URL", "GOOGLEAPIS_PROXY_URL", "METADATA_SERVICE_URL", "RESOURCE_MANAGER_API_URL", "SERVICE_USAGE_API_URL"} {
			env = append(env, name+"="+sim.URL())
		}
		return append(env, "CODE_ASSIST_ENDPOINT="+google)
	}
	i.withFile(sim, endpoints(sim.URL()))
	i.withoutPassword(sim)
	i.asItself(sim, endpoints(sim.URL()))
	i.readOnly(sim, endpoints(sim.URL()))
	i.trusts(sim, endpoints)
	i.plays()
}

// withFile: a mounted config.toml says where it listens, another user is chosen, and the mounted
// folder holds links out of it.
func (i *image) withFile(sim *simulator.Server, env []string) {
	t, port := i.t, freePort(i.t)
	t.Helper()
	config := i.root + i.workdir + "/config.toml"
	write := func(more string) {
		text := fmt.Sprintf("[server]\nhost = \"::\"\nport = %d\npassword = %q\n%s", port, secret, more)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	defer os.Remove(config)
	creds := i.mount(sim, 0)
	outside := i.root + "/of-the-system"
	if err := errors.Join(os.WriteFile(outside, []byte("{}"), 0o600), os.Symlink("/of-the-system", creds+"/points.json"), os.Link(outside, creds+"/second-name.json")); err != nil {
		t.Fatal(err)
	}
	c := i.up(nil, append(env, "RUN_AS_UID=20002")...)
	if r := i.asks(port); r.status != http.StatusOK {
		t.Errorf("%d %s", r.status, r.body)
	}
	i.owners(map[string]int{".": 20002, "ann0.json": 20002, ".gcli2api.db": 20002, "points.json": 0, "second-name.json": 0})
	if info, err := os.Stat(outside); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("the file outside: %v, %v", info, err)
	}
	hangup := func(says string) {
		_ = c.cmd.Process.Signal(syscall.SIGHUP)
		wait(t, "a line with "+says, func() bool { return strings.Contains(c.out.String()+c.errs.String(), says) })
	}
	write("[pool]\ncalls_per_rotation = 3\n")
	hangup("config.toml: this user may not read it") // it is root's alone: the settings stay, and a line says why
	if err := os.Chown(config, 20002, 20002); err != nil {
		t.Error(err)
	}
	hangup("settings changed keys=[pool.calls_per_rotation]")
	i.down(c)
}

// withoutPassword: it says that nobody outside gets an answer.
func (i *image) withoutPassword(sim *simulator.Server) {
	i.t.Helper()
	i.mount(sim, 0)
	c := i.up(nil, "PORT="+strconv.Itoa(freePort(i.t)))
	wait(i.t, "a line that it answers nobody", func() bool { // it is healthy a moment before it says where it listens
		out := c.out.String()
		return strings.Contains(out, "listens on http://127.0.0.1:") && strings.Contains(out, "set PASSWORD")
	})
	i.down(c)
}

// asItself: --user with a folder of that user needs nothing of root and complains of nothing.
func (i *image) asItself(sim *simulator.Server, env []string) {
	i.t.Helper()
	port := freePort(i.t)
	i.mount(sim, 1234)
	c := i.up(&syscall.Credential{Uid: 1234, Gid: 1234}, append(env, "PORT="+strconv.Itoa(port), "PASSWORD="+secret)...)
	if r := i.asks(port); r.status != http.StatusOK || strings.Contains(c.out.String()+c.errs.String(), "[WARNING]") {
		i.t.Errorf("%d %s: %s%s", r.status, r.body, c.out, c.errs)
	}
	i.owners(map[string]int{".": 1234, "ann0.json": 1234, ".gcli2api.db": 1234})
	i.down(c)
}

// readOnly: all but the volume cannot be written. The log file is missed in one line.
func (i *image) readOnly(sim *simulator.Server, env []string) {
	i.t.Helper()
	port, app := freePort(i.t), i.root+i.workdir
	before, err := os.Stat(app)
	if err := errors.Join(err, os.Chmod(app, 0o755)); err != nil {
		i.t.Fatal(err)
	}
	i.mount(sim, 0)
	c := i.up(nil, append(env, "PORT="+strconv.Itoa(port), "PASSWORD="+secret)...)
	if r := i.asks(port); r.status != http.StatusOK || strings.Count(c.out.String(), "[WARNING] the log file cannot be written: logging to the console only") != 1 {
		i.t.Errorf("%d %s: %s%s", r.status, r.body, c.out, c.errs)
	}
	i.down(c)
	if err := os.Chmod(app, before.Mode()); err != nil {
		i.t.Error(err)
	}
}

// trusts: certificates are checked against the bundle of the image, and against nothing else.
func (i *image) trusts(sim *simulator.Server, endpoints func(string) []string) {
	t := i.t
	t.Helper()
	to, err := url.Parse(sim.URL())
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(to))
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	front.StartTLS()
	defer front.Close()
	bundle := i.root + "/etc/ssl/certs/ca-certificates.crt"
	for _, known := range []bool{false, true} {
		if known {
			f, err := os.OpenFile(bundle, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		port := freePort(t)
		i.mount(sim, 0)
		c := i.up(nil, append(endpoints(front.URL), "PORT="+strconv.Itoa(port), "PASSWORD="+secret, "RETRY_429_ENABLED=false")...)
		r := i.asks(port)
		i.down(c)
		if says := strings.Contains(c.out.String(), "certificate signed by unknown authority"); (r.status == http.StatusOK) != known || says == known {
			t.Errorf("certificate known: %v, and the answer is %d %s\n%s", known, r.status, r.body, c.out)
		}
	}
}

// plays: the demo finds a folder for its files, and leaves nothing behind.
func (i *image) plays() {
	t, port := i.t, strconv.Itoa(freePort(i.t))
	t.Helper()
	cmd, out, errs := i.start(append(i.entrypoint, "demo", "-port", port), &syscall.Credential{Uid: 1234, Gid: 1234})
	wait(t, "the demo listens", func() bool { return strings.Contains(out.String(), "Ctrl-C stops") })
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
		t.Errorf("%v: %s%s", err, out, errs)
	}
	if left, err := os.ReadDir(i.root + "/tmp"); err != nil || len(left) != 0 {
		t.Errorf("the demo leaves %v behind, %v", left, err)
	}
}
