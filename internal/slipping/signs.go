package slipping

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"leadline/internal/sales"
)

// The signs that the scorecard of slipping away asks for (scorecard.Declining), in its order. Days are days of a Season, but for the age.
const (
	SignOdds        = iota // log odds of a halved horizon at the customer's rate, later days weighing more, if its days came by chance
	SignTrend              // logarithm of the rate of the last two weeks over that rate
	SignDays               // purchase days in the question's window
	SignAge                // days since the first purchase
	SignExpected           // logarithm of the rate that MBG/NBD expects from now on over that in the window: how telling the silence is
	SignRecent             // purchase days in the last 30 days
	SignOddsLately         // as SignOdds, with a half-life of 15 days
	SignOddsEver           // as SignOdds, at the rate since the first purchase
	SignEver               // purchase days ever
	SignSilence            // days since the last purchase
	SignGap                // that silence over the longest one within Reach and five days more
	SignUneven             // standard deviation of the gaps between purchases within Reach, over their mean and a day
	SignEarlier            // purchase days from 60 to 90 days ago: in a downturn Reach goes hardly further back
	SignBasket             // spent on a purchase day within Reach, in hundreds of minor units, like the next two
	SignSpent              // spent in the last 30 days
	SignSpentWindow        // spent in the question's window
	SignBreadth            // logarithm of the kinds of items that are bought on a day lately over those within Reach
	SignReached            // days since a seller's last touch; NotTouched: none
	SignShown              // days since the customer's own last touch; NotTouched: none
	Signs                  // how many there are
)

// NotTouched stands for the days since a touch that was not, or is longer ago than Reach.
const NotTouched = 1_000

// Reach is how many calendar days before a look signs look back. A window of KeptDays still has them at a look that is taken MaxHorizon days late, to
// see what has come of the customer.
const (
	Reach      = 135
	MaxHorizon = 45
)

// spans are the days before a look in which purchase days are counted apart, and how much a day in each counts: with half-lives of 60 and 15 days, at
// its middle.
var spans = [...]struct {
	from, upTo  float64
	late, short float64
}{{0, 7, .960, .851}, {7, 14, .886, .616}, {14, 30, .776, .362}, {30, 60, .595, .125}, {60, 90, .420, .031}, {90, Reach, .273, .006}}

// earlier is the span of SignEarlier.
const earlier = 4

// LevelDays is over how many days before a look a Season's day is the mean.
const LevelDays = 365

// Season is the time before a look as everyone lived it: a day is one on which customers buy as much as on the mean of the last year. When
// business goes down for everybody, time goes slowly: silence then tells less, and windows and horizons reach over more of the calendar. So a
// downturn makes nobody slip away, and does not make what is known of anybody less either.
type Season struct {
	at    sales.Day
	q     Question
	sum   func(after, upTo sales.Day) float64
	level float64
	since [Reach + 1]float64 // the start of the day so many calendar days before the look
}

// NewSeason is that of a look at the start of the day At. Sum tells everyone's activity in (after, upTo], and level that of a mean day, as
// activity.Index does; if it is 0 all days are alike.
func (q Question) NewSeason(at sales.Day, sum func(after, upTo sales.Day) float64, level float64) Season {
	s := Season{at: at, q: q, sum: sum, level: level}
	for n := range s.since {
		s.since[n] = s.between(at-1-sales.Day(n), at-1)
	}
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

// ago is how long ago the day began.
func (s *Season) ago(day sales.Day) float64 {
	if n := int(s.at - day); n <= Reach {
		return s.since[max(0, n)]
	}
	return s.between(day-1, s.at-1)
}

// hair is how near to a whole number of days the sums of everyone's activity come.
const hair = 1e-6

// Back is how many calendar days the question's horizon takes if it ends with the look: a look then asks about what is known now. false: more than
// MaxHorizon.
func (s *Season) Back() (sales.Day, bool) {
	for n := sales.Day(1); n <= MaxHorizon; n++ {
		if s.since[n] >= float64(s.q.HorizonDays)-hair {
			return n, true
		}
	}
	return 0, false
}

// window is how long the question's window is, which may reach further back than the signs do.
func (s *Season) window() float64 { return min(float64(s.q.WindowDays), s.since[Reach]) }

// Slipped says whether so many purchase days in the horizon are a rate below half of the window's.
func (s *Season) Slipped(inWindow, inHorizon int) bool {
	return 2*float64(inHorizon)*s.window() < float64(inWindow*s.q.HorizonDays)
}

// Look is a customer as a shard sees it at a Season's day.
type Look struct {
	Days  []sales.Day // with a purchase, ascending; those more than Reach before the day, and from it on, do not count
	First sales.Day   // of all purchase days
	Ever  int         // how many there were before the day

	// What Ask wants beside that, and Count does not.
	Bought         []Bought  // on each of Days
	Reached, Shown sales.Day // of the last touch before the day: by a seller, by the customer; 0 = none
}

// Bought is what was bought on a day.
type Bought struct {
	SpentMinor int64
	Kinds      int32 // of items
}

// Touch takes up a touch; those from the day known on do not count.
func (l *Look) Touch(kind sales.TouchKind, day, known sales.Day) {
	if day >= known {
		return
	}
	switch kind {
	case sales.TouchCouponSent, sales.TouchCampaignSent, sales.TouchCall, sales.TouchVisit, sales.TouchSurvey:
		l.Reached = max(l.Reached, day)
	default:
		l.Shown = max(l.Shown, day)
	}
}

// Counts are a look's purchase days, which cost little to count beside the rest.
type Counts struct {
	InWindow, Recent int // in the question's window, and in the last 30 days: SignDays and SignRecent
	spans            [len(spans)]float64
	last             sales.Day
}

// recentDaysBack is how many days count as recent.
const recentDaysBack = 30

// Count counts them.
func (s *Season) Count(l *Look) (c Counts) {
	c.last = l.First
	for _, day := range l.Days {
		if day >= s.at {
			break
		}
		if day < s.at-Reach {
			continue
		}
		c.last = day
		ago := s.since[s.at-day] - hair
		for i := range spans {
			if ago <= spans[i].upTo {
				c.spans[i]++
				break
			}
		}
		if ago <= float64(s.q.WindowDays) {
			c.InWindow++
		}
		if ago <= recentDaysBack {
			c.Recent++
		}
	}
	return c
}

// Ask fills in the signs of a look with these counts, which must have something in the window.
func (s *Season) Ask(l *Look, c *Counts, population *Population, signs *[Signs]float64) {
	seen, horizon, window := s.ago(l.First), float64(s.q.HorizonDays), float64(c.InWindow)
	late, short := rates(&c.spans, min(seen, s.since[Reach]))
	most := max(0, math.Ceil(window*horizon/(2*s.window())-hair)-1)
	b := Buyer{Repeats: max(0, l.Ever-1), LastDays: max(0, seen-s.ago(c.last)), SeenDays: seen}
	signs[SignOdds] = halvedOdds(most, late*horizon)
	signs[SignOddsLately] = halvedOdds(most, short*horizon)
	signs[SignOddsEver] = halvedOdds(most, (float64(l.Ever)+0.5)/(seen+20)*horizon)
	signs[SignTrend] = math.Log(short / late)
	signs[SignDays] = window
	signs[SignEver] = float64(l.Ever)
	signs[SignAge] = float64(s.at - l.First)
	signs[SignExpected] = math.Log(population.rate(&b) * s.window() / window)
	signs[SignRecent] = float64(c.Recent)
	signs[SignEarlier] = c.spans[earlier]
	s.askGaps(l, c, signs)
	s.askBought(l, signs)
	signs[SignReached], signs[SignShown] = s.touched(l.Reached), s.touched(l.Shown)
}

// askGaps fills in what silences say.
func (s *Season) askGaps(l *Look, c *Counts, signs *[Signs]float64) {
	var n, sum, squares, longest float64
	before := sales.Day(0)
	for _, day := range l.Days {
		if day >= s.at {
			break
		}
		if day < s.at-Reach {
			continue
		}
		if before != 0 {
			gap := s.since[s.at-before] - s.since[s.at-day]
			n, sum, squares, longest = n+1, sum+gap, squares+gap*gap, max(longest, gap)
		}
		before = day
	}
	uneven := 1.0
	if n > 0 {
		mean := sum / n
		uneven = math.Sqrt(max(0, squares/n-mean*mean)) / (mean + 1)
	} else {
		longest = noGap
	}
	silence := s.ago(c.last)
	signs[SignSilence], signs[SignGap], signs[SignUneven] = silence, silence/(longest+5), uneven
}

// askBought fills in what money and the kinds of items say. Few days lately are drawn to the customer's usual kinds.
func (s *Season) askBought(l *Look, signs *[Signs]float64) {
	var days, kinds, recentDays, recentKinds, spent, recent, inWindow float64
	for i, bought := range l.Bought {
		day := l.Days[i]
		if day >= s.at {
			break
		}
		if day < s.at-Reach {
			continue
		}
		ago, minor, n := s.since[s.at-day]-hair, float64(bought.SpentMinor)/100, float64(bought.Kinds)
		days, kinds, spent = days+1, kinds+n, spent+minor
		if ago <= float64(s.q.WindowDays) {
			inWindow += minor
		}
		if ago <= recentDaysBack {
			recentDays, recentKinds, recent = recentDays+1, recentKinds+n, recent+minor
		}
	}
	signs[SignBasket], signs[SignSpent], signs[SignSpentWindow], signs[SignBreadth] = spent/max(1, days), recent, inWindow, 0
	if kinds > 0 {
		usual := kinds / days
		const drawn = 2
		signs[SignBreadth] = math.Log((recentKinds + drawn*usual) / ((recentDays + drawn) * usual))
	}
}

// touched is how many days ago a touch was.
func (s *Season) touched(day sales.Day) float64 {
	if day == 0 || day < s.at-Reach {
		return NotTouched
	}
	return float64(s.at - day)
}

// rates are purchase days a day, later ones weighing more, of so long a time, drawn a little to one in 20.
func rates(counts *[len(spans)]float64, seen float64) (late, short float64) {
	lateSum, lateTime, shortSum, shortTime := 0.3, 6.0, 0.3, 6.0
	for i := range spans {
		length := max(0, min(spans[i].upTo, seen)-spans[i].from)
		lateSum += spans[i].late * counts[i]
		lateTime += spans[i].late * length
		shortSum += spans[i].short * counts[i]
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
