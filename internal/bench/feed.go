package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/comparison"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

func (b *Bench) publishLinks(ctx context.Context, links []sales.Link) error {
	for _, l := range links {
		value, err := b.encoder.AppendLink(nil, &l)
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		rec := &kgo.Record{Topic: b.topic("product-links"), Key: []byte(l.Key()), Value: value}
		b.client.Produce(ctx, rec, nil)
	}
	if err := b.client.Flush(ctx); err != nil {
		return fmt.Errorf("publish links: %w", err)
	}
	return nil
}

// purchase makes the record of an order.
func (b *Bench) purchase(p *sales.Purchase) (*kgo.Record, error) {
	var value []byte
	var err error
	if b.o.Job {
		value = comparison.AppendPurchase(nil, p)
	} else if value, err = b.encoder.AppendPurchase(nil, p); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	key := []byte(p.CustomerID)
	return &kgo.Record{Topic: b.topic("purchases"), Key: key, Value: value, Partition: wire.Partition(key, b.o.Topics.Partitions)}, nil
}

// sendHistory sends the past of all customers, all customers' first orders, then the second ones.
func (b *Bench) sendHistory(ctx context.Context) error {
	before := sales.Millis(time.Now().UnixMilli())
	return b.send(ctx, func(yield func(*sales.Purchase) bool) {
		for k := range pastOrders {
			for customer := range b.o.Customers {
				if !yield(b.orders.past(customer, k, before)) {
					return
				}
			}
		}
	})
}

// load sends orders at a steady rate until it is ended, or there are no more. It is an open loop: each order has its time, and one
// that is late is sent at once.
type load struct {
	rate   float64
	began  time.Time
	late   time.Duration // the most
	failed atomic.Pointer[error]
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// due is when order n is to be sent.
func (l *load) due(n uint64) time.Time {
	return l.began.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
}

// beginLoad sends what order gives for n = 0, 1, … until that is nil.
func (b *Bench) beginLoad(ctx context.Context, rate float64, order func(n uint64, due time.Time) *sales.Purchase) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{rate: rate, began: time.Now(), cancel: cancel}
	l.done.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for n := uint64(0); ; n++ {
			due := l.due(n)
			p := order(n, due)
			if p == nil {
				return
			}
			rec, err := b.purchase(p)
			if err != nil {
				l.failed.CompareAndSwap(nil, &err)
				return
			}
			if left := time.Until(due); left > 0 {
				timer.Reset(left)
				select {
				case <-timer.C:
				case <-ctx.Done():
					return
				}
			}
			if ctx.Err() != nil {
				return
			}
			l.late = max(l.late, time.Since(due))
			b.client.Produce(context.WithoutCancel(ctx), rec, func(_ *kgo.Record, err error) {
				if err != nil {
					l.failed.CompareAndSwap(nil, &err)
				}
			})
		}
	})
	return l
}

// end stops the load and tells how late an order was sent at most.
func (l *load) end() (late time.Duration, err error) {
	l.cancel()
	l.done.Wait()
	if first := l.failed.Load(); first != nil {
		return l.late, fmt.Errorf("send new orders: %w", *first)
	}
	return l.late, nil
}
