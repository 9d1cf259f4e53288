package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// retryParams is a stage as the tests know it.
func retryParams() []Param {
	return []Param{
		{Key: "stage.retry.returns", Flat: "retry_429_max_retries", Env: []string{"RETRY_429_MAX_RETRIES"}, Type: Int, Default: 3, Min: new(0.0), Max: new(50.0)},
		{Key: "stage.retry.interval", Flat: "retry_429_interval", Env: []string{"RETRY_429_INTERVAL"}, Type: Duration, Default: "1s", Min: new(0.01), Max: new(10.0)},
		{Key: "stage.retry.share", Type: Float, Default: 0.5, Env: []string{"SHARE"}, Max: new(1.0)},
		{Key: "stage.hook.headers", Type: Table, Secret: true},
		{Key: "stage.hook.token", Type: String, Secret: true, Env: []string{"HOOK_TOKEN"}, Check: func(v any) error {
			if len(v.(string)) < 8 {
				return fmt.Errorf("must be longer than %q", v)
			}
			return nil
		}},
	}
}

func stages() []string {
	return []string{"auth", "quota", "format", "model", "translate", "thinking", "search", "compat", "fakestream", "antitrunc", "credential", "upstream", "retry", "shape", "usage"}
}

func options(toml string, environ ...string) Options {
	return Options{File: "config.toml", Data: []byte(toml), Environ: environ, Params: retryParams(), Stages: stages()}
}

func load(t *testing.T, o Options) *Snapshot {
	t.Helper()
	s, err := Load(o)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return s
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	tests := []struct{ name, toml, want string }{
		{"wrong type", "[stage.retry]\n\nreturns = \"three\"\n", `config.toml:3: stage.retry.returns: must be an integer between 0 and 50, got "three"`},
		{"out of range", "[stage.retry]\nreturns = 51", "config.toml:2: stage.retry.returns: must be an integer between 0 and 50, got 51"},
		{"fraction for integer", "[server]\nport = 80.5", "config.toml:2: server.port: must be an integer between 1 and 65535, got 80.5"},
		{"text for integer", "server.port = true", "config.toml:1: server.port: must be an integer between 1 and 65535, got true"},
		{"inline table", "stage.retry = {enabled = true,\n returns = []}", "config.toml:2: stage.retry.returns: must be an integer between 0 and 50, got a list"},
		{"number out of range as duration", "[stage.retry]\ninterval = 11", `config.toml:2: stage.retry.interval: must be a duration like "1.5s" or a number of seconds between 10ms and 10s, got 11`},
		{"bad duration", "[stage.retry]\ninterval = \"soon\"", `config.toml:2: stage.retry.interval: must be a duration like "1.5s" or a number of seconds between 10ms and 10s, got "soon"`},
		{"negative duration", "[outbound]\nidle_timeout = -1", `config.toml:2: outbound.idle_timeout: must be a duration like "1.5s" or a number of seconds, got -1`},
		{"endless duration", "[outbound]\nidle_timeout = inf", `config.toml:2: outbound.idle_timeout: must be a duration like "1.5s" or a number of seconds, got +Inf`},
		{"size", "[server]\nbody_limit = \"100 apples\"", `config.toml:2: server.body_limit: must be a size like "100MB" or a number of bytes of at least 1KiB, got "100 apples"`},
		{"not a number", "[stage.retry]\nshare = nan", "config.toml:2: stage.retry.share: must be a number of at most 1, got NaN"},
		{"word", "[log]\nlevel = \"warn\"", `config.toml:2: log.level: must be one of "debug", "info", "warning", "error", "critical", got "warn"`},
		{"list element", "[pipeline]\norder = [\"auth\", 3]", "config.toml:2: pipeline.order: must be a list of strings, got a list with 3"},
		{"list in list", "[pool]\nauto_ban_error_codes = [403, [4]]", "config.toml:2: pool.auto_ban_error_codes: must be a list of integers between 400 and 599, got a list with a list in it"},
		{"list range", "[pool]\nauto_ban_error_codes = [403, 200]", "config.toml:2: pool.auto_ban_error_codes: must be a list of integers between 400 and 599, got a list with 200"},
		{"empty string", "[server]\nhost = \"\"", `config.toml:2: server.host: must be a string that is not empty, got ""`},
		{"date", "[server]\nhost = 2026-01-01", "config.toml:2: server.host: must be a string that is not empty, got a date or time"},
		{"url scheme", "[outbound]\nproxy = \"ftp://user:hunter2@host\"", `config.toml:2: outbound.proxy: must be an http, https, socks5 or socks5h address, or empty, got "ftp://***@host"`},
		{"url not optional", "[google]\ncode_assist_endpoint = \"\"", `config.toml:2: google.code_assist_endpoint: must be an http or https address, got ""`},
		{"check", "[google]\nuser_agent = \"X/{version}\"", `config.toml:2: google.user_agent: must use no other places than {model}, {platform} and {arch}, got "X/{version}"`},
		{"check of a secret", "[stage.hook]\ntoken = \"hunter2\"", "config.toml:2: stage.hook.token: is not acceptable here (the value is not shown)"},
		{"type of a secret", "[server]\npassword = 12345", "config.toml:2: server.password: must be a string, got a value that is not shown"},
		{"list of secrets", "[pool]\ngemini_api_keys = \"AIza-secret\"", "config.toml:2: pool.gemini_api_keys: must be a list of strings, got a value that is not shown"},

		{"unknown key", "[stage.retry]\nretruns = 3", `config.toml:2: stage.retry.retruns: unknown setting; did you mean "returns"?`},
		{"unknown key, nothing near", "[stage.retry]\nxyzzy = 3", "config.toml:2: stage.retry.xyzzy: unknown setting"},
		{"key in the wrong table", "[log]\ncalls_per_rotation = 3", `config.toml:2: log.calls_per_rotation: unknown setting; did you mean "pool.calls_per_rotation"?`},
		{"flat key in a table", "[stage.retry]\nretry_429_interval = 3", `config.toml:2: stage.retry.retry_429_interval: unknown setting; did you mean "stage.retry.interval"?`},
		{"unknown table", "[sever]\nport = 1", "config.toml:1: sever: unknown table; did you mean [server]?"},
		{"stage as table", "[retry]\nreturns = 1", "config.toml:1: retry: unknown table; did you mean [stage.retry]?"},
		{"words of a key at the top", "pool_calls_per_rotation = 3", `config.toml:1: pool_calls_per_rotation: unknown setting at top level; did you mean "pool.calls_per_rotation"?`},
		{"unknown top key", "returns = 1", `config.toml:1: returns: unknown setting at top level; did you mean "stage.retry.returns"?`},
		{"flat typing error", "calls_per_rotaton = 1", `config.toml:1: calls_per_rotaton: unknown setting at top level; did you mean "calls_per_rotation"?`},
		{"unknown stage", "\n[stage.retri]\nreturns = 1", `config.toml:2: stage.retri: there is no stage "retri"; did you mean "retry"?`},
		{"unknown stage by a dotted key", "stage.zzzzzz.enabled = true", `config.toml:1: stage.zzzzzz: there is no stage "zzzzzz"`},
		{"quoted name", "[server]\n\"a b\" = 1", `config.toml:2: server."a b": unknown setting`},
		{"value for table", "server = 3", "config.toml:1: server: must be a table, got 3"},
		{"list of tables", "[[stage.retry]]\nreturns = 3", "config.toml:1: stage.retry: must be a table, got a list"},
		{"order, unknown", "[pipeline]\norder = [\"auth\", \"shap\"]", `config.toml:2: pipeline.order: there is no stage "shap"; did you mean "shape"?`},
		{"order, twice", "[pipeline]\norder = [\"auth\", \"auth\"]", `config.toml:2: pipeline.order: names the stage "auth" twice`},
		{"old and new name", "retry_429_max_retries = 1\n[stage.retry]\nreturns = 2", "config.toml:3: stage.retry.returns: is set twice, also in line 1"},

		{"syntax", "[server]\nport == 1", "config.toml:2: server.port: column 7: is not TOML: unexpected character U+003D '=' at start of value"},
		{"cut off", "[server]\nhost = \"0.0", "config.toml:2: server.host: column 11: is not TOML: unterminated basic string"},
		{"key twice", "[server]\nport = 1\nport = 2", "config.toml:3: key port is already defined; write it once"},
		{"table twice", "[log]\n\n[stage.retry]\nreturns = 1\n[ stage.retry ] # again\nreturns = 2", "config.toml:5: table retry already exists in line 3; write it once"},
		{"secret without quotes", "[server]\npassword = hunter2", "config.toml:2: server.password: column 12: is not TOML: the value of this secret is not written as TOML wants it: put it in quotes"},
		{"not UTF-8", "[server]\n# ok\nhost = \"caf\xe9\"", "config.toml:3: server.host: must be UTF-8 text; save the file in that encoding"},
		{"UTF-16", "\xff\xfe[\x00s\x00", "config.toml:1: must be UTF-8 text; save the file in that encoding"},
		{"too deep", "\n" + strings.Repeat("a.", 40) + "b = 1", "config.toml:2: must not nest deeper than 32 levels"},
		{"too deep inline", "a = " + strings.Repeat("[", 20000), "config.toml:1: column 10005: is not TOML: arrays and inline tables are nested more than"},
		{"too large", "#" + strings.Repeat("x", maxFile), "config.toml: must be smaller than 1MiB; this is no settings file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(options(test.toml))
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Problems", err)
			}
			if !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("\n got %s\nwant %s", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "AIza") {
				t.Error("the message holds a secret")
			}
		})
	}
}

func TestLoadCollectsAllProblems(t *testing.T) {
	o := options("prot = 1\n[stage.retry]\nreturns = \"three\"\n[log]\nlevel = 3\n", "PROXY=nowhere")
	o.Overrides = map[string]any{"server": map[string]any{"prt": 1}}
	_, err := Load(o)
	want := `config.toml:1: prot: unknown setting at top level; did you mean "port"?
config.toml:3: stage.retry.returns: must be an integer between 0 and 50, got "three"
config.toml:5: log.level: must be one of "debug", "info", "warning", "error", "critical", got 3
environment: PROXY: must be an http, https, socks5 or socks5h address, or empty, got "nowhere"
panel: server.prt: unknown setting; did you mean "port"?`
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

func TestLoadReadsTheFile(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.toml")
	if err := os.WriteFile(good, []byte("\xef\xbb\xbf[server]\r\nport = 8000\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, "big.toml")
	if err := os.WriteFile(big, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	s := load(t, Options{File: good})
	if s.Int("server.port") != 8000 || s.Origin("server.port").String() != "file ("+good+":2)" || s.File() != good {
		t.Errorf("port %d from %s", s.Int("server.port"), s.Origin("server.port"))
	}
	for name, want := range map[string]string{
		filepath.Join(dir, "none.toml"): "there is no such file",
		dir:                             "is a folder, must be a file (Docker makes a folder when the file to mount does not exist)",
		big:                             "must be smaller than 1MiB; this is no settings file",
		filepath.Join(good, "below"):    "cannot be read: not a directory",
	} {
		if _, err := Load(Options{File: name}); err == nil || err.Error() != name+": "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := Find("", ""); got != "" {
		t.Errorf("no file: got %q", got)
	}
	if err := os.WriteFile("config.toml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ flag, env, want string }{
		{"", "", "config.toml"}, {"", "e.toml", "e.toml"}, {"f.toml", "e.toml", "f.toml"},
	} {
		if got := Find(test.flag, test.env); got != test.want {
			t.Errorf("Find(%q, %q) = %q, want %q", test.flag, test.env, got, test.want)
		}
	}
}

func TestDeclarationsAreChecked(t *testing.T) {
	for name, params := range map[string][]Param{
		"stage.x.a: declared twice":                                                 {{Key: "stage.x.a"}, {Key: "stage.x.a"}},
		"stage.x.a: the flat key port belongs to server.port already":               {{Key: "stage.x.a", Flat: "port"}},
		"stage.x.a: the declared default must be an integer of at least 1, got 0":   {{Key: "stage.x.a", Type: Int, Min: new(1.0), Default: 0}},
		"loose: declared with a key that names no table":                            {{Key: "loose"}},
		`stage.x.a: the declared default must be an http or https address, got "x"`: {{Key: "stage.x.a", Type: URL, Default: "x"}},
	} {
		if _, err := Load(Options{Params: params}); err == nil || err.Error() != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

func TestQuantities(t *testing.T) {
	durations := map[string]time.Duration{"1.0": time.Second, "0.01": 10 * time.Millisecond, "1.5s": 1500 * time.Millisecond,
		"2m": 2 * time.Minute, " 10s ": 10 * time.Second, "1h 30m": 90 * time.Minute, "0": 0}
	for text, want := range durations {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("duration %q = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "1e300", "nan", "-inf", "1 apple"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("duration %q = %v, want an error", text, got)
		}
	}
	sizes := map[string]int64{"100MB": 1e8, "512MiB": 512 << 20, "10": 10, "1.5GB": 1.5e9, "4 kb": 4000, "7B": 7, "2g": 2e9, "1TiB": 1 << 40, "9223372036854775807": math.MaxInt64}
	for text, want := range sizes {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("size %q = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "x", "9223372036854775807k", "1e30", "nan", "1PB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("size %q = %v, want an error", text, got)
		}
	}
	for n, want := range map[int64]string{1e8: "100MB", 512 << 20: "512MiB", 0: "0B", 1023: "1023B", 1 << 10: "1KiB", 3e9: "3GB"} {
		if got := formatSize(n); got != want {
			t.Errorf("formatSize(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Second: "1m30s", 0: "0s", 10 * time.Second: "10s"} {
		if got := formatDuration(d); got != want {
			t.Errorf("formatDuration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"retri", "retry"}, {"upstraem", "upstream"}, {"q", ""}, {"completely different", ""}, {strings.Repeat("a", 1000), ""},
	} {
		if got := nearest(test.name, stages()); got != test.want {
			t.Errorf("nearest(%q) = %q, want %q", test.name, got, test.want)
		}
	}
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"prot", "port", 1}, {"ca", "abc", 3}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

// Credentials in the environment that do not count are named, their content is not.
func TestUnreadCredentialsAreNamed(t *testing.T) {
	for load, want := range map[string]int{"": 1, "AUTO_LOAD_ENV_CREDS=true": 0} {
		s, err := Load(Options{Environ: []string{"GCLI_CREDS_work=made-up", "GCLI_CREDS_EMPTY=", load}})
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(s.Warnings(), "\n")
		if strings.Count(said, "environment: GCLI_CREDS_work: is read at start only with AUTO_LOAD_ENV_CREDS=true, or once POST /auth/load-env-creds") != want || strings.Contains(said, "made-up") || strings.Contains(said, "EMPTY") {
			t.Errorf("%q: %q", load, said)
		}
	}
}
