package sdktest

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// locked are the versions of what is required directly, as the lock files have them, by registry and name.
func locked(t *testing.T) map[string]string {
	t.Helper()
	read := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	all := map[string]string{}
	var lock struct {
		Packages map[string]struct {
			Version      string
			Dependencies map[string]string
		}
	}
	if err := json.Unmarshal([]byte(read("npm/package-lock.json")), &lock); err != nil {
		t.Fatal(err)
	}
	for name := range lock.Packages[""].Dependencies {
		all["npm "+name] = lock.Packages["node_modules/"+name].Version
	}
	pinned := regexp.MustCompile(`(?m)^([a-z0-9_.-]+)(?:\[[a-z,]+\])?==(\S+)`)
	versions := map[string]string{}
	for _, m := range pinned.FindAllStringSubmatch(read("python/requirements.txt"), -1) {
		versions[m[1]] = m[2]
	}
	for _, m := range pinned.FindAllStringSubmatch(read("python/requirements.in"), -1) {
		all["PyPI "+m[1]] = versions[m[1]]
	}
	direct, _, _ := strings.Cut(read("go.mod"), "\n)")
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+\.\S+) v(\S+)$`).FindAllStringSubmatch(direct, -1) {
		all["Go "+m[1]] = m[2]
	}
	delete(all, "npm zod")                     // no client: one of them needs it for structured output
	delete(all, "Go cloud.google.com/go/auth") // the same: Google's signs in with it
	return all
}

// The READMEs name every client, in the version that is tried.
func TestReadmesNameTheClients(t *testing.T) {
	want := locked(t)
	if len(want) != 9 {
		t.Errorf("three clients in three languages, and the lock files have %v", want)
	}
	row := regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (npm|PyPI|Go) \\| (\\S+) \\|")
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile("../../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, m := range row.FindAllStringSubmatch(string(text), -1) {
			got[m[2]+" "+m[1]] = m[3]
		}
		for client, version := range want {
			if got[client] != version {
				t.Errorf("%s says %q of %s, the lock file has %s", name, got[client], client, version)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s names %d clients, the lock files %d", name, len(got), len(want))
		}
	}
}
