package replay

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/schemas"
)

// newYear is when each bubble's time begins; histories under the data clock lie before it.
var newYear = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// orders is 300 orders of 25 customers in three months, always the same, some of them out of order.
func (w *world) orders() []*kgo.Record {
	rng := rand.New(rand.NewPCG(1, 2))
	from := newYear.AddDate(0, -3, 0)
	var records []*kgo.Record
	for i := range 300 {
		at := from.Add(time.Duration(i)*7*time.Hour - time.Duration(rng.IntN(4)*rng.IntN(72))*time.Hour)
		who := fmt.Sprintf("cj-%d", rng.IntN(25))
		records = append(records, w.record(purchase(who, fmt.Sprintf("e-%d", i), fmt.Sprintf("cat-%d", rng.IntN(12)), at), who))
	}
	return records
}

func (w *world) links() []*sales.Link {
	var links []*sales.Link
	for i := range 12 {
		links = append(links, link(fmt.Sprintf("cat-%d", i), fmt.Sprintf("cat-%d", (i+5)%12)), link(fmt.Sprintf("cat-%d", i), fmt.Sprintf("cat-%d", (i+7)%12)))
	}
	return links
}

// again copies records for sending them once more.
func again(records []*kgo.Record) []*kgo.Record {
	var out []*kgo.Record
	for _, r := range records {
		out = append(out, &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value})
	}
	return out
}

// bad is one record for every way to be of no use.
func (w *world) bad() []*kgo.Record {
	at := newYear.AddDate(0, -1, 0)
	odd := func(change func(*sales.Purchase)) *kgo.Record {
		p := purchase("cj-1", "odd", "cat-1", at)
		change(p)
		return w.record(p, "cj-1")
	}
	unknown := w.record(purchase("cj-2", "unknown", "cat-1", at), "cj-2")
	binary.BigEndian.PutUint32(unknown.Value[1:], 7001)
	// A schema whose defect takes many words: they are cut in the letter's header.
	w.Schemas.Register(7000, `{"type":"record","name":"`+strings.Repeat("Purchase", 200)+`","fields":[]}`)
	strange := w.record(purchase("cj-2", "strange", "cat-1", at), "cj-2")
	binary.BigEndian.PutUint32(strange.Value[1:], 7000)
	return []*kgo.Record{
		strange,
		{Topic: prefix + "purchases", Key: []byte("cj-1"), Value: []byte("hello"), Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-1-2-01")}}},
		{Topic: prefix + "purchases", Key: []byte("cj-1")},
		odd(func(p *sales.Purchase) { p.Lines[0].Quantity = -1 }),
		odd(func(p *sales.Purchase) { p.OccurredAt = millis(newYear.AddDate(1, 0, 0)) }),
		odd(func(p *sales.Purchase) { p.Currency = "EUR" }),
		w.record(purchase("cj-1", "misrouted", "cat-1", at), "cj-3"),
		unknown,
	}
}

// past is a history with everything in it: four lives of an engine, orders out of order and sent again, records of no use and
// late ones, knowledge and rules that change, profiles, touches, outcomes and an erased customer.
func (w *world) past() {
	orders := w.orders()
	w.learn(w.links()...)
	w.During(engine.Data, func() {
		w.send(orders[:100]...)
		w.send(w.record(&sales.Customer{CustomerID: "cj-3", OwnerID: "rep-1", UpdatedAt: millis(newYear)}, "cj-3"),
			w.record(&sales.Touchpoint{EventID: "t-1", CustomerID: "cj-4", OccurredAt: millis(newYear.AddDate(0, -2, 0)), Kind: sales.TouchVisit}, "cj-4"))
	})
	w.During(engine.Data, func() {
		w.send(again(orders[60:100])...)
		w.send(w.bad()...)
		w.send(w.record(purchase("cj-5", "late", "cat-1", newYear.AddDate(-2, 0, 0)), "cj-5"))
		w.unlearn(w.links()[3])
		w.Write(w.record(&sales.Product{ProductID: "p-cat-2", Name: "COFFEE 12 OZ", Category: "cat-2", Type: "coffee", Brand: "Private"}, "p-cat-2"))
		w.send(orders[100:180]...)
	})
	text, _ := schemas.ForTopic("purchases")
	w.Schemas.Register(7001, text) // too late for the record that was given up
	w.Rules.ExpiryDays, w.Rules.CooldownDays, w.Rules.Upsell.BrandTiers = 7, 20, map[string]int32{"Private": 3}
	w.During(engine.Data, func() {
		w.learn(link("cat-1", "coffee"))
		w.send(w.outcome())
		w.send(orders[180:240]...)
		w.send(&kgo.Record{Topic: prefix + "customers", Key: []byte("cj-6")})
	})
	w.Rules.HoldoutShare = 0.5
	w.During(engine.Data, func() {
		w.send(orders[240:]...)
		w.Read()
		w.send(&kgo.Record{Topic: prefix + "customers", Key: []byte("cj-7")})
	})
}

// outcome is a rep's sale after the first alert.
func (w *world) outcome() *kgo.Record {
	w.t.Helper()
	var a sales.Alert
	if err := w.Decoder.Alert(w.t.Context(), w.all("alerts.cross-sell")[0].Value, &a); err != nil {
		w.t.Fatal(err)
	}
	return w.record(&sales.Outcome{EventID: "out-1", AlertID: a.AlertID, CustomerID: a.CustomerID, Action: "phone", Result: "won",
		OccurredAt: millis(newYear.AddDate(0, -1, 0))}, a.CustomerID)
}

// compared is how many records of a topic were.
func compared(r *Report, topic string) int64 {
	i := slices.IndexFunc(r.Topics, func(t TopicReport) bool { return t.Topic == topic })
	return r.Topics[i].Compared
}

func verified(t *testing.T, r *Report) {
	t.Helper()
	if !r.Verified || r.Differences != 0 {
		t.Errorf("the replay says otherwise:\n%s", text(r))
	}
}

// Whatever was in the history, the replay says the same.
func TestTheSameDecisionsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		r := w.verify()
		verified(t, r)
		var sum ShardReport
		for _, s := range r.Shards {
			sum.Commits, sum.Records, sum.Timers = sum.Commits+s.Commits, sum.Records+s.Records, sum.Timers+s.Timers
			sum.Duplicates, sum.Customers, sum.Moved = sum.Duplicates+s.Duplicates, sum.Customers+s.Customers, sum.Moved+s.Moved
		}
		// 300 orders, 40 again, 8 of no use, one late; profile, two erasures, touch and outcome.
		if sum.Records != 354 || sum.Duplicates < 40 || sum.Timers < 50 || sum.Customers < 24 || sum.Moved != 0 || sum.Commits < 20 {
			t.Errorf("played %+v", sum)
		}
		for topic, atLeast := range map[string]int{"alerts.cross-sell": 100, "alerts.suppressed": 50, "dead-letters": 8, "late-events": 1} {
			n := len(w.all(topic))
			if n < atLeast || compared(r, topic) != int64(n) {
				t.Errorf("%s: %d of %d were compared, want at least %d", topic, compared(r, topic), n, atLeast)
			}
		}
	})
}

// What only the clock decided is decided again: an offer expires though nothing arrives.
func TestTicksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 58*time.Minute)
		w := newWorld(t)
		w.Rules.ExpiryDays = 1
		w.learn(link("coffee", "filters"))
		w.During(engine.Live, func() {
			w.send(w.record(purchase("cj-1", "e-1", "coffee", time.Now()), "cj-1"))
			time.Sleep(5 * time.Minute) // past midnight
		})
		r := w.verify()
		verified(t, r)
		if n := compared(r, "alerts.cross-sell"); n != 2 {
			t.Errorf("%d alerts were compared, want the offer and its end", n)
		}
	})
}

// found lists the groups as "topic: count why in fields".
func found(r *Report) []string {
	var out []string
	for _, g := range r.Groups {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s: %d %s %s", g.Topic, g.Count, g.Why, strings.Join(g.Fields, ","))))
	}
	return out
}

// Whatever somebody adds to the live topics is found and named, with both versions where there are two.
func TestTamperedTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		victim := w.all("alerts.cross-sell")[5]
		change := func(edit func(*sales.Alert)) *kgo.Record {
			var a sales.Alert
			if err := w.Decoder.Alert(t.Context(), victim.Value, &a); err != nil {
				t.Fatal(err)
			}
			edit(&a)
			value, err := w.Encoder.AppendAlert(nil, &a)
			if err != nil {
				t.Fatal(err)
			}
			return &kgo.Record{Topic: victim.Topic, Partition: victim.Partition, Key: victim.Key, Value: value}
		}
		letter := w.all("dead-letters")[2]
		var customer *kgo.Record
		for _, rec := range w.all("leadline.state") {
			if rec.Key[0] != 0 && rec.Value != nil {
				customer = rec
			}
		}
		broken := append(slices.Clone(customer.Value[:len(customer.Value)-1]), 0xff)
		w.Write(
			change(func(a *sales.Alert) { a.AlertID = "7b8a2c1e-0000-5000-8000-000000000001" }),
			change(func(a *sales.Alert) { a.Title, a.Score = "Buy now", 1 }),
			change(func(*sales.Alert) {}),
			&kgo.Record{Topic: letter.Topic, Partition: letter.Partition, Key: letter.Key, Value: letter.Value, Headers: letter.Headers},
			&kgo.Record{Topic: customer.Topic, Partition: customer.Partition, Key: customer.Key, Value: broken},
		)
		r := w.verify()
		want := []string{
			"alerts.cross-sell: 1 only live",
			"alerts.cross-sell: 1 said twice live",
			"alerts.cross-sell: 1 said twice live score,title",
			"dead-letters: 1 said twice live",
			"leadline.state: 1 not readable live",
		}
		if got := found(r); !slices.Equal(got, want) || r.Verified || r.Differences != 5 {
			t.Errorf("found %q\nwant  %q\n%s", got, want, text(r))
		}
		d := r.Groups[2].Examples[0]
		if !strings.Contains(string(d.Live), "Buy now") || strings.Contains(string(d.Replayed), "Buy now") || d.Replayed == nil {
			t.Errorf("the two versions are %s and %s", d.Live, d.Replayed)
		}
		if out := text(r); !strings.Contains(out, "7b8a2c1e-0000-5000-8000-000000000001.1") || !strings.Contains(out, "5 differences") {
			t.Errorf("the report does not name them:\n%s", out)
		}
	})
}

// Played under another calendar the same events give other decisions: each is there with both versions.
func TestOtherDecisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		r := w.verify(func(o *Options) { o.Calendar = sales.NewCalendar(time.FixedZone("far east", 14*3600)) })
		whys := map[string]bool{}
		for _, g := range r.Groups {
			whys[g.Topic+" "+g.Why] = true
			for _, d := range g.Examples {
				if g.Why == different && (d.Live == nil || d.Replayed == nil || len(g.Fields) == 0) {
					t.Errorf("%s: %+v differs in %v", g.Topic, d, g.Fields)
				}
			}
		}
		for _, want := range []string{"alerts.cross-sell different", "alerts.cross-sell only live", "alerts.cross-sell only replayed", "leadline.state different"} {
			if !whys[want] {
				t.Errorf("there is no %q:\n%s", want, text(r))
			}
		}
	})
}

// A shard whose history is cut is not verified, and the report says from where on there is any.
func TestCutHistory(t *testing.T) {
	for _, tc := range []struct {
		topic  string
		before int64
		says   string
	}{
		{"leadline.journal", 3, "the journal begins at commit"},
		{"purchases", 5, "older records have outlived their retention"},
	} {
		t.Run(tc.topic, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.past()
				w.forget(tc.topic, 1, tc.before)
				r := w.verify()
				if r.Verified || r.Differences != 0 || !strings.Contains(r.Shards[1].Stopped, tc.says) || r.Shards[0].Stopped != "" {
					t.Errorf("the report is\n%s", text(r))
				}
				verified(t, w.verify(func(o *Options) { o.Partitions = []int32{2, 0} }))
			})
		})
	}
}

// Alerts that retention has removed are no differences, those that are left are compared.
func TestOutputsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		before := len(w.all("alerts.cross-sell"))
		w.forget("alerts.cross-sell", 1, 20)
		r := w.verify()
		verified(t, r)
		left := len(w.all("alerts.cross-sell"))
		i := slices.IndexFunc(r.Topics, func(t TopicReport) bool { return t.Topic == "alerts.cross-sell" })
		if got := r.Topics[i]; left == before || got.Compared != int64(left) || got.Gone != int64(before-left) {
			t.Errorf("of %d alerts %d are left; the report says %+v", before, left, got)
		}
	})
}

// It may run beside an engine at work, and ends where the journal ended when it began.
func TestBesideALiveEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.learn(w.links()...)
		orders := w.orders()
		w.During(engine.Data, func() {
			for len(orders) > 0 {
				w.send(orders[:20]...)
				orders = orders[20:]
				time.Sleep(37 * time.Millisecond)
				verified(t, w.verify())
			}
		})
		verified(t, w.verify())
	})
}

// Until a time only the commits up to then count.
func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.learn(w.links()...)
		orders := w.orders()
		w.During(engine.Data, func() { w.send(orders[:150]...) })
		early := len(w.all("alerts.cross-sell"))
		time.Sleep(time.Hour)
		until := time.Now()
		time.Sleep(time.Hour)
		w.During(engine.Data, func() { w.send(orders[150:]...) })
		r := w.verify(func(o *Options) { o.Until = until })
		verified(t, r)
		if n := compared(r, "alerts.cross-sell"); n != int64(early) || early == 0 || early == len(w.all("alerts.cross-sell")) {
			t.Errorf("%d alerts were compared, there were %d by then", n, early)
		}
		moved := int64(0)
		for _, s := range r.Shards {
			moved += s.Moved
		}
		if moved == 0 {
			t.Error("no customer has changed since, as if the end had been the end of all")
		}
	})
}

// What is just becoming visible when the ends are taken is no difference: alerts that are there before their journal, and a journal
// that is there before its alerts.
func TestEndsTakenInTheMiddleOfACommit(t *testing.T) {
	for topic, end := range map[string]int64{"leadline.journal": 4, "alerts.cross-sell": 7} {
		t.Run(topic, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.past()
				cl, err := kgo.NewClient(w.Kafka...)
				if err != nil {
					t.Fatal(err)
				}
				defer cl.Close()
				h, err := openHistory(t.Context(), w.options(), kadm.NewClient(cl))
				if err != nil {
					t.Fatal(err)
				}
				all := h.ends[topic][1]
				h.ends[topic][1] = end
				h.shards = []int32{1}
				walks, err := h.walkAll(t.Context(), "verify", func(ctx context.Context, w *walk) error { return newVerification(ctx, w, 0, nil) })
				if err != nil {
					t.Fatal(err)
				}
				verified(t, newReport(h, walks))
				if at := walks[0].journal.at.pos; at < h.ends[journalTopic][1] || topic == journalTopic && at != all {
					t.Errorf("the journal was played up to %d, it ends at %d", at, all)
				}
			})
		})
	}
}

// A shard that goes to an engine which is behind with its reading knows less than before.
func TestKnowledgeGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.learn(link("coffee", "filters"))
		rules := engine.DefaultRules()
		rules.HoldoutShare = 0
		const p = 1
		for i := range 3 {
			rec := w.record(purchase("cj", fmt.Sprint("e-", i), "coffee", newYear.AddDate(0, 0, -100+40*i)), "cj")
			rec.Partition = p
			w.Write(rec)
		}
		partitions := int32(1)
		for wire.Partition([]byte("cj"), partitions) != p {
			partitions++
		}
		s := NewShadow(w.options(), p, partitions, intake.Positions{}, nil)
		defer s.Close()
		var offers []int
		for i, known := range []int{1, 0, 1} {
			at := millis(newYear.AddDate(0, 0, -100+40*i))
			j := &sales.Journal{Partition: p, CSN: int64(i + 1), Now: at, Clock: at, RulesHash: rules.Hash(), Rules: string(rules.JSON()),
				Runs:             []sales.Range{{Topic: prefix + "purchases", From: int64(i), To: int64(i + 1)}},
				KnowledgeVersion: sales.KnowledgeVersion(fmt.Sprintf("forecasts:0,product-links:%d,products:0", known))}
			done, err := s.Play(t.Context(), j)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, a := range done.Decision.Alerts {
				if a.Status == sales.Opened {
					n++
				}
				if a.KnowledgeVersion != string(j.KnowledgeVersion) { // in the words of a release that knew no models
					t.Errorf("an alert says %s, the journal %s", a.KnowledgeVersion, j.KnowledgeVersion)
				}
			}
			offers = append(offers, n)
			s.Commit()
		}
		if !slices.Equal(offers, []int{1, 0, 1}) {
			t.Errorf("offers of the three commits: %v", offers)
		}
	})
}

func TestNoSuchShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.options()
		o.Partitions = []int32{testPartitions}
		if _, err := Verify(t.Context(), o, Check{}); err == nil || !strings.Contains(err.Error(), "there is no shard 3") {
			t.Errorf("the error is %v", err)
		}
	})
}
