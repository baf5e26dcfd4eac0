package affinity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
)

const (
	testWindow = 180
	testBegin  = sales.Day(20_000)
)

// town is some customers' histories: a dozen things have nothing to do with each other, whoever buys bread buys butter within 60 days, and
// whoever views wine wine within 20, each a second time out of three.
func town(random *rand.Rand, customers, days int) [][]Bought {
	town := make([][]Bought, customers)
	view := TouchItem(sales.TouchProductView, "wine")
	for i := range town {
		rate := 0.005 + 0.03*random.Float64()
		buy := func(day int, item string) {
			if day < days {
				town[i] = append(town[i], Bought{Day: testBegin + sales.Day(day), Item: item, Lines: 1, AmountMinor: 250})
			}
		}
		for day := range days {
			if random.Float64() >= rate {
				continue
			}
			for range 1 + random.IntN(4) {
				buy(day, fmt.Sprint("thing", random.IntN(12)))
			}
			if random.IntN(8) == 0 {
				buy(day, "bread")
				if random.IntN(3) < 2 {
					buy(day+1+random.IntN(60), "butter")
				}
			}
			if random.IntN(16) == 0 {
				town[i] = append(town[i], Bought{Day: testBegin + sales.Day(day), Item: view})
				if random.IntN(3) < 2 {
					buy(day+1+random.IntN(20), "wine")
				}
			}
			for _, item := range []string{"butter", "wine"} {
				if random.IntN(16) == 0 {
					buy(day, item)
				}
			}
		}
	}
	return town
}

func learned(town [][]Bought, upTo sales.Day, maxCandidates int) *Counts {
	c := NewCounts(maxCandidates)
	for _, h := range town {
		c.Add(sales.TallyPairs, Contribution(h, testWindow, upTo))
	}
	return c
}

func testRules() LinkRules {
	r := DefaultLinkRules()
	r.MinSupport = 3
	return r
}

// countsUpTo is the last day of which anything counts that has to do with the antecedent.
func countsUpTo(upTo sales.Day, from string) sales.Day {
	if isTouch(from) {
		return (upTo+1-ToldWithin+1)/blockDays*blockDays - 1
	}
	return upTo
}

// dumbEvidence goes through all comings of all customers since a block and looks at each time at what the customer held that had come
// within so many days.
func dumbEvidence(town [][]Bought, upTo sales.Day, from, to string, d decay, within sales.Day, since int32) (observed, expected, variance float64) {
	type stratum struct{ trials, held, come, both float64 }
	strata := map[int32]*stratum{}
	for _, h := range town {
		days, names := byDay(h, upTo)
		spells := spellsOf(days, names, testWindow)
		for _, s := range spells {
			if s.touch || names[s.item] == from || Block(s.from) < since { // it cannot be held when it comes
				continue
			}
			key := Came(s.from, s.activity)
			if strata[key] == nil {
				strata[key] = &stratum{}
			}
			held := slices.ContainsFunc(spells, func(o spell) bool {
				return names[o.item] == from && o.from < s.from && s.from < min(o.to, o.from+within)
			})
			n := strata[key]
			n.trials++
			if held {
				n.held++
			}
			if names[s.item] == to {
				n.come++
				if held {
					n.both++
				}
			}
		}
	}
	for key, n := range strata {
		w := d.of(key >> codeBits)
		observed += w * n.both
		expected += w * n.come * n.held / n.trials
		p := n.held / n.trials
		variance += w * w * n.come * p * (1 - p)
	}
	return observed, expected, variance
}

func TestEvidenceIsWhatLookingAtEveryComingSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	people := town(random, 300, 500)
	upTo := testBegin + 499
	c := learned(people, upTo, DefaultMaxCandidates)
	for i := range c.items {
		c.items[i].lines = 0 // so that no room is made for what is bought instead
	}
	j := c.judge(testRules(), sales.Calendar{}.Start(upTo+1))
	all := j.candidates()
	if len(all) < 30 {
		t.Fatalf("only %d candidates", len(all))
	}
	for _, k := range all {
		from, to := c.items[k.from].name, c.items[k.to].name
		sameEvidence(t, k, people, upTo, from, to, j.decay, 0)
	}
}

// sameEvidence compares what is known of a candidate with what dumbEvidence says, with each horizon but the whole since a block.
func sameEvidence(t *testing.T, k candidate, people [][]Bought, upTo sales.Day, from, to string, d decay, since int32) {
	t.Helper()
	for i, within := range []sales.Day{1_000, 13 * 7, 4 * 7} {
		got := k.evidence
		if i > 0 {
			got = k.soon[i-1]
		}
		o, e, v := dumbEvidence(people, countsUpTo(upTo, from), from, to, d, within, since*int32(min(i, 1)))
		if math.Abs(o-got.observed) > 1e-9 || math.Abs(e-got.expected) > 1e-9 || got.variance > v+1e-9 || got.variance < 0.5*v {
			t.Errorf("%q to %q within %d days: observed %g, expected %g, variance %g; want %g, %g, at most %g", from, to, within, got.observed, got.expected,
				got.variance, o, e, v)
		}
	}
}

// Sums of an earlier release do not tell since when things had been held: of those days the horizons say nothing, and the whole says the same.
func TestEvidenceOfSumsThatDoNotTellSinceWhen(t *testing.T) {
	people := town(rand.New(rand.NewPCG(12, 13)), 300, 500)
	upTo, release := testBegin+499, testBegin+250
	c := NewCounts(DefaultMaxCandidates)
	for _, h := range people {
		cells := Contribution(h, testWindow, upTo)
		for i := range cells {
			cell := &cells[i]
			code := cell.Bucket & left
			switch {
			case cell.Bucket>>codeBits > Block(release): // the block of the release tells in part
			case slices.Contains(HeldCols[1:], cell.Col) && cell.Bucket>>codeBits < Block(release):
				cell.Col = HeldCols[0]
			case cell.Row != "" && cell.Col != "" && code > heldThen && code < heldThen+int32(len(horizons)):
				cell.Bucket = cell.Bucket&^left | noClock
			}
		}
		c.Add(sales.TallyPairs, cells)
	}
	for i := range c.items {
		c.items[i].lines = 0
	}
	c = again(t, c)
	j := c.judge(testRules(), sales.Calendar{}.Start(upTo+1))
	all := j.candidates()
	if len(all) < 30 || j.timed != Block(release)+1 {
		t.Fatalf("%d candidates, told from block %d on, want %d", len(all), j.timed, Block(release)+1)
	}
	for _, k := range all {
		sameEvidence(t, k, people, upTo, c.items[k.from].name, c.items[k.to].name, j.decay, j.timed)
	}
}

// What is bought is drawn once and once more, by so many draws: the share of those who got A of late only grows by as much as said.
func TestGrowsIsWhatMoreDrawsDo(t *testing.T) {
	for _, a := range []float64{0.001, 0.01, 0.1} {
		for _, late := range []float64{0.1, 0.5, 0.99} {
			const draws, more = 20.0, 1e-6
			soon := func(a float64) float64 { return math.Exp(-a*draws*(1-late)) - math.Exp(-a*draws) }
			want := (soon(a*(1+more)) - soon(a)) / more
			if got := grows(soon(a), -math.Expm1(-a*draws)); math.Abs(got-want) > 1e-5*math.Abs(want)+1e-9 {
				t.Errorf("A in %g of lines, %g of them late: grows by %g, want %g", a, late, got, want)
			}
		}
	}
}

func TestTogether(t *testing.T) {
	for _, p := range []float64{1, 0.3, 1e-9} {
		if got := together([]float64{p, p, p, p}); math.Abs(got-p) > 1e-12 {
			t.Errorf("four of %g: %g", p, got)
		}
		if got := together([]float64{p, 1, 1, 1}); got < p || got > 4*p {
			t.Errorf("one of four is %g: %g", p, got)
		}
	}
	if got := together([]float64{0, 1}); got < 0 || got > 1e-30 {
		t.Errorf("with certainty: %g", got)
	}
}

// dumbCurve follows every customer from each start to the end of each week.
func dumbCurve(town [][]Bought, upTo sales.Day, from, to string, d decay) (curve [LagWeeks]float64, starts int64) {
	var atRisk, came [LagWeeks]float64
	for _, h := range town {
		days, names := byDay(h, upTo)
		spells := spellsOf(days, names, testWindow)
		for _, s := range spells {
			holdsTo := func(o spell) bool { return names[o.item] == to && o.from <= s.from && s.from < o.to }
			if names[s.item] != from || slices.ContainsFunc(spells, holdsTo) || d.of(Block(s.from)) == 0 {
				continue
			}
			starts++
			next := slices.IndexFunc(spells, func(o spell) bool { return names[o.item] == to && o.from > s.from && o.from < s.from+testWindow })
			for week := range atRisk {
				blockEnds := (sales.Day(Block(s.from)) + 1) * blockDays
				if blockEnds+sales.Day(week+1)*7 > upTo+1 {
					break
				}
				atRisk[week] += d.of(Block(s.from))
				if next >= 0 && int(spells[next].from-s.from)/7 == week {
					came[week] += d.of(Block(s.from))
					break
				}
			}
		}
	}
	waits := 1.0
	for week := range curve {
		if atRisk[week] > 0 {
			waits *= 1 - came[week]/atRisk[week]
		}
		curve[week] = 1 - waits
	}
	return curve, starts
}

func TestCurveIsWhatFollowingEveryCustomerSays(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	people := town(random, 200, 700)
	upTo := testBegin + 699
	rules := testRules()
	rules.HalfLifeDays = 120 // so that some starts are too old
	c := learned(people, upTo, DefaultMaxCandidates)
	j := c.judge(rules, sales.Calendar{}.Start(upTo+1))
	for _, k := range j.candidates() {
		from, to := c.items[k.from].name, c.items[k.to].name
		table, starts := j.follow(k.from, k.entry)
		got, _ := table.curves()
		want, wantStarts := dumbCurve(people, countsUpTo(upTo, from), from, to, j.decay)
		if starts != wantStarts {
			t.Errorf("%q to %q: %d starts, want %d", from, to, starts, wantStarts)
		}
		for week := range want {
			if math.Abs(want[week]-float64(got[week])) > 1e-6 {
				t.Errorf("%q to %q: %g by the end of week %d, want %g", from, to, got[week], week, want[week])
				break
			}
		}
	}
}

func TestLinksAreFound(t *testing.T) {
	people := town(rand.New(rand.NewPCG(5, 6)), 1_500, 700)
	upTo := testBegin + 699
	links := learned(people, upTo, DefaultMaxCandidates).Links(testRules(), sales.Calendar{}.Start(upTo+1))
	var said []string
	for _, l := range links {
		said = append(said, fmt.Sprintf("%s %s→%s", l.Via, l.From, l.To))
		chances := []sales.Chance{l.Within30, l.Within90, l.Within180}
		for i, c := range chances {
			if !(0 <= c.Low && c.Low <= c.P && c.P <= c.High && c.High <= 1 && c.Baseline > 0) || i > 0 && c.P < chances[i-1].P {
				t.Errorf("%s: %+v", said[len(said)-1], chances)
			}
		}
		if l.Lift != float64(l.Took)/l.Expected || l.LiftLow <= 1 || l.Q > 0.05 || l.CallFrom >= l.CallTo || l.TypicalMinor != 250 ||
			l.Curve[25] < l.Curve[3] || l.LearnedFrom >= l.LearnedTo {
			t.Errorf("%+v", l)
		}
	}
	if want := []string{" bread→butter", "product_view wine→wine"}; !slices.Equal(said, want) {
		t.Errorf("links %q, want %q", said, want)
	}
	if l := links[0]; l.CallFrom < 5 || l.CallTo > 60 {
		t.Errorf("butter comes within 60 days after bread; to call from day %d to %d", l.CallFrom, l.CallTo)
	}
}

// Cells in any order, and taken back and added again, give the same links to the last digit.
func TestOrderOfPairsDoesNotMatter(t *testing.T) {
	people := town(rand.New(rand.NewPCG(7, 8)), 200, 500)
	upTo, end := testBegin+499, sales.Calendar{}.Start(testBegin+500)
	var cells []sales.Cell
	for i, h := range people {
		if i%3 == 0 { // what a shard says when the second half of a history comes later
			half := Contribution(h[:len(h)/2], testWindow, upTo)
			cells = append(cells, half...)
			for _, c := range half {
				c.N = -c.N
				cells = append(cells, c)
			}
		}
		cells = append(cells, Contribution(h, testWindow, upTo)...)
	}
	want := learned(people, upTo, DefaultMaxCandidates).Links(testRules(), end)
	if len(want) < 2 {
		t.Fatalf("only %d links", len(want))
	}
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 1))
		random.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
		c := NewCounts(DefaultMaxCandidates)
		cut := rapid.IntRange(0, len(cells)).Draw(t, "saved after")
		c.Add(sales.TallyPairs, cells[:cut])
		c = again(t, c)
		c.Add(sales.TallyPairs, cells[cut:])
		if diff := cmp.Diff(want, c.Links(testRules(), end)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// again restores the counts from their rows.
func again(t interface{ Fatal(...any) }, c *Counts) *Counts {
	var rows []Row
	if err := c.EachChanged(func(r Row) error { rows = append(rows, r); return nil }); err != nil {
		t.Fatal(err)
	}
	c.Saved()
	back := NewCounts(c.maxCandidates)
	for i := range rows {
		if err := back.Restore(rows[len(rows)-1-i].Name, rows[len(rows)-1-i].Cells); err != nil {
			t.Fatal(err)
		}
	}
	if err := back.EachChanged(func(r Row) error { return fmt.Errorf("row %q has just been read", r.Name) }); err != nil {
		t.Fatal(err)
	}
	return back
}

// A row that has no room: what it says is never too much, and what it does not say came no more often than it remembers.
func TestFullRowsSayNeverTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64Range(0, 1_000).Draw(t, "seed")
		people := town(rand.New(rand.NewPCG(seed, 9)), 20, 300)
		room := rapid.IntRange(1, 4).Draw(t, "room")
		upTo := testBegin + 299
		exact, bounded := learned(people, upTo, 100), learned(people, upTo, room)
		for id := range exact.items {
			name := exact.items[id].name
			own := &bounded.items[bounded.ids[name]].row
			if len(own.to) > room {
				t.Fatalf("%d consequents", len(own.to))
			}
			for i, to := range exact.items[id].row.to {
				true_, to := exact.items[id].row.at(i).count, exact.items[to].name
				e := own.find(bounded.ids[to])
				if e == nil {
					if true_ > own.evicted {
						t.Fatalf("%s to %s came %d times and is gone, the most that is gone is %d", name, to, true_, own.evicted)
					}
					continue
				}
				if e.count < true_ || e.count-e.missed > true_ {
					t.Fatalf("%s to %s: count %d, of which %d may be another's, and it is %d", name, to, e.count, e.missed, true_)
				}
			}
		}
		_ = again(t, bounded)
	})
}

func TestOldBlocksAreForgotten(t *testing.T) {
	people := town(rand.New(rand.NewPCG(10, 11)), 500, 900)
	upTo, end := testBegin+899, sales.Calendar{}.Start(testBegin+900)
	rules := testRules()
	rules.HalfLifeDays = 90
	c := learned(people, upTo, DefaultMaxCandidates)
	want, before := c.Links(rules, end), c.bytes()
	c.Forget(rules, end)
	if diff := cmp.Diff(want, c.Links(rules, end)); diff != "" || len(want) == 0 {
		t.Errorf("%d links, and then: %s", len(want), diff)
	}
	if after := c.bytes(); after > before/2 {
		t.Errorf("%d bytes of %d are left", after, before)
	}
}

// An antecedent takes at most so much: per consequent a header, and 8 bytes for each block in which it counts and each code; and what is known of it
// alone, by stratum. What has left is kept until it is settled, some blocks of it.
func TestMemoryOfAnAntecedentIsBounded(t *testing.T) {
	t.Parallel()
	const today = 40_000
	c, rules := NewCounts(DefaultMaxCandidates), DefaultLinkRules()
	d := newDecay(today, rules.HalfLifeDays)
	blocks, unsettledBlocks := d.blocks(), int(Block(today)-unsettled(today))+1
	codes := []int32{sameDay, waited}
	for code := range int32(left) {
		if _, later := cameWithin(code); later {
			codes = append(codes, code)
		}
	}
	from := c.id("from")
	for to := range 2 * DefaultMaxCandidates {
		c.addTo(from, toAdd{c.id(fmt.Sprint("to", to)), SameDay(today), 1})
	}
	each := func(blocks int, codes []int32, add func(bucket int32)) {
		for b := range int32(blocks) {
			for _, code := range codes {
				add((Block(today)-b)<<codeBits | code)
			}
		}
	}
	item := &c.items[from]
	for _, to := range slices.Clone(item.row.to) {
		each(blocks, codes, func(bucket int32) { c.addTo(from, toAdd{to, bucket, 1}) })
		each(unsettledBlocks, []int32{left}, func(bucket int32) { c.addTo(from, toAdd{to, bucket, -1}) })
	}
	for stratum := range int32(Strata) {
		each(blocks, []int32{stratum}, func(bucket int32) {
			c.Add(sales.TallyPairs, []sales.Cell{{Row: "from", Bucket: bucket, N: 1}})
			for _, col := range HeldCols {
				c.Add(sales.TallyPairs, []sales.Cell{{Row: "from", Col: col, Bucket: bucket, N: 1}})
			}
		})
	}
	c.Forget(rules, sales.Calendar{}.Start(today))
	item = &c.items[from]
	if got := len(item.row.to); got != DefaultMaxCandidates {
		t.Fatalf("%d consequents, want %d", got, DefaultMaxCandidates)
	}
	atMost := DefaultMaxCandidates*(consequentBytes+sumBytes*(blocks*len(codes)+unsettledBlocks)) + sumBytes*((1+len(HeldCols))*blocks*Strata+unsettledBlocks)
	if got := item.bytes(); got > 2*atMost || got < atMost/2 {
		t.Errorf("%d bytes, %d were counted on, twice that while slices grow", got, atMost)
	}
	if atMost > 19_000_000 {
		t.Errorf("%d bytes at most, and 19 MB are promised", atMost)
	}
	if unsafe.Sizeof(entry{}) != entryBytes || unsafe.Sizeof(floor{}) != floorBytes || unsafe.Sizeof(sum{}) != sumBytes {
		t.Errorf("an entry takes %d bytes, a floor %d, a sum %d", unsafe.Sizeof(entry{}), unsafe.Sizeof(floor{}), unsafe.Sizeof(sum{}))
	}
	t.Logf("%d consequents, %d blocks of %d codes: %d bytes, %d with the room to grow into", len(item.row.to), blocks, len(codes), atMost, item.bytes())
}

func TestLongRowsAreCut(t *testing.T) {
	c := NewCounts(DefaultMaxCandidates)
	from, day := c.id("from"), sales.Day(40_000)
	for to := range 300 {
		id := c.id(fmt.Sprint("to", to))
		for weeks := range sales.Day(26) {
			for blocks := range sales.Day(15) {
				c.addTo(from, toAdd{id, CameAfter(day-28*blocks, day-28*blocks-7*weeks), int64(to + 1)})
			}
		}
	}
	parts, most := 0, 0
	if err := c.EachChanged(func(r Row) error {
		parts, most = parts+1, max(most, len(r.Cells))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if parts != 3 || most > partCells {
		t.Errorf("%d parts, the longest of %d cells", parts, most)
	}
	back := again(t, c)
	if diff := cmp.Diff(c.rowOf(&c.items[from]), back.rowOf(&back.items[back.ids["from"]])); diff != "" {
		t.Error(diff)
	}
	back.Forget(DefaultLinkRules(), sales.Calendar{}.Start(day+10_000)) // but who holds what stays
	var rows []string
	_ = back.EachChanged(func(r Row) error {
		rows = append(rows, fmt.Sprintf("%q %d", r.Name, len(r.Cells)))
		return nil
	})
	if want := []string{`"from" 600`, `"from\x031" 0`, `"from\x032" 0`}; !slices.Equal(rows, want) {
		t.Errorf("rows %v, want %v", rows, want)
	}
}
