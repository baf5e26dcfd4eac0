package feedback_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/feedback"
	"leadline/internal/sales"
)

// alert is one that there is to say.
func alert(worth float64) sales.Cell { return sales.Cell{Col: feedback.DemandCol(worth), N: 1} }

// drawAlerts is worths as they may be, some of them equal.
func drawAlerts(t *rapid.T) (worths []float64) {
	for range rapid.IntRange(0, 60).Draw(t, "alerts") {
		worths = append(worths, feedback.Worth(rapid.Float64Range(0.01, 1).Draw(t, "probability"), float64(rapid.SampledFrom([]int{-5, 0, 7, 1_000, 999_999}).Draw(t, "at risk")),
			rapid.Float64Range(0, 1).Draw(t, "lot")))
	}
	return worths
}

func cells(worths []float64) (all []sales.Cell) {
	for _, w := range worths {
		all = append(all, alert(w))
	}
	return all
}

func countFrom(worths []float64, least float64) (n int64) {
	for _, w := range worths {
		if w >= least {
			n++
		}
	}
	return n
}

// Never more are said than there is room for; a ten-thousandth or two lower it would be full, if anything is held back; and with more room, or less to say,
// what is said may be worth less.
func TestLeastWorthKeepsToTheRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		worths, room := drawAlerts(t), rapid.Int64Range(0, 70).Draw(t, "room")
		least := feedback.LeastWorth(room, cells(worths))
		if n := countFrom(worths, least); n > room {
			t.Fatalf("%d are said from %g on, with room for %d: %v", n, least, room, worths)
		}
		if n := countFrom(worths, least*(1-1.0/8192)); least > 0 && n < room {
			t.Fatalf("only %d would be said from a bit less than %g on, with room for %d: %v", n, least, room, worths)
		}
		if all := int64(len(worths)) <= room; all != (least == 0) {
			t.Fatalf("room for %d of %d: %g", room, len(worths), least)
		}
		if more := feedback.LeastWorth(room+1, cells(worths)); more > least {
			t.Fatalf("with room for %d from %g on, for one more from %g on", room, least, more)
		}
		if fewer := feedback.LeastWorth(room, cells(worths[:len(worths)/2])); fewer > least {
			t.Fatalf("from %g on, with half of the alerts from %g on", least, fewer)
		}
	})
}

// It is one whatever shards count, and in whatever order they tell.
func TestLeastWorthOfShardsIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		worths, room := drawAlerts(t), rapid.Int64Range(0, 70).Draw(t, "room")
		whole := cells(worths)
		told := rapid.Permutation(slices.Concat(whole, []sales.Cell{{Col: feedback.DemandCol(5), N: 2}, {Col: feedback.DemandCol(5), N: -2}})).Draw(t, "order")
		sums := map[string]int64{}
		for _, c := range told {
			sums[c.Col] += c.N
		}
		var merged []sales.Cell
		for col, n := range sums {
			merged = append(merged, sales.Cell{Col: col, N: n})
		}
		want := feedback.LeastWorth(room, whole)
		if one, added := feedback.LeastWorth(room, told), feedback.LeastWorth(room, merged); one != want || added != want {
			t.Fatalf("%g and %g, want %g", one, added, want)
		}
	})
}

// Week after week, by what there was to say in the four before, as many are said as a rep has room for on the average: where worths differ, and where all
// are worth the same. (The more weeks differ, the more are said; where they are anything from 0 to 39, a tenth more.)
func TestTheCapacityIsKeptOnTheAverage(t *testing.T) {
	const capacity, weeks = 3, 2_000
	for name, atRisk := range map[string]func(*rand.Rand) float64{
		"different": func(r *rand.Rand) float64 { return 1_000 * math.Exp(r.NormFloat64()) },
		"equal":     func(*rand.Rand) float64 { return 0 },
	} {
		random := rand.New(rand.NewPCG(1, 2))
		var before [][]sales.Cell
		said := int64(0)
		for range weeks {
			var worths []float64
			for range 12 + random.IntN(17) {
				worths = append(worths, feedback.Worth(0.6, atRisk(random), random.Float64()))
			}
			if len(before) >= feedback.DemandWeeks {
				last := before[len(before)-feedback.DemandWeeks:]
				said += countFrom(worths, feedback.LeastWorth(capacity*feedback.DemandWeeks, slices.Concat(last...)))
			}
			before = append(before, cells(worths))
		}
		if mean := float64(said) / (weeks - feedback.DemandWeeks); mean < 0.93*capacity || mean > 1.07*capacity {
			t.Errorf("%s worths: %.2f are said a week, want about %d", name, mean, capacity)
		}
	}
}

// Of many that are worth the same some are told.
func TestEqualsAreToldApartByLot(t *testing.T) {
	var worths []float64
	for i := range 100 {
		worths = append(worths, feedback.Worth(0.7, 0, float64(i)/100))
	}
	if n := countFrom(worths, feedback.LeastWorth(20, cells(worths))); n < 15 || n > 20 {
		t.Errorf("%d are said, with room for 20 of 100", n)
	}
}

func TestTableKnowsTheLeastWorth(t *testing.T) {
	series, ok := feedback.CapacitySeries(feedback.DemandRow("rep|7"))
	if _, other := feedback.CapacitySeries(feedback.Row(sales.Declining, "rep|7")); !ok || other || !feedback.IsSeries(series) || feedback.SeriesOfKey(feedback.Key(series)) != series {
		t.Fatalf("series %q %t, of another row %t", series, ok, other)
	}
	table := feedback.NewTable()
	table.Set(series, 12.5)
	for _, wrong := range []float64{-1, math.NaN(), math.Inf(1)} {
		table.Set(series, wrong)
	}
	if table.LeastWorth("rep|7") != 12.5 || table.LeastWorth("rep-8") != 0 || (*feedback.Table)(nil).LeastWorth("rep|7") != 0 || table.Weight(sales.Declining, "rep|7") != 1 {
		t.Errorf("knows %g", table.LeastWorth("rep|7"))
	}
	if table.Delete(series); table.LeastWorth("rep|7") != 0 {
		t.Error("still known after it was taken back")
	}
}
