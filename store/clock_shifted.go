//go:build clockshift

package store

import (
	"os"
	"time"
)

// Machine is the clock of a machine that is wrong by CLOCK_SHIFT, for the tests that build with this tag.
func Machine() time.Time {
	by, _ := time.ParseDuration(os.Getenv("CLOCK_SHIFT"))
	return time.Now().Add(by)
}
