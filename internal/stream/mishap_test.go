//go:build synctests

package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/state"
)

// mishap is what can happen, by name. Often is its share: those that take half a minute of virtual time are seldom.
type mishap struct {
	name   string
	often  int
	strike func(*simulation)
}

func pick(rng *rand.Rand) mishap {
	sum := 0
	for _, m := range mishaps {
		sum += m.often
	}
	at := rng.IntN(sum)
	for _, m := range mishaps {
		if at -= m.often; at < 0 {
			return m
		}
	}
	panic("not reached")
}

var mishaps = slices.Concat(engineMishaps, brokerMishaps, storeMishaps, offsetMishaps, changes)

// Engines come and go.
var engineMishaps = []mishap{
	{"engine stopped and started", 20, func(s *simulation) {
		name, e := s.some()
		e.stop()
		s.start(name)
	}},
	{"engine killed and started", 30, func(s *simulation) {
		name, e := s.some()
		s.kill(name, e)
		s.pause(s.moment())
		s.start(name)
	}},
	{"engine killed at the end of a transaction", 30, func(s *simulation) {
		name, e := s.some()
		h := s.atEndOf(name, 1, e.line.cut)
		s.due = append(s.due, func() {
			if h.Hits() > 0 && s.engines[name] == e {
				s.kill(name, e)
				s.start(name)
			}
			h.Remove()
		})
	}},
	{"engine joins", 15, (*simulation).join},
	{"engine leaves", 4, func(s *simulation) {
		if name, e := s.some(); len(s.engines) > 1 {
			e.stop()
			delete(s.engines, name)
		}
	}},
	{"engine killed for good", 3, func(s *simulation) {
		// kfake never gives up a member that dies while it joins, hence the wait.
		if name, e := s.some(); len(s.engines) > 1 && s.isReady(e) {
			s.kill(name, e)
		}
	}},
	{"engine frozen past its session", 2, func(s *simulation) { s.freeze(35*time.Second + time.Duration(s.rng.IntN(20_000))*time.Millisecond) }},
	{"engine frozen for a moment", 10, func(s *simulation) { s.freeze(s.while()) }},
	{"registry away", 15, func(s *simulation) {
		s.reg.Down(true)
		s.later(s.while(), func() { s.reg.Down(false) })
	}},
}

// The broker is away, refuses, or answers what it should not.
var brokerMishaps = []mishap{
	{"connections cut", 20, func(s *simulation) {
		_, e := s.some()
		e.line.blip()
	}},
	{"answer to an end lost", 30, func(s *simulation) {
		name, e := s.some()
		s.atEndOf(name, 1, e.line.blip)
	}},
	{"end neither commits nor aborts", 30, func(s *simulation) {
		// The broker commits, the answer is lost, and asked again it knows nothing: the client takes that for an abort.
		name, e := s.some()
		s.atEndOf(name, 1, func() {
			e.line.blip()
			s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError})
		})
	}},
	{"broker away", 15, func(s *simulation) {
		_, e := s.some()
		e.line.cut()
		s.later(s.while(), e.line.mend)
	}},
	{"broker away from an end on", 15, func(s *simulation) {
		name, e := s.some()
		d := s.while()
		s.atEndOf(name, 1, func() {
			e.line.cut()
			time.AfterFunc(d, e.line.mend)
		})
	}},
	{"broker slow", 15, func(s *simulation) {
		_, e := s.some()
		e.line.delay.Store(int64(s.moment()))
		s.later(s.while(), func() { e.line.delay.Store(0) })
	}},
	{"end refused", 10, failingOnce(kmsg.EndTxn, kerr.UnknownServerError, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.ConcurrentTransactions)},
	{"end unanswered", 10, failingOnce(kmsg.EndTxn, kerr.RequestTimedOut)},
	{"fenced", 15, failingOnce(kmsg.EndTxn, kerr.ProducerFenced, kerr.InvalidProducerEpoch)},
	{"produce refused", 20, func(s *simulation) {
		topic := []string{journalTopic, stateTopic, suppressedTopic, talliesTopic + "pairs"}[s.rng.IntN(4)]
		s.refuse(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: some(s.rng, kerr.TransactionAbortable, kerr.NotLeaderForPartition,
			kerr.MessageTooLarge, kerr.InvalidTxnState, kerr.ProducerFenced)})
	}},
	{"partitions not added to the transaction", 10, failingOnce(kmsg.AddPartitionsToTxn, kerr.ConcurrentTransactions, kerr.CoordinatorNotAvailable,
		kerr.TransactionAbortable)},
	{"offsets refused", 20, failingOnce(kmsg.TxnOffsetCommit, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress,
		kerr.CoordinatorNotAvailable, kerr.GroupAuthorizationFailed)},
	{"offsets unanswered", 10, failingOnce(kmsg.TxnOffsetCommit, kerr.RequestTimedOut)},
	{"offsets not stable", 10, failingOnce(kmsg.OffsetFetch, kerr.UnstableOffsetCommit, kerr.NotCoordinator)},
	{"no producer id", 10, failingOnce(kmsg.InitProducerID, kerr.ConcurrentTransactions, kerr.CoordinatorNotAvailable)},
	{"ends not known", 10, failingOnce(kmsg.ListOffsets, kerr.NotLeaderForPartition, kerr.UnknownServerError)},
	{"read refused", 10, failingOnce(kmsg.Fetch, kerr.NotLeaderForPartition, kerr.UnknownServerError, kerr.OffsetNotAvailable)},
	{"rebalance", 15, failingOnce(kmsg.Heartbeat, kerr.RebalanceInProgress)},
	{"member forgotten", 8, failingOnce(kmsg.Heartbeat, kerr.UnknownMemberID)},
	{"second revoke before the end", 12, func(s *simulation) {
		s.refuse(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress, Count: 2})
		_, e := s.some()
		e.line.delay.Store(int64(200 * time.Millisecond))
		s.join()
		s.later(5*time.Second, func() { e.line.delay.Store(0) })
	}},
	{"rebalance in the middle of a cycle", 12, func(s *simulation) {
		// Its own heartbeat cannot be hurried, so the cycle is slowed down.
		_, e := s.some()
		e.line.delay.Store(int64(400 * time.Millisecond))
		s.refuse(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress})
		s.later(6*time.Second, func() { e.line.delay.Store(0) })
	}},
}

// The store is away, loses what it had, or holds something else.
var storeMishaps = []mishap{
	{"store away", 15, func(s *simulation) {
		s.hooks.set(func(h *storeHooks) { h.away = true })
		s.later(s.while(), func() { s.hooks.set(func(h *storeHooks) { h.away = false }) })
	}},
	{"store slow", 10, func(s *simulation) {
		d := s.moment()
		s.hooks.set(func(h *storeHooks) { h.slow = d })
		s.later(s.while(), func() { s.hooks.set(func(h *storeHooks) { h.slow = 0 }) })
	}},
	{"store's answers lost", 15, func(s *simulation) {
		n := 1 + s.rng.IntN(3)
		s.hooks.set(func(h *storeHooks) { h.lost = n })
	}},
	{"store emptied", 20, func(s *simulation) { s.store.Flush() }},
	{"store rewound", 30, func(s *simulation) { s.store.Forget(1 + s.rng.IntN(12)) }},
	{"store emptied between two calls", 30, func(s *simulation) { s.before(s.store.Flush) }},
	{"store rewound between two calls", 30, func(s *simulation) {
		n := 1 + s.rng.IntN(6)
		s.before(func() { s.store.Forget(n) })
	}},
	{"store emptied while idle, then engine killed", 10, func(s *simulation) {
		s.store.Flush()
		name, e := s.some()
		s.kill(name, e)
		s.start(name)
	}},
	{"engine killed in the middle of a rebuild", 15, func(s *simulation) {
		name, e := s.some()
		s.hooks.set(func(h *storeHooks) {
			h.at, h.do = []string{"put", "finish"}[s.rng.IntN(2)], func() { e.store.away.Store(true) }
		})
		s.store.Flush()
		s.pause(s.moment())
		s.kill(name, e)
		s.start(name)
	}},
	{"store ahead", 8, func(s *simulation) {
		// Far ahead: a store that is set back first, or followed by commits, must not come to claim a commit that it does not have.
		s.tamper(func(m *state.Meta) { m.CSN, m.StateOffset = m.CSN+1_000_000, m.StateOffset+12_000_000 })
	}},
	{"store of another cluster", 8, func(s *simulation) { s.tamper(func(m *state.Meta) { m.Cluster = "another" }) }},
	{"store of another topic", 8, func(s *simulation) { s.tamper(func(m *state.Meta) { m.TopicID = "another" }) }},
	{"customers corrupt", 12, (*simulation).rot},
}

// The group's offsets are lost or set by somebody else: every engine refuses, and the command mends.
var offsetMishaps = []mishap{
	{"offsets expired", 2, func(s *simulation) {
		s.offsetsGone(func() {
			if _, err := s.adm.DeleteGroups(context.Background(), "leadline-engine"); err != nil {
				s.t.Fatal(err)
			}
		})
	}},
	{"offsets set by a tool", 2, func(s *simulation) {
		s.offsetsGone(func() {
			var offsets kadm.Offsets
			for p := range s.n {
				offsets.Add(kadm.Offset{Topic: "purchases", Partition: p, At: 0, LeaderEpoch: -1})
			}
			if err := s.adm.CommitAllOffsets(context.Background(), "leadline-engine", offsets); err != nil {
				s.t.Fatal(err)
			}
		})
	}},
}

// No mishaps, but what happens at any moment.
var changes = []mishap{
	{"new rules", 15, func(s *simulation) { s.setRules(someRules(s.rng)) }},
	{"new knowledge", 15, func(s *simulation) { s.load.learn() }},
	{"silence", 10, func(s *simulation) { s.pause(time.Duration(s.rng.IntN(3000)) * time.Millisecond) }},
	{"a minute of silence", 1, func(s *simulation) { s.pause(time.Minute) }},
}

func some[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// moment is shorter than most timeouts, while is not always.
func (s *simulation) moment() time.Duration { return time.Duration(s.rng.IntN(400)) * time.Millisecond }

func (s *simulation) while() time.Duration {
	return some(s.rng, 100*time.Millisecond, time.Second, 3*time.Second, 12*time.Second)
}

// later ends a mishap after a while, and at the latest when everything is mended.
func (s *simulation) later(d time.Duration, end func()) {
	time.AfterFunc(d, end)
	s.mend = append(s.mend, end)
}

func (s *simulation) kill(name string, e *running) {
	s.say("engine %s is killed", name)
	e.kill()
	delete(s.engines, name)
}

func (s *simulation) join() {
	for _, name := range []string{"a", "b", "c"} {
		if s.engines[name] == nil {
			s.start(name)
			return
		}
	}
}

func (s *simulation) isReady(e *running) bool { return e.Ready() == nil }

func (s *simulation) freeze(d time.Duration) {
	_, e := s.some()
	thaw := e.line.freeze()
	s.t.Cleanup(thaw)
	s.later(d, thaw)
}

// refuse makes the broker answer wrongly until everything is mended.
func (s *simulation) refuse(f kfake.Fault) {
	h := s.cluster.Fault(f)
	s.mend = append(s.mend, h.Remove)
}

func failingOnce(key kmsg.Key, with ...*kerr.Error) func(*simulation) {
	return func(s *simulation) { s.refuse(kfake.Fault{Keys: []kmsg.Key{key}, Err: some(s.rng, with...)}) }
}

// atEndOf does something when the broker has an engine's request to end a transaction, and has not answered.
func (s *simulation) atEndOf(name string, times int, do func()) *kfake.FaultHandle {
	h := s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TxnID: "leadline-engine-" + name, Observe: true, Count: times,
		When: func(kmsg.Request) bool {
			do()
			return true
		}})
	s.mend = append(s.mend, h.Remove)
	return h
}

// before does something to the store just before one of the next calls of some kind.
func (s *simulation) before(do func()) {
	at := some(s.rng, "load", "load", "items", "timers", "apply", "rebuild", "put", "finish")
	s.say("before %s", at)
	s.hooks.set(func(h *storeHooks) { h.at, h.do = at, do })
}

// tamper writes past the engines what the store should not hold.
func (s *simulation) tamper(change func(*state.Meta)) {
	for p := range s.n {
		from, ok, err := s.store.Meta(context.Background(), p)
		if err != nil || !ok {
			continue
		}
		to := from
		change(&to)
		_ = s.store.Apply(context.Background(), p, state.Write{From: from, To: to}) // an engine may have been faster
	}
}

// rot damages the blobs of all customers, and nothing else.
func (s *simulation) rot() {
	for p := range s.n {
		due := map[string]engine.Due{}
		_ = s.store.Timers(context.Background(), p, func(t engine.Timer) error {
			due[t.CustomerID] = t.Due
			return nil
		})
		var ids []string
		for i := range s.load.customers {
			ids = append(ids, customer(i))
		}
		from, blobs, err := s.store.Load(context.Background(), p, ids)
		if err != nil || from == (state.Meta{}) {
			continue
		}
		w := state.Write{From: from, To: from}
		for i, id := range ids {
			if blobs[i] != nil {
				w.Changes = append(w.Changes, engine.Change{CustomerID: id, Blob: []byte(rotten), Due: due[id]})
			}
		}
		_ = s.store.Apply(context.Background(), p, w)
	}
}

// offsetsGone stops all engines, lets something happen to the offsets, and wants the first engine to refuse and the command to mend.
func (s *simulation) offsetsGone(what func()) {
	s.settle()
	if !s.committed() {
		s.start("a")
		return // nothing was committed that could be lost
	}
	afterSessionTimeout()
	what()
	s.start("a").refused("restore the group's offsets")
	delete(s.engines, "a")
	afterSessionTimeout()
	if _, err := RestoreOffsets(context.Background(), Config{Kafka: s.kafka()}, s.dec, zap.NewNop()); err != nil {
		s.t.Fatal(err)
	}
	s.start("a")
}

// committed tells whether any shard has committed anything.
func (s *simulation) committed() bool {
	for p := range s.n {
		if m, _, err := s.store.Meta(context.Background(), p); err == nil && m.CSN > 0 {
			return true
		}
	}
	return false
}

// storeHooks are what happens to the engines' calls to the store.
type storeHooks struct {
	mu   sync.Mutex
	away bool
	slow time.Duration
	lost int    // writes whose answers are lost
	at   string // before the next call of this kind,
	do   func() // once, this is done
}

func (h *storeHooks) set(change func(*storeHooks)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

func (h *storeHooks) clear() {
	h.set(func(h *storeHooks) { h.away, h.slow, h.lost, h.at, h.do = false, 0, 0, "", nil })
}

func (h *storeHooks) asked(c storeCall) error {
	h.mu.Lock()
	slow, away, do := h.slow, h.away, h.do
	if h.at == c.op {
		h.at, h.do = "", nil
	} else {
		do = nil
	}
	h.mu.Unlock()
	time.Sleep(slow)
	if do != nil {
		do()
	}
	if away {
		return errAway
	}
	return nil
}

func (h *storeHooks) answered(c storeCall) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost == 0 || c.op != "apply" && c.op != "finish" {
		return nil
	}
	h.lost--
	return errors.New("the answer was lost")
}
