package evaluate

import (
	"leadline/internal/sales"
)

// counted is what all customers had bought before a day, of the items that are ranked. It is brought forward day by day, by the same
// additions that make it from the beginning.
type counted struct {
	until  sales.Day // counted is what lies before it
	first  sales.Day
	buyers []float64 // of each item
	both   []uint32  // customers who bought both, on whatever days, row by row
	people int       // with any of the items
	ever   []float64 // customers' days with the item
	lately []float64 // of those, in the last days
	owned  map[*customer]*owned
	ridged *ridgeWeights // the last made
}

// latelyDays is what counts as lately.
const latelyDays = 28

// owned is what one customer had ever bought.
type owned struct {
	items []int32
	has   []uint64 // a bit an item
}

func newCounted(n int, first sales.Day) counted {
	return counted{until: first, first: first, buyers: make([]float64, n), both: make([]uint32, n*n), ever: make([]float64, n),
		lately: make([]float64, n), owned: map[*customer]*owned{}}
}

// see counts on until a later day. Dense gives the history's items their places, −1 to those that do not take part.
func (s *counted) see(dense []int32, all []*customer, until sales.Day) {
	for _, c := range all {
		for _, b := range c.between(s.until, until) {
			d := dense[b.item]
			if d < 0 {
				continue
			}
			s.ever[d]++
			if b.day >= until-latelyDays {
				s.lately[d]++
			}
			s.own(c, d)
		}
		for _, b := range c.between(s.until-latelyDays, min(s.until, until-latelyDays)) {
			if d := dense[b.item]; d >= 0 {
				s.lately[d]--
			}
		}
	}
	s.until = until
}

// own counts an item that the customer buys, with all others that it has.
func (s *counted) own(c *customer, item int32) {
	o := s.owned[c]
	if o == nil {
		o = &owned{has: make([]uint64, (len(s.buyers)+63)/64)}
		s.owned[c] = o
		s.people++
	}
	if o.holds(item) {
		return
	}
	o.has[item/64] |= 1 << (item % 64)
	s.buyers[item]++
	row := s.with(item)
	row[item]++
	for _, other := range o.items {
		row[other]++
		s.with(other)[item]++
	}
	o.items = append(o.items, item)
}

// holds tells whether the customer ever bought the item; nil has bought nothing.
func (o *owned) holds(item int32) bool { return o != nil && o.has[item/64]&(1<<(item%64)) != 0 }

// with is how many customers bought the item and each other one.
func (s *counted) with(item int32) []uint32 {
	n := len(s.buyers)
	return s.both[int(item)*n : (int(item)+1)*n]
}

// trend is by how much more often the item was bought lately than all the time, damped so that a few purchases say little: above 1 in its season.
func (s *counted) trend(item int) float64 {
	usual := s.ever[item] * latelyDays / float64(max(s.until-s.first, latelyDays))
	return (s.lately[item] + 2) / (usual + 2)
}
