// Command registry is Leadline's embedded schema registry as a program of its own, beside the real Kafka and Redis that
// deploy/local/servers starts: for development and tests, not for production. It speaks Confluent's HTTP interface, and
// keeps what was registered, with its ids, in the data directory.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"leadline/internal/embedded"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:18081", "loopback `address` to listen on")
	dir := flag.String("dir", "", "data `directory`")
	flag.Parse()
	if err := serve(*addr, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

// serve runs the registry until it is told to stop.
func serve(addr, dir string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	servers, err := embedded.StartRegistry(ctx, embedded.Options{DataDir: dir, RegistryAddr: addr})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return servers.Stop()
}
