package slipping

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"leadline/internal/sales"
)

// The signs that the scorecard of slipping away asks for (scorecard.Declining), in its order. Rates are measured in everyone's time: a Season
// makes a day of a slack season less than one.
const (
	SignOdds     = iota // log odds of a halved horizon at the customer's rate, later days weighing more, if its days came by chance
	SignTrend           // logarithm of the rate of the last two weeks over that rate
	SignDays            // purchase days in the question's window
	SignAge             // days since the first purchase
	SignExpected        // logarithm of the rate that MBG/NBD expects from now on over that in the window: how telling the silence is
	SignRecent          // purchase days in the last 30 days
	Signs               // how many there are
)

// spans are the days before a look in which purchase days are counted apart, and how much a day in each counts: with half-lives of 60 and 15 days, at
// its middle.
var spans = [...]struct {
	from, upTo  int // days before the look: (from, upTo]
	late, short float64
}{{0, 7, .960, .851}, {7, 14, .886, .616}, {14, 30, .776, .362}, {30, 60, .595, .125}, {60, 90, .420, .031}, {90, 180, .210, .002}}

// Season is how much time passed for everyone in the days before a look: in days of the last four weeks. So horizons begin as the last four
// weeks were, and in a general downturn silence tells less. Its memory may be used again.
type Season struct {
	at     sales.Day
	length [len(spans)]float64 // of the spans
	window float64             // of the question's window
	sum    func(after, upTo sales.Day) float64
	level  float64
	q      Question
}

// levelDays are whole weeks, so that every weekday counts the same.
const levelDays = 28

// NewSeason is that of a look at the start of the day At. Sum tells everyone's activity in (after, upTo], as activity.Index does; where it
// knows of none in the last four weeks, all days are alike.
func (q Question) NewSeason(at sales.Day, sum func(after, upTo sales.Day) float64) Season {
	s := Season{at: at, sum: sum, q: q, level: sum(at-1-levelDays, at-1) / levelDays}
	for i, span := range spans {
		s.length[i] = s.between(at-1-sales.Day(span.upTo), at-1-sales.Day(span.from))
	}
	s.window = s.between(at-1-sales.Day(q.WindowDays), at-1)
	return s
}

// At is the day of the look.
func (s *Season) At() sales.Day { return s.at }

// between is the time in (after, upTo].
func (s *Season) between(after, upTo sales.Day) float64 {
	switch {
	case upTo <= after:
		return 0
	case s.level <= 0:
		return float64(upTo - after)
	default:
		return s.sum(after, upTo) / s.level
	}
}

// Slipped says whether so many purchase days in a horizon are less than half of what the window lets expect, when all that came before the
// horizon's end is known: by everyone's activity in both.
func (s *Season) Slipped(inWindow, inHorizon int) bool {
	horizon := s.between(s.at-1, s.at-1+sales.Day(s.q.HorizonDays))
	return 2*float64(inHorizon)*s.window < float64(inWindow)*horizon
}

// Look is a customer as a shard sees it at a Season's day.
type Look struct {
	Days  []sales.Day // with a purchase, ascending: of the KeptDays before the day, at least one; later ones do not count
	First sales.Day   // of all purchase days
	Ever  int         // how many there were before the day
}

// Ask fills in the signs; false for a customer without a purchase in the window.
func (s *Season) Ask(l *Look, population *Population, signs *[Signs]float64) bool {
	var counts [len(spans)]int
	window, recent := 0, 0
	last := l.First
	for _, day := range l.Days {
		ago := int(s.at - day)
		if ago < 1 {
			break
		}
		last = day
		for i := range spans {
			if ago <= spans[i].upTo {
				counts[i]++
				break
			}
		}
		if ago <= s.q.WindowDays {
			window++
		}
		if ago <= 30 {
			recent++
		}
	}
	if window == 0 {
		return false
	}
	age := int(s.at - l.First)
	late, short := s.rates(&counts, age)
	horizon := float64(s.q.HorizonDays)
	most := math.Ceil(float64(window)*horizon/(2*s.window)) - 1
	signs[SignOdds] = halvedOdds(max(0, most), late*horizon)
	signs[SignTrend] = math.Log(short / late)
	signs[SignDays] = float64(window)
	signs[SignAge] = float64(age)
	seen, silence := s.between(l.First, s.at), s.between(last, s.at)
	b := Buyer{Repeats: max(0, l.Ever-1), LastDays: max(0, seen-silence), SeenDays: seen}
	signs[SignExpected] = math.Log(population.rate(&b) * s.window / float64(window))
	signs[SignRecent] = float64(recent)
	return true
}

// rates are purchase days a day, later ones weighing more, drawn a little to one in 20.
func (s *Season) rates(counts *[len(spans)]int, age int) (late, short float64) {
	lateSum, lateTime, shortSum, shortTime := 0.3, 6.0, 0.3, 6.0
	for i := range spans {
		n, length := float64(counts[i]), s.length[i]
		if upTo := spans[i].upTo; age < upTo { // the customer was not there for all of it
			length = s.between(s.at-1-sales.Day(age), s.at-1-sales.Day(spans[i].from))
		}
		lateSum += spans[i].late * n
		lateTime += spans[i].late * length
		shortSum += spans[i].short * n
		shortTime += spans[i].short * length
	}
	return lateSum / lateTime, shortSum / shortTime
}

// Usual is a population to begin with, before one is known: customers buy every other week, and leave after one purchase in eight.
var Usual = Population{R: 1, Alpha: 15, A: 0.3, B: 2}

// rate is the purchase days a day that are expected of the buyer from now on, before it buys again.
func (p *Population) rate(b *Buyer) float64 {
	return (p.R + float64(b.Repeats)) / (p.Alpha + b.SeenDays) / (1 + p.goneOdds(b))
}

// halvedOdds are the log odds of at most so many purchase days where so many are expected, by the negative binomial, within ±ln 10,000: I(spread/(spread+mean);
// spread, most+1), the sum of its terms.
func halvedOdds(most, mean float64) float64 {
	p := mathext.RegIncBeta(spread, most+1, spread/(spread+mean))
	p = min(max(p, 1e-4), 1-1e-4)
	return math.Log(p / (1 - p))
}
