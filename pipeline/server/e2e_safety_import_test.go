package server_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// Imports are taken one at a time, and none says where files are to be written.
func TestImportsOneAtATime(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1})
	slow, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprintf(slow, "POST /storage/import HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{", g.pass)
	panel := header("Authorization", "Bearer "+g.pass)
	body := fmt.Sprintf(`{"config": {"backup.dir": %q, "retry_429_max_retries": "3"}}`, fmt.Sprintf("%q", filepath.Join(g.dir, "elsewhere")))
	var r reply
	wait(t, "another import is refused", func() bool {
		r = g.do("POST", "/storage/import?dry_run=true", body, panel)
		return r.status == 503
	})
	if r.header.Get("Retry-After") == "" || !strings.Contains(string(r.body), "taken over already") {
		t.Errorf("%v %s", r.header, r.body)
	}
	if _, err := slow.Write([]byte(strings.Repeat(" ", 98) + "}")); err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(slow); err != nil || !strings.HasPrefix(string(said), "HTTP/1.1 200") {
		t.Errorf("the first one: %v %s", err, said)
	}
	wait(t, "the next one is taken", func() bool {
		r = g.do("POST", "/storage/import", body, panel)
		return r.status != 503
	})
	if text := string(r.body); r.status != 200 || !strings.Contains(text, "backup.dir: files would be written where it says") {
		t.Errorf("%d %s", r.status, text)
	}
	if r = g.do("GET", "/storage/backups", "", panel); r.status != 200 || !strings.Contains(string(r.body), `"on":false`) {
		t.Errorf("%d %s", r.status, r.body)
	}
}
