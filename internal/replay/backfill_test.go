package replay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

const shadowPrefix = "shadow."

func (w *world) createAlertTopics(prefix string, partitions int32) {
	w.t.Helper()
	var names []string
	for _, t := range alertTopics() {
		names = append(names, prefix+t)
	}
	if _, err := kadm.NewClient(w.Client).CreateTopics(context.Background(), partitions, 1, nil, names...); err != nil {
		w.t.Fatal(err)
	}
}

// saidOn lists what is said on the alert topics of a prefix: by name what, and how often.
func (w *world) saidOn(of string) (what map[string]sales.Alert, times map[string]int) {
	w.t.Helper()
	what, times = map[string]sales.Alert{}, map[string]int{}
	for _, topic := range alertTopics() {
		for _, rec := range w.allOf(of + topic) {
			var a sales.Alert
			if err := w.Decoder.Alert(w.t.Context(), rec.Value, &a); err != nil {
				w.t.Fatal(err)
			}
			what[topic+" "+alertName(&a)] = a
			times[topic+" "+alertName(&a)]++
		}
	}
	return what, times
}

// complete wants every live alert on the shadow topics, once.
func (w *world) complete(live map[string]sales.Alert) {
	w.t.Helper()
	have, times := w.saidOn(shadowPrefix)
	for name, n := range times {
		if n != 1 {
			w.t.Errorf("%s is there %d times", name, n)
		}
	}
	for name, a := range live {
		b, ok := have[name]
		b.RunID = a.RunID
		if !ok || string(plainJSON(a)) != string(plainJSON(b)) {
			w.t.Errorf("%s was said live as %s, there is %s", name, plainJSON(a), plainJSON(b))
		}
	}
	if len(have) != len(live) {
		w.t.Errorf("%d alerts where there were %d live", len(have), len(live))
	}
}

func (w *world) backfill(ctx context.Context, edit ...func(*Options)) (*MendReport, error) {
	o := w.options()
	for _, e := range edit {
		e(&o)
	}
	return Backfill(ctx, o, shadowPrefix)
}

// Written is what is missing, marked, and only once however often it is run.
func TestBackfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		w.createAlertTopics(shadowPrefix, testPartitions)
		live, _ := w.saidOn(prefix)
		missing := 0
		for _, topic := range alertTopics() {
			for i, rec := range w.all(topic) {
				if i%3 == 0 {
					missing++
					continue
				}
				w.Write(&kgo.Record{Topic: shadowPrefix + topic, Partition: rec.Partition, Key: rec.Key, Value: rec.Value})
			}
		}
		r, err := w.backfill(t.Context())
		if err != nil || r.Written != int64(missing) || missing == 0 || !r.Whole || !strings.HasPrefix(r.RunID, "backfill-") {
			t.Fatalf("%v: %d were missing, the report is %+v", err, missing, r)
		}
		w.complete(live)
		marked := 0
		have, _ := w.saidOn(shadowPrefix)
		for _, a := range have {
			if a.RunID == r.RunID {
				marked++
			}
		}
		if marked != missing {
			t.Errorf("%d bear the run's id, %d were missing", marked, missing)
		}
		for _, sum := range r.Topics {
			if sum.Decided != sum.There+sum.Written+sum.Gone {
				t.Errorf("%+v", sum)
			}
		}
		if again, err := w.backfill(t.Context()); err != nil || again.Written != 0 || again.Topics[0].There == 0 {
			t.Errorf("%v, run again: %+v", err, again)
		}
		w.complete(live)
	})
}

// Wherever it is killed, run again it writes the rest: with what it has kept, or without.
func TestBackfillKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		w.createAlertTopics(shadowPrefix, testPartitions)
		live, _ := w.saidOn(prefix)
		running, kept := t.TempDir(), filepath.Join(t.TempDir(), "kept")
		for _, at := range []int64{4, 9, 15} {
			ctx, cancel := context.WithCancel(t.Context())
			r, err := w.backfill(ctx, func(o *Options) {
				o.StateDir, o.saveEach = running, -1
				o.Progress = func(p Progress) {
					if p.Commits == 2 && at == 4 {
						if err := os.CopyFS(kept, os.DirFS(running)); err != nil {
							t.Error(err)
						}
					}
					if p.Commits == at {
						cancel()
					}
				}
			})
			cancel()
			if err == nil {
				break // the rest was less than that
			}
			if !errors.Is(err, context.Canceled) || r == nil || !r.Stopped {
				t.Fatalf("%v, %+v", err, r)
			}
		}
		// A process that was killed with what it had kept long before it wrote more.
		r, err := w.backfill(t.Context(), func(o *Options) { o.StateDir = kept })
		if err != nil || !r.Whole {
			t.Fatalf("%v, %+v", err, r)
		}
		w.complete(live)
	})
}

// Of two at once the later goes on, and nothing is there twice.
func TestTwoBackfillsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		w.createAlertTopics(shadowPrefix, testPartitions)
		live, _ := w.saidOn(prefix)
		var wg sync.WaitGroup
		done := 0
		var mu sync.Mutex
		for i := range 3 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				_, err := w.backfill(context.Background(), func(o *Options) { o.Rate = 200 })
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					done++
				} else if !strings.Contains(err.Error(), "another backfill of this shard has begun") {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if done == 0 {
			t.Error("none came to its end")
		}
		w.complete(live)
	})
}

// A topic that was lost gets its alerts again, and a verification finds that they are what was decided.
func TestBackfillOfALostTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		lost := len(w.all("alerts.cross-sell"))
		adm := kadm.NewClient(w.Client)
		if _, err := adm.DeleteTopics(t.Context(), prefix+"alerts.cross-sell"); err != nil {
			t.Fatal(err)
		}
		if _, err := adm.CreateTopics(t.Context(), testPartitions, 1, nil, prefix+"alerts.cross-sell"); err != nil {
			t.Fatal(err)
		}
		if r := w.verify(); r.Differences != int64(lost) || r.Groups[0].Why != onlyReplayed {
			t.Errorf("%d alerts are lost:\n%s", lost, text(r))
		}
		r, err := Backfill(t.Context(), w.options(), prefix)
		if err != nil || r.Written != int64(lost) {
			t.Fatalf("%v, %+v", err, r)
		}
		again := w.verify()
		verified(t, again)
		for _, topic := range again.Topics {
			if topic.Topic == "alerts.cross-sell" && topic.Mended != int64(lost) {
				t.Errorf("%+v, %d were written again", topic, lost)
			}
		}
	})
}

// What retention has taken is not missing, and alerts go nowhere where their customers are not.
func TestBackfillLeavesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.learn(w.links()...)
		orders := w.orders()
		p, early := int32(1), int64(0)
		w.During(engine.Data, func() {
			w.send(orders[:150]...)
			w.Read()
			time.Sleep(time.Hour) // timers have fired meanwhile, too
			early = w.ends("alerts.cross-sell", p)
			w.send(orders[150:]...)
		})
		w.forget("alerts.cross-sell", p, early)
		r, err := Backfill(t.Context(), w.options(), prefix)
		if err != nil || r.Written != 0 {
			t.Errorf("%v, %+v", err, r)
		}
		gone := int64(0)
		for _, sum := range r.Topics {
			gone += sum.Gone
		}
		if gone == 0 {
			t.Errorf("nothing was taken by retention: %+v", r)
		}
		if _, err := w.backfill(t.Context()); err == nil || !strings.Contains(err.Error(), "topic shadow.alerts.suppressed does not exist") {
			t.Errorf("to nowhere: %v", err)
		}
		w.createAlertTopics(shadowPrefix, 2)
		if _, err := w.backfill(t.Context()); err == nil || !strings.Contains(err.Error(), "has 2 partitions, and there are 3 shards") {
			t.Errorf("to other partitions: %v", err)
		}
	})
}
