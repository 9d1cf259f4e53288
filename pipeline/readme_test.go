package pipeline_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// piece is a heading, a paragraph, an item, a quote, a row of a table or a fence with code, and what
// of it no translation changes.
type piece struct {
	kind string // "##", "text", "item", "quote", "row of 3", "```sh"
	body string
	code []string // a fence: its lines; a row: the code of each cell; else the code in it
	rest []string // where links lead, figures, signals
}

// pieces takes a README apart.
func pieces(text string) (all []piece) {
	open, fenced := false, false // open: the next line may go on with the last piece
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		kind, body := begins(line)
		switch {
		case fenced:
			last := &all[len(all)-1]
			last.body, fenced = last.body+line+"\n", line != "```"
		case line == "":
			open = false
		case open && (kind == "text" || kind == "quote" && all[len(all)-1].kind == "quote"):
			all[len(all)-1].body += " " + strings.TrimSpace(body)
		default:
			all = append(all, piece{kind: kind, body: body})
			fenced = strings.HasPrefix(kind, "```")
			open = kind == "text" || kind == "item" || kind == "quote"
		}
	}
	for i := range all {
		all[i].read()
	}
	return all
}

// begins says what a line outside of fences begins, and what stands behind its mark.
func begins(line string) (kind, body string) {
	mark, after, _ := strings.Cut(line, " ")
	switch {
	case strings.HasPrefix(line, "```"):
		return line, ""
	case strings.HasPrefix(line, "|"):
		return fmt.Sprintf("row of %d", strings.Count(line, "|")-1), line
	case mark != "" && strings.Trim(mark, "#") == "":
		return mark, after
	case mark == "-":
		return "item", after
	case mark == ">":
		return "quote", after
	}
	return "text", line
}

func inline() *regexp.Regexp { return regexp.MustCompile("`([^`]+)`") }

// read finds what has to be the same in every language.
func (p *piece) read() {
	switch {
	case strings.HasPrefix(p.kind, "```"):
		for line := range strings.Lines(p.body) {
			p.code = append(p.code, withoutComment(strings.TrimRight(line, "\n")))
		}
		return
	case strings.HasPrefix(p.kind, "row"):
		for cell := range strings.SplitSeq(p.body, "|") {
			p.code = append(p.code, fmt.Sprint(each(inline(), cell)))
		}
	default:
		p.code = each(inline(), p.body)
	}
	prose := inline().ReplaceAllString(p.body, "")
	prose = strings.ReplaceAll(prose, "README.zh-CN.md)", "README.md)") // each leads to those of its language
	prose = regexp.MustCompile(`\d+ 月`).ReplaceAllString(prose, "")     // months are words in English
	p.rest = append(p.rest, each(regexp.MustCompile(`\]\(([^)]+)\)`), prose)...)
	p.rest = append(p.rest, each(regexp.MustCompile(`(\d+(?:\.\d+)*|\bSIG[A-Z]+\b)`), prose)...)
}

// each lists what a pattern finds, in one order whatever the grammar of the language puts first.
func each(pattern *regexp.Regexp, text string) (found []string) {
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// withoutComment leaves of a comment that it is there, and what it names: variables, files, flags.
func withoutComment(line string) string {
	at := regexp.MustCompile(`(?:^|\s+)#(?:\s|$)`).FindStringIndex(line)
	if at == nil {
		return line
	}
	names := regexp.MustCompile(`(\$\w+|\./[\w.]*\w|--\w+)`)
	return fmt.Sprint(line[:at[0]], " # ", each(names, line[at[0]:]))
}

// drift says where two READMEs do not tell the same.
func drift(a, b string) (found []string) {
	x, y := pieces(a), pieces(b)
	for i := range max(len(x), len(y)) {
		if i >= len(x) || i >= len(y) || x[i].kind != y[i].kind {
			return append(found, fmt.Sprintf("order: %s against %s", at(x, i), at(y, i)))
		}
		if !slices.Equal(x[i].code, y[i].code) {
			found = append(found, fmt.Sprintf("code: %q against %q", x[i].code, y[i].code))
		}
		if !slices.Equal(x[i].rest, y[i].rest) {
			found = append(found, fmt.Sprintf("links and figures: %q against %q in %s", x[i].rest, y[i].rest, at(y, i)))
		}
	}
	return found
}

// at shows a piece so that it can be found.
func at(all []piece, i int) string {
	if i >= len(all) {
		return "the end"
	}
	return fmt.Sprintf("%s %.60q", all[i].kind, all[i].body)
}

func readmeText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withoutSwitch takes the line out that leads to the other language, the only one that has to differ.
func withoutSwitch(t *testing.T, text, line string) string {
	t.Helper()
	if _, behind, _ := strings.Cut(text, "\n\n"); !strings.HasPrefix(text, "# ") || !strings.HasPrefix(behind, line+"\n\n") {
		t.Errorf("it does not begin with a name and %q", line)
	}
	return strings.Replace(text, line, "", 1)
}

func TestReadmesTellTheSame(t *testing.T) {
	for folder, least := range map[string]int{"": 60, "store/": 30} {
		english := withoutSwitch(t, readmeText(t, folder+"README.md"), "English | [简体中文](README.zh-CN.md)")
		chinese := withoutSwitch(t, readmeText(t, folder+"README.zh-CN.md"), "[English](README.md) | 简体中文")
		if n := len(pieces(english)); n < least {
			t.Errorf("only %d pieces found", n)
		}
		for _, d := range drift(english, chinese) {
			t.Error(folder, d)
		}
	}
}

// Each kind of drift is noticed.
func TestDriftIsNoticed(t *testing.T) {
	english := readmeText(t, "README.md")
	for _, c := range []struct{ old, new, says string }{
		{"### Docker\n", "", "order:"},
		{"### Docker\n", "## Docker\n", "order:"},
		{"The licence is for the owner", "\nThe licence is for the owner", "order:"},
		{"- **True streaming.**", "**True streaming.**", "order:"},
		{"> **The state of", "**The state of", "order:"},
		{"\nA stage that is switched off keeps its place in the list:\n", "", "order:"},
		{"```toml\n", "```\n", "order:"},
		{"| `GET /health`, `GET /keepalive` | for health checks, no password |\n", "", "code:"},
		{"| client | base URL | key |", "| client | base URL |", "order:"},
		{"| `GET /health`, `GET /keepalive` | for health", "| for health | `GET /health`, `GET /keepalive`", "code:"},
		{"`RUN_AS_UID`", "`RUN_AS_GID`", "code:"},
		{"`LOG_FILE`", "the file", "code:"},
		{"docker build -t gcli2api .", "docker build .", "code:"},
		{"go run . demo        #", "go run . demos        #", "code:"},
		{"        # checks everything", "", "code:"},
		{"else $GCLI2API_CONFIG", "else $GCLI_CONFIG", "code:"},
		{"(stages/auth/README.md)", "(stages/auths/README.md)", "links and figures:"},
		{"A 429 moves on", "A 428 moves on", "links and figures:"},
		{"Exit codes: 0 well, 1 it", "Exit codes: 0 well, 3 it", "links and figures:"},
		{"SIGINT and SIGTERM", "SIGINT", "links and figures:"},
	} {
		if !strings.Contains(english, c.old) {
			t.Errorf("README.md has no %q", c.old)
			continue
		}
		found := drift(english, strings.Replace(english, c.old, c.new, 1))
		if !slices.ContainsFunc(found, func(d string) bool { return strings.HasPrefix(d, c.says) }) {
			t.Errorf("%q became %q, and it says %q", c.old, c.new, found)
		}
	}
}

// Words, their order, line breaks and comments may be others.
func TestTranslationIsNoDrift(t *testing.T) {
	for _, c := range [][2]string{
		{"Since 18 June 2026 `a` wins\nover `b`.", "2026 年 6 月 18 日起，`b` 让位于 `a`。"},
		{"```sh\ngo run . demo   # serves\n# else $HOME\n```", "```sh\ngo run . demo # 启动\n# 否则 $HOME\n```"},
		{"> one\n> two\n\n- three\n  four", "> 一二\n\n- 三四"},
		{"| a `x`, `y` | b |\n|---|---|", "| 甲 `y`、`x` | 乙 |\n|---|---|"},
	} {
		if found := drift(c[0], c[1]); len(found) > 0 {
			t.Errorf("%q: %q", c[1], found)
		}
	}
}
