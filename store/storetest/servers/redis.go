package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// RedisServer is a private Redis.
type RedisServer struct {
	*Process
	Port int
	Dir  string // its data

	bin     string
	options []string
}

// Redis starts one with options of its configuration, as "appendonly", "yes".
func Redis(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		Missing(t, "redis-server is missing (Debian: redis-server)")
	}
	s := &RedisServer{Port: Port(t), Dir: t.TempDir(), bin: bin, options: options}
	s.Start(t)
	return s
}

// Start starts it again after Kill, on the data that it had written.
func (s *RedisServer) Start(t testing.TB) {
	t.Helper()
	args := []string{"--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "", "--daemonize", "no"}
	for i := 0; i+1 < len(s.options); i += 2 {
		args = append(args, "--"+s.options[i], s.options[i+1])
	}
	s.Process = Start(t, exec.Command(s.bin, args...), func() bool { return listens(s.Port) })
}

// Address is its URL.
func (s *RedisServer) Address() string { return fmt.Sprintf("redis://127.0.0.1:%d", s.Port) }

// Sentinel starts a sentinel that watches a server under a name.
func Sentinel(t testing.TB, name string, of int) *RedisServer {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		Missing(t, "redis-server is missing (Debian: redis-server)")
	}
	s := &RedisServer{Port: Port(t), Dir: t.TempDir(), bin: bin}
	file := filepath.Join(s.Dir, "sentinel.conf") // it keeps its state there
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 1\n", s.Port, s.Dir, name, of)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Process = Start(t, exec.Command(bin, file, "--sentinel"), func() bool { return listens(s.Port) })
	return s
}
