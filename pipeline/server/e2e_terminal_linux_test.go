package server_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A gateway in the foreground of a terminal ends with it; one that nohup started does not.
func TestTerminalGoes(t *testing.T) {
	t.Parallel()
	// Whoever started the tests may have used nohup, which children inherit unless it is listened to.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(heard) })
	for _, nohup := range []bool{false, true} {
		t.Run(fmt.Sprint("nohup ", nohup), func(t *testing.T) {
			t.Parallel()
			master, terminal := pty(t)
			dir := t.TempDir()
			command := "exec " + program(t, true) + " serve"
			if nohup {
				command = "trap '' HUP; " + command
			}
			log, err := os.Create(dir + "/out")
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			cmd := exec.Command("/bin/sh", "-c", command)
			cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, terminal, log, log
			cmd.Env = []string{"HOME=" + dir, "HOST=127.0.0.1", fmt.Sprint("PORT=", freePort(t)), "PASSWORD=" + secret}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			terminal.Close()
			says := func(words string) func() bool {
				return func() bool {
					text, _ := os.ReadFile(dir + "/out")
					return strings.Contains(string(text), words)
				}
			}
			wait(t, "it listens", says("listens on"))
			master.Close() // the window is closed
			if nohup {
				if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
					t.Error(err)
				}
				wait(t, "it reads its settings", says("settings read again"))
				_ = cmd.Process.Signal(syscall.SIGTERM)
			} else {
				wait(t, "it stops", says("signal=hangup"))
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// pty makes a pair of terminals.
func pty(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return master, terminal
}
