//go:build !linux

package server_test

import "syscall"

func dieWithTest() *syscall.SysProcAttr { return nil }
