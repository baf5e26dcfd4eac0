package replay

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// kept is what files hold of one shard as of a commit: enough to go on with the next one as if there had been no break.
type kept struct {
	head  shardHead
	cores []keptCore
}

type shardHead struct {
	Partition int32                  `json:"partition"`
	CSN       int64                  `json:"csn"`
	Journal   int64                  `json:"journal"` // the offset of the next commit
	Next      map[string]int64       `json:"next"`    // of each input, by its full name
	Rules     json.RawMessage        `json:"rules,omitempty"`
	Knowledge sales.KnowledgeVersion `json:"knowledge,omitempty"`
	Judged    sales.Millis           `json:"judged,omitempty"` // when a warm-up is over
	Removed   int64                  `json:"removed,omitempty"`
	Sum       ShardReport            `json:"sum"`
	Done      bool                   `json:"done,omitempty"`
	Job       json.RawMessage        `json:"job,omitempty"`
	Cores     int                    `json:"cores"`
}

type keptCore struct {
	record    sales.ShardRecord
	items     []engine.ItemsRun
	customers map[string][]byte
}

// keep copies nothing: it must be written before the next commit is played.
func (w *walk) keep() (*kept, error) {
	if err := w.shadow.takeUp(); err != nil {
		return nil, err
	}
	job, err := json.Marshal(w.job.state())
	if err != nil {
		return nil, err
	}
	k := &kept{head: shardHead{Partition: w.p, CSN: w.journal.csn, Journal: w.journal.at.pos, Next: w.journal.next, Judged: w.judged,
		Removed: w.shadow.removed, Sum: w.sum, Done: w.done, Job: job}}
	if w.done || w.shadow.rules == "" {
		return k, nil
	}
	k.head.Rules, k.head.Knowledge = w.shadow.original.JSON(), w.shadow.views[0].known.Engine().Version
	k.head.Cores = len(w.shadow.cores)
	for _, c := range w.shadow.cores {
		k.cores = append(k.cores, keptCore{c.shard.Record(w.journal.csn, w.positions()), runs(c.shard.Items()), c.blobs})
	}
	return k, nil
}

// positions are those of the inputs that carry event times.
func (w *walk) positions() []sales.InputPosition {
	var at []sales.InputPosition
	for _, in := range intake.Inputs {
		name := w.h.topic(in.Topic)
		at = append(at, sales.InputPosition{Topic: name, Next: w.journal.next[name]})
	}
	return at
}

func runs(items *window.Items) []engine.ItemsRun {
	var list []engine.ItemsRun
	for first := 0; first < items.Len(); first += window.RunItems {
		list = append(list, engine.ItemsRun{First: int32(first), Run: items.AppendRun(first)})
	}
	return list
}

func (k *kept) write(f *frameWriter) {
	f.json(frameShard, k.head)
	for i := range k.cores {
		c := &k.cores[i]
		f.json(frameCore, c.record)
		for _, run := range c.items {
			f.frame(frameItems, append(binary.AppendUvarint(nil, uint64(run.First)), run.Run...))
		}
		var b []byte
		for _, id := range slices.Sorted(maps.Keys(c.customers)) {
			b = append(appendText(b[:0], id), c.customers[id]...)
			f.frame(frameCustomer, b)
		}
	}
}

// readKept gives what a file holds of each shard that is wanted. head is the payload of its frameHead.
func readKept(f *frameReader, wanted func(p int32) bool) (head []byte, shards map[int32]*kept, err error) {
	kind, head, err := f.next()
	if err != nil {
		return nil, nil, err
	}
	if kind != frameHead {
		return nil, nil, errDamaged
	}
	shards = map[int32]*kept{}
	var k *kept // nil: the shard is not wanted
	begun := false
	for {
		kind, payload, err := f.next()
		if err != nil {
			return nil, nil, err
		}
		switch kind {
		case frameEnd:
			return head, shards, nil
		case frameShard:
			begun, k = true, &kept{}
			if err := json.Unmarshal(payload, &k.head); err != nil {
				return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
			}
			if !wanted(k.head.Partition) {
				k = nil
				continue
			}
			if shards[k.head.Partition] != nil {
				return nil, nil, fmt.Errorf("%w: shard %d stands there twice", errDamaged, k.head.Partition)
			}
			shards[k.head.Partition] = k
		default:
			if !begun {
				return nil, nil, errDamaged
			}
			if k == nil {
				continue
			}
			if err := k.take(kind, payload); err != nil {
				return nil, nil, err
			}
		}
	}
}

// take reads one frame of the shard.
func (k *kept) take(kind byte, payload []byte) error {
	if kind == frameCore {
		c := keptCore{customers: map[string][]byte{}}
		if err := json.Unmarshal(payload, &c.record); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		k.cores = append(k.cores, c)
		return nil
	}
	if len(k.cores) == 0 {
		return errDamaged
	}
	c := &k.cores[len(k.cores)-1]
	switch kind {
	case frameItems:
		first, n := binary.Uvarint(payload)
		if n <= 0 || first > window.MaxItems {
			return errDamaged
		}
		c.items = append(c.items, engine.ItemsRun{First: int32(first), Run: payload[n:]})
	case frameCustomer:
		id, blob, err := cutText(payload)
		if err != nil {
			return err
		}
		c.customers[id] = blob
	default:
		return errDamaged
	}
	return nil
}

// restore makes the walk what it was when it was kept.
func (w *walk) restore(ctx context.Context, k *kept) error {
	h := k.head
	w.journal.csn, w.journal.at.pos = h.CSN, h.Journal
	if h.Next != nil {
		w.journal.next = h.Next
	}
	if h.Rules == nil {
		return nil // nothing was played yet
	}
	if h.Cores != len(k.cores) || len(k.cores) != len(w.shadow.cores) {
		return fmt.Errorf("%w: %d cores where there must be %d", errDamaged, len(k.cores), len(w.shadow.cores))
	}
	rules, err := engine.ParseRules(string(h.Rules))
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err := w.shadow.setRules(rules); err != nil {
		return err
	}
	w.shadow.removed = h.Removed
	for i, c := range w.shadow.cores {
		if err := c.restore(&k.cores[i]); err != nil {
			return err
		}
	}
	return w.shadow.learn(ctx, &sales.Journal{CSN: h.CSN, KnowledgeVersion: h.Knowledge})
}

func (c *core) restore(k *keptCore) error {
	items := window.NewItems()
	for _, run := range k.items {
		if err := items.AddRun(int(run.First), run.Run); err != nil {
			return errors.Join(errDamaged, err)
		}
	}
	var timers []engine.Timer
	for _, id := range slices.Sorted(maps.Keys(k.customers)) {
		customer, err := engine.DecodeCustomer(k.customers[id], items)
		if err != nil {
			return fmt.Errorf("%w: customer %q: %w", errDamaged, id, err)
		}
		if due := customer.Due(); due != (engine.Due{}) {
			timers = append(timers, engine.Timer{CustomerID: id, Due: due})
		}
	}
	c.blobs = k.customers
	if err := c.shard.Restore(&k.record, k.items, timers); err != nil {
		return errors.Join(errDamaged, err)
	}
	return nil
}
