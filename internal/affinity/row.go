package affinity

import "slices"

// row is what is counted of one antecedent's consequents. It holds at most so many of them, by Space-Saving (A. Metwally, D. Agrawal and
// A. El Abbadi, "Efficient computation of frequent and top-k elements in data streams", ICDT 2005): a new one that finds the row full
// takes the place of the one that was counted least, and its count as the most that may have been missed of itself. So whatever was
// counted more often than evicted is in the row. Sums of a consequent begin when it enters: they say less than was, never more, by at
// most its missed. Until a row is full all is exact, and the order in which cells came does not matter.
type row struct {
	to      []uint32 // consequents, sorted
	slots   []uint32 // where in entries each of them is counted
	entries []entry
	floors  []floor // a heap of all entries, the next to leave on top; empty until a full row is asked, and again after a count has fallen
	evicted int64   // the largest count that ever left: what the row does not hold came no more often
}

// floor is an entry with the count that it had when it was looked at last. Counts rise, so it has at least that, and rising costs
// nothing here: only what gets to the top is looked at again.
type floor struct {
	count    int64
	to, slot uint32
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

// add adds to a consequent's bucket, unless it has no place.
func (r *row) add(c *Counts, consequent uint32, bucket int32, n int64) {
	came := bucket&left != left
	e := r.entry(c, consequent, came && n > 0)
	if e == nil {
		return
	}
	e.add(bucket, n)
	if came && n < 0 {
		r.floors = r.floors[:0]
	}
}

// entry finds the consequent, or takes it in. Nil is one that has no place: with a full row only what came makes room.
func (r *row) entry(c *Counts, consequent uint32, comes bool) *entry {
	at, ok := slices.BinarySearch(r.to, consequent)
	switch {
	case ok:
		return r.at(at)
	case len(r.to) < c.maxCandidates:
		return r.insert(at, consequent)
	case !comes || len(r.to) == 0:
		return nil
	default:
		return r.replace(c, consequent)
	}
}

// find gives the consequent's entry, nil if there is none.
func (r *row) find(consequent uint32) *entry {
	at, ok := slices.BinarySearch(r.to, consequent)
	if !ok {
		return nil
	}
	return r.at(at)
}

// at is the entry of a place among the consequents.
func (r *row) at(place int) *entry { return &r.entries[r.slots[place]] }

// take gives the consequent's entry, a new one if need be, however full the row is.
func (r *row) take(consequent uint32) *entry {
	at, ok := slices.BinarySearch(r.to, consequent)
	if ok {
		return r.at(at)
	}
	return r.insert(at, consequent)
}

func (r *row) insert(at int, consequent uint32) *entry {
	r.to, r.slots = slices.Insert(r.to, at, consequent), slices.Insert(r.slots, at, uint32(len(r.entries)))
	r.entries = append(r.entries, entry{})
	return &r.entries[len(r.entries)-1]
}

// replace lets the consequent have the place of the one with the least count.
func (r *row) replace(c *Counts, consequent uint32) *entry {
	victim := r.least(c)
	e := &r.entries[victim.slot]
	r.evicted = max(r.evicted, e.count)
	*e = entry{count: e.count, missed: e.count, cells: e.cells[:0]}
	gone, _ := slices.BinarySearch(r.to, victim.to)
	r.to, r.slots = slices.Delete(r.to, gone, gone+1), slices.Delete(r.slots, gone, gone+1)
	at, _ := slices.BinarySearch(r.to, consequent)
	r.to, r.slots = slices.Insert(r.to, at, consequent), slices.Insert(r.slots, at, victim.slot)
	victim.to = consequent
	r.sink(c, 0)
	return e
}

// least is the consequent with the least count, of equal ones the last by name: ids say in which order items came, and that
// differs after a restart.
func (r *row) least(c *Counts) *floor {
	if len(r.floors) != len(r.entries) {
		r.floors = r.floors[:0]
		for i, to := range r.to {
			r.floors = append(r.floors, floor{count: r.at(i).count, to: to, slot: r.slots[i]})
		}
		for i := len(r.floors)/2 - 1; i >= 0; i-- {
			r.sink(c, i)
		}
	}
	top := &r.floors[0]
	for count := r.entries[top.slot].count; count != top.count; count = r.entries[top.slot].count {
		top.count = count
		r.sink(c, 0)
	}
	return top
}

// sink moves a floor down to where none below it leaves before it.
func (r *row) sink(c *Counts, at int) {
	for {
		next := at
		for child := 2*at + 1; child <= 2*at+2 && child < len(r.floors); child++ {
			if r.floors[child].before(c, &r.floors[next]) {
				next = child
			}
		}
		if next == at {
			return
		}
		r.floors[at], r.floors[next] = r.floors[next], r.floors[at]
		at = next
	}
}

// before tells whether the entry leaves before another.
func (f *floor) before(c *Counts, other *floor) bool {
	if f.count != other.count {
		return f.count < other.count
	}
	return c.items[f.to].name > c.items[other.to].name
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

// before gives the sums of earlier blocks than the one.
func (s sums) before(block int32) sums { return s[:s.place(block<<codeBits)] }

// Bytes in memory of a consequent (its id and place, its entry, its floor) and of a sum. So an antecedent with all the consequents that it may have, each
// with all the sums there can be (of the 79 blocks that count by default, and 57 codes), takes 19 MB, and as much to grow into. It is a bound that nothing
// comes near: in a year of 1,197 households a category takes 200 kB.
const (
	idBytes    = 4
	entryBytes = 48
	floorBytes = 16
	sumBytes   = 8

	consequentBytes = 2*idBytes + entryBytes + floorBytes
)

// bytes is what the item's sums and its row take in memory, with the room to grow into.
func (i *itemCount) bytes() int {
	r := &i.row
	n := (cap(r.to)+cap(r.slots))*idBytes + cap(r.entries)*entryBytes + cap(r.floors)*floorBytes
	n += (cap(i.came) + cap(i.left)) * sumBytes
	for _, held := range i.heldAt {
		n += cap(held) * sumBytes
	}
	for k := range r.entries {
		n += cap(r.entries[k].cells) * sumBytes
	}
	return n
}

// bytes is what all items take in memory, but for their names.
func (c *Counts) bytes() (n int) {
	for i := range c.items {
		n += c.items[i].bytes()
	}
	return n
}
