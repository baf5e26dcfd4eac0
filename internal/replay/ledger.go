package replay

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// item is one record that was said live, or that the replay would say.
type item struct {
	id       string // under which the two are matched
	customer string
	value    []byte // what is compared
	offset   int64  // in the live topic
	csn      int64  // of the commit that was replayed
}

// ledger holds one output topic's partition against what the replay says. Both come in the order of the commits, so that it keeps only
// what has no match yet.
type ledger struct {
	topic string // without prefix
	p     int32
	live  *cursor
	begin int64
	until int64 // live records before belong to commits that are played
	kind  kind
	found *findings

	said, replayed map[string][]item // not matched
	cut            bool              // the topic's beginning is gone, and nothing has been matched yet
	matched        int64
	beyond         int64 // replayed, and older than what the topic still holds
}

// kind is what a ledger must know of its records.
type kind interface {
	// item reads a live record; mine is false for one of another shard.
	item(ctx context.Context, rec *kgo.Record) (it item, mine bool, err error)
	same(ctx context.Context, a, b []byte) bool
	// show renders a value as one JSON object.
	show(ctx context.Context, value []byte) []byte
}

func newLedger(topic string, p int32, live *cursor, until int64, k kind, found *findings) *ledger {
	return &ledger{topic: topic, p: p, live: live, begin: live.pos, until: until, kind: k, found: found, cut: live.pos > 0,
		said: map[string][]item{}, replayed: map[string][]item{}}
}

// expect takes what the replay says, and reads as many live records.
func (l *ledger) expect(ctx context.Context, items []item) error {
	for _, it := range items {
		if l.cut {
			before, err := l.beforeCut(ctx, it.id)
			if err != nil {
				return err
			}
			if before {
				l.beyond++
				continue
			}
		}
		if live, ok := pop(l.said, it.id); ok {
			l.compare(ctx, live, it)
		} else {
			l.replayed[it.id] = append(l.replayed[it.id], it)
		}
		if _, err := l.readOne(ctx, l.until); err != nil {
			return err
		}
	}
	return nil
}

// beforeCut tells whether what the replay says comes before the first record that retention has left.
func (l *ledger) beforeCut(ctx context.Context, id string) (bool, error) {
	for {
		rec, err := l.live.peek(ctx, l.until)
		if rec == nil || err != nil {
			return true, err
		}
		first, mine, err := l.kind.item(ctx, rec)
		if err != nil {
			return false, err
		}
		if mine {
			l.cut = first.id != id
			return l.cut, nil
		}
		l.live.take()
	}
}

// readOne reads the next live record of this shard and matches it; false when there is none before the limit.
func (l *ledger) readOne(ctx context.Context, limit int64) (bool, error) {
	for {
		rec, err := l.live.next(ctx, limit)
		if rec == nil || err != nil {
			return false, err
		}
		it, mine, err := l.kind.item(ctx, rec)
		if err != nil {
			return false, err
		}
		if !mine {
			continue
		}
		if again, ok := pop(l.replayed, it.id); ok {
			l.compare(ctx, it, again)
		} else {
			l.said[it.id] = append(l.said[it.id], it)
		}
		return true, nil
	}
}

// settle reads all live records that belong to the commits played: those before until, and as long as something is missing those
// that were committed since, up to end.
func (l *ledger) settle(ctx context.Context, end int64) error {
	for _, limit := range []int64{l.until, end} {
		for limit == l.until || len(l.replayed) > 0 {
			more, err := l.readOne(ctx, limit)
			if err != nil {
				return err
			}
			if !more {
				break
			}
		}
	}
	return nil
}

// extra lists the live records that no commit played has said, in their order.
func (l *ledger) extra() []item {
	var items []item
	for _, its := range l.said {
		for _, it := range its {
			if it.offset < l.until {
				items = append(items, it)
			}
		}
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.offset, b.offset) })
	return items
}

// report gives what has found no match. A live record whose id another one has too was said twice.
func (l *ledger) report(ctx context.Context, opts []kgo.Opt) error {
	for _, id := range slices.Sorted(maps.Keys(l.replayed)) {
		for _, it := range l.replayed[id] {
			l.found.add(onlyReplayed, l.topic, nil, Difference{Partition: l.p, ID: it.id, Customer: it.customer, CSN: it.csn,
				Replayed: l.kind.show(ctx, it.value)})
		}
	}
	extra := l.extra()
	if len(extra) == 0 {
		return nil
	}
	first, err := l.firsts(ctx, opts, extra)
	if err != nil {
		return err
	}
	for _, it := range extra {
		why, d := onlyLive, Difference{Partition: l.p, ID: it.id, Customer: it.customer, Offset: it.offset, Live: l.kind.show(ctx, it.value)}
		var fields []string
		if before := first[it.id]; before.offset < it.offset {
			why, d.Replayed = saidTwice, l.kind.show(ctx, before.value)
			fields = fieldsThatDiffer(d.Live, d.Replayed)
		}
		l.found.add(why, l.topic, fields, d)
	}
	return nil
}

// firsts reads the topic once more and finds the first record of each id.
func (l *ledger) firsts(ctx context.Context, opts []kgo.Opt, of []item) (map[string]item, error) {
	wanted, first := map[string]bool{}, map[string]item{}
	for _, it := range of {
		wanted[it.id] = true
	}
	again := &cursor{opts: opts, topic: l.live.topic, p: l.live.p, pos: l.begin}
	defer again.close()
	for len(first) < len(wanted) {
		rec, err := again.next(ctx, l.until)
		if rec == nil || err != nil {
			return first, err
		}
		it, mine, err := l.kind.item(ctx, rec)
		if err != nil {
			return nil, err
		}
		if _, known := first[it.id]; mine && wanted[it.id] && !known {
			first[it.id] = it
		}
	}
	return first, nil
}

func (l *ledger) compare(ctx context.Context, live, replayed item) {
	l.matched++
	if bytes.Equal(live.value, replayed.value) || l.kind.same(ctx, live.value, replayed.value) {
		return
	}
	d := Difference{Partition: l.p, ID: live.id, Customer: live.customer, Offset: live.offset, CSN: replayed.csn,
		Live: l.kind.show(ctx, live.value), Replayed: l.kind.show(ctx, replayed.value)}
	l.found.add(different, l.topic, fieldsThatDiffer(d.Live, d.Replayed), d)
}

func pop(m map[string][]item, id string) (item, bool) {
	items := m[id]
	if len(items) == 0 {
		return item{}, false
	}
	if len(items) == 1 {
		delete(m, id)
	} else {
		m[id] = items[1:]
	}
	return items[0], true
}
