package server_test

import "syscall"

// dieWithTest ends a process with the test, even if the test does not end well.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
