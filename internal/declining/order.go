package declining

import (
	"slices"
	"sort"
)

// ranked is a row's place: by currency if amounts are compared, by key, by money at risk, by customer.
type ranked struct {
	rank int32
	row  int32
	key  float64
}

// order puts the rows of a list in order as far as they are asked for: mostly that is a page of half a million.
type order struct {
	compare func(a, b *ranked) int // a total order
	all     []ranked
	sorted  int // the first ones, which stay where they are
}

// notAfter counts the rows that are not after something; such rows are the first ones.
func (o *order) notAfter(it func(*ranked) bool) int {
	n := sort.Search(o.sorted, func(i int) bool { return !it(&o.all[i]) })
	if n == o.sorted {
		for i := o.sorted; i < len(o.all); i++ {
			if it(&o.all[i]) {
				n++
			}
		}
	}
	return n
}

// At least so many rows are put in order at once, and the least of the others are found by a sample of so many.
const (
	sortAtOnce = 4096
	sortSample = 1024
)

// reach puts at least n rows in order: those up to a pivot are brought to the front, and sorted. Each time it is at least as many as there are, so that whoever
// reads all page by page does not pay for each.
func (o *order) reach(n int) {
	for o.sorted < n {
		rest := o.all[o.sorted:]
		want := max(n-o.sorted, o.sorted, sortAtOnce)
		front := len(rest)
		if 2*want < len(rest) {
			front = o.front(rest, want)
		}
		slices.SortFunc(rest[:front], func(a, b ranked) int { return o.compare(&a, &b) })
		o.sorted += front
	}
}

// front brings about so many of the least rows to the front, one at least, and says how many.
func (o *order) front(rest []ranked, want int) (n int) {
	sample := make([]ranked, sortSample)
	for i := range sample {
		sample[i] = rest[i*len(rest)/sortSample]
	}
	slices.SortFunc(sample, func(a, b ranked) int { return o.compare(&a, &b) })
	pivot := sample[min(sortSample-1, want*sortSample/len(rest)+4)]
	for i := range rest {
		if o.compare(&rest[i], &pivot) <= 0 {
			rest[n], rest[i] = rest[i], rest[n]
			n++
		}
	}
	return n
}
