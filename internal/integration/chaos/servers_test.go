//go:build integration

package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// script starts and stops real servers.
const script = "../../../deploy/local/servers"

// local is the servers of one run, each in a directory of its name under dir.
type local struct {
	dir    string
	layout layout
	port   int // the first of those that a run uses
}

// The ports of a run, from its first one on. A cluster's bus is ten above its masters.
const (
	kafkaPorts, registryPort, redisPorts, enginePorts = 0, 10, 20, 40
	standInPorts                                      = 10 // above an engine's: of one that takes its place
)

func (s local) addresses(first, step, count int) []string {
	var list []string
	for i := range count {
		list = append(list, fmt.Sprintf("127.0.0.1:%d", s.port+first+step*i))
	}
	return list
}

func (s local) kafka() []string  { return s.addresses(kafkaPorts, 2, s.layout.brokers) }
func (s local) redis() []string  { return s.addresses(redisPorts, 1, s.layout.masters) }
func (s local) registry() string { return "http://" + s.addresses(registryPort, 0, 1)[0] }

// do runs a command of the script.
func (s local) do(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, script, args...)
	number := func(name string, n int) string { return name + "=" + strconv.Itoa(n) }
	cmd.Env = append(os.Environ(), "LOCAL_DIR="+s.dir, number("LOCAL_KAFKA_PORT", s.port+kafkaPorts), number("LOCAL_REGISTRY_PORT", s.port+registryPort),
		number("LOCAL_REDIS_PORT", s.port+redisPorts), number("LOCAL_KAFKA_BROKERS", s.layout.brokers), number("LOCAL_REDIS_MASTERS", s.layout.masters),
		"LOCAL_KAFKA_HEAP=384m", "LOCAL_REDIS_ARGS=--appendfsync "+s.layout.fsync,
		"JAVA_TOOL_OPTIONS=-XX:+UseSerialGC -XX:TieredStopAtLevel=1") // brokers that start often and share a machine
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("servers %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// data is where a Redis keeps what it holds.
func (s local) data(name string) string { return filepath.Join(s.dir, name, "data") }

func (s local) process(name string) (*os.Process, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, name, "pid"))
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", name, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", name, err)
	}
	return os.FindProcess(pid)
}

// kill ends a server as a power cut does, and waits until it is gone.
func (s local) kill(ctx context.Context, name string) error {
	p, err := s.process(name)
	if err != nil {
		return err
	}
	if err := p.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	for lives(p.Pid) {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// lives tells whether a process still holds anything: one that is dead may wait for its parent, and for the last of its threads, which
// holds its ports until then.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && (!strings.HasPrefix(state, "Z") || len(threads) > 1)
}

// freeze stops a server where it is, until thaw.
func (s local) freeze(name string) (thaw func() error, err error) {
	p, err := s.process(name)
	if err != nil {
		return nil, err
	}
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return nil, fmt.Errorf("freeze %s: %w", name, err)
	}
	return func() error { return p.Signal(syscall.SIGCONT) }, nil
}
