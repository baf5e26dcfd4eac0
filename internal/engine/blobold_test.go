package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// goldenCustomer is the one whose blobs are in testdata, each written by the last release of its version.
func goldenCustomer() *Customer {
	c := unwatchedGoldenCustomer()
	c.Watched = []Watched{{Item: 7, Day: 20_488, ExpiryDay: 20_502, Code: 1<<33 + 3}, {Item: 8, Day: 20_500, ExpiryDay: 20_514, Code: 3}}
	return c
}

// unwatchedGoldenCustomer is the one of version 3.
func unwatchedGoldenCustomer() *Customer {
	c := oldGoldenCustomer()
	c.Open[0].Code = 1<<40 + 5
	c.Window.Trim(20_420, 180)
	c.Lifetime = Lifetime{FirstDay: 19_000, DaysEver: 41, Offered: 7, TakenUp: 2}
	c.Pairs = true
	c.Open[1].Updates = 2
	c.Said = append(c.Said, Said{Kind: sales.Declining, Item: window.NoItem, Day: 20_489, Event: 78})
	c.Rep, c.Segments = "rep-8", []string{"age=25-34"}
	c.Reports = []Report{{Event: 88, Result: Snoozed, Day: 20_497, Kind: sales.Declining, Item: window.NoItem, Opened: 20_489, Until: 20_530, Rep: "rep-17"},
		{Event: 89, Result: Lost, Day: 20_498, Kind: sales.CrossSell, Item: 4, Opened: 20_484,
			Ended: &Episode{Kind: sales.CrossSell, Event: 79, From: 2, To: 4, Day: 20_484, ExpiryDay: 20_498, Score: 9, Code: 3}},
		{Event: 90, Undone: true, Day: 20_499, Item: window.NoItem}}
	return c
}

// oldGoldenCustomer is the one of versions 1 and 2, with what they did not say as it is read from them.
func oldGoldenCustomer() *Customer {
	c := &Customer{CSN: 123_456, Day: 20_500, LookDay: 20_505, OwnerID: "rep-17", Contact: ConsentDenied,
		Open: []Episode{{Kind: sales.CrossSell, Event: 77, From: 3, To: 9, Day: 20_495, ExpiryDay: 20_509, Score: 20_000},
			{Kind: sales.Declining, Event: 78, From: window.NoItem, To: window.NoItem, Day: 20_499, Suppressed: sales.ByHoldout}}}
	for i := range 9 {
		c.Said = append(c.Said, Said{Kind: sales.CrossSell, Capped: i%2 == 1, Item: window.ItemID(i), Day: sales.Day(20_480 + i)})
	}
	c.Window.SetCurrency("USD")
	for i := range 5 {
		day := sales.Day(20_400 + 20*i)
		c.Window.AddOrder(window.Order{Day: day, Event: uint64(1000 + i), Number: uint32(2000 + i)})
		c.Window.Add(day, window.ItemID(i), int64(1+i), int64(99+i))
		c.Window.Add(day, window.ItemID(i+3), 1, 0)
		c.Window.SetLast(window.Purchase{Event: uint64(1000 + i), At: sales.Millis(day)*sales.DayMillis + 5, Partition: 5, Offset: int64(76_000 + i)})
	}
	c.Window.AddOrder(window.Order{Day: 20_490, Refund: true, Event: 999})
	c.Lifetime = Lifetime{FirstDay: 20_400, DaysEver: 5}
	c.Window.AddTouch(20_470, 2, 4, 1234)
	c.Window.AddTouch(20_471, 1, window.NoItem, 1235)
	return c
}

// Blobs of all versions say the same, and today's is still written as it was.
func TestGoldenBlobs(t *testing.T) {
	t.Parallel()
	items := someItems(t, 10)
	current := EncodeCustomer(nil, goldenCustomer())
	for version, want := range map[byte]*Customer{1: oldGoldenCustomer(), 2: oldGoldenCustomer(), 3: unwatchedGoldenCustomer(), 4: goldenCustomer()} {
		name, today := fmt.Sprintf("testdata/blob-v%d.bin", version), EncodeCustomer(nil, want)
		blob, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := DecodeCustomer(blob, items)
		if err != nil || blob[0] != version {
			t.Fatalf("%s, of version %d: %v", name, blob[0], err)
		}
		if diff := gocmp.Diff(want, c, gocmp.AllowUnexported(window.Window{})); diff != "" {
			t.Errorf("%s (-want +read):\n%s", name, diff)
		}
		if up, err := Upgrade(blob, items); err != nil || !bytes.Equal(up, today) {
			t.Errorf("%s becomes %x, %v, want %x", name, up, err, today)
		}
		if due, err := BlobDue(blob); due != want.Due() || err != nil {
			t.Errorf("%s is due at %v, want %v: %v", name, due, want.Due(), err)
		}
	}
	if current[0] != blobVersion || blobVersion != 4 {
		t.Error("a new version needs a golden blob, and a reader of the one before")
	}
	current[0]++
	if _, err := DecodeCustomer(current, items); !errors.Is(err, ErrNewer) {
		t.Errorf("a blob of the next version: %v", err)
	}
}

// asV1 writes a customer without touches as version 1 did.
func asV1(c *Customer) []byte {
	dst := []byte{1, 0, 0, 0, 0}
	dst = binary.AppendUvarint(dst, uint64(c.CSN))
	dst = binary.AppendVarint(dst, int64(c.Day))
	dst = appendDay(dst, c.LookDay, c.Day)
	dst = append(binary.AppendUvarint(dst, uint64(len(c.OwnerID))), c.OwnerID...)
	dst = append(dst, byte(c.Contact), byte(len(c.Open)))
	for i := range c.Open {
		dst = appendEpisodeV2(dst, &c.Open[i], c.Day)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Said)))
	for _, s := range c.Said {
		capped := byte(0)
		if s.Capped {
			capped = 1
		}
		dst = binary.AppendUvarint(append(dst, byte(s.Kind)<<1|capped), uint64(s.Item+1))
		dst = binary.AppendVarint(dst, int64(c.Day-s.Day))
	}
	dst = windowAsV1(dst, &c.Window)
	binary.LittleEndian.PutUint32(dst[1:], crc32.Checksum(dst[blobHeader:], castagnoli))
	return dst
}

func windowAsV1(dst []byte, w *window.Window) []byte {
	dst = append(binary.AppendUvarint(dst, uint64(len(w.Currency()))), w.Currency()...)
	last := w.Last()
	dst = binary.AppendVarint(dst, int64(last.At))
	number := func(v uint64, n int) {
		for range n {
			dst = append(dst, byte(v))
			v >>= 8
		}
	}
	if last.At != 0 {
		number(last.Event, 5)
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(last.Partition)), uint64(last.Offset))
	}
	var days []sales.Day
	orders, refunds, lines := map[sales.Day][]window.Order{}, map[sales.Day][]window.Order{}, map[sales.Day][]window.Line{}
	day := func(d sales.Day) {
		if orders[d] == nil && refunds[d] == nil && lines[d] == nil {
			days = append(days, d)
		}
	}
	for _, o := range w.Orders() {
		day(o.Day)
		if o.Refund {
			refunds[o.Day] = append(refunds[o.Day], o)
		} else {
			orders[o.Day] = append(orders[o.Day], o)
		}
	}
	for _, l := range w.Lines() {
		day(l.Day)
		lines[l.Day] = append(lines[l.Day], l)
	}
	slices.Sort(days)
	dst = binary.AppendUvarint(dst, uint64(len(days)))
	previous := sales.Day(0)
	for _, d := range days {
		dst = binary.AppendVarint(dst, int64(d-previous))
		previous = d
		head := byte(min(len(lines[d]), 15)) | byte(min(len(orders[d]), 3))<<4
		if len(refunds[d]) > 0 {
			head |= 1 << 6
		}
		dst = append(dst, head)
		if n := len(lines[d]); n >= 15 {
			dst = binary.AppendUvarint(dst, uint64(n-15))
		}
		if n := len(orders[d]); n >= 3 {
			dst = binary.AppendUvarint(dst, uint64(n-3))
		}
		for _, o := range orders[d] {
			number(o.Event, 5)
			number(uint64(o.Number), 3)
		}
		if n := len(refunds[d]); n > 0 {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
		for _, o := range refunds[d] {
			number(o.Event, 5)
		}
		item := window.ItemID(0)
		for _, l := range lines[d] {
			if l.Count == 1 {
				dst = binary.AppendUvarint(dst, uint64(l.Item-item)<<1)
			} else {
				dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(l.Item-item)<<1|1), uint64(l.Count-2))
			}
			dst = binary.AppendUvarint(dst, uint64(l.AmountMinor))
			item = l.Item
		}
	}
	return append(dst, 0) // no recent touches
}

// A shard restored over a state of version 1 says what it says over the same state in today's version, and what it changes is of that. What
// version 1 could not tell (what was bought before the window, offers made, codes) is forgotten in both.
func TestGoesOnOverOldBlobs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		events := slices.DeleteFunc(worldEvents(t), func(e sales.Event) bool { return e.Kind == sales.TouchpointEvent })
		half := rapid.IntRange(0, len(events)).Draw(t, "half")
		old := restored(t, k, events[:half], func(c *Customer, _ *window.Items) []byte { return asV1(c) })
		today := restored(t, k, events[:half], func(c *Customer, items *window.Items) []byte {
			c, err := DecodeCustomer(asV1(c), items)
			if err != nil {
				t.Fatal(err)
			}
			return EncodeCustomer(nil, c)
		})
		for _, r := range []*rig{old, today} {
			r.step(events[half:], 0)
		}
		want := map[string]int64{} // of nobody who has not been written since anything is told
		for _, change := range old.decisions[0].Changes {
			c := old.shard.cache.entries[change.CustomerID].state
			c.CatchUp(old.shard.today(), &old.shard.rules)
			for pair := range dumbHoldings(old.shard, &c) {
				want[pair]++
			}
		}
		if diff := gocmp.Diff(want, heldByTallies(old.decisions)); diff != "" {
			t.Fatalf("since the old blobs (-held +told):\n%s", diff)
		}
		old.step(nil, endOfTime)
		today.step(nil, endOfTime)
		if diff := gocmp.Diff(today.decisions, old.decisions); diff != "" {
			t.Fatalf("(-over today's +over old blobs):\n%s", diff)
		}
	})
}

// restored is a rig that has taken in the events, and was begun anew over the blobs that become of its customers.
func restored(t *rapid.T, k *Knowledge, events []sales.Event, as func(*Customer, *window.Items) []byte) *rig {
	r := newRig(t, k)
	r.step(events, 0)
	r.project()
	record := r.shard.Record(r.csn, []sales.InputPosition{{Topic: "purchases"}, {Topic: "touchpoints"}})
	var runs []ItemsRun
	var timers []Timer
	for _, d := range r.decisions {
		runs = append(runs, d.NewItems...)
	}
	for id, blob := range r.blobs {
		c, err := DecodeCustomer(blob, r.shard.Items())
		if err != nil {
			t.Fatal(err)
		}
		r.blobs[id] = as(c, r.shard.Items())
		due, err := BlobDue(r.blobs[id])
		if err != nil {
			t.Fatal(err)
		}
		if due != (Due{}) {
			timers = append(timers, Timer{CustomerID: id, Due: due})
		}
	}
	r.shard = NewShard(r.shard.cfg)
	if err := r.shard.Restore(&record, runs, timers); err != nil {
		t.Fatal(err)
	}
	r.decisions = nil
	return r
}
