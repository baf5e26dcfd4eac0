package slipping

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"leadline/internal/sales"
)

// story is a customer's purchase days as MBG/NBD tells it, from the day of its first purchase on.
func (p Population) story(src *rand.Rand, days sales.Day) []sales.Day {
	rate := distuv.Gamma{Alpha: p.R, Beta: p.Alpha, Src: src}.Rand()
	leaving := distuv.Beta{Alpha: p.A, Beta: p.B, Src: src}.Rand()
	all := []sales.Day{lookDay}
	for at := 0.0; src.Float64() >= leaving; {
		if at += src.ExpFloat64() / rate; at >= float64(days) {
			break
		}
		if day := lookDay + sales.Day(math.Ceil(at)); day != all[len(all)-1] {
			all = append(all, day)
		}
	}
	return all
}

// Counts of customers at ages, told by several shards in any order, give the population that the customers were drawn from, and the one that
// their uncounted histories give.
func TestPopulationFromCounts(t *testing.T) {
	for _, truth := range []Population{{R: 1, Alpha: 15, A: 0.8, B: 3}, {R: 0.5, Alpha: 50, A: 0.7, B: 1.2}, {R: 1.5, Alpha: 10, A: 0.5, B: 20}} {
		src := rand.New(rand.NewPCG(7, 7))
		var told [3][]sales.Cell // by shard
		whole := Cells{}
		var buyers []Buyer
		for i := range 6_000 {
			days := truth.story(src, Ages[len(Ages)-1])
			for _, age := range Ages {
				c := CellOf(lookDay, days, age)
				cell := sales.Cell{Row: c.Row(), Col: c.Col(), Bucket: Block(lookDay + age), N: 1}
				told[i%3] = append(told[i%3], cell)
				whole.Add(&cell)
				n, _ := slices.BinarySearch(days, lookDay+age)
				buyers = append(buyers, Buyer{Repeats: n - 1, LastDays: float64(days[n-1] - lookDay), SeenDays: float64(age)})
			}
		}
		merged := Cells{}
		for _, shard := range []int{2, 0, 1} {
			slices.Reverse(told[shard])
			for i := range told[shard] {
				merged.Add(&told[shard][i])
			}
		}
		now := sales.Day(Block(lookDay+180)+1) * blockDays
		learned, ok := merged.Learn(now)
		once, _ := whole.Learn(now)
		if !ok || !reflect.DeepEqual(learned, once) {
			t.Fatalf("%+v by shards, %+v by one", learned, once)
		}
		unbinned, err := Estimate(buyers)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []Buyer{{0, 0, 60}, {2, 50, 60}, {3, 20, 90}, {8, 150, 200}, {8, 190, 200}} {
			if got, want := learned.rate(&b), truth.rate(&b); math.Abs(got-want) > 0.12*want+0.001 {
				t.Errorf("%+v: a rate of %.4f by %+v, %.4f by the truth %+v", b, got, learned, want, truth)
			}
			if got, want := learned.rate(&b), unbinned.rate(&b); math.Abs(got-want) > 0.05*want {
				t.Errorf("%+v: a rate of %.4f by counts, %.4f by whole histories %+v", b, got, want, unbinned)
			}
		}
		t.Logf("truth %+v: %+v by counts, %+v by histories", truth, learned.Population, unbinned)
	}
}

// Who has long been counted counts less, what is not over or too old not at all, and of a few customers nothing is learned.
func TestWhoCountsForThePopulation(t *testing.T) {
	src := rand.New(rand.NewPCG(1, 1))
	now := Block(lookDay) * blockDays
	count := func(cells Cells, p Population, customers int, blocksAgo int32) {
		for range customers {
			c := CellOf(lookDay, p.story(src, 180), 180)
			cells.Add(&sales.Cell{Row: c.Row(), Col: c.Col(), Bucket: Block(lookDay) - blocksAgo, N: 1})
		}
	}
	often, seldom := Population{R: 2, Alpha: 10, A: 0.3, B: 5}, Population{R: 1, Alpha: 90, A: 0.3, B: 5}
	cells := Cells{}
	count(cells, often, 150, 1)
	count(cells, often, 5_000, 0)
	count(cells, often, 5_000, buyersKept+1)
	if l, ok := cells.Learn(sales.Day(now)); ok {
		t.Errorf("learned %+v from a block that is not over, one that is too old and 150 customers", l)
	}
	if !Outlived(Block(lookDay)-buyersKept-1, lookDay) || Outlived(Block(lookDay)-buyersKept, lookDay) {
		t.Error("another block is too old")
	}
	count(cells, seldom, 2_000, 26)
	count(cells, often, 2_000, 1)
	l, ok := cells.Learn(sales.Day(now))
	if b := (Buyer{Repeats: 4, LastDays: 100, SeenDays: 120}); !ok || l.rate(&b) < 0.75*often.rate(&b) {
		t.Errorf("old customers count as much as new ones: %+v", l)
	}
	if l.From != sales.Day(Block(lookDay)-26)*blockDays || l.To != sales.Day(now) || math.Abs(l.Customers-2_150*math.Exp2(-1./13)-500) > 1 {
		t.Errorf("learned %+v", l)
	}
}

// What is published is read back; what is of another version, or no population, is not believed.
func TestPublishedPopulation(t *testing.T) {
	l := Learned{Population: Population{R: 0.6, Alpha: 50, A: 0.8, B: 1.2}, Customers: 300}
	if got := PopulationOf(ptr(l.Model())); got != l.Population {
		t.Errorf("%+v, published %+v", got, l.Population)
	}
	for name, spoil := range map[string]func(m *sales.Model){
		"another version": func(m *sales.Model) { m.Version++ },
		"a card":          func(m *sales.Model) { m.Name = "declining" },
		"three of them":   func(m *sales.Model) { m.Parameters = m.Parameters[:3] },
		"no number":       func(m *sales.Model) { m.Parameters[1] = math.NaN() },
		"nothing":         func(m *sales.Model) { m.Parameters[3] = 0 },
		"without end":     func(m *sales.Model) { m.Parameters[0] = math.Inf(1) },
	} {
		m := l.Model()
		if spoil(&m); PopulationOf(&m) != Usual {
			t.Errorf("%s: believed", name)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// A tally's cells that count something else, or what no shard writes, are passed over; what is taken back leaves nothing.
func TestOtherCellsAreNoCustomers(t *testing.T) {
	cells := Cells{}
	for _, c := range []sales.Cell{{Row: "purchase-days"}, {Row: "repeats|61", Col: "0.0"}, {Row: "repeats|60", Col: "0"}, {Row: "repeats|60", Col: "0.9"},
		{Row: "repeats|60", Col: "23.0"}, {Row: "repeats|60", Col: "-1.0"}, {Row: "repeats|060", Col: "1.0"}, {Row: "repeats|60", Col: "1.0 "}} {
		c.N = 1
		cells.Add(&c)
	}
	for n := int64(1); n >= -1; n -= 2 {
		cells.Add(&sales.Cell{Row: "repeats|60", Col: "22.8", Bucket: 3, N: n})
	}
	if len(cells) > 0 {
		t.Errorf("counted %v", cells)
	}
}
