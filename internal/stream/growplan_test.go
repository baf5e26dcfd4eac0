package stream

import (
	"fmt"
	"testing"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
	"leadline/internal/wire"
)

// manyHomes is so many customers in three shards, each shard with a dictionary in an order of its own.
func manyHomes(t *testing.T, customers int) []home {
	homes := make([]home, testPartitions)
	for p := range homes {
		homes[p] = home{items: window.NewItems(), blobs: map[string][]byte{}, record: &sales.ShardRecord{CSN: int64(100 * (p + 1)), Partitions: testPartitions,
			Now: sales.Millis(1000 * (p + 1)), Inputs: []sales.InputPosition{{Topic: "purchases", Newest: sales.Millis(2000 * (p + 1))}}}}
	}
	for i := range customers {
		id := customer(i)
		h := &homes[wire.Partition([]byte(id), testPartitions)]
		item, err := h.items.ID(window.Item{Category: fmt.Sprint("cat-", i%1500)})
		if err != nil {
			t.Fatal(err)
		}
		c := engine.Customer{CSN: 7, Day: 20_000, OwnerID: id}
		c.Window.Add(20_000, item, 1, int64(i))
		h.blobs[id] = engine.EncodeCustomer(nil, &c)
	}
	return homes
}

// The plan's commits, carried out one after the other, bring every customer home, none of them larger than the projection likes.
func TestGrowPlan(t *testing.T) {
	const customers = 20_000
	g := &growth{homes: manyHomes(t, customers), done: Growth{From: testPartitions, To: 5}}
	if err := g.makePlan(); err != nil {
		t.Fatal(err)
	}
	type shard struct {
		items *window.Items
		blobs map[string][]byte
		csn   int64
	}
	var shards []shard
	for p, h := range manyHomes(t, customers) {
		shards = append(shards, shard{h.items, h.blobs, int64(100 * (p + 1))})
	}
	for len(shards) < 5 {
		shards = append(shards, shard{items: window.NewItems(), blobs: map[string][]byte{}})
	}
	several := 0
	for _, c := range g.plan {
		s := &shards[c.p]
		if c.csn != s.csn+1 || len(c.changes) > growChanges {
			t.Fatalf("after commit %d of shard %d comes %d with %d changes", s.csn, c.p, c.csn, len(c.changes))
		}
		s.csn = c.csn
		if len(c.changes) == growChanges {
			several++
		}
		for _, run := range c.runs {
			if err := s.items.AddRun(int(run.First), run.Run); err != nil {
				t.Fatal(err)
			}
		}
		if s.items.Len() != int(c.items) {
			t.Errorf("commit %d of shard %d: %d items, it says %d", c.csn, c.p, s.items.Len(), c.items)
		}
		for _, ch := range c.changes {
			if s.blobs[ch.CustomerID] = ch.Blob; ch.Blob == nil {
				delete(s.blobs, ch.CustomerID)
			}
		}
	}
	found, want := 0, g.expected()
	var have fingerprint
	for p, s := range shards {
		for id, blob := range s.blobs {
			have.add(id, blob)
			c, err := engine.DecodeCustomer(blob, s.items)
			if err != nil {
				t.Fatal(err)
			}
			var i int
			if _, err := fmt.Sscanf(id, "cj-%d", &i); err != nil {
				t.Fatal(err)
			}
			l := c.Window.Lines()[0]
			if at := wire.Partition([]byte(id), 5); at != int32(p) || c.OwnerID != id || l.AmountMinor != int64(i) ||
				s.items.Item(l.Item).Category != fmt.Sprint("cat-", i%1500) || c.CSN > s.csn {
				t.Fatalf("customer %s in shard %d: %+v of %q", id, p, c, s.items.Item(l.Item).Category)
			}
			found++
		}
	}
	if found != customers || have != want || several < 3 || g.done.Moved < customers/2 {
		t.Errorf("%d customers, %d full commits, %+v", found, several, g.done)
	}
}

// A new shard's time is the earliest of those its customers come from.
func TestNewShardsTime(t *testing.T) {
	for name, c := range map[string]struct {
		to, p       int32
		now, newest sales.Millis
	}{
		"doubled: all from one":    {6, 4, 2000, 4000},
		"not a multiple: from all": {5, 4, 1000, 2000},
		"an old one keeps its own": {5, 2, 3000, 6000},
	} {
		g := &growth{homes: manyHomes(t, 1), done: Growth{From: testPartitions, To: c.to}}
		rec := g.record(&growCommit{p: c.p, csn: 1}, positions{5: 77})
		if rec.Now != c.now || rec.Inputs[purchasesInput].Newest != c.newest || rec.Inputs[5].Next != 77 || rec.Partitions != c.to {
			t.Errorf("%s: %+v", name, rec)
		}
	}
}
