package desk

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"leadline/internal/book"
	"leadline/internal/sales"
)

// shop is what is bought with what in a town.
type shop struct{ town *town }

func (s shop) All() ([]sales.Link, int64, error) {
	if s.town.reading.Load() {
		return nil, 0, book.ErrReadingLinks
	}
	return s.town.links, 4711, nil
}

var shelf = []string{"PASTA / SPAGHETTI", "PASTA / PENNE", "SAUCE / PESTO", "SAUCE / TOMATO", "CHEESE / PARMESAN", "WINE / RED", "WINE / WHITE", "BREAD / CIABATTA",
	"TEA / GREEN", "TEA / HERBAL & FRUIT, LOOSE OR IN BAGS", "BISCUITS / SHORTBREAD", "HONEY / ACACIA", "COFFEE / BEANS", "COFFEE / FILTERS", "MILK / WHOLE"}

// newLinks are links between neighbours on the shelf, one after a touch and one step up among them.
func newLinks() (all []sales.Link) {
	for i, from := range shelf {
		for _, by := range []int{1, 2, 5} {
			to := shelf[(i+by)%len(shelf)]
			for _, there := range []bool{true, false} {
				l := newLink(from, to, 1.2+float64((i*7+by*3)%11)/4, 0.08+0.03*float64((i+by)%9))
				if !there {
					l = newLink(to, from, l.Lift, l.Within90.P*0.8)
				}
				all = append(all, l)
			}
		}
	}
	viewed := newLink("WINE", "CHEESE", 1.4, 0.1)
	viewed.Via, viewed.Level = "product_view", "category"
	up := sales.Link{Kind: sales.UpsellLink, Level: "type", From: "COFFEE / BEANS", To: "COFFEE / BEANS", FromTier: 1, ToTier: 2, FromHolders: 200, Both: 30,
		Confidence: 0.15, ConfidenceLow: 0.11, ConfidenceHigh: 0.2, Baseline: 0.08, Lift: 1.9, LiftLow: 1.4, LiftHigh: 2.5, Score: 0.13, LearnedTo: learnedTo}
	plain := newLink("=SUM(A1)", "TEA / GREEN", 1.3, 0.2)
	plain.Starts, plain.Within30, plain.Within90, plain.Within180, plain.CallFrom, plain.CallTo = 0, sales.Chance{}, sales.Chance{}, sales.Chance{}, 0, 0
	all = append(all, viewed, up, plain)
	slices.SortFunc(all, func(a, b sales.Link) int { return cmp.Compare(a.Key(), b.Key()) })
	return slices.CompactFunc(all, func(a, b sales.Link) bool { return a.Key() == b.Key() })
}

const learnedTo = sales.Millis(today) * sales.DayMillis

// newLink comes by so many percent within 90 days, most of it early.
func newLink(from, to string, lift, within90 float64) sales.Link {
	l := sales.Link{Kind: sales.CrossSellLink, Level: "type", From: from, To: to, Customers: 5_000, FromHolders: 900 + int64(within90*3000), ToHolders: 700,
		Both: int64(within90 * 1500), Baseline: 0.14, Lift: lift, LiftLow: lift * 0.85, LiftHigh: lift * 1.18, GSquared: 40 * lift * lift, Q: math.Exp(-9 * lift),
		Took: 120, Expected: 120 / lift, Starts: 800, CallFrom: 9, CallTo: 45, LearnedFrom: learnedTo - 365*sales.DayMillis, LearnedTo: learnedTo}
	l.Confidence = float64(l.Both) / float64(l.FromHolders)
	at := func(days, of float64) float64 { return of * (1 - math.Exp(-days/50)) / (1 - math.Exp(-90.0/50)) }
	chance := func(days float64) sales.Chance {
		p := at(days, within90)
		return sales.Chance{P: p, Low: p * 0.88, High: p * 1.13, Baseline: p / lift}
	}
	l.Within30, l.Within90, l.Within180 = chance(30), chance(90), chance(180)
	for i := range l.Curve {
		days := float64(min(7*(i+1), 180))
		l.Curve[i], l.BaseCurve[i] = float32(at(days, within90)), float32(at(days, within90)/lift*0.97)
	}
	return l
}

func ids(links []Link) (keys []string) {
	for _, l := range links {
		keys = append(keys, fmt.Sprintf("%s > %s", l.From, l.To))
	}
	return keys
}
