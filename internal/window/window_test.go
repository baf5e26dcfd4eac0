package window_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// deed is one thing that happened to a customer.
type deed struct {
	day    sales.Day
	event  string
	order  string
	refund bool
	item   window.ItemID
	count  int64
	amount int64
}

// dumb keeps all deeds in a list and goes through it anew for each question.
type dumb struct {
	deeds   []deed
	trimmed sales.Day
}

func (d *dumb) seen(event string) bool {
	return slices.ContainsFunc(d.deeds, func(x deed) bool { return x.event == event && x.day > d.trimmed })
}

// lines replays the deeds: refunds take from the day of their order, else from their own, and never below zero.
func (d *dumb) lines() []window.Line {
	type key struct {
		day  sales.Day
		item window.ItemID
	}
	sums := map[key]window.Line{}
	for i, x := range d.deeds {
		day := x.day
		if x.refund {
			for _, o := range d.deeds[:i] {
				if !o.refund && o.order == x.order {
					day = o.day
				}
			}
		}
		k := key{day, x.item}
		l := sums[k]
		switch {
		case !x.refund:
			sums[k] = window.Line{Day: day, Item: x.item, Count: l.Count + x.count, AmountMinor: l.AmountMinor + x.amount}
		case l.Count <= x.count:
			delete(sums, k)
		default:
			sums[k] = window.Line{Day: day, Item: x.item, Count: l.Count - x.count, AmountMinor: max(0, l.AmountMinor-x.amount)}
		}
	}
	var lines []window.Line
	for _, l := range sums {
		if l.Day > d.trimmed {
			lines = append(lines, l)
		}
	}
	slices.SortFunc(lines, func(a, b window.Line) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Item, b.Item)) })
	return lines
}

// do plays a deed on the window as the engine does.
func do(w *window.Window, x deed) {
	day := x.day
	trace := window.Order{Day: x.day, Event: window.EventHash(x.event), Refund: x.refund}
	if x.refund {
		if of, ok := w.OrderDay(window.OrderHash(x.order)); ok {
			day = of
		}
		w.TakeBack(day, x.item, x.count, x.amount)
	} else {
		trace.Number = window.OrderHash(x.order)
		w.Add(day, x.item, x.count, x.amount)
	}
	w.AddOrder(trace)
}

// fiveItems is a dictionary of two categories.
func fiveItems(t interface{ Fatal(...any) }) *window.Items {
	items := window.NewItems()
	for i := range 5 {
		if _, err := items.ID(window.Item{Category: fmt.Sprint("c", i%2), Type: fmt.Sprint("t", i), Tier: int32(i)}); err != nil {
			t.Fatal(err)
		}
	}
	return items
}

// TestAgainstDumb compares every question with the list of deeds, before and after an encoding.
func TestAgainstDumb(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		items := fiveItems(t)
		w, d := &window.Window{}, dumb{trimmed: -1}
		spread := rapid.SampledFrom([]int{1, 1, 5}).Draw(t, "spread")
		for i := range rapid.IntRange(0, 60).Draw(t, "deeds") {
			x := deed{day: sales.Day(20_000 + rapid.IntRange(0, 30).Draw(t, "day")*spread), event: fmt.Sprint("e", i),
				order: fmt.Sprint("o", i), item: window.ItemID(rapid.IntRange(0, 4).Draw(t, "item")),
				count: rapid.Int64Range(1, 3).Draw(t, "count"), amount: rapid.Int64Range(0, 1<<40).Draw(t, "amount")}
			if x.refund = rapid.IntRange(0, 3).Draw(t, "refund") == 0; x.refund {
				x.order = fmt.Sprint("o", rapid.IntRange(0, 60).Draw(t, "of"))
			}
			do(w, x)
			d.deeds = append(d.deeds, x)
		}
		if rapid.Bool().Draw(t, "trims") {
			d.trimmed = sales.Day(rapid.IntRange(19_999, 20_000+31*spread).Draw(t, "through"))
			w.Trim(d.trimmed, 180)
		}
		same(t, w, &d, items)
		back, rest, err := window.Decode(append(w.Append(nil), "rest"...), items)
		if err != nil || string(rest) != "rest" {
			t.Fatalf("decode: %v, rest %q", err, rest)
		}
		same(t, back, &d, items)
		if again := back.Append(nil); string(again) != string(w.Append(nil)) {
			t.Fatalf("encoded again as %x, was %x", again, w.Append(nil))
		}
	})
}

func same(t *rapid.T, w *window.Window, d *dumb, items *window.Items) {
	lines := d.lines()
	if diff := gocmp.Diff(lines, append([]window.Line(nil), w.Lines()...)); diff != "" {
		t.Fatalf("lines (-dumb +window):\n%s", diff)
	}
	for i := range 61 {
		if event := fmt.Sprint("e", i); w.Seen(window.EventHash(event)) != d.seen(event) {
			t.Fatalf("seen %s: %v", event, !d.seen(event))
		}
	}
	after := sales.Day(rapid.IntRange(19_998, 20_030).Draw(t, "after"))
	upTo := sales.Day(rapid.IntRange(19_998, 20_030).Draw(t, "upTo"))
	days, orders := map[sales.Day]bool{}, 0
	sums := map[string]window.Sum{}
	for _, l := range lines {
		if l.Day > after && l.Day <= upTo {
			days[l.Day] = true
			name := items.Item(l.Item).Category
			s := sums[name]
			sums[name] = window.Sum{Category: name, Count: s.Count + l.Count, AmountMinor: s.AmountMinor + l.AmountMinor, LastDay: l.Day}
		}
	}
	for _, x := range d.deeds {
		if !x.refund && x.day > after && x.day <= upTo && x.day > d.trimmed {
			orders++
		}
	}
	if got := w.PurchaseDays(after, upTo); got != len(days) {
		t.Fatalf("%d purchase days in (%d, %d], want %d", got, after, upTo, len(days))
	}
	if got := w.OrderCount(after, upTo); got != orders {
		t.Fatalf("%d orders in (%d, %d], want %d", got, after, upTo, orders)
	}
	got := w.Sums(after, upTo, items)
	if !slices.IsSortedFunc(got, func(a, b window.Sum) int { return cmp.Compare(a.Category, b.Category) }) || len(got) != len(sums) {
		t.Fatalf("sums %v, want %v", got, sums)
	}
	for _, s := range got {
		if s != sums[s.Category] {
			t.Fatalf("sum %+v, want %+v", s, sums[s.Category])
		}
	}
}

// TestTouches: counts by day, kind and category; the last 64 events are known again, older ones are not; all of it survives encoding.
func TestTouches(t *testing.T) {
	t.Parallel()
	items := fiveItems(t)
	w := &window.Window{}
	for i := range 100 {
		if !w.AddTouch(20_000+sales.Day(i%3), sales.TouchEmailOpen, window.NoItem, window.TouchHash(fmt.Sprint("t", i))) {
			t.Fatalf("touch %d taken for an old one", i)
		}
	}
	w.AddTouch(20_001, sales.TouchSearch, 3, window.TouchHash("about"))
	w, _, err := window.Decode(w.Append(nil), items)
	if err != nil {
		t.Fatal(err)
	}
	for i := 37; i < 100; i++ {
		if w.AddTouch(20_000, sales.TouchEmailOpen, window.NoItem, window.TouchHash(fmt.Sprint("t", i))) {
			t.Errorf("touch %d was counted twice", i)
		}
	}
	want := []window.Touch{
		{Day: 20_000, Kind: sales.TouchEmailOpen, About: window.NoItem, Count: 34},
		{Day: 20_001, Kind: sales.TouchEmailOpen, About: window.NoItem, Count: 33},
		{Day: 20_001, Kind: sales.TouchSearch, About: 3, Count: 1},
		{Day: 20_002, Kind: sales.TouchEmailOpen, About: window.NoItem, Count: 33},
	}
	slices.SortFunc(want, func(a, b window.Touch) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Kind, b.Kind)) })
	got := slices.Clone(w.Touches())
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("touches (-want +got):\n%s", diff)
	}
	if !w.AddTouch(20_000, sales.TouchEmailOpen, window.NoItem, window.TouchHash("t0")) {
		t.Error("the 65th last touch is still known")
	}
}

// TestTouchesThatGoOn trims touches bit by bit: left are those after it, and the last before of each kind that goes on within the remembered time.
func TestTouchesThatGoOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &window.Window{}
		for i := range rapid.IntRange(0, 30).Draw(t, "touches") {
			about := rapid.SampledFrom([]window.ItemID{window.NoItem, 0, 3}).Draw(t, "about")
			w.AddTouch(20_000+sales.Day(rapid.IntRange(0, 150).Draw(t, "day")), sales.TouchKind(rapid.IntRange(0, 1).Draw(t, "kind")), about, uint32(i))
		}
		all, through := slices.Clone(w.Touches()), sales.Day(19_990)
		for range rapid.IntRange(1, 6).Draw(t, "trims") {
			through += sales.Day(rapid.IntRange(0, 60).Draw(t, "later"))
			w.Trim(through, remembered)
		}
		var want []window.Touch
		for _, touch := range all {
			between, goesOn := false, false
			for _, o := range all {
				if o.Kind == touch.Kind && o.About == touch.About && o.Day > touch.Day {
					between = between || o.Day <= through
					goesOn = goesOn || o.Day < touch.Day+remembered
				}
			}
			if touch.Day > through || goesOn && !between && touch.About != window.NoItem {
				want = append(want, touch)
			}
		}
		if !slices.Equal(want, w.Touches()) {
			t.Fatalf("through %d of %v\n%v is left, want\n%v", through, all, w.Touches(), want)
		}
	})
}

// TestManyDays: more days than one byte counts.
func TestManyDays(t *testing.T) {
	t.Parallel()
	items, w := fiveItems(t), &window.Window{}
	for day := range sales.Day(300) {
		w.Add(20_000+day, window.ItemID(day%5), 1, 99)
	}
	back, rest, err := window.Decode(w.Append([]byte("before"))[len("before"):], items)
	if err != nil || len(rest) != 0 || back.PurchaseDays(0, 30_000) != 300 {
		t.Errorf("decoded %v with %d bytes left, %v", back, len(rest), err)
	}
}

// TestLastPurchase is the newest by event time; of equal ones the later to arrive. Trimming everything forgets it, and the currency.
func TestLastPurchase(t *testing.T) {
	t.Parallel()
	w := &window.Window{}
	w.SetCurrency("USD")
	for i, at := range []sales.Millis{5, 9, 9, 7} {
		w.AddOrder(window.Order{Day: 20_000, Event: uint64(i)})
		w.SetLast(window.Purchase{Event: uint64(i), At: at, Partition: 3, Offset: int64(i)})
	}
	w, _, err := window.Decode(w.Append(nil), window.NewItems())
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Last(); got != (window.Purchase{Event: 2, At: 9, Partition: 3, Offset: 2}) || w.Currency() != "USD" {
		t.Errorf("last %+v in %s", got, w.Currency())
	}
	if w.Trim(20_000, 180); !w.Empty() || w.Currency() != "" || w.Last() != (window.Purchase{}) {
		t.Errorf("after trimming all: %+v", w)
	}
}

// TestSaturates: amounts beyond 63 bits stay at the largest instead of turning negative.
func TestSaturates(t *testing.T) {
	t.Parallel()
	w := &window.Window{}
	w.Add(1, 0, 1, 1<<62)
	w.Add(1, 0, 1, 1<<62)
	w.Add(1, 0, 1<<62, 5)
	w.Add(1, 0, 1<<62, 5)
	if l := w.Lines()[0]; l.AmountMinor != 1<<63-1 || l.Count != 1<<63-1 {
		t.Errorf("sums went to %+v", l)
	}
}

// TestItems: ids are dense and stable, runs rebuild the same dictionary in any pieces, and a rollback leaves no trace.
func TestItems(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"A", "B", "C", "", "\x00", "Ä ö"})
		item := rapid.Custom(func(t *rapid.T) window.Item {
			it := window.Item{Category: name.Draw(t, "category"), Type: name.Draw(t, "type"), Tier: rapid.Int32Range(-2, 3).Draw(t, "tier")}
			if rapid.IntRange(0, 9).Draw(t, "fine") == 0 {
				it.Product, it.Department = name.Draw(t, "product"), name.Draw(t, "department")
			}
			return it
		})
		x, copied := window.NewItems(), window.NewItems()
		for range rapid.IntRange(0, 6).Draw(t, "runs") {
			first := x.Len()
			for _, it := range rapid.SliceOf(item).Draw(t, "items") {
				if id, err := x.ID(it); err != nil || x.Item(id) != it {
					t.Fatalf("id %d of %+v: %v", id, it, err)
				}
			}
			if rapid.Bool().Draw(t, "rollback") {
				x.Truncate(first)
				continue
			}
			run := x.AppendRun(first)
			for range 2 { // a run that is known already changes nothing
				if err := copied.AddRun(first, run); run != nil && err != nil {
					t.Fatal(err)
				}
			}
		}
		if x.Len() != copied.Len() || x.Categories() != copied.Categories() || x.Types() != copied.Types() {
			t.Fatalf("%d items, %d categories, %d types became %d, %d, %d",
				x.Len(), x.Categories(), x.Types(), copied.Len(), copied.Categories(), copied.Types())
		}
		for id := range window.ItemID(x.Len()) {
			it := x.Item(id)
			c, ok := copied.FindCategory(it.Category)
			if copied.Item(id) != it || !ok || c != x.Category(id) || x.CategoryName(c) != it.Category || x.TypeName(x.Type(id)) != it.Type {
				t.Fatalf("item %d: %+v became %+v", id, it, copied.Item(id))
			}
		}
	})
}

func TestItemsRefuse(t *testing.T) {
	t.Parallel()
	x := fiveItems(t)
	run := x.AppendRun(0)
	for name, err := range map[string]error{
		"a gap":             x.AddRun(6, run),
		"another order":     x.AddRun(1, run),
		"a truncated run":   x.AddRun(0, run[:len(run)-1]),
		"an excessive run":  x.AddRun(0, append(slices.Clone(run), 0)),
		"a hostile length":  x.AddRun(5, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}),
		"a negative index":  x.AddRun(-1, run),
		"an item twice":     window.NewItems().AddRun(0, []byte{2, 1, 'A', 0, 0, 1, 'A', 0, 0}),
		"a name overlength": x.AddRun(5, []byte{1, 0xff, 0xff, 0x7f, 'A', 0, 0}),
	} {
		if !errors.Is(err, window.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if x.Len() != 5 {
		t.Errorf("refused runs left %d items", x.Len())
	}
	for i := x.Len(); i < window.MaxItems; i++ {
		if _, err := x.ID(window.Item{Tier: int32(i)}); err != nil {
			t.Fatalf("item %d: %v", i, err)
		}
	}
	if _, err := x.ID(window.Item{Category: "one too many"}); !errors.Is(err, window.ErrFull) {
		t.Errorf("a full dictionary took another item: %v", err)
	}
	if id, err := x.ID(window.Item{Category: "c0", Type: "t0"}); err != nil || id != 0 {
		t.Errorf("a full dictionary does not know item 0 any more: %d, %v", id, err)
	}
}

// FuzzDecode: no input makes decoding panic, and what decodes encodes to something that decodes to the same.
func FuzzDecode(f *testing.F) {
	items := fiveItems(f)
	w := &window.Window{}
	w.SetCurrency("EUR")
	for i := range 40 {
		do(w, deed{day: sales.Day(20_000 + i/4), event: fmt.Sprint(i), order: fmt.Sprint(i), refund: i%7 == 6, item: window.ItemID(i % 5), count: int64(1 + i%3), amount: 199})
		w.AddTouch(sales.Day(20_000+i/3), sales.TouchKind(i%5), window.NoItem, uint32(i))
	}
	w.SetLast(window.Purchase{Event: 1, At: 5, Offset: 7})
	f.Add(w.Append(nil))
	f.Add((&window.Window{}).Append(nil))
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		w, _, err := window.Decode(b, items)
		if err != nil {
			if !errors.Is(err, window.ErrCorrupt) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		once := w.Append(nil)
		back, rest, err := window.Decode(once, items)
		if err != nil || len(rest) != 0 {
			t.Fatalf("decode what was encoded: %v, %d bytes left", err, len(rest))
		}
		if again := back.Append(nil); string(again) != string(once) {
			t.Fatalf("%x became %x", once, again)
		}
		_ = w.Sums(-1<<30, 1<<30, items)
	})
}
