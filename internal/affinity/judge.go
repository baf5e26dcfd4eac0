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
	later  int32     // the first unsettled block
	untold int32     // and the first of which touches may be missing
	hold   []int64   // by item: its holders at the end of the block before that
	people int64     // and who held anything
	trials []float64 // comings of any item, by place
	come   [][]place // by item: its own comings
	room   []float64 // by item: 1 over the share of lines that are of other items
	rooms  []float64 // by place: the sum of room over what comes
	held   []float64 // scratch: of the antecedent at hand, by place: the share of the comings of others at which it was held, if they left no room
	own    []float64 // its own comings
	more   []float64 // and what is added to it with the room that they leave
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
	for _, scratch := range []*[]float64{&j.rooms, &j.held, &j.more, &j.own} {
		*scratch = make([]float64, len(j.trials))
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

// antecedent makes ready for questions about the item.
func (j *judgement) antecedent(id int) {
	clear(j.held)
	clear(j.more)
	clear(j.own)
	for _, p := range j.come[id] { // when it comes it cannot be held
		j.own[p.at] = p.n
	}
	item := &j.items[id]
	for _, p := range j.places(item.heldAt.before(j.end(uint32(id)))) {
		others := j.trials[p.at] - j.own[p.at]
		held, rooms := share(p.n, others), j.rooms[p.at]-j.own[p.at]*j.room[id]
		j.held[p.at] = held
		if held > 0 && held < 1 && !item.touch {
			grows := -(1 - held) * math.Log1p(-held)
			j.held[p.at], j.more[p.at] = held-grows, grows*others/rooms
		}
	}
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

// weigh gives the evidence about the consequent after the antecedent made ready, up to a block.
func (j *judgement) weigh(e *entry, consequent uint32, end int32) evidence {
	var v evidence
	for _, m := range e.cells.from(j.decay.first).before(end) {
		if code := m.bucket & left; code < sameDay || code == noClock {
			w := j.decay.of(m.bucket >> codeBits)
			v.observed += w * float64(m.n)
			v.observed2 += w * w * float64(m.n)
		}
	}
	for _, p := range j.come[consequent] {
		if p.at/Strata >= end-j.decay.first {
			break
		}
		w, n, all := j.decay.weights[p.at/Strata], p.n, j.trials[p.at]
		held := min(1, j.held[p.at]+j.more[p.at]*j.room[consequent])
		v.all += w * n
		v.expected += w * n * held
		v.expected2 += w * w * n * held
		if all > 1 {
			v.variance += w * w * n * held * (1 - held) * max(0, all-n) / (all - 1)
		}
	}
	return v
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
	table    table
	own      float64 // p of this direction alone
	p, q     float64 // of the two directions or the pair as a whole, whichever is the surer
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
			c.evidence = j.weigh(c.entry, c.to, end)
			all = append(all, c)
		}
	}
	for i := range all {
		c := &all[i]
		c.own = c.evidence.p()
		c.p = c.own
		if at, ok := find(all, c.to, c.from); ok { // twice asked, so twice as likely by chance
			c.p = min(1, 2*min(c.p, c.evidence.plus(all[at].evidence).p()))
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
