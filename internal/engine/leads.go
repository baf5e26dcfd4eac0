package engine

import (
	"cmp"
	"math"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// resolved is a link with all that hangs on the knowledge alone, and the words about it once they were needed.
type resolved struct {
	link   *sales.Link
	words  *linkWords
	chance float64 // that it is taken within linkDays
	odds   float64 // log odds of that
	season float64 // 1 where none is known
	worth  float64 // margin of a typical line, 0 where either is unknown

	oddsPoints, popularityPoints, seasonPoints float64 // on the card of cross-sell
}

// lead is where a link leads to, and how near that is: all that comparing asks of a link, in little memory.
type lead struct {
	to     int32   // the dictionary's number, −1 while no item has the name
	gone   bool    // by the catalogue it is not sold
	score  float64 // the link's, which tells mostly which of two is better
	cosine float64 // c(A,B)/√(n(A)·n(B))
	damped int64   // c(A,B)/(n(A)·n(B)^0.25), in parts
}

// leads is what leads from an item, best first: each link twice.
type leads struct {
	round uint32 // of the scratch
	names int    // of the level, when the links were last given their numbers
	links []resolved
	near  []lead
}

// leadsFrom gives the links of the level that lead from the item.
func (s *Shard) leadsFrom(from int32) *leads {
	sc := &s.step.scratch
	l := leadsAt(&sc.leads, from)
	if l.begin(sc.round) {
		s.lead(l, s.level.name(from), "")
	}
	s.findLeads(l)
	return l
}

// leadsAfter gives those that lead from touches of the number.
func (s *Shard) leadsAfter(number int32, t *window.Touch) *leads {
	sc := &s.step.scratch
	l := leadsAt(&sc.touchLeads, number)
	if l.begin(sc.round) {
		s.lead(l, s.items.Item(t.About).Category, t.Kind.String())
	}
	s.findLeads(l)
	return l
}

func leadsAt(all *[]leads, number int32) *leads {
	for len(*all) <= int(number) {
		*all = append(*all, leads{})
	}
	return &(*all)[number]
}

// begin empties leads that are of another round, and tells whether they were.
func (l *leads) begin(round uint32) bool {
	if l.round == round {
		return false
	}
	*l = leads{round: round, links: l.links[:0], near: l.near[:0]}
	return true
}

// lead fills in what leads from the name, by way of a purchase or a kind of touch. Who has looked at something may be offered that.
func (s *Shard) lead(l *leads, from, via string) {
	shared := s.step.batch.Knowledge.Links.From(from)
	for i := range shared {
		k := &shared[i]
		if k.Level != s.rules.LinkLevel || k.Via != via || s.level.excluded[k.To] || k.To == k.From && via == "" || s.useless(sales.CrossSell, k.To) {
			continue
		}
		near := lead{to: -1, gone: s.missing(k), score: k.Score, damped: int64(parts*k.Score + 0.5)}
		if k.FromHolders > 0 && k.ToHolders > 0 {
			near.cosine = float64(k.Both) / math.Sqrt(float64(k.FromHolders)*float64(k.ToHolders))
		}
		l.links, l.near = append(l.links, s.resolve(k)), append(l.near, near)
	}
}

// findLeads gives numbers to names that have come up since.
func (s *Shard) findLeads(l *leads) {
	names := s.level.len()
	if l.names == names {
		return
	}
	l.names = names
	for i := range l.near {
		if l.near[i].to >= 0 {
			continue
		}
		if to, ok := s.level.find(l.links[i].link.To); ok {
			l.near[i].to = to
		}
	}
}

func (s *Shard) resolve(l *sales.Link) resolved {
	r := resolved{link: l, season: cmp.Or(l.Season, 1)}
	r.chance, r.odds = chance(l, s.rules.WindowDays)
	if margin, known := s.step.batch.Knowledge.Catalogue.Margin(s.level.item(l.To)); known {
		r.worth = margin * float64(l.TypicalMinor)
	}
	card := s.card(scorecard.CrossSell())
	r.oddsPoints, r.popularityPoints = card.Points(scorecard.LinkOdds, r.odds), card.Points(scorecard.Popularity, l.Baseline)
	r.seasonPoints = card.Points(scorecard.Season, r.season)
	return r
}

// missing tells whether the catalogue has products of what the link leads from, and none of what it leads to: that is not sold (any more).
// One that knows neither is not complete, and says nothing.
func (s *Shard) missing(l *sales.Link) bool {
	known := s.step.batch.Knowledge.Catalogue
	return known.Sells(s.level.leadsFrom(l)) && !known.Sells(s.level.item(l.To))
}

// rank orders links: by score, equal ones by name, so that the order of lines does not matter.
func rank(a, b *sales.Link) int {
	if c := cmp.Compare(b.Score, a.Score); c != 0 { // mostly; names take longer
		return c
	}
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Via, b.Via))
}

// better tells whether a stands before b.
func better(a, b *sales.Link) bool { return rank(a, b) < 0 }

// linkDays is for how long the card asks what a link gives: the first weeks of a curve alone, which are as long as an offer, rest on few events.
const linkDays = 30

// chance is the probability that the link gives its item within linkDays, and the log odds of it: by the curve of the time to it if there is
// one, else as if the confidence came evenly over the window.
func chance(l *sales.Link, windowDays int) (p, odds float64) {
	p = evenly(l.Confidence, linkDays, windowDays)
	if l.Starts > 0 {
		p = l.Within30.P
	}
	p = bounded(p)
	return p, scorecard.LogOdds(p)
}

// evenly is the part of a window's share that comes within so many days.
func evenly(share float64, days, windowDays int) float64 {
	return 1 - math.Pow(1-share, float64(days)/float64(windowDays))
}

func bounded(p float64) float64 { return max(leastChance, min(p, 1-leastChance)) }

// leastChance keeps odds finite.
const leastChance = 1e-4
