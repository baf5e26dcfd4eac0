// Package program runs the built leadline as processes that are started, stopped, frozen and killed: for tests of the binary.
//
// It waits for every process that it starts and keeps what each said, so that a test can show it. It knows nothing of Kafka, of a
// tenant or of the test that uses it. Only tests import it.
package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// Build makes the binary in the directory and gives its path.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "leadline")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "leadline/cmd/leadline")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build leadline: %w\n%s", err, out)
	}
	return path, nil
}

// Process is a program that keeps running. Its methods may be called from several goroutines.
type Process struct {
	Name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	// expected says that somebody meant it to end.
	expected atomic.Bool
}

// Start runs the command; all that it says is appended to the file log.
func Start(name string, cmd *exec.Cmd, log string) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{Name: name, cmd: cmd, log: log, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), file.Close())
	}
	go func() {
		defer close(p.done)
		_ = cmd.Wait()   // how it ended is in ProcessState
		_ = file.Close() // only for reading up on trouble
	}()
	return p, nil
}

// PID is the system's name of it.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Expected tells whether the end of the process was asked for here.
func (p *Process) Expected() bool { return p.expected.Load() }

// Expect says whether the process may end by itself.
func (p *Process) Expect(end bool) { p.expected.Store(end) }

// Stop asks it to end, and wants it to end well within the time.
func (p *Process) Stop(within time.Duration) error {
	p.expected.Store(true)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w\n%s", p.Name, err, p.Tail())
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		return fmt.Errorf("%s did not stop within %v:\n%s", p.Name, within, p.Tail())
	}
	return p.Err()
}

// Err says that it did not end well; nil too while it runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	if p.cmd.ProcessState.Success() {
		return nil
	}
	return fmt.Errorf("%s ended with %v:\n%s", p.Name, p.cmd.ProcessState, p.Tail())
}

// Kill ends it as a power cut does, and waits until it is gone. Killing one that has ended is harmless.
func (p *Process) Kill() {
	p.expected.Store(true)
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Freeze stops it where it is, as a machine that hangs does.
func (p *Process) Freeze() error { return p.signal("freeze", syscall.SIGSTOP) }

// Thaw lets a frozen one go on.
func (p *Process) Thaw() error { return p.signal("thaw", syscall.SIGCONT) }

func (p *Process) signal(what string, s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", what, p.Name, err, p.Tail())
	}
	return nil
}

// Ended says how it ended and what it said last; empty while it runs.
func (p *Process) Ended() string {
	select {
	case <-p.done:
		return fmt.Sprintf("%s ended: %v\n%s", p.Name, p.cmd.ProcessState, p.Tail())
	default:
		return ""
	}
}

// tail is how much of a log is worth showing.
const tail = 4000

// Tail is what it said last.
func (p *Process) Tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-tail):])
}
