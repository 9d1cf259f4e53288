// Command tally reads the output of .ci/test: events of `go test -json` mixed with plain lines. It
// shows what an impatient reader needs (packages as they finish, the output of what failed), then
// every skip with its reason, and ends with the line "N passed, N failed, N skipped".
//
// It exits 1 when something failed, when the input stopped before its end, or, with -allow FILE,
// when something was skipped that FILE does not list.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of go test -json. .ci/test adds four actions of its own: "check-fail" for gofmt,
// vet and the like, "suite" at the end of a go test with its exit code in Elapsed, "skip" for what
// it could not set up, and "done" at the very end.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type tally struct {
	out                     io.Writer
	text                    map[string]*strings.Builder // output so far, by package and test
	tests                   map[string]int              // finished, by package
	broken                  map[string]bool             // packages with a failed test
	passed, failed, skipped int
	before                  int // failed when the suite began
	failures                []string
	skips                   [][2]string // name, reason
	done                    bool
}

func main() {
	allow := flag.String("allow", "", "file with the names of tests that may be skipped, each with its reason")
	flag.Parse()
	t := &tally{out: os.Stdout, text: map[string]*strings.Builder{}, tests: map[string]int{}, broken: map[string]bool{}}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			t.line(line)
		}
		if err != nil {
			break
		}
	}
	os.Exit(t.close(*allow))
}

func (t *tally) line(line []byte) {
	var e event
	if !bytes.HasPrefix(line, []byte(`{"`)) || json.Unmarshal(line, &e) != nil || e.Action == "" {
		fmt.Fprintf(t.out, "%s\n", bytes.TrimRight(line, "\r\n"))
		return
	}
	switch e.Action {
	case "output":
		t.buffer(e).WriteString(e.Output)
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "check-fail":
		t.fail(e.Package)
	case "suite":
		if e.Elapsed != 0 && t.failed == t.before { // it failed and no test says why
			t.fail(e.Package)
		}
		t.before = t.failed
	case "done":
		t.done = true
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.closePackage(e)
		} else {
			t.closeTest(e)
		}
	}
}

func (t *tally) buffer(e event) *strings.Builder {
	key := e.Package + " " + e.Test
	if t.text[key] == nil {
		t.text[key] = &strings.Builder{}
	}
	return t.text[key]
}

func (t *tally) closeTest(e event) {
	text := t.buffer(e).String()
	delete(t.text, e.Package+" "+e.Test)
	t.tests[e.Package]++
	switch e.Action {
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
		t.skips = append(t.skips, [2]string{e.Test, reason(text)})
	case "fail":
		t.broken[e.Package] = true
		t.fail(e.Package + " " + e.Test)
		fmt.Fprint(t.out, text)
	}
}

// closePackage prints what its unfinished tests had to say, for that is where it hung or died.
func (t *tally) closePackage(e event) {
	if e.Action == "fail" {
		if !t.broken[e.Package] {
			t.fail(e.Package)
		}
		for key, text := range t.text {
			if strings.HasPrefix(key, e.Package+" ") {
				fmt.Fprint(t.out, text)
			}
		}
		fmt.Fprintf(t.out, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
	} else if n := t.tests[e.Package]; n > 0 {
		fmt.Fprintf(t.out, "ok    %s  %d tests  %.1fs\n", e.Package, n, e.Elapsed)
	}
	for key := range t.text {
		if strings.HasPrefix(key, e.Package+" ") {
			delete(t.text, key)
		}
	}
	delete(t.tests, e.Package) // the same package may come again, for fuzzing
	delete(t.broken, e.Package)
}

func (t *tally) fail(name string) {
	t.failed++
	t.failures = append(t.failures, name)
}

// reason is what a skipped test printed, without the frame of go test.
func reason(text string) string {
	var said []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// close prints the summary and gives the exit code.
func (t *tally) close(allow string) int {
	if !t.done {
		t.fail("the run stopped before its end")
	}
	if len(t.failures) > 0 {
		fmt.Fprintln(t.out, "\nFailed:")
		for _, name := range t.failures {
			fmt.Fprintln(t.out, "  "+name)
		}
	}
	refused := t.showSkips(allow)
	if t.passed == 0 {
		fmt.Fprintln(t.out, "\nNo test ran.")
	}
	fmt.Fprintf(t.out, "\n%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	if t.failed > 0 || refused > 0 || t.passed == 0 {
		return 1
	}
	return 0
}

func (t *tally) showSkips(allow string) (refused int) {
	listed, err := readAllowed(allow)
	if err != nil {
		fmt.Fprintln(t.out, "\nThe list of allowed skips cannot be read:", err)
		refused++
	}
	if len(t.skips) > 0 {
		fmt.Fprintln(t.out, "\nSkipped:")
	}
	for _, s := range t.skips {
		note := ""
		if why, ok := permitted(listed, s[0], s[1]); ok {
			note = "  (allowed: " + why + ")"
		} else if allow != "" {
			note = "  (NOT ALLOWED: " + allow + " does not list it)"
			refused++
		}
		fmt.Fprintf(t.out, "  %s: %s%s\n", s[0], s[1], note)
	}
	return refused
}

// readAllowed reads lines of what may be skipped, a space and a reason; # begins a comment. What may be
// skipped is the name of a test, or in quotes a text that a test says when it is skipped.
func readAllowed(path string) (map[string]string, error) {
	listed := map[string]string{}
	if path == "" {
		return listed, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, why, _ := strings.Cut(line, " ")
		if said, rest, is := strings.Cut(line[1:], "\""); is && line[0] == '"' && said != "" {
			name, why = "\""+said, rest
		}
		if why = strings.TrimSpace(why); why == "" {
			return nil, fmt.Errorf("%s: %s has no reason", path, name)
		}
		listed[name] = why
	}
	return listed, nil
}

// permitted looks for the test and for the tests it is part of, and for what it said.
func permitted(listed map[string]string, name, reason string) (why string, ok bool) {
	for said, why := range listed {
		if said[0] == '"' && strings.Contains(reason, said[1:]) {
			return why, true
		}
	}
	for {
		if why, ok = listed[name]; ok {
			return why, true
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return "", false
		}
		name = name[:i]
	}
}
