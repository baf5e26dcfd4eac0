package replay

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/stream"
	"leadline/internal/topics"
)

// grow makes the shards more while no engine runs.
func (w *world) grow(n int32) stream.Growth {
	w.t.Helper()
	time.Sleep(time.Minute) // the group forgets its members
	admin := topics.New(w.Client, nil, topics.Options{Prefix: prefix, Partitions: w.shards})
	done, err := stream.Grow(w.t.Context(), stream.Config{Kafka: w.Kafka, Prefix: prefix}, n, false,
		stream.GrowDeps{Decoder: w.Decoder, Encoder: w.Encoder, Alter: admin.Grow, Log: zap.NewNop()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.shards = n
	w.Open()
	return done
}

// sequel is what some of the same customers do after their past.
func (w *world) sequel(name string, from time.Time) {
	w.t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	w.During(engine.Data, func() {
		for i := range 80 {
			who := fmt.Sprintf("cj-%d", rng.IntN(25))
			w.send(w.record(purchase(who, fmt.Sprint(name, i), fmt.Sprintf("cat-%d", rng.IntN(14)), from.Add(time.Duration(i)*time.Hour)), who))
		}
		w.send(w.record(&sales.Customer{CustomerID: "cj-3", OwnerID: "rep-2", UpdatedAt: millis(from)}, "cj-3"),
			&kgo.Record{Topic: prefix + "customers", Key: []byte("cj-9")})
		w.Write(&kgo.Record{Topic: prefix + "purchases", Partition: w.shards - 1, Key: []byte("cj-1"), Value: []byte("hello")})
	})
}

// A history in which the shards grew twice is one history: nothing differs before, between and after.
func TestVerifyGoesOnAcrossGrowths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		first := w.grow(5)
		snapshot := filepath.Join(t.TempDir(), "grown")
		report, err := Verify(t.Context(), w.options(), Check{SnapshotTo: snapshot})
		if err != nil {
			t.Fatal(err)
		}
		assertVerified(t, "nobody has worked since", report)
		w.sequel("second", newYear.AddDate(0, 0, -2))
		assertVerified(t, "from a snapshot of the growth", w.verify(func(o *Options) { o.Snapshot = snapshot }))
		divided, err := Verify(t.Context(), w.options(), Check{Shards: 10})
		if err != nil || divided.Verified || divided.Differences != 0 || !strings.Contains(divided.Shards[0].Stopped, "cannot be divided") {
			t.Errorf("divided otherwise: %v\n%s", err, text(divided))
		}
		between := time.Now()
		second := w.grow(6)
		w.Rules.ExpiryDays = 9
		w.sequel("third", newYear.AddDate(0, 0, 2))
		report = w.verify()
		assertVerified(t, "after all", report)
		came := map[int32]int64{}
		for _, s := range report.Shards {
			for _, g := range s.Grown {
				came[g.To] += g.Arrived
			}
		}
		if first.Moved == 0 || second.Moved == 0 || came[5] != first.Moved || came[6] != second.Moved {
			t.Errorf("%+v, then %+v; the replay saw %v come", first, second, came)
		}
		if !strings.Contains(text(report), "3 shards became 5; ") || !strings.Contains(text(report), "5 shards became 6; ") {
			t.Errorf("the report does not tell of the growths:\n%s", text(report))
		}
		assertVerified(t, "before the second", w.verify(func(o *Options) { o.Until = between }))
		assertVerified(t, "a new shard alone", w.verify(func(o *Options) { o.Partitions = []int32{5} }))
	})
}

func assertVerified(t *testing.T, when string, r *Report) {
	t.Helper()
	if !r.Verified || r.Differences != 0 {
		t.Errorf("%s:\n%s", when, text(r))
	}
}

// Where what came is not kept any more, the replay says so instead of taking customers for new ones.
func TestVerifySaysThatArrivalsAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		w.grow(5)
		w.sequel("second", newYear)
		for p, before := range map[int32]int64{3: 2, 4: -1} { // some of it, and all
			w.forget("leadline.rehomed", p, before)
		}
		report := w.verify()
		for _, p := range []int{3, 4} {
			if stopped := report.Shards[p].Stopped; !strings.Contains(stopped, "does not hold them any more") {
				t.Errorf("shard %d stopped: %q", p, stopped)
			}
		}
		if report.Verified || report.Differences != 0 {
			t.Errorf("%s", text(report))
		}
	})
}

// A run that was killed at any commit of a growth goes on, and what cannot go across one says why.
func TestResumeAndOthersAcrossAGrowth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		w.grow(5)
		w.sequel("second", newYear)
		whole := w.verify()
		assertVerified(t, "in one go", whole)
		var commits int64
		for _, s := range whole.Shards {
			commits += s.Commits
		}
		for at := commits / 2; at < commits; at += max(1, commits/8) {
			again := w.verify(func(o *Options) { o.StateDir = w.killedAfter(at) })
			if result(again) != result(whole) {
				t.Errorf("killed after %d of %d commits:\n%s", at, commits, text(again))
			}
		}
		w.createAlertTopics(shadowPrefix, w.shards)
		if r, err := w.backfill(t.Context()); err != nil || !r.Whole || r.Written == 0 {
			t.Errorf("backfill: %v, %+v", err, r)
		}
		live, _ := w.saidOn(prefix)
		w.complete(live)
		r := w.whatIf(rulesBut(func(r *engine.Rules) { r.CooldownDays = 60 }))
		if r.Whole || !r.Reconciles || !strings.Contains(trialText(r), "or under other rules") {
			t.Errorf("what-if: %s", trialText(r))
		}
	})
}
