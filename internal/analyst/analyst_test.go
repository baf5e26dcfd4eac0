package analyst

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leadline/internal/affinity"
	"leadline/internal/promise"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

func TestKnowledgeIsTheSumOfAllTallies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		m := w.start()
		w.work(firstDay, 20)
		time.Sleep(5 * time.Second)
		if err := m.Ready(); err != nil {
			t.Errorf("is not ready: %v", err)
		}
		w.check()
		if err := m.stop(); err != nil {
			t.Errorf("stopped with %v", err)
		}
	})
}

func TestRestartGoesOnWhereItStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		for day := range sales.Day(12) {
			m := w.start()
			w.work(firstDay+day, 1)
			time.Sleep(300 * time.Millisecond) // less than it waits before publishing: the stop must
			if err := m.stop(); err != nil {
				t.Fatal(err)
			}
		}
		w.check()
	})
}

// The sums of pairs are kept at a slower pace than links are published: here once, and not again before the kill. What was tallied since is read
// again.
func TestKilledLongAfterPairsWereKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { killAt(t, kmsg.EndTxn.Int16(), 7, true, time.Hour) })
}

// A release before tallied links: their rows are taken away, and the analyst goes on.
func TestRowsOfAnEarlierReleaseAreTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		for _, row := range []wire.KnowledgeRow{{Kind: "links", Row: "bread", Cells: []sales.Cell{{Col: "butter", N: 5}}},
			{Kind: progressKind, Row: "links", Cells: []sales.Cell{{Col: nextCol, N: 77}}}} {
			value, err := w.encoder.AppendKnowledgeRow(nil, &row)
			if err != nil {
				t.Fatal(err)
			}
			w.engineSends(&kgo.Record{Topic: w.topics.state, Key: []byte(string(row.Kind) + "|" + row.Row), Value: value})
		}
		m := w.start()
		w.work(firstDay, 20)
		time.Sleep(5 * time.Second)
		w.check()
		if err := m.stop(); err != nil {
			t.Errorf("stopped with %v", err)
		}
	})
}

// txnOf is the transactional id of those requests that have one.
func txnOf(req kmsg.Request) string {
	switch r := req.(type) {
	case *kmsg.InitProducerIDRequest:
		if r.TransactionalID != nil {
			return *r.TransactionalID
		}
	case *kmsg.ProduceRequest:
		if r.TransactionID != nil {
			return *r.TransactionID
		}
	case *kmsg.AddPartitionsToTxnRequest:
		return r.TransactionalID
	case *kmsg.AddOffsetsToTxnRequest:
		return r.TransactionalID
	case *kmsg.TxnOffsetCommitRequest:
		return r.TransactionalID
	case *kmsg.EndTxnRequest:
		return r.TransactionalID
	}
	return ""
}

// Kill -9 at every step of a transaction, before and after the broker has done it, while the shards go on working.
func TestKilledAnywhereCountsOnce(t *testing.T) {
	steps := map[string]kmsg.Key{"producer id": kmsg.InitProducerID, "produce": kmsg.Produce, "offsets": kmsg.TxnOffsetCommit, "end": kmsg.EndTxn}
	for name, key := range steps {
		for nth := int64(1); nth <= 7; nth += 3 {
			for _, done := range []bool{false, true} {
				if key == kmsg.InitProducerID && nth > 1 {
					continue
				}
				t.Run(fmt.Sprintf("%s %d done=%v", name, nth, done), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { killAt(t, key.Int16(), nth, done, 1) })
				})
			}
		}
	}
}

var errKilled = errors.New("killed")

func killAt(t *testing.T, key int16, nth int64, done bool, keep time.Duration) {
	w := newWorld(t)
	defer w.close()
	var seen atomic.Int64
	killed := make(chan *member, 1)
	w.cluster.ControlKey(key, func(req kmsg.Request) (kmsg.Response, error, bool) { // before it starts, as its first request may come at once
		w.cluster.KeepControl()
		if txnOf(req) != "x.leadline-analyst" {
			return nil, nil, false
		}
		if seen.Add(1) != nth {
			return nil, nil, false
		}
		(<-killed).line.cut()
		return nil, errKilled, !done
	})
	w.keep = keep
	first := w.start()
	killed <- first
	w.keep = 1
	w.work(firstDay, 8)
	if n := seen.Load(); n < nth {
		t.Fatalf("only %d such requests came: nothing was killed", n)
	}
	second := w.start()
	w.work(firstDay+8, 8)
	time.Sleep(time.Minute)
	w.check()

	// The dead one was only asleep. It must do no harm when it wakes, nor when it takes over.
	first.line.mend()
	w.work(firstDay+16, 8)
	time.Sleep(time.Minute + 2*keep) // the first may have taken over
	w.check()
	if err := second.stop(); err != nil {
		t.Errorf("the second stopped with %v", err)
	}
	w.work(firstDay+24, 2)
	time.Sleep(time.Minute)
	if err := first.stop(); err != nil {
		t.Errorf("the first stopped with %v", err)
	}
	w.check()
}

// A broker that refuses a step of the transaction: the same analyst begins anew from what is committed.
func TestRefusedCommitIsDoneOver(t *testing.T) {
	for name, c := range map[string]struct {
		key    kmsg.Key
		refuse func(req kmsg.Request) kmsg.Response
	}{
		"offsets of an old generation": {kmsg.TxnOffsetCommit, refuseOffsets(kerr.IllegalGeneration)},
		"offsets of an unknown member": {kmsg.TxnOffsetCommit, refuseOffsets(kerr.UnknownMemberID)},
		"offsets of a fenced producer": {kmsg.TxnOffsetCommit, refuseOffsets(kerr.InvalidProducerEpoch)},
		"end of a fenced producer":     {kmsg.EndTxn, refuseEnd(kerr.ProducerFenced)},
		"end with an unknown error":    {kmsg.EndTxn, refuseEnd(kerr.UnknownServerError)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.close()
				m := w.start()
				var seen atomic.Int64
				w.cluster.ControlKey(c.key.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
					w.cluster.KeepControl()
					if txnOf(req) != "x.leadline-analyst" {
						return nil, nil, false
					}
					if seen.Add(1)%3 != 0 {
						return nil, nil, false
					}
					return c.refuse(req), nil, true
				})
				w.work(firstDay, 12)
				time.Sleep(time.Minute)
				w.check()
				if n := seen.Load(); n < 3 {
					t.Errorf("only %d such requests came: nothing was refused", n)
				}
				if err := m.stop(); err != nil {
					t.Errorf("stopped with %v", err)
				}
			})
		})
	}
}

func refuseOffsets(why *kerr.Error) func(kmsg.Request) kmsg.Response {
	return func(req kmsg.Request) kmsg.Response {
		r := req.(*kmsg.TxnOffsetCommitRequest)
		resp := r.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, t := range r.Topics {
			topic := kmsg.TxnOffsetCommitResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				topic.Partitions = append(topic.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: why.Code})
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp
	}
}

func refuseEnd(why *kerr.Error) func(kmsg.Request) kmsg.Response {
	return func(req kmsg.Request) kmsg.Response {
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = why.Code
		return resp
	}
}

func TestOneWorksTheOtherWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		members := []*member{w.start(), w.start(), w.start()}
		w.work(firstDay, 10)
		for len(members) > 0 {
			for _, m := range members {
				if err := m.Ready(); err != nil {
					t.Errorf("of %d one is not ready: %v", len(members), err)
				}
			}
			if err := members[0].stop(); err != nil {
				t.Error(err)
			}
			members = members[1:]
			if len(members) > 0 {
				w.work(firstDay+20-sales.Day(5*len(members)), 5)
				time.Sleep(time.Minute)
				w.check()
			}
		}
	})
}

func TestTakesBackWhatNoLongerHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		m := w.start()
		w.work(firstDay, 20)
		before := w.kept(w.topics.links)
		if before["cross-sell|category|bread|butter"] == nil {
			t.Fatalf("bread -> butter was not said: %v", slices.Sorted(maps.Keys(before)))
		}
		var gone []sales.Cell
		for customer := range w.bought { // it turns out that nobody ever bought butter
			w.bought[customer] = slices.DeleteFunc(w.bought[customer], func(b affinity.Bought) bool { return b.Item == "butter" })
			gone = append(gone, w.buy(customer, firstDay+20)...)
		}
		for i := range 40 { // and whoever buys honey buys salt
			customer := fmt.Sprint("new", i)
			w.buy(customer, firstDay, "thing0")
			w.buy(customer, firstDay+1, []string{"honey", "thing1"}[i%2])
			gone = append(gone, w.told[customer]...)
			gone = append(gone, w.buy(customer, firstDay+19, []string{"salt", "thing2"}[i%2])...)
		}
		w.commit(0, firstDay+20, map[sales.TallyKind][]sales.Cell{sales.TallyPairs: tallied(gone)})
		time.Sleep(5 * time.Second)
		links := w.kept(w.topics.links)
		if value, said := links["cross-sell|category|bread|butter"]; !said || value != nil {
			t.Errorf("bread -> butter was said: %v; and stands as %v, want a tombstone", said, value)
		}
		w.checkLinks()
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestBrokenPromisesStopIt(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(w *world)
		says string
	}{
		"a commit is missing": {func(w *world) { w.csn[1]++; w.step(1, firstDay+2) }, "is of commit 4 and follows that of commit 2"},
		"a commit twice":      {func(w *world) { w.csn[1]--; w.step(1, firstDay+2) }, "is of commit 2 and follows that of commit 2"},
		"not a tally": {func(w *world) {
			w.engineSends(&kgo.Record{Topic: w.topics.of(sales.TallyTiers), Value: []byte("hello")})
		}, "not_avro"},
		"another kind's tally": {func(w *world) {
			value, _ := w.encoder.AppendTally(nil, &sales.Tally{Kind: sales.TallyPairs, CSN: 3})
			w.engineSends(&kgo.Record{Topic: w.topics.of(sales.TallyTiers), Value: value})
		}, `holds a tally of "pairs"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.close()
				m := w.start()
				w.work(firstDay, 2)
				c.harm(w)
				time.Sleep(time.Minute)
				err := m.stop()
				var broken *promise.Broken
				if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("stopped with %v, want a broken promise that says %q", err, c.says)
				}
				if m.Ready() == nil {
					t.Error("is ready although it has stopped")
				}
			})
		})
	}
}

func (w *world) engineSends(rec *kgo.Record) {
	w.t.Helper()
	if err := w.engine.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.engine.ProduceSync(w.t.Context(), rec).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.engine.EndTransaction(w.t.Context(), kgo.TryCommit); err != nil {
		w.t.Fatal(err)
	}
}

func TestWaitsForItsTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "x.product-links")
		defer w.close()
		m := w.start()
		time.Sleep(30 * time.Second)
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "topic x.product-links is missing") {
			t.Errorf("says %v", err)
		}
		if err := m.stop(); err != nil {
			t.Errorf("stopped with %v", err)
		}
	})
}

func TestBrokerAwayForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		m := w.start()
		w.work(firstDay, 5)
		m.line.cut()
		w.work(firstDay+5, 40)
		m.line.mend()
		time.Sleep(3 * time.Minute)
		w.check()
		if err := m.stop(); err != nil {
			t.Errorf("stopped with %v", err)
		}
	})
}

func TestPublishesEachDayOfEventTimeOrEachSecond(t *testing.T) {
	for name, c := range map[string]struct {
		daysPerStep     sales.Day
		atLeast, atMost int64
	}{
		"while time stands still": {0, 5, 7},
		"while days fly by":       {1, 40, 51},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.close()
				m := w.start()
				var counted atomic.Int64
				w.cluster.ControlKey(kmsg.EndTxn.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
					w.cluster.KeepControl()
					if txnOf(req) == "x.leadline-analyst" {
						counted.Add(1)
					}
					return nil, nil, false
				})
				for i := range sales.Day(50) {
					w.step(0, firstDay+i*c.daysPerStep)
					time.Sleep(100 * time.Millisecond)
				}
				if commits := counted.Load(); commits < c.atLeast || commits > c.atMost {
					t.Errorf("%d commits in 5 seconds, want %d to %d", commits, c.atLeast, c.atMost)
				}
				if err := m.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestOnlyWhatMovesIsSaidAgain(t *testing.T) {
	before := sales.Link{Confidence: 0.4, Lift: 2, Score: 0.1, TypicalMinor: 500, PriceRatio: 1.5, FromTier: 1, ToTier: 2, Customers: 900}
	for name, c := range map[string]struct {
		change func(l *sales.Link)
		moved  bool
	}{
		"nothing":            {func(*sales.Link) {}, false},
		"one more customer":  {func(l *sales.Link) { l.Customers++; l.LearnedTo++; l.GSquared += 9 }, false},
		"half a percent":     {func(l *sales.Link) { l.Confidence *= 1.005; l.Lift *= 0.995; l.Score *= 1.005 }, false},
		"confidence":         {func(l *sales.Link) { l.Confidence *= 1.02 }, true},
		"lift":               {func(l *sales.Link) { l.Lift *= 0.98 }, true},
		"score":              {func(l *sales.Link) { l.Score *= 1.02 }, true},
		"what a line brings": {func(l *sales.Link) { l.TypicalMinor = 510 }, true},
		"price":              {func(l *sales.Link) { l.PriceRatio = 1.6 }, true},
		"the chance":         {func(l *sales.Link) { l.Within180.P += 0.01 }, true},
		"how sure it is":     {func(l *sales.Link) { l.Q = 0.004 }, true},
		"tier":               {func(l *sales.Link) { l.ToTier = 3 }, true},
	} {
		after := before
		if c.change(&after); moved(&before, &after) != c.moved {
			t.Errorf("%s: said again %v, want %v", name, !c.moved, c.moved)
		}
	}
}
