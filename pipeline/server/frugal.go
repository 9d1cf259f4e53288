package server

import (
	"os"
	"runtime/debug"
)

// frugalFrom is how many credentials make it worth while: below, the heap is small whatever is done.
const frugalFrom = 4000

// Frugal keeps a gateway with thousands of credentials small. What is kept of them is most of the heap
// then, and Go would let garbage pile up to as much again: at a third of that it is collected three times as often,
// which fewer credentials never pay for. What reading them all has left behind is given back at once.
// Whoever sets GOGC or GOMEMLIMIT knows better.
func Frugal(credentials int) {
	if credentials < frugalFrom || os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(30)
	debug.FreeOSMemory()
}
