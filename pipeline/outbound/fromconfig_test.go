package outbound

import (
	"strings"
	"testing"

	"gcli2api/pipeline/config"
)

func TestCheckSaysWhere(t *testing.T) {
	tests := []struct{ name, file, env, want string }{
		{"defaults", "", "", ""},
		{"a mirror and a proxy", "", "PROXY=socks5://u:p@h:1", ""},
		{"user in an endpoint", "", "CODE_ASSIST_ENDPOINT=https://someone:hunter2@h",
			"environment (CODE_ASSIST_ENDPOINT): google.code_assist_endpoint: must not contain a user or password"},
		{"query in an endpoint", "[google]\nvertex_base_url = \"https://h/?key=hunter2\"", "",
			"config.toml:2: google.vertex_base_url: must not contain ? or #"},
		{"half a login", "[outbound]\n\nproxy = \"socks5://hunter2@h:1\"", "",
			"config.toml:3: outbound.proxy: SOCKS5 needs a user and a password of 1 to 255 bytes, or neither"},
		{"path behind a proxy", "", "PROXY=http://h:1/hunter2", "environment (PROXY): outbound.proxy: nothing may follow the host and port"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := config.Load(config.Options{File: "config.toml", Data: []byte(test.file), Environ: []string{test.env}})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := Check(c); err != nil {
				got = err.Error()
			}
			if got != test.want || strings.Contains(got, "hunter2") {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
