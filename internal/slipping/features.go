package slipping

import (
	"math"
)

// halfLives are those of the customer's rates, in days.
var halfLives = [...]float64{15, 30, 60, 120}

// Features describe a customer for the question, in the order of Names. They are logarithms and shares, so that none runs away.
func (q Question) Features(p *Past) []float64 {
	f := make([]float64, 0, len(names))
	for _, days := range [...]int{7, 14, 30, 60, 90, 180} {
		f = append(f, log1p(p.in(0, days)))
	}
	for _, b := range [...][2]int{{30, 60}, {60, 90}, {90, 120}, {120, 180}} {
		f = append(f, log1p(p.in(b[0], b[1])))
	}
	window := q.InWindow(p)
	f = append(f, log1p(window), log1p(p.Days), log1p(p.Age()))
	f = append(f, p.gaps()...)
	var rates [len(halfLives)]float64
	for i, halfLife := range halfLives {
		rates[i] = p.rate(halfLife)
		f = append(f, math.Log(rates[i]))
	}
	own := p.ownRate()
	f = append(f, math.Log(own))
	for _, rate := range [...]float64{rates[1], rates[2], own} {
		f = append(f, q.logOdds(window, rate))
	}
	for _, days := range [...]int{30, 90} {
		f = append(f, math.Log1p(float64(p.Spent(days))/100))
	}
	mean := float64(p.Spent(KeptDays)) / 100 / float64(max(1, p.in(0, KeptDays)))
	return append(f, math.Log1p(mean), math.Log(float64(q.HorizonDays)))
}

// names say what each feature is.
var names = [...]string{
	"days in 7", "days in 14", "days in 30", "days in 60", "days in 90", "days in 180",
	"days 30-60 ago", "days 60-90 ago", "days 90-120 ago", "days 120-180 ago",
	"days in window", "days ever", "age",
	"silence", "mean gap", "evenness of gaps", "silence per mean gap", "silence per longest gap",
	"rate, half-life 15", "rate, half-life 30", "rate, half-life 60", "rate, half-life 120", "rate ever",
	"odds at rate 30", "odds at rate 60", "odds at rate ever",
	"spent in 30", "spent in 90", "spent a day", "horizon",
}

// noGap stands for the gaps of a customer that has none in its window.
const noGap = 60

// gaps are silence, mean gap (over the whole past), the gaps' unevenness, and silence beside mean and longest gap.
func (p *Past) gaps() []float64 {
	silence := float64(p.Silence())
	mean := (float64(p.Age()) - silence) / float64(p.Days-1)
	longest, uneven := float64(noGap), 1.0
	if n := len(p.Visits) - 1; n > 0 {
		var sum, squares float64
		longest = 0
		for i, v := range p.Visits[1:] {
			gap := float64(v.Day - p.Visits[i].Day)
			sum += gap
			squares += gap * gap
			longest = max(longest, gap)
		}
		m := sum / float64(n)
		uneven = math.Sqrt(max(0, squares/float64(n)-m*m)) / (m + 1)
	}
	return []float64{math.Log1p(silence), math.Log1p(mean), uneven, math.Log1p(silence) - math.Log1p(mean), silence / (longest + 5)}
}

// rate is purchase days a day, each day's weight halved every so many days, drawn a little to one in 20 days so that it is never 0.
func (p *Past) rate(halfLife float64) float64 {
	var sum float64
	for _, v := range p.Visits {
		sum += math.Exp2(float64(v.Day-p.At) / halfLife)
	}
	seen := halfLife / math.Ln2 * -math.Expm1(-math.Ln2*float64(min(p.Age(), KeptDays))/halfLife)
	return (sum + 0.3) / (seen + 6)
}

// ownRate is purchase days a day since the first, drawn a little to one in 40.
func (p *Past) ownRate() float64 { return (float64(p.Days) + 0.5) / (float64(p.Age()) + 20) }

// spread is the shape of the gamma distribution that a customer's rate over the horizon is drawn from: how far rates move by themselves.
const spread = 4

// logOdds are those of a halved horizon at a purchase rate.
func (q Question) logOdds(window int, rate float64) float64 {
	return halvedOdds(float64(q.most(window)), rate*float64(q.HorizonDays))
}

func log1p(n int) float64 { return math.Log1p(float64(n)) }
