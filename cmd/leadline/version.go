package main

import (
	"fmt"
	"runtime/debug"
)

type versionCmd struct{}

// Run prints what the Go toolchain recorded of the build.
func (versionCmd) Run(p *process) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fmt.Errorf("this binary was built without module information")
	}
	revision, modified := "unknown revision", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	_, err := fmt.Fprintf(p.stdout, "leadline %s (%s%s), %s\n", info.Main.Version, revision, modified, info.GoVersion)
	return err
}
