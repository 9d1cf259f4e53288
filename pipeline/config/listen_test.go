package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestListening(t *testing.T) {
	const open, off = "[pipeline]\nopen = true\n", "[stage.auth]\nenabled = false\n"
	public := Listening{Host: "0.0.0.0"}
	shut := Listening{Host: "127.0.0.1", Loopback: true, Restricted: true}
	tests := []struct {
		name, file string
		env        []string
		want       Listening
		chat       bool
	}{
		{"nothing set", "", nil, shut, false},
		{"on loopback anyway", "", []string{"HOST=::1"}, Listening{Host: "::1", Loopback: true}, false},
		{"localhost", "", []string{"HOST=localhost"}, Listening{Host: "localhost", Loopback: true}, false},
		{"chat password", "", []string{"API_PASSWORD=x"}, public, true},
		{"panel password", "", []string{"PANEL_PASSWORD=x"}, public, false},
		{"auth off and open", open + off, nil, public, true},
		{"auth off alone", off, nil, shut, false},
		{"open alone", open, nil, shut, false},
		{"open without auth in the list", "[pipeline]\nopen = true\norder = [\"format\"]\n" + off, nil, shut, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := load(t, options(test.file, test.env...))
			var live Live
			live.Set(c)
			if got := c.Listening(); got != test.want || c.ChatOpen() != test.chat || live.ChatOpen() != test.chat {
				t.Errorf("%+v, chat %t and %t; want %+v, %t", got, c.ChatOpen(), live.ChatOpen(), test.want, test.chat)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	c := load(t, options("[stage.hook.headers]\nAuthorization = [\"from-table\"]", "PASSWORD=from-env", "GEMINI_API_KEYS=one,two",
		"GCLI_OAUTH_CLIENT_SECRET=client-secret", "PROXY=http://someone:p%40ss@host:1"))
	got := c.Secrets()
	slices.Sort(got)
	if want := []string{"client-secret", "from-env", "from-table", "one", "p%40ss", "p@ss", "two"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := load(t, options("", "PROXY=socks5://host:1")).Secrets(); len(got) != 0 {
		t.Errorf("%q, want none", got)
	}
}

func TestOverview(t *testing.T) {
	does := map[string]string{"auth": "lets in", "retry": "tries again"}
	plain := load(t, Options{Stages: stages()}).Overview(does)
	if !strings.HasPrefix(plain, "built-in defaults: ok\n\n  1  on   auth         lets in\n") || strings.Contains(plain, "set, not default") {
		t.Errorf("%s", plain)
	}
	same := "[pipeline]\nopen = false\n[models]\n[server]\nport = 7861\n[stage.retry]\nenabled = true"
	if got := load(t, options(same)).Overview(does); strings.Contains(got, "set, not default") {
		t.Errorf("what is set as it is anyway is shown as a change: %s", got)
	}
	got := load(t, options("[stage.retry]\nenabled = false", "PORT=99", "PASSWORD=hunter2")).Overview(does)
	for _, want := range []string{"config.toml: ok\n", fmt.Sprintf("%3d  off  retry        tries again\n", slices.Index(stages(), "retry")+1), "server.port = 99  # environment (PORT)\n",
		"stage.retry.enabled = false  # file (config.toml:2)\n", "server.password = \"********\""} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	got = load(t, options("[models]\nknown = [\"a\", \"b\"]\n[models.alias]\n\"gpt-4.1\" = \"x\\\"y\"\n[models.limits.a]\nin = 5\n[stage.hook.headers]\nk = \"hunter2\"", "PASSWORD=hunter2")).Overview(does)
	for _, want := range []string{"\nmodels.known = [\"a\", \"b\"]  # file (config.toml:2)\n", "\nmodels.alias.\"gpt-4.1\" = \"x\\\"y\"  # file (config.toml:4)\n", "\nmodels.limits.a.in = 5  # file (config.toml:6)\n",
		"stage.hook.headers = \"********\""} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "hunter2") || strings.Contains(got, "server.host") {
		t.Errorf("too much is shown:\n%s", got)
	}
}
