// Command leadline is Leadline: its roles (engine, analyst, desk, or run for all in one process), a demo that needs no
// server, and the tools around them. leadline --help lists the commands, leadline settings the settings.
//
// It exits 0 when all went well, 1 when something failed, 2 when it was called wrongly, and 3 when a load left lines out.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"leadline/internal/app"
)

func main() {
	app.QuietRedis()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	os.Exit(run(ctx, os.Args[1:], &process{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, hangup: hangup}))
}
