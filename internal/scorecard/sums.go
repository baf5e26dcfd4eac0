package scorecard

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

// The tally of kind "examples" counts what ended: row = the card's name, col = Col of the code, bucket = the week in which the decision's time
// was up. That is one week for those that were taken earlier too: a week that is over and settled (Card.Settles) has all its examples, so those
// taken are not counted ahead of those that were not.

const (
	takenWord = ":taken"
	notWord   = ":not"
)

// Col is the column of a code that was taken or not.
func Col(code uint64, taken bool) string {
	if taken {
		return strconv.FormatUint(code, 36) + takenWord
	}
	return strconv.FormatUint(code, 36) + notWord
}

// ParseCol reads what Col writes.
func ParseCol(col string) (code uint64, taken bool, err error) {
	digits, taken := strings.CutSuffix(col, takenWord)
	if !taken {
		var ok bool
		if digits, ok = strings.CutSuffix(col, notWord); !ok {
			return 0, false, fmt.Errorf("column %q of examples is neither taken nor not", col)
		}
	}
	code, err = strconv.ParseUint(digits, 36, 64)
	if err != nil || code == 0 || strconv.FormatUint(code, 36) != digits {
		return 0, false, fmt.Errorf("column %q of examples has no code", col)
	}
	return code, taken, nil
}

// Sums are examples by card, week and code, as cells add to them. They hang on the sums of the cells alone, not on their order.
type Sums struct{ rows map[string]map[place]int64 }

type place struct {
	week  int32
	code  uint64
	taken bool
}

// NewSums has counted nothing.
func NewSums() *Sums { return &Sums{rows: map[string]map[place]int64{}} }

// Add adds cells of the tally "examples"; columns that it does not know mean nothing here. It keeps no string of the cells.
func (s *Sums) Add(cells []sales.Cell) {
	for i := range cells {
		code, taken, err := ParseCol(cells[i].Col)
		if err != nil {
			continue
		}
		row := s.rows[cells[i].Row]
		if row == nil {
			row = map[place]int64{}
			s.rows[strings.Clone(cells[i].Row)] = row
		}
		at := place{cells[i].Bucket, code, taken}
		if row[at] += cells[i].N; row[at] == 0 {
			delete(row, at)
		}
	}
}

// HalfLife is the weeks in which an example loses half its weight, so that what was learned in old seasons fades: a quarter of a year.
const HalfLife = 13

// KeptWeeks is how many weeks examples count at all: eight times until one loses half its weight.
const KeptWeeks = 8 * HalfLife

// Forget drops the examples of the weeks before the given one.
func (s *Sums) Forget(before int32) {
	for _, row := range s.rows {
		maps.DeleteFunc(row, func(at place, _ int64) bool { return at.week < before })
	}
}

// Examples gives the card's examples of the weeks that are over and settled on the day, by code; each fades by its age then.
func (s *Sums) Examples(c *Card, day sales.Day) []Example {
	byCode := map[uint64]Example{}
	row := s.rows[c.Name]
	places := slices.SortedFunc(maps.Keys(row), place.compare)
	for _, at := range places {
		if at.week >= day.Week()-c.Settles {
			break
		}
		weight := float64(row[at]) * math.Exp2(-float64(day.Week()-at.week)/HalfLife)
		e := byCode[at.code]
		e.Code = at.code
		if at.taken {
			e.Taken += weight
		} else {
			e.Not += weight
		}
		byCode[at.code] = e
	}
	return c.sorted(slices.Collect(maps.Values(byCode)))
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.week, o.week), cmp.Compare(p.code, o.code), cmp.Compare(takenFirst(p.taken), takenFirst(o.taken)))
}

func takenFirst(taken bool) int {
	if taken {
		return 0
	}
	return 1
}
