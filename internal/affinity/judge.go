package affinity

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"

	"leadline/internal/sales"
)

// judgement weighs the sums of a moment.
//
// An item's coming is a trial; what is asked is whether A is held then. Among the comings of one block and one stratum, A is held
// at heldAt of all but its own; if it has nothing to do with B, it is held at as large a share of B's. The sum of what is expected so over
// blocks and strata, and its variance, are those of W. Cochran, Biometrics 10 (1954), and N. Mantel and W. Haenszel, JNCI 22
// (1959): only equally active customers at the same time are compared, and the margins alone say what is to be expected.
type judgement struct {
	*Counts
	rules  LinkRules
	decay  decay
	today  sales.Day
	later  int32                   // the first unsettled block
	untold int32                   // and the first of which touches may be missing
	hold   []int64                 // by item: its holders at the end of the block before that
	people int64                   // and who held anything
	trials []float64               // comings of any item, by place
	come   [][]place               // by item: its own comings
	room   []float64               // by item: 1 over the share of lines that are of other items
	rooms  []float64               // by place: the sum of room over what comes
	timed  int32                   // the first block of which is known since when things had been held
	own    []float64               // scratch: of the antecedent at hand, by place: its own comings
	since  [len(HeldCols)]exposure // and how it was held, by horizon
}

// place is a number at a place: a block and a stratum.
type place struct {
	at int32
	n  float64
}

// evidence is what is observed and expected of an ordered pair, with each block's weight.
type evidence struct {
	observed, expected float64
	observed2          float64 // by the squares of the weights
	expected2          float64
	variance           float64
	all                float64 // of the consequent's comings, held or not
}

func (v evidence) plus(o evidence) evidence {
	return evidence{v.observed + o.observed, v.expected + o.expected, v.observed2 + o.observed2, v.expected2 + o.expected2, v.variance + o.variance,
		v.all + o.all}
}

func (c *Counts) judge(rules LinkRules, learnedTo sales.Millis) *judgement {
	today := rules.Calendar.Day(learnedTo)
	j := &judgement{Counts: c, rules: rules, decay: newDecay(today, rules.HalfLifeDays), today: today, later: c.unsettled(today, rules.WindowDays),
		untold: unsettled(today)}
	j.people = c.peopleBefore(j.later)
	for i := range c.items {
		item, later := &c.items[i], j.laterOf(uint32(i))
		j.hold = append(j.hold, item.holders-item.came.since(later)-item.left.since(later))
	}
	j.trials = make([]float64, j.decay.blocks()*Strata)
	j.rooms, j.own = make([]float64, len(j.trials)), make([]float64, len(j.trials))
	j.timed = c.timed()
	for h := range j.since {
		j.since[h] = exposure{make([]float64, len(j.trials)), make([]float64, len(j.trials))}
	}
	j.room = c.room()
	j.come = make([][]place, len(c.items))
	for _, i := range c.byName() {
		if c.items[i].touch {
			continue
		}
		j.come[i] = j.places(c.items[i].came)
		for _, p := range j.come[i] {
			j.trials[p.at] += p.n
			j.rooms[p.at] += p.n * j.room[i]
		}
	}
	return j
}

// laterOf is the first block after which it is not settled who holds the item.
func (j *judgement) laterOf(id uint32) int32 {
	if j.items[id].touch {
		return j.untold
	}
	return j.later
}

// end is the first block of which nothing counts that has to do with the antecedent.
func (j *judgement) end(antecedent uint32) int32 {
	if j.items[antecedent].touch {
		return j.untold
	}
	return noBlock
}

// places gives sums by Came that are young enough to count.
func (j *judgement) places(s sums) []place {
	var places []place
	for _, m := range s.from(j.decay.first) {
		places = append(places, place{int32(j.decay.index(m.bucket>>codeBits))*Strata + min(m.bucket&left, Strata-1), float64(m.n)})
	}
	return places
}

// room is, by item, how much room it leaves to the others among what is bought: 1 / (1 − its share of all lines). Of customers who bought
// equally much, those who bought no B bought more of everything else. Of n draws none is A with probability (1 − a)^n, and if none is B,
// (1 − a/(1 − b))^n. To the first order that changes the share at which A is held by −(1 − held)·ln(1 − held) times how much more room B
// leaves than what comes does on average.
func (c *Counts) room() []float64 {
	var lines int64
	for i := range c.items {
		lines += c.items[i].lines
	}
	room := make([]float64, len(c.items))
	for i := range room {
		room[i] = 1
		if own := c.items[i].lines; own > 0 && own < lines {
			room[i] = float64(lines) / float64(lines-own)
		}
	}
	return room
}

func share(part, whole float64) float64 {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return min(1, part/whole)
}

// p is the chance of at least so much when nothing is behind it. Observed is a sum of weighted counts: it is taken as a multiple of a
// Poisson number with the same mean and variance, whose upper tail is right where few are expected.
func (v evidence) p() float64 {
	if v.observed <= 0 || v.expected <= 0 || v.variance <= 0 {
		return 1
	}
	scale := v.variance / v.expected
	return mathext.GammaIncReg(v.observed/scale, v.expected/scale)
}

// lift compares with equally active customers who do not hold the antecedent: expected counts all of them, those who hold it too, so what is
// observed is taken out first. The interval is normal on the logarithm (D. Katz et al., Biometrics 34, 1978).
func (v evidence) lift() interval {
	exposed := v.expected / v.all
	others := (v.expected - v.observed*exposed) / (1 - exposed)
	if !(exposed < 1 && others > 0) {
		return interval{}
	}
	value := v.observed / others
	scale := v.variance / v.expected2
	spread := math.Exp(z95 * math.Sqrt(scale*v.observed2) / v.observed * v.expected / (v.expected - v.observed*exposed))
	return interval{value, value / spread, value * spread}
}

// candidate is an ordered pair that may become a link.
type candidate struct {
	from, to uint32
	entry    *entry
	evidence evidence
	soon     [len(HeldCols) - 1]evidence // of when the antecedent has come within the horizon
	table    table
	own      float64 // p of this direction alone
	p, q     float64 // of the direction and the pair as a whole together
}

// candidates judges all pairs with enough support: both directions of a pair and the pair as a whole. Those that have too little
// count as tested without success, as a family chosen by how often the two were seen together would be chosen by luck.
func (j *judgement) candidates() []candidate {
	var all []candidate
	for id := range j.items {
		j.antecedent(id)
		later, end := j.laterOf(uint32(id)), j.end(uint32(id))
		r := &j.items[id].row
		for i, to := range r.to {
			c := candidate{from: uint32(id), to: to, entry: r.at(i)}
			c.table = table{both: c.entry.both - c.entry.cells.since(later), a: j.hold[id], b: j.hold[c.to], all: j.people}
			if c.table.both < j.rules.MinSupport || !j.possible(&c) {
				continue
			}
			v := j.weigh(c.entry, c.to, end)
			c.evidence, c.soon = v[0], [len(c.soon)]evidence(v[1:])
			all = append(all, c)
		}
	}
	for i := range all {
		c := &all[i]
		p := []float64{c.evidence.p()}
		for _, v := range c.soon {
			p = append(p, v.p())
		}
		c.own = together(p)
		c.p = c.own
		if at, ok := find(all, c.to, c.from); ok { // half for this way, half for the pair as a whole, which sees most of what is spread evenly
			c.p = together([]float64{c.own, c.evidence.plus(all[at].evidence).p()})
		}
	}
	adjust(all, j.tested())
	return all
}

// possible tells whether the counts can be counts of customers. Those who touched something and hold nothing are no customers.
func (j *judgement) possible(c *candidate) bool {
	if j.items[c.from].touch {
		return c.table.both <= min(c.table.a, c.table.b)
	}
	return c.table.valid()
}

// together is the p of several tests of one question, of which any may be the one that sees most: their harmonic mean, which is small when one of
// so many is so many times smaller, and not larger than they are when all agree. It holds whether or not they depend on one another (D. J. Wilson,
// "The harmonic mean p-value for combining dependent tests", PNAS 116, 2019), to some hundredths, where p are small.
func together(p []float64) float64 {
	sum := 0.0
	for _, each := range p {
		sum += 1 / max(each, math.SmallestNonzeroFloat32)
	}
	return float64(len(p)) / sum
}

func find(sorted []candidate, from, to uint32) (int, bool) {
	return slices.BinarySearchFunc(sorted, [2]uint32{from, to}, func(c candidate, key [2]uint32) int {
		return cmp.Or(cmp.Compare(c.from, key[0]), cmp.Compare(c.to, key[1]))
	})
}

// tested is how many ordered pairs could have enough support, by their holders.
func (j *judgement) tested() float64 {
	var from, items float64
	for i := range j.items {
		if j.hold[i] < j.rules.MinSupport {
			continue
		}
		from++
		if !j.items[i].touch {
			items++
		}
	}
	return from*items - items
}

// adjust sets q: the least share of false discoveries at which the candidate would be one (Y. Benjamini and Y. Hochberg, "Controlling the
// false discovery rate", JRSS B 57, 1995) among so many tests.
func adjust(all []candidate, tests float64) {
	order := make([]*candidate, len(all))
	for i := range all {
		order[i] = &all[i]
	}
	slices.SortFunc(order, func(a, b *candidate) int { return cmp.Compare(b.p, a.p) })
	q := 1.0
	for i, c := range order {
		q = min(q, c.p*tests/float64(len(order)-i))
		c.q = q
	}
}
