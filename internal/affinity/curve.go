package affinity

import (
	"math"

	"leadline/internal/sales"
)

// lifeTable is how many waited for something from the start on, and how many it came to, week by week (E. L. Kaplan and P. Meier,
// "Nonparametric estimation from incomplete observations", JASA 53, 1958). A start counts in a week only when all of its block has been
// through that week, so that who has just begun is not taken for who waits in vain.
type lifeTable struct {
	weeks    int // that can be known at all: what is held for a shorter time than the curve is seen no longer
	atRisk   [LagWeeks]float64
	atRisk2  [LagWeeks]float64 // by the squares of the weights
	came     [LagWeeks]float64
	baseline [LagWeeks]float64 // chance of each week for equally active customers
}

// reached tells whether the whole block has been through the week by the day.
func reached(block int32, week int, today sales.Day) bool {
	return sales.Day((block+1)*blockDays+int32(week+1)*7) <= today
}

// weeks is how many weeks of a curve the window shows.
func (j *judgement) weeks() int { return min(LagWeeks, (j.rules.WindowDays+6)/7) }

// starts gives, by block, how many came to hold the antecedent.
func (j *judgement) starts(id uint32) []float64 {
	starts := make([]float64, j.decay.blocks())
	for _, m := range j.items[id].came.from(j.decay.first).before(j.end(id)) {
		starts[j.decay.index(m.bucket>>codeBits)] += float64(m.n)
	}
	return starts
}

// waiting gives, by block, the starts of the antecedent by customers who did not hold the consequent, and by block and week to whom of
// them it came.
func (j *judgement) waiting(antecedent uint32, e *entry) (starts []float64, came [][LagWeeks]float64) {
	starts, came = j.starts(antecedent), make([][LagWeeks]float64, j.decay.blocks())
	for _, m := range e.cells.before(j.end(antecedent)) {
		block, n := m.bucket>>codeBits, float64(m.n)
		switch code := m.bucket & left; {
		case code < sameDay:
			lag := code >> 1
			if at := j.decay.index(block - lag*7/blockDays - code&1); at >= 0 {
				came[at][lag] += n
			}
		case code == sameDay || code == waited:
			if at := j.decay.index(block); at >= 0 {
				starts[at] -= n
			}
		}
	}
	return starts, came
}

// follow makes the life table of an ordered pair.
func (j *judgement) follow(antecedent uint32, e *entry) (t lifeTable, starts int64) {
	t.weeks = j.weeks()
	waiting, came := j.waiting(antecedent, e)
	today := j.today
	if j.items[antecedent].touch {
		today = sales.Day(j.untold * blockDays)
	}
	for at, n := range waiting {
		starts += int64(max(0, n))
		w := j.decay.weights[at]
		for week := 0; week < t.weeks && reached(j.decay.first+int32(at), week, today) && n > 0; week++ {
			t.atRisk[week] += w * n
			t.atRisk2[week] += w * w * n
			t.came[week] += w * min(n, came[at][week])
			n -= came[at][week]
		}
	}
	return t, starts
}

// hazard is the chance of a week for those who still wait.
func (t *lifeTable) hazard(week int) float64 {
	if t.atRisk[week] <= 0 {
		return 0
	}
	return t.came[week] / t.atRisk[week]
}

// curves gives the probability that the consequent has come by the end of each week, and the same for equally active customers.
func (t *lifeTable) curves() (curve, base [LagWeeks]float32) {
	waits, baseWaits := 1.0, 1.0
	for week := range curve {
		waits *= 1 - t.hazard(week)
		baseWaits *= 1 - t.baseline[week]
		curve[week], base[week] = float32(1-waits), float32(1-baseWaits)
	}
	return curve, base
}

// within is the chance by so many days after the start. Week i has the days 7i to 7i+6, week 0 begins with day 1 and the last one has
// the days of the window that are left; within a week every day is as likely as the next, for those who still wait. The variance is
// Greenwood's (The errors of sampling of the survivorship tables, 1926), with the effective number at risk of weighted starts; the
// interval is normal on log(-log), so that it stays within 0 and 1 (J. D. Kalbfleisch and R. L. Prentice, 1980).
func (t *lifeTable) within(days, window int) sales.Chance {
	logWaits, logBase, variance := 0.0, 0.0, 0.0
	for week := range t.weeks {
		begin, end := max(1, 7*week), min(7*week+7, window)
		if days < begin {
			break
		}
		part := float64(min(days, 7*week+6)-begin+1) / float64(end-begin)
		h := t.hazard(week)
		logWaits += part * math.Log1p(-min(h, 1-1e-9))
		logBase += part * math.Log1p(-min(t.baseline[week], 1-1e-9))
		if h > 0 && h < 1 {
			variance += part * part * h / (1 - h) * t.atRisk2[week] / (t.atRisk[week] * t.atRisk[week])
		}
	}
	c := sales.Chance{P: -math.Expm1(logWaits), Baseline: -math.Expm1(logBase)}
	c.Low, c.High = c.P, c.P
	if logWaits < 0 {
		spread := math.Exp(z95 * math.Sqrt(variance) / -logWaits)
		c.Low, c.High = -math.Expm1(logWaits/spread), -math.Expm1(logWaits*spread)
	}
	return c
}

// callDays are the days since the start by which a quarter and three quarters of the extra purchases have come; 0 and 0 when there
// are none.
func (t *lifeTable) callDays() (from, to int32) {
	var extra [LagWeeks]float64
	curve, base := t.curves()
	for week := range extra {
		extra[week] = float64(curve[week] - base[week])
	}
	all := extra[t.weeks-1]
	if all <= 0 {
		return 0, 0
	}
	from, to = reachedBy(extra[:t.weeks], all/4), reachedBy(extra[:t.weeks], 3*all/4)
	return from, max(from+1, to)
}

// reachedBy is the first day on which a cumulated sum by weeks is at the level.
func reachedBy(sum []float64, level float64) int32 {
	before := 0.0
	for week, now := range sum {
		if now >= level {
			part := (level - before) / (now - before)
			return int32(math.Ceil(7*(float64(week)+part))) - 1
		}
		before = now
	}
	return int32(7*len(sum)) - 1
}
