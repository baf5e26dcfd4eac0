package reference

import (
	"fmt"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// watched is a candidate that nobody was told of.
type watched struct {
	to          name
	day, expiry sales.Day
	code        uint64
}

// watch begins to watch one of the first ten candidates, the told one left out, in about 2,000 orders a week. All are in order.
func (m *Model) watch(c *customer, o *order, all []*candidate, told *candidate) {
	everyone := 7 * m.known.level(o.day, 28)
	if len(c.watched) >= 4 || everyone <= 0 || !m.drawn("watch", o, 2_000/everyone) {
		return
	}
	first := slices.DeleteFunc(slices.Clone(all[:min(10, len(all))]), func(k *candidate) bool { return k == told })
	if len(first) == 0 {
		return
	}
	k := first[m.lot("watched", o)%uint64(len(first))]
	to := m.linkItem(k.link.To)
	if !m.meet(to) || slices.ContainsFunc(c.watched, func(w watched) bool { return w.to == m.name(to) }) {
		return
	}
	k.values[scorecard.Told] = 0
	m.score(scorecard.CrossSell(), k)
	c.watched = append(c.watched, watched{to: m.name(to), day: o.day, expiry: o.day + sales.Day(m.rules.ExpiryDays), code: k.code(scorecard.CrossSell())})
}

// watchOrder lets go of what is bought by the order after it was seen, or within a window before, and of that whose time is over.
func (m *Model) watchOrder(c *customer, o *order) {
	c.watched = slices.DeleteFunc(c.watched, func(w watched) bool {
		bought := slices.ContainsFunc(o.items, w.to.is)
		return w.expiry <= c.day || bought && o.day < w.expiry && o.day > w.day-sales.Day(m.rules.WindowDays)
	})
}

// overdue tells whether a look lets go of what is watched.
func (c *customer) overdue(day sales.Day) bool {
	return slices.ContainsFunc(c.watched, func(w watched) bool { return w.expiry+7 <= day })
}

// watchLook lets go of that whose time is over, if anything is overdue or there are no purchases left.
func (c *customer) watchLook(day sales.Day) {
	if c.overdue(day) || len(c.purchases) == 0 {
		c.watched = slices.DeleteFunc(c.watched, func(w watched) bool { return w.expiry <= day })
	}
}

func watchedLine(w *watched) string {
	return fmt.Sprintf("watched %s of %s until %s, by code %d", w.to, w.day, w.expiry, w.code)
}
