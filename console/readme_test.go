package console

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every route stands in the table of both READMEs: what is fixed of its path, up to its first parameter, and
// the words behind it.
func TestReadmesListTheRoutes(t *testing.T) {
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		code := strings.Join(regexp.MustCompile("`[^`\n]+`").FindAllString(string(text), -1), "\n")
		for _, missing := range unlisted(Services{}.routes(), code) {
			t.Errorf("%s says nothing of %s", name, missing)
		}
	}
}

// unlisted are the routes of which the code has not all fixed parts.
func unlisted(all []route, code string) (missing []string) {
	parameter := regexp.MustCompile(`[:*+][a-z_]*`)
	for _, r := range all {
		for _, part := range parameter.Split(r.path, -1) {
			if part = strings.TrimSuffix(part, "/"); !regexp.MustCompile(regexp.QuoteMeta(part) + "[^a-z_-]").MatchString(code) {
				missing = append(missing, r.method+" "+r.path)
			}
		}
	}
	return missing
}

func TestUnlistedRoutesAreNoticed(t *testing.T) {
	all := []route{{method: "GET", path: "/a/:name/b"}, {method: "POST", path: "/a"}, {method: "GET", path: "/c/*"}, {method: "GET", path: "/a/d"}}
	if got := strings.Join(unlisted(all, "`GET /a/{name}`, `/b`\n`/c/{x}`"), ", "); got != "GET /a/d" {
		t.Error(got)
	}
	if got := strings.Join(unlisted(all, "`/a/{name}/bee`"), ", "); got != "GET /a/:name/b, GET /c/*, GET /a/d" {
		t.Error(got)
	}
}
