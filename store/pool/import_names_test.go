package pool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A name that is handed in is one on every system, shows as what it is, and is no other credential's.
func TestNamesHandedIn(t *testing.T) {
	for name, want := range map[string]string{
		"a.json": "a.json", "ä b.JSON": "ä b.json", "": "credential.json",
		"a\u202egnp.json": "", "a\u2028.json": "", "a\x7f.json": "", "a\x01.json": "", "a.json#b.json": "", "../a.json": "", `a\b.json`: "", ".a.json": "",
		".gcli2api.db": "", ".environment.json": "", "creds.toml": "", "config.toml": "", "CON.json": "", "a:b.json": "", "a.json.": "", "a.json\xff": "",
	} {
		got, err := checkedName(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", name, got, err)
		}
	}
}

// What somebody put into the folder under a name that nobody may hand in comes back out of the
// quarantine as well.
func TestRestoreOddNames(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	p := folder(t, Options{}, "a#b.json", ready("a", "ya29.a", hour))
	if errs := p.Delete("a#b.json"); errs[0] != nil {
		t.Fatal(errs[0])
	}
	in := p.Restore("a#b.json")[0]
	if in.Err != nil || len(in.IDs) != 1 || len(quarantined(p)) != 0 {
		t.Fatalf("%+v", in)
	}
	if _, err := os.Stat(filepath.Join(p.dir, in.File)); err != nil {
		t.Error(err)
	}
}

// Two names that differ in capitals alone are one file on some disks.
func TestNamesThatDifferInCapitals(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	p := folder(t, Options{}, "ann.json", ready("a", "ya29.a", hour))
	in, err := p.Import(Offer{Name: "Ann.json", Data: []byte(strings.ReplaceAll(ready("b", "ya29.b", hour), "a@example.com", "b@example.com"))})
	if err != nil || in.File != "Ann-2.json" || ids(p) != "Ann-2.json ann.json" {
		t.Errorf("%+v %v: %q", in, err, ids(p))
	}
}
