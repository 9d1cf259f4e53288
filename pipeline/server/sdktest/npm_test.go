package sdktest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The official npm clients. Node looks for packages beside the script, so the scripts go where the
// packages are linked; where the machine's own Node is too old, one is among the packages.
func npm(t *testing.T) language {
	t.Helper()
	packages := filepath.Join(prepared(t, "NPM"), "node_modules")
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("npm")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(packages, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("node")
	if own, _ := filepath.Glob(filepath.Join(packages, "node-linux-*", "bin", "node")); len(own) > 0 {
		program, err = own[0], nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return language{program: program, folder: folder, suffix: ".mjs", client: "ApiError", server: "ApiError"}
}

func TestNPM(t *testing.T) {
	l := npm(t)
	l.hold(t)
	l.features(t)
	l.pools(t)
	l.auth(t)
	l.paint(t)
}
