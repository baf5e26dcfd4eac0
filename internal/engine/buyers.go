package engine

import (
	"leadline/internal/sales"
	"leadline/internal/slipping"
)

// Customers are counted at fixed ages (slipping.Ages), from which the analyst learns MBG/NBD's population: once each, when the customer's own time has
// passed the age, at a purchase or a look. An order that comes late takes away what was told before it, and it is told anew, as long as
// the customer's first day is kept; later nothing of these counts changes any more.

// tellAhead tells of the days from one up to another to which the customer's own time comes now, as nothing has been told of them.
func (s *Shard) tellAhead(c *Customer, from, to sales.Day) {
	s.tell(c, from, to, +1)
	s.tellAges(c, from, to, +1)
}

// tellAges tells of the ages to which the customer came on the days from one up to another; with n = −1 it takes that away again.
func (s *Shard) tellAges(c *Customer, from, to sales.Day, n int64) {
	if c.FirstDay == 0 || s.cfg.Job != nil || s.rules.keptDays() < slipKept {
		return
	}
	for _, age := range slipping.Ages {
		if day := c.FirstDay + age; day >= from && day <= to {
			s.tellAge(c, age, n)
		}
	}
}

func (s *Shard) tellAge(c *Customer, age sales.Day, n int64) {
	sc := &s.step.scratch
	sc.orderDays = sc.orderDays[:0]
	for _, o := range c.Window.Orders() {
		if k := len(sc.orderDays); !o.Refund && (k == 0 || sc.orderDays[k-1] != o.Day) {
			sc.orderDays = append(sc.orderDays, o.Day)
		}
	}
	cell := slipping.CellOf(c.FirstDay, sc.orderDays, age)
	t := &s.step.tally
	t.ages = append(t.ages, sales.Cell{Row: cell.Row(), Col: cell.Col(), Bucket: slipping.Block(c.FirstDay + age), N: n})
}

// agesSince is what an order of an earlier day changes: the ages to which the customer has come since, as long as its first day is kept. Else
// the range is empty.
func (s *Shard) agesSince(c *Customer, day sales.Day) (from, to sales.Day) {
	if day >= c.Day || c.FirstDay <= c.Day-sales.Day(s.rules.keptDays()) {
		return 1, 0
	}
	return day + 1, c.Day
}
