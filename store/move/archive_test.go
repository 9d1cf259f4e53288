package move

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gcli2api/pipeline/config"
	"gcli2api/store/seal"
)

const secretKey = "SECRET_KEY=a secret of the tests that is long enough"

func backup(from, out string) config.Invocation {
	return config.Invocation{Command: "backup", From: from, Archive: out}
}

func restore(in, to string) config.Invocation {
	return config.Invocation{Command: "restore", Archive: in, To: to}
}

// An archive of every engine goes back into every other one.
func TestBackupAnyPair(t *testing.T) {
	all := engines(t)
	for a, from := range all {
		t.Run(a, func(t *testing.T) {
			source := from(t)
			fill(t, source, enough(source, target(a)))
			path := filepath.Join(t.TempDir(), "archive")
			_, err := does(t, backup(source, path))
			ok(t, err)
			want := content(t, source)
			if a != "file" {
				empties(t, source)
			}
			for b, to := range all {
				if !meet(a, b) {
					continue
				}
				t.Run("to "+b, func(t *testing.T) {
					target := to(t)
					_, err := does(t, restore(path, target))
					ok(t, err)
					if content(t, target) != want {
						t.Error("the target has something else")
					}
					if b != "file" {
						empties(t, target)
					}
				})
			}
		})
	}
}

func made(t testing.TB, environ ...string) (source, path string) {
	t.Helper()
	source, path = folder(t), filepath.Join(t.TempDir(), "archive")
	fill(t, source, 25_000) // several parts
	in := backup(source, path)
	_, err := does(t, in, environ...)
	ok(t, err)
	return source, path
}

func TestBackupFile(t *testing.T) {
	source, path := made(t)
	info, err := os.Stat(path)
	ok(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
	_, err = does(t, backup(source, path))
	says(t, err, "is there already")
	left, err := os.ReadDir(filepath.Dir(path))
	ok(t, err)
	if len(left) != 1 {
		t.Errorf("%d files are there", len(left))
	}
	said, err := does(t, config.Invocation{Command: "restore", Archive: path, To: folder(t), DryRun: true})
	ok(t, err)
	if !strings.Contains(said, "made ") || !strings.Contains(said, "cred ") || !strings.Contains(said, "nothing was written") {
		t.Errorf("it says %q", said)
	}
}

// With a SECRET_KEY nothing in an archive can be read, and without the same one nobody gets in.
func TestBackupEncrypted(t *testing.T) {
	source, path := made(t, secretKey)
	data, err := os.ReadFile(path)
	ok(t, err)
	if !seal.IsStream(data) || bytes.Contains(data, []byte("secret of")) {
		t.Error("it can be read")
	}
	target := folder(t)
	for environ, want := range map[string]string{"": "set the SECRET_KEY", "SECRET_KEY=another one that is long enough": "another SECRET_KEY", "SECRET_KEY=short": "at least 16"} {
		_, err := does(t, restore(path, target), environ)
		says(t, err, want)
	}
	if _, err := os.Stat(strings.TrimPrefix(target, "file:")); err == nil {
		t.Error("something was written")
	}
	_, err = does(t, restore(path, target), secretKey)
	ok(t, err)
	same(t, source, target)
	_, err = does(t, restore(path, folder(t)), "SECRET_KEY=a newer one that is long enough", "OLD_"+strings.Replace(secretKey, "KEY=", "KEYS=", 1))
	ok(t, err)
	plain := backup(source, filepath.Join(t.TempDir(), "plain"))
	plain.Plain = true
	_, err = does(t, plain, secretKey)
	ok(t, err)
	_, err = does(t, restore(plain.Archive, folder(t)))
	ok(t, err)
}

// repacked is an archive with its parts changed.
func repacked(t testing.TB, path string, change func(name string, data []byte) (string, []byte)) []byte {
	t.Helper()
	f, err := os.Open(path)
	ok(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	ok(t, err)
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	from, to := tar.NewReader(z), tar.NewWriter(zip)
	for {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		ok(t, err)
		data, err := io.ReadAll(from)
		ok(t, err)
		name, data := change(h.Name, data)
		if name == "" {
			continue
		}
		ok(t, to.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o600}))
		_, err = to.Write(data)
		ok(t, err)
	}
	ok(t, errors.Join(to.Close(), zip.Close()))
	return b.Bytes()
}

// What is wrong with an archive is one line, and nothing is written.
func TestRestoreRefuses(t *testing.T) {
	_, path := made(t)
	_, sealedPath := made(t, secretKey)
	data, err := os.ReadFile(path)
	ok(t, err)
	sealedData, err := os.ReadFile(sealedPath)
	ok(t, err)
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 4
	edit := func(part, old, now string) []byte {
		hit := false
		out := repacked(t, path, func(name string, data []byte) (string, []byte) {
			if strings.HasPrefix(name, part) && bytes.Contains(data, []byte(old)) {
				hit = true
				return name, bytes.Replace(data, []byte(old), []byte(now), 1)
			}
			return name, data
		})
		if !hit {
			t.Fatalf("no %q in %q", old, part)
		}
		return out
	}
	drop := func(part string) []byte {
		return repacked(t, path, func(name string, data []byte) (string, []byte) {
			if strings.HasPrefix(name, part) {
				return "", nil
			}
			return name, data
		})
	}
	for name, tt := range map[string]struct {
		data []byte
		says string
	}{
		"nothing":              {nil, "no whole archive"},
		"something else":       {[]byte("PK\x03\x04 is no archive"), "no whole archive"},
		"cut":                  {data[:len(data)/2], "no whole archive"},
		"its end cut":          {data[:len(data)-4], "no whole archive"},
		"a bit changed":        {flipped, "no whole archive"},
		"something behind":     {append(bytes.Clone(data), "more"...), "no whole archive"},
		"encrypted and cut":    {sealedData[:len(sealedData)-1], "damaged or cut off"},
		"a newer format":       {edit(headName, `"format":1`, `"format":2`), "made by a newer gcli2api"},
		"no manifest":          {drop(manifestName), "it has no end"},
		"no head":              {drop(headName), "does not begin"},
		"a part less":          {drop("docs/key/"), "documents of table"},
		"counters less":        {drop("counters/"), "its parts are not"},
		"another number":       {edit("counters/", `"n":1}`, `"n":2}`), "its parts are not"},
		"a credential changed": {edit("creds/plain.json", "secret of", "Secret of"), "its parts are not"},
		"no JSON":              {edit("docs/key/", `{"a":1}`, `{"a":1`), "cannot be read"},
		"an id twice":          {edit("docs/key/", `"id":"null"`, `"id":"lines"`), "is behind"},
		"an unknown part":      {repacked(t, path, func(n string, d []byte) (string, []byte) { return strings.Replace(n, "counters/", "sums/", 1), d }), "not known"},
		"a name without end": {repacked(t, path, func(n string, d []byte) (string, []byte) {
			return strings.Replace(n, "docs/key/", "docs/key/"+strings.Repeat("n", 500_000), 1), d
		}), "a part that no archive has"},
		"a counter below zero": {edit("counters/", `"n":1}`, `"n":-1}`), "below zero"},
		"a manifest of nothing": {repacked(t, path, func(n string, d []byte) (string, []byte) {
			if n == manifestName {
				d = []byte("{}")
			}
			return n, d
		}), "its parts are not"},
	} {
		t.Run(name, func(t *testing.T) {
			bad, target := filepath.Join(t.TempDir(), "bad"), folder(t)
			ok(t, os.WriteFile(bad, tt.data, 0o600))
			_, err := does(t, restore(bad, target), secretKey)
			says(t, err, tt.says)
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), bad) {
				t.Errorf("no one line with the file: %q", err)
			}
			if _, err := os.Stat(strings.TrimPrefix(target, "file:")); err == nil {
				t.Error("something was written")
			}
		})
	}
}

// A table that only a newer version has is named, and the rest is brought back.
func TestRestoreUnknownTable(t *testing.T) {
	_, path := made(t)
	renamed := repacked(t, path, func(name string, data []byte) (string, []byte) {
		if name == manifestName {
			data = bytes.ReplaceAll(data, []byte("docs/keyuse/"), []byte("docs/zebra/"))
			data = bytes.Replace(data, []byte(`"keyuse":`), []byte(`"zebra":`), 1)
		}
		return strings.Replace(name, "docs/keyuse/", "docs/zebra/", 1), data
	})
	bad, target := filepath.Join(t.TempDir(), "newer"), folder(t)
	ok(t, os.WriteFile(bad, renamed, 0o600))
	said, err := does(t, restore(bad, target))
	if !errors.Is(err, errDiffers) || !strings.Contains(said, `6 documents of table "zebra"`) {
		t.Errorf("%v, %s", err, said)
	}
	if got := content(t, target); !strings.Contains(got, `key "plain"`) || strings.Contains(got, "keyuse") {
		t.Error("the rest is not there")
	}
}

func FuzzArchive(f *testing.F) {
	dir := f.TempDir()
	source := "file:" + filepath.Join(dir, "creds")
	with(f, source, func(s *Side) {
		ok(f, s.Store.Add(f.Context(), nil))
	})
	for _, environ := range []string{"", secretKey} {
		path := filepath.Join(dir, "archive"+environ[:min(len(environ), 3)])
		_, err := does(f, backup(source, path), environ)
		ok(f, err)
		data, err := os.ReadFile(path)
		ok(f, err)
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a := &archive{secrets: []string{strings.TrimPrefix(secretKey, "SECRET_KEY=")}}
		_ = a.verify(bytes.NewReader(data)) // it neither panics nor hangs
		for _, name := range []string{"docs/key/1.ndjson", "counters/1.ndjson", "creds/%2e%2e"} {
			_ = records(name, bytes.NewReader(data), newVerifier(a).record)
		}
	})
}
