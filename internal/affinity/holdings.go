package affinity

import (
	"math"
	"slices"
	"strings"

	"leadline/internal/sales"
)

// holdings is the sums of the tally "links", from which links are judged as long as shards send no tally "pairs". It goes when they do, with
// holdings_test.go and the two lines of Counts that name it.
type holdings struct {
	customers int64
	ids       map[string]uint32
	items     []holding
	pairs     map[pair]int64 // customers holding both
}

type holding struct {
	name    string
	holders int64
	lines   int64
	amount  int64
}

// pair is two items by id, the lower one first.
type pair struct{ a, b uint32 }

// add takes one cell of "links". The bucket, a week, is of no use to sums that do not decay.
func (h *holdings) add(cell *sales.Cell) {
	switch {
	case cell.Row == "" && cell.Col == "":
		h.customers += cell.N
	case cell.Row == "":
	case cell.Col == "":
		h.items[h.id(cell.Row)].holders += cell.N
	case cell.Col == LinesCol:
		h.items[h.id(cell.Row)].lines += cell.N
	case cell.Col == AmountCol:
		h.items[h.id(cell.Row)].amount += cell.N
	case cell.Col[0] != LinesCol[0]:
		a, b := h.id(cell.Row), h.id(cell.Col)
		p := pair{min(a, b), max(a, b)}
		if h.pairs[p] += cell.N; h.pairs[p] == 0 {
			delete(h.pairs, p)
		}
	}
}

func (h *holdings) id(name string) uint32 {
	id, ok := h.ids[name]
	if !ok {
		id = uint32(len(h.items))
		name = strings.Clone(name)
		h.ids[name] = id
		h.items = append(h.items, holding{name: name})
	}
	return id
}

func (h *holdings) crossSell(rules LinkRules) []sales.Link {
	from := make([][]sales.Link, len(h.items))
	for p, both := range h.pairs {
		a, b := h.items[p.a], h.items[p.b]
		t := table{both: both, a: a.holders, b: b.holders, all: h.customers}
		if both < rules.MinSupport || !t.valid() || !t.positive() {
			continue
		}
		g2 := t.gSquared()
		lift := t.lift()
		if g2 < rules.MinG2 || lift.low <= 1 {
			continue
		}
		common := sales.Link{Kind: sales.CrossSellLink, Level: rules.Level, Customers: h.customers, Both: both, GSquared: g2,
			Lift: lift.value, LiftLow: lift.low, LiftHigh: lift.high}
		from[p.a] = append(from[p.a], oldBetween(common, a, b))
		from[p.b] = append(from[p.b], oldBetween(common, b, a))
	}
	var links []sales.Link
	for _, candidates := range from {
		slices.SortFunc(candidates, better)
		links = append(links, candidates[:min(len(candidates), rules.MaxPerItem)]...)
	}
	return links
}

// oldBetween completes what the two directions of a pair have in common.
func oldBetween(l sales.Link, from, to holding) sales.Link {
	share := wilson(l.Both, from.holders)
	l.From, l.To = from.name, to.name
	l.FromHolders, l.ToHolders = from.holders, to.holders
	l.Confidence, l.ConfidenceLow, l.ConfidenceHigh = share.value, share.low, share.high
	l.Baseline = float64(to.holders) / float64(l.Customers)
	l.Score = float64(l.Both) / (float64(from.holders) * math.Pow(float64(to.holders), 0.25))
	if to.lines > 0 {
		l.TypicalMinor = to.amount / to.lines
	}
	return l
}
