package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// engine is one engine process under test.
type engine struct {
	instance string
	http     string
	extra    []string // arguments of its own
	log      string
	cmd      *exec.Cmd
	began    time.Time
	killed   bool
	done     chan struct{} // closed when it has ended
}

// start begins an engine under its instance name and HTTP address. The log of the life before stays as it is.
func (b *Bench) start(ctx context.Context, instance, http string, extra ...string) (*engine, error) {
	command := []string{"engine"}
	if b.o.Job {
		command = []string{"bench", "job", "--alerts=" + b.topic(jobAlerts)}
	}
	args := slices.Concat(command, b.o.Args, extra, []string{"--topic-prefix=" + b.prefix, "--engine-instance=" + instance, "--http-addr=" + http})
	e := &engine{instance: instance, http: http, extra: extra, cmd: exec.CommandContext(ctx, b.o.Binary, args...), done: make(chan struct{})}
	e.log = filepath.Join(b.o.Dir, fmt.Sprintf("%s%s.%d.log", b.prefix, instance, len(b.engines)))
	log, err := os.Create(e.log)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", instance, err)
	}
	e.cmd.Stdout, e.cmd.Stderr = log, log
	e.began = time.Now()
	if err := e.cmd.Start(); err != nil {
		_ = log.Close() // nothing is in it
		return nil, fmt.Errorf("start %s: %w", instance, err)
	}
	go func() {
		defer close(e.done)
		_ = e.cmd.Wait() // how it ended is in ProcessState
		_ = log.Close()
	}()
	b.engines = append(b.engines, e)
	return e, nil
}

// startNew begins an engine at a free address.
func (b *Bench) startNew(ctx context.Context, instance string, extra ...string) (*engine, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	http := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	return b.start(ctx, instance, http, extra...)
}

// kill ends it as a power cut does, and does not wait for the end.
func (e *engine) kill() time.Time {
	e.killed = true
	at := time.Now()
	_ = e.cmd.Process.Kill() // it may have ended already
	return at
}

// restart kills the engine and starts it again in the same moment.
func (b *Bench) restart(ctx context.Context, e *engine) (next *engine, killed time.Time, err error) {
	killed = e.kill()
	next, err = b.start(ctx, e.instance, e.http, e.extra...)
	return next, killed, err
}

// gone kills an engine for good.
func (b *Bench) gone(e *engine) time.Time {
	at := e.kill()
	<-e.done
	b.engines = slices.DeleteFunc(b.engines, func(other *engine) bool { return other == e })
	return at
}

// ended tells that an engine ended which nobody killed.
func (e *engine) ended() error {
	if e.killed {
		return nil
	}
	select {
	case <-e.done:
		return fmt.Errorf("the engine %s ended by itself: %v, its log is %s", e.instance, e.cmd.ProcessState, e.log)
	default:
		return nil
	}
}
