//go:build integration

package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"leadline/internal/engine"
	"leadline/internal/integration/program"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

const (
	partitions = 4
	prefix     = "chaos-"
	stopWithin = 40 * time.Second // a stop completes what was begun, with servers that may be away
)

// rig is one installation: servers, roles, and the clients with which the harness itself looks at it.
type rig struct {
	binary  string
	dir     string
	layout  layout
	servers local
	say     func(format string, args ...any)
	fail    context.CancelCauseFunc // ends the run

	zone     *time.Location // of the business, in which a day ends in the middle of the run
	zoneEnv  []string
	began    time.Time // of the faults
	redises  map[string]*redis.Client
	registry *sr.Client
	kafka    *kgo.Client
	admin    *kadm.Client
	encoder  *wire.Encoder
	decoder  *wire.Decoder

	mu    sync.Mutex
	roles map[string]*program.Process
	http  map[*program.Process]string // host:port of each
	all   []*program.Process
	watch sync.WaitGroup
}

// midnightAfter is when the business's day ends, after the servers are up.
const midnightAfter = 90 * time.Second

// install starts the servers and makes the tenant.
func install(ctx context.Context, r *rig) error {
	if err := r.servers.do(ctx, "reset"); err != nil { // of a run that was interrupted
		return err
	}
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("clear %s: %w", r.dir, err)
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", r.dir, err)
	}
	if err := r.servers.do(ctx, "start"); err != nil {
		return err
	}
	var err error
	if r.zone, r.zoneEnv, err = program.Midnight(filepath.Join(r.dir, "zones"), midnightAfter); err != nil {
		return err
	}
	if err := os.WriteFile(r.rulesFile(), []byte(rules), 0o600); err != nil {
		return err
	}
	if out, err := r.command("topics", "create").CombinedOutput(); err != nil {
		return fmt.Errorf("topics create: %w\n%s", err, out)
	}
	return r.connect(ctx)
}

func (r *rig) connect(ctx context.Context) (err error) {
	if r.kafka, err = kgo.NewClient(r.kafkaOptions()...); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	r.admin = kadm.NewClient(r.kafka)
	if r.registry, err = sr.NewClient(sr.URLs(r.servers.registry())); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	ids, err := topics.IDs(ctx, r.registry, prefix)
	if err != nil {
		return err
	}
	r.encoder, r.decoder = wire.NewEncoder(ids), wire.NewDecoder(topics.NewSchemaSource(r.registry))
	for i, name := range servers("redis", r.layout.masters) {
		r.redises[name] = redis.NewClient(&redis.Options{Addr: r.servers.redis()[i], MaxRetries: 20, MaxRetryBackoff: time.Second})
	}
	return nil
}

func (r *rig) kafkaOptions() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(r.servers.kafka()...)} }

// close ends everything that was started here. Of a run that failed, data and logs stay.
func (r *rig) close(failed bool) error {
	r.mu.Lock()
	all := slices.Clone(r.all)
	r.mu.Unlock()
	for _, p := range all {
		p.Kill()
	}
	r.watch.Wait()
	for _, c := range r.redises {
		c.Close()
	}
	if r.kafka != nil {
		r.kafka.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if failed {
		for _, name := range slices.Concat(servers("kafka", r.layout.brokers), servers("redis", r.layout.masters), []string{"registry"}) {
			_ = r.servers.kill(ctx, name) // may be down
		}
		return nil
	}
	return errors.Join(r.servers.do(ctx, "reset"), os.RemoveAll(r.dir))
}

// rules make more alerts of few customers than the defaults do.
const rules = `rules:
  declining: {alpha: 0.02, resolve_above: 0.1, min_baseline_days: 3}
  links: {min_support: 8, min_g2: 4}
`

func (r *rig) rulesFile() string { return filepath.Join(r.dir, "leadline.yaml") }

// command prepares leadline to see this installation.
func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(r.binary, args...)
	cmd.Env = append(os.Environ(), "LEADLINE_KAFKA_BROKERS="+strings.Join(r.servers.kafka(), ","), "LEADLINE_REGISTRY_URL="+r.servers.registry(),
		"LEADLINE_REDIS_ADDRS="+strings.Join(r.servers.redis(), ","), "LEADLINE_TOPIC_PREFIX="+prefix, "LEADLINE_CLOCK="+string(r.layout.clock),
		"LEADLINE_CONFIG="+r.rulesFile(), "LEADLINE_HTTP_ADDR=127.0.0.1:0")
	cmd.Env = append(cmd.Env, r.zoneEnv...)
	return cmd
}

// start starts an engine or the analyst, on the same HTTP port each time, or on the stand-in's while the process whose place it takes holds that one.
func (r *rig) start(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	role := "engine"
	if name == "analyst" {
		role = name
	}
	port := r.servers.port + enginePorts + slices.Index(append(r.layout.engineNames(), "guest", "analyst"), name)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if p := r.roles[name]; p != nil && p.Ended() == "" && r.http[p] == addr {
		addr = fmt.Sprintf("127.0.0.1:%d", port+standInPorts)
	}
	cmd := r.command(role)
	cmd.Env = append(cmd.Env, "LEADLINE_ENGINE_INSTANCE="+name, "LEADLINE_HTTP_ADDR="+addr)
	p, err := program.Start(name, cmd, filepath.Join(r.dir, name+".log"))
	if err != nil {
		return err
	}
	r.roles[name], r.http[p] = p, addr
	r.all = append(r.all, p)
	r.watch.Go(func() {
		<-p.Done()
		if !p.Expected() {
			r.fail(errors.New("a role ended by itself: " + p.Ended()))
		}
	})
	return nil
}

func (r *rig) role(name string) *program.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.roles[name]
}

func (r *rig) redis(name string) *redis.Client { return r.redises[name] }

// ready tells whether a role says that it is at work.
func (r *rig) ready(ctx context.Context, name string) bool {
	r.mu.Lock()
	addr := r.http[r.roles[name]]
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// member is the group's name for an engine; empty when the group does not know it, or cannot be asked for a while.
func (r *rig) member(ctx context.Context, instance string) string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var groups kadm.DescribedGroups
	err := retried(ctx, func() (err error) {
		if groups, err = r.admin.DescribeGroups(ctx, prefix+"leadline-engine"); err == nil {
			err = groups.Error()
		}
		return err
	})
	if err != nil {
		return ""
	}
	for _, m := range groups[prefix+"leadline-engine"].Members {
		if m.InstanceID != nil && *m.InstanceID == instance {
			return m.MemberID
		}
	}
	return ""
}

// oneEnds waits until one of two engines of one name has ended by itself, and goes on with the other.
func (r *rig) oneEnds(ctx context.Context, name string, old, fresh *program.Process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("two engines live under one name after a minute"))
	defer cancel()
	stays := fresh
	select {
	case <-old.Done():
	case <-fresh.Done():
		stays = old
	case <-ctx.Done():
		return fmt.Errorf("%w\n%s", context.Cause(ctx), old.Tail())
	}
	stays.Expect(false)
	if how := stays.Ended(); how != "" {
		return errors.New("both engines of one name ended: " + how)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.roles[name] = stays
	return nil
}

// without kills a server, does something while it is away, waits for the fault's time, and starts it again.
func (r *rig) without(ctx context.Context, f fault, meanwhile func() error) error {
	if err := r.servers.kill(ctx, f.whom); err != nil {
		return err
	}
	if err := meanwhile(); err != nil {
		return err
	}
	if err := pause(ctx, f.last); err != nil {
		return err
	}
	return r.servers.do(ctx, "start", f.whom)
}

// strike does all faults, those of one target in their order and at their times, those of different targets beside each other.
func (r *rig) strike(ctx context.Context, faults []fault) error {
	what := map[string]kind{}
	for _, k := range kinds {
		what[k.what] = k
	}
	what[engineRemoved] = what[engineAdded]
	lanes := map[string][]fault{}
	for _, f := range faults {
		lanes[f.whom] = append(lanes[f.whom], f)
	}
	var wg sync.WaitGroup
	for _, lane := range lanes {
		wg.Go(func() {
			for _, f := range lane {
				if err := pause(ctx, time.Until(r.began.Add(f.at))); err != nil {
					return
				}
				r.say("%7.1f s  %s", time.Since(r.began).Seconds(), f)
				if err := what[f.what].strike(ctx, r, f); err != nil {
					r.fail(fmt.Errorf("%s of %s at %s: %w", f.what, f.whom, f.at, err))
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// live tells whether time passes by the wall clock.
func (r *rig) live() bool { return r.layout.clock == engine.Live }
