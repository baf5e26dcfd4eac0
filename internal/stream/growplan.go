package stream

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
	"leadline/internal/wire"
)

// growCommit is one commit of one shard by which customers come and leave. Each is small enough for one step of the projection.
type growCommit struct {
	p       int32
	csn     int64
	runs    []engine.ItemsRun
	changes []engine.Change // of those who leave without a blob
	items   int32           // length of the dictionary after it
}

// Bounds of one commit, like those of an engine's.
const (
	growChanges = 2_000
	growBytes   = 4 << 20
)

// move is a customer on the way; leaving, as the old shard sees it.
type move struct {
	customer string
	blob     []byte
	from     *home
	leaving  bool
}

// makePlan decides all commits before anything is changed: what cannot be moved is found out in time.
func (g *growth) makePlan() error {
	moves := make([][]move, g.done.To)
	for p, h := range g.homes {
		for _, customer := range slices.Sorted(maps.Keys(h.blobs)) {
			if at := wire.Partition([]byte(customer), g.done.From); at != int32(p) {
				return fmt.Errorf("customer %s is kept by shard %d and belongs to %d of %d", customer, p, at, g.done.From)
			}
			to := wire.Partition([]byte(customer), g.done.To)
			if to == int32(p) {
				continue
			}
			g.done.Moved++
			moves[p] = append(moves[p], move{customer: customer, leaving: true})
			moves[to] = append(moves[to], move{customer: customer, blob: h.blobs[customer], from: &g.homes[p]})
		}
	}
	if g.neverWorked() {
		return nil // the engine's first start begins all shards
	}
	for p := range moves {
		slices.SortFunc(moves[p], func(a, b move) int { return cmp.Compare(a.customer, b.customer) })
		if err := g.planShard(int32(p), moves[p]); err != nil {
			return fmt.Errorf("shard %d: %w", p, err)
		}
	}
	return nil
}

func (g *growth) neverWorked() bool {
	return !slices.ContainsFunc(g.homes, func(h home) bool { return h.record != nil })
}

// planShard makes a shard's commits, at least one: it tells how many shards there are now.
func (g *growth) planShard(p int32, moves []move) error {
	items, csn, today := window.NewItems(), int64(0), g.today(g.now(p))
	if int(p) < len(g.homes) {
		items = g.homes[p].items
		if record := g.homes[p].record; record != nil {
			csn = record.CSN
		}
	}
	for first := true; first || len(moves) > 0; first = false {
		csn++
		c := growCommit{p: p, csn: csn}
		known, bytes := items.Len(), 0
		for len(moves) > 0 && len(c.changes) < growChanges && bytes < growBytes {
			change := engine.Change{CustomerID: moves[0].customer}
			if !moves[0].leaving {
				var err error
				from := engine.Home{Items: moves[0].from.items, Today: g.today(moves[0].from.now())}
				if change.Blob, err = engine.Rehome(moves[0].blob, from, engine.Home{Items: items, Today: today}, csn); err != nil {
					return movingError(change.CustomerID, err)
				}
			}
			c.changes, moves, bytes = append(c.changes, change), moves[1:], bytes+len(change.Blob)
		}
		for first := known; first < items.Len(); first += window.RunItems {
			c.runs = append(c.runs, engine.ItemsRun{First: int32(first), Run: items.AppendRun(first)})
		}
		c.items = int32(items.Len())
		g.plan = append(g.plan, c)
	}
	return nil
}

func movingError(customer string, err error) error {
	if errors.Is(err, window.ErrFull) {
		err = fmt.Errorf("%w: grow to a multiple of the present count, so that customers come to new shards only", err)
	}
	return fmt.Errorf("move customer %s: %w", customer, err)
}

// now is the time of a shard. One that is new, or never worked, goes on from the time of those its customers come from: the earliest, so
// that no event counts as late that would not have been.
func (g *growth) now(p int32) (now sales.Millis) {
	for _, source := range g.sources(p) {
		now = earlier(now, source.Now)
	}
	return now
}

func (g *growth) today(now sales.Millis) sales.Day { return g.cfg.Calendar.Day(now) }

// record is the shard record of a commit of the plan. Without a hash the next commit names its rules in full.
func (g *growth) record(c *growCommit, at positions) sales.ShardRecord {
	rec := sales.ShardRecord{Partition: c.p, CSN: c.csn, Items: c.items, Partitions: g.done.To, Now: g.now(c.p)}
	for i, in := range inputs {
		rec.Inputs = append(rec.Inputs, sales.InputPosition{Topic: g.names.topic(in.Topic), Next: at[i]})
	}
	for _, source := range g.sources(c.p) {
		rec.LinkLevel = source.LinkLevel
		for i := range rec.Inputs {
			rec.Inputs[i].Newest = earlier(rec.Inputs[i].Newest, newestOf(source, rec.Inputs[i].Topic))
		}
	}
	return rec
}

// sources are the records of the shards that a shard's customers may come from: its own if it has one.
func (g *growth) sources(p int32) []*sales.ShardRecord {
	if int(p) < len(g.homes) && g.homes[p].record != nil {
		return []*sales.ShardRecord{g.homes[p].record}
	}
	var all []*sales.ShardRecord
	for from := range g.homes {
		if record := g.homes[from].record; record != nil && (int32(from)-p)%wire.Common(g.done.From, g.done.To) == 0 {
			all = append(all, record)
		}
	}
	return all
}

// earlier is the lesser time; 0 is none.
func earlier(a, b sales.Millis) sales.Millis {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func newestOf(rec *sales.ShardRecord, topic string) sales.Millis {
	for _, in := range rec.Inputs {
		if in.Topic == topic {
			return in.Newest
		}
	}
	return 0
}

// fingerprint sums up customers and their blobs, in any order.
type fingerprint struct {
	customers int64
	sum       uint64
}

func (f *fingerprint) add(customer string, blob []byte) {
	f.customers++
	f.sum += xxhash.Sum64String(customer) ^ 31*xxhash.Sum64(blob)
}

// expected is what leadline.state must hold after the plan.
func (g *growth) expected() fingerprint {
	var f fingerprint
	for p, h := range g.homes {
		for customer, blob := range h.blobs {
			if wire.Partition([]byte(customer), g.done.To) == int32(p) {
				f.add(customer, blob)
			}
		}
	}
	for _, c := range g.plan {
		for _, ch := range c.changes {
			if ch.Blob != nil {
				f.add(ch.CustomerID, ch.Blob)
			}
		}
	}
	return f
}
