package pool

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
)

// Every id makes a name that an archive and a file system take: one bad name would cost the whole
// download.
func TestExportNames(t *testing.T) {
	taken := map[string]bool{}
	z := zip.NewWriter(new(bytes.Buffer))
	for _, id := range []string{"a.json", "A.json", "../../etc/passwd", `..\..\x`, "a.json#b\nc", "x.json#" + strings.Repeat("n", 100_000), "x.json#" + strings.Repeat("n", 100_001), strings.Repeat("ä", 300)} {
		name := exportName(id, taken)
		if len(name) > 220 || strings.ContainsAny(name, "/\\:\n") || name[0] == '.' || !strings.HasSuffix(name, ".json") {
			t.Errorf("%.30q is %.60q of %d bytes", id, name, len(name))
		}
		if _, err := z.Create(name); err != nil {
			t.Errorf("%.60q: %v", name, err)
		}
	}
	if len(taken) != 8 {
		t.Errorf("%d names", len(taken))
	}
	if err := z.Close(); err != nil {
		t.Error(err)
	}
}
