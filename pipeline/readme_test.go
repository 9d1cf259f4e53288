package pipeline_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/config"
)

// chapter is what stands below one heading of a README, reduced to what no translation changes.
type chapter struct {
	level  int
	blocks []string       // fenced code without its comments
	words  map[string]int // what is set as code, in prose and tables
	links  []string
	tables []int // rows of each table
}

// chapters takes a README apart.
func chapters(text string) (all []chapter) {
	all = []chapter{{words: map[string]int{}}}
	var block []string
	fenced, rows := false, 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		at := &all[len(all)-1]
		if rows > 0 && !strings.HasPrefix(line, "|") {
			at.tables, rows = append(at.tables, rows), 0
		}
		switch {
		case strings.HasPrefix(line, "```"):
			if block = append(block, line); fenced {
				at.blocks, block = append(at.blocks, strings.Join(block, "\n")), nil
			}
			fenced = !fenced
		case fenced:
			block = append(block, withoutComment(line))
		case strings.HasPrefix(line, "#"):
			all = append(all, chapter{level: len(line) - len(strings.TrimLeft(line, "#")), words: map[string]int{}})
		default:
			if strings.HasPrefix(line, "|") {
				rows++
			}
			at.take(line)
		}
	}
	return all
}

// take notes the code and the links of a line.
func (p *chapter) take(line string) {
	for _, m := range regexp.MustCompile("`[^`]+`").FindAllString(line, -1) {
		p.words[m]++
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(line, -1) {
		if !strings.HasPrefix(m[1], "README") { // each leads to the other language
			p.links = append(p.links, m[1])
		}
	}
}

func withoutComment(line string) string {
	if strings.HasPrefix(line, "#") {
		return "#"
	}
	command, _, _ := strings.Cut(line, "  # ")
	return strings.TrimRight(command, " ")
}

// drift says where two READMEs do not tell the same.
func drift(a, b string) (found []string) {
	x, y := chapters(a), chapters(b)
	if len(x) != len(y) {
		return []string{fmt.Sprintf("%d headings against %d", len(x)-1, len(y)-1)}
	}
	for i := range x {
		say := func(what string, one, other any) {
			if fmt.Sprint(one) != fmt.Sprint(other) {
				found = append(found, fmt.Sprintf("chapter %d: %s: %v against %v", i, what, one, other))
			}
		}
		say("level", x[i].level, y[i].level)
		say("links", x[i].links, y[i].links)
		say("rows of tables", x[i].tables, y[i].tables)
		say("code", missing(x[i].words, y[i].words), missing(y[i].words, x[i].words))
		say("blocks", x[i].blocks, y[i].blocks)
	}
	return found
}

// missing lists the code that the other one does not have.
func missing(words, other map[string]int) (out []string) {
	for _, w := range slices.Sorted(maps.Keys(words)) {
		if other[w] == 0 {
			out = append(out, w)
		}
	}
	return out
}

func readmeText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmesTellTheSame(t *testing.T) {
	for _, d := range drift(readmeText(t, "README.md"), readmeText(t, "README.zh-CN.md")) {
		t.Error(d)
	}
}

// Each kind of drift is noticed.
func TestDriftIsNoticed(t *testing.T) {
	english := readmeText(t, "README.md")
	for _, c := range []struct{ old, new, says string }{
		{"### Docker\n", "", "headings"},
		{"### Docker\n", "## Docker\n", "level"},
		{"`RUN_AS_UID`", "`RUN_AS_GID`", "code"},
		{"docker build -t gcli2api .", "docker build .", "blocks"},
		{"go run . demo        #", "go run . demos        #", "blocks"},
		{"(stages/auth/README.md)", "(stages/auths/README.md)", "links"},
		{"| `GET /health`, `GET /keepalive` |", "\n| `GET /health`, `GET /keepalive` |", "rows of tables"},
	} {
		if !strings.Contains(english, c.old) {
			t.Errorf("README.md has no %q", c.old)
			continue
		}
		if found := strings.Join(drift(english, strings.Replace(english, c.old, c.new, 1)), "\n"); !strings.Contains(found, c.says) {
			t.Errorf("%q became %q, and it says %q", c.old, c.new, found)
		}
	}
	// Comments may be in another language.
	if found := drift(english, strings.Replace(english, "# checks everything", "# 检查一切", 1)); len(found) > 0 {
		t.Error(found)
	}
}

// strangers finds settings that do not exist.
func strangers(text, reference string) (found []string) {
	noSettings := []string{"GOOGLE_CREDENTIALS", "GOOGLE_CREDENTIALS_2", "GCLI_CREDS_", "GCLI2API_CONFIG", "OAUTH_CLIENT_SECRET",
		"HTTP", "SIGHUP", "SIGTERM", "SIGINT"}
	names := regexp.MustCompile(`\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b|\$[A-Z0-9_]+|\b(?:server|pipeline|pool|stage|google|outbound|log|store)\.[a-z_]+(?:\.[a-z_]+)?\b`)
	for _, name := range names.FindAllString(text, -1) {
		name = strings.TrimPrefix(name, "$")
		leaf := name[strings.LastIndexByte(name, '.')+1:]
		if !slices.Contains(noSettings, name) && !regexp.MustCompile(`(?m)\b`+regexp.QuoteMeta(leaf)+`\b`).MatchString(reference) {
			found = append(found, name)
		}
	}
	return found
}

func TestReadmesNameWhatExists(t *testing.T) {
	reference := readmeText(t, "config.toml")
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text := readmeText(t, name)
		if found := strangers(text, reference); len(found) > 0 {
			t.Errorf("%s names settings that do not exist: %q", name, found)
		}
		commands := regexp.MustCompile(`(?m)^gcli2api ([a-z]+)(?: -.*)?(?: +#.*)?$`).FindAllStringSubmatch(text, -1)
		if len(commands) < 5 {
			t.Errorf("%s shows %d commands", name, len(commands))
		}
		for _, c := range commands {
			if _, err := config.ParseArgs([]string{c[1], "--help"}); !helps(err) {
				t.Errorf("%s: gcli2api %s: %v", name, c[1], err)
			}
		}
	}
	if found := strangers("`RUN_AS_DOG` and `server.drain_time`", reference); len(found) != 2 {
		t.Errorf("made-up settings: %q", found)
	}
}

// helps tells that a command exists: it explains itself.
func helps(err error) bool {
	var use *config.UsageError
	return errors.As(err, &use) && use.Cause == nil && strings.HasPrefix(use.Text, "gcli2api ")
}
