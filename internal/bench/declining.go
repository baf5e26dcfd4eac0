package bench

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"syscall"
	"text/tabwriter"
	"time"

	"go.uber.org/zap"

	"leadline/internal/book"
	"leadline/internal/declining"
	"leadline/internal/desk"
	core "leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/window"
	"leadline/internal/wire"
)

// Declining is what the list of declining customers costs. Times are of this process: with others at work on the machine the wall's say more of
// them than of the list.
type Declining struct {
	Seed         uint64    `json:"seed"`
	Customers    int       `json:"customers"`
	PurchaseDays float64   `json:"purchase_days"` // of a customer, on average
	Lines        float64   `json:"lines"`
	RedisBytes   int64     `json:"redis_bytes"`
	HeapBytes    uint64    `json:"heap_bytes"` // of the customers in memory, garbage collected
	Partitions   int32     `json:"partitions"`
	At           time.Time `json:"at"`

	Load    Cost   `json:"load"`    // all customers from Redis
	Counted Cost   `json:"counted"` // the usual windows, counted anew
	Usual   Cost   `json:"usual"`   // the first hundred rows of the usual list, which the desk makes beforehand
	Other   []Cost `json:"other"`   // of another list of the usual windows, which are counted beforehand
	Any     []Cost `json:"any"`     // windows at random, some in a category
	Further []Cost `json:"further"` // a page behind one
	Table   Cost   `json:"table"`   // all of the usual list as CSV
	Listed  int    `json:"listed"`  // customers on it
}

// Cost is the wall's time and the processors' of all threads together, in milliseconds.
type Cost struct {
	Wall float64 `json:"wall_ms"`
	CPU  float64 `json:"cpu_ms"`
}

func cost(do func() error) (Cost, error) {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails for wrong arguments alone
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began, before := time.Now(), used()
	err := do()
	millis := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return Cost{millis(time.Since(began)), millis(used() - before)}, err
}

// Declining fills Redis with customers' windows as an engine would leave them, and asks.
func (b *Bench) Declining(ctx context.Context) (*Declining, error) {
	out := &Declining{Seed: b.o.Seed, Customers: b.o.Customers, Partitions: b.o.Topics.Partitions, At: time.Now().UTC()}
	today := sales.Calendar{}.Day(sales.Millis(time.Now().UnixMilli()))
	began := time.Now()
	if err := b.fillWindows(ctx, out, today); err != nil {
		return nil, err
	}
	b.say("%d customers in Redis after %s", out.Customers, time.Since(began).Round(time.Second))
	var err error
	if out.RedisBytes, err = b.memory(ctx); err != nil {
		return nil, err
	}
	before := heap()
	all := book.New(book.Source{Kafka: b.o.Kafka, Prefix: b.prefix, Redis: b.store, Decoder: b.decoder, Log: zap.NewNop()})
	if out.Load, err = cost(func() error { return all.Load(ctx) }); err != nil {
		return nil, err
	}
	out.HeapBytes = heap() - before
	b.say("read in %.0f ms", out.Load.Wall)
	return out, b.ask(ctx, out, all, today)
}

// heap is what is alive.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// ask takes the times of questions. No list is asked for twice.
func (b *Bench) ask(ctx context.Context, out *Declining, all *book.Book, today sales.Day) error {
	list := desk.NewDeclining(all, core.DefaultRules, func() sales.Day { return today }, zap.NewNop())
	page := func(values map[string][]string, limit int, write func(*desk.Page) error) (c Cost, next string, err error) {
		c, err = cost(func() error {
			q, err := list.Query(values, limit)
			if err != nil {
				return err
			}
			p, err := list.Page(ctx, q)
			if err != nil {
				return err
			}
			next = p.Next()
			return write(p)
		})
		return c, next, err
	}
	asJSON := func(p *desk.Page) error { return json.NewEncoder(io.Discard).Encode(p.Answer()) }
	luck := rand.New(rand.NewPCG(b.o.Seed, 2))
	var err error
	for _, into := range []*Cost{&out.Counted, &out.Usual} { // what is counted for the first is kept
		if *into, _, err = page(nil, 100, asJSON); err != nil {
			return err
		}
	}
	for i := range b.o.Rounds {
		usual := map[string][]string{"horizon": {fmt.Sprint(91 + i)}}
		c, next, err := page(usual, 100, asJSON)
		if err != nil {
			return err
		}
		out.Other = append(out.Other, c)
		usual["cursor"] = []string{next}
		if c, _, err = page(usual, 100, asJSON); err != nil {
			return err
		}
		out.Further = append(out.Further, c)
		recent, length := sales.Day(luck.IntN(60)), sales.Day(1+luck.IntN(60))
		w := declining.Window{From: today - recent - length, To: today - recent}
		before := declining.Window{From: today - 180, To: w.From - 1 - sales.Day(luck.IntN(30))}
		free := map[string][]string{"recent": {w.String()}, "baseline": {before.String()}, "sort": {string(declining.Sorts()[i%4])}}
		if i%3 == 2 {
			free["category"] = []string{categoryName(uint64(i))}
		}
		if c, _, err = page(free, 100, asJSON); err != nil {
			return fmt.Errorf("%v: %w", free, err)
		}
		out.Any = append(out.Any, c)
	}
	out.Table, _, err = page(map[string][]string{"horizon": {"90"}}, math.MaxInt32, func(p *desk.Page) error {
		out.Listed = p.To
		return p.WriteCSV(io.Discard)
	})
	return err
}

// fillWindows draws customers whose purchase days are Poisson at rates of their own, a tenth of them gone at some day, with one to five lines a day.
func (b *Bench) fillWindows(ctx context.Context, out *Declining, today sales.Day) error {
	detail, err := b.admin.ListTopics(ctx, b.topic("leadline.state"))
	if err != nil {
		return fmt.Errorf("ask for the topic's id: %w", err)
	}
	cluster, err := b.admin.BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("ask for the cluster's id: %w", err)
	}
	id := detail[b.topic("leadline.state")].ID
	f := filler{b: b, out: out, today: today, items: window.NewItems(), shards: make([]filled, out.Partitions)}
	for p := range f.shards {
		f.shards[p].meta = state.Meta{Cluster: cluster.Cluster, TopicID: hex.EncodeToString(id[:]), Generation: 1, CSN: 1}
	}
	for c := range uint64(categories) {
		name := categoryName(c)
		if _, err := f.items.ID(window.Item{Category: name, Type: name}); err != nil {
			return err
		}
	}
	for i := range out.Customers {
		if err := f.add(ctx, i); err != nil {
			return err
		}
	}
	for p := range f.shards {
		if err := f.write(ctx, int32(p)); err != nil {
			return err
		}
	}
	out.PurchaseDays, out.Lines = out.PurchaseDays/float64(out.Customers), out.Lines/float64(out.Customers)
	return nil
}

// filler writes customers as the projection of commits.
type filler struct {
	b      *Bench
	out    *Declining
	today  sales.Day
	items  *window.Items
	shards []filled
}

type filled struct {
	meta    state.Meta
	begun   bool
	changes []core.Change
}

const filledAtOnce = 5_000

func (f *filler) add(ctx context.Context, i int) error {
	luck := f.b.orders.luck(historyStream, uint64(i))
	id := fmt.Sprintf("customer-%07d", i)
	c := core.Customer{CSN: 1, Day: f.today, OwnerID: fmt.Sprintf("rep-%03d", luck.IntN(200))}
	c.Window.SetCurrency("USD")
	gap := 2 + 40*luck.ExpFloat64()/3
	leaves := f.today
	if luck.IntN(10) == 0 {
		leaves = f.today - sales.Day(luck.IntN(180))
	}
	popular := rand.NewZipf(luck, 1.1, 20, categories-1)
	for at := float64(f.today-184) + gap*luck.ExpFloat64(); sales.Day(at) <= leaves; at += max(1, gap*luck.ExpFloat64()) {
		f.out.PurchaseDays++
		for range 1 + luck.IntN(5) {
			f.out.Lines++
			c.Window.Add(sales.Day(at), window.ItemID(popular.Uint64()), 1, 99+int64(luck.IntN(3000)))
		}
		c.Window.AddOrder(window.Order{Day: sales.Day(at), Event: luck.Uint64() & (1<<40 - 1), Number: luck.Uint32() & (1<<24 - 1)})
	}
	p := wire.Partition([]byte(id), f.out.Partitions)
	s := &f.shards[p]
	s.changes = append(s.changes, core.Change{CustomerID: id, Blob: core.EncodeCustomer(nil, &c), Due: core.Due{Look: f.today}})
	if len(s.changes) < filledAtOnce {
		return nil
	}
	return f.write(ctx, p)
}

func (f *filler) write(ctx context.Context, p int32) error {
	s := &f.shards[p]
	w := state.Write{To: s.meta, Changes: s.changes}
	if s.begun {
		w.From = s.meta
		w.To.CSN++
	} else {
		w.ItemRuns = []core.ItemsRun{{Run: f.items.AppendRun(0)}}
	}
	if err := f.b.store.Apply(ctx, p, w); err != nil {
		return fmt.Errorf("fill shard %d: %w", p, err)
	}
	s.meta, s.begun, s.changes = w.To, true, s.changes[:0]
	return nil
}

// Print writes the figures as a table.
func (d *Declining) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "%d customers with %.1f purchase days and %.1f lines each, %d shards, seed %d; ms: lowest, median, highest\n", d.Customers, d.PurchaseDays,
		d.Lines, d.Partitions, d.Seed)
	costs := func(what string, all []Cost) {
		row(w, what, "wall", "%.0f", column(all, func(c Cost) float64 { return c.Wall }))
		row(w, "", "processors", "%.0f", column(all, func(c Cost) float64 { return c.CPU }))
	}
	costs("all customers from Redis", []Cost{d.Load})
	costs("usual windows, counted anew", []Cost{d.Counted})
	costs("usual windows, first page", []Cost{d.Usual})
	costs("usual windows, another list", d.Other)
	costs("a page behind it", d.Further)
	costs("any windows, first page", d.Any)
	costs(fmt.Sprintf("table of %d customers", d.Listed), []Cost{d.Table})
	fmt.Fprintf(w, "memory\ta customer\t%d bytes\n", d.HeapBytes/uint64(d.Customers))
	fmt.Fprintf(w, "\tall\t%.0f MiB, %.0f in Redis\n", float64(d.HeapBytes)/(1<<20), mebibytes(d.RedisBytes))
	return w.Flush()
}
