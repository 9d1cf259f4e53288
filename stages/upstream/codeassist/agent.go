package codeassist

import (
	"runtime"
	"strings"
)

// Agent fills the places of a User-Agent template: {model}, {platform} and {arch}, the latter two
// in Node's words, which the official client uses (protocol 3.1).
func Agent(template, model string) string {
	return strings.NewReplacer("{model}", model, "{platform}", platform(), "{arch}", arch()).Replace(template)
}

func platform() string {
	if runtime.GOOS == "windows" {
		return "win32"
	}
	return runtime.GOOS
}

func arch() string {
	if runtime.GOARCH == "amd64" {
		return "x64"
	}
	return runtime.GOARCH
}
