package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// alter gives all topics of the shards more partitions, as topics.Admin.Grow does.
func (w *world) alter(ctx context.Context, cl *kgo.Client, n int32) error {
	for _, t := range append(shardTopics(), rehomedTopic) {
		details, err := kadm.NewClient(cl).ListTopics(ctx, w.prefix+t)
		if err != nil {
			return err
		}
		if len(details[w.prefix+t].Partitions) == int(n) {
			continue
		}
		done, err := kadm.NewClient(cl).UpdatePartitions(ctx, int(n), w.prefix+t)
		if err == nil {
			err = done.Error()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// grow makes the shards more, over a line that may be cut.
func (w *world) grow(n int32, line *cuttable) (Growth, error) {
	w.t.Helper()
	kafka := append(w.kafka(), kgo.Dialer(line.DialContext), kgo.RetryTimeout(5*time.Second))
	cl := w.open(kgo.Dialer(line.DialContext), kgo.RetryTimeout(5*time.Second))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return Grow(ctx, Config{Kafka: kafka, Prefix: w.prefix}, n, false, GrowDeps{Decoder: w.dec, Encoder: w.enc, Log: zap.NewNop(),
		Alter: func(ctx context.Context, n int32) error { return w.alter(ctx, cl, n) }})
}

// mustGrow stops the engine, grows, and starts another.
func (w *world) mustGrow(e *running, n int32) *running {
	w.t.Helper()
	w.eventually("everything is read", w.allRead)
	e.stop()
	afterSessionTimeout()
	done, err := w.grow(n, &cuttable{dial: w.dial})
	if err != nil {
		w.t.Fatal(err)
	}
	if done.From != w.n || done.To != n || done.Before || done.Unread != 0 {
		w.t.Errorf("%+v", done)
	}
	w.grown(n)
	return w.engine("a", data)
}

// grown tells the producers.
func (w *world) grown(n int32) {
	w.n = n
	w.client.Close()
	w.client = w.open(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	w.t.Cleanup(w.client.Close)
}

// kept is all that leadline.state says of customers; it fails if one is kept twice or by a shard that is not the customer's.
func (w *world) kept() map[string][]byte {
	w.t.Helper()
	last := map[int32]map[string][]byte{}
	for _, rec := range w.all(stateTopic) {
		if last[rec.Partition] == nil {
			last[rec.Partition] = map[string][]byte{}
		}
		last[rec.Partition][string(rec.Key)] = rec.Value
	}
	kept := map[string][]byte{}
	for p, customers := range last {
		for id, blob := range customers {
			if id[0] == 0 || blob == nil {
				continue
			}
			if want := wire.Partition([]byte(id), w.n); p != want || kept[id] != nil {
				w.t.Errorf("customer %s is kept by shard %d, belongs to %d", id, p, want)
			}
			kept[id] = blob
		}
	}
	return kept
}

// seededWith is a world that had so many shards from the start.
func seededWith(t *testing.T, n int32) *world {
	return newWorldOf(t, n)
}

// Shards that grew in the middle say what as many shards would have said from the start.
func TestGrownShardsSayTheSame(t *testing.T) {
	for _, n := range []int32{4, 5, 6} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var want, got []string
			var profiles int
			synctest.Test(t, func(t *testing.T) { want = seededWith(t, n).play(waiting(time.Second)) })
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				got = w.play(func(w *world, e *running, part int, send func()) *running {
					if part == 4 {
						e = w.mustGrow(e, n)
					}
					send()
					return e
				})
				profiles = len(w.kept())
				w.tiles()
			})
			if diff := cmp.Diff(want, got); diff != "" || len(got) < 100 || profiles != 25 {
				t.Errorf("%d alerts, %d customers; (-from the start +grown):\n%s", len(got), profiles, diff)
			}
		})
	}
}

// tiles proves that every shard's commits follow each other in journal and tallies, and that the journal covers the inputs.
func (w *world) tiles() {
	w.t.Helper()
	csn, next := map[int32]int64{}, map[string]int64{}
	for _, j := range w.journal() {
		if j.CSN != csn[j.Partition]+1 {
			w.t.Errorf("after commit %d of shard %d comes %d", csn[j.Partition], j.Partition, j.CSN)
		}
		csn[j.Partition] = j.CSN
		for _, run := range j.Runs {
			at := fmt.Sprint(run.Topic, "-", j.Partition)
			if run.From != next[at] {
				w.t.Errorf("commit %d reads %s from %d, read was up to %d", j.CSN, at, run.From, next[at])
			}
			next[at] = run.To
		}
	}
	counted := map[int32]int64{}
	for _, rec := range w.all(talliesTopic + string(sales.TallyPairs)) {
		var tally sales.Tally
		if err := w.dec.Tally(context.Background(), rec.Value, &tally); err != nil {
			w.t.Fatal(err)
		}
		if tally.CSN != counted[tally.Partition] && tally.CSN != counted[tally.Partition]+1 {
			w.t.Errorf("after the tallies of commit %d of shard %d come those of %d", counted[tally.Partition], tally.Partition, tally.CSN)
		}
		counted[tally.Partition] = tally.CSN
	}
	if !maps.Equal(csn, counted) || len(csn) != int(w.n) {
		w.t.Errorf("the journal ends at commits %v, the tallies at %v", csn, counted)
	}
}

// Killed at any of its requests, a growth has moved nobody or everybody; no engine works on the ruins, and doing it again completes it.
func TestGrowthIsKilledAtAnyPoint(t *testing.T) {
	var want []string
	synctest.Test(t, func(t *testing.T) { want = seededWith(t, 5).play(waiting(time.Second)) })
	keys := []kmsg.Key{kmsg.InitProducerID, kmsg.CreatePartitions, kmsg.Produce, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn}
	killed := 0
	for kill, ended := 0, false; !ended; kill++ {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			got := w.play(func(w *world, e *running, part int, send func()) *running {
				if part == 4 {
					w.eventually("everything is read", w.allRead)
					e.stop()
					afterSessionTimeout()
					before := w.kept()
					line, n, produced := &cuttable{dial: w.dial}, 0, 0
					fault := w.cluster.Fault(kfake.Fault{Keys: keys, Observe: true, Count: -1, When: func(req kmsg.Request) bool {
						if req.Key() == int16(kmsg.Produce) {
							if produced++; produced%6 != 1 {
								return true // they are many, and alike
							}
						}
						if n == kill {
							line.cut()
						}
						n++
						return true
					}})
					_, err := w.grow(5, line)
					ended = err == nil
					fault.Remove()
					if ended {
						w.grown(5)
					} else {
						killed++
						w.grownAgain(before)
					}
					e = w.engine("a", data)
				}
				send()
				return e
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("killed at request %d: (-from the start +grown):\n%s", kill, diff)
			}
			w.kept()
			w.tiles()
		})
	}
	if t.Logf("killed at %d requests", killed); killed < 20 {
		t.Error("that is too few")
	}
}

// grownAgain looks at what a killed growth left, and completes it.
func (w *world) grownAgain(before map[string][]byte) {
	w.t.Helper()
	again, err := w.grow(5, &cuttable{dial: w.dial})
	if err != nil {
		w.t.Fatal(err)
	}
	if !again.Before && again.Moved == 0 {
		w.t.Errorf("the second time: %+v", again)
	}
	w.grown(5)
	if after := w.kept(); !slices.Equal(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))) {
		w.t.Errorf("%d customers were kept, now %d", len(before), len(after))
	}
	third, err := w.grow(5, &cuttable{dial: w.dial})
	if err != nil || !third.Before || third.Customers != int64(len(before)) {
		w.t.Errorf("a third time: %+v, %v", third, err)
	}
}

func TestGrowRefuses(t *testing.T) {
	cases := map[string]struct {
		prepare func(w *world)
		to      int32
		words   []string
	}{
		"fewer":                {func(*world) {}, 2, []string{"Kafka cannot make them fewer"}},
		"while an engine runs": {func(w *world) { w.engine("b").ready() }, 5, []string{"has 1 engines", "stop all"}},
		"what was not read":    {func(w *world) { w.buy("late", "late", "coffee", time.Now()) }, 5, []string{"purchases", "pause the producers"}},
		"a state of which nobody knows how many shards it had": {func(w *world) {
			rec := sales.ShardRecord{Partition: 0, CSN: 99}
			value, err := w.enc.AppendShardRecord(nil, &rec)
			if err != nil {
				w.t.Fatal(err)
			}
			w.sendTo(&kgo.Record{Topic: stateTopic, Key: []byte(sales.ShardRecordKey), Value: value})
		}, 5, []string{"did not say how many shards"}},
		"offsets that a tool has set": {func(w *world) {
			var offsets kadm.Offsets
			offsets.Add(kadm.Offset{Topic: "purchases", Partition: 0, At: 0, LeaderEpoch: -1, Metadata: "csn:1"})
			if err := w.admin().CommitAllOffsets(w.t.Context(), "leadline-engine", offsets); err != nil {
				w.t.Fatal(err)
			}
		}, 5, []string{"purchases-0 is 0, its shard record says"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := worked(t)
				afterSessionTimeout()
				c.prepare(w)
				before := len(w.all(stateTopic))
				_, err := w.grow(c.to, &cuttable{dial: w.dial})
				for _, word := range c.words {
					if err == nil || !strings.Contains(err.Error(), word) {
						t.Errorf("%v, want %q", err, word)
					}
				}
				details, lookErr := w.admin().ListTopics(t.Context(), "purchases", stateTopic)
				if lookErr != nil || len(details["purchases"].Partitions) != testPartitions || len(w.all(stateTopic)) != before {
					t.Errorf("something was changed: %v %v", details, lookErr)
				}
			})
		})
	}
}

// Topics that somebody altered by Kafka's own tool: no engine works with customers of whom it knows nothing, and grow mends it.
func TestAlteredByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worked(t)
		if err := w.alter(t.Context(), w.client, 4); err != nil {
			t.Fatal(err)
		}
		w.engine("b").refused("4 partitions", "kept by 3 shards", "leadline topics grow --partitions 4")
		afterSessionTimeout()
		customers := len(w.kept())
		if _, err := w.grow(4, &cuttable{dial: w.dial}); err != nil {
			t.Fatal(err)
		}
		w.grown(4)
		if n := len(w.kept()); n != customers {
			t.Errorf("%d customers, were %d", n, customers)
		}
		e := w.engine("a")
		e.ready()
		e.stop()
	})
}

// A running engine stops when its topics grow under it.
func TestRunningEngineStopsWhenTopicsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worked(t)
		e := w.engine("a", func(c *Config) { c.Kafka = append(c.Kafka, kgo.MetadataMaxAge(5*time.Second)) })
		e.ready()
		if err := w.alter(t.Context(), w.client, 4); err != nil {
			t.Fatal(err)
		}
		e.refused("grown beyond the 3 partitions", "leadline topics grow")
	})
}

// What was sent by the old count after the check is not lost: it is a dead letter, or was right anyway.
func TestSentByTheOldCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worked(t)
		afterSessionTimeout()
		line := &cuttable{dial: w.dial}
		cl := w.open()
		defer cl.Close()
		done, err := Grow(t.Context(), Config{Kafka: append(w.kafka(), kgo.Dialer(line.DialContext))}, 4, false, GrowDeps{Decoder: w.dec, Encoder: w.enc, Log: zap.NewNop(),
			Alter: func(ctx context.Context, n int32) error {
				for i := range 9 {
					w.buy(customer(i), "meanwhile-"+customer(i), "tea", time.Now())
				}
				return w.alter(ctx, cl, n)
			}})
		if err != nil || done.Unread != 9 {
			t.Fatalf("%+v, %v", done, err)
		}
		w.grown(4)
		e := w.engine("a")
		e.ready()
		w.eventually("all is read", w.allRead)
		e.stop()
		misrouted := 0
		for i := range 9 {
			if id := []byte(customer(i)); wire.Partition(id, 3) != wire.Partition(id, 4) {
				misrouted++
			}
		}
		dead := w.all(deadLettersTopic)
		for _, rec := range dead {
			if headerOf(rec, "leadline-class") != string(sales.DeadMisrouted) {
				t.Errorf("%s: %s", rec.Key, headerOf(rec, "leadline-reason"))
			}
		}
		if len(dead) != misrouted || misrouted == 0 {
			t.Errorf("%d dead letters, want %d", len(dead), misrouted)
		}
	})
}

// A profile goes with its customer: what erases the customer later erases all that is there of the profile.
func TestProfilesMoveToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.engine("a", data)
		e.ready()
		for i := range 12 {
			w.send(w.record(&sales.Customer{CustomerID: customer(i), OwnerID: "rep", UpdatedAt: millis(time.Now())}, customer(i)))
		}
		e = w.mustGrow(e, 5)
		e.ready()
		for i := range 12 {
			w.send(&kgo.Record{Topic: "customers", Key: []byte(customer(i))})
		}
		w.eventually("all is read", w.allRead)
		e.stop()
		if n := len(w.all(deadLettersTopic)); n > 0 {
			t.Errorf("%d dead letters", n)
		}
		if kept := w.kept(); len(kept) > 0 {
			t.Errorf("kept after all were erased: %v", kept)
		}
		type place struct {
			p   int32
			key string
		}
		last := map[place]*kgo.Record{}
		for _, rec := range w.all("customers") {
			last[place{rec.Partition, string(rec.Key)}] = rec
		}
		for at, rec := range last {
			if rec.Value != nil {
				t.Errorf("the profile of %s stays in partition %d for good", at.key, at.p)
			}
		}
	})
}
