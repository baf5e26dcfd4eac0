// Command leadline is Leadline: its roles (engine, analyst, desk, or run for all in one process), a demo that needs no
// server, and the tools around them. leadline --help lists the commands, leadline settings the settings.
//
// It exits 0 when all went well, 1 when something failed, 2 when it was called wrongly, and 3 when a load left lines out.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"leadline/internal/app"
)

// collectAt is how much the heap grows until garbage is collected, in hundredths of what lives: with 80 instead of Go's 100 an engine takes a
// tenth less memory and is as fast. GOGC in the environment overrules it.
const collectAt = 80

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	app.QuietRedis()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	os.Exit(run(ctx, os.Args[1:], &process{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, hangup: hangup}))
}
