//go:build integration

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/reference"
	"leadline/internal/replay"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/window"
)

// settleWithin is how long the installation may take, once all is back, until it has read everything.
const settleWithin = 5 * time.Minute

var inputs = []string{"purchases", "touchpoints", "customers", "outcomes", "identities", "leadline.moves"}

// settled waits until the engines have committed all that was sent and Redis has all that was committed.
func (r *rig) settled(ctx context.Context, store *state.Redis) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	var why error
	for ctx.Err() == nil {
		if why = r.behind(ctx, store); why == nil {
			return nil
		}
		_ = pause(ctx, 300*time.Millisecond) // the loop looks at the context
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return fmt.Errorf("not settled within %s: %w", settleWithin, why)
}

// behind says what is still to be done.
func (r *rig) behind(ctx context.Context, store *state.Redis) error {
	var names []string
	for _, in := range inputs {
		names = append(names, prefix+in)
	}
	ends, err := r.admin.ListEndOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	have, err := committed.Offsets(ctx, r.admin, prefix+"leadline-engine")
	if err != nil {
		return err
	}
	ends.Each(func(end kadm.ListedOffset) {
		if at, ok := have.Lookup(end.Topic, end.Partition); !ok || at.At < end.Offset {
			err = fmt.Errorf("%s-%d is read to %d of %d", end.Topic, end.Partition, at.At, end.Offset)
		}
	})
	if err != nil {
		return err
	}
	return r.projected(ctx, have, store)
}

// projected says which shard's projection is not at the commit that the group's offsets name.
func (r *rig) projected(ctx context.Context, have kadm.OffsetResponses, store *state.Redis) error {
	for p := range int32(partitions) {
		meta, _, err := store.Meta(ctx, p)
		if err != nil {
			return err
		}
		at, _ := have.Lookup(prefix+"purchases", p)
		if want := fmt.Sprintf("csn:%d", meta.CSN); at.Metadata != want {
			return fmt.Errorf("shard %d is committed at %s, projected at %s", p, at.Metadata, want)
		}
	}
	return nil
}

// verdict is what became of a run. Each fault in it is one that must not be.
type verdict struct {
	alerts, suppressed, customers int
	records, timers               int64
	reference                     string // what was compared with the plain model, in words
	faults                        []string
}

func (v *verdict) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

// judge compares everything, once the engines have stopped.
func (r *rig) judge(ctx context.Context, store *state.Redis, crm *reader) (*verdict, error) {
	v := &verdict{}
	if err := r.judgeAlerts(ctx, v, crm); err != nil {
		return nil, err
	}
	if err := r.judgeProjection(ctx, v, store); err != nil {
		return nil, err
	}
	if err := r.judgeReplay(ctx, v); err != nil {
		return nil, err
	}
	return v, r.judgeReference(ctx, v)
}

// judgeReference leads the plain model along the journal, after proving that its ranges tile each input.
func (r *rig) judgeReference(ctx context.Context, v *verdict) error {
	report, err := reference.Verify(ctx, reference.Options{Kafka: r.kafkaOptions(), Prefix: prefix, Calendar: sales.NewCalendar(r.zone), Decoder: r.decoder})
	if err != nil {
		return err
	}
	v.reference = report.String()
	if report.Differences() > 0 {
		v.fault("the reference model says otherwise:\n%s", v.reference)
	}
	return nil
}

// judgeAlerts counts what is on the topics, and what the reader heard while all the faults happened.
func (r *rig) judgeAlerts(ctx context.Context, v *verdict, crm *reader) error {
	spans, err := committed.Whole(ctx, r.admin, alertTopics()...)
	if err != nil {
		return err
	}
	times := map[string]int{}
	err = committed.Read(ctx, r.kafkaOptions(), spans, func(rec *kgo.Record) error {
		var a sales.Alert
		if err := r.decoder.Alert(ctx, rec.Value, &a); err != nil {
			return err
		}
		times[said(&a)]++
		v.alerts++
		if a.SuppressedBy != sales.NotSuppressed {
			v.suppressed++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(times)) {
		if times[id] > 1 {
			v.fault("alert %s was decided %d times", id, times[id])
		}
	}
	return r.judgeReader(ctx, v, crm, times)
}

func (r *rig) judgeReader(ctx context.Context, v *verdict, crm *reader, times map[string]int) error {
	for end := time.Now().Add(30 * time.Second); crm.count() < v.alerts && time.Now().Before(end); {
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	crm.mu.Lock()
	defer crm.mu.Unlock()
	for id, n := range crm.heard {
		if n != times[id] {
			v.fault("a reader who was there all the time heard alert %s %d times, it is on the topics %d times", id, n, times[id])
		}
	}
	for id := range times {
		if crm.heard[id] == 0 {
			v.fault("a reader who was there all the time never heard alert %s", id)
		}
	}
	return nil
}

// shardState is what leadline.state holds of a shard.
type shardState struct {
	blobs map[string][]byte
	runs  []engine.ItemsRun
	items *window.Items
}

// judgeProjection holds Redis to leadline.state: every customer, the timers, the dictionary, and nothing besides.
func (r *rig) judgeProjection(ctx context.Context, v *verdict, store *state.Redis) error {
	shards, err := r.readState(ctx)
	if err != nil {
		return err
	}
	for p, s := range shards {
		v.customers += len(s.blobs)
		if err := r.judgeShard(ctx, v, store, int32(p), s); err != nil {
			return fmt.Errorf("projection of shard %d: %w", p, err)
		}
	}
	return nil
}

func (r *rig) readState(ctx context.Context) ([]shardState, error) {
	spans, err := committed.Whole(ctx, r.admin, prefix+"leadline.state")
	if err != nil {
		return nil, err
	}
	shards := make([]shardState, partitions)
	for p := range shards {
		shards[p] = shardState{blobs: map[string][]byte{}, items: window.NewItems()}
	}
	err = committed.Read(ctx, r.kafkaOptions(), spans, func(rec *kgo.Record) error {
		s := &shards[rec.Partition]
		if index, ok := strings.CutPrefix(string(rec.Key), sales.ItemsKeyPrefix); ok {
			var first int32
			if _, err := fmt.Sscanf(index, "%08x", &first); err != nil {
				return fmt.Errorf("key of a run: %w", err)
			}
			s.runs = append(s.runs, engine.ItemsRun{First: first, Run: rec.Value})
			return s.items.AddRun(int(first), rec.Value)
		}
		switch {
		case string(rec.Key) == sales.ShardRecordKey:
		case rec.Value == nil:
			delete(s.blobs, string(rec.Key))
		default:
			s.blobs[string(rec.Key)] = rec.Value
		}
		return nil
	})
	return shards, err
}

func (r *rig) judgeShard(ctx context.Context, v *verdict, store *state.Redis, p int32, s shardState) error {
	ids := slices.Sorted(maps.Keys(s.blobs))
	var meta state.Meta
	timers := map[string]engine.Due{}
	for part := range slices.Chunk(ids, 500) {
		m, blobs, err := store.Load(ctx, p, part)
		if err != nil {
			return err
		}
		meta = m
		for i, id := range part {
			if !bytes.Equal(blobs[i], s.blobs[id]) {
				v.fault("customer %s is another in Redis (%d bytes) than on leadline.state (%d bytes)", id, len(blobs[i]), len(s.blobs[id]))
			}
			c, err := engine.DecodeCustomer(s.blobs[id], s.items)
			if err != nil {
				return err
			}
			if due := c.Due(); due != (engine.Due{}) {
				timers[id] = due
			}
		}
	}
	keys, err := r.countKeys(ctx, fmt.Sprintf("{%s%d}%d:c:*", prefix, p, meta.Generation))
	if err != nil {
		return err
	}
	if keys != len(ids) {
		v.fault("shard %d has %d customers in Redis, %d on leadline.state", p, keys, len(ids))
	}
	runs, err := store.Items(ctx, p)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(runs, s.runs, func(a, b engine.ItemsRun) bool { return a.First == b.First && bytes.Equal(a.Run, b.Run) }) {
		v.fault("shard %d has another dictionary in Redis (%d runs) than on leadline.state (%d runs)", p, len(runs), len(s.runs))
	}
	armed := map[string]engine.Due{}
	err = store.Timers(ctx, p, func(t engine.Timer) error { armed[t.CustomerID] = t.Due; return nil })
	if err == nil && !maps.Equal(armed, timers) {
		v.fault("shard %d has other timers in Redis (%d) than follow from leadline.state (%d)", p, len(armed), len(timers))
	}
	return err
}

// countKeys counts keys by pattern on all servers.
func (r *rig) countKeys(ctx context.Context, pattern string) (n int, err error) {
	pattern = strings.NewReplacer("[", "\\[").Replace(pattern)
	for _, client := range r.redises {
		seen := map[string]bool{}
		found := client.Scan(ctx, 0, pattern, 1000).Iterator()
		for found.Next(ctx) {
			seen[found.Val()] = true
		}
		if err := found.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return 0, err
		}
		n += len(seen)
	}
	return n, nil
}

// judgeReplay takes all decisions again with the built binary.
func (r *rig) judgeReplay(ctx context.Context, v *verdict) error {
	var stdout, stderr bytes.Buffer
	cmd := r.command("replay", "verify", "--json")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ended := cmd.Run()
	var report replay.Report
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		return fmt.Errorf("replay verify: %w\n%s", errors.Join(ended, err), stderr.String())
	}
	for _, s := range report.Shards {
		v.records += s.Records
		v.timers += s.Timers
		if s.Stopped != "" {
			v.fault("replay verify: shard %d: %s", s.Partition, s.Stopped)
		}
	}
	if !report.Verified {
		var text strings.Builder
		if err := report.WriteText(&text); err != nil {
			return err
		}
		v.fault("replay verify:\n%s", text.String())
	}
	return context.Cause(ctx)
}
