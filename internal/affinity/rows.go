package affinity

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"leadline/internal/sales"
)

// A row of the kind "pairs" in leadline.knowledge-state is an item with all that is kept of it, in the order of columns and buckets:
//
//	("", now)                      customers, in the row of no name; holders of the item
//	("", Came), (HeldCols, Came)   as tallied; in the row of no name how customers came and left
//	("", Left), (B, Left)          departures that are not settled
//	(evictedCol, 0)                in the row of no name: how often what is not followed came at most
//	(LinesCol, 0), (AmountCol, 0)  of all time
//	(evictedCol, 0)                the largest count of a consequent that has left the row
//	(B, CameAfter …)               what came together, as entry keeps it
//	(B, now), (B, counted), (B, missed)   customers who hold both; the counts of Space-Saving
//
// A column that is the same as in the cell before is named by dittoCol. Rows are cut into parts of partCells, whose names end in partMark
// and a number from the second part on.
const (
	evictedCol = "\x01evicted"
	dittoCol   = "\x01"
	partMark   = "\x03"

	now     = -1
	counted = -2
	missed  = -3

	partCells = 50_000 // some 350 kB: far below what a record may have
)

// Row is a part of an item's row.
type Row struct {
	Name  string
	Cells []sales.Cell // none: there is no such part any more
}

// EachChanged gives the rows that have changed since Saved, by name, until the function gives an error. Rows share no memory with the counts.
func (c *Counts) EachChanged(yield func(Row) error) error {
	if c.changed {
		if err := yield(c.crowdRow()); err != nil {
			return err
		}
	}
	for _, id := range c.byName() {
		if !c.items[id].changed {
			continue
		}
		if err := c.eachPart(&c.items[id], yield); err != nil {
			return err
		}
	}
	return nil
}

func (c *Counts) eachPart(item *itemCount, yield func(Row) error) error {
	part := 0
	for cells := range slices.Chunk(c.rowOf(item), partCells) {
		if err := yield(Row{partName(item.name, part), shortened(cells)}); err != nil {
			return err
		}
		part++
	}
	for gone := part; gone < item.parts; gone++ {
		if err := yield(Row{Name: partName(item.name, gone)}); err != nil {
			return err
		}
	}
	item.parts = part // should what is written now get lost, all is read back
	return nil
}

func partName(name string, part int) string {
	if part == 0 {
		return name
	}
	return name + partMark + strconv.Itoa(part)
}

// Saved says that all rows stand where Restore will get them from.
func (c *Counts) Saved() {
	c.changed = false
	for i := range c.items {
		c.items[i].changed = false
	}
}

// crowdRow is the row of all customers.
func (c *Counts) crowdRow() Row {
	row := Row{Cells: []sales.Cell{{Bucket: now, N: c.customers}}}
	if c.bar > 0 {
		row.Cells = append(row.Cells, sales.Cell{Col: evictedCol, N: c.bar})
	}
	for _, s := range c.crowd {
		row.Cells = append(row.Cells, sales.Cell{Bucket: s.bucket, N: int64(s.n)})
	}
	return row
}

// rowOf lists everything about an item.
func (c *Counts) rowOf(item *itemCount) []sales.Cell {
	var cells []sales.Cell
	add := func(col string, bucket int32, n int64) {
		if n != 0 {
			cells = append(cells, sales.Cell{Row: item.name, Col: col, Bucket: bucket, N: n})
		}
	}
	add("", now, item.holders)
	add(LinesCol, 0, item.lines)
	add(AmountCol, 0, item.amount)
	add(evictedCol, 0, item.row.evicted)
	for _, s := range slices.Concat(item.came, item.left) {
		add("", s.bucket, int64(s.n))
	}
	for i, held := range item.heldAt {
		for _, s := range held {
			add(HeldCols[i], s.bucket, int64(s.n))
		}
	}
	for i, id := range item.row.to {
		e, to := item.row.at(i), c.items[id].name
		add(to, now, e.both)
		add(to, counted, e.count)
		add(to, missed, e.missed)
		for _, s := range e.cells {
			add(to, s.bucket, int64(s.n))
		}
	}
	slices.SortFunc(cells, func(a, b sales.Cell) int { return cmp.Or(cmp.Compare(a.Col, b.Col), cmp.Compare(a.Bucket, b.Bucket)) })
	return cells
}

func shortened(cells []sales.Cell) []sales.Cell {
	col := ""
	for i := range cells {
		own := cells[i].Col
		if i > 0 && own == col && own != "" {
			cells[i].Col = dittoCol
		}
		col = own
	}
	return cells
}

// Restore takes a row that EachChanged gave. It keeps no string of it. Rows may come in any order, before anything is added.
func (c *Counts) Restore(name string, cells []sales.Cell) error {
	if name == "" {
		for _, cell := range cells {
			switch {
			case cell.Col == evictedCol:
				c.bar = cell.N
			case cell.Bucket == now:
				c.customers = cell.N
			default:
				c.crowd.add(cell.Bucket, cell.N)
			}
		}
		return nil
	}
	name, number, cut := strings.Cut(name, partMark)
	part, err := strconv.Atoi(number)
	if cut && err != nil {
		return fmt.Errorf("restore row %q: part %w", name, err)
	}
	id := c.id(name)
	c.items[id].parts = max(c.items[id].parts, part+1)
	col := ""
	for _, cell := range cells {
		if cell.Col != dittoCol {
			col = cell.Col
		}
		c.restoreCell(id, col, cell.Bucket, cell.N)
	}
	return nil
}

func (c *Counts) restoreCell(id uint32, col string, bucket int32, n int64) {
	item := &c.items[id]
	switch {
	case col == "" && bucket == now:
		item.holders = n
	case col == "" && bucket&left == left:
		item.left.add(bucket, n)
	case col == "":
		item.came.add(bucket, n)
		item.starts += n
	case col == LinesCol:
		item.lines = n
	case col == AmountCol:
		item.amount = n
	case col == evictedCol:
		item.row.evicted = n
	case col[0] == LinesCol[0]:
		if h := slices.Index(HeldCols[:], col); h >= 0 {
			item.heldAt[h].add(bucket, n)
		}
	default:
		if !item.follows {
			item.follows = true
			c.followed++
		}
		to := c.id(col)
		e := c.items[id].row.take(to)
		switch bucket {
		case now:
			e.both = n
		case counted:
			e.count = n
		case missed:
			e.missed = n
		default:
			e.cells.add(bucket, n)
		}
	}
}

// byName lists the items' ids in the order of their names: ids say in which order items came, and nothing may hang on that.
func (c *Counts) byName() []uint32 {
	ids := make([]uint32, len(c.items))
	for i := range ids {
		ids[i] = uint32(i)
	}
	slices.SortFunc(ids, func(a, b uint32) int { return cmp.Compare(c.items[a].name, c.items[b].name) })
	return ids
}

// Forget lets go of what is too old to count by then.
func (c *Counts) Forget(rules LinkRules, learnedTo sales.Millis) {
	today := rules.Calendar.Day(learnedTo)
	first, settled := newDecay(today, rules.HalfLifeDays).first, unsettled(today)
	for i := range c.items {
		item := &c.items[i]
		old := item.came.forget(first)
		for h := range item.heldAt {
			old = item.heldAt[h].forget(first) || old
		}
		old = item.left.forgetLeft(settled) || old
		for k := range item.row.entries {
			cells := &item.row.entries[k].cells
			old = cells.forget(first) || old
			old = cells.forgetLeft(settled) || old
		}
		item.changed = item.changed || old
	}
	old := c.crowd.forget(Block(today - sales.Day(rules.WindowDays))) // whether anything can have left must still be seen
	c.changed = c.crowd.forgetLeft(settled) || old || c.changed
}

// forget drops sums of blocks before the first.
func (s *sums) forget(first int32) bool {
	at := s.place(first << codeBits)
	if at == 0 {
		return false
	}
	*s = slices.Clone((*s)[at:])
	return true
}
