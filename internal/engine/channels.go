package engine

import (
	"cmp"
	"slices"
	"strings"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// Rows of the tally "activity" that count the purchase days of channels (package channel), by week: days on which a customer bought anything of a
// category, and days with a purchase of customers whose profile has the value. Those of an attribute follow its value: when a profile changes, what the
// window keeps moves to the new one. Their column AttributeMembers counts the customers; those of results (feedback.OfUse, Won …) count alerts that reps have
// reported on, in the week in which they were opened, of whoever was of the segment then.
const (
	CategoryRow      = "category|"
	AttributeRow     = "attribute|"
	AttributeMembers = "members"
)

// channelDays collects a step's differences.
type channelDays struct {
	categories []cell
	attributes []sales.Cell
	held       marks // categories of the order's day
}

// countCategories tallies the categories of an order that are new on its day. It must see the window as it was before the order.
func (s *Shard) countCategories(e *entry, o *order) {
	t := &s.step.tally.channels
	t.held.next(s.items.Categories())
	for _, l := range e.state.Window.Between(o.day-1, o.day) {
		t.held.add(s.items.Category(l.Item))
	}
	for i := range o.lines {
		if category := s.items.Category(o.lines[i].item); t.held.add(category) {
			t.categories = append(t.categories, cell{row: category, bucket: o.day.Week(), n: 1})
		}
	}
}

// categoryTakenBack tallies that nothing of the item's category is left on the day.
func (s *Shard) categoryTakenBack(w *window.Window, day sales.Day, item window.ItemID) {
	category := s.items.Category(item)
	if slices.ContainsFunc(w.Between(day-1, day), func(l window.Line) bool { return s.items.Category(l.Item) == category }) {
		return
	}
	t := &s.step.tally.channels
	t.categories = append(t.categories, cell{row: category, bucket: day.Week(), n: -1})
}

// purchaseDay tallies a day that has become one with a purchase, or is none any more.
func (s *Shard) purchaseDay(e *entry, day sales.Day, n int64) {
	s.step.tally.purchaseDay(day, n)
	s.countSegments(e.state.Segments, "", day.Week(), n)
}

func (s *Shard) countSegments(segments []string, col string, week int32, n int64) {
	t := &s.step.tally.channels
	for _, segment := range segments {
		t.attributes = append(t.attributes, sales.Cell{Row: AttributeRow + segment, Col: col, Bucket: week, N: n})
	}
}

// changeSegments makes the customer one of other attributes' values, with the days that the window keeps.
func (s *Shard) changeSegments(e *entry, segments []string) {
	old := e.state.Segments
	e.state.Segments = segments
	s.countSegments(old, AttributeMembers, 0, -1)
	s.countSegments(segments, AttributeMembers, 0, +1)
	lines := e.state.Window.Lines()
	for i := range lines {
		if i == 0 || lines[i].Day != lines[i-1].Day {
			s.countSegments(old, "", lines[i].Day.Week(), -1)
			s.countSegments(segments, "", lines[i].Day.Week(), +1)
		}
	}
}

// maxSegment is how long an attribute with its value may be: longer ones are no channels.
const maxSegment = 80

// segmentsOf is what of a profile's attributes are channels, in the order of the rules.
func (s *Shard) segmentsOf(attributes map[string]string) []string {
	var segments []string
	for _, name := range s.rules.Channels.Attributes {
		if value := attributes[name]; value != "" && len(name)+1+len(value) <= maxSegment && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
			segments = append(segments, name+"="+value)
		}
	}
	return segments
}

// channelCells adds up what the step has collected: attributes before categories, as their rows sort.
func (s *Shard) channelCells() []sales.Cell {
	t := &s.step.tally.channels
	names := s.level.rankedCategories()
	for i := range t.categories {
		t.categories[i].row = names.rank(t.categories[i].row)
	}
	cells := append(addUp(t.attributes), s.step.tally.add(t.categories, names.names, []string{""})...)
	t.attributes, t.categories = emptied(t.attributes, 0), emptied(t.categories, 0)
	return cells
}

// addUp adds up cells of equal places, sorted, and leaves out what comes to nothing.
func addUp(cells []sales.Cell) []sales.Cell {
	place := func(a, b sales.Cell) int {
		return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Bucket, b.Bucket))
	}
	slices.SortFunc(cells, place)
	var sums []sales.Cell
	for _, c := range cells {
		if n := len(sums); n > 0 && place(sums[n-1], c) == 0 {
			sums[n-1].N += c.N
		} else {
			sums = append(sums, c)
		}
	}
	return slices.DeleteFunc(sums, func(c sales.Cell) bool { return c.N == 0 })
}
