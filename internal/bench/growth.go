package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// Growth is how the cost of an order changes with customers, density, partitions and links.
type Growth struct {
	Seed   uint64        `json:"seed"`
	Orders int           `json:"orders"` // of each span
	At     time.Time     `json:"at"`
	On     Machine       `json:"machine"`
	Points []GrowthPoint `json:"points"`
}

// GrowthPoint is what was found at a point.
type GrowthPoint struct {
	Point
	History       int     `json:"history_orders"`       // read before it was measured
	HistoryTook   float64 `json:"history_s"`            // with their sending
	CustomerBytes float64 `json:"redis_customer_bytes"` // all that Redis took on, by customer, when the history was read
	Spans         []Span  `json:"spans"`
}

// Span is a stretch of orders that waited for an engine at a point.
type Span struct {
	Name string `json:"name"`
	Drain
	Orders        int   `json:"orders"`
	ResidentBytes int64 `json:"engine_bytes"` // at the end; the peak holds the reading of the history too if the engine did that
}

// The spans of a point. Of the customers all have a history.
const (
	// Warm is read by the engine that read the history, with a cache for about a million customers. Customers buy at the
	// density's pace, so that their weekly looks fall due meanwhile.
	Warm = "warm"
	// Rush is read by the same engine, in no time of the data's: orders alone, no looks.
	Rush = "rush"
	// Cold is Warm by an engine that has just begun, nobody in memory, with the cache that is configured.
	Cold = "cold"
)

const (
	wideCache    = "--engine-cache-mib=2048"
	mostBytes    = 8 << 30 // of engine and Redis together: a point that takes more is given up
	historyPiece = 500_000 // orders, after which is looked what has become of the memory
)

// Grow measures the points, each as a tenant of its own, and hands out what there is after each.
func Grow(ctx context.Context, o Options, plan []Point, orders int, each func(*Growth) error) error {
	found := &Growth{Seed: o.Seed, Orders: orders, At: time.Now().UTC(), On: ThisMachine()}
	for i, p := range plan {
		fmt.Fprintf(o.Out, "point %d of %d, %s: %d customers, %d orders a window, %d partitions, %d links\n", i+1, len(plan), p.Curve, p.Customers,
			p.Density, p.Partitions, p.Links)
		o.Customers, o.Topics.Partitions = p.Customers, p.Partitions
		b, err := New(ctx, o)
		if err != nil {
			return err
		}
		at, err := b.grow(ctx, p, orders)
		if err = errors.Join(err, b.Close(context.WithoutCancel(ctx))); err != nil {
			return fmt.Errorf("%s at %.0f: %w", p.Curve, p.At(), err)
		}
		found.Points = append(found.Points, *at)
		if err := each(found); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bench) grow(ctx context.Context, p Point, orders int) (*GrowthPoint, error) {
	empty, err := b.memoryBefore(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.publishLinks(ctx, b.orders.growthLinks(p.Links)); err != nil {
		return nil, err
	}
	e, err := b.startNew(ctx, "one", dataClock, wideCache)
	if err != nil {
		return nil, err
	}
	out, flow := &GrowthPoint{Point: p}, &flow{orders: b.orders, Point: p}
	if err := b.readHistory(ctx, e, flow, out); err != nil {
		return nil, err
	}
	full, err := b.memory(ctx)
	if err != nil {
		return nil, err
	}
	out.CustomerBytes = float64(full-empty) / float64(p.Customers)
	for _, name := range p.spans() {
		var s *Span
		if s, e, err = b.growthSpan(ctx, e, name, flow, orders); err != nil {
			return nil, err
		}
		out.Spans = append(out.Spans, *s)
	}
	return out, nil
}

// readHistory gives the engine its customers, piece by piece.
func (b *Bench) readHistory(ctx context.Context, e *engine, f *flow, out *GrowthPoint) error {
	began, all := time.Now(), f.historyOrders()
	for out.History < all {
		n := min(historyPiece, all-out.History)
		if err := b.send(ctx, f.history(out.History, n)); err != nil {
			return err
		}
		if err := errors.Join(b.caughtUp(ctx), b.projected(ctx)); err != nil {
			return err
		}
		out.History += n
		resident, _ := residentBytes(e)
		stored, err := b.memory(ctx)
		if err != nil {
			return err
		}
		b.say("read %d orders of history of %d in %s; engine %d MiB, Redis %d MiB", out.History, all, time.Since(began).Round(time.Second),
			resident>>20, stored>>20)
		if resident+stored > mostBytes {
			return fmt.Errorf("engine and Redis take %d MiB, more than the %d that a point may", (resident+stored)>>20, mostBytes>>20)
		}
	}
	out.HistoryTook = time.Since(began).Seconds()
	return nil
}

// growthSpan sends orders to an engine that does not run, and measures how it reads them.
func (b *Bench) growthSpan(ctx context.Context, e *engine, name string, f *flow, orders int) (*Span, *engine, error) {
	var before counted
	var err error
	if name == Cold {
		e.kill()
		<-e.done
	} else {
		if before, err = e.metrics(ctx); err != nil {
			return nil, e, err
		}
		if err = e.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			return nil, e, fmt.Errorf("hold the engine: %w", err)
		}
	}
	b.say("%s: sending %d orders", name, orders)
	err = b.send(ctx, f.next(orders, name == Rush))
	from := time.Now()
	if name == Cold && err == nil {
		e, err = b.start(ctx, e.instance, e.http, dataClock)
	} else if name != Cold {
		err = errors.Join(err, e.cmd.Process.Signal(syscall.SIGCONT))
	}
	if err != nil {
		return nil, e, err
	}
	d, err := b.drained(ctx, e, from, before)
	if err != nil {
		return nil, e, fmt.Errorf("%s: %w", name, err)
	}
	s := &Span{Name: name, Drain: *d, Orders: orders}
	s.ResidentBytes, _ = residentBytes(e)
	return s, e, nil
}

// Span is the span of a name.
func (g *GrowthPoint) Span(name string) (Span, bool) {
	i := slices.IndexFunc(g.Spans, func(s Span) bool { return s.Name == name })
	if i < 0 {
		return Span{}, false
	}
	return g.Spans[i], true
}

func (s *Span) perOrder(n float64) float64 { return n / float64(s.Orders) }

// Looks are the timers that fired, by order.
func (s *Span) Looks() float64 { return s.perOrder(s.TimersFired) }

// Alerts are those decided, by order.
func (s *Span) Alerts() float64 { return s.perOrder(s.Decided) }

// Cold are the customers that were not in memory, by order.
func (s *Span) Cold() float64 { return s.perOrder(s.ColdReads) }
