// Package servers starts the databases that tests run against: real ones, private, each on a free port, gone
// with the test. A test whose server this machine does not have is skipped, and fails where
// GCLI_TEST_STRICT=1.
package servers

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Missing skips a test, or fails it where nothing may be skipped.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("GCLI_TEST_STRICT") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// Port is a port of 127.0.0.1 that was free a moment ago.
func Port(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// Process is a server that a test has started.
type Process struct {
	*exec.Cmd
	said *said
	done chan struct{}
}

// said is what a process has printed.
type said struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write takes what was printed.
func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

// Start runs a server until ready is true. It ends with the test, and with the test process however that
// ends.
func Start(t testing.TB, cmd *exec.Cmd, ready func() bool) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, said: &said{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.said, p.said
	dieWithParent(cmd)
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread()         // the server dies with the thread that started it: this one stays
		defer runtime.UnlockOSThread() // else it would end here, and whatever it had started before with it
		err := cmd.Start()
		if started <- err; err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	t.Cleanup(p.Kill)
	for late := time.Now().Add(2 * time.Minute); !ready(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.done:
			t.Fatalf("%s ended at its start: %s", cmd.Path, p.Said())
		default:
		}
		if time.Now().After(late) {
			t.Fatalf("%s is not ready: %s", cmd.Path, p.Said())
		}
	}
	return p
}

// Said is what the server has printed so far.
func (p *Process) Said() string {
	p.said.mu.Lock()
	defer p.said.mu.Unlock()
	return p.said.all.String()
}

// Signal sends a signal: SIGSTOP and SIGCONT make a database that hangs.
func (p *Process) Signal(s syscall.Signal) { _ = p.Cmd.Process.Signal(s) }

// Kill ends the server as kill -9 does, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill()
	<-p.done
}

// listens tells that somebody takes connections on a port.
func listens(port int) bool {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}
