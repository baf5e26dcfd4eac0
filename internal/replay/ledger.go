package replay

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
)

// item is one record that was said live, or that the replay would say.
type item struct {
	ID       string       `json:"id"` // under which the two are matched
	Customer string       `json:"customer"`
	Value    []byte       `json:"value"` // what is compared
	Offset   int64        `json:"offset,omitempty"`
	CSN      int64        `json:"csn,omitempty"`      // of the commit that was replayed
	At       sales.Millis `json:"at"`                 // when it was decided by the wall clock; of a live one, when it was written
	Unjudged bool         `json:"unjudged,omitempty"` // replayed: it is matched, but does not count
	Edge     bool         `json:"edge,omitempty"`     // replayed: of the commit that the topic's beginning cuts through
	Mended   bool         `json:"mended,omitempty"`   // live: a backfill wrote it
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
	scope *scope
	found *findings

	said, replayed map[string][]item // not matched
	cut            bool              // the topic's beginning is gone, and nothing has been matched yet
	sum            TopicReport
}

// commitTakes is how long after its batch's clock a commit may write at most: longer than a transaction can last.
const commitTakes = sales.Millis(60_000)

// kind is what a ledger must know of its records.
type kind interface {
	// item reads a live record; mine is false for one of another shard.
	item(ctx context.Context, rec *kgo.Record) (it item, mine bool, err error)
	same(ctx context.Context, a, b []byte) bool
	// counts tells whether the scope has it.
	counts(s *scope, it *item) bool
	// show renders a value as one JSON object.
	show(ctx context.Context, value []byte) []byte
}

func newLedger(topic string, p int32, live *cursor, until int64, k kind, s *scope, found *findings) *ledger {
	return &ledger{topic: topic, p: p, live: live, begin: live.pos, until: until, kind: k, scope: s, found: found, cut: live.pos > 0,
		said: map[string][]item{}, replayed: map[string][]item{}, sum: TopicReport{Topic: topic}}
}

// expect takes what a commit says in the replay, and reads as many live records.
func (l *ledger) expect(ctx context.Context, items []item) error {
	if l.cut && len(items) > 0 {
		before, err := l.beforeCut(ctx, items)
		if err != nil {
			return err
		}
		if before {
			l.sum.Gone += int64(len(items))
			return nil
		}
		for i := range items {
			items[i].Edge = true
		}
	}
	for _, it := range items {
		if live, ok := pop(l.said, it.ID); ok {
			l.compare(ctx, live, it)
		} else {
			l.replayed[it.ID] = append(l.replayed[it.ID], it)
		}
		if _, err := l.readOne(ctx, l.until); err != nil {
			return err
		}
	}
	return nil
}

// beforeCut tells whether what a commit says in the replay comes before the first record that retention has left.
func (l *ledger) beforeCut(ctx context.Context, items []item) (bool, error) {
	for {
		rec, err := l.live.peek(ctx, l.until)
		if rec == nil || err != nil {
			return true, err
		}
		first, mine, err := l.kind.item(ctx, rec)
		if err != nil {
			return false, err
		}
		switch {
		case mine && l.scope.warm: // the first one kept may be of a commit that is not played
			l.cut = first.At > items[0].At+commitTakes
			return l.cut, nil
		case mine:
			l.cut = !slices.ContainsFunc(items, func(it item) bool { return it.ID == first.ID })
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
		if again, ok := pop(l.replayed, it.ID); ok {
			l.compare(ctx, it, again)
		} else {
			l.said[it.ID] = append(l.said[it.ID], it)
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
			if it.Offset < l.until && l.kind.counts(l.scope, &it) {
				items = append(items, it)
			}
		}
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.Offset, b.Offset) })
	return items
}

// report gives what has found no match. A live record whose id another one has too was said twice.
func (l *ledger) report(ctx context.Context, opts []kgo.Opt) error {
	for _, id := range slices.Sorted(maps.Keys(l.replayed)) {
		for _, it := range l.replayed[id] {
			if it.Edge {
				l.sum.Gone++
				continue
			}
			if it.Unjudged || !l.kind.counts(l.scope, &it) {
				continue
			}
			l.found.add(onlyReplayed, l.topic, nil, Difference{Partition: l.p, ID: it.ID, Customer: it.Customer, CSN: it.CSN,
				Replayed: l.kind.show(ctx, it.Value)})
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
		why, d := onlyLive, Difference{Partition: l.p, ID: it.ID, Customer: it.Customer, Offset: it.Offset, Live: l.kind.show(ctx, it.Value)}
		var fields []string
		if before := first[it.ID]; before.Offset < it.Offset {
			why, d.Replayed = saidTwice, l.kind.show(ctx, before.Value)
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
		wanted[it.ID] = true
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
		if _, known := first[it.ID]; mine && wanted[it.ID] && !known {
			first[it.ID] = it
		}
	}
	return first, nil
}

func (l *ledger) compare(ctx context.Context, live, replayed item) {
	switch {
	case replayed.Unjudged:
		l.sum.Unjudged++
		return
	case !l.kind.counts(l.scope, &replayed):
		return
	}
	l.sum.Compared++
	if live.Mended {
		l.sum.Mended++
	}
	if bytes.Equal(live.Value, replayed.Value) || l.kind.same(ctx, live.Value, replayed.Value) {
		return
	}
	d := Difference{Partition: l.p, ID: live.ID, Customer: live.Customer, Offset: live.Offset, CSN: replayed.CSN,
		Live: l.kind.show(ctx, live.Value), Replayed: l.kind.show(ctx, replayed.Value)}
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

// savedLedger is where a ledger stands.
type savedLedger struct {
	Next     int64             `json:"next"` // offset of the live topic
	Cut      bool              `json:"cut,omitempty"`
	Sum      TopicReport       `json:"sum"`
	Said     map[string][]item `json:"said"`
	Replayed map[string][]item `json:"replayed"`
}

func (l *ledger) save() savedLedger {
	return savedLedger{Next: l.live.pos, Cut: l.cut, Sum: l.sum, Said: l.said, Replayed: l.replayed}
}

func (l *ledger) load(s savedLedger) {
	l.cut, l.sum = s.Cut || s.Next < l.begin, s.Sum // retention may have come further
	l.live.pos = max(s.Next, l.begin)
	if s.Said != nil && s.Replayed != nil {
		l.said, l.replayed = s.Said, s.Replayed
	}
}
