//go:build integration

package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadline/internal/integration/program"
)

// small mounts a little file system in name spaces of its own, lets ballast take most of it, and becomes leadline.
const small = `mount -t tmpfs -o size=256m none "$1" && head -c 224m /dev/zero >"$1/ballast" && shift && exec "$@"`

// The demo's embedded broker has a small disk, which is full in the middle of the sample. It says so and waits; when there is room it goes
// on, and in the end nothing is lost, doubled or different.
func TestDiskOfTheEmbeddedBrokerIsFull(t *testing.T) {
	binary, _ := place(t)
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	port := setting(t, "CHAOS_PORT")
	env := append(os.Environ(), fmt.Sprintf("LEADLINE_KAFKA_BROKERS=127.0.0.1:%d", port), fmt.Sprintf("LEADLINE_REGISTRY_URL=http://127.0.0.1:%d", port+1),
		fmt.Sprintf("LEADLINE_REDIS_ADDRS=127.0.0.1:%d", port+2), fmt.Sprintf("LEADLINE_HTTP_ADDR=127.0.0.1:%d", port+3))
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", small, "sh", disk, binary, "demo", "--data-dir", filepath.Join(disk, "data"))
	cmd.Env = env
	log := filepath.Join(dir, "log")
	demo, err := program.Start("demo", cmd, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(demo.Kill)
	if err := says(t.Context(), demo, log, "the disk is full"); err != nil {
		t.Fatal(err)
	}
	if text := read(t, log); strings.Contains(text, "orders again") {
		t.Fatalf("the sample was through before the disk was full:\n%s", text)
	}
	if err := pause(t.Context(), 5*time.Second); err != nil { // it has to do without for a while
		t.Fatal(err)
	}
	inside := fmt.Sprintf("/proc/%d/root", demo.PID())
	if err := os.Remove(filepath.Join(inside, disk, "ballast")); err != nil {
		t.Fatal(err)
	}
	if err := says(t.Context(), demo, log, "orders again"); err != nil {
		t.Fatal(err)
	}
	verify := exec.Command(binary, "replay", "verify")
	verify.Env = env
	out, err := verify.CombinedOutput()
	if err != nil {
		t.Errorf("replay verify: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	if err := demo.Stop(stopWithin); err != nil {
		t.Error(err)
	}
}

// says waits until a process has said something.
func says(ctx context.Context, p *program.Process, log, what string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("not within 3 minutes"))
	defer cancel()
	for {
		text, err := os.ReadFile(log)
		if err != nil || strings.Contains(string(text), what) {
			return err
		}
		if how := p.Ended(); how != "" {
			return errors.New(how)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("wait for %q: %w\n%s", what, err, p.Tail())
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
