//go:build integration

// Package chaos runs the built leadline against real Kafka, registry and Redis of its own, breaks them and it in an order that a seed
// says, and then compares all that was decided with what had to be. `make chaos` runs it. Tests only.
//
// A run of one seed: servers and roles start (layout), a simulated world is loaded (load), half of it at once and the rest evenly while
// the faults of the plan happen, each at its time. When all is back and everything is read, the engines are stopped, and the verdict is
// taken: every alert on the topics is there once; a reader who was there all the time heard the same; Redis holds what leadline.state
// holds, customer by customer; a replay by the journal takes the same decisions; and so does a model that shares no rule with the
// engine and is led along the same journal, whose ranges tile every input.
//
// A seed repeats what is done and when, not what the machine makes of it.
package chaos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"leadline/internal/engine"
	"leadline/internal/integration/program"
	"leadline/internal/state"
)

// setting is a number that `make chaos` gives.
func setting(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number from 1: make chaos sets it", name, os.Getenv(name))
	}
	return n
}

// place gives the binary under test, and the directory for servers, logs and the list of finished seeds.
func place(t *testing.T) (binary, dir string) {
	t.Helper()
	dir = os.Getenv("CHAOS_DIR")
	if dir == "" {
		t.Fatal("CHAOS_DIR is not set, want a directory: make chaos sets it")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	binary, err := program.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return binary, dir
}

func TestChaos(t *testing.T) {
	from, seeds, faults := setting(t, "CHAOS_FROM"), setting(t, "CHAOS_SEEDS"), setting(t, "CHAOS_FAULTS")
	binary, dir := place(t)
	done := finished{file: filepath.Join(dir, "finished"), binary: hash(t, binary)}
	for seed := uint64(from); seed < uint64(from+seeds); seed++ {
		if done.has(seed, faults) {
			t.Logf("seed %d: %d faults went well with this very binary before; delete %s to repeat it", seed, faults, done.file)
			continue
		}
		l := layoutOf(seed)
		if err := run(t, seed, l, plan(seed, l, faults), binary, dir); err != nil {
			t.Errorf("seed %d: %v\nrepeat it: make chaos FROM=%d SEEDS=1 FAULTS=%d\nlogs and data are in %s", seed, err, seed, faults, filepath.Join(dir, "run"))
			return
		}
		if err := done.add(seed, faults); err != nil {
			t.Fatal(err)
		}
	}
}

// Redis acknowledges with appendfsync always, loses its tail in the middle of a transaction, goes on, and starts once more: Redis
// 7.0.15 then brings half of the torn batch back, and loses what it acknowledged after it. The engine must not believe either.
func TestAppendOnlyFileTornInsideMulti(t *testing.T) {
	binary, dir := place(t)
	var faults []fault
	for i := range 3 {
		faults = append(faults, fault{at: time.Duration(4+6*i) * time.Second, what: tornInMulti, whom: "redis", last: 2 * time.Second, luck: uint64(7919 * (i + 1))})
	}
	l := layout{brokers: 1, masters: 1, engines: 1, clock: engine.Data, fsync: "always"}
	if err := run(t, 1, l, faults, binary, dir); err != nil {
		t.Fatal(err)
	}
}

// run is one run from the first server to the verdict.
func run(t *testing.T, seed uint64, l layout, faults []fault, binary, dir string) (err error) {
	t.Helper()
	began := time.Now()
	t.Logf("seed %d: %s; %d faults in %.0f s", seed, l, len(faults), length(faults).Seconds())
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	r := &rig{binary: binary, dir: filepath.Join(dir, "run"), layout: l, say: t.Logf, fail: fail, redises: map[string]*redis.Client{}, roles: map[string]*program.Process{}, http: map[*program.Process]string{}}
	r.servers = local{dir: r.dir, layout: l, port: setting(t, "CHAOS_PORT")}
	defer func() { err = errors.Join(err, r.close(err != nil)) }()
	if err := install(ctx, r); err != nil {
		return err
	}
	v, err := r.play(ctx, seed, faults)
	if err != nil {
		return err
	}
	t.Logf("seed %d: %d records read, %d timers fired, %d alerts compared, %d of them suppressed, %d customers; %d faults found; %.0f s\n%s\n%s", seed, v.records, v.timers, v.alerts,
		v.suppressed, v.customers, len(v.faults), time.Since(began).Seconds(), strings.Join(counted(faults), "\n"), v.reference)
	if len(v.faults) > 0 {
		return fmt.Errorf("%d faults found, the first:\n%s", len(v.faults), strings.Join(v.faults[:min(5, len(v.faults))], "\n"))
	}
	if v.alerts < 50 {
		return fmt.Errorf("only %d alerts: that nothing is wrong with them shows nothing", v.alerts)
	}
	return nil
}

// customersOf is how many customers a run of so many faults has.
func customersOf(faults int) int { return min(1500, 300+20*faults) }

// play starts the roles, loads, strikes, waits, stops and judges.
func (r *rig) play(ctx context.Context, seed uint64, faults []fault) (*verdict, error) {
	items, w, err := world(seed, customersOf(len(faults)))
	if err != nil {
		return nil, err
	}
	if !r.layout.learned {
		if err := r.giveLinks(ctx, w); err != nil {
			return nil, err
		}
	}
	names := r.layout.engineNames()
	names = append(names, analysts(r.layout)...)
	for _, name := range names {
		if err := r.start(name); err != nil {
			return nil, err
		}
	}
	crm, err := newReader(r)
	if err != nil {
		return nil, err
	}
	hearing, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	reading.Go(func() { crm.run(hearing) })
	sender, err := newLoad(r, seed, items)
	if err != nil {
		return nil, err
	}
	r.began = time.Now()
	loaded := make(chan error, 1)
	go func() { loaded <- sender.run(ctx, length(faults)) }()
	err = r.strike(ctx, faults)
	if err := firstOf(context.Cause(ctx), err, <-loaded); err != nil {
		return nil, err
	}
	r.say("%7.1f s  all is back, %d records are sent", time.Since(r.began).Seconds(), len(items))
	if err := crm.silence(ctx); err != nil {
		return nil, err
	}
	return r.end(ctx, crm)
}

// end waits until there is nothing left to do, stops the roles and judges.
func (r *rig) end(ctx context.Context, crm *reader) (*verdict, error) {
	client := state.Dial(state.Options{Addrs: r.servers.redis()})
	defer client.Close()
	store := state.NewRedis(client, prefix)
	if err := r.settled(ctx, store); err != nil {
		return nil, err
	}
	r.say("%7.1f s  everything is read", time.Since(r.began).Seconds())
	for name, p := range r.roles {
		if p.Ended() != "" {
			continue
		}
		if err := p.Stop(stopWithin); err != nil {
			return nil, fmt.Errorf("at the end of %s: %w", name, err)
		}
	}
	v, err := r.judge(ctx, store, crm)
	r.say("%7.1f s  compared", time.Since(r.began).Seconds())
	return v, err
}

// finished is the list of seeds that went well, so that an interrupted row of them goes on where it was.
type finished struct{ file, binary string }

func (f finished) line(seed uint64, faults int) string {
	return fmt.Sprintf("seed %d faults %d binary %s", seed, faults, f.binary)
}

func (f finished) has(seed uint64, faults int) bool {
	text, err := os.ReadFile(f.file)
	return err == nil && strings.Contains(string(text), f.line(seed, faults)+"\n")
}

func (f finished) add(seed uint64, faults int) error {
	file, err := os.OpenFile(f.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, f.line(seed, faults))
	return errors.Join(err, file.Close())
}

func hash(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
