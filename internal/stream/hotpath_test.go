package stream

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
)

// hotPath is the way of orders through one shard, from the records that were read to the write for Redis, without any server: decode, step,
// encode, commit, projection. 500 customers are in memory, buy two orders a week of two lines, and are looked at each week.
type hotPath struct {
	tb      testing.TB
	r       *Runtime
	s       *shard
	w       *world
	sent    int
	alerts  int
	changes int
}

const hotBatch = 500

func newHotPath(tb testing.TB) *hotPath {
	w := bareWorld(tb)
	r, err := New(Config{InstanceID: "hot", Clock: engine.Data}, Deps{Store: w.store, Decoder: w.dec, Encoder: w.enc, Rules: w.rules,
		Log: zap.NewNop(), Registerer: prometheus.NewRegistry()})
	if err != nil {
		tb.Fatal(err)
	}
	r.partitions = 1
	r.takeRules()
	for i := range 200 {
		l := &sales.Link{Kind: sales.CrossSellLink, Level: "category", From: fmt.Sprintf("category %d", i), To: fmt.Sprintf("category %d", (i+17)%200), Score: 0.2}
		value, err := w.enc.AppendLink(nil, l)
		if err != nil {
			tb.Fatal(err)
		}
		if err := r.knowledge.known.Take(context.Background(), "product-links", int64(i), []byte(l.Key()), value); err != nil {
			tb.Fatal(err)
		}
	}
	r.knowledge.known.Stamp()
	r.projector.begin(0, state.Meta{})
	h := &hotPath{tb: tb, r: r, w: w, s: &shard{p: 0, applied: r.rules.hash, rules: r.rules.hash,
		core: engine.NewShard(engine.Config{Partitions: 1, Clock: engine.Data, Rules: w.rules()})}}
	for range 26 * 2 { // windows are full
		h.take(h.batch())
	}
	return h
}

// batch is what the consumer would have read: an order of each customer.
func (h *hotPath) batch() *work {
	in := &work{ends: ends{-1, -1}, clock: sales.Millis(1 << 42)}
	const pause = 7 * 24 * time.Hour / 2 / hotBatch
	for i := range hotBatch {
		n := h.sent + i
		who, at := customer(i), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n)*pause)
		p := purchase(who, fmt.Sprint("e-", n), fmt.Sprintf("category %d", (i*7+n/hotBatch%5*31)%200), at)
		p.Lines = append(p.Lines, sales.Line{ProductID: "p", Category: fmt.Sprintf("category %d", (i*13+n/hotBatch%11)%200), Quantity: 1, AmountMinor: 100})
		rec := h.w.record(p, who)
		rec.Offset = int64(n)
		in.in[purchasesInput] = append(in.in[purchasesInput], rec)
	}
	h.sent += hotBatch
	return in
}

func (h *hotPath) take(in *work) {
	st, err := h.r.take(context.Background(), h.s, in)
	if err != nil {
		h.tb.Fatal(err)
	}
	h.s.pending = st
	h.r.committed(h.s, h.s.committed())
	h.s.written(st.out)
	_, t, _ := h.r.projector.pick()
	write := merged(t.from, t.commits)
	t.queue.busy = false
	t.queue.acknowledge(write.To)
	h.alerts += len(st.decision.Alerts)
	h.changes += len(write.Changes)
}

// BenchmarkOrder is what one order costs on the way, its share of the weekly looks and of the batch included.
func BenchmarkOrder(b *testing.B) {
	h := newHotPath(b)
	h.alerts, h.changes = 0, 0
	b.ReportAllocs()
	orders := 0
	for b.Loop() {
		b.StopTimer()
		in := h.batch()
		b.StartTimer()
		h.take(in)
		orders += hotBatch
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(orders), "ns/order")
	b.ReportMetric(float64(h.alerts)/float64(orders), "alerts/order")
	b.ReportMetric(float64(h.changes)/float64(orders), "changes/order")
}

// TestOrderAllocates bounds what an order allocates on its way: the number that was there when this was written, rounded up. Who
// brings it down brings the bound down; who needs more says what for. (Of 15, six are the reasons and details of an offer, which are its own.)
func TestOrderAllocates(t *testing.T) {
	const atMost = 15.0
	h := newHotPath(t)
	const rounds = 10
	batches := make([]*work, rounds+1) // one more warms up
	for i := range batches {
		batches[i] = h.batch()
	}
	next, before := 0, h.alerts
	n := testing.AllocsPerRun(rounds, func() {
		h.take(batches[next])
		next++
	})
	t.Logf("%.2f allocations an order, %.2f alerts", n/hotBatch, float64(h.alerts-before)/float64(len(batches)*hotBatch))
	if n/hotBatch > atMost {
		t.Errorf("%.2f allocations an order, at most %.2f are allowed", n/hotBatch, atMost)
	}
}
