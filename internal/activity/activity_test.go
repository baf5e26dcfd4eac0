package activity_test

import (
	"math"
	"math/big"
	"testing"

	"leadline/internal/activity"
	"leadline/internal/sales"

	"pgregory.net/rapid"
)

// tail is P(X <= k | n, share) summed term by term in exact arithmetic.
func tail(k, n int, share *big.Rat) float64 {
	rest := new(big.Rat).Sub(big.NewRat(1, 1), share)
	sum := new(big.Rat)
	for i := 0; i <= k; i++ {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
		for range i {
			term.Mul(term, share)
		}
		for range n - i {
			term.Mul(term, rest)
		}
		sum.Add(sum, term)
	}
	p, _ := sum.Float64()
	return p
}

func TestDeclineIsTheExactBinomialSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		recent := rapid.IntRange(0, 40).Draw(t, "recent")
		before := rapid.IntRange(1, 170).Draw(t, "before")
		recentWeight := rapid.Int64Range(1, 5_000).Draw(t, "recentWeight")
		beforeWeight := rapid.Int64Range(1, 20_000).Draw(t, "beforeWeight")

		got := activity.Decline(recent, before, float64(recentWeight), float64(beforeWeight))
		want := tail(recent, recent+before, big.NewRat(recentWeight, recentWeight+beforeWeight))
		if math.Abs(got-want) > 1e-9*want {
			t.Fatalf("Decline(%d, %d, %d, %d) = %g, the sum is %g", recent, before, recentWeight, beforeWeight, got, want)
		}
	})
}

func TestDeclineSeesNothingWhereThereIsNothing(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		recent, before int
		rw, bw         float64
	}{{3, 0, 30, 150}, {0, 0, 30, 150}, {-1, 9, 30, 150}, {0, 9, 0, 150}, {0, 9, 30, 0}, {0, 9, -1, 150}, {0, 9, nan, 150}, {0, 9, 30, inf}} {
		if p := activity.Decline(c.recent, c.before, c.rw, c.bw); p != 1 {
			t.Errorf("Decline(%d, %d, %g, %g) = %g, want 1", c.recent, c.before, c.rw, c.bw, p)
		}
	}
}

func TestASeasonalDipIsNoDecline(t *testing.T) {
	flat := activity.Decline(2, 40, 30, 150)
	everyoneIsAway := activity.Decline(2, 40, 30, 400)
	if flat > 0.05 || everyoneIsAway < 0.1 {
		t.Errorf("2 after 40: p = %g on even days and %g when everyone buys less; want the dip explained", flat, everyoneIsAway)
	}
}

// said is what the dumb index was told, day by day.
type said struct {
	n        map[sales.Day]float64
	complete sales.Day
	known    bool
}

func (s *said) sum(after, upTo sales.Day) float64 {
	first := sales.Day(math.MaxInt32)
	for d := range s.n {
		first = min(first, d)
	}
	mean, days := 0.0, 0
	for d := s.complete; s.known && d >= first && days < 28; d-- {
		mean += s.n[d]
		days++
	}
	var total float64
	for d := after + 1; d <= upTo; d++ {
		if s.known && d > s.complete {
			total += mean / float64(days)
		} else {
			total += s.n[d]
		}
	}
	return total
}

func TestIndexSumsDayByDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, dumb := activity.NewIndex(), &said{n: map[sales.Day]float64{}}
		day := rapid.Int32Range(17_000, 17_200)
		for range rapid.IntRange(0, 120).Draw(t, "sets") {
			d := sales.Day(day.Draw(t, "day"))
			n := float64(rapid.IntRange(0, 900).Draw(t, "n"))
			complete := rapid.Bool().Draw(t, "complete")
			x.Set(d, n, complete)
			dumb.n[d] = n
			if complete && (!dumb.known || d > dumb.complete) {
				dumb.complete, dumb.known = d, true
			}
			after, upTo := sales.Day(day.Draw(t, "after"))-20, sales.Day(day.Draw(t, "upTo"))+20
			if got, want := x.Sum(after, upTo), dumb.sum(after, upTo); math.Abs(got-want) > 1e-6 {
				t.Fatalf("Sum(%d, %d] = %g, want %g", after, upTo, got, want)
			}
		}
	})
}

func TestIndexDoesNotMistakeLagForADownturn(t *testing.T) {
	x := activity.NewIndex()
	for d := sales.Day(17_000); d < 17_180; d++ {
		x.Set(d, 100, true)
	}
	x.Set(17_180, 3, false) // the day has just begun
	if got := x.Sum(17_150, 17_182); got != 3_200 {
		t.Errorf("the last 32 days sum to %g, want 3200", got)
	}
}

func TestIndexRefusesDaysThatAreNoDates(t *testing.T) {
	x := activity.NewIndex()
	x.Set(-1, 5, true)
	x.Set(math.MaxInt32, 5, true)
	x.Set(17_000, math.NaN(), true)
	x.Set(17_000, -5, true)
	if got := x.Sum(-10, math.MaxInt32); got != 0 {
		t.Errorf("sum is %g, want 0", got)
	}
}
