package stream

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/wire"
	"leadline/schemas"
)

func headerOf(rec *kgo.Record, key string) string {
	for _, h := range rec.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// Everything that cannot be used goes to the dead letters as it came, and the shard goes on.
func TestDeadLetters(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	bad := func(change func(*sales.Purchase)) *sales.Purchase {
		p := purchase("cj-1", "bad", "coffee", now)
		change(p)
		return p
	}
	cases := []struct {
		class  sales.DeadLetterClass
		record func(w *world) *kgo.Record
	}{
		{sales.DeadNotAvro, func(*world) *kgo.Record {
			return &kgo.Record{Topic: "purchases", Key: []byte("cj-1"), Value: []byte("hello")}
		}},
		{sales.DeadNotAvro, func(w *world) *kgo.Record {
			rec := w.record(purchase("cj-1", "cut", "coffee", now), "cj-1")
			rec.Value = rec.Value[:len(rec.Value)-3]
			return rec
		}},
		{sales.DeadNotAvro, func(*world) *kgo.Record { // with the headers of its refusal it is larger than a usual batch
			return &kgo.Record{Topic: "purchases", Key: []byte("cj-1"), Value: bytes.Repeat([]byte("x"), 999_850)}
		}},
		{sales.DeadWrongSchema, func(w *world) *kgo.Record {
			rec := w.record(&sales.Customer{CustomerID: "cj-1", UpdatedAt: millis(now)}, "cj-1")
			rec.Topic = "purchases"
			return rec
		}},
		{sales.DeadInvalid, func(w *world) *kgo.Record {
			return w.record(bad(func(p *sales.Purchase) { p.Lines[0].Quantity = -1 }), "cj-1")
		}},
		{sales.DeadTime, func(w *world) *kgo.Record {
			return w.record(bad(func(p *sales.Purchase) { p.OccurredAt = 0 }), "cj-1")
		}},
		{sales.DeadTime, func(w *world) *kgo.Record {
			return w.record(bad(func(p *sales.Purchase) { p.OccurredAt = millis(now.AddDate(100, 0, 0)) }), "cj-1")
		}},
		{sales.DeadTombstone, func(*world) *kgo.Record { return &kgo.Record{Topic: "purchases", Key: []byte("cj-1")} }},
		{sales.DeadMisrouted, func(w *world) *kgo.Record { return w.record(purchase("cj-1", "bad", "coffee", now), "cj-2") }},
		{sales.DeadCurrency, func(w *world) *kgo.Record {
			return w.record(bad(func(p *sales.Purchase) { p.Currency = "EUR" }), "cj-1")
		}},
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.engine("a")
		e.ready()
		w.buy("cj-1", "first", "coffee", now)
		for i, c := range cases {
			rec := c.record(w)
			rec.Headers = []kgo.RecordHeader{{Key: "case", Value: []byte(strconv.Itoa(i))}}
			w.send(rec)
		}
		w.buy("cj-1", "last", "tea", time.Now())
		w.eventually("all is read", w.allRead)
		e.stop()
		dead := w.all(deadLettersTopic)
		if len(dead) != len(cases) {
			t.Fatalf("%d dead letters of %d", len(dead), len(cases))
		}
		for _, rec := range dead {
			i, _ := strconv.Atoi(headerOf(rec, "case"))
			want := cases[i].record(w)
			if got := headerOf(rec, "leadline-class"); got != string(cases[i].class) {
				t.Errorf("case %d is of class %s (%s), want %s", i, got, headerOf(rec, "leadline-reason"), cases[i].class)
			}
			if !bytes.Equal(rec.Key, want.Key) || !bytes.Equal(rec.Value, want.Value) || (rec.Value == nil) != (want.Value == nil) {
				t.Errorf("case %d was changed", i)
			}
			if headerOf(rec, "leadline-source-topic") != "purchases" || headerOf(rec, "leadline-source-offset") == "" {
				t.Errorf("case %d does not say where it stood: %v", i, rec.Headers)
			}
		}
		if n := e.count("dead_letters_total"); n != float64(len(cases)) {
			t.Errorf("the metric counts %v", n)
		}
	})
}

// A record in the wrong partition is a dead letter, though its key is its customer's.
func TestMisroutedPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.engine("a")
		e.ready()
		rec := w.record(purchase("cj-1", "e-1", "coffee", time.Now()), "cj-1")
		rec.Partition = (wire.Partition(rec.Key, testPartitions) + 1) % testPartitions
		w.sendTo(rec)
		w.eventually("it is read", w.allRead)
		e.stop()
		dead := w.all(deadLettersTopic)
		if len(dead) != 1 || headerOf(dead[0], "leadline-class") != "misrouted" {
			t.Errorf("dead letters: %v", dead)
		}
	})
}

// A schema that the registry does not know may still arrive; a record is given up only after a while, and a registry that is down
// says nothing about it.
func TestUnknownSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.link("coffee", "filters")
		e := w.engine("a")
		e.ready()
		unknown := func(id uint32, key string) *kgo.Record {
			rec := w.record(purchase(key, "e-"+key, "coffee", time.Now()), key)
			binary.BigEndian.PutUint32(rec.Value[1:], id)
			return rec
		}
		w.send(unknown(7001, "cj-never"), unknown(7002, "cj-soon"))
		time.Sleep(2 * time.Second)
		text, _ := schemas.ForTopic("purchases")
		w.reg.Register(7002, text)
		w.eventually("all is read", w.allRead)
		e.stop()
		dead := w.all(deadLettersTopic)
		if len(dead) != 1 || string(dead[0].Key) != "cj-never" || headerOf(dead[0], "leadline-class") != "unknown_schema" {
			t.Errorf("dead letters: %v", dead)
		}
		if n := len(w.said()); n != 1 {
			t.Errorf("%d alerts, want the one of cj-soon", n)
		}
	})
}

func TestRegistryDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.link("coffee", "filters")
		e := w.engine("a")
		e.ready()
		w.reg.Down(true)
		w.send(w.record(&sales.Touchpoint{EventID: "t-1", CustomerID: "cj-1", OccurredAt: millis(time.Now()), Kind: sales.TouchVisit}, "cj-1"))
		w.buy("cj-1", "e-1", "coffee", time.Now())
		time.Sleep(30 * time.Second)
		if w.allRead() || len(w.all(deadLettersTopic)) > 0 {
			t.Error("something was read without a schema")
		}
		w.reg.Down(false)
		w.eventually("all is read", w.allRead)
		e.stop()
		if len(w.said()) != 1 || len(w.all(deadLettersTopic)) != 0 {
			t.Errorf("%d alerts", len(w.said()))
		}
	})
}

// Without the store customers in memory are served until the queue is full; the others wait; nothing is lost.
func TestStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &faulty{Store: w.store}
		w.store = store
		w.link("coffee", "filters")
		e := w.engine("a", func(c *Config) { c.QueueBytes = 2_000 })
		e.ready()
		w.buy("cj-1", "e-1", "tea", time.Now())
		w.eventually("all is read", w.allRead)
		store.away.Store(true)
		w.buy("cj-1", "e-2", "coffee", time.Now())
		w.eventually("whoever is in memory is served", w.allRead)
		if e.count("csn_gap") < 1 {
			t.Error("the gap between Kafka and the store does not show")
		}
		for i := range 40 {
			w.buy("cj-1", "e-more-"+strconv.Itoa(i), "coffee", time.Now())
			time.Sleep(100 * time.Millisecond)
		}
		w.buy("cj-cold", "e-3", "coffee", time.Now())
		time.Sleep(20 * time.Second)
		if w.allRead() {
			t.Error("everything was read though the queue is full and a customer is cold")
		}
		if q := e.count("projection_queue_bytes"); q > 3_000 {
			t.Errorf("the queue grew to %v bytes", q)
		}
		store.away.Store(false)
		w.eventually("all is read", w.allRead)
		w.eventually("all is projected", w.projected)
		e.stop()
		w.sameState()
		if len(w.said()) != 2 {
			t.Errorf("alerts: %v", w.said())
		}
	})
}

// An idle shard notices that its projection was emptied, and makes it anew.
func TestStoreEmptiedWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.engine("a")
		e.ready()
		for i := range 30 {
			w.buy(customer(i), "e-"+customer(i), "coffee", time.Now())
		}
		w.eventually("all is projected", func() bool { return w.allRead() && w.projected() })
		w.store.(*state.Memory).Flush()
		w.eventually("all is projected again", w.projected)
		w.sameState()
		e.stop()
	})
}

// A projection that is a little behind is brought up to date by the tail of leadline.state, in the same generation.
func TestStoreBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &faulty{Store: w.store}
		w.store = store
		e := w.engine("a")
		e.ready()
		buyAll := func(event string) {
			for i := range 30 {
				w.buy(customer(i), event+customer(i), "coffee", time.Now())
			}
			w.eventually("all is read", w.allRead)
		}
		buyAll("e-")
		w.eventually("all is projected", w.projected)
		store.away.Store(true)
		buyAll("f-")
		e.stop()
		e = w.engine("a")
		w.eventually("it says what it is doing", func() bool {
			err := e.Ready()
			return err != nil && err.Error() == "rebuilding shards [0 1 2]"
		})
		store.away.Store(false)
		e.ready()
		w.sameState()
		for p := range int32(testPartitions) {
			if m, _, _ := store.Meta(t.Context(), p); m.Generation != 1 {
				t.Errorf("shard %d is at %v: rebuilt, not brought up to date", p, m)
			}
		}
		e.stop()
	})
}

// An offer expires though nothing arrives any more: the owner of the shard ticks.
func TestTickFiresTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 58*time.Minute)
		w := newWorld(t)
		w.rules = func() engine.Rules {
			r := engine.DefaultRules()
			r.ExpiryDays = 1
			return r
		}
		w.link("coffee", "filters")
		e := w.engine("a")
		e.ready()
		w.buy("cj-1", "e-1", "coffee", time.Now())
		w.eventually("the timer fires", func() bool { return e.count("timers_fired_total") > 0 })
		e.stop()
		statuses := []string{}
		for _, a := range w.alerts() {
			statuses = append(statuses, a.Status.String()+strconv.Itoa(int(a.Revision)))
		}
		if strings.Join(statuses, " ") != "OPENED1 EXPIRED2" {
			t.Errorf("said %v", statuses)
		}
		js := w.journal()
		last := js[len(js)-1]
		if len(last.Runs) != 0 || last.Now < sales.Millis(time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC).UnixMilli()) {
			t.Errorf("the tick's journal record: %+v", last)
		}
	})
}

// What is known when a batch is decided stands in the journal and in the alerts, and new rules stand there in full.
func TestJournalSaysWhatWasKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var cooldown atomic.Int64
		cooldown.Store(30)
		w.rules = func() engine.Rules {
			r := engine.DefaultRules()
			r.CooldownDays = int(cooldown.Load())
			return r
		}
		e := w.engine("a")
		e.ready()
		w.buy("cj-1", "e-1", "coffee", time.Now())
		w.eventually("all is read", w.allRead)
		w.link("coffee", "filters")
		cooldown.Store(40)
		time.Sleep(time.Second)
		w.buy("cj-1", "e-2", "coffee", time.Now())
		w.eventually("all is read", w.allRead)
		e.stop()
		js := w.journal()
		if len(js) != 2 {
			t.Fatalf("journal: %+v", js)
		}
		if js[0].KnowledgeVersion != "forecasts:0,leadline.models:0,product-links:0,products:0" || js[1].KnowledgeVersion != "forecasts:0,leadline.models:0,product-links:1,products:0" {
			t.Errorf("versions %s, %s", js[0].KnowledgeVersion, js[1].KnowledgeVersion)
		}
		if js[0].Rules == "" || js[1].Rules == "" || js[0].RulesHash == js[1].RulesHash {
			t.Errorf("rules %q, %q", js[0].RulesHash, js[1].RulesHash)
		}
		if js[0].CSN != 1 || js[1].CSN != 2 || js[1].Runs[0].From != 1 || js[1].Runs[0].To != 2 {
			t.Errorf("journal: %+v", js)
		}
		alerts := w.alerts()
		if len(alerts) != 1 || string(js[1].KnowledgeVersion) != alerts[0].KnowledgeVersion {
			t.Errorf("alerts %+v", alerts)
		}
	})
}

// The trace of the purchase that caused an alert goes on in it, beside the CloudEvents headers.
func TestAlertHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rules = func() engine.Rules { // nobody is held out
			r := engine.DefaultRules()
			r.HoldoutShare = 0
			return r
		}
		w.link("coffee", "filters")
		e := w.engine("a")
		e.ready()
		const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		rec := w.record(purchase("cj-1", "e-1", "coffee", time.Now()), "cj-1")
		rec.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte(trace)}}
		w.send(rec)
		w.eventually("all is read", w.allRead)
		e.stop()
		alerts := w.all("alerts.cross-sell")
		if len(alerts) != 1 || headerOf(alerts[0], "traceparent") != trace || headerOf(alerts[0], "ce_type") != "leadline.v1.alert.cross-sell" {
			t.Errorf("alerts: %+v", alerts)
		}
	})
}
