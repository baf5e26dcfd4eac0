package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"leadline/internal/engine"
	"leadline/internal/wire"
)

// View is what a reader outside the shard's owner sees of one customer, read at one instant.
type View struct {
	Partition int32
	Meta      Meta   // zero when the shard has no projection at the moment
	Blob      []byte // nil = nothing is kept of the customer; engine.DecodeCustomer reads it, with Items
	Items     []engine.ItemsRun
	// Rebuilding says that the shard's owner is making a new generation: a missing Blob then means "not known yet",
	// never "none", and a present one may be behind.
	Rebuilding bool
}

// Customer reads one customer for the desk and the tools. Partitions is the count of the customer-keyed topics.
func (r *Redis) Customer(ctx context.Context, customerID string, partitions int32) (View, error) {
	defer r.metrics.time("customer")()
	p := wire.Partition([]byte(customerID), partitions)
	k := shardKeys(r.prefix, p)
	var head, blob, claim *redis.StringCmd
	var list *redis.StringSliceCmd
	read := func(gen int64) (Meta, error) {
		_, err := r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			head, claim = pipe.Get(ctx, k.meta()), pipe.Get(ctx, k.claim())
			blob, list = pipe.Get(ctx, k.customers(gen)+customerID), pipe.LRange(ctx, k.items(gen), 0, -1)
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return Meta{}, err
		}
		return decodeMeta(head.Val())
	}
	m, err := r.atGeneration(ctx, p, read)
	if err != nil {
		return View{}, fmt.Errorf("read customer %s: %w", customerID, classify(err))
	}
	if m == (Meta{}) {
		return View{Partition: p, Rebuilding: true}, nil
	}
	view := View{Partition: p, Meta: m, Rebuilding: rebuilding(claim.Val(), m)}
	if blob.Err() == nil {
		view.Blob = []byte(blob.Val())
	}
	if view.Items, err = decodeRuns(list.Val()); err != nil {
		return View{}, fmt.Errorf("read customer %s: %w", customerID, err)
	}
	return view, nil
}

// rebuilding is false for the claim that a finished rebuild keeps while it removes older generations.
func rebuilding(claim string, m Meta) bool {
	return claim != "" && claimedGeneration(claim) != strconv.FormatInt(m.Generation, 10)
}
