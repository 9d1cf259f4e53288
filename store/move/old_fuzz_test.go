package move

import (
	"os"
	"path/filepath"
	"testing"

	"gcli2api/store/oauth"
)

// FuzzOldEntry reads what somebody's database may have as a credential.
func FuzzOldEntry(f *testing.F) {
	for _, seed := range []string{`{"credential": {"refresh_token": "1//x"}, "state": {"disabled": true}, "stats": {"call_timestamps": ["2025-12-01T00:00:00"]}}`,
		`{"refresh_token": "x", "disabled": 1, "error_codes": "no"}`, `{"credential": "MS8veA=="}`, `{"credential": null}`, `null`, `[]`, `{`} {
		f.Add("a.json", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		one, err := (&Taker{Rules: oauth.Rules{}}).arrival(name, body)
		if err == nil && (len(one.marks) == 0 || one.offer.Old == nil || len(one.offer.Data) == 0) {
			t.Errorf("%q: %+v", body, one)
		}
	})
}

// FuzzOldFiles reads a folder of three files, and an archive.
func FuzzOldFiles(f *testing.F) {
	for _, name := range []string{oldCreds, oldKeys, oldSettings} {
		text, err := os.ReadFile(filepath.Join("testdata/old", name))
		ok(f, err)
		f.Add(text, []byte("PK\x03\x04"))
	}
	f.Add([]byte("[a]\nb = inf\n[a.c]\n[[a]]"), []byte("PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, text, packed []byte) {
		place := &found{}
		place.files(map[string][]byte{oldCreds: text, oldKeys: text, oldSettings: text, oldStates: text, "x.json": text})
		if _, there := place.Credentials["x.json"]; !there {
			t.Error("a loose file is not there")
		}
		if all, err := ZIP(packed, 10); err == nil && len(all) > 10 {
			t.Errorf("%d entries", len(all))
		}
	})
}
