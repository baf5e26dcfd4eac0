package replay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/topics"
)

// Only what is asked for is compared and counted.
func TestScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		var chosen *sales.Alert
		own := map[string]int{}
		for _, rec := range w.all("alerts.cross-sell") {
			var a sales.Alert
			if err := w.Decoder.Alert(t.Context(), rec.Value, &a); err != nil {
				t.Fatal(err)
			}
			own[a.CustomerID]++
			if a.CustomerID == "cj-3" && chosen == nil {
				chosen = &a
			}
		}
		// Somebody has said the same alert once more: whoever asks about others does not hear of it.
		for _, rec := range w.all("alerts.cross-sell") {
			var a sales.Alert
			if err := w.Decoder.Alert(t.Context(), rec.Value, &a); err == nil && a.AlertID == chosen.AlertID && a.Revision == 1 {
				w.Write(&kgo.Record{Topic: rec.Topic, Partition: rec.Partition, Key: rec.Key, Value: rec.Value})
			}
		}
		for name, tc := range map[string]struct {
			edit        func(*Options)
			compared    int
			differences int64
		}{
			"customers":       {func(o *Options) { o.Customers = []string{"cj-3", "cj-4"} }, own["cj-3"] + own["cj-4"], 1},
			"other customers": {func(o *Options) { o.Customers = []string{"cj-5"} }, own["cj-5"], 0},
			"alert":           {func(o *Options) { o.Alerts = []string{chosen.AlertID} }, 2, 1},
			"other alert":     {func(o *Options) { o.Alerts = []string{"none"} }, 0, 0},
			"since now":       {func(o *Options) { o.Since = time.Now().Add(time.Hour) }, 0, 0},
		} {
			r := w.verify(tc.edit)
			if r.Differences != tc.differences || compared(r, "alerts.cross-sell") != int64(tc.compared) || (r.Differences == 0) != r.Verified {
				t.Errorf("%s: %d compared, want %d\n%s", name, compared(r, "alerts.cross-sell"), tc.compared, text(r))
			}
			if shards := len(r.Shards); strings.Contains(name, "customers") == (shards == testPartitions) && name != "customers" {
				t.Errorf("%s: %d shards were played", name, shards)
			}
		}
		o := w.options()
		o.Customers, o.Partitions = []string{"cj-3"}, []int32{0, 1, 2}
		o.Partitions = slices.DeleteFunc(o.Partitions, func(p int32) bool { return p == w.shardOf("cj-3") })
		if _, err := Verify(t.Context(), o, Check{}); err == nil || !strings.Contains(err.Error(), "none of these was chosen") {
			t.Errorf("a customer of another shard: %v", err)
		}
	})
}

// A dry run counts, and does nothing.
func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		r := w.verify()
		var commits int64
		for _, s := range r.Shards {
			commits += s.Commits
		}
		said := 0
		for _, topic := range []string{"alerts.cross-sell", "alerts.upsell", "alerts.declining", "alerts.suppressed"} {
			said += len(w.all(topic))
		}
		p, err := DryRun(t.Context(), w.options())
		if err != nil {
			t.Fatal(err)
		}
		if !p.Whole || len(p.Shards) != testPartitions || p.Commits != commits || p.Alerts != int64(said) || p.Records < 354 {
			t.Errorf("%+v, there are %d commits and %d alerts", p, commits, said)
		}
		o := w.options()
		o.Since = time.Now().Add(time.Hour)
		if p, err = DryRun(t.Context(), o); err != nil || p.Alerts != 0 || p.Commits != commits {
			t.Errorf("%v, later than all: %+v", err, p)
		}
		w.forget("leadline.journal", 1, 4)
		if p, err = DryRun(t.Context(), w.options()); err != nil || p.Whole || p.Shards[1].Stopped == "" {
			t.Errorf("%v, without a beginning: %+v", err, p)
		}
		var b strings.Builder
		if err := p.WriteText(&b); err != nil || !strings.Contains(b.String(), "the history is not whole") || !strings.Contains(b.String(), "shard 1 cannot be played") {
			t.Errorf("%v\n%s", err, &b)
		}
	})
}

// The alerts do not depend on how many shards the customers are divided among.
func TestOtherShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		for _, n := range []int32{1, 2, 3, 6, 7, 24} {
			r, err := Verify(t.Context(), w.options(), Check{Shards: n})
			if err != nil {
				t.Fatal(err)
			}
			verified(t, r)
			if whole := n%testPartitions == 0; whole == strings.Contains(text(r), "cannot be made of 3") {
				t.Errorf("%d shards: %s", n, text(r))
			}
			if compared(r, "alerts.cross-sell") != int64(len(w.all("alerts.cross-sell"))) || r.Shards[0].Customers == 0 {
				t.Errorf("%d shards: not all was compared", n)
			}
		}
		if _, err := Verify(t.Context(), w.options(), Check{Shards: 6, SnapshotTo: "x"}); err == nil {
			t.Error("a snapshot of other shards than there are")
		}
	})
}

// Ticks do not depend on it either.
func TestTicksOfOtherShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.absences()
		for _, n := range []int32{0, 1, 12, 5} {
			r, err := Verify(t.Context(), w.options(), Check{Shards: n})
			if err != nil {
				t.Fatal(err)
			}
			verified(t, r)
			if compared(r, "alerts.declining") == 0 || compared(r, "alerts.cross-sell") == 0 {
				t.Errorf("%d shards: no absence was compared: %s", n, text(r))
			}
		}
	})
}

// absences is a past in which customers fall silent, and only time tells; then a late order comes of each. The rest is there before the engine is, so
// that time does not pass between a customer's orders.
func (w *world) absences() {
	w.t.Helper()
	w.Rules.HoldoutShare = 0
	w.learn(link("coffee", "filters"))
	buy := func(c, day int, category string) {
		who := fmt.Sprint("silent-", c)
		w.send(w.record(purchase(who, fmt.Sprint(who, day), category, newYear.AddDate(0, 0, -day)), who))
	}
	for c := range 6 {
		for day := 40; day < 170; day += 3 {
			buy(c, day, "tea")
		}
	}
	w.During(engine.Live, func() {
		w.Read()
		time.Sleep(time.Minute)
		for c := range 6 {
			buy(c, 5, "coffee")
		}
		time.Sleep(time.Minute)
	})
}

// Begun in the middle, what was refused after one window is what was refused; before it nothing is judged, and alerts never: which offer is best goes
// back to a customer's first purchase.
func TestWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Rules.WindowDays, w.Rules.Declining.RecentDays, w.Rules.Declining.BaselineDays, w.Rules.CooldownDays, w.Rules.ExpiryDays = 30, 10, 20, 20, 7
		w.Rules.SlackDays = 2
		w.learn(w.links()...)
		orders := w.orders()
		w.During(engine.Data, func() {
			for _, c := range []string{"cj-3", "cj-8", "cj-9"} {
				w.send(w.record(&sales.Customer{CustomerID: c, OwnerID: "rep-1", Consent: map[string]bool{"rep": c != "cj-8"}, UpdatedAt: millis(newYear)}, c))
			}
			w.Read()
			for len(orders) > 0 {
				w.send(orders[:20]...)
				for p := range int32(testPartitions) {
					w.Write(&kgo.Record{Topic: prefix + "purchases", Partition: p, Key: []byte("somebody"), Value: []byte("hello")})
				}
				w.Read()
				orders = orders[20:]
				time.Sleep(time.Second)
			}
		})
		for p := range int32(testPartitions) {
			w.forget("leadline.journal", p, 5)
			w.forget("purchases", p, 12)
		}
		if r := w.verify(); r.Verified {
			t.Fatal("a history without a beginning was verified")
		}
		r := w.verify(func(o *Options) { o.WarmUp, o.Rules = true, &w.Rules })
		verified(t, r)
		all, unjudged := int64(0), int64(0)
		for _, topic := range r.Topics {
			all, unjudged = all+topic.Compared, unjudged+topic.Unjudged
			if topic.Compared > 0 && topic.Topic != deadLettersTopic {
				t.Errorf("%d of %s are judged", topic.Compared, topic.Topic)
			}
		}
		if all == 0 || unjudged == 0 || !strings.Contains(text(r), "judged is what was decided from") {
			t.Errorf("%d compared, %d unjudged\n%s", all, unjudged, text(r))
		}
	})
}

// What is erased for privacy is reported and not counted, once the topic of the profiles does not tell it any more.
func TestErased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.learn(w.links()...)
		orders := w.orders()
		other := func(name string) {
			for w.shardOf(name) != w.shardOf("cj-3") {
				name += "-"
			}
			w.send(w.record(&sales.Customer{CustomerID: name, OwnerID: "rep-2", UpdatedAt: millis(newYear)}, name))
		}
		w.During(engine.Data, func() {
			other("first") // a topic does not begin later because of a compaction
			w.send(w.record(&sales.Customer{CustomerID: "cj-3", OwnerID: "rep-1", UpdatedAt: millis(newYear)}, "cj-3"))
			w.Read()
			w.send(orders...)
			w.Read()
			w.send(&kgo.Record{Topic: prefix + "customers", Key: []byte("cj-3")})
			other("last") // what a topic ends with is never compacted
		})
		verified(t, w.verify())
		w.compact("customers")
		r := w.verify()
		if !r.Verified || r.Differences != 0 || len(r.Erased) == 0 || !strings.Contains(text(r), "About erased customers, not counted") {
			t.Errorf("%s", text(r))
		}
		for _, g := range r.Erased {
			for _, d := range g.Examples {
				if d.Customer != "cj-3" && d.Customer != "" { // a commit's sums are about all
					t.Errorf("%s differs", d.Customer)
				}
			}
		}
	})
}

// What a decision reads is kept as long as the journal that tells of it.
func TestWhatDecisionsReadOutlivesTheJournal(t *testing.T) {
	const journal = 90 * 24 * time.Hour
	least := func(topic topics.Topic, setting string) time.Duration {
		ms, err := strconv.ParseInt(topic.Configs[setting], 10, 64)
		if err != nil {
			t.Fatalf("%s of %s: %v", setting, topic.Name, err)
		}
		return time.Duration(ms) * time.Millisecond
	}
	o := topics.Options{Partitions: 3, InputRetention: journal, JournalRetention: journal}
	read := intake.KnowledgeTopics[:]
	for _, in := range intake.Inputs {
		read = append(read, in.Topic)
	}
	for _, name := range append(read, journalTopic) {
		topic, err := topics.Find(o, name)
		if err != nil {
			t.Fatal(err)
		}
		setting := "retention.ms"
		if topic.Compacted() {
			setting = "min.compaction.lag.ms"
		}
		if kept := least(topic, setting); kept < journal {
			t.Errorf("%s is kept whole for %s, the journal for %s", name, kept, journal)
		}
	}
}
