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
		{"ranges for pictures", "", "IMAGE_FETCH_ALLOW=10.0.0.0/8, 192.168.1.7,fd00::/8", ""},
		{"a bad range", "[outbound]\nimage_fetch_allow = [\"10.0.0.0/8\", \"10.1/16\"]", "",
			"config.toml:2: outbound.image_fetch_allow: \"10.1/16\" is neither an address nor a range such as 10.0.0.0/8"},
		{"a name for a range", "", "IMAGE_FETCH_ALLOW=10.0.0.0/8,intranet",
			"environment (IMAGE_FETCH_ALLOW): outbound.image_fetch_allow: \"intranet\" is neither an address nor a range such as 10.0.0.0/8"},
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

func TestSettingsOfPictures(t *testing.T) {
	for _, row := range []struct {
		env  []string
		on   bool
		want string
	}{
		{nil, true, ""},
		{[]string{"IMAGE_FETCH=false"}, false, ""},
		{[]string{"IMAGE_FETCH=on", "IMAGE_FETCH_ALLOW= 10.0.0.0/8,\nfd00::1 "}, true, "10.0.0.0/8 fd00::1"},
	} {
		c, err := config.Load(config.Options{Environ: row.env})
		if err != nil {
			t.Fatal(err)
		}
		if set := SettingsOf(c); set.ImageFetch != row.on || strings.Join(set.ImageFetchAllow, " ") != row.want {
			t.Errorf("%q: %v %q", row.env, set.ImageFetch, set.ImageFetchAllow)
		}
	}
}
