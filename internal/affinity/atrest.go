package affinity

import (
	"cmp"
	"slices"

	"leadline/internal/sales"
)

// Histories at rest come customer by customer, so that the cells of a pair come far apart, and of all times each time. Added as they come, each
// would find its pair's sums out of the processor's cache, and its place amid them. So what comes is put in order first, a few million cells at
// a time.

// atRest is what waits to be added, by antecedent.
type atRest struct {
	rows [][]toAdd
	n    int
}

// toAdd is a cell of a row.
type toAdd struct {
	to     uint32
	bucket int32
	n      int64
}

const mostAtRest = 1 << 22 // 64 MiB

// AddAtRest lets a function add cells in any order, and comes to the same sums as Add.
func (c *Counts) AddAtRest(from func(add func(sales.TallyKind, []sales.Cell))) {
	c.waiting = &atRest{}
	from(c.Add)
	c.addWaiting()
	c.waiting = nil
}

// wait keeps a cell until there are enough.
func (c *Counts) wait(antecedent uint32, cell toAdd) {
	w := c.waiting
	for len(w.rows) <= int(antecedent) {
		w.rows = append(w.rows, nil)
	}
	w.rows[antecedent] = append(w.rows[antecedent], cell)
	if w.n++; w.n >= mostAtRest {
		c.addWaiting()
	}
}

// addWaiting adds what waits, row by row, consequent by consequent, in the order of time.
func (c *Counts) addWaiting() {
	for antecedent, cells := range c.waiting.rows {
		slices.SortFunc(cells, func(a, b toAdd) int { return cmp.Compare(a.place(), b.place()) })
		for i := 0; i < len(cells); {
			cell := cells[i]
			for i++; i < len(cells) && cells[i].place() == cell.place(); i++ {
				cell.n += cells[i].n
			}
			c.addTo(uint32(antecedent), cell)
		}
		c.waiting.rows[antecedent] = cells[:0]
	}
	c.waiting.n = 0
}

// place is consequent and bucket, for sorting.
func (a toAdd) place() uint64 { return uint64(a.to)<<32 | uint64(uint32(a.bucket)) }
