package sdktest

import "syscall"

// dieWithTest ends a gateway with the test, even if the test does not end well.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
