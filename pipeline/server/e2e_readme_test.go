package server_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// shownIn gives the shell lines of a README's first block behind a heading.
func shownIn(t *testing.T, name, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	_, behind, found := strings.Cut(string(text), "\n"+heading+"\n")
	_, block, _ := strings.Cut(behind, "\n```sh\n")
	block, _, closed := strings.Cut(block, "\n```\n")
	if !found || !closed {
		t.Fatalf("%s has no shell lines behind %q", name, heading)
	}
	return block
}

// TestReadmeKeys pastes into a shell what the READMEs show of keys: one is made, asked with ten times, and
// asked what is left of it.
func TestReadmeKeys(t *testing.T) {
	t.Parallel()
	for name, heading := range map[string]string{"README.md": "### API keys", "README.zh-CN.md": "### API 密钥"} {
		port := strconv.Itoa(freePort(t))
		g := start(t, launch{args: []string{"demo", "-port", port}, env: map[string]string{"TMPDIR": t.TempDir()}, dirty: true})
		lines := shownIn(t, name, heading)
		cmd := exec.Command("sh", "-e", "-c", strings.ReplaceAll(lines, "127.0.0.1:7861", "127.0.0.1:"+port))
		cmd.Dir = t.TempDir()
		cmd.Env = g.environ(launch{})
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		answers := json.NewDecoder(strings.NewReader(string(out)))
		calls := 0
		var told []map[string]any
		for answers.More() {
			var v map[string]any
			if err := answers.Decode(&v); err != nil {
				t.Fatalf("%s: %v in %s", name, err, out)
			}
			if v["choices"] != nil {
				calls++
			} else {
				told = append(told, v)
			}
		}
		if calls != 10 || len(told) != 2 {
			t.Fatalf("%s: %d calls answered, %s", name, calls, out)
		}
		for _, v := range told {
			stats, _ := v["model_stats"].(map[string]any)
			if v["total_quota"] != 1000.0 || v["used_quota"] != 20.0 || v["remaining_quota"] != 980.0 || stats["gemini-2.5-flash"] != 10.0 {
				t.Errorf("%s: %v", name, v)
			}
		}
		if told[1]["usage_percentage"] != 2.0 || told[1]["description"] != "Alice" {
			t.Errorf("%s: %v", name, told[1])
		}
	}
}
