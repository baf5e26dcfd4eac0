//go:build synctests

package stream

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/reference"
	"leadline/internal/sales"
	"leadline/internal/state/statetest"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed that TestMishapsInVirtualTime plays")
	seeds     = flag.Int("seeds", 60, "how many seeds TestMishapsInVirtualTime plays")
)

// Each seed is a load, some engines and an order of mishaps, played in virtual time. Whatever happened, the topics hold what one
// undisturbed shard says that follows the journal, nothing is missing and nothing stands there twice, and the store is equal to
// them. `make simulate-faults SEEDS=20000` plays many.
func TestMishapsInVirtualTime(t *testing.T) {
	var all tally
	began := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("worker=", worker), func(t *testing.T) {
				t.Parallel()
				for i := worker; i < *seeds; i += runtime.GOMAXPROCS(0) {
					playSeed(t, *firstSeed+uint64(i), &all)
				}
			})
		}
	})
	took := time.Since(began)
	t.Logf("%d seeds in %s, %.0f a minute; %s", *seeds, took.Round(time.Millisecond), float64(*seeds)/took.Minutes(), all.String())
	if n := len(all.broker); n > 2+*seeds/50 {
		t.Errorf("the fake broker itself failed in %d of %d seeds, more than it is known to: %v", n, *seeds, all.broker)
	}
}

// tally counts what the seeds came to.
type tally struct {
	mu      sync.Mutex
	sound   int
	broker  []uint64 // seeds in which the fake broker itself failed: they say nothing about us
	commits int64
	alerts  int
	mishaps map[string]int
	virtual time.Duration
}

func (a *tally) String() string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a.mishaps)) {
		names = append(names, fmt.Sprintf("%s %d", name, a.mishaps[name]))
	}
	return fmt.Sprintf("%d sound, %d failures of the fake broker %v; %d commits, %d alerts, %s of virtual time; mishaps: %s",
		a.sound, len(a.broker), a.broker, a.commits, a.alerts, a.virtual.Round(time.Second), strings.Join(names, ", "))
}

// playSeed plays one seed and says how to play it again if it fails.
func playSeed(t *testing.T, seed uint64, all *tally) {
	t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			j := &judge{TB: t}
			s := newSimulation(j, seed)
			ended := make(chan struct{})
			go func() { // on its own, so that the first failure ends the story and not the test
				defer close(ended)
				s.play()
			}()
			<-ended
			all.add(s, time.Since(began))
			switch {
			case !j.Failed():
			case s.brokerFailed.Load() != nil:
				t.Logf("seed %d: the fake broker failed: %v", seed, *s.brokerFailed.Load())
			default:
				t.Errorf("%s\nthe story:\n%s\nto play it again:\n  go test -tags synctests ./internal/stream -run '^TestMishapsInVirtualTime$' -seeds 1 -seed %d",
					strings.Join(j.failures, "\n"), strings.Join(j.lines, "\n"), seed)
			}
		})
	})
}

func (a *tally) add(s *simulation, virtual time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.brokerFailed.Load() != nil {
		a.broker = append(a.broker, s.seed)
	} else {
		a.sound++
	}
	a.commits += s.commits
	a.alerts += s.alerts
	a.virtual += virtual
	if a.mishaps == nil {
		a.mishaps = map[string]int{}
	}
	for name, n := range s.happened {
		a.mishaps[name] += n
	}
}

// judge notes what failed and what was said until it is known whose failure it is.
type judge struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	lines    []string
}

func (j *judge) Helper() {}

func (j *judge) Logf(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, strings.TrimSuffix(fmt.Sprintf(format, args...), "\n"))
}

func (j *judge) Errorf(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failures = append(j.failures, fmt.Sprintf(format, args...))
}

func (j *judge) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	runtime.Goexit()
}

func (j *judge) Fatal(args ...any) { j.Fatalf("%s", fmt.Sprintln(args...)) }

func (j *judge) Failed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.failures) > 0
}

// simulation is one seed's world.
type simulation struct {
	*world
	seed   uint64
	rng    *rand.Rand
	clock  engine.Clock
	rules  atomic.Pointer[engine.Rules]
	store  *statetest.Forgetful
	load   *load
	began  time.Time
	adm    *kadm.Client
	events int

	engines map[string]*running // at work
	hooks   storeHooks
	mend    []func() // what ends mishaps that last
	due     []func() // what mishaps want done at the next look

	brokerFailed atomicError
	happened     map[string]int
	commits      int64
	alerts       int
}

func newSimulation(j *judge, seed uint64) *simulation {
	rng := rand.New(rand.NewPCG(seed, 0x1ead11e))
	s := &simulation{seed: seed, rng: rng, engines: map[string]*running{}, store: statetest.NewForgetful(), happened: map[string]int{}}
	time.Sleep(time.Duration(rng.IntN(24*60)) * time.Minute) // most timers are due at midnight
	s.began = time.Now()
	s.world = newWorldOf(j, 1+rng.Int32N(3))
	s.world.store = s.store
	s.opts = []kgo.Opt{kgo.WithHooks(&s.brokerFailed)}
	s.adm = kadm.NewClient(s.client)
	s.ask, s.answer = s.hooks.asked, s.answered
	s.clock = []engine.Clock{engine.Live, engine.Live, engine.Data}[rng.IntN(3)]
	s.setRules(someRules(rng))
	s.world.rules = func() engine.Rules { return *s.rules.Load() }
	s.events = 20 + rng.IntN(50)
	s.load = newLoad(s.world, rng, s.events, time.Now())
	return s
}

func (s *simulation) setRules(r engine.Rules) { s.rules.Store(&r) }

// say notes what happens, with the virtual time.
func (s *simulation) say(format string, args ...any) {
	s.t.Logf("%9s %s", time.Since(s.began).Round(time.Millisecond), fmt.Sprintf(format, args...))
}

// play sends the load part by part while mishaps happen, then mends everything, waits, and compares.
func (s *simulation) play() {
	s.say("%d partitions, clock %s, %d customers, %d events", s.n, s.clock, s.load.customers, s.events)
	s.load.learn()
	for i := range 1 + s.rng.IntN(2) {
		s.start(string(rune('a' + i)))
	}
	for part, left := 0, s.events; left > 0; part++ {
		n := min(left, 1+s.rng.IntN(20))
		left -= n
		s.happen()
		records := s.load.part(n)
		s.load.newSchemas(records, part%3)
		s.say("%d records", n)
		s.sendTo(records...)
		s.pause(time.Duration(s.rng.IntN(300)) * time.Millisecond)
		s.happen()
	}
	s.settle()
	s.compare()
}

// happen lets up to two mishaps happen.
func (s *simulation) happen() {
	s.look()
	for range []int{0, 0, 1, 1, 2}[s.rng.IntN(5)] {
		m := pick(s.rng)
		s.say("%s", m.name)
		s.happened[m.name]++
		m.strike(s)
	}
	s.pause(time.Duration(s.rng.IntN(100)) * time.Millisecond)
}

func (s *simulation) pause(d time.Duration) {
	time.Sleep(d)
	s.look()
}

// look does what mishaps want done, and fails when an engine has ended by itself.
func (s *simulation) look() {
	due := s.due
	s.due = nil
	for _, do := range due {
		do()
	}
	for _, name := range slices.Sorted(maps.Keys(s.engines)) {
		select {
		case err := <-s.engines[name].ended:
			s.t.Fatalf("engine %s ended: %v", name, err)
		default:
		}
	}
}

func (s *simulation) start(name string) *running {
	s.say("engine %s starts", name)
	s.engines[name] = s.engine(name, func(c *Config) {
		c.Clock, c.MaxPoll = s.clock, 1+s.rng.IntN(12)
		c.CacheBytes = []int{1, 256 << 20}[s.rng.IntN(2)]
		c.QueueBytes = []int{1_000, 64 << 20}[s.rng.IntN(2)]
		c.CommitEvery = []time.Duration{10 * time.Millisecond, 100 * time.Millisecond}[s.rng.IntN(2)]
	})
	return s.engines[name]
}

// some is one of the engines at work.
func (s *simulation) some() (string, *running) {
	names := slices.Sorted(maps.Keys(s.engines))
	name := names[s.rng.IntN(len(names))]
	return name, s.engines[name]
}

// settle ends what lasts, and waits until everything is read, decided, committed and projected.
func (s *simulation) settle() {
	s.say("everything is mended")
	s.look()
	for _, end := range s.mend {
		end()
	}
	s.hooks.clear()
	s.look()
	s.within("everything is read and projected", func() bool {
		s.look()
		return s.ready() && s.settled()
	})
	time.Sleep(silence)
	s.within("the last tick is projected", s.settled)
	s.say("everything is read and projected")
	s.stopAll()
}

// within waits in virtual time, looking less and less often.
func (s *simulation) within(what string, ok func() bool) {
	wait := 50 * time.Millisecond
	for until := time.Now().Add(10 * time.Minute); time.Now().Before(until); wait = min(wait*5/4, 2*time.Second) {
		if ok() {
			return
		}
		time.Sleep(wait)
	}
	var why []string
	for name, e := range s.engines {
		why = append(why, fmt.Sprintf("%s: %v", name, e.Ready()))
	}
	s.t.Fatalf("not within ten minutes: %s; engines %v", what, why)
}

func (s *simulation) ready() bool {
	for _, e := range s.engines {
		if e.Ready() != nil {
			return false
		}
	}
	return true
}

// settled tells whether the group has committed the ends of all inputs, and the store is where the group is.
func (s *simulation) settled() bool {
	ctx := context.Background()
	var topics []string
	for _, in := range inputs {
		topics = append(topics, in.Topic)
	}
	ends, err := s.adm.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return false
	}
	have, err := s.adm.FetchOffsets(kadm.RequireStable(ctx), "leadline-engine")
	if err != nil || have.Error() != nil {
		return false
	}
	for p := range s.n {
		for _, topic := range topics {
			at, _ := have.Lookup(topic, p)
			if end, _ := ends.Lookup(topic, p); at.At != end.Offset {
				return false
			}
		}
		at, _ := have.Lookup(topics[purchasesInput], p)
		csn, ok := parseCSN(&at.Metadata)
		meta, _, err := s.store.Meta(ctx, p)
		if err != nil || !ok || meta.CSN != csn {
			return false
		}
	}
	return true
}

// stopAll ends all engines in good order, at the same time.
func (s *simulation) stopAll() {
	for _, e := range s.engines {
		e.cancel()
	}
	for name, e := range s.engines {
		if err := <-e.ended; err != nil {
			s.t.Fatalf("stop %s: %v", name, err)
		}
	}
	clear(s.engines)
}

// compare holds all topics and the store against a follower of each shard.
func (s *simulation) compare() {
	until := millis(time.Now())
	all := s.written()
	said := map[string]bool{}
	for p := range s.n {
		f := s.follow(all, p, s.clock)
		f.projected(s.store)
		f.saidOnce(said)
		f.nothingOverdue(until)
		s.commits += f.csn
	}
	s.alerts = len(said)
	s.verify()
}

// verify asks the reference model, which decides by a simple logic of its own, what it makes of the topics.
func (s *simulation) verify() {
	report, err := reference.Verify(context.Background(), reference.Options{Kafka: s.kafka(), Decoder: s.dec})
	if err != nil {
		s.t.Fatal(err)
	}
	if report.Differences() > 0 {
		s.t.Errorf("the reference model finds %d differences:\n%s", report.Differences(), report)
	}
}

// saidOnce fails on an id and revision that stands twice in the topics.
func (f *follower) saidOnce(said map[string]bool) {
	for _, alerts := range f.alerts {
		for _, a := range alerts {
			id := fmt.Sprintf("%s.%d", a.AlertID, a.Revision)
			if said[id] {
				f.w.t.Errorf("alert %s about %s was said twice", id, a.CustomerID)
			}
			said[id] = true
		}
	}
}

// nothingOverdue: under the live clock all timers have fired that were due when everything had been read.
func (f *follower) nothingOverdue(until sales.Millis) {
	if f.clock != engine.Live || f.csn == 0 {
		return
	}
	calendar := sales.Calendar{}
	for id, due := range f.due {
		due = due.After(calendar.Day(f.now))
		if day := due.Day(); day != 0 && calendar.Start(day) < until-3000 {
			f.w.t.Errorf("shard %d: the timer of customer %s was due on %s", f.p, id, day)
		}
	}
}

// answered holds the invariant at every write: what the store has, Kafka has committed.
func (s *simulation) answered(c storeCall) error {
	if c.op == "apply" || c.op == "finish" {
		have, err := s.adm.FetchOffsetsForTopics(context.Background(), "leadline-engine", "purchases")
		if err == nil {
			at, _ := have.Lookup("purchases", c.p)
			if csn, ok := parseCSN(&at.Metadata); !ok || csn < c.to.CSN {
				s.t.Errorf("the store was brought to %v, Kafka is at %q", c.to, at.Metadata)
			}
		}
	}
	return s.hooks.answered(c)
}

// atomicError keeps the first failure of the fake broker: it is known to answer OUT_OF_ORDER_SEQUENCE_NUMBER now and then though
// the client's numbers are in order.
type atomicError struct {
	mu  sync.Mutex
	err error
}

// Load gives nil when there was none.
func (a *atomicError) Load() *error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		return nil
	}
	return &a.err
}

// OnProduceRecordUnbuffered is kgo's hook.
func (a *atomicError) OnProduceRecordUnbuffered(rec *kgo.Record, err error) {
	if errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.err == nil {
			a.err = fmt.Errorf("produce to %s-%d: %w", rec.Topic, rec.Partition, err)
		}
	}
}
