package state

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"leadline/internal/engine"
)

// somethingToWrite is changes of customers, all with a timer.
func somethingToWrite(n int) []engine.Change {
	changes := make([]engine.Change, n)
	for i := range changes {
		changes[i] = engine.Change{CustomerID: fmt.Sprintf("customer-%07d", i), Blob: make([]byte, 200), Due: engine.Due{Look: 20_717}}
	}
	return changes
}

// queued makes a write's commands, without sending them.
func queued(ctx context.Context, pipe redis.Pipeliner, changes []engine.Change) {
	setCustomers(ctx, pipe, "{tenant-3}7:c:", changes)
	setTimers(ctx, pipe, "{tenant-3}7:timers", changes)
	pipe.Discard()
}

// Customers are written by the ten thousand: a write allocates a few large pieces, not some for each.
func TestWriteAllocatesLittle(t *testing.T) {
	const customers, atMost = 10_000, 37
	c := Dial(Options{Addrs: []string{"127.0.0.1:1"}})
	defer c.Close()
	pipe, changes := c.TxPipeline(), somethingToWrite(customers)
	n := testing.AllocsPerRun(10, func() { queued(t.Context(), pipe, changes) })
	if n > atMost {
		t.Errorf("%v allocations for %d customers, at most %d are allowed", n, customers, atMost)
	}
}
