package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

func (b *Bench) publishLinks(ctx context.Context) error {
	for _, l := range b.orders.links() {
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
	value, err := b.encoder.AppendPurchase(nil, p)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	key := []byte(p.CustomerID)
	return &kgo.Record{Topic: b.topic("purchases"), Key: key, Value: value, Partition: wire.Partition(key, b.o.Topics.Partitions)}, nil
}

// sendHistory sends the past of all customers as fast as Kafka takes it, all customers' first orders, then the second ones.
func (b *Bench) sendHistory(ctx context.Context) error {
	before := sales.Millis(time.Now().UnixMilli())
	var failed atomic.Pointer[error]
	for k := range pastOrders {
		for customer := range b.o.Customers {
			rec, err := b.purchase(b.orders.past(customer, k, before))
			if err != nil {
				return err
			}
			b.client.Produce(ctx, rec, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			})
			if failed.Load() != nil || ctx.Err() != nil {
				break
			}
		}
	}
	err := b.client.Flush(ctx)
	if first := failed.Load(); first != nil {
		err = errors.Join(err, *first)
	}
	if err != nil {
		return fmt.Errorf("send the history: %w", err)
	}
	return nil
}

// load sends new orders at a steady rate until it is ended. It is an open loop: each order has its time, and one that is late is
// sent at once.
type load struct {
	sent   atomic.Uint64
	failed atomic.Pointer[error]
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// beginLoad goes on where the load before it ended.
func (b *Bench) beginLoad(ctx context.Context, from uint64) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{cancel: cancel}
	l.sent.Store(from)
	l.done.Go(func() {
		began := time.Now()
		timer := time.NewTimer(0)
		defer timer.Stop()
		for n := from; ; n++ {
			due := began.Add(time.Duration(float64(n-from) / b.o.Rate * float64(time.Second)))
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
			rec, err := b.purchase(b.orders.present(n, sales.Millis(due.UnixMilli())))
			if err != nil {
				l.failed.CompareAndSwap(nil, &err)
				return
			}
			b.client.Produce(context.WithoutCancel(ctx), rec, func(_ *kgo.Record, err error) {
				if err != nil {
					l.failed.CompareAndSwap(nil, &err)
				}
			})
			l.sent.Store(n + 1)
		}
	})
	return l
}

// end stops the load and gives the number of the next order.
func (l *load) end() (next uint64, err error) {
	l.cancel()
	l.done.Wait()
	if first := l.failed.Load(); first != nil {
		return l.sent.Load(), fmt.Errorf("send new orders: %w", *first)
	}
	return l.sent.Load(), nil
}
