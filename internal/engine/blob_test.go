package engine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

func someItems(t interface{ Fatal(...any) }, n int) *window.Items {
	items := window.NewItems()
	for i := range n {
		if _, err := items.ID(window.Item{Category: fmt.Sprint("c", i)}); err != nil {
			t.Fatal(err)
		}
	}
	return items
}

func TestBlobRoundTrip(t *testing.T) {
	t.Parallel()
	items := someItems(t, 10)
	item := rapid.Map(rapid.IntRange(-1, 9), func(i int) window.ItemID { return window.ItemID(i) }) // −1 is NoItem
	day := rapid.Map(rapid.IntRange(19_990, 20_020), func(d int) sales.Day { return sales.Day(d) })
	maybe := rapid.OneOf(rapid.Just(sales.Day(0)), day)
	rapid.Check(t, func(t *rapid.T) {
		c := Customer{CSN: rapid.Int64Range(0, 1<<50).Draw(t, "csn"), Day: maybe.Draw(t, "day"), LookDay: maybe.Draw(t, "look"),
			OwnerID: rapid.String().Draw(t, "owner"), Contact: Consent(rapid.IntRange(0, 2).Draw(t, "contact"))}
		for kind := range sales.AlertKind(3) {
			if rapid.Bool().Draw(t, "open") {
				c.Open = append(c.Open, Episode{Kind: kind + 1, Event: rapid.Uint64Max(1<<40-1).Draw(t, "event"), From: item.Draw(t, "from"),
					To: item.Draw(t, "to"), Day: day.Draw(t, "opened"), ExpiryDay: maybe.Draw(t, "expires"), Score: rapid.Uint16().Draw(t, "score"), Code: rapid.Uint64().Draw(t, "code"),
					Suppressed: sales.Suppression(rapid.IntRange(0, 3).Draw(t, "why"))})
			}
		}
		for range rapid.IntRange(0, 4).Draw(t, "said") {
			said := Said{Kind: sales.AlertKind(rapid.IntRange(1, 3).Draw(t, "kind")), Capped: rapid.Bool().Draw(t, "capped"),
				Item: item.Draw(t, "item"), Day: day.Draw(t, "said on")}
			if said.Kind == sales.Declining {
				said.Event = rapid.Uint64Max(1<<40-1).Draw(t, "of the spell")
			}
			c.Said = append(c.Said, said)
		}
		for i := range rapid.IntRange(0, 9).Draw(t, "past") {
			c.Window.Add(day.Draw(t, "bought on"), window.ItemID(i), 1, 5)
		}
		c.Window.Add(20_021, 3, 1, 5)
		c.Window.Trim(20_020, rapid.IntRange(0, 40).Draw(t, "remembered"))
		count := rapid.Uint8()
		c.Lifetime = Lifetime{FirstDay: maybe.Draw(t, "first"), DaysEver: rapid.Uint32().Draw(t, "days"), Offered: count.Draw(t, "offered"),
			TakenUp: count.Draw(t, "taken up")}
		c.Pairs = rapid.Bool().Draw(t, "pairs")
		c.Rep = rapid.String().Draw(t, "rep")
		if rapid.Bool().Draw(t, "is of segments") {
			c.Segments = rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "segments")
		}
		for range rapid.IntRange(0, 3).Draw(t, "reports") {
			c.Reports = append(c.Reports, Report{Event: rapid.Uint64Max(1<<40-1).Draw(t, "report"), Result: Result(rapid.IntRange(0, 11).Draw(t, "result")),
				Undone: rapid.Bool().Draw(t, "undone"), Day: day.Draw(t, "reported on"), Kind: sales.AlertKind(rapid.IntRange(0, 3).Draw(t, "reported")),
				Item: item.Draw(t, "about"), Opened: day.Draw(t, "said on"), Until: maybe.Draw(t, "until"), Rep: rapid.String().Draw(t, "whom")})
			if r := &c.Reports[len(c.Reports)-1]; rapid.Bool().Draw(t, "ended") {
				r.Ended = &Episode{Kind: sales.Upsell, Event: 5, From: item.Draw(t, "from"), To: item.Draw(t, "to"), Day: day.Draw(t, "opened"), Score: 7, Updates: 31,
					Suppressed: sales.ByExpired, Code: rapid.Uint64().Draw(t, "code")}
			}
		}
		for range rapid.IntRange(0, mostWatched).Draw(t, "watched") {
			c.Watched = append(c.Watched, Watched{Item: item.Draw(t, "item"), Day: day.Draw(t, "watched from"), ExpiryDay: day.Draw(t, "until"), Code: rapid.Uint64().Draw(t, "code")})
		}
		blob := EncodeCustomer([]byte("before"), &c)[len("before"):]
		back, err := DecodeCustomer(blob, items)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, *back, cmp.AllowUnexported(window.Window{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-before +after):\n%s", diff)
		}
		if due, err := BlobDue(blob); err != nil || due != c.Due() {
			t.Fatalf("due at %v, %v, want %v", due, err, c.Due())
		}
	})
}

// FuzzDecodeCustomer makes the checksum right, as an attacker would: no payload makes decoding panic, and what decodes once decodes
// again to the same bytes.
func FuzzDecodeCustomer(f *testing.F) {
	items := someItems(f, 4)
	c := Customer{CSN: 9, Day: 20_000, LookDay: 20_007, OwnerID: "rep", Open: []Episode{{Kind: sales.CrossSell, From: 1, To: 2, Day: 20_000, ExpiryDay: 20_014}},
		Said: []Said{{Kind: sales.CrossSell, Item: 2, Day: 20_000}, {Kind: sales.Declining, Item: window.NoItem, Day: 19_990}}}
	c.Window.Add(20_000, 1, 2, 300)
	c.Window.AddOrder(window.Order{Day: 20_000, Event: 7, Number: 8})
	f.Add(byte(blobVersion), EncodeCustomer(nil, &c)[blobHeader:])
	f.Add(byte(blobVersion), EncodeCustomer(nil, &Customer{})[blobHeader:])
	for version := byte(blobV1); version <= blobVersion; version++ {
		golden, err := os.ReadFile(fmt.Sprintf("testdata/blob-v%d.bin", version))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(version, golden[blobHeader:])
	}
	f.Fuzz(func(t *testing.T, version byte, payload []byte) {
		blob := append([]byte{version, 0, 0, 0, 0}, payload...)
		binary.LittleEndian.PutUint32(blob[1:], crc32.Checksum(payload, castagnoli))
		c, err := DecodeCustomer(blob, items)
		if err != nil {
			return
		}
		once := EncodeCustomer(nil, c)
		back, err := DecodeCustomer(once, items)
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if again := EncodeCustomer(nil, back); string(again) != string(once) {
			t.Fatalf("%x became %x", once, again)
		}
		if due, err := BlobDue(blob); err != nil || due != c.Due() {
			t.Fatalf("due at %v, %v, want %v", due, err, c.Due())
		}
	})
}

// TestBlobSize holds what the projection was promised: 20 lines of groceries in seven orders, with an open offer and two things said, 21 lines
// of half a year before that and what else is told of the time before, fit into 316 bytes, which Redis stores in 320.
func TestBlobSize(t *testing.T) {
	t.Parallel()
	c := Customer{CSN: 123_456, Day: 20_500, LookDay: 20_505, OwnerID: "rep-17",
		Open: []Episode{{Kind: sales.CrossSell, From: 300, To: 900, Day: 20_495, ExpiryDay: 20_509, Score: 20_000}},
		Said: []Said{{Kind: sales.CrossSell, Item: 900, Day: 20_495}, {Kind: sales.CrossSell, Capped: true, Item: 700, Day: 20_498}}}
	c.Window.SetCurrency("USD")
	for order := -7; order < 7; order++ {
		day := sales.Day(20_340 + 25*order)
		id := fmt.Sprintf("cj-o-3119857%04d-%07d", order, order)
		c.Window.AddOrder(window.Order{Day: day, Event: window.EventHash(id), Number: window.OrderHash(id)})
		for line := range 3 - max(0, order)/6 {
			c.Window.Add(day, window.ItemID(137*(order+7)%500+400*line), 1+int64(line/2), int64(99+150*line))
		}
		c.Window.SetLast(window.Purchase{Event: window.EventHash(id), At: sales.Millis(day) * sales.DayMillis, Partition: 5, Offset: 76_000})
	}
	c.Window.Trim(20_339, 180)
	c.Lifetime = Lifetime{FirstDay: 19_800, DaysEver: 36, Offered: 5, TakenUp: 1}
	c.Pairs = true
	if n, past := len(c.Window.Lines()), len(c.Window.Past()); n != 20 || past != 21 {
		t.Fatalf("%d lines, %d items before", n, past)
	}
	if n := len(EncodeCustomer(nil, &c)); n > 316 {
		t.Errorf("%d bytes", n)
	} else {
		t.Logf("%d bytes", n)
	}
}
