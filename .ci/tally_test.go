package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func run(t *testing.T, allow string, lines ...string) (out string, code int) {
	t.Helper()
	if allow != "" {
		path := filepath.Join(t.TempDir(), "allowed")
		if err := os.WriteFile(path, []byte(allow), 0o600); err != nil {
			t.Fatal(err)
		}
		allow = path
	}
	var b strings.Builder
	c := &tally{out: &b, text: map[string]*strings.Builder{}, tests: map[string]int{}, broken: map[string]bool{}}
	for _, l := range lines {
		c.line([]byte(l + "\n"))
	}
	code = c.close(allow)
	return b.String(), code
}

const (
	pass     = `{"Action":"pass","Package":"p","Test":"TestGood"}`
	skipSays = `{"Action":"output","Package":"p","Test":"TestDB/redis","Output":"    x_test.go:3: no redis here\n"}`
	told     = `{"Action":"output","Package":"p","Test":"TestDB/redis","Output":"    x_test.go:3: there is no server for it\n"}`
	skipped  = `{"Action":"skip","Package":"p","Test":"TestDB/redis"}`
	failSays = `{"Action":"output","Package":"p","Test":"TestBad","Output":"    x_test.go:9: got 2\n"}`
	failed   = `{"Action":"fail","Package":"p","Test":"TestBad"}`
	pkgFail  = `{"Action":"fail","Package":"p"}`
	pkgPass  = `{"Action":"pass","Package":"p","Elapsed":1.5}`
	done     = `{"Action":"done"}`
)

func TestTally(t *testing.T) {
	for _, row := range []struct {
		name, allow string
		lines       []string
		code        int
		says        []string // in the output
		last        string
	}{
		{"all good", "", []string{"plain line", pass, pkgPass, done}, 0, []string{"plain line\n", "ok    p  1 tests  1.5s\n"}, "1 passed, 0 failed, 0 skipped"},
		{"a failure shows what it said", "", []string{pass, failSays, failed, pkgFail, done}, 1, []string{"x_test.go:9: got 2\n", "Failed:\n  p TestBad\n"}, "1 passed, 1 failed, 0 skipped"},
		{"a package that fails without a test counts", "", []string{pass, pkgFail, done}, 1, []string{"FAIL  p"}, "1 passed, 1 failed, 0 skipped"},
		{"a test that hangs is heard", "", []string{pass, failSays, pkgFail, done}, 1, []string{"x_test.go:9: got 2\n"}, "1 passed, 1 failed, 0 skipped"},
		{"a failed check", "", []string{pass, `{"Action":"check-fail","Package":"gofmt"}`, done}, 1, []string{"  gofmt\n"}, "1 passed, 1 failed, 0 skipped"},
		{"go test fails without a word", "", []string{pass, `{"Action":"suite","Package":"go test","Elapsed":1}`, done}, 1, []string{"  go test\n"}, "1 passed, 1 failed, 0 skipped"},
		{"one failure is not counted twice", "", []string{failed, pkgFail, `{"Action":"suite","Package":"go test","Elapsed":1}`, done}, 1, nil, "0 passed, 1 failed, 0 skipped"},
		{"a build that breaks", "", []string{pass, `{"Action":"build-output","ImportPath":"p","Output":"x.go:1: undefined: y\n"}`, pkgFail, done}, 1, []string{"x.go:1: undefined: y\n"}, "1 passed, 1 failed, 0 skipped"},
		{"cut short", "", []string{pass}, 1, []string{"stopped before its end"}, "1 passed, 1 failed, 0 skipped"},
		{"nothing ran", "", []string{done}, 1, []string{"No test ran."}, "0 passed, 0 failed, 0 skipped"},
		{"a skip is told", "", []string{pass, skipSays, skipped, done}, 0, []string{"TestDB/redis: x_test.go:3: no redis here\n"}, "1 passed, 0 failed, 1 skipped"},
		{"a skip that is not listed", "# none\n", []string{pass, skipSays, skipped, done}, 1, []string{"NOT ALLOWED"}, "1 passed, 0 failed, 1 skipped"},
		{"a skip that is listed", "TestDB/redis needs a server\n", []string{pass, skipped, done}, 0, []string{"no reason given  (allowed: needs a server)"}, "1 passed, 0 failed, 1 skipped"},
		{"a skip whose parent is listed", "TestDB needs a server\n", []string{pass, skipped, done}, 0, []string{"(allowed: needs a server)"}, "1 passed, 0 failed, 1 skipped"},
		{"a skip that says what is listed", "\"no server\" it cannot be had\n", []string{pass, told, skipped, done}, 0, []string{"there is no server for it  (allowed: it cannot be had)"}, "1 passed, 0 failed, 1 skipped"},
		{"a skip that says something else", "\"no servers\" they cannot be had\n", []string{pass, told, skipped, done}, 1, []string{"NOT ALLOWED"}, "1 passed, 0 failed, 1 skipped"},
		{"a text without a reason", "\"no server\"\n", []string{pass, done}, 1, []string{"has no reason"}, "1 passed, 0 failed, 0 skipped"},
		{"a list without reasons", "TestDB\n", []string{pass, done}, 1, []string{"TestDB has no reason"}, "1 passed, 0 failed, 0 skipped"},
	} {
		t.Run(row.name, func(t *testing.T) {
			out, code := run(t, row.allow, row.lines...)
			if code != row.code || !strings.HasSuffix(out, "\n"+row.last+"\n") {
				t.Errorf("code %d, output:\n%s", code, out)
			}
			for _, s := range row.says {
				if !strings.Contains(out, s) {
					t.Errorf("the output does not say %q:\n%s", s, out)
				}
			}
		})
	}
}
