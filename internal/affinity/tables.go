package affinity

import "math"

// z95 is the 97.5% quantile of the normal distribution: two-sided 95%.
const z95 = 1.959963984540054

// table is the 2×2 table of two items among all customers, by its margins.
type table struct {
	both int64 // hold A and B
	a, b int64 // hold A, hold B
	all  int64
}

// valid tells whether the counts can be counts of customers.
func (t table) valid() bool {
	return t.both > 0 && t.both <= min(t.a, t.b) && t.a+t.b-t.both <= t.all
}

// gSquared is 0 for what can be no table; else the log-likelihood ratio of dependence against independence, asymptotically chi-squared with one degree of freedom
// (T. Dunning, "Accurate methods for the statistics of surprise and coincidence", Computational Linguistics 19(1), 1993).
func (t table) gSquared() float64 {
	if !t.valid() {
		return 0
	}
	sum := cell(t.both, t.a, t.b, t.all) +
		cell(t.a-t.both, t.a, t.all-t.b, t.all) +
		cell(t.b-t.both, t.all-t.a, t.b, t.all) +
		cell(t.all-t.a-t.b+t.both, t.all-t.a, t.all-t.b, t.all)
	return max(0, 2*sum)
}

// cell is O·ln(O/E), where E is what the margins let expect.
func cell(observed, row, col, all int64) float64 {
	if observed == 0 {
		return 0
	}
	return float64(observed) * math.Log(float64(observed)*float64(all)/(float64(row)*float64(col)))
}

// interval is a value with its 95% interval.
type interval struct{ value, low, high float64 }

// wilson is the share k/n with its score interval (E. B. Wilson, "Probable inference, the law of succession, and statistical
// inference", JASA 22, 1927), which stays within [0, 1] and is honest for few customers. n must be above 0.
func wilson(k, n int64) interval {
	p, m := float64(k)/float64(n), float64(n)
	const z2 = z95 * z95
	centre := (p + z2/(2*m)) / (1 + z2/m)
	half := z95 / (1 + z2/m) * math.Sqrt(p*(1-p)/m+z2/(4*m*m))
	return interval{p, max(0, centre-half), min(1, centre+half)}
}
