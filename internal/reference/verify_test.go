package reference

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

func unchanged(_ string, _ int, rec *kgo.Record) []*kgo.Record { return []*kgo.Record{rec} }

// Of an untouched history nothing is lost, said twice or different, and everything was in it.
func TestNothingDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		for name, r := range map[string]*Report{"history": w.verify(), "its copy": w.copied(unchanged, func(kadm.Offsets) {}).verify()} {
			if r.Differences() != 0 {
				t.Errorf("%s:\n%s", name, r)
			}
			if r.Records < 430 || r.Alerts.Wanted < 200 || r.Alerts.Wanted != r.Alerts.Live || r.Letters.Wanted != 3 || r.Customers.Live < 24 ||
				r.Journal.Live < 20 || r.Shards.Live != testPartitions || r.Offsets.Live < 3*testPartitions {
				t.Errorf("%s was not compared wholly:\n%s", name, r)
			}
		}
		for topic, least := range map[string]int{"alerts.cross-sell": 100, "alerts.declining": 5, "alerts.suppressed": 50} {
			if n := len(w.all(topic)); n < least {
				t.Errorf("%d records on %s, want %d at least", n, topic, least)
			}
		}
	})
}

// What only the clock decides is followed too: an offer expires though nothing arrives.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 58*time.Minute)
		w := newWorld(t)
		w.Rules.ExpiryDays, w.Rules.HoldoutShare = 1, 0
		w.learn(sales.Link{Kind: sales.CrossSellLink, Level: "category", From: "coffee", To: "filters", Score: 0.5, Confidence: 0.5})
		w.During(engine.Live, func() {
			w.send(&sales.Purchase{EventID: "e", CustomerID: "cj-1", OccurredAt: millis(time.Now()), Currency: "USD", OrderID: "o", Lines: line("coffee")})
			time.Sleep(5 * time.Minute) // past midnight
		})
		if r := w.verify(); r.Differences() != 0 || r.Alerts.Live != 2 {
			t.Errorf("want the offer and its end:\n%s", r)
		}
	})
}

// Each kind of tampering is found, counted once, and told with what is wrong.
func TestTampered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		on := func(topic string, change func(at int, rec *kgo.Record) []*kgo.Record) edit {
			return func(name string, at int, rec *kgo.Record) []*kgo.Record {
				if name == topic {
					return change(at, rec)
				}
				return []*kgo.Record{rec}
			}
		}
		drop := func(topic string, which int) edit {
			return on(topic, func(at int, rec *kgo.Record) []*kgo.Record {
				if at == which {
					return nil
				}
				return []*kgo.Record{rec}
			})
		}
		double := func(topic string, which int) edit {
			return on(topic, func(at int, rec *kgo.Record) []*kgo.Record {
				if at == which {
					again := *rec
					return []*kgo.Record{rec, &again}
				}
				return []*kgo.Record{rec}
			})
		}
		alert := func(change func(*sales.Alert)) edit {
			return on("alerts.cross-sell", func(at int, rec *kgo.Record) []*kgo.Record {
				if at == 7 {
					var a sales.Alert
					w.Check(w.Decoder.Alert(context.Background(), rec.Value, &a))
					change(&a)
					var err error
					rec.Value, err = w.Encoder.AppendAlert(nil, &a)
					w.Check(err)
				}
				return []*kgo.Record{rec}
			})
		}
		journal := func(change func(*sales.Journal)) edit {
			return on("leadline.journal", func(at int, rec *kgo.Record) []*kgo.Record {
				var j sales.Journal
				w.Check(w.Decoder.Journal(context.Background(), rec.Value, &j))
				if j.Partition == 1 {
					change(&j)
				}
				var err error
				rec.Value, err = w.Encoder.AppendJournal(nil, &j)
				w.Check(err)
				return []*kgo.Record{rec}
			})
		}
		run := func(j *sales.Journal) *sales.Range {
			i := slices.IndexFunc(j.Runs, func(r sales.Range) bool { return r.Topic == testPrefix+"purchases" && r.From > 0 })
			if i < 0 {
				return &sales.Range{}
			}
			return &j.Runs[i]
		}
		customer, value := w.lastCustomer()
		for name, tc := range map[string]struct {
			change  edit
			offsets func(kadm.Offsets)
			count   func(*Report) *Count
			want    Count // but for Wanted and Live
			says    string
		}{
			"a lost alert":        {change: drop("alerts.cross-sell", 7), count: func(r *Report) *Count { return &r.Alerts }, want: Count{Lost: 1}, says: "cross-sell"},
			"a lost ledger entry": {change: drop("alerts.suppressed", 3), count: func(r *Report) *Count { return &r.Alerts }, want: Count{Lost: 1}},
			"a doubled alert":     {change: double("alerts.cross-sell", 7), count: func(r *Report) *Count { return &r.Alerts }, want: Count{Duplicated: 1}},
			"a changed alert": {change: alert(func(a *sales.Alert) { a.Score = 0.999 }), count: func(r *Report) *Count { return &r.Alerts }, want: Count{Different: 1},
				says: "live:  score 0.999"},
			"an alert nobody decided": {change: alert(func(a *sales.Alert) { a.Revision = 9 }), count: func(r *Report) *Count { return &r.Alerts }, want: Count{Lost: 1, Foreign: 1},
				says: ".9, cross-sell"},
			"a lost dead letter":    {change: drop("dead-letters", 0), count: func(r *Report) *Count { return &r.Letters }, want: Count{Lost: 1}},
			"a doubled late event":  {change: double("late-events", 0), count: func(r *Report) *Count { return &r.Letters }, want: Count{Duplicated: 1}, says: "late"},
			"a gap in the journal":  {change: journal(func(j *sales.Journal) { run(j).From++ }), count: func(r *Report) *Count { return &r.Journal }, want: Count{Lost: 1}, says: "goes on at"},
			"an overlap in it":      {change: journal(func(j *sales.Journal) { run(j).From-- }), count: func(r *Report) *Count { return &r.Journal }, want: Count{Duplicated: 1}, says: "reads again"},
			"a commit that is gone": {change: journal(func(j *sales.Journal) { j.CSN += j.CSN / 4 }), count: func(r *Report) *Count { return &r.Journal }, want: Count{Lost: 1}, says: "comes commit"},
			"another customer's state": {change: on("leadline.state", func(_ int, rec *kgo.Record) []*kgo.Record {
				if string(rec.Key) == customer {
					rec.Value = value
				}
				return []*kgo.Record{rec}
			}), count: func(r *Report) *Count { return &r.Customers }, want: Count{Different: 1}, says: "live:  bought"},
			"a customer that is gone": {change: on("leadline.state", func(_ int, rec *kgo.Record) []*kgo.Record {
				if string(rec.Key) == customer {
					return nil
				}
				return []*kgo.Record{rec}
			}), count: func(r *Report) *Count { return &r.Customers }, want: Count{Lost: 1}, says: customer},
			"a stranger": {change: on("leadline.state", func(_ int, rec *kgo.Record) []*kgo.Record {
				if string(rec.Key) == customer {
					again := *rec
					again.Key = []byte("stranger")
					return []*kgo.Record{rec, &again}
				}
				return []*kgo.Record{rec}
			}), count: func(r *Report) *Count { return &r.Customers }, want: Count{Foreign: 1}, says: "stranger"},
			"offsets that are not the journal's": {offsets: func(o kadm.Offsets) {
				at := o[testPrefix+"purchases"][2]
				at.At--
				o[testPrefix+"purchases"][2] = at
			}, count: func(r *Report) *Count { return &r.Offsets }, want: Count{Different: 1}, says: "purchases-2"},
			"records that nobody has read": {change: double("purchases", len(w.all("purchases"))-1), count: func(r *Report) *Count { return &r.Journal }, want: Count{Lost: 1}, says: "was read up to"},
		} {
			if tc.change == nil {
				tc.change = unchanged
			}
			if tc.offsets == nil {
				tc.offsets = func(kadm.Offsets) {}
			}
			r := w.copied(tc.change, tc.offsets).verify()
			c := tc.count(r)
			if r.Journal.Differences() > 0 && r.Differences() != 1 {
				t.Errorf("%s: what cannot be followed is not to be compared:\n%s", name, r)
			}
			got := [4]int{c.Lost, c.Duplicated, c.Different, c.Foreign}
			if got != [4]int{tc.want.Lost, tc.want.Duplicated, tc.want.Different, tc.want.Foreign} || !strings.Contains(r.String(), tc.says) {
				t.Errorf("%s: found %v, want %+v and %q in\n%s", name, got, tc.want, tc.says, r)
			}
		}
	})
}

// lastCustomer is one of the customers, and another one's blob.
func (w *world) lastCustomer() (id string, another []byte) {
	for _, rec := range w.all("leadline.state") {
		if rec.Key[0] != 0 && rec.Value != nil && rec.Partition == 1 {
			id, another = string(rec.Key), rec.Value
		}
	}
	for _, rec := range w.all("leadline.state") {
		if rec.Key[0] != 0 && rec.Value != nil && rec.Partition == 1 && string(rec.Key) != id {
			another = rec.Value
		}
	}
	return id, another
}
