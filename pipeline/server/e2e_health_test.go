package server_test

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1, light: true, config: "[log]\nlevel = \"info\"\n"})
	env := []string{"PORT=" + strconv.Itoa(g.port), "HOST=127.0.0.1", "PASSWORD=" + secret}
	config := []string{"healthcheck", "-config", g.dir + "/config.toml"}
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "::"} {
		if code, stdout, stderr := run(t, append(env, "HOST="+host), config...); code != 0 || stdout+stderr != "" {
			t.Errorf("HOST=%s: exit %d, %s%s", host, code, stdout, stderr)
		}
	}
	g.write("[log\n")
	if code, _, stderr := run(t, env, config...); code != 0 || !strings.Contains(stderr, "config.toml:1:") {
		t.Errorf("with a broken file: exit %d, %s", code, stderr)
	}
	g.write("[server]\nport = " + strconv.Itoa(g.port) + " # mine\nhost = \"127.0.0.1\"\n[log\n")
	if code, _, stderr := run(t, []string{"PASSWORD=" + secret}, config...); code != 0 || !strings.Contains(stderr, "config.toml:4:") {
		t.Errorf("with a broken file that has the port: exit %d, %s", code, stderr)
	}
	if code, _, stderr := run(t, append(env, "SECRET_KEY=made-up"), config...); code != 1 || strings.Contains(stderr, "made-up") {
		t.Errorf("with an environment that serve refuses: exit %d, %s", code, stderr)
	}
	g.signal(syscall.SIGTERM)
	g.exits()
	if code, stdout, stderr := run(t, env, "healthcheck"); code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 {
		t.Errorf("without a gateway: exit %d, %s%s", code, stdout, stderr)
	}
}
