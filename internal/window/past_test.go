package window_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

const remembered = 30

// dumbPast goes through all lines: of each item its last days without a pause of more than the remembered time.
func dumbPast(lines []window.Line, through sales.Day) []window.Past {
	var past []window.Past
	for item := range window.ItemID(3_000) {
		p := window.Past{Item: item}
		for _, l := range lines {
			if l.Item != item || l.Day > through || l.AmountMinor == 0 {
				continue
			}
			if p.Days > 0 && l.Day-p.Last > remembered {
				p.Days = 0
			}
			p.Days, p.Last = p.Days+1, l.Day
		}
		if p.Days > 0 && p.Last >= through-remembered {
			past = append(past, p)
		}
	}
	return past
}

// TestPast trims a history of few items bit by bit: the past is what the dumb one says, after an encoding too.
func TestPast(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		items, w := fiveItems(t), &window.Window{}
		for range rapid.IntRange(0, 40).Draw(t, "lines") {
			w.Add(20_000+sales.Day(rapid.IntRange(0, 150).Draw(t, "day")), window.ItemID(rapid.IntRange(0, 4).Draw(t, "item")), 1,
				rapid.Int64Range(0, 2).Draw(t, "amount"))
		}
		w.AddOrder(window.Order{Day: 21_000})
		lines := slices.Clone(w.Lines())
		through := sales.Day(19_990)
		for range rapid.IntRange(1, 6).Draw(t, "trims") {
			through += sales.Day(rapid.IntRange(0, 80).Draw(t, "later"))
			w.Trim(through, remembered)
		}
		if want := dumbPast(lines, through); !slices.Equal(want, w.Past()) {
			t.Fatalf("%v is left, want %v", w.Past(), want)
		}
		back, _, err := window.Decode(w.Append(nil), items)
		if err != nil || !slices.Equal(back.Past(), w.Past()) {
			t.Fatalf("%v was decoded as %v, %v", w.Past(), back.Past(), err)
		}
		if w.Trim(21_000, remembered); len(w.Past()) != 0 {
			t.Fatalf("of a customer without purchases %v is left", w.Past())
		}
	})
}

// TestPastIsBounded: of more items than are remembered those that were bought last, trimmed at once or bit by bit.
func TestPastIsBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		once, often := &window.Window{}, &window.Window{}
		all := rapid.IntRange(0, 3_000).Draw(t, "lines")
		luck := rapid.Uint64().Draw(t, "luck")
		for i := range uint64(all) * 2 {
			day, item := sales.Day(20_000+i/150), window.ItemID((i*i*7919+i*luck)%3_000)
			once.Add(day, item, 1, 5)
			often.Add(day, item, 1, 5)
		}
		for _, w := range []*window.Window{once, often} {
			w.AddOrder(window.Order{Day: 21_000})
		}
		want := dumbPast(once.Lines(), 20_050)
		slices.SortFunc(want, func(a, b window.Past) int { return cmp.Compare(b.Last, a.Last) })
		for len(want) > 2_048 {
			oldest := want[len(want)-1].Last
			want = slices.DeleteFunc(want, func(p window.Past) bool { return p.Last == oldest })
		}
		for day := sales.Day(20_000); day < 20_050; day += sales.Day(1 + luck%7) {
			often.Trim(day, remembered)
		}
		often.Trim(20_050, remembered)
		once.Trim(20_050, remembered)
		if !slices.Equal(once.Past(), often.Past()) {
			t.Fatalf("at once %v, bit by bit %v", once.Past(), often.Past())
		}
		last := func(past []window.Past) (said []string) {
			for _, p := range past {
				said = append(said, fmt.Sprint(p.Item, " on ", p.Last))
			}
			slices.Sort(said)
			return said
		}
		if diff := gocmp.Diff(last(want), last(once.Past())); diff != "" {
			t.Fatalf("(-the last ones +window):\n%s", diff)
		}
	})
}
