package servers

import (
	"fmt"
	"os/exec"
	"strconv"
	"testing"
)

// RedisServer is a private Redis.
type RedisServer struct {
	*Process
	Port int
	Dir  string // its data
}

// Redis starts one with options of its configuration, as "appendonly", "yes".
func Redis(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		Missing(t, "redis-server is missing (Debian: redis-server)")
	}
	s := &RedisServer{Port: Port(t), Dir: t.TempDir()}
	s.start(t, bin, options)
	return s
}

func (s *RedisServer) start(t testing.TB, bin string, options []string) {
	args := []string{"--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "", "--daemonize", "no"}
	for i := 0; i+1 < len(options); i += 2 {
		args = append(args, "--"+options[i], options[i+1])
	}
	s.Process = Start(t, exec.Command(bin, args...), func() bool { return listens(s.Port) })
}

// Address is its URL.
func (s *RedisServer) Address() string { return fmt.Sprintf("redis://127.0.0.1:%d", s.Port) }
