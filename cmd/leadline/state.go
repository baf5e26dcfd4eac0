package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/app"
	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/topics"
	"leadline/internal/window"
	"leadline/internal/wire"
)

type stateCmd struct {
	Show           stateShowCmd      `cmd:"" help:"Show a customer's windows, open alerts and timer."`
	RestoreOffsets restoreOffsetsCmd `cmd:"" help:"After the engine group's offsets were lost or set by a tool: set them back to where the shards were. Stop all engines first."`
}

type restoreOffsetsCmd struct{}

// Run names each shard that was restored.
func (restoreOffsetsCmd) Run(ctx context.Context, p *process) error {
	c, log, err := p.logged()
	if err != nil {
		return err
	}
	restored, err := app.RestoreOffsets(ctx, c, log)
	for _, shard := range slices.Sorted(maps.Keys(restored)) {
		fmt.Fprintf(p.stdout, "shard %d is back at commit %d\n", shard, restored[shard])
	}
	if err == nil && len(restored) == 0 {
		fmt.Fprintln(p.stdout, "no shard has ever committed: there is nothing to restore")
	}
	return err
}

type stateShowCmd struct {
	Customer  string `arg:"" help:"The customer_id."`
	Changelog bool   `help:"Read the topic leadline.state instead of Redis: slower, and what Kafka has decided."`
	JSON      bool   `name:"json" help:"One JSON object."`
}

// kept is what was found of one customer, wherever it was found.
type kept struct {
	from       string
	partition  int32
	csn        int64     // of the shard, as far as the source has come
	today      sales.Day // to which the shard's time has come; 0: not known
	blob       []byte
	items      []engine.ItemsRun
	rebuilding bool
}

// Run fails when nothing is kept of the customer, so that a script can tell.
func (cmd stateShowCmd) Run(ctx context.Context, p *process) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	read := t.fromRedis
	if cmd.Changelog {
		read = t.fromChangelog
	}
	k, err := read(ctx, cmd.Customer)
	switch {
	case err != nil:
		return err
	case k.blob == nil && k.rebuilding:
		return fmt.Errorf("the projection of shard %d is being rebuilt: ask again soon, or use --changelog", k.partition)
	case k.blob == nil:
		return fmt.Errorf("nothing is kept of customer %s (shard %d, commit %d, %s)", cmd.Customer, k.partition, k.csn, k.from)
	}
	items := window.NewItems()
	for _, run := range k.items {
		if err := items.AddRun(int(run.First), run.Run); err != nil {
			return fmt.Errorf("item dictionary of shard %d: %w", k.partition, err)
		}
	}
	customer, err := engine.DecodeCustomer(k.blob, items)
	if err != nil {
		return fmt.Errorf("customer %s: %w", cmd.Customer, err)
	}
	view := newCustomerView(cmd.Customer, k, customer, items, t.config)
	if cmd.JSON {
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(view)
	}
	return view.print(p.stdout)
}

// shards asks Kafka how many partitions there are: a customer is looked for in the wrong shard otherwise.
func (t tool) shards(ctx context.Context) (int32, error) {
	name := t.config.TopicPrefix + "leadline.state"
	details, err := kadm.NewClient(t.Kafka).ListTopics(ctx, name)
	if err == nil {
		err = details[name].Err
	}
	if err != nil {
		return 0, offsetError(name, err)
	}
	return int32(len(details[name].Partitions)), nil
}

func (t tool) fromRedis(ctx context.Context, customer string) (kept, error) {
	n, err := t.shards(ctx)
	if err != nil {
		return kept{}, err
	}
	view, err := state.NewRedis(t.Redis, t.config.TopicPrefix).Customer(ctx, customer, n)
	k := kept{from: "redis", partition: view.Partition, csn: view.Meta.CSN, blob: view.Blob, items: view.Items, rebuilding: view.Rebuilding}
	if t.config.Clock == engine.Live { // only then is it the clock's day, and Redis does not tell
		k.today = sales.NewCalendar(t.config.BusinessTimeZone).Day(sales.Millis(time.Now().UnixMilli()))
	}
	return k, err
}

// fromChangelog plays the shard's whole partition, as a rebuild does.
func (t tool) fromChangelog(ctx context.Context, customer string) (kept, error) {
	n, err := t.shards(ctx)
	if err != nil {
		return kept{}, err
	}
	name := t.config.TopicPrefix + "leadline.state"
	parts, err := t.stretch(ctx, name, "start", 0)
	if err != nil {
		return kept{}, err
	}
	k := kept{from: "changelog", partition: wire.Partition([]byte(customer), n)}
	runs := map[string][]byte{}
	decoder := wire.NewDecoder(topics.NewSchemaSource(t.Registry))
	r := reader{options: t.Options, topic: name, parts: map[int32]committed.Span{k.partition: parts[k.partition]}, wanted: func(*kgo.Record) bool { return true }}
	_, err = r.untilEnd(ctx, func(rec *kgo.Record) (bool, error) {
		switch key := string(rec.Key); {
		case key == sales.ShardRecordKey:
			var shard sales.ShardRecord
			if err := decoder.ShardRecord(ctx, rec.Value, &shard); err != nil {
				return false, fmt.Errorf("shard record at %d: %w", rec.Offset, err)
			}
			k.csn, k.today = shard.CSN, sales.NewCalendar(t.config.BusinessTimeZone).Day(shard.Now)
		case strings.HasPrefix(key, sales.ItemsKeyPrefix):
			runs[key] = rec.Value
		case key == customer:
			k.blob = rec.Value
		}
		return true, nil
	})
	if err != nil {
		return kept{}, err
	}
	k.items, err = itemRuns(runs)
	return k, err
}

// itemRuns orders the dictionary's runs, whose keys end in their first index.
func itemRuns(byKey map[string][]byte) ([]engine.ItemsRun, error) {
	var runs []engine.ItemsRun
	for key, value := range byKey {
		var first int32
		if _, err := fmt.Sscanf(strings.TrimPrefix(key, sales.ItemsKeyPrefix), "%08x", &first); err != nil {
			return nil, errors.New("a run of the item dictionary has the key " + plain(key))
		}
		runs = append(runs, engine.ItemsRun{First: first, Run: value})
	}
	slices.SortFunc(runs, func(a, b engine.ItemsRun) int { return cmp.Compare(a.First, b.First) })
	return runs, nil
}
