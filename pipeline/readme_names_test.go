package pipeline_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/config"
)

// known is what config.toml lists.
type known struct {
	environment map[string]bool
	keys        map[string]bool // with their section, and the sections themselves
}

// reads takes a TOML text with settings, commented out or not.
func reads(toml string) known {
	k := known{map[string]bool{}, map[string]bool{}}
	section := ""
	line := regexp.MustCompile(`^#?(?:\[([a-z_.]+)\]|([a-z_0-9]+) = )`)
	for l := range strings.Lines(toml) {
		switch m := line.FindStringSubmatch(l); {
		case m == nil:
		case m[1] != "":
			section = m[1]
			k.keys[section] = true
		default:
			k.keys[section+"."+m[2]] = true
		}
	}
	joined := strings.ReplaceAll(toml, "\n# ", " ") // a list of names may go on in the next line
	for _, m := range regexp.MustCompile(`[Ee]nvironment: ([A-Z0-9_, ]+)[.;]`).FindAllStringSubmatch(joined, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			k.environment[name] = true
		}
	}
	return k
}

// noSettings are names that a README may use though config.toml does not list them.
func noSettings() []string {
	return []string{
		"GOOGLE_CREDENTIALS", "GOOGLE_CREDENTIALS_2", "GCLI_CREDS_", // families, read at start
		"GCLI2API_CONFIG",             // says where config.toml is
		"TZ",                          // Go's own
		"CI", "GCLI_TEST_MONGODB_URI", // of .ci/test and the tests
		"OAUTH_CLIENT_SECRET",                                             // what Gemini CLI's source calls it
		"INFO", "LISTEN", "USAGE", "SELECT", "INSERT", "UPDATE", "DELETE", // words of databases
		"ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_MODEL", // of Anthropic's agents
	}
}

// codeOf lists all code of a README: what stands inline, and each line of the fences.
func codeOf(text string) (all []string) {
	for _, p := range pieces(text) {
		if strings.HasPrefix(p.kind, "```") {
			all = append(all, strings.Split(p.body, "\n")...)
			continue
		}
		all = append(all, each(inline(), p.body)...)
	}
	return all
}

// strangers finds environment names and settings that do not exist.
func strangers(text string, k known) (found []string) {
	environment := regexp.MustCompile(`\$([A-Z][A-Z0-9_]+)|\b([A-Z][A-Z0-9_]+)(?:=|: )|\b([A-Z][A-Z0-9]*_[A-Z0-9_]*)|^([A-Z][A-Z0-9]+)$`)
	setting := regexp.MustCompile(`^([a-z]+)(?:\.[a-z_]+)+`)
	for _, code := range codeOf(text) {
		for _, m := range environment.FindAllStringSubmatch(code, -1) {
			if name := strings.Join(m[1:], ""); !k.environment[name] && !slices.Contains(noSettings(), name) {
				found = append(found, name)
			}
		}
		if m := setting.FindStringSubmatch(code); m != nil && k.hasSection(m[1]) && !k.keys[m[0]] && !strings.HasPrefix(code[len(m[0]):], "/") { // a module's path is no setting
			found = append(found, m[0])
		}
	}
	for _, p := range pieces(text) {
		if p.kind != "```toml" {
			continue
		}
		for key := range reads(p.body).keys {
			if !k.keys[key] {
				found = append(found, key)
			}
		}
	}
	return found
}

// hasSection tells server and stage, which config.toml has as [server] and [stage.auth], from the
// beginnings of file names.
func (k known) hasSection(name string) bool {
	for key := range k.keys {
		if first, _, _ := strings.Cut(key, "."); first == name {
			return true
		}
	}
	return false
}

// commandsOf lists the arguments of each call of the gateway.
func commandsOf(text string) (all [][]string) {
	call := regexp.MustCompile(`^(?:gcli2api|go run \.) (\S.*)$|/gcli2api", "([^\]]*)"\]`)
	for _, code := range codeOf(text) {
		code, _, _ = strings.Cut(code, " #")
		if m := call.FindStringSubmatch(code); m != nil {
			all = append(all, strings.Fields(strings.ReplaceAll(m[1]+m[2], `", "`, " ")))
		}
	}
	return all
}

// refused finds calls that the gateway does not understand.
func refused(text string) (found []string) {
	for _, args := range commandsOf(text) {
		var use *config.UsageError
		if _, err := config.ParseArgs(args); err != nil && !(errors.As(err, &use) && use.Cause == nil) {
			found = append(found, fmt.Sprintf("gcli2api %s: %v", strings.Join(args, " "), err))
		}
	}
	return found
}

// deadLinks finds links to files that are not there, from a folder.
func deadLinks(text, folder string) (found []string) {
	for _, target := range each(regexp.MustCompile(`\]\(([^)]+)\)`), text) {
		if _, err := os.Stat(filepath.Join("..", folder, target)); err != nil && !strings.Contains(target, "://") {
			found = append(found, target)
		}
	}
	return found
}

// lies finds everything in a README of a folder that does not exist.
func lies(text, folder string, k known) []string {
	return slices.Concat(strangers(text, k), refused(text), deadLinks(text, folder))
}

func TestReadmesNameWhatExists(t *testing.T) {
	k := reads(readmeText(t, "config.toml"))
	if len(k.environment) < 40 || len(k.keys) < 60 {
		t.Fatalf("config.toml is not understood: %d names, %d keys", len(k.environment), len(k.keys))
	}
	for _, name := range []string{"README.md", "README.zh-CN.md", "store/README.md", "store/README.zh-CN.md"} {
		text := readmeText(t, name)
		for _, lie := range lies(text, filepath.Dir(name), k) {
			t.Errorf("%s names what does not exist: %s", name, lie)
		}
		if n := len(commandsOf(text)); n < 8 && filepath.Dir(name) == "." {
			t.Errorf("%s shows %d commands", name, n)
		}
	}
}

// Each kind of name that does not exist is noticed, in either language.
func TestMadeUpNamesAreNoticed(t *testing.T) {
	k := reads(readmeText(t, "config.toml"))
	for _, c := range []struct{ old, new, says string }{
		{"`PASSWORD`", "`PASSWD`", "PASSWD"},
		{"`RUN_AS_UID`", "`RUN_AS_DOG`", "RUN_AS_DOG"},
		{"`LOG_FORMAT=json`", "`FORMAT=json`", "FORMAT"},
		{" PASSWORD=choose-one ./", " PASSWD=choose-one ./", "PASSWD"},
		{"-e PASSWORD=", "-e PASSWD=", "PASSWD"},
		{"{PASSWORD: ", "{PASSWD: ", "PASSWD"},
		{"$GCLI2API_CONFIG", "$GCLICONFIG", "GCLICONFIG"},
		{"`server.drain_timeout`", "`pool.drain_timeout`", "pool.drain_timeout"},
		{"`pipeline.open = true`", "`pipeline.opened = true`", "pipeline.opened"},
		{"[stage.retry]", "[stage.retries]", "stage.retries"},
		{"enabled = false", "enable = false", "stage.retry.enable"},
		{"gcli2api stages ", "gcli2api stagez ", "stagez"},
		{"-config my.toml", "-conf my.toml", "-conf"},
		{"go run . demo", "go run . demos", "demos"},
		{`"healthcheck"]`, `"healthy"]`, "healthy"},
		{"(stages/auth/README.md)", "(stages/auths/README.md)", "stages/auths/README.md"},
	} {
		for _, name := range []string{"README.md", "README.zh-CN.md"} {
			text := readmeText(t, name)
			if !strings.Contains(text, c.old) {
				t.Errorf("%s has no %q", name, c.old)
				continue
			}
			if found := strings.Join(lies(strings.Replace(text, c.old, c.new, 1), ".", k), "\n"); !strings.Contains(found, c.says) {
				t.Errorf("%s: %q became %q, and it says %q", name, c.old, c.new, found)
			}
		}
	}
}
