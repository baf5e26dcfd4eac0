package evaluate

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/mat"

	"leadline/internal/sales"
)

const (
	pairsRidge = 500   // as many customers speak against each pair; of 250 to 2,000 the best, or nearly, at the cuts by which scoreLeadline was chosen
	mostRidge  = 2_000 // items, the most bought, have weights: the time for them grows with the third power
)

// ridgeWeights are those of ridge regressions of each item on all others over the customers: what is left between A and B once all else that a
// customer has is accounted for, so that an item which comes with everything does not speak for everything. They follow from the table of pairs
// alone, in closed form (H. Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019): from A to B minus P(A,B) over P(B,B), with P the
// inverse of the pairs with the ridge on the diagonal.
type ridgeWeights struct {
	until   sales.Day // counted is what lies before it
	items   []int32   // that have weights
	inverse *mat.SymDense
}

// ridgeWeights are those of what has been counted.
func (s *counted) ridgeWeights() *ridgeWeights {
	if s.ridged != nil && s.ridged.until == s.until {
		return s.ridged
	}
	w := &ridgeWeights{until: s.until, items: make([]int32, len(s.buyers))}
	for item := range w.items {
		w.items[item] = int32(item)
	}
	slices.SortStableFunc(w.items, func(a, b int32) int { return cmp.Compare(s.buyers[b], s.buyers[a]) })
	w.items = w.items[:min(len(w.items), mostRidge)]
	w.inverse = mat.NewSymDense(len(w.items), nil)
	for i, a := range w.items {
		row := s.with(a)
		for j := i; j < len(w.items); j++ {
			w.inverse.SetSym(i, j, float64(row[w.items[j]]))
		}
		w.inverse.SetSym(i, i, float64(row[a])+pairsRidge)
	}
	var c mat.Cholesky
	c.Factorize(w.inverse)     // never fails: pairs of whole customers, and a ridge
	_ = c.InverseTo(w.inverse) // says at most that digits are lost, of which there are enough
	s.ridged = w
	return w
}

// ridge adds up, for each item, the weights of all others that the customer ever bought; items without weights have 0.
func (q *question) ridge(k *kase) []float64 {
	w := q.ridgeWeights()
	into, sums := make([]float64, q.n), make([]float64, len(w.items))
	for i, item := range w.items { // in this order, as that of a day's purchases is nothing to go by
		if !q.owned[k.customer].holds(item) {
			continue
		}
		for j := range sums {
			if j != i {
				sums[j] -= w.inverse.At(i, j)
			}
		}
	}
	for j, item := range w.items {
		into[item] = sums[j] / w.inverse.At(j, j)
	}
	return into
}
