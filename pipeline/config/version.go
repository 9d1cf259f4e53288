package config

import (
	"runtime"
	"runtime/debug"
)

// Version is what the build says about itself: a release, else the commit.
func Version() string {
	name := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		name = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && (name == "" || name == "(devel)") {
				name = s.Value
			}
		}
	}
	return name + " (" + runtime.Version() + ")"
}
