package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPrecedenceAndOrigin(t *testing.T) {
	const key = "stage.retry.returns"
	file, panel, env := "[stage.retry]\nreturns = 10\n", map[string]any{"stage.retry.returns": 20.0}, "RETRY_429_MAX_RETRIES=30"
	tests := []struct {
		name   string
		file   string
		panel  map[string]any
		env    string
		want   int
		origin string
	}{
		{"default", "", nil, "", 3, "default"},
		{"file", file, nil, "", 10, "file (config.toml:2)"},
		{"panel over file", file, panel, "", 20, "panel"},
		{"environment over all", file, panel, env, 30, "environment (RETRY_429_MAX_RETRIES)"},
		{"environment over default", "", nil, env, 30, "environment (RETRY_429_MAX_RETRIES)"},
		{"empty variable is not set", file, nil, "RETRY_429_MAX_RETRIES=", 10, "file (config.toml:2)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options(test.file, test.env, "RETRY_429_MAX_RETRIES=40") // a second one never counts
			if test.env == "" {
				o.Environ = nil
			} else if strings.HasSuffix(test.env, "=") {
				o.Environ = []string{test.env}
			}
			o.Overrides = test.panel
			s := load(t, o)
			if got := s.Int(key); got != test.want || s.Origin(key).String() != test.origin {
				t.Errorf("got %d from %s, want %d from %s", got, s.Origin(key), test.want, test.origin)
			}
			if locked := strings.HasPrefix(test.origin, "env"); s.IsLocked(key) != locked || slices.Contains(s.Locked(), key) != locked {
				t.Errorf("locked = %v, list %v", s.IsLocked(key), s.Locked())
			}
		})
	}
}

func TestMasked(t *testing.T) {
	o := options("host = \"127.0.0.1\"\nport = 1\n[log]\nlevel=\"debug\"", "PORT=2")
	o.Overrides = map[string]any{"log": map[string]any{"level": "error"}}
	want := []Masked{
		{"server.port", Origin{Source: FromFile, File: "config.toml", Line: 2}, Origin{Source: FromEnvironment, Env: "PORT"}},
		{"log.level", Origin{Source: FromFile, File: "config.toml", Line: 4}, Origin{Source: FromPanel}},
	}
	if got := load(t, o).Masked(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEveryTypeFromEveryLayer(t *testing.T) {
	var overrides map[string]any
	const saved = `{"port": 9, "stage": {"retry": {"interval": 2.5, "share": 1}}, "pool.gemini_api_keys": ["k"], "pool": {"auto_ban_error_codes": [401, 403]},
		"server.body_limit": 2048, "pipeline.open": true, "log.file": "x", "outbound.proxy": "socks5://h:1/"}`
	if err := json.Unmarshal([]byte(saved), &overrides); err != nil {
		t.Fatal(err)
	}
	panel := options("")
	panel.Overrides = overrides
	byLayer := map[string]Options{
		"panel": panel,
		"file": options(`
port = 9
pool.gemini_api_keys = ["k"]
pool.auto_ban_error_codes = [401, 403]
pipeline.open = true
log.file = "x"
outbound.proxy = "socks5://h:1/"
[server]
body_limit = "2048"
[stage.retry]
interval = "2.5s"
share = 1
`),
	}
	for name, o := range byLayer {
		s := load(t, o)
		got := []any{s.Int("server.port"), s.Duration("stage.retry.interval"), s.Float("stage.retry.share"), s.Strings("pool.gemini_api_keys"),
			s.Ints("pool.auto_ban_error_codes"), s.Size("server.body_limit"), s.Bool("pipeline.open"), s.String("log.file"), s.String("outbound.proxy")}
		want := []any{9, 2500 * time.Millisecond, 1.0, []string{"k"}, []int{401, 403}, int64(2048), true, "x", "socks5://h:1"}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	get := func(key string) func(*Snapshot) any { return func(s *Snapshot) any { return s.values[key] } }
	tests := []struct {
		environ []string
		key     string
		want    any
		warning string
	}{
		{[]string{"PORT= 8000 "}, "server.port", 8000, ""},
		{[]string{"PORT=abc"}, "server.port", 7861, `environment: PORT: must be an integer between 1 and 65535, got "abc"; ignored, 7861 (default) counts`},
		{[]string{"PORT=70000"}, "server.port", 7861, `environment: PORT: must be an integer between 1 and 65535, got 70000; ignored, 7861 (default) counts`},
		{[]string{"RETRY_429_INTERVAL=1.0"}, "stage.retry.interval", time.Second, ""},
		{[]string{"RETRY_429_INTERVAL=250ms"}, "stage.retry.interval", 250 * time.Millisecond, ""},
		{[]string{"RETRY_429_INTERVAL=99"}, "stage.retry.interval", time.Second, `environment: RETRY_429_INTERVAL: must be a duration like "1.5s" or a number of seconds between 10ms and 10s, got "99"; ignored, "1s" (default) counts`},
		{[]string{"SHARE=0.25"}, "stage.retry.share", 0.25, ""},
		{[]string{"SHARE=nan"}, "stage.retry.share", 0.5, "environment: SHARE: must be a number of at most 1, got NaN; ignored, 0.5 (default) counts"},
		{[]string{"BODY_LIMIT=1MiB"}, "server.body_limit", int64(1 << 20), ""},
		{[]string{"BODY_LIMIT=huge"}, "server.body_limit", int64(1e8), `environment: BODY_LIMIT: must be a size like "100MB" or a number of bytes of at least 1KiB, got "huge"; ignored, "100MB" (default) counts`},
		{[]string{"PUBLIC_MODELS=Yes"}, "server.public_models", true, ""},
		{[]string{"PUBLIC_MODELS=ON"}, "server.public_models", true, ""},
		{[]string{"PUBLIC_MODELS=1"}, "server.public_models", true, ""},
		{[]string{"AUTO_BAN=false"}, "pool.auto_ban", false, ""},
		{[]string{"AUTO_BAN=maybe"}, "pool.auto_ban", false, `environment: AUTO_BAN: must be true, 1, yes or on, or else false; got "maybe", taken as false`},
		{[]string{"LOG_LEVEL=DEBUG"}, "log.level", "debug", ""},
		{[]string{"LOG_LEVEL=loud"}, "log.level", "info", `environment: LOG_LEVEL: must be one of "debug", "info", "warning", "error", "critical", got "loud"; ignored, "info" (default) counts`},
		{[]string{"GEMINI_API_KEY=a"}, "pool.gemini_api_keys", []string{"a"}, ""},
		{[]string{"GEMINI_API_KEYS= a , b\r\nc,,a", "GEMINI_API_KEY=d"}, "pool.gemini_api_keys", []string{"d", "a", "b", "c"}, ""},
		{[]string{"AUTO_BAN_ERROR_CODES=401, 403"}, "pool.auto_ban_error_codes", []int{401, 403}, ""},
		{[]string{"AUTO_BAN_ERROR_CODES=401,x"}, "pool.auto_ban_error_codes", []int{403}, `environment: AUTO_BAN_ERROR_CODES: must be a list of integers between 400 and 599, got a list with "x"; ignored, [403] (default) counts`},
		{[]string{"PROXY=http://u:p@h:1"}, "outbound.proxy", "http://u:p@h:1", ""},
		{[]string{"GOOGLE_OAUTH_CLIENT_SECRET=b"}, "google.oauth_client_secret", "b", ""},
		{[]string{"GOOGLE_OAUTH_CLIENT_SECRET=b", "GCLI_OAUTH_CLIENT_SECRET=a"}, "google.oauth_client_secret", "a", ""},
		{[]string{"PASSWORD= x "}, "server.password", " x ", ""},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.environ, " "), func(t *testing.T) {
			s := load(t, options("", test.environ...))
			if got := get(test.key)(s); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
			if got := strings.Join(s.Warnings(), "\n"); got != test.warning {
				t.Errorf("\n got %s\nwant %s", got, test.warning)
			}
		})
	}
	_, err := Load(options("", "HOOK_TOKEN=hunter2"))
	if want := "environment: HOOK_TOKEN: is not acceptable here (the value is not shown)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFlatFileOfAnOldVersion(t *testing.T) {
	s := load(t, options("calls_per_rotation = 7\nretry_429_interval = 0.5\n_credential_order = [\"a\"]\n\n[model_costs]\n\"gemini-2.5-pro\" = 10\n"))
	if s.Int("pool.calls_per_rotation") != 7 || s.Duration("stage.retry.interval") != time.Second/2 {
		t.Error("the flat keys do not count")
	}
	want := []string{
		`config.toml:3: _credential_order: not used any more: the order of credentials is kept with their state`,
		`config.toml:1: calls_per_rotation: old name, taken as "pool.calls_per_rotation"; write calls_per_rotation = ... under [pool]`,
		`config.toml:5: model_costs: not read from here: costs of models are set with POST /auth/models/costs; those in the config.toml of the credentials folder are taken over at start`,
		`config.toml:2: retry_429_interval: old name, taken as "stage.retry.interval"; write interval = ... under [stage.retry]`,
	}
	if got := s.Warnings(); !slices.Equal(got, want) {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
}

func TestStages(t *testing.T) {
	o := options("[stage.quota]\nenabled = false\n[stage.shape]\n[pipeline]\norder = [\"auth\", \"quota\", \"upstream\"]\n[stage.retry]\nreturns = 1")
	o.Overrides = map[string]any{"stage": map[string]any{"auth": map[string]any{"enabled": false}}}
	s := load(t, o)
	if got := s.Order(); !slices.Equal(got, []string{"auth", "quota", "upstream"}) {
		t.Errorf("order %v", got)
	}
	if got := s.Stages(); !slices.Equal(got, []string{"auth", "quota", "retry"}) {
		t.Errorf("stages with settings %v", got)
	}
	for name, want := range map[string]bool{"auth": false, "quota": false, "upstream": true, "nothing": false} {
		if s.Enabled(name) != want {
			t.Errorf("Enabled(%s) = %v", name, !want)
		}
	}
	want := []string{"config.toml:6: stage.retry: has settings but pipeline.order does not name the stage, so it does not run"}
	if got := s.Warnings(); !slices.Equal(got, want) {
		t.Errorf("warnings %v", got)
	}
	s.Order()[0] = "changed"
	if s.Order()[0] != "auth" {
		t.Error("a caller could change the snapshot")
	}
}

func TestPasswords(t *testing.T) {
	const known = " is the built-in password that everybody knows; set another one"
	tests := []struct {
		name, file string
		env        []string
		panel      map[string]any
		want       Passwords
	}{
		{"nobody set one", "", nil, nil, Passwords{"pwd", "pwd", false, false, nil}},
		{"stored empty is not set", "[server]\npassword = \"\"\napi_password = \" \"", nil, map[string]any{"server.panel_password": ""}, Passwords{"pwd", "pwd", false, false, nil}},
		{"empty in the panel leaves the file's", "[server]\npassword = \"x\"", nil, map[string]any{"password": ""}, Passwords{"x", "x", true, true, nil}},
		{"both", "", []string{"PASSWORD=x"}, nil, Passwords{"x", "x", true, true, nil}},
		{"only the API's", "", []string{"API_PASSWORD=x"}, nil, Passwords{"x", "pwd", true, false, nil}},
		{"only the panel's", "", nil, map[string]any{"panel_password": "x"}, Passwords{"pwd", "x", false, true, nil}},
		{"PASSWORD overrides", "[server]\npanel_password = \"y\"", []string{"PASSWORD=x", "API_PASSWORD=z"}, nil, Passwords{"x", "x", true, true, []string{
			"PASSWORD overrides API_PASSWORD: the specific password does not count",
			"PASSWORD overrides server.panel_password (config.toml:2): the specific password does not count"}}},
		{"a stored general one overrides a specific variable", "[server]\npassword = \"x\"", []string{"API_PASSWORD=z"}, nil, Passwords{"x", "x", true, true, []string{
			"server.password (config.toml:2) overrides API_PASSWORD: the specific password does not count"}}},
		{"pwd by hand", "", []string{"PASSWORD=pwd"}, nil, Passwords{"pwd", "pwd", true, true, []string{"PASSWORD" + known}}},
		{"no header can carry it", "", []string{"PASSWORD=x "}, nil, Passwords{"x ", "x ", true, true, []string{"PASSWORD begins or ends with a space, which no client can send in a header"}}},
		{"pwd by hand for one", "", nil, map[string]any{"api_password": "pwd"}, Passwords{"pwd", "pwd", true, false, []string{"server.api_password (panel)" + known}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options(test.file, test.env...)
			o.Overrides = test.panel
			if got := load(t, o).Passwords(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("\n got %v %q %q %q\nwant %v %q %q %q", got, got.API, got.Panel, got.Warnings, test.want, test.want.API, test.want.Panel, test.want.Warnings)
			}
		})
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	s := load(t, options("[stage.hook.headers]\nAuthorization = \"hunter2\"", "PASSWORD=hunter2", "API_PASSWORD=hunter2", "GEMINI_API_KEYS=hunter2,b",
		"GCLI_OAUTH_CLIENT_SECRET=hunter2", "HOOK_TOKEN=hunter2hunter2", "PROXY=http://user:hunter2@host:1"))
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("loaded", "config", s, "passwords", s.Passwords())
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		fmt.Fprintf(&b, form+form+form, s, *s, s.Passwords())
	}
	asJSON, err := json.Marshal([]any{s, *s, s.Passwords()})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(asJSON)
	b.WriteString(s.Dump())
	fmt.Fprintf(&b, "%v %v", s.Warnings(), s.Passwords().Warnings)
	for _, e := range s.Entries() {
		fmt.Fprint(&b, e.Key, e.Value, e.Param.Default)
	}
	if before, _, shown := strings.Cut(b.String(), "hunter2"); shown {
		t.Errorf("a secret is shown after %s", before[max(0, len(before)-200):])
	}
	for _, want := range []string{`server.password = "********"  # environment (PASSWORD)`, `outbound.proxy = "http://***@host:1"`, "server.panel_password = \"\"  # default", `server.body_limit = "100MB"  # default`} {
		if !strings.Contains(s.Dump(), want) {
			t.Errorf("dump lacks %s", want)
		}
	}
}

func TestWaitsForRestart(t *testing.T) {
	running := load(t, options("[server]\nport = 1"))
	next := load(t, options("[server]\nport = 2\n[log]\nlevel = \"debug\""))
	if got := next.WaitsForRestart(running); !slices.Equal(got, []string{"server.port"}) {
		t.Errorf("got %v", got)
	}
	if got := running.WaitsForRestart(running); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestRevision(t *testing.T) {
	base := load(t, options("[server]\nport = 1\nhost = \"h\"")).Revision()
	same := load(t, options("# comment\n[server]\n\nhost = \"h\"\nport = 1 # here")).Revision()
	if base != same {
		t.Error("comments and order of lines make another revision")
	}
	for _, o := range []Options{options("[server]\nport = 2\nhost = \"h\""), options("[server]\nhost = \"h\"", "PORT=1"), options("")} {
		if load(t, o).Revision() == base {
			t.Errorf("%s %v has the same revision", o.Data, o.Environ)
		}
	}
}

func TestResolve(t *testing.T) {
	s := load(t, options(""))
	for name, want := range map[string]string{"server.port": "server.port", "port": "server.port", "auto_ban_enabled": "pool.auto_ban", "nothing": ""} {
		if p, ok := s.Resolve(name); p.Key != want || ok != (want != "") {
			t.Errorf("Resolve(%s) = %s, %v", name, p.Key, ok)
		}
	}
}

func TestGettersPanicOnFaultsOfTheCode(t *testing.T) {
	s := load(t, options(""))
	for name, call := range map[string]func(){
		"unknown key": func() { s.Int("server.prot") },
		"wrong type":  func() { s.Bool("server.port") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
	if s.String("stage.hook.token") != "" {
		t.Error("a declared key without a value is the zero value")
	}
}

func TestPlace(t *testing.T) {
	s := load(t, options("[stage.retry]\nreturns = 2\n[models]\nknown = [\n\"a\",\n\"b\"]\n", "PORT=99"))
	for key, want := range map[string]string{
		"stage.retry": "config.toml:1", "stage.retry.returns": "config.toml:2", "stage.retry.from": "config.toml:1",
		"models.known": "config.toml:4", "models.listing": "config.toml:3", "pipeline.order": "config.toml",
		"server.port": "environment (PORT)",
	} {
		if got := s.Place(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if got := load(t, Options{}).Place("stage.retry"); got != "built-in defaults" {
		t.Error(got)
	}
}

func TestProblemNamesTheEntry(t *testing.T) {
	s := load(t, options("[models]\nknown = [\n\"a\",\n\"b\"]\n[models.alias]\n\"gpt-4.1\" = \"x\"\nplain = \"y\""))
	for want, key := range map[string][]string{
		`config.toml:6: models.alias."gpt-4.1": m`: {"models", "alias", "gpt-4.1"},
		"config.toml:7: models.alias.plain: m":     {"models", "alias", "plain"},
		`config.toml:5: models.alias."": m`:        {"models", "alias", ""},
		"config.toml:4: models.known.1: m":         {"models", "known", "1"},
		"config.toml:1: models.listing: m":         {"models", "listing"},
	} {
		if got := s.Problem(key, "m").String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestSays(t *testing.T) {
	s := load(t, options("[models]\nlive = false\nimages = true\nlisting = \"\"\nknown = []\ncount = 0\n[models.alias]\n\"a.b\" = \"c\"\n[models.empty]\n[stage.retry]\nreturns = 1"))
	for key, want := range map[string]bool{"models": true, "models alias": true, "models alias a.b": true, "models alias x": false, "models alias a.b deeper": false,
		"models live": false, "models images": true, "models listing": false, "models known": false, "models count": true, "models empty": false, "models none": false,
		"stage retry returns": true, "stage retry interval": false, "server port": false, "nothing": false} {
		if got := s.Says(strings.Fields(key)); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
	if load(t, options("")).Says([]string{"models"}) {
		t.Error("a table that nobody wrote")
	}
}

func TestWarned(t *testing.T) {
	s := load(t, options("[models]\nx = 1", "PORT=no"))
	more := s.Warned(Problems{s.Problem([]string{"models", "x"}, "has no effect")})
	if got := more.Warnings(); len(got) != 2 || got[1] != "config.toml:2: models.x: has no effect" || len(s.Warnings()) != 1 || more.Revision() != s.Revision() {
		t.Errorf("%q, before %q", got, s.Warnings())
	}
}
