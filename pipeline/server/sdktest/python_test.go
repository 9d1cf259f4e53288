package sdktest

import (
	"path/filepath"
	"testing"
)

// The official Python clients, in a virtual environment.
func python(t *testing.T) language {
	t.Helper()
	program := filepath.Join(prepared(t, "PYTHON"), "bin", "python")
	folder, err := filepath.Abs("python")
	if err != nil {
		t.Fatal(err)
	}
	return language{program: program, folder: folder, suffix: "_client.py", client: "ClientError", server: "ServerError"}
}

func TestPython(t *testing.T) {
	l := python(t)
	l.hold(t)
	l.features(t)
	l.pools(t)
	l.auth(t)
	l.paint(t)
}
