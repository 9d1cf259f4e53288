package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Pooler starts a pgbouncer before the server, and gives its address. mode is "transaction" or "session".
func (s *PostgresServer) Pooler(t testing.TB, mode string) string {
	t.Helper()
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin = "/usr/sbin/pgbouncer"; !listed(bin) {
			Missing(t, "pgbouncer is missing (Debian: pgbouncer)")
		}
	}
	port := Port(t)
	file := filepath.Join(s.Dir, "pgbouncer-"+mode+".ini")
	text := fmt.Sprintf(`[databases]
postgres = host=127.0.0.1 port=%d user=postgres password='%s'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = 10
max_client_conn = 500
`, s.Port, PostgresPassword, port, mode)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := s.command("", file)
	cmd.Path, cmd.Args[0] = bin, bin
	Start(t, cmd, func() bool { return listens(port) })
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
}

func listed(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
