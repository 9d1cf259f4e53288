package config

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLoad feeds any bytes as the file and as a variable: a Snapshot or Problems come back, each
// problem is one line, and what loaded loads the same again.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "a", "[server]\nport = 1\n", "port = 7861\nretry_429_interval = 1.0", "[[stage.retry]]\nreturns = [1, {a = 2}]",
		"stage = {retry = {returns = 3}}", "[models]\n\"a.b\".c = [[1], [{d = 1979-05-27T07:32:00Z}]]", "[server]\npassword = hunter2",
		"\xff", "\xef\xbb\xbf[log]", "[pipeline]\norder = [\"auth\", \"auth\"]", "\"server.port\" = 3\n[server]\nport = 4", "a.a.a.a.a = 1\n[a.a.b]\n[[a.a.c]]",
		"[models.families]\n[[models.families.x]]\nname = 1\n[models.families.x.y]\nz = inf", "\"\\u0000\" = 1", "''=1", string(reference()),
	} {
		f.Add([]byte(seed), "PORT=abc")
	}
	f.Fuzz(func(t *testing.T, data []byte, pair string) {
		if data == nil {
			data = []byte{}
		}
		s, err := Load(options(string(data), strings.ToValidUTF8(pair, "?")))
		if err != nil {
			checkProblems(t, err)
			return
		}
		if again := load(t, options(string(data), strings.ToValidUTF8(pair, "?"))); again.Revision() != s.Revision() {
			t.Error("the same content has two revisions")
		}
		s.Passwords()
		s.Dump()
		var retry retrySettings
		if err := s.Section("stage.retry", &retry); err != nil {
			t.Errorf("checked settings do not decode: %v", err)
		}
		if err := s.Section("models", &modelSettings{}); err != nil {
			checkProblems(t, err)
		}
	})
}

func checkProblems(t *testing.T, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%T instead of Problems: %v", err, err)
	}
	for _, p := range problems {
		if line := p.String(); strings.Contains(line, "\n") || !utf8.ValidString(line) || p.Message == "" || p.File == "" {
			t.Errorf("not a line for people: %q", line)
		}
		if p.File == "config.toml" && p.Key != "" && p.Line == 0 {
			t.Errorf("no line number: %s", p)
		}
	}
}
