package slipping

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"leadline/internal/sales"
)

// How a population is learned from counts: each customer is counted once at each of Ages, by how often and how lately it had bought by then
// (Cell). The counts are whole numbers that add up over customers and shards in any order, and up to the bins of a Cell they are all that
// MBG/NBD's likelihood asks (x, t_x and T of the papers). The ages are fixed, so that those who have left are counted like those who
// have not: at a moment of everybody's calendar, shards have forgotten who bought last half a year ago, and customers would seem to stay for ever.

// Ages are at how many days after its first purchase a customer is counted. A shard that keeps history for the push still has all of them.
var Ages = [...]sales.Day{60, 120, 180}

// Cell is a customer at an age: purchase days after the first one, and whole weeks from the first to the last of them, both in bins.
type Cell struct {
	Age     sales.Day
	Repeats int // the bin's place in repeats
	Weeks   int
}

// repeats are the lowest numbers of each bin: exact while they are small, then wider by a quarter each.
var repeats = [...]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 19, 24, 30, 38, 48, 60, 75, 94, 118, 148, 181}

// CellOf counts a customer, who first bought on a day, at an age by its purchase days, ascending; those from the age on do not count.
func CellOf(first sales.Day, days []sales.Day, age sales.Day) Cell {
	n, last := -1, first
	for _, day := range days {
		if day >= first+age {
			break
		}
		n, last = n+1, day
	}
	bin, exact := slices.BinarySearch(repeats[:], max(0, n))
	if !exact {
		bin--
	}
	return Cell{Age: age, Repeats: min(bin, len(repeats)-2), Weeks: int(last-first) / 7}
}

// buyer is the customer that stands for those of the cell: in the middle of its bins.
func (c Cell) buyer() Buyer {
	b := Buyer{Repeats: (repeats[c.Repeats] + repeats[c.Repeats+1] - 1) / 2, SeenDays: float64(c.Age)}
	if b.Repeats > 0 {
		b.LastDays = min(float64(7*c.Weeks+3), b.SeenDays-1)
	}
	return b
}

// buyersRow begins the rows of the tally "activity" that count cells: the age follows, the column is Col, and the bucket counts Blocks of the days
// on which the customers came to the age.
const buyersRow = "repeats|"

// CountsBuyers tells whether a row of the tally is of Row.
func CountsBuyers(row string) bool { return strings.HasPrefix(row, buyersRow) }

// Row is the row of the customers of an age.
func (c Cell) Row() string { return buyersRow + strconv.Itoa(int(c.Age)) }

// Col is the cell's column.
func (c Cell) Col() string { return strconv.Itoa(c.Repeats) + "." + strconv.Itoa(c.Weeks) }

// parseCell reads what Row and Col write; false: it is none of them.
func parseCell(row, col string) (c Cell, ok bool) {
	age, ok := strings.CutPrefix(row, buyersRow)
	if !ok {
		return c, false
	}
	if _, err := fmt.Sscanf(age+" "+col, "%d %d.%d", &c.Age, &c.Repeats, &c.Weeks); err != nil {
		return c, false
	}
	known := slices.Contains(Ages[:], c.Age) && c.Repeats >= 0 && c.Repeats < len(repeats)-1 && c.Weeks >= 0 && sales.Day(7*c.Weeks) < c.Age
	return c, known && c.Row() == row && c.Col() == col
}

// blockDays is how many days one bucket holds.
const blockDays = 28

// Block is the bucket of a day.
func Block(day sales.Day) int32 { return int32(day) / blockDays }

const (
	buyersHalfLife = 13     // blocks in which a customer loses half its weight: a year
	buyersKept     = 3 * 13 // blocks that count at all
	minBuyers      = 200    // below so many, of all ages together and after fading, nothing is learned
)

// Cells are counts of cells by block. They hang on the sums alone, not on the order in which they came.
type Cells map[Cell]map[int32]int64

// Add counts a tally's cell; those that are none of customers at an age are passed over. It keeps no string of it.
func (c Cells) Add(cell *sales.Cell) {
	at, ok := parseCell(cell.Row, cell.Col)
	if !ok {
		return
	}
	blocks := c[at]
	if blocks == nil {
		blocks = map[int32]int64{}
		c[at] = blocks
	}
	if blocks[cell.Bucket] += cell.N; blocks[cell.Bucket] == 0 {
		delete(blocks, cell.Bucket)
	}
	if len(blocks) == 0 {
		delete(c, at)
	}
}

// Outlived tells whether a bucket of the rows counts no more when all shards have come to a day.
func Outlived(block int32, day sales.Day) bool { return block < Block(day)-buyersKept }

// Learn finds the population of the customers that were counted in the blocks before that of the day, each fading by its age then. ok is false if
// they are too few to learn from.
func (c Cells) Learn(day sales.Day) (l Learned, ok bool) {
	now := Block(day)
	cells := slices.SortedFunc(maps.Keys(c), func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Age, b.Age), cmp.Compare(a.Repeats, b.Repeats), cmp.Compare(a.Weeks, b.Weeks))
	})
	var buyers []weighted
	all, first := 0.0, now
	for _, cell := range cells {
		n := 0.0
		for _, block := range slices.Sorted(maps.Keys(c[cell])) {
			if count := c[cell][block]; count > 0 && block < now && !Outlived(block, day) {
				n += float64(count) * math.Exp2(-float64(now-block)/buyersHalfLife)
				first = min(first, block)
			}
		}
		if n > 0 {
			buyers = append(buyers, weighted{cell.buyer(), n})
			all += n
		}
	}
	if all < minBuyers {
		return Learned{}, false
	}
	population, err := estimate(buyers)
	return Learned{Population: population, Customers: all, From: sales.Day(first * blockDays), To: sales.Day(now * blockDays)}, err == nil
}

// Learned is a population with what it rests on.
type Learned struct {
	Population
	Customers float64   // counts, faded by age; a customer counts once at each of Ages
	From, To  sales.Day // in whose blocks they came to those ages: [From, To)
}

// ModelName is that of the parameters on leadline.models, and modelVersion that of what they mean.
const (
	ModelName    = "mbgnbd"
	modelVersion = 1
)

// Model is what is published: R, Alpha, A and B. The caller sets the times.
func (l *Learned) Model() sales.Model {
	return sales.Model{Name: ModelName, Version: modelVersion, Parameters: []float64{l.R, l.Alpha, l.A, l.B}, Examples: l.Customers}
}

// PopulationOf reads what Model writes; Usual if that is of another version, or no population.
func PopulationOf(m *sales.Model) Population {
	if m.Name != ModelName || m.Version != modelVersion || len(m.Parameters) != 4 {
		return Usual
	}
	for _, v := range m.Parameters {
		if !(v >= math.Exp(-mostLog-1) && v <= math.Exp(mostLog+1)) {
			return Usual
		}
	}
	return Population{m.Parameters[0], m.Parameters[1], m.Parameters[2], m.Parameters[3]}
}
