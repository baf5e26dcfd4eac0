package engine

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// inWords is what a blob says, with the items' names: the same in every shard.
func inWords(t tb, blob []byte, items *window.Items) string {
	t.Helper()
	c, err := DecodeCustomer(blob, items)
	if err != nil {
		t.Fatalf("%v", err)
	}
	name := func(id window.ItemID) string {
		if id == window.NoItem {
			return "-"
		}
		return fmt.Sprint(items.Item(id))
	}
	var words []string
	for _, l := range c.Window.Lines() {
		words = append(words, fmt.Sprint("line ", l.Day, name(l.Item), l.Count, l.AmountMinor))
	}
	for _, x := range c.Window.Touches() {
		words = append(words, fmt.Sprint("touch ", x.Day, x.Kind, name(x.About), x.Count))
	}
	for _, p := range c.Window.Past() {
		words = append(words, fmt.Sprint("past ", name(p.Item), p.Days, p.Last))
	}
	slices.Sort(words) // within a day both stand by id
	for _, e := range c.Open {
		words = append(words, fmt.Sprint("open ", e.Kind, e.Event, name(e.From), name(e.To), e.Day, e.ExpiryDay, e.Score, e.Suppressed))
	}
	for _, s := range c.Said {
		words = append(words, fmt.Sprint("said ", s.Kind, s.Capped, name(s.Item), s.Day))
	}
	for _, w := range c.Watched {
		words = append(words, fmt.Sprint("watched ", name(w.Item), w.Day, w.ExpiryDay, w.Code))
	}
	words = append(words, fmt.Sprint(c.Window.Orders(), c.Window.Last(), c.Window.Currency(), c.Day, c.LookDay, c.OwnerID, c.Contact, c.Lifetime))
	return strings.Join(words, "\n")
}

// A customer is the same in the new shard, whatever that shard's dictionary holds and in whichever order.
func TestRehomedCustomerIsTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to := someItems(t, 40), window.NewItems()
		for _, i := range rapid.SliceOfDistinct(rapid.IntRange(0, 60), rapid.ID[int]).Draw(t, "known there") {
			if _, err := to.ID(window.Item{Category: fmt.Sprint("c", i)}); err != nil {
				t.Fatal(err)
			}
		}
		item := rapid.Map(rapid.IntRange(0, 39), func(i int) window.ItemID { return window.ItemID(i) })
		maybe := rapid.OneOf(rapid.Just(window.NoItem), item)
		day := rapid.Map(rapid.IntRange(20_000, 20_003), func(d int) sales.Day { return sales.Day(d) })
		c := Customer{CSN: 77, Day: 20_003, LookDay: 20_010, OwnerID: "rep", Contact: ConsentDenied}
		c.Open = []Episode{{Kind: sales.CrossSell, Event: 9, From: maybe.Draw(t, "from"), To: maybe.Draw(t, "to"), Day: 20_001, ExpiryDay: 20_015, Score: 4}}
		for range rapid.IntRange(0, 3).Draw(t, "said") {
			c.Said = append(c.Said, Said{Kind: sales.Upsell, Item: maybe.Draw(t, "item"), Day: 20_002})
		}
		for range rapid.IntRange(1, 30).Draw(t, "lines") {
			c.Window.Add(day.Draw(t, "day"), item.Draw(t, "bought"), 2, 300)
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "touches") {
			c.Window.AddTouch(day.Draw(t, "day"), 1, maybe.Draw(t, "about"), uint32(i))
		}
		c.Reports = []Report{{Event: 3, Result: Contacted, Day: 20_002, Kind: sales.CrossSell, Item: maybe.Draw(t, "reported"), Opened: 20_001},
			{Event: 4, Result: Lost, Day: 20_002, Kind: sales.CrossSell, Item: maybe.Draw(t, "lost"), Opened: 20_001,
				Ended: &Episode{Kind: sales.CrossSell, Event: 10, From: maybe.Draw(t, "ended from"), To: maybe.Draw(t, "ended to"), Day: 20_001}}}
		c.Watched = []Watched{{Item: item.Draw(t, "watched"), Day: 20_001, ExpiryDay: 20_015, Code: 9}}
		c.Window.AddOrder(window.Order{Day: 20_001, Event: 5, Number: 6})
		c.Window.Trim(rapid.SampledFrom([]sales.Day{0, 20_000}).Draw(t, "through"), 180)
		c.Lifetime = Lifetime{FirstDay: 19_000, DaysEver: 77, Offered: 5, TakenUp: 2}
		c.Pairs = true
		blob := EncodeCustomer(nil, &c)
		before := inWords(t, blob, from)
		moved, err := Rehome(blob, Home{Items: from}, Home{Items: to}, 3)
		if err != nil {
			t.Fatal(err)
		}
		if got := inWords(t, moved, to); got != before {
			t.Fatalf("was\n%s\nis\n%s", before, got)
		}
		if there, _ := DecodeCustomer(moved, to); there.CSN != 3 {
			t.Fatalf("is of commit %d, want 3", there.CSN)
		}
		if from.Len() != 40 {
			t.Fatalf("the old dictionary has %d items", from.Len())
		}
	})
}

// Wherever a customer's state names an item, translated must give it the id of the new dictionary: moving back would not notice one
// that it forgot.
func TestEveryItemOfACustomerIsTranslated(t *testing.T) {
	t.Parallel()
	var found []string
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		switch {
		case typ == reflect.TypeFor[window.ItemID]():
			found = append(found, path)
		case typ.Kind() == reflect.Struct:
			for i := range typ.NumField() {
				walk(path+"."+typ.Field(i).Name, typ.Field(i).Type)
			}
		case typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Array:
			walk(path, typ.Elem())
		case typ.Kind() == reflect.Map:
			walk(path, typ.Key())
			walk(path, typ.Elem())
		}
	}
	walk("", reflect.TypeFor[Customer]())
	want := []string{".Open.From", ".Open.To", ".Reports.Ended.From", ".Reports.Ended.To", ".Reports.Item", ".Said.Item", ".Watched.Item", ".Window.lines.Item", ".Window.past.Item", ".Window.touches.About"}
	if slices.Sort(found); !slices.Equal(found, want) {
		t.Errorf("items are at %v; translated and TestRehomedCustomerIsTheSame know %v", found, want)
	}
}

func TestRehomeRefusesWhatItCannotMove(t *testing.T) {
	t.Parallel()
	from, c := someItems(t, 2), Customer{Day: 20_000}
	c.Window.Add(20_000, 1, 1, 1)
	blob := EncodeCustomer(nil, &c)
	if _, err := Rehome(blob, Home{Items: from}, Home{Items: someItems(t, window.MaxItems)}, 1); err != nil {
		t.Errorf("the item is in the full dictionary: %v", err)
	}
	full := window.NewItems()
	for i := range window.MaxItems {
		if _, err := full.ID(window.Item{Category: fmt.Sprint("other", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Rehome(blob, Home{Items: from}, Home{Items: full}, 1); !errors.Is(err, window.ErrFull) {
		t.Errorf("into a full dictionary: %v", err)
	}
	blob[len(blob)-1]++
	if _, err := Rehome(blob, Home{Items: from}, Home{Items: window.NewItems()}, 1); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged blob: %v", err)
	}
}
