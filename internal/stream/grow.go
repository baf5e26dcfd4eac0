package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/committed"
	"leadline/internal/promise"
	"leadline/internal/wire"
)

// GrowDeps is what Grow works with.
type GrowDeps struct {
	Decoder *wire.Decoder
	Encoder *wire.Encoder
	Alter   func(ctx context.Context, partitions int32) error // gives every topic of the shards, and their companions, so many partitions
	Log     *zap.Logger
}

// Growth is what Grow found and did.
type Growth struct {
	From, To  int32
	Customers int64 // in all
	Moved     int64 // of them, to another shard
	Profiles  int64 // records of the topic customers that went with them
	Unread    int64 // records that were sent meanwhile
	Before    bool  // it had been done before: this time everything was only looked at
}

// Grow makes the shards more: it alters the partition counts of their topics, and brings every customer's state to the shard that is
// the customer's from then on. No engine may be running, and all that was sent must have been read; both are checked. Dry, it only
// counts.
//
// All that it writes is one transaction: states under the new shards' dictionaries and tombstones where they were, shard records,
// journal, empty tallies, offsets. So whenever it dies, either nothing was moved or all; until all was, engines refuse to start, and
// calling it again completes it. At the end it reads the state back: every customer exactly once, at home, unchanged.
// Memory: every customer's blob, twice.
func Grow(ctx context.Context, cfg Config, to int32, dry bool, deps GrowDeps) (Growth, error) {
	cl, err := kgo.NewClient(slices.Concat(cfg.Kafka, []kgo.Opt{
		kgo.TransactionalID(cfg.growID()), kgo.TransactionTimeout(growTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(100 * time.Millisecond)})...)
	if err != nil {
		return Growth{}, fmt.Errorf("grow: %w", err)
	}
	defer cl.Close()
	g := &growth{cfg: cfg, names: names{cfg.Prefix}, deps: deps, cl: cl, adm: kadm.NewClient(cl), done: Growth{To: to}}
	if err := g.run(ctx, dry); err != nil {
		return g.done, fmt.Errorf("grow to %d partitions: %w", to, err)
	}
	return g.done, nil
}

// growTimeout is the longest that brokers let a transaction take, unless told otherwise.
const growTimeout = 15 * time.Minute

func (c *Config) growID() string { return c.Prefix + "leadline-grow" }

type growth struct {
	cfg   Config
	names names
	deps  GrowDeps
	cl    *kgo.Client
	adm   *kadm.Client
	done  Growth

	homes    []home              // by partition; as many as there were shards
	at       map[int32]fetched   // by partition: where the group stands
	profiles map[string]*profile // of the customers that move, by customer_id
	plan     []growCommit
}

func (g *growth) run(ctx context.Context, dry bool) error {
	if !dry {
		// This ends what an earlier one left open, and fences it: nothing changes behind what is read now.
		if err := producerID(ctx, g.cl); err != nil {
			return err
		}
	}
	grown, err := g.look(ctx)
	if err != nil {
		return err
	}
	if g.done.Before {
		return g.verify(ctx)
	}
	if err := g.quiet(ctx, grown); err != nil {
		return err
	}
	if err := g.readProfiles(ctx); err != nil {
		return err
	}
	if err := g.makePlan(); err != nil || dry {
		return err
	}
	if err := g.deps.Alter(ctx, g.done.To); err != nil {
		return err
	}
	if err := g.visible(ctx); err != nil {
		return err
	}
	before := g.at
	if err := g.quiet(ctx, true); err != nil {
		return err
	}
	for p, f := range before {
		if g.at[p] != f {
			return fmt.Errorf("an engine has worked on shard %d meanwhile: stop all engines, and do it again", p)
		}
	}
	if len(g.plan) > 0 {
		if err := g.write(ctx); err != nil {
			return err
		}
	}
	return g.verify(ctx)
}

// quiet learns where the group stands, and refuses if an engine is running or has not read everything. Once the topics have
// grown no engine can read any more: then what is left is read after the customers are at home.
func (g *growth) quiet(ctx context.Context, grown bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	groups, err := g.adm.DescribeGroups(ctx, g.cfg.group())
	if err == nil {
		err = groups.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("describe the group %s: %w", g.cfg.group(), err)
	}
	if n := len(groups[g.cfg.group()].Members); n > 0 {
		return fmt.Errorf("the group %s has %d engines: stop all, wait half a minute until it gives them up, then do it again", g.cfg.group(), n)
	}
	have, err := committed.Offsets(ctx, g.adm, g.cfg.group())
	if err != nil {
		return err
	}
	return g.stands(ctx, have, grown)
}

func (g *growth) stands(ctx context.Context, have kadm.OffsetResponses, grown bool) error {
	var topics []string
	for _, in := range inputs {
		topics = append(topics, g.names.topic(in.Topic))
	}
	starts, err := g.adm.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("starts of the inputs: %w", err)
	}
	ends, err := g.adm.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("ends of the inputs: %w", err)
	}
	g.at, g.done.Unread = map[int32]fetched{}, 0
	unread := ""
	for p := range int32(len(g.homes)) {
		var f fetched
		for i, topic := range topics {
			start, _ := starts.Lookup(topic, p)
			end, _ := ends.Lookup(topic, p)
			o, ok := have.Lookup(topic, p)
			if !ok || o.At < 0 {
				o.At = start.Offset // this shard never worked: what it has not done stands there
			}
			f.next[i] = o.At
			if i == purchasesInput {
				f.csn, _ = parseCSN(&o.Metadata)
			}
			if n := end.Offset - o.At; n > 0 {
				g.done.Unread += n
				unread = fmt.Sprintf("%s-%d ends at %d and was read up to %d", topic, p, end.Offset, o.At)
			}
		}
		if err := g.agrees(p, &f); err != nil {
			return err
		}
		g.at[p] = f
	}
	if unread != "" && !grown {
		return fmt.Errorf("%s: pause the producers, let an engine read the rest, stop it, then do it again", unread)
	}
	return nil
}

// agrees holds the group's offsets against the shard record.
func (g *growth) agrees(p int32, f *fetched) error {
	record := g.homes[p].record
	if record == nil && f.csn == 0 {
		return nil
	}
	if record == nil || record.CSN != f.csn {
		return promise.Break("run leadline state restore-offsets first", "the group's offsets of shard %d are not those of its last commit", p)
	}
	return f.agrees(p, g.names, record)
}
