package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func reference() []byte {
	on, off := true, false
	return Reference([]Section{
		{Name: "models", Help: "Models.", Example: "[models.aliases]\nshort = \"long\"\n"},
		{Name: "stage.retry", Help: "Goes back when Google is busy.", Params: retryParams()[:3], Enabled: &on},
		{Name: "stage.shape", Help: "Off here.", Enabled: &off},
		{Name: "stage.hook", Help: strings.Repeat("Long help that needs a second line. ", 5), Params: retryParams()[3:]},
	})
}

func TestReferenceIsTheDefault(t *testing.T) {
	text := string(reference())
	live := load(t, options(text))
	if len(live.Warnings()) > 0 {
		t.Errorf("warnings %v", live.Warnings())
	}
	all := regexp.MustCompile(`(?m)^#(\S)`).ReplaceAllString(text, "$1")
	full := load(t, options(strings.Replace(all, `[models.aliases]`, ``, 1)))
	plain := load(t, options(""))
	for _, s := range []*Snapshot{live, full} {
		got := maps.Clone(s.values)
		if got["stage.shape.enabled"] != false {
			t.Error("the live switch does not count")
		}
		got["stage.shape.enabled"] = true
		delete(got, "models")
		if !reflect.DeepEqual(got, plain.values) {
			for key, value := range got {
				if !reflect.DeepEqual(value, plain.values[key]) {
					t.Errorf("%s = %#v, the default is %#v", key, value, plain.values[key])
				}
			}
		}
	}
	prose := strings.ReplaceAll(text, "\n# ", " ") // as it reads without line breaks
	for _, p := range Server() {
		set := p.Type == Table || p.Type == Tables && strings.Contains(text, "# [["+p.Key+"]]") || p.Secret && p.Type == String || full.Origin(p.Key).Source == FromFile
		if !set || !strings.Contains(prose, strings.Join(p.Env, ", ")) {
			t.Errorf("%s is not in the reference", p.Key)
		}
	}
}

func TestReferenceReads(t *testing.T) {
	text := string(reference())
	for _, want := range []string{
		"\n# Port to listen on.\n# Between 1 and 65535; environment: PORT; after restart.\n#port = 7861\n",
		"\n# Largest request body, after decompression; a larger one is 413.\n# At least 1KiB; environment: BODY_LIMIT; after restart.\n#body_limit = \"100MB\"\n",
		"\norder = [\"auth\", \"quota\", \"format\", \"model\", \"translate\",",
		"\"usage\"]\n",
		"\n# Http, https, socks5 or socks5h address, or empty; environment: PROXY.\n#proxy = \"\"\n",
		"\n# One of \"array\", \"sse\"; environment: GEMINI_STREAM_DEFAULT.\n",
		"\n# Models.\n[models]\n#[models.aliases]\n#short = \"long\"\n",
		"\n# Goes back when Google is busy.\n[stage.retry]\nenabled = true\n# Between 0 and 50",
		"\n# Between 10ms and 10s; environment: RETRY_429_INTERVAL; old name: retry_429_interval.\n#interval = \"1s\"\n",
		"\n# Off here.\n[stage.shape]\nenabled = false\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the reference lacks %s", want)
		}
	}
	if strings.Count(text, "[models]") != 1 {
		t.Error("a section of the same name must take the place of the server's")
	}
	for line := range strings.Lines(text) {
		if len(line) > 140 {
			t.Errorf("long line %s", line)
		}
	}
}

func TestServerParams(t *testing.T) {
	seen := map[string]string{}
	for _, p := range Server() {
		if p.Help == "" || strings.HasSuffix(p.Help, ".") || strings.Contains(p.Help, "\n") {
			t.Errorf("%s: help must be one line without a full stop: %q", p.Key, p.Help)
		}
		for _, env := range p.Env {
			if seen[env] != "" {
				t.Errorf("%s belongs to %s and %s", env, seen[env], p.Key)
			}
			seen[env] = p.Key
		}
	}
	// The rows of behaviour 8.2 that are the server's, with the SEED default.
	s := load(t, options(""))
	for _, row := range []struct {
		env, flat string
		value     any
	}{
		{"HOST", "host", "0.0.0.0"}, {"PORT", "port", 7861}, {"PASSWORD", "password", ""}, {"API_PASSWORD", "api_password", ""},
		{"PANEL_PASSWORD", "panel_password", ""}, {"CALLS_PER_ROTATION", "calls_per_rotation", 10}, {"PROXY", "proxy", ""},
		{"OAUTH_PROXY_URL", "oauth_proxy_url", "https://oauth2.googleapis.com"}, {"GOOGLEAPIS_PROXY_URL", "googleapis_proxy_url", "https://www.googleapis.com"},
		{"METADATA_SERVICE_URL", "metadata_service_url", "http://metadata.google.internal"},
		{"RESOURCE_MANAGER_API_URL", "resource_manager_api_url", "https://cloudresourcemanager.googleapis.com"},
		{"SERVICE_USAGE_API_URL", "service_usage_api_url", "https://serviceusage.googleapis.com"},
		{"CODE_ASSIST_ENDPOINT", "code_assist_endpoint", "https://cloudcode-pa.googleapis.com"}, {"CREDENTIALS_DIR", "credentials_dir", "./creds"},
		{"AUTO_BAN", "auto_ban_enabled", true}, {"AUTO_BAN_ERROR_CODES", "auto_ban_error_codes", []int{403}},
		{"LOG_LEVEL", "log_level", "info"}, {"LOG_FILE", "log_file", "gcli2api.log"},
	} {
		p, ok := s.Resolve(row.flat)
		if !ok || !slices.Contains(p.Env, row.env) || !reflect.DeepEqual(s.values[p.Key], row.value) {
			t.Errorf("%s / %s: declared %v as %s, default %#v, want %#v", row.env, row.flat, p.Env, p.Key, s.values[p.Key], row.value)
		}
	}
}

func TestUserAgentTemplate(t *testing.T) {
	for template, ok := range map[string]bool{
		"GeminiCLI/1/{model} ({platform}; {arch}; x)": true, "plain": true,
		"x\r\nEvil: 1": false, "é": false, "{version}": false, "{model": false,
	} {
		if err := checkUserAgent(template); (err == nil) != ok {
			t.Errorf("%q: %v", template, err)
		}
	}
}
