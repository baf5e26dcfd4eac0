package affinity

import (
	"strconv"
	"strings"

	"leadline/internal/sales"
)

// Columns of the tally "links" that are no item. An item never begins with the byte 1.
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

// Counts is everyone's sums, as tallies add to them. Cells may come in any order and from any number of shards: the
// sums are the same.
type Counts struct {
	customers int64
	ids       map[string]uint32
	items     []itemCount
	pairs     map[pair]int64 // customers holding both
	types     map[string]*typeCount
}

type itemCount struct {
	name    string
	holders int64
	lines   int64
	amount  int64
}

// pair is two items by id, the lower one first.
type pair struct{ a, b uint32 }

// typeCount is what is known of one type's tiers.
type typeCount struct {
	prices   map[int32]map[int32]int64 // tier → bucket of the unit price → lines
	eligible map[int32]int64
	switched map[int32]int64
}

// NewCounts has counted nothing.
func NewCounts() *Counts {
	return &Counts{ids: map[string]uint32{}, pairs: map[pair]int64{}, types: map[string]*typeCount{}}
}

// Add adds cells of the tallies "links" and "tiers"; those of other kinds, and columns that it does not know, mean nothing here.
// It keeps no string of the cells.
func (c *Counts) Add(kind sales.TallyKind, cells []sales.Cell) {
	for _, cell := range cells {
		switch kind {
		case sales.TallyLinks:
			c.addLink(cell)
		case sales.TallyTiers:
			c.addTier(cell)
		}
	}
}

// addLink takes one cell of "links". The bucket, a week, is of no use to sums that do not decay.
func (c *Counts) addLink(cell sales.Cell) {
	switch {
	case cell.Row == "" && cell.Col == "":
		c.customers += cell.N
	case cell.Row == "":
	case cell.Col == "":
		c.items[c.id(cell.Row)].holders += cell.N
	case cell.Col == LinesCol:
		c.items[c.id(cell.Row)].lines += cell.N
	case cell.Col == AmountCol:
		c.items[c.id(cell.Row)].amount += cell.N
	case cell.Col[0] != LinesCol[0]:
		c.addPair(c.id(cell.Row), c.id(cell.Col), cell.N)
	}
}

func (c *Counts) addPair(a, b uint32, n int64) {
	p := pair{min(a, b), max(a, b)}
	if c.pairs[p] += n; c.pairs[p] == 0 {
		delete(c.pairs, p)
	}
}

func (c *Counts) addTier(cell sales.Cell) {
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

// id gives the item's dense id, a new one if need be.
func (c *Counts) id(name string) uint32 {
	id, ok := c.ids[name]
	if !ok {
		id = uint32(len(c.items))
		name = strings.Clone(name)
		c.ids[name] = id
		c.items = append(c.items, itemCount{name: name})
	}
	return id
}

func (c *Counts) typ(name string) *typeCount {
	t := c.types[name]
	if t == nil {
		t = &typeCount{prices: map[int32]map[int32]int64{}, eligible: map[int32]int64{}, switched: map[int32]int64{}}
		c.types[strings.Clone(name)] = t
	}
	return t
}

// Kept is the bucket under which a sum of the cell must be kept so that Add gives the same counts from the sums as from the
// tallies. The weeks of links and of steps up are of no use, as nothing decays; prices and other kinds keep their buckets.
func Kept(kind sales.TallyKind, cell *sales.Cell) int32 {
	if kind == sales.TallyLinks || kind == sales.TallyTiers && !strings.HasPrefix(cell.Col, PriceCol) {
		return 0
	}
	return cell.Bucket
}
