package declining

import (
	"cmp"
	"slices"
)

// tied is a p-value that several customers have.
type tied struct {
	p float64
	n int
	q float64
}

// control gives each p-value its q-value over all customers: the smallest false discovery rate at which the procedure of
// Y. Benjamini and Y. Hochberg ("Controlling the false discovery rate", Journal of the Royal Statistical Society B 57, 1995, pp. 289-300)
// would reject it. It is p·m/rank, made monotone from the largest p down. Discrete p-values, as these, make it err on the safe side.
func control(all []*tied) {
	slices.SortFunc(all, func(a, b *tied) int { return cmp.Compare(a.p, b.p) })
	m := 0
	for _, t := range all {
		m += t.n
	}
	least, rank := 1.0, m
	for _, t := range slices.Backward(all) {
		least = min(least, t.p*float64(m)/float64(rank))
		t.q = least
		rank -= t.n
	}
}
