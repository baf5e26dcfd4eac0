package affinity

import "math"

// A link shows most when the antecedent has just come, or evenly, or late: what comes within four weeks of one thing is seen among what comes within
// four weeks, and drowns among what comes within half a year. So the same comparison is made thrice: with the antecedent held at all, held since less
// than a quarter, and since less than four weeks. That is the log-rank test with several weights of early times at once (T. Fleming and D. Harrington,
// "Counting processes and survival analysis", 1991; J. W. Lee, "Some versatile tests based on the simultaneous use of weighted log-rank statistics",
// Biometrics 52, 1996), in blocks and strata (judgement). Where the weight is 1 or 0 what is observed stays a count, whose tail is known where few
// are expected.

// exposure is, of an antecedent, by place: the share of the comings of others at which it was held, if they left no room, and what is added to
// it with the room that they leave.
type exposure struct{ held, more []float64 }

// antecedent makes ready for questions about the item.
func (j *judgement) antecedent(id int) {
	clear(j.own)
	for _, p := range j.come[id] { // when it comes it cannot be held
		j.own[p.at] = p.n
	}
	item := &j.items[id]
	for h := range j.since {
		clear(j.since[h].held)
		clear(j.since[h].more)
		for _, sums := range item.heldAt[h:] {
			for _, p := range j.places(sums.before(j.end(uint32(id)))) {
				j.since[h].held[p.at] += p.n
			}
		}
	}
	for at, n := range j.since[0].held {
		if n <= 0 {
			continue
		}
		others, rooms := j.trials[at]-j.own[at], j.rooms[at]-j.own[at]*j.room[id]
		held := share(n, others)
		for h := range j.since {
			s := &j.since[h]
			s.held[at] = share(s.held[at], others)
			if grows := grows(s.held[at], held); grows != 0 && !item.touch {
				s.held[at], s.more[at] = s.held[at]-grows, grows*others/rooms
			}
		}
	}
}

// grows is by how much the share at which A is held and came within the horizon, soon, grows with the room that is left, to the first order (room). Among
// n draws none is A with probability e^-L, L in proportion to the room; A came within the horizon when none was A in the part of the draws before
// it, and one in the part since: soon = e^-L(1-f) - e^-L. Of that it is the derivative by ln L, with L and f as the shares tell them.
func grows(soon, held float64) float64 {
	if !(0 < soon && soon <= held && held < 1) {
		return 0
	}
	none := 1 - held + soon // e^-L(1-f)
	return soon*math.Log(none) - (1-held)*math.Log((1-held)/none)
}

// timed is the first block of which is known since when things had been held. Sums of earlier releases do not tell, and those of the block in which
// a release began to tell do in part.
func (c *Counts) timed() int32 {
	first, timed := int32(noBlock), int32(noBlock)
	for i := range c.items {
		for h, s := range c.items[i].heldAt {
			if len(s) == 0 {
				continue
			}
			first = min(first, s[0].bucket>>codeBits)
			if h > 0 {
				timed = min(timed, s[0].bucket>>codeBits)
			}
		}
	}
	if timed == first {
		return first
	}
	return timed + 1
}

// weigh gives the evidence about the consequent after the antecedent made ready, up to a block, by horizon.
func (j *judgement) weigh(e *entry, consequent uint32, end int32) (v [len(HeldCols)]evidence) {
	for _, m := range e.cells.from(j.decay.first).before(end) {
		within, later := cameWithin(m.bucket & left)
		if !later {
			continue
		}
		block := m.bucket >> codeBits
		w := j.decay.of(block)
		for h := range within + 1 {
			if h > 0 && block < j.timed {
				break
			}
			v[h].observed += w * float64(m.n)
			v[h].observed2 += w * w * float64(m.n)
		}
	}
	for _, p := range j.come[consequent] {
		if p.at/Strata >= end-j.decay.first {
			break
		}
		w, n, all := j.decay.weights[p.at/Strata], p.n, j.trials[p.at]
		for h := range v {
			if h > 0 && j.decay.first+p.at/Strata < j.timed {
				break
			}
			held := max(0, min(1, j.since[h].held[p.at]+j.since[h].more[p.at]*j.room[consequent]))
			v[h].all += w * n
			v[h].expected += w * n * held
			v[h].expected2 += w * w * n * held
			if all > 1 {
				v[h].variance += w * w * n * held * (1 - held) * max(0, all-n) / (all - 1)
			}
		}
	}
	return v
}
