package replay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// states is leadline.state of one shard as of the last commit played, as far as the topic still tells: it is compacted, so a customer
// who has changed since is only known by the later state.
type states struct {
	shadow *Shadow
	csn    int64 // of the last commit played
	items  *window.Items
	last   map[string]placed  // of each customer, up to that commit
	since  map[string]bool    // customers who have changed after it
	erased []*kgo.Record      // tombstones, until a shard record tells their commit
	record *sales.ShardRecord // of the last commit played, nil when compaction has removed it
	only   map[string]bool    // customers who are asked about, nil for all
	found  *findings
}

// placed is a customer's blob, nil when it was erased, and its offset.
type placed struct {
	blob   []byte
	offset int64
}

func newStates(s *Shadow, csn int64, only map[string]bool, found *findings) *states {
	return &states{shadow: s, csn: csn, only: only, items: window.NewItems(), last: map[string]placed{}, since: map[string]bool{}, found: found}
}

// read takes one record of the topic in.
func (st *states) read(ctx context.Context, rec *kgo.Record) error {
	key := string(rec.Key)
	switch {
	case key == sales.ShardRecordKey:
		return st.takeRecord(ctx, rec)
	case strings.HasPrefix(key, sales.ItemsKeyPrefix):
		return st.takeItems(key, rec)
	case rec.Value == nil:
		st.erased = append(st.erased, rec)
		return nil
	}
	c, err := engine.DecodeCustomer(rec.Value, st.items)
	if err == nil && c.CSN > st.csn {
		st.since[key] = true
		return nil
	}
	blob := rec.Value // one that cannot be read differs from any that can
	if own, _ := st.shadow.blob(key); bytes.Equal(own, blob) {
		blob = own // kept once
	}
	st.last[key] = placed{blob, rec.Offset}
	return nil
}

func (st *states) takeItems(key string, rec *kgo.Record) error {
	var first int
	if _, err := fmt.Sscanf(strings.TrimPrefix(key, sales.ItemsKeyPrefix), "%08x", &first); err != nil {
		return fmt.Errorf("key %q of a run of the dictionary at %d: %w", key, rec.Offset, err)
	}
	if err := st.items.AddRun(first, rec.Value); err != nil {
		return fmt.Errorf("run of the dictionary at %d: %w", rec.Offset, err)
	}
	return nil
}

// takeRecord ends a commit, or after compaction several.
func (st *states) takeRecord(ctx context.Context, rec *kgo.Record) error {
	var shard sales.ShardRecord
	if err := st.shadow.o.Decoder.ShardRecord(ctx, rec.Value, &shard); err != nil {
		return fmt.Errorf("shard record at %d: %w", rec.Offset, err)
	}
	for _, gone := range st.erased {
		key := string(gone.Key)
		switch {
		case shard.CSN > st.csn:
			st.since[key] = true
		case st.last[key].offset < gone.Offset:
			st.last[key] = placed{nil, gone.Offset}
		}
	}
	st.erased = nil
	if shard.CSN == st.csn {
		st.record = &shard
	}
	return nil
}

// compare reports the customers whose state is not the shadow's, and the shard record if it is not. It gives how many customers were
// compared, and how many have changed since.
func (st *states) compare(read map[string]int64) (compared, moved int64) {
	names := maps.Clone(st.since)
	for name := range st.last {
		names[name] = true
	}
	for _, c := range st.shadow.cores {
		for name := range c.blobs {
			names[name] = true
		}
	}
	if st.only != nil {
		maps.DeleteFunc(names, func(name string, _ bool) bool { return !st.only[name] })
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if st.since[name] {
			moved++
			continue
		}
		compared++
		own, of := st.shadow.blob(name)
		st.compareOne(name, st.last[name], own, of.shard.Items())
	}
	st.compareRecord(read)
	return compared, moved
}

func (st *states) compareOne(name string, live placed, replayed []byte, items *window.Items) {
	d := Difference{Partition: st.shadow.p, ID: name, Customer: name, Offset: live.offset, CSN: st.csn}
	if live.blob != nil && replayed != nil { // the live one perhaps by a release before this one
		if was, is, err := engine.Alike(live.blob, st.items, replayed, items); err == nil {
			live.blob, replayed = was, is
		}
	}
	switch {
	case bytes.Equal(live.blob, replayed):
		return
	case live.blob == nil:
		d.Replayed = showBlob(replayed, items)
		st.found.add(onlyReplayed, stateTopic, nil, d)
	case replayed == nil:
		d.Live = showBlob(live.blob, st.items)
		st.found.add(onlyLive, stateTopic, nil, d)
	default:
		d.Live, d.Replayed = showBlob(live.blob, st.items), showBlob(replayed, items)
		if _, err := engine.DecodeCustomer(live.blob, st.items); err != nil {
			st.found.add(unreadable, stateTopic, nil, d)
			return
		}
		if st.shadow.divide > 0 && bytes.Equal(d.Live, d.Replayed) {
			return // each dictionary has its own numbers
		}
		st.found.add(different, stateTopic, fieldsThatDiffer(d.Live, d.Replayed), d)
	}
}

// compareRecord holds the shard record against the shadow's. The position of an input that was never read stays as it is.
func (st *states) compareRecord(read map[string]int64) {
	if st.record == nil || st.shadow.divide > 0 || st.only != nil {
		return
	}
	at := slices.Clone(st.record.Inputs)
	for i := range at {
		at[i].Newest = 0
		if next, ok := read[at[i].Topic]; ok {
			at[i].Next = next
		}
	}
	own := st.shadow.cores[0].shard.Record(st.csn, at)
	if own.Partitions = st.record.Partitions; own.Partitions != 0 { // 0: of a release that did not say
		own.Partitions = st.shadow.reader.Partitions
	}
	if st.record.LinkLevel == "" {
		own.LinkLevel = ""
	}
	if st.record.RulesHash == "" { // of a growth, which is under no rules
		own.RulesHash = ""
	}
	if reflect.DeepEqual(*st.record, own) {
		return
	}
	d := Difference{Partition: st.shadow.p, ID: "shard record", CSN: st.csn, Live: plainJSON(st.record), Replayed: plainJSON(own)}
	st.found.add(different, stateTopic, fieldsThatDiffer(d.Live, d.Replayed), d)
}

// showBlob renders a customer's state in names, not in a dictionary's numbers.
func showBlob(blob []byte, items *window.Items) []byte {
	c, err := engine.DecodeCustomer(blob, items)
	if err != nil {
		return quoted(blob)
	}
	name := func(id window.ItemID) string {
		if id == window.NoItem {
			return ""
		}
		it := items.Item(id)
		return fmt.Sprintf("%s/%s/%d", it.Category, it.Type, it.Tier)
	}
	type line struct {
		Day         string `json:"day"`
		Category    string `json:"category"`
		Type        string `json:"type"`
		Count       int64  `json:"count"`
		AmountMinor int64  `json:"amount_minor"`
	}
	type named struct {
		What     any    `json:"what"`
		From, To string `json:",omitempty"`
	}
	w := &c.Window
	lines := []line{}
	for _, l := range w.Lines() {
		it := items.Item(l.Item)
		lines = append(lines, line{l.Day.String(), it.Category, it.Type, l.Count, l.AmountMinor})
	}
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.Count, b.Count), cmp.Compare(a.AmountMinor, b.AmountMinor))
	})
	var open, said, reports, touches, past []named
	for _, e := range c.Open {
		from, to := name(e.From), name(e.To)
		e.From, e.To = 0, 0
		open = append(open, named{e, from, to})
	}
	for _, s := range c.Said {
		to := name(s.Item)
		s.Item = 0
		said = append(said, named{What: s, To: to})
	}
	for _, r := range c.Reports {
		to := name(r.Item)
		r.Item = 0
		if r.Ended != nil {
			ended := *r.Ended
			to += " after " + name(ended.From)
			ended.From, ended.To = 0, 0
			r.Ended = &ended
		}
		reports = append(reports, named{What: r, To: to})
	}
	for _, t := range w.Touches() {
		about := name(t.About)
		t.About = 0
		touches = append(touches, named{What: t, To: about})
	}
	for _, p := range w.Past() {
		of := name(p.Item)
		p.Item = 0
		past = append(past, named{What: p, To: of})
	}
	slices.SortFunc(past, func(a, b named) int { return cmp.Compare(a.To, b.To) })
	return plainJSON(map[string]any{"csn": c.CSN, "day": c.Day.String(), "look_day": c.LookDay.String(), "owner_id": c.OwnerID, "rep_id": c.Rep, "contact": c.Contact,
		"open": open, "said": said, "reports": reports, "lines": lines, "orders": w.Orders(), "touches": touches, "last": w.Last(),
		"past": past, "lifetime": c.Lifetime, "pairs": c.Pairs})
}

func plainJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // plain data always can be
	}
	return text
}
