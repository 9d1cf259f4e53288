//go:build !linux

package embedded_test

func child(string, string) int { return 2 }
