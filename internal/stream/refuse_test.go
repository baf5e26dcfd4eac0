package stream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/promise"
	"leadline/internal/sales"
)

// refused waits for the engine to end by itself, and wants advice and the words in its error.
func (r *running) refused(words ...string) {
	r.w.t.Helper()
	select {
	case err := <-r.ended:
		var b *promise.Broken
		if !errors.As(err, &b) || b.Do == "" {
			r.w.t.Fatalf("ended with %v, without advice", err)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				r.w.t.Errorf("error %q does not say %q", err, w)
			}
		}
	case <-time.After(time.Minute):
		r.w.t.Fatalf("still running after a minute: %v", r.Ready())
	}
}

func TestRefusesToStart(t *testing.T) {
	for name, c := range map[string]struct {
		seed  []kfake.Opt
		words []string
	}{
		"an input has other partitions":    {[]kfake.Opt{kfake.SeedTopics(2, "touchpoints")}, []string{"touchpoints", "2", "purchases", "3"}},
		"the state has other partitions":   {[]kfake.Opt{kfake.SeedTopics(4, stateTopic)}, []string{stateTopic, "4"}},
		"the ledger has other partitions":  {[]kfake.Opt{kfake.SeedTopics(1, suppressedTopic)}, []string{suppressedTopic, "1"}},
		"knowledge has several partitions": {[]kfake.Opt{kfake.SeedTopics(2, "product-links")}, []string{"product-links", "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				newWorld(t, c.seed...).engine("a").refused(c.words...)
			})
		})
	}
}

func TestRefusesWithoutItsTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := kadm.NewClient(w.client).DeleteTopics(context.Background(), journalTopic); err != nil {
			t.Fatal(err)
		}
		w.engine("a").refused(journalTopic, "leadline topics create")
	})
}

// worked is a world in which an engine has committed something and stopped.
func worked(t *testing.T) *world {
	w := newWorld(t)
	w.link("coffee", "filters")
	e := w.engine("a")
	e.ready()
	for i := range 9 {
		w.buy(customer(i), customer(i), "coffee", time.Now())
	}
	w.eventually("all is read", w.allRead)
	e.stop()
	return w
}

func (w *world) admin() *kadm.Client { return kadm.NewClient(w.client) }

// afterSessionTimeout waits until the group has forgotten its static members, as tools want it.
func afterSessionTimeout() { time.Sleep(2 * sessionTimeout) }

func TestRefusesToCountLinksOfAnotherLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worked(t)
		w.rules = func() engine.Rules {
			r := engine.DefaultRules()
			r.LinkLevel = sales.LevelProduct
			return r
		}
		w.engine("a").refused("link_level product", "level category", "set link_level back to category")
	})
}

func TestRefusesWhenTheGroupLostItsOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worked(t)
		afterSessionTimeout()
		if _, err := w.admin().DeleteGroups(t.Context(), "leadline-engine"); err != nil {
			t.Fatal(err)
		}
		w.engine("a").refused("lost its offsets")
	})
}

func TestRefusesOffsetsThatAToolHasSet(t *testing.T) {
	for name, metadata := range map[string]string{"without csn": "", "with csn": "csn:1"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := worked(t)
				afterSessionTimeout()
				var offsets kadm.Offsets
				for p := range int32(testPartitions) {
					offsets.Add(kadm.Offset{Topic: "purchases", Partition: p, At: 0, LeaderEpoch: -1, Metadata: metadata})
				}
				if err := w.admin().CommitAllOffsets(t.Context(), "leadline-engine", offsets); err != nil {
					t.Fatal(err)
				}
				w.engine("a").refused("purchases", "restore the group's offsets")
			})
		})
	}
}

func TestRefusesWhenRecordsAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worked(t)
		for i := range 60 {
			w.buy(customer(i), "later-"+customer(i), "coffee", time.Now())
		}
		cut := kadm.Offsets{}
		for p := range int32(testPartitions) {
			cut.Add(kadm.Offset{Topic: "purchases", Partition: p, At: 10})
		}
		if _, err := w.admin().DeleteRecords(t.Context(), cut); err != nil {
			t.Fatal(err)
		}
		w.engine("a").refused("purchases", "is not there at the committed offset")
	})
}

func TestRefusesASharedInstanceID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.engine("a")
		first.ready()
		second := w.engine("a")
		first.refused("another engine runs as")
		second.ready()
		w.buy("cj-1", "e-1", "coffee", time.Now())
		w.eventually("the second reads", w.allRead)
	})
}

// An engine that lost its session and its line, and whose place a new process has taken, does not take it back when the line is mended:
// it ends, and the new one is not disturbed.
func TestReplacedWhileCutOffItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.engine("a")
		first.ready()
		fenced := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced})
		w.buy("cj-1", "e-1", "coffee", time.Now())
		if err := fenced.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		first.line.cut()
		second := w.engine("a")
		second.ready()
		w.eventually("the second reads", w.allRead)
		first.line.mend()
		first.refused("another engine runs as")
		w.buy("cj-1", "e-2", "coffee", time.Now())
		w.eventually("the second reads on", w.allRead)
		select {
		case err := <-second.ended:
			t.Errorf("the second ended: %v", err)
		default:
		}
	})
}

// An engine that was cut off, and whose place nobody took, goes on.
func TestCutOffForLongItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.engine("a")
		e.ready()
		e.line.cut()
		w.buy("cj-1", "e-1", "coffee", time.Now())
		time.Sleep(3 * sessionTimeout)
		e.line.mend()
		w.eventually("it reads on", w.allRead)
	})
}

// An engine killed while its request to join waits in the broker's queue is answered after its next life has joined: that throws the next
// life out, and nobody is there who stays. So it joins again instead of ending. (Found by chaos.)
func TestThrownOutByItsEarlierLifeItJoinsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.engine("a")
		e.ready()
		fenced := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.FencedInstanceID})
		if err := fenced.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		w.buy("cj-1", "e-1", "coffee", time.Now())
		w.eventually("it reads", w.allRead)
	})
}

func TestConfigRefused(t *testing.T) {
	for _, c := range []Config{
		{},
		{InstanceID: "a", Clock: "sun"},
		{InstanceID: "a", CommitEvery: time.Second},
		{InstanceID: "a", MaxPoll: -1},
	} {
		if _, err := New(c, Deps{}); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// Two engines that begin at the same moment on new topics: the one that looked first and came second does not take the other's first
// commit for the trace of lost offsets.
func TestEnginesBeginTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.buy("cj-1", "e-1", "coffee", time.Now())
		line, thaw := &cuttable{dial: w.dial}, make(chan func(), 1)
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Observe: true, When: func(kmsg.Request) bool {
			thaw <- line.freeze() // it was asked, and does not get to know yet that there are no offsets
			return true
		}})
		first := w.engine("a", func(c *Config) { c.Kafka = append(c.Kafka, kgo.Dialer(line.DialContext)) })
		goOn := <-thaw
		w.engine("b").ready()
		w.eventually("the second has committed", w.allRead)
		goOn()
		first.ready()
	})
}

// A tool has set offsets of a shard that never committed: the command makes them those of a first start.
func TestRestoredOffsetsOfAnUntouchedShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var offsets kadm.Offsets
		for p := range int32(testPartitions) {
			offsets.Add(kadm.Offset{Topic: "purchases", Partition: p, At: 0, LeaderEpoch: -1})
		}
		if err := w.admin().CommitAllOffsets(t.Context(), "leadline-engine", offsets); err != nil {
			t.Fatal(err)
		}
		w.engine("a").refused("purchases", "restore the group's offsets")
		afterSessionTimeout()
		if restored, err := RestoreOffsets(t.Context(), Config{Kafka: w.kafka()}, w.dec, zap.NewNop()); err != nil || len(restored) != 0 {
			t.Fatalf("restored %v, %v", restored, err)
		}
		e := w.engine("a")
		e.ready()
		w.buy("cj-1", "e-1", "coffee", time.Now())
		w.eventually("all is read", w.allRead)
	})
}

func TestRestoredOffsetsLetTheEngineGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worked(t)
		said := w.said()
		afterSessionTimeout()
		if _, err := w.admin().DeleteGroups(t.Context(), "leadline-engine"); err != nil {
			t.Fatal(err)
		}
		restored, err := RestoreOffsets(t.Context(), Config{Kafka: w.kafka()}, w.dec, zap.NewNop())
		if err != nil || len(restored) != testPartitions {
			t.Fatalf("restored %v, %v", restored, err)
		}
		e := w.engine("a")
		e.ready()
		w.eventually("all is read", w.allRead)
		w.buy("cj-new", "e-new", "coffee", time.Now())
		w.eventually("the new one is read", w.allRead)
		e.stop()
		if now := w.said(); len(now) != len(said)+1 {
			t.Errorf("%d alerts after the restart, %d before", len(now), len(said))
		}
	})
}

// A state that a later release has written is not touched: going back to this release is refused, and not tried again for ever.
func TestRefusesTheStateOfALaterRelease(t *testing.T) {
	blob := engine.EncodeCustomer(nil, &engine.Customer{OwnerID: "rep"})
	blob[0] = 99
	b := stateBatch{changes: []engine.Change{{CustomerID: "cj-1", Blob: blob}}}
	if err := b.arm(); !promise.IsBroken(err) || !strings.Contains(err.Error(), "customer cj-1: blob of version 99") {
		t.Errorf("%v", err)
	}
}
