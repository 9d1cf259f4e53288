package logging

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

// The samples are made up; they are put together so that no scanner takes them for real ones.
const (
	filler  = "abcdefghijklmnopqrstuvwxyz0123456789"
	apiKey  = "AI" + "za" + filler
	access  = "ya" + "29." + filler
	refresh = "1/" + "/0g" + filler
	ours    = "s" + "k-" + filler
	jwt     = "ey" + "J" + filler + "." + filler + "." + filler
	client  = "GOC" + "SPX-" + filler
	code    = "4" + "/0" + filler
)

func masked(t *testing.T, line string, hide ...string) string {
	t.Helper()
	var m masker
	for _, h := range hide {
		m.hide(h)
	}
	return m.apply(line)
}

func TestMaskPatterns(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		{"Authorization: Bearer " + filler, "Authorization: Bearer ***"},
		{"authorization:[bearer x]", "authorization:[bearer ***]"},
		{"Proxy-Authorization: Basic " + filler + "==", "Proxy-Authorization: Basic ***"},
		{"got " + access + " back", "got ya29.*** back"},
		{"next%3D" + access, "next%3Dya29.***"},
		{"with " + apiKey + ".", "with AIza***"},
		{"with A" + "Q." + filler, "with AQ.***"},
		{"uses " + refresh + ",", "uses 1//***,"},
		{"key " + ours, "key sk-***"},
		{"jwt " + jwt + " end", "jwt eyJ*** end"},
		{"id " + client, "id GOCSPX-***"},
		{"code=" + code + "&scope=x", "code=4/0***&scope=x"},
		{"GET /v1beta/models?key=short&alt=sse", "GET /v1beta/models?key=***&alt=sse"},
		{"GET /x?alt=sse&key=short", "GET /x?alt=sse&key=***"},
		{"password=hunter2 user=bob", "password=*** user=bob"},
		{`api_password = "hun ter2" # why`, `api_password = "***" # why`},
		{`{"client_secret":"a\"b","x":1}`, `{"client_secret":"***","x":1}`},
		{`body="{\"refresh_token\":\"abc\",\"x\":1}"`, `body="{\"refresh_token\":\"***\",\"x\":1}"`},
		{"map[X-Goog-Api-Key:[abc] Host:[h]]", "map[X-Goog-Api-Key:[***] Host:[h]]"},
		{"x-api-key: abc", "x-api-key: ***"},
		{"Cookie: a=b; c=d", "Cookie: ***"},
		{"{Password:abc Host:h}", "{Password:*** Host:h}"},
		{"dial http://user:pa:ss@proxy:3128/x", "dial http://user:***@proxy:3128/x"},
		{"redis://:pw@host:6379/0", "redis://:***@host:6379/0"},
		{"k: -----BEGIN PRIVATE KEY-----\\nabc\\n-----END PRIVATE KEY----- rest", "k: -----BEGIN ***-----END PRIVATE KEY----- rest"},
		{`k="-----BEGIN PRIVATE KEY-----\nabc" x=1`, `k="-----BEGIN ***" x=1`},
		{"token=a token=b", "token=*** token=***"},
		{access + " " + access, "ya29.*** ya29.***"},
	} {
		if got := masked(t, row.line); got != row.want {
			t.Errorf("%s\n got %s\nwant %s", row.line, got, row.want)
		}
	}
}

// TestMaskLeavesTheRest: a log that hides what an operator has to read is no log.
func TestMaskLeavesTheRest(t *testing.T) {
	for _, line := range []string{
		"listening on http://127.0.0.1:7861", "model=gemini-2.5-pro tokens=12 max_tokens=5 status=200 took=1.5s",
		"config.toml: stage.auth.api_password: must be text, not a number", `unknown setting key="models.listng"`,
		"task-" + filler, "risk-free", "a sk-1 is too short", "keys begin with AIza", "bearer", "monkey=5", "key=alice",
		"12:34:56 11//22", "user@example.com", "http://host:80/a@b", "", "=", ":", "a:", "://", "-----BEGIN",
		"生成 gemini 失败 code=quota_exhausted", "[::1]:7861",
	} {
		if got := masked(t, line); got != line {
			t.Errorf("%q became %q", line, got)
		}
	}
}

func TestHide(t *testing.T) {
	for _, row := range []struct{ secret, line, want string }{
		{"correct horse", "x correct horse y", "x *** y"},
		{"correct horse", "correct horsecorrect horse", "******"},
		{"correct horse", "?q=correct+horse&r=correct%20horse", "?q=***&r=***"},
		{`a"quoted\one`, `pw="a\"quoted\\one"`, `pw="***"`},
		{"<angle&one>", `{"x":"\u003cangle\u0026one\u003e"}`, `{"x":"***"}`},
		{"pwd", "pwd or (pwd) but cwd, mypwd, pwd2, pwd_x", "*** or (***) but cwd, mypwd, pwd2, pwd_x"},
		{"密码密码", "是密码密码吗", "是***吗"},
		{"ab", "ab", "ab"},
	} {
		if got := masked(t, row.line, row.secret); got != row.want {
			t.Errorf("hide %q in %q: %q, want %q", row.secret, row.line, got, row.want)
		}
	}
	if got := masked(t, "long-password-and-more long-password", "long-password", "long-password-and-more"); got != "*** ***" {
		t.Errorf("one secret inside another: %q", got)
	}
}

// TestSecretsReachNoOutlet plants secrets in every place that a line has, in both formats.
func TestSecretsReachNoOutlet(t *testing.T) {
	secrets := []string{apiKey, access, refresh, ours, jwt, client, "planted-secret-1", `pl"ant\ed 2`}
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		l := mustNew(t, Options{JSON: asJSON, Stdout: &out, Stderr: &out, Level: slog.LevelDebug})
		l.Hide("planted-secret-1")
		l.Hide(`pl"ant\ed 2`)
		lines, stop := l.Subscribe(0)
		for _, s := range secrets {
			log := l.Logger().With("with", s).WithGroup("g")
			log.Info("said "+s, "value", s, "list", []string{s}, "bytes", []byte("x "+s),
				slog.Group("h", "struct", struct{ S string }{s}), "error", errorOf("failed: "+s), "Authorization", "by-name-only", "password", []byte("by-name-only"), "map", map[string]string{"k": s})
			log.Error("nested", "api_key", s, "Authorization", s, "body", `{"token":"`+s+`"}`)
		}
		stop()
		all := out.String() + strings.Join(l.Recent(1000), "\n")
		for line := range lines {
			all += line
		}
		if strings.Contains(all, "by-name-only") {
			t.Error("a value is in the log whose name promises a secret")
		}
		for _, s := range secrets {
			if tail := s[len(s)-8:]; strings.Contains(all, tail) {
				t.Errorf("json=%v: %q is in the log", asJSON, tail)
			}
		}
		for line := range strings.Lines(out.String()) {
			if asJSON && !json.Valid([]byte(line)) {
				t.Errorf("masking broke %s", line)
			}
		}
	}
}

type errorOf string

func (e errorOf) Error() string { return string(e) }

// FuzzMask: no input panics, loses a line without secrets, or breaks a JSON line.
func FuzzMask(f *testing.F) {
	f.Add(`password=`, `\"`)
	f.Add(`{\"token\":\"x`, `-----BEGIN `)
	f.Add(`http://a:b@c`, `?key=`)
	f.Fuzz(func(t *testing.T, message, value string) {
		var out bytes.Buffer
		l := mustNew(t, Options{JSON: true, Stdout: &out, Recent: 1})
		l.Logger().Info(message, "value", value, "password", value)
		if !json.Valid(out.Bytes()) {
			t.Fatalf("not JSON: %s", out.Bytes())
		}
		if text := l.Recent(1)[0]; strings.ContainsAny(text, "\n\r\x1b") {
			t.Fatalf("the line is broken: %q", text)
		}
	})
}
