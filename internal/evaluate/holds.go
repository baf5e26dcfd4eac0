package evaluate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"leadline/internal/affinity"
	"leadline/internal/sales"
)

// Holds says how many of the statements "who buys A is likelier to buy B" that would have been published before a cut are true after it: in the
// days from the cut on, customers who hold A, and not B, take up B more often than equally active customers who hold neither. Equally active
// are those who bought as much in the window, by affinity.Stratum: items a day, summed over the days. What is expected of A's holders
// is the share of the others of their stratum who take up B; a stratum without others says nothing. The adjusted lift is what was observed
// over what was expected, and a statement holds if it is above 1.
type Holds struct {
	Days      int        `json:"days"` // from the cut on
	Published int        `json:"published"`
	Top       HoldsShare `json:"top"`             // the first of them by G²
	Random    HoldsShare `json:"random"`          // of pairs drawn among all that have the support, whatever the tests say
	Links     []HeldLink `json:"links,omitempty"` // the top ones
}

// HoldsShare is how many statements hold.
type HoldsShare struct {
	Statements int      `json:"statements"` // that can be judged: something was expected
	Unjudged   int      `json:"unjudged"`
	Held       int      `json:"held"`
	Share      Estimate `json:"share"` // with Wilson's interval, as if statements were independent of one another
	PooledLift float64  `json:"pooled_lift"`
}

// HeldLink is one of the top statements.
type HeldLink struct {
	From     string  `json:"from"`
	To       string  `json:"to"`
	Lift     float64 `json:"lift"` // as published
	Observed float64 `json:"observed"`
	Expected float64 `json:"expected"`
}

const (
	holdsDays   = 60
	topLinks    = 100
	randomLinks = 1_000
)

// holds publishes as an analyst would have on the day before the cut, and looks what came of it. MinSupport is the usual one.
func (h *History) holds(all []*customer, q *question) *Holds {
	rules := affinity.DefaultLinkRules()
	rules.Level, rules.WindowDays, rules.Calendar = string(h.m.Level), int(q.window), h.m.Calendar
	counts := affinity.NewCounts(len(h.names)) // enough to evict none
	counts.AddAtRest(func(add func(sales.TallyKind, []sales.Cell)) {
		for _, c := range all {
			add(sales.TallyPairs, affinity.Contribution(h.history(c, q.cut), rules.WindowDays, q.cut-1))
		}
	})
	links := counts.Links(rules, h.m.Calendar.Start(q.cut)-1)
	out := &Holds{Days: holdsDays, Published: len(links)}
	slices.SortStableFunc(links, func(a, b sales.Link) int { return compareDown(a.GSquared, b.GSquared) })
	follow := h.followUp(all, q)
	var top, random []takenUp
	for _, l := range links[:min(len(links), topLinks)] {
		t := follow.of(h.ids[l.From], h.ids[l.To])
		top = append(top, t)
		out.Links = append(out.Links, HeldLink{l.From, l.To, l.Lift, t.observed, t.expected})
	}
	for _, p := range follow.drawn(rules.MinSupport, randomLinks) {
		random = append(random, follow.of(p[0], p[1]))
	}
	out.Top, out.Random = shareHeld(top), shareHeld(random)
	return out
}

// history is what the customer bought before a day, as a shard counts it: lines without an amount are no part of links.
func (h *History) history(c *customer, before sales.Day) []affinity.Bought {
	var out []affinity.Bought
	for _, b := range c.between(0, before) {
		if b.minor > 0 {
			out = append(out, affinity.Bought{Day: b.day, Item: h.names[b.item], Lines: int64(b.lines), AmountMinor: b.minor})
		}
	}
	return out
}

// followUp is the customers of the window before the cut: what each holds, how active it was, and what it takes up.
type followUp struct {
	items   int
	people  []followed
	holders [][]int32 // by item, of people
}

type followed struct {
	stratum int32
	held    map[int32]bool
	took    map[int32]bool // new to it
}

func (h *History) followUp(all []*customer, q *question) *followUp {
	f := &followUp{items: len(h.names), holders: make([][]int32, len(h.names))}
	for _, c := range all {
		window := c.between(q.cut-q.window, q.cut)
		if len(window) == 0 {
			continue
		}
		p := followed{stratum: affinity.Stratum(len(window)), held: map[int32]bool{}, took: map[int32]bool{}}
		for _, b := range window {
			if !p.held[b.item] {
				p.held[b.item] = true
				f.holders[b.item] = append(f.holders[b.item], int32(len(f.people)))
			}
		}
		for _, b := range c.between(q.cut, q.cut+holdsDays) {
			p.took[b.item] = !p.held[b.item]
		}
		f.people = append(f.people, p)
	}
	return f
}

// takenUp is how often A's holders took up B, and what was to be expected.
type takenUp struct{ observed, expected float64 }

// of follows the statement from one item to another.
func (f *followUp) of(from, to int32) takenUp {
	var with, took, others, tookToo [affinity.Strata]float64
	for i := range f.people {
		p := &f.people[i]
		if p.held[to] {
			continue
		}
		n, taken := &others, &tookToo
		if p.held[from] {
			n, taken = &with, &took
		}
		n[p.stratum]++
		if p.took[to] {
			taken[p.stratum]++
		}
	}
	var t takenUp
	for s := range with {
		if others[s] > 0 {
			t.observed += took[s]
			t.expected += with[s] * tookToo[s] / others[s]
		}
	}
	return t
}

// drawn draws ordered pairs among those that enough customers hold both of.
func (f *followUp) drawn(support int64, n int) (pairs [][2]int32) {
	var all [][2]int32
	with := make([]int64, f.items)
	for a, holders := range f.holders {
		clear(with)
		for _, i := range holders {
			for b := range f.people[i].held {
				with[b]++
			}
		}
		for b, both := range with {
			if both >= support && b != a {
				all = append(all, [2]int32{int32(a), int32(b)})
			}
		}
	}
	rng := rand.New(rand.NewPCG(1927, 22))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:min(len(all), n)]
	slices.SortFunc(all, func(a, b [2]int32) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return all
}

func shareHeld(all []takenUp) HoldsShare {
	var s HoldsShare
	observed, expected := 0.0, 0.0
	for _, t := range all {
		if t.expected == 0 {
			s.Unjudged++
			continue
		}
		s.Statements++
		if t.observed > t.expected {
			s.Held++
		}
		observed, expected = observed+t.observed, expected+t.expected
	}
	s.Share, s.PooledLift = wilson(s.Held, s.Statements), observed/math.Max(expected, 1e-12)
	return s
}

// wilson is a share with its 95% score interval (E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927).
func wilson(k, n int) Estimate {
	if n == 0 {
		return Estimate{High: 1}
	}
	const z = 1.959963984540054
	p, m := float64(k)/float64(n), float64(n)
	centre := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return Estimate{p, max(0, centre-half), min(1, centre+half)}
}
