//go:build integration

// Package integration drives the built leadline, as processes, against the real Kafka, registry and Redis that
// LEADLINE_KAFKA_BROKERS, LEADLINE_REGISTRY_URL and LEADLINE_REDIS_ADDRS name (make integration). Tests only.
//
// Every test works under a topic prefix of its own and takes its topics away again. Redis is emptied in the middle of one:
// by design that costs nobody anything but a rebuild.
package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"leadline/internal/integration/program"
)

// binary is the leadline under test.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	for _, name := range []string{"LEADLINE_KAFKA_BROKERS", "LEADLINE_REGISTRY_URL", "LEADLINE_REDIS_ADDRS"} {
		if os.Getenv(name) == "" {
			fmt.Fprintf(os.Stderr, "%s is not set: start the servers with deploy/local/servers start, then make integration\n", name)
			return 1
		}
	}
	dir, err := os.MkdirTemp("", "leadline-integration")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary, err = program.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// installation is one tenant: a topic prefix and what runs under it.
type installation struct {
	t        *testing.T
	prefix   string
	kafka    *kgo.Client
	admin    *kadm.Client
	redis    *redis.Client
	registry *sr.Client

	partitions int32
	env        []string // of its programs, beside the servers'
	config     string   // the file of rules that they are given
}

// install creates a new tenant's topics and registers its schemas.
func install(t *testing.T, settings ...func(*installation)) *installation {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(os.Getenv("LEADLINE_KAFKA_BROKERS"), ",")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	registry, err := sr.NewClient(sr.URLs(os.Getenv("LEADLINE_REGISTRY_URL")))
	if err != nil {
		t.Fatal(err)
	}
	in := &installation{
		registry: registry,
		t:        t,
		prefix:   "it-" + strings.ToLower(rand.Text()[:8]) + "-",
		kafka:    client,
		admin:    kadm.NewClient(client),
		redis:    redis.NewClient(&redis.Options{Addr: os.Getenv("LEADLINE_REDIS_ADDRS")}),

		partitions: partitions,
	}
	for _, set := range settings {
		set(in)
	}
	t.Cleanup(func() { in.redis.Close() })
	in.config = filepath.Join(t.TempDir(), "leadline.yaml")
	in.check(os.WriteFile(in.config, []byte("rules: {explore_share: 0}\n"), 0o600)) // what is tried out depends on the prefix
	in.must("topics", "create")
	t.Cleanup(in.remove)
	return in
}

// remove deletes the tenant's topics, so that many runs do not fill the broker.
func (in *installation) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	topics, err := in.admin.ListTopics(ctx)
	if err != nil {
		in.t.Error(err)
		return
	}
	var own []string
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, in.prefix) {
			own = append(own, name)
		}
	}
	if _, err := in.admin.DeleteTopics(ctx, own...); err != nil {
		in.t.Error(err)
	}
}

// command prepares leadline, or another program, to see this tenant.
func (in *installation) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(in.t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LEADLINE_CONFIG="+in.config, "LEADLINE_TOPIC_PREFIX="+in.prefix, "LEADLINE_CLOCK=data", "LEADLINE_HTTP_ADDR=127.0.0.1:0",
		"LEADLINE_ENGINE_INSTANCE=engine-1", fmt.Sprint("LEADLINE_TOPICS_PARTITIONS=", in.partitions))
	cmd.Env = append(cmd.Env, in.env...)
	return cmd
}

// leadline runs one command to its end and gives its standard output, and its error with what it said on standard error.
func (in *installation) leadline(args ...string) (string, error) {
	return output(in.command(binary, args...))
}

// must runs one command that has to succeed.
func (in *installation) must(args ...string) string {
	in.t.Helper()
	out, err := in.leadline(args...)
	if err != nil {
		in.t.Fatalf("leadline %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%w\n%s%s", err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// process is a leadline that keeps running.
type process struct {
	*program.Process
	t *testing.T
}

// start runs a role until the test ends it or ends.
func (in *installation) start(args ...string) *process {
	in.t.Helper()
	p, err := program.Start(strings.Join(args, " "), in.command(binary, args...), filepath.Join(in.t.TempDir(), "log"))
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(func() {
		p.Kill()
		if in.t.Failed() {
			in.t.Logf("%s said at its end:\n%s", p.Name, p.Tail())
		}
	})
	return &process{p, in.t}
}

// stop asks it to end and wants it to end well.
func (p *process) stop() {
	p.t.Helper()
	if err := p.Stop(30 * time.Second); err != nil {
		p.t.Fatal(err)
	}
}

// alive fails the test when a process that should run has ended.
func (p *process) alive() {
	p.t.Helper()
	if how := p.Ended(); how != "" {
		p.t.Fatalf("it ended by itself: %s", how)
	}
}

// within waits until what it is given holds, asking ten times a second.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	end := time.NewTimer(limit)
	defer end.Stop()
	for !holds() {
		select {
		case <-end.C:
			t.Fatalf("not within %v: %s", limit, what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// unpack writes a sample to a directory, as plain JSON lines that any client can read.
func unpack(t *testing.T, files fs.FS) string {
	t.Helper()
	dir := t.TempDir()
	names, err := fs.Glob(files, "*.zst")
	if err != nil || len(names) == 0 {
		t.Fatalf("no sample: %v", err)
	}
	reader, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, name := range names {
		packed, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := reader.DecodeAll(packed, nil)
		if err != nil {
			t.Fatalf("unpack %s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, strings.TrimSuffix(name, ".zst")), plain, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
