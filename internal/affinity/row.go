package affinity

import (
	"cmp"
	"slices"
)

// row is what is counted of one antecedent's consequents. It holds at most so many of them, by Space-Saving (A. Metwally, D. Agrawal and
// A. El Abbadi, "Efficient computation of frequent and top-k elements in data streams", ICDT 2005): a new one that finds the row full
// takes the place of the one that was counted least, and its count as the most that may have been missed of itself. So whatever was
// counted more often than evicted is in the row. Sums of a consequent begin when it enters: they say less than was, never more, by at
// most its missed. Until a row is full all is exact, and the order in which cells came does not matter.
type row struct {
	to      []uint32 // consequents, sorted
	entries []entry  // of each
	evicted int64    // the largest count that ever left: what the row does not hold came no more often
}

// entry is what is counted of an ordered pair. Both directions of a pair say all of themselves, so that one does not hang on whether the
// other was evicted.
type entry struct {
	both   int64 // customers who hold the two, as far as has been told
	count  int64 // how often the two came together: what Space-Saving counts
	missed int64 // of count, at most so many were another's
	cells  sums  // by CameAfter and NoClock (the consequent came), waited (the antecedent came while the consequent was held), SameDay, and of late Left
}

// waited is the code of a bucket, beside those of cells.go: the antecedent came while the consequent was held, so that nobody waits for
// the consequent.
const waited = touchCame

// entry finds the consequent, or takes it in. Nil is one that has no place: with a full row only what came makes room.
func (r *row) entry(c *Counts, consequent uint32, comes bool) *entry {
	if _, ok := slices.BinarySearch(r.to, consequent); ok || len(r.to) < c.maxCandidates {
		return r.take(consequent)
	}
	if !comes || len(r.to) == 0 {
		return nil
	}
	victim := r.least(c)
	count := r.entries[victim].count
	r.evicted = max(r.evicted, count)
	r.to, r.entries = slices.Delete(r.to, victim, victim+1), slices.Delete(r.entries, victim, victim+1)
	e := r.take(consequent)
	e.count, e.missed = count, count
	return e
}

// least is the place of the consequent with the least count, of equal ones the last by name: ids say in which order items came, and that
// differs after a restart.
func (r *row) least(c *Counts) int {
	least := 0
	for i := range r.entries {
		order := cmp.Compare(r.entries[i].count, r.entries[least].count)
		if order < 0 || order == 0 && c.items[r.to[i]].name > c.items[r.to[least]].name {
			least = i
		}
	}
	return least
}

// take gives the consequent's entry, a new one if need be, however full the row is.
func (r *row) take(consequent uint32) *entry {
	at, ok := slices.BinarySearch(r.to, consequent)
	if !ok {
		r.to, r.entries = slices.Insert(r.to, at, consequent), slices.Insert(r.entries, at, entry{})
	}
	return &r.entries[at]
}

func (e *entry) add(bucket int32, n int64) {
	e.both += n
	e.cells.add(bucket, n)
	if bucket&left != left {
		e.count += n
	}
}

// sums are numbers by bucket, sorted, none of them 0. What comes within 28 days is less than 2 billion.
type sums []sum

type sum struct {
	bucket int32
	n      int32
}

// add adds to a bucket. What comes is mostly of the newest ones.
func (s *sums) add(bucket int32, n int64) {
	at := len(*s)
	if at > 0 && (*s)[at-1].bucket >= bucket {
		at = s.place(bucket)
	}
	if at == len(*s) || (*s)[at].bucket != bucket {
		*s = slices.Insert(*s, at, sum{bucket: bucket})
	}
	if (*s)[at].n += int32(n); (*s)[at].n == 0 {
		*s = slices.Delete(*s, at, at+1)
	}
}

// place is where the bucket is, or belongs. It is written out because a comparison by a function costs a third of all counting.
func (s *sums) place(bucket int32) int {
	low, high := 0, len(*s)
	for low < high {
		if mid := int(uint(low+high) >> 1); (*s)[mid].bucket < bucket {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// from gives the sums of the block and of later ones.
func (s sums) from(block int32) sums { return s[s.place(block<<codeBits):] }

// bytes is what the row takes in memory, with the room to grow into.
func (r *row) bytes() int {
	const id, header, each = 4, 48, 8
	n := cap(r.to)*id + cap(r.entries)*header
	for i := range r.entries {
		n += cap(r.entries[i].cells) * each
	}
	return n
}

// bytes is what all rows take in memory.
func (c *Counts) bytes() (n int) {
	for i := range c.items {
		n += c.items[i].row.bytes()
	}
	return n
}
