package console

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/move"
	"gcli2api/store/open"
	"gcli2api/store/seal"

	"github.com/gofiber/fiber/v2"
)

// An archive comes encrypted where there is a secret, plain when somebody says so, and names its folder.
func TestBackupRoute(t *testing.T) {
	dir := t.TempDir()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(dir, "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Put(t.Context(), store.Keys, store.Doc{ID: "one", Body: []byte(`"the body"`)}, store.Any); err != nil {
		t.Fatal(err)
	}
	backups := filepath.Join(dir, "backups")
	if err := os.MkdirAll(backups, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(backups, "gcli2api-"+time.Now().UTC().Format("20060102T150405Z")+".tar.gz.sealed"), []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := move.Begin(move.Options{Store: db, Place: open.Place{Engine: open.File, Folder: dir}, Log: slog.New(slog.DiscardHandler),
		Settings: func() move.Settings {
			return move.Settings{Dir: backups, Every: time.Hour, Keep: 3, Secret: "a secret that is long enough"}
		}})
	defer b.Close()
	app := fiber.New()
	Services{Access: access{"right", true}, Backup: b, Log: slog.New(slog.DiscardHandler)}.Mount(app)
	ask := func(method, path string) (int, []byte, string) {
		req := httptest.NewRequest(method, path, nil)
		req.Header.Set("Authorization", "Bearer right")
		resp, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, data, resp.Header.Get(move.FolderHeader) + " " + resp.Header.Get("Content-Disposition")
	}
	if status, data, head := ask("GET", "/storage/backup"); status != 200 || !seal.IsStream(data) || !strings.Contains(head, dir) || !strings.Contains(head, ".tar.gz.sealed") {
		t.Errorf("%d, %d bytes, %s", status, len(data), head)
	}
	status, data, head := ask("GET", "/storage/backup?plain=true")
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if status != 200 || err != nil || !bytes.Contains(text, []byte("the body")) || strings.Contains(head, "sealed") {
		t.Errorf("%d, %v, %d bytes, %s", status, err, len(text), head)
	}
	if status, _, _ := ask("GET", "/storage/backup?plain=maybe"); status != 400 {
		t.Errorf("plain=maybe: %d", status)
	}
	if status, data, _ := ask("HEAD", "/storage/backup"); status != 200 || len(data) != 0 {
		t.Errorf("HEAD: %d, %d bytes", status, len(data))
	}
	var list struct {
		On      bool
		Every   string
		Keep    int
		Backups []struct {
			Name      string
			Size      int
			Encrypted bool
		}
	}
	status, data, _ = ask("GET", "/storage/backups")
	if err := json.Unmarshal(data, &list); err != nil || status != 200 || !list.On || list.Every != "1h0m0s" || list.Keep != 3 ||
		len(list.Backups) != 1 || list.Backups[0].Size != 5 || !list.Backups[0].Encrypted {
		t.Errorf("%d %s", status, data)
	}
}

// Readers that take nothing hold a backup for a while only, and never more of them than a few: each has a part of
// the database in memory.
func TestBackupOfSlowReaders(t *testing.T) {
	dir := t.TempDir()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(dir, "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	noise := make([]byte, 3<<20) // more than the buffers of a connection take, also once it is packed
	for i := range 8 {
		_, _ = rand.Read(noise)
		body := strconv.Quote(base64.StdEncoding.EncodeToString(noise))
		if _, err := db.Put(t.Context(), store.Keys, store.Doc{ID: strconv.Itoa(i), Body: []byte(body)}, store.Any); err != nil {
			t.Fatal(err)
		}
	}
	b := move.Begin(move.Options{Store: db, Place: open.Place{Engine: open.File, Folder: dir}, Log: slog.New(slog.DiscardHandler), Settings: func() move.Settings { return move.Settings{} }})
	defer b.Close()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	Services{Access: access{"right", true}, Backup: b, Log: slog.New(slog.DiscardHandler), stall: 2 * time.Second}.Mount(app)
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(at) }()
	defer func() { _, _ = app.Shutdown(), <-ended }()
	ask := func() (int, string) {
		req, _ := http.NewRequest("GET", "http://"+at.Addr().String()+"/storage/backup", nil)
		req.Header.Set("Authorization", "Bearer right")
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode == 200 {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		if err != nil {
			t.Error("a backup that is read was cut off:", err)
		}
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	for range backupsAtOnce {
		c, err := net.Dial("tcp", at.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err = io.WriteString(c, "GET /storage/backup HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer right\r\n\r\n"); err == nil {
			_, err = io.ReadFull(c, make([]byte, 12)) // it has begun
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if status, wait := ask(); status != 503 || wait == "" {
		t.Errorf("one more: %d, Retry-After %q", status, wait)
	}
	status := 0
	for begun := time.Now(); status != 200 && time.Since(begun) < time.Minute; time.Sleep(50 * time.Millisecond) {
		status, _ = ask()
	}
	if status != 200 {
		t.Errorf("readers that take nothing hold their backups: %d", status)
	}
}
