package affinity

import (
	"slices"
	"strconv"
	"strings"

	"leadline/internal/sales"
)

// Columns of the tally "pairs" that are no item. An item never begins with a control character.
const (
	LinesCol  = "\x01lines"  // purchase lines of the row's item
	AmountCol = "\x01amount" // their amount in minor units
)

// Columns of the tally "tiers"; the tier follows in decimal.
const (
	PriceCol    = "price:"    // purchase lines at the tier, by bucket of the unit price (package catalogue)
	EligibleCol = "eligible:" // customers who bought repeatedly at the tier and never above it
	SwitchedCol = "switched:" // those of them who then went up
)

// DefaultMaxCandidates is how many consequents an antecedent keeps sums of, unless another number is told.
const DefaultMaxCandidates = 512

// Counts is everyone's sums, as tallies add to them. Cells may come in any order and from any number of shards: the sums are the same,
// as long as no antecedent has more consequents than it keeps (row), and there are no more antecedents than are followed (follow).
type Counts struct {
	maxCandidates int
	maxFollowed   int
	followed      int   // how many items are
	bar           int64 // who came no more often than this, after some were let go, is not followed
	customers     int64 // who hold anything, as far as has been told
	crowd         sums  // how they came and left, of late
	ids           map[string]uint32
	items         []itemCount
	changed       bool // customers, since Saved
	types         map[string]*typeCount
	waiting       *atRest // of AddAtRest, else nil
}

// itemCount is what is known of one item, or touch.
type itemCount struct {
	name    string
	touch   bool
	changed bool  // since Saved
	parts   int   // of its row, as they were last written or read
	holders int64 // as far as has been told
	starts  int64 // how often it came
	lines   int64
	amount  int64
	came    sums                // by Came
	left    sums                // by Left, of late
	heldAt  [len(HeldCols)]sums // by Came: what came while it was held
	row     row                 // of the pairs of which it is the antecedent; empty unless followed
	follows bool                // it is followed
}

// typeCount is what is known of one type's tiers.
type typeCount struct {
	prices   map[int32]map[int32]int64 // tier → bucket of the unit price → lines
	eligible map[int32]int64
	switched map[int32]int64
}

// NewCounts has counted nothing. Of each antecedent it keeps sums of so many consequents at most.
func NewCounts(maxCandidates int) *Counts {
	return &Counts{maxCandidates: maxCandidates, maxFollowed: MaxAntecedents, ids: map[string]uint32{}, types: map[string]*typeCount{}}
}

// Add adds cells of the tallies "pairs" and "tiers"; those of other kinds, and columns that it does not know, mean nothing here.
// It keeps no string of the cells.
func (c *Counts) Add(kind sales.TallyKind, cells []sales.Cell) {
	for i := range cells {
		switch kind {
		case sales.TallyPairs:
			c.addPairs(&cells[i])
		case sales.TallyTiers:
			c.addTier(&cells[i])
		}
	}
}

// Holders is how many customers hold the item, as far as has been told: departures of the last days may be missing.
func (c *Counts) Holders(item string) int64 {
	if id, ok := c.ids[item]; ok {
		return c.items[id].holders
	}
	return 0
}

// addPairs takes one cell of "pairs".
func (c *Counts) addPairs(cell *sales.Cell) {
	switch {
	case cell.Row == "" && cell.Col == "":
		c.customers += cell.N
		c.crowd.add(cell.Bucket, cell.N)
		c.changed = true
	case cell.Row == "":
	case cell.Col == "":
		item := c.item(cell.Row)
		item.holders += cell.N
		if cell.Bucket&left == left {
			item.left.add(cell.Bucket, cell.N)
		} else {
			item.came.add(cell.Bucket, cell.N)
			item.starts += cell.N
		}
	case cell.Col[0] != LinesCol[0]:
		c.addPair(c.id(cell.Row), c.id(cell.Col), cell.Bucket, cell.N)
	case cell.Col == LinesCol:
		c.item(cell.Row).lines += cell.N
	case cell.Col == AmountCol:
		c.item(cell.Row).amount += cell.N
	default:
		if h := slices.Index(HeldCols[:], cell.Col); h >= 0 {
			c.item(cell.Row).heldAt[h].add(cell.Bucket, cell.N)
		}
	}
}

// addPair takes what happened to two items: came, and other, which was held, came or left too. Each of the two is an antecedent, unless the
// other is a touch, which is never a consequent.
func (c *Counts) addPair(came, other uint32, bucket int32, n int64) {
	forward, back := bucket, bucket // in the row of other, and in that of came
	if _, later := cameWithin(bucket & left); later {
		back = bucket&^left | waited
	} else if bucket&left == touchCame {
		forward = bucket&^left | waited
	}
	add := c.addTo
	if c.waiting != nil {
		add = c.wait
	}
	add(other, toAdd{came, forward, n})
	if !c.items[other].touch {
		add(came, toAdd{other, back, n})
	}
}

func (c *Counts) addTo(antecedent uint32, cell toAdd) {
	if !c.follow(antecedent) {
		return
	}
	item := &c.items[antecedent]
	item.changed = true
	item.row.add(c, cell.to, cell.bucket, cell.n)
}

func (c *Counts) addTier(cell *sales.Cell) {
	col, number, _ := strings.Cut(cell.Col, ":")
	tier, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return
	}
	t := c.typ(cell.Row)
	switch col + ":" {
	case PriceCol:
		t.price(int32(tier), cell.Bucket, cell.N)
	case EligibleCol:
		t.eligible[int32(tier)] += cell.N
	case SwitchedCol:
		t.switched[int32(tier)] += cell.N
	}
}

func (t *typeCount) price(tier, bucket int32, n int64) {
	buckets := t.prices[tier]
	if buckets == nil {
		buckets = map[int32]int64{}
		t.prices[tier] = buckets
	}
	if buckets[bucket] += n; buckets[bucket] == 0 {
		delete(buckets, bucket)
	}
}

// Items is how many items and touches are known.
func (c *Counts) Items() int { return len(c.items) }

// id gives the item's dense id, a new one if need be.
func (c *Counts) id(name string) uint32 {
	id, ok := c.ids[name]
	if !ok {
		id = uint32(len(c.items))
		name = strings.Clone(name)
		_, _, touch := touchOf(name)
		c.ids[name] = id
		c.items = append(c.items, itemCount{name: name, touch: touch})
	}
	return id
}

// item gives the item for a change. The pointer holds until the next new item.
func (c *Counts) item(name string) *itemCount {
	item := &c.items[c.id(name)]
	item.changed = true
	return item
}

func (c *Counts) typ(name string) *typeCount {
	t := c.types[name]
	if t == nil {
		t = &typeCount{prices: map[int32]map[int32]int64{}, eligible: map[int32]int64{}, switched: map[int32]int64{}}
		c.types[strings.Clone(name)] = t
	}
	return t
}

// Kept is the bucket under which a sum of a cell of "tiers" or "activity" must be kept so that Add gives the same counts from the sums as
// from the tallies. The weeks of steps up are of no use, as they do not decay; prices and other kinds keep their buckets. Counts keeps
// the sums of "pairs" itself (Rows).
func Kept(kind sales.TallyKind, cell *sales.Cell) int32 {
	if kind == sales.TallyTiers && !strings.HasPrefix(cell.Col, PriceCol) {
		return 0
	}
	return cell.Bucket
}
