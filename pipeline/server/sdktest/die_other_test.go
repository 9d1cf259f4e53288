//go:build !linux

package sdktest

import "syscall"

func dieWithTest() *syscall.SysProcAttr { return nil }
