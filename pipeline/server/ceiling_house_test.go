//go:build linux

package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpuPart is one process of the benchmark's house.
type cpuPart struct {
	addr string // host:port
	pid  int
}

// cpu is all the CPU time that the process has used, user and system, to the nanosecond.
func (p cpuPart) cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var t unix.Timespec
	clock := int32(^p.pid<<3 | 2) // what clock_getcpuclockid makes: the scheduler's clock of a process
	if err := unix.ClockGettime(clock, &t); err != nil {
		tb.Fatalf("CPU time of process %d: %v", p.pid, err)
	}
	return time.Duration(t.Nano())
}

// resident is the memory of the process in kB.
func (p cpuPart) resident(tb testing.TB) int {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	kB, err := strconv.Atoi(strings.Fields(string(rest) + " ?")[0])
	if err != nil {
		tb.Fatalf("VmRSS: %v", err)
	}
	return kB
}

// spawnPart runs a command that dies with the test, even if the test does not end well.
func spawnPart(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
}

// actor starts the test binary in a role.
func actor(tb testing.TB, role, upstream string) cpuPart {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestCeilingRole$")
	cmd.Env = append(os.Environ(), roleKey+"="+role, upstreamKey+"="+upstream)
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	spawnPart(tb, cmd)
	tb.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("role %s does not say its address: %v", role, err)
	}
	return cpuPart{strings.TrimPrefix(strings.TrimSpace(line), "http://"), cmd.Process.Pid}
}

// buildGateway compiles the gateway as a user would, without the race detector.
func buildGateway(tb testing.TB) string {
	tb.Helper()
	binary := filepath.Join(tb.TempDir(), "gateway")
	if out, err := exec.Command("go", "build", "-o", binary, "gcli2api").CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// gatePart starts the built binary with its default configuration: all stages, and every line of the
// log on the console, which is /dev/null here, and in the log file.
func gatePart(tb testing.TB, binary string, google cpuPart) cpuPart {
	tb.Helper()
	port := strconv.Itoa(freePort(tb))
	cmd := exec.Command(binary)
	cmd.Dir = tb.TempDir()
	cmd.Env = []string{"HOST=127.0.0.1", "PORT=" + port, "PASSWORD=pwd", "GEMINI_API_KEY=ceiling",
		"GEMINI_API_BASE_URL=http://" + google.addr, "HOME=" + cmd.Dir}
	spawnPart(tb, cmd)
	tb.Cleanup(func() { stopPart(tb, cmd) })
	p := cpuPart{"127.0.0.1:" + port, cmd.Process.Pid}
	awaitPart(tb, p.addr)
	return p
}

// stopPart asks the process to drain and does not wait for ever.
func stopPart(tb testing.TB, cmd *exec.Cmd) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		if err != nil {
			tb.Errorf("the gateway ended with %v", err)
		}
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		<-ended
		tb.Error("the gateway did not end within ten seconds")
	}
}

// awaitPart returns when the gateway answers.
func awaitPart(tb testing.TB, addr string) {
	tb.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get("http://" + addr + "/health")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(end) {
			tb.Fatalf("the gateway does not answer: %v", err)
		}
	}
}
