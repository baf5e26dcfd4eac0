package engine

import (
	"slices"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// Offers that are told are few, and always the best ones. So of an order's candidates another one is watched: nobody hears of it, and whether the customer
// buys it within the time that an offer would have had teaches the card like an offer's end.
const (
	mostWatched  = 4     // of a customer at a time
	watchesAWeek = 2_000 // about so many all shards together begin: few enough for the analyst to keep, of however many customers

	offersAWeek = 10_000 // of the offers about so many at most teach
)

// watchedFor is how many days beyond its time something stays watched if no order comes: looks that only end what is watched would write many customers.
// With the weekly looks it makes less than scorecard.SettleWeeks.
const watchedFor = 7

// Watched is a candidate that was not told.
type Watched struct {
	Item      window.ItemID
	Day       sales.Day // of the order
	ExpiryDay sales.Day // at whose start its time is over
	Code      uint64    // what the card asked
}

// watch begins to watch one of the first ten candidates, drawn by the event's id, but for the one that is told of. One that is watched already is not
// watched twice.
func (s *Shard) watch(e *entry, o *order, candidates []candidate, q *question, told int) {
	c := &e.state
	if len(c.Watched) >= mostWatched || !s.someOf(s.lot(o, "watch"), watchesAWeek, o.day) {
		return
	}
	first := firsts(len(candidates), func(i, j int) int { return ahead(&candidates[i], &candidates[j]) })
	first = slices.DeleteFunc(first, func(i int) bool { return i == told })
	if len(first) == 0 {
		return
	}
	drawn := &candidates[first[s.lot(o, "watched")%uint64(len(first))]]
	item, err := s.items.ID(s.level.item(drawn.link.link.To))
	if err != nil || c.watches(item) >= 0 {
		return
	}
	values := q.values(drawn)
	values[scorecard.Told] = 0
	c.Watched = append(c.Watched, Watched{Item: item, Day: o.day, ExpiryDay: o.day + sales.Day(s.rules.ExpiryDays), Code: code(scorecard.CrossSell(), values[:])})
}

// watches is the place of the item among what is watched, −1 if it is not.
func (c *Customer) watches(item window.ItemID) int {
	return slices.IndexFunc(c.Watched, func(w Watched) bool { return w.Item == item })
}

// unwatch lets go of an item that is offered now: what comes of it comes of the offer.
func (c *Customer) unwatch(item window.ItemID) {
	if at := c.watches(item); at >= 0 {
		c.Watched = slices.Delete(c.Watched, at, at+1)
	}
}

// watchOrder ends what is watched and bought by the order, and that whose time is over. What was bought before it was a candidate was none.
func (s *Shard) watchOrder(e *entry, o *order) {
	c := &e.state
	c.Watched = slices.DeleteFunc(c.Watched, func(w Watched) bool {
		bought := slices.ContainsFunc(o.lines, func(l orderLine) bool { return s.is(sales.CrossSell, l.item, w.Item) })
		switch {
		case bought && o.day >= w.Day && o.day < w.ExpiryDay:
			s.watchedExample(&w, true)
		case bought && o.day < w.Day && o.day > w.Day-sales.Day(s.rules.WindowDays):
		case w.ExpiryDay <= c.Day:
			s.watchedExample(&w, false)
		default:
			return false
		}
		return true
	})
}

// overdue tells whether a look ends what is watched.
func (c *Customer) overdue(day sales.Day) bool {
	return slices.ContainsFunc(c.Watched, func(w Watched) bool { return w.ExpiryDay+watchedFor <= day })
}

// watchLook ends what is watched and whose time is over at a look, if anything is overdue or no order will show it any more.
func (s *Shard) watchLook(c *Customer, day sales.Day) {
	if len(c.Window.Orders()) > 0 && !c.overdue(day) {
		return
	}
	c.Watched = slices.DeleteFunc(c.Watched, func(w Watched) bool {
		if w.ExpiryDay > day {
			return false
		}
		s.watchedExample(&w, false)
		return true
	})
}

func (s *Shard) watchedExample(w *Watched, taken bool) {
	t := &s.step.tally
	t.examples = append(t.examples, example{card: scorecard.CrossSell().Name, code: w.Code, taken: taken, week: w.ExpiryDay.Week(), n: 1})
}

// teaches tells whether an offer of the order is one of those from which is learned: any, unless everyone buys so much that there are too many.
func (s *Shard) teaches(o *order) bool {
	return s.step.batch.Knowledge.Activity.Level(o.day, 28) <= 0 || s.someOf(s.lot(o, "teach"), offersAWeek, o.day)
}

// someOf tells whether the lot falls on one of so many purchases a week of everyone's: the more everyone buys, the smaller a share they are.
func (s *Shard) someOf(lot uint64, aWeek float64, day sales.Day) bool {
	everyone := s.step.batch.Knowledge.Activity.Level(day, 28) * LookEvery
	return everyone > 0 && drawn(lot, aWeek/everyone)
}
