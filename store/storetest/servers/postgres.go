package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PostgresPassword is that of the user postgres over TCP; over the socket none is asked for.
const PostgresPassword = "for tests only"

// PostgresServer is a private Postgres.
type PostgresServer struct {
	*Process
	Port int
	Dir  string // its data are in Dir/data, its socket in Dir

	bin     string
	uid     int // whom it runs as; 0 is the user of the test
	options []string
}

// Postgres starts one with options of its configuration, as "fsync", "on", which is off otherwise. A test
// package needs one server: tests get a database or a schema each.
func Postgres(t testing.TB, options ...string) *PostgresServer {
	t.Helper()
	s := &PostgresServer{Port: Port(t), bin: postgresBin(t), options: options}
	// Not t.TempDir: its names are too long for a socket, and only its user gets there.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	s.Dir = dir
	t.Cleanup(func() { clearFolder(t, dir) })
	if os.Getuid() == 0 { // the server refuses to run as root
		s.uid = 65534 // nobody
		if err := os.Chown(dir, s.uid, s.uid); err != nil {
			t.Fatal(err)
		}
	}
	s.initdb(t)
	s.Restart(t)
	return s
}

// postgresBin is the folder of the programs: Debian keeps them out of PATH.
func postgresBin(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(real) // initdb looks for postgres beside itself
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		Missing(t, "postgres is missing (Debian: postgresql)")
	}
	slices.SortFunc(found, func(a, b string) int { return postgresVersion(a) - postgresVersion(b) })
	return filepath.Dir(found[len(found)-1])
}

func postgresVersion(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

func (s *PostgresServer) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "LC_ALL=C", "TZ=UTC"}
	if s.uid != 0 {
		runAs(cmd, s.uid)
	}
	return cmd
}

func (s *PostgresServer) initdb(t testing.TB) {
	t.Helper()
	word := filepath.Join(s.Dir, "password")
	if err := os.WriteFile(word, []byte(PostgresPassword+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := s.command("initdb", "-D", filepath.Join(s.Dir, "data"), "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync",
		"--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile="+word)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
}

// Restart starts the server again after Kill, Stop or a signal that ended it. Its port and data stay.
func (s *PostgresServer) Restart(t testing.TB) {
	t.Helper()
	args := []string{"-D", filepath.Join(s.Dir, "data"), "-p", strconv.Itoa(s.Port), "-k", s.Dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=300"}
	for i := 0; i+1 < len(s.options); i += 2 {
		args = append(args, "-c", s.options[i]+"="+s.options[i+1])
	}
	s.Process = nil
	s.Process = Start(t, s.command("postgres", args...), s.ready)
}

// ready tells that somebody listens; Start asks before Process is set, and the socket appears last.
func (s *PostgresServer) ready() bool {
	lines, err := os.ReadFile(filepath.Join(s.Dir, "data", "postmaster.pid"))
	up := strings.Contains(string(lines), "\nready") || strings.Contains(string(lines), "\nstandby") // as a replica
	return err == nil && up && listens(s.Port)
}

// Stop ends the server as its operator does, in haste: connections are cut, nothing is lost.
func (s *PostgresServer) Stop() {
	s.Signal(syscall.SIGINT)
	<-s.done
}

// Address is its URL, with the password.
func (s *PostgresServer) Address() string {
	return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", strings.ReplaceAll(PostgresPassword, " ", "%20"), s.Port)
}

// Socket is its address as keyword=value pairs, over its unix socket.
func (s *PostgresServer) Socket() string {
	return fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres", s.Dir, s.Port)
}

// clearFolder removes a folder in which the last children of a killed server may still be writing.
func clearFolder(t testing.TB, dir string) {
	var err error
	for range 100 {
		if err = os.RemoveAll(dir); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error(err)
}
