package affinity

import (
	"cmp"
	"math"
	"slices"

	"leadline/internal/sales"
)

// LinkRules is what a statement must show before it is published.
type LinkRules struct {
	Level        string         // what the counted items are: "product", "type", "category" or "department"
	Calendar     sales.Calendar // whose days the tallies count
	WindowDays   int            // how long an item is held
	HalfLifeDays int            // what is so much older counts half
	MinSupport   int64          // customers who hold both items: fewer tell too little of how many will
	MaxQ         float64        // share of false statements among those published
	MinG2        float64        // Dunning's G² of the holders; 0 asks for none
	MaxPerItem   int            // links from one item, the best by score

	MaxCandidates int // for NewCounts

	MinPriceRatio float64 // upsell: median unit price of the higher tier over the lower one's
	MinPrices     int64   // upsell: purchase lines behind each median
	MinSwitched   int64   // upsell: customers who went up
}

// DefaultLinkRules are strict enough that most statements still hold in later months.
func DefaultLinkRules() LinkRules {
	return LinkRules{Level: "category", WindowDays: 180, HalfLifeDays: 730, MinSupport: 15, MaxQ: 0.05, MaxPerItem: 20,
		MaxCandidates: DefaultMaxCandidates, MinPriceRatio: 1.1, MinPrices: 20, MinSwitched: 3}
}

// Links gives every statement that the sums support, sorted by kind, From, To and Via: cross-sell links between items of rules.Level and
// upsell links within types. learnedTo is how far in event time the sums reach.
//
// A statement "who comes to hold From is likelier to come to To" is published when enough customers hold both, its q is small
// enough, and the lower end of its lift's interval is above 1. The test decides which statements are true, the score which are worth
// offering: lift and G² rank rare coincidences first, Both / (FromHolders · ToHolders^0.25) does not.
func (c *Counts) Links(rules LinkRules, learnedTo sales.Millis) []sales.Link {
	links := append(c.crossSell(rules, learnedTo), c.upsell(rules, c.peopleBefore(c.unsettled(rules.Calendar.Day(learnedTo), rules.WindowDays)))...)
	for i := range links {
		links[i].LearnedTo = learnedTo
	}
	slices.SortFunc(links, func(a, b sales.Link) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Via, b.Via))
	})
	return links
}

// oneWay is what part of MaxQ a direction of a pair may have as its own p: of a pair of which only one direction is true the other is then said
// once in 200 times, a tenth of the false statements that are let pass.
const oneWay = 0.1

func (c *Counts) crossSell(rules LinkRules, learnedTo sales.Millis) []sales.Link {
	j := c.judge(rules, learnedTo)
	from := make([][]sales.Link, len(c.items))
	all := j.candidates()
	for i := range all {
		k := &all[i]
		if k.q <= rules.MaxQ && k.own <= rules.MaxQ*oneWay && k.evidence.lift().low > 1 && k.table.gSquared() >= rules.MinG2 {
			from[k.from] = append(from[k.from], j.between(k))
		}
	}
	learnedFrom, seasons := j.learnedFrom(), j.seasons()
	var links []sales.Link
	for id, found := range from {
		slices.SortFunc(found, better)
		found = found[:min(len(found), rules.MaxPerItem)]
		if len(found) == 0 {
			continue
		}
		t := j.timing(uint32(id))
		for i := range found {
			found[i].LearnedFrom = learnedFrom
			to := c.ids[found[i].To]
			found[i].Season = seasons[to]
			at, _ := slices.BinarySearch(c.items[id].row.to, to)
			t.tell(&found[i], at)
		}
		links = append(links, found...)
	}
	return links
}

// between states a candidate, but for the times.
func (j *judgement) between(k *candidate) sales.Link {
	from, to := &j.items[k.from], &j.items[k.to]
	l := sales.Link{Kind: sales.CrossSellLink, Level: j.rules.Level, To: to.name, Customers: k.table.all, FromHolders: k.table.a,
		ToHolders: k.table.b, Both: k.table.both, GSquared: k.table.gSquared(), Q: k.q}
	l.Via, l.From, _ = touchOf(from.name)
	share := wilson(l.Both, l.FromHolders)
	l.Confidence, l.ConfidenceLow, l.ConfidenceHigh = share.value, share.low, share.high
	l.Baseline = float64(l.ToHolders) / float64(l.Customers)
	l.Score = float64(l.Both) / (float64(l.FromHolders) * math.Pow(float64(l.ToHolders), 0.25))
	if to.lines > 0 {
		l.TypicalMinor = to.amount / to.lines
	}
	lift := k.evidence.lift()
	l.Lift, l.LiftLow, l.LiftHigh = lift.value, lift.low, lift.high
	l.Took = max(1, int64(math.Round(k.evidence.observed)))
	l.Expected = float64(l.Took) / l.Lift // so that the three agree though one is a whole number
	return l
}

// learnedFrom is the beginning of the oldest block that counts and that anything came in.
func (j *judgement) learnedFrom() sales.Millis {
	at := slices.IndexFunc(j.trials, func(n float64) bool { return n > 0 })
	if at < 0 {
		return 0
	}
	return j.rules.Calendar.Start(sales.Day((j.decay.first + int32(at/Strata)) * blockDays))
}
