package stream

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leadline/internal/engine"
	"leadline/internal/state"
)

// history is two months of what 25 customers bought, always the same, in eight parts.
func (w *world) history() [8][]*kgo.Record {
	var parts [8][]*kgo.Record
	rng := rand.New(rand.NewPCG(1, 2))
	const perPart = 50
	from := time.Date(1999, 10, 1, 9, 0, 0, 0, time.UTC)
	for i := range len(parts) * perPart {
		at := from.Add(time.Duration(i) * 3 * time.Hour)
		who := customer(rng.IntN(25))
		rec := w.record(purchase(who, fmt.Sprintf("e-%d", i), fmt.Sprintf("cat-%d", rng.IntN(12)), at), who)
		parts[i/perPart] = append(parts[i/perPart], rec)
	}
	return parts
}

// fault sends one part of the history and does something about it. It may replace the engine.
type fault func(w *world, e *running, part int, send func()) *running

func data(c *Config) { c.Clock, c.MaxPoll = engine.Data, 20 }

// play sends the history to an engine while faults happen, and gives what was said. At the end the store must hold what
// leadline.state says.
func play(t *testing.T, happens fault, store ...state.Store) []string {
	t.Helper()
	w := newWorld(t)
	for _, s := range store {
		w.store = s
	}
	return w.play(happens)
}

func (w *world) play(happens fault) []string {
	w.t.Helper()
	for i := range 12 {
		w.link(fmt.Sprintf("cat-%d", i), fmt.Sprintf("cat-%d", (i+5)%12))
		w.link(fmt.Sprintf("cat-%d", i), fmt.Sprintf("cat-%d", (i+7)%12))
	}
	e := w.engine("a", data)
	e.ready()
	for part, records := range w.history() {
		e = happens(w, e, part, func() { w.send(records...) })
	}
	w.eventually("everything is read", w.allRead)
	time.Sleep(silence)
	w.eventually("everything is projected", func() bool { return e.Ready() == nil && w.projected() })
	e.stop()
	w.sameState()
	return w.said()
}

// silence is how long nothing comes until all shards know it and have taken their time to the end, which may fire timers under either clock.
const silence = 2500 * time.Millisecond

// allRead tells whether the group has committed the ends of all inputs.
func (w *world) allRead() bool {
	ctx, adm := context.Background(), kadm.NewClient(w.client)
	have, err := adm.FetchOffsets(kadm.RequireStable(ctx), w.prefix+"leadline-engine")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, in := range inputs {
		ends, err := adm.ListCommittedOffsets(ctx, w.prefix+in.Topic)
		if err != nil {
			w.t.Fatal(err)
		}
		for p := range w.n {
			at, _ := have.Lookup(w.prefix+in.Topic, p)
			if end, _ := ends.Lookup(w.prefix+in.Topic, p); at.At != end.Offset {
				return false
			}
		}
	}
	return true
}

// projected tells whether the store is where the shard records are.
func (w *world) projected() bool {
	last := map[int32]int64{}
	for _, rec := range w.all(stateTopic) {
		if isShardRecord(rec) {
			last[rec.Partition] = rec.Offset + 1
		}
	}
	for p, next := range last {
		if m, _, err := w.store.Meta(context.Background(), p); err != nil || m.StateOffset != next {
			return false
		}
	}
	return true
}

// sameState holds the store against leadline.state, whose last record of each key counts.
func (w *world) sameState() {
	w.t.Helper()
	want := map[int32]map[string][]byte{}
	for _, rec := range w.all(stateTopic) {
		if want[rec.Partition] == nil {
			want[rec.Partition] = map[string][]byte{}
		}
		if rec.Key[0] != 0 {
			want[rec.Partition][string(rec.Key)] = rec.Value
		}
	}
	for p, customers := range want {
		ids := slices.Sorted(maps.Keys(customers))
		_, blobs, err := w.store.Load(context.Background(), p, ids)
		if err != nil {
			w.t.Fatal(err)
		}
		for i, id := range ids {
			if !bytes.Equal(blobs[i], customers[id]) {
				w.t.Errorf("customer %s: the store has %x, leadline.state %x", id, blobs[i], customers[id])
			}
		}
	}
}

func TestWhateverHappensTheAlertsAreTheSame(t *testing.T) {
	var undisturbed []string
	synctest.Test(t, func(t *testing.T) { undisturbed = play(t, waiting(time.Second)) })
	if len(undisturbed) < 100 {
		t.Fatalf("only %d alerts in the undisturbed run", len(undisturbed))
	}
	faults := map[string]fault{
		"all at once": waiting(0),
		"stopped and started": func(w *world, e *running, _ int, send func()) *running {
			send()
			time.Sleep(70 * time.Millisecond)
			e.stop()
			return w.engine("a", data)
		},
		"killed and started": func(w *world, e *running, part int, send func()) *running {
			send()
			time.Sleep(time.Duration(part*17) * time.Millisecond)
			e.kill()
			return w.engine("a", data)
		},
		"killed and replaced by another": func(w *world, e *running, part int, send func()) *running {
			send()
			time.Sleep(time.Duration(part*17) * time.Millisecond)
			if part%3 != 2 {
				return e
			}
			e.ready() // kfake never gives up a member that dies while it joins
			e.kill()
			return w.engine(fmt.Sprint("b", part), data)
		},
		"killed at the end of a transaction": func(w *world, e *running, _ int, send func()) *running {
			dead := w.atEnd(e.line.cut)
			send()
			w.eventually("it was killed", func() bool { return dead.Hits() > 0 })
			e.kill()
			return w.engine("a", data)
		},
		"cut off at the end of a transaction": func(w *world, e *running, _ int, send func()) *running {
			w.atEnd(e.line.blip)
			send()
			return e
		},
		"broker away": func(_ *world, e *running, part int, send func()) *running {
			send()
			time.Sleep(time.Duration(part*17) * time.Millisecond)
			e.line.cut()
			time.Sleep(time.Duration(part) * 7 * time.Second)
			e.line.mend()
			return e
		},
		"joined by another": func(w *world, e *running, part int, send func()) *running {
			if part == 2 {
				w.engine("b", data)
			}
			send()
			time.Sleep(30 * time.Millisecond)
			return e
		},
		"store emptied": func(w *world, e *running, _ int, send func()) *running {
			send()
			time.Sleep(60 * time.Millisecond)
			w.store.(*state.Memory).Flush()
			return e
		},
		"stopped, and store emptied": func(w *world, e *running, _ int, send func()) *running {
			send()
			time.Sleep(60 * time.Millisecond)
			e.stop()
			w.store.(*state.Memory).Flush()
			return w.engine("a", data)
		},
		"redelivered": func(_ *world, e *running, _ int, send func()) *running {
			send()
			send()
			return e
		},
		"offsets refused": failing(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.IllegalGeneration}),
		"end refused":     failing(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError}),
		"end unanswered":  failing(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.RequestTimedOut}),
		"fenced":          failing(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced}),
		"produce refused": failing(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: journalTopic, Err: kerr.TransactionAbortable}),
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said := play(t, faults[name])
				if diff := cmp.Diff(undisturbed, said); diff != "" {
					t.Errorf("said differs from the undisturbed run (-undisturbed +now):\n%s", diff)
				}
			})
		})
	}
}

// On Redis the same holds. The server is outside the bubble, as its reading would hold up the virtual time.
func TestOnRedisToo(t *testing.T) {
	server := miniredis.RunT(t)
	var undisturbed, disturbed []string
	synctest.Test(t, func(t *testing.T) { undisturbed = play(t, waiting(time.Second)) })
	synctest.Test(t, func(t *testing.T) {
		client := state.Dial(state.Options{Addrs: []string{server.Addr()}})
		defer client.Close()
		disturbed = play(t, func(w *world, e *running, part int, send func()) *running {
			send()
			time.Sleep(70 * time.Millisecond)
			if part%2 == 0 {
				server.FlushAll()
			}
			if part%3 == 0 {
				e.kill()
				return w.engine("a", data)
			}
			return e
		}, state.NewRedis(client, ""))
	})
	if diff := cmp.Diff(undisturbed, disturbed); diff != "" {
		t.Errorf("said differs (-undisturbed +on Redis):\n%s", diff)
	}
}

func waiting(d time.Duration) fault {
	return func(_ *world, e *running, _ int, send func()) *running {
		send()
		time.Sleep(d)
		return e
	}
}

// failing makes one request fail in each part.
func failing(f kfake.Fault) fault {
	return func(w *world, e *running, _ int, send func()) *running {
		h := w.cluster.Fault(f)
		send()
		w.eventually("the fault has hit", func() bool { return h.Hits() > 0 })
		return e
	}
}

// atEnd does something at the moment when the broker has the request to end a transaction and has not yet answered.
func (w *world) atEnd(do func()) *kfake.FaultHandle {
	return w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Observe: true, Count: 1, When: func(kmsg.Request) bool {
		do()
		return true
	}})
}
