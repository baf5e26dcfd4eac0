package state

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"leadline/internal/engine"
)

// Options say where Redis is. One address is a single node, several are nodes of a cluster.
type Options struct {
	Addrs              []string
	Username, Password string
	TLS                *tls.Config // nil = plain
}

// Dial prepares a client; it connects when first used. Whoever dials closes.
func Dial(o Options) redis.UniversalClient {
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:      o.Addrs,
		Username:   o.Username,
		Password:   o.Password,
		TLSConfig:  o.TLS,
		ClientName: "leadline",
		// Deadlines come from the contexts; the plain timeouts only bound calls without one.
		ContextTimeoutEnabled: true,
		ReadTimeout:           10 * time.Second,
		WriteTimeout:          10 * time.Second,
		// Announcements of a hosted product; plain servers answer the request for them with an error at every connect.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// EachMaster works on every server of a client's that holds keys, on several of a cluster at once.
func EachMaster(ctx context.Context, client redis.UniversalClient, work func(context.Context, *redis.Client) error) error {
	switch c := client.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, work)
	case *redis.Client:
		return work(ctx, c)
	}
	return fmt.Errorf("%T is neither a single node nor a cluster", client)
}

// Redis is the projection in a Redis server or cluster. It may be used by many goroutines at once.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	metrics *metrics

	mu          sync.Mutex
	generations map[int32]int64 // last seen, so that one MGET can ask for meta and blobs at once
}

var _ Store = (*Redis)(nil)

// NewRedis keeps the shards of the tenant whose topics have the given prefix, which holds no braces since no topic's
// name does. The client stays the caller's.
func NewRedis(client redis.UniversalClient, prefix string) *Redis {
	return &Redis{client: client, prefix: prefix, metrics: newMetrics(), generations: make(map[int32]int64)}
}

// Register shows the store's metrics, leadline_state_….
func (r *Redis) Register(reg prometheus.Registerer) error { return r.metrics.register(reg) }

// Meta implements Store.
func (r *Redis) Meta(ctx context.Context, p int32) (m Meta, ok bool, err error) {
	defer r.metrics.time("meta")()
	k := shardKeys(r.prefix, p)
	s, err := r.client.Get(ctx, k.meta()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return Meta{}, false, fmt.Errorf("read meta of shard %d: %w", p, classify(err))
	}
	if m, err = decodeMeta(s); err != nil {
		return Meta{}, false, fmt.Errorf("read meta of shard %d: %w", p, err)
	}
	r.saw(p, m)
	return m, m != Meta{}, nil
}

// Load implements Store.
func (r *Redis) Load(ctx context.Context, p int32, ids []string) (Meta, [][]byte, error) {
	defer r.metrics.time("load")()
	k := shardKeys(r.prefix, p)
	var blobs [][]byte
	m, err := r.atGeneration(ctx, p, func(gen int64) (Meta, error) {
		names := make([]string, 1, len(ids)+1)
		names[0] = k.meta()
		for _, id := range ids {
			names = append(names, k.customers(gen)+id)
		}
		values, err := r.client.MGet(ctx, names...).Result()
		if err != nil {
			return Meta{}, err
		}
		head, _ := values[0].(string)
		blobs = blobsOf(values[1:])
		return decodeMeta(head)
	})
	if err != nil {
		return Meta{}, nil, fmt.Errorf("load %d customers of shard %d: %w", len(ids), p, classify(err))
	}
	if m == (Meta{}) {
		blobs = make([][]byte, len(ids))
	}
	r.metrics.keys.WithLabelValues("load").Add(float64(len(ids)))
	return m, blobs, nil
}

func blobsOf(values []any) [][]byte {
	blobs := make([][]byte, len(values))
	for i, v := range values {
		if s, ok := v.(string); ok {
			blobs[i] = []byte(s)
		}
	}
	return blobs
}

// Apply implements Store.
func (r *Redis) Apply(ctx context.Context, p int32, w Write) error {
	defer r.metrics.time("apply")()
	if err := w.check(); err != nil {
		return fmt.Errorf("apply to shard %d: %w", p, err)
	}
	k := shardKeys(r.prefix, p)
	have, done, err := r.write(ctx, k, guard{key: k.meta(), want: w.From.encode(), set: w.To.encode()}, w.To.Generation, w.Changes, w.ItemRuns)
	if err != nil {
		return fmt.Errorf("apply csn %d to shard %d: %w", w.To.CSN, p, err)
	}
	if !done && have != w.To.encode() {
		return r.refused(p, have)
	}
	r.saw(p, w.To)
	r.metrics.keys.WithLabelValues("apply").Add(float64(len(w.Changes)))
	return nil
}

// verdict reads a script's answer: 1 when it wrote, a string when its comparison failed.
func verdict(answer any, err error) (have string, done bool, _ error) {
	if err != nil {
		return "", false, classify(err)
	}
	have, refused := answer.(string)
	return have, !refused, nil
}

// Timers implements Store.
func (r *Redis) Timers(ctx context.Context, p int32, each func(engine.Timer) error) error {
	defer r.metrics.time("timers")()
	first, ok, err := r.Meta(ctx, p)
	if err != nil {
		return fmt.Errorf("read timers of shard %d: %w", p, err)
	}
	if !ok {
		return ErrRefused{}
	}
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		m, page, err := r.timerPage(ctx, p, first.Generation, &cursor)
		if err != nil {
			return fmt.Errorf("read timers of shard %d: %w", p, classify(err))
		}
		if m.Generation != first.Generation {
			return ErrRefused{Have: m}
		}
		for ; len(page) > 1; page = page[2:] {
			due, err := decodeDue(page[1])
			if err != nil {
				return fmt.Errorf("timer of customer %s: %w", page[0], err)
			}
			if err := each(engine.Timer{CustomerID: page[0], Due: due}); err != nil {
				return err
			}
		}
	}
	return nil
}

// timersAtOnce is about how long a page is, and bounds how long it occupies the server.
const timersAtOnce = 1000

// timerPage gives customers and what is due of them, one after the other, and moves the cursor on, which is 0 at the end.
func (r *Redis) timerPage(ctx context.Context, p int32, gen int64, cursor *uint64) (Meta, []string, error) {
	k := shardKeys(r.prefix, p)
	var head *redis.StringCmd
	var scan *redis.ScanCmd
	_, err := r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		head, scan = pipe.Get(ctx, k.meta()), pipe.HScan(ctx, k.timers(gen), *cursor, "", timersAtOnce)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return Meta{}, nil, err
	}
	var page []string
	page, *cursor = scan.Val()
	m, err := decodeMeta(head.Val())
	return m, page, err
}

// Items implements Store.
func (r *Redis) Items(ctx context.Context, p int32) ([]engine.ItemsRun, error) {
	defer r.metrics.time("items")()
	k := shardKeys(r.prefix, p)
	var list *redis.StringSliceCmd
	m, err := r.atGeneration(ctx, p, func(gen int64) (Meta, error) {
		var head *redis.StringCmd
		_, err := r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			head, list = pipe.Get(ctx, k.meta()), pipe.LRange(ctx, k.items(gen), 0, -1)
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return Meta{}, err
		}
		return decodeMeta(head.Val())
	})
	if err != nil {
		return nil, fmt.Errorf("read items of shard %d: %w", p, classify(err))
	}
	if m == (Meta{}) {
		return nil, ErrRefused{}
	}
	return decodeRuns(list.Val())
}

func decodeRuns(list []string) ([]engine.ItemsRun, error) {
	runs := make([]engine.ItemsRun, len(list))
	for i, s := range list {
		run, err := decodeRun(s)
		if err != nil {
			return nil, err
		}
		runs[i] = run
	}
	return runs, nil
}

// atGeneration runs read for the generation that was last seen, and again if its meta names another one. A zero meta
// ends it: there is nothing to read.
func (r *Redis) atGeneration(ctx context.Context, p int32, read func(gen int64) (Meta, error)) (Meta, error) {
	gen, ok := r.generation(p)
	if !ok {
		m, ok, err := r.Meta(ctx, p)
		if err != nil || !ok {
			return Meta{}, err
		}
		gen = m.Generation
	}
	for range 3 {
		m, err := read(gen)
		if err != nil {
			return Meta{}, err
		}
		r.saw(p, m)
		if m == (Meta{}) || m.Generation == gen {
			return m, nil
		}
		gen = m.Generation
	}
	return Meta{}, fmt.Errorf("shard %d changed its generation at each of three reads", p)
}

func (r *Redis) generation(p int32) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gen, ok := r.generations[p]
	return gen, ok
}

func (r *Redis) saw(p int32, m Meta) {
	if m == (Meta{}) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generations[p] = m.Generation
}

func (r *Redis) refused(p int32, have string) error {
	r.metrics.refused.Inc()
	m, err := decodeMeta(have)
	if err != nil {
		return fmt.Errorf("shard %d: %w", p, err)
	}
	r.saw(p, m)
	return ErrRefused{Have: m}
}

// classify marks as corrupt what no second try can mend: a key that holds another type.
func classify(err error) error {
	if strings.Contains(err.Error(), "WRONGTYPE") {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}
