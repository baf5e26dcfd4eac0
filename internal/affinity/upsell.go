package affinity

import (
	"maps"
	"slices"

	"leadline/internal/catalogue"
	"leadline/internal/sales"
)

// priorCustomers is how many customers with the average switch rate each tier is credited with: a type with three customers
// must not lead because one of them went up.
const priorCustomers = 20

// step is going up from one tier of a type to the next one that anybody buys.
type step struct {
	typ                string
	from, to           int32
	eligible, switched int64
	ratio              float64 // of the median unit prices
}

// upsell gives, per type, the step that customers take most readily. One a type: its key names no tier.
func (c *Counts) upsell(rules LinkRules, customers int64) []sales.Link {
	var steps []step
	var eligible, switched int64
	for _, name := range slices.Sorted(maps.Keys(c.types)) {
		for _, s := range c.types[name].steps(name, rules) {
			steps = append(steps, s)
			eligible += s.eligible
			switched += s.switched
		}
	}
	if eligible == 0 {
		return nil
	}
	average := float64(switched) / float64(eligible)
	best := map[string]sales.Link{}
	for _, s := range steps {
		l := s.link(average)
		if other, ok := best[s.typ]; s.switched >= rules.MinSwitched && (!ok || l.Score > other.Score) {
			l.Customers = customers
			best[s.typ] = l
		}
	}
	return slices.Collect(maps.Values(best))
}

// steps gives the type's steps whose higher tier is really dearer, lowest first.
func (t *typeCount) steps(name string, rules LinkRules) []step {
	var steps []step
	tiers := t.bought()
	for i, to := range tiers[min(1, len(tiers)):] {
		from := tiers[i]
		s := step{typ: name, from: from, to: to, eligible: t.eligible[from], switched: t.switched[from]}
		s.ratio = priceRatio(t.prices[from], t.prices[to], rules.MinPrices)
		if s.ratio >= rules.MinPriceRatio && s.switched >= 0 && s.switched <= s.eligible && s.eligible > 0 {
			steps = append(steps, s)
		}
	}
	return steps
}

// bought lists the known tiers that anybody buys, lowest first.
func (t *typeCount) bought() []int32 {
	tiers := slices.Sorted(maps.Keys(t.prices))
	return slices.DeleteFunc(tiers, func(tier int32) bool { return tier <= 0 || len(t.prices[tier]) == 0 })
}

// link states the step. Its baseline is the average share of eligible customers who go up, over all types, and its score the
// type's own share, shrunk towards that.
func (s step) link(average float64) sales.Link {
	share := wilson(s.switched, s.eligible)
	l := sales.Link{Kind: sales.UpsellLink, Level: "type", From: s.typ, To: s.typ, FromTier: s.from, ToTier: s.to,
		FromHolders: s.eligible, Both: s.switched, Baseline: average, PriceRatio: s.ratio,
		Confidence: share.value, ConfidenceLow: share.low, ConfidenceHigh: share.high,
		Score: (float64(s.switched) + priorCustomers*average) / (float64(s.eligible) + priorCustomers)}
	if average > 0 {
		l.Lift, l.LiftLow, l.LiftHigh = share.value/average, share.low/average, share.high/average
	}
	return l
}

// priceRatio is the higher tier's median unit price over the lower one's, in the unit of size that both have most lines in;
// 0 when there is no unit with enough lines of both.
func priceRatio(low, high map[int32]int64, enough int64) float64 {
	lows, highs := byUnit(low), byUnit(high)
	var ratio float64
	most := max(enough, 1) - 1
	for unit := range lows {
		if n := min(lows[unit].lines, highs[unit].lines); n > most {
			most, ratio = n, highs[unit].median()/lows[unit].median()
		}
	}
	return ratio
}

// histogram is the prices in one unit of size.
type histogram struct {
	buckets []int32 // sorted
	counts  map[int32]int64
	lines   int64
}

// byUnit sorts price buckets by unit of size. Counts below 0 cannot be and are left out.
func byUnit(counts map[int32]int64) [catalogue.Units]histogram {
	var units [catalogue.Units]histogram
	for _, bucket := range slices.Sorted(maps.Keys(counts)) {
		price, ok := catalogue.PriceOf(bucket)
		if n := counts[bucket]; ok && n > 0 {
			h := &units[price.Unit]
			h.buckets = append(h.buckets, bucket)
			h.counts = counts
			h.lines += n
		}
	}
	return units
}

// median is the middle of the bucket that holds the middle line. There must be a line.
func (h histogram) median() float64 {
	rest := (h.lines + 1) / 2
	for _, bucket := range h.buckets {
		if rest -= h.counts[bucket]; rest <= 0 {
			price, _ := catalogue.PriceOf(bucket)
			return price.Minor
		}
	}
	return 0
}
