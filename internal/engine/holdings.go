package engine

import (
	"math"
	"slices"

	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// What a customer contributes to the tally of pairs is the sum over all days of what happens on each: what comes, what leaves, what is held
// meanwhile. A day's part follows from the lines up to it. So whatever changes a customer's lines takes away what was told of the days from
// there on, and tells them anew; mostly that is the one newest day, of which nothing was told. What leaves with time is told when the
// customer's own time has come to the day. Only what an order or a refund changes of days from before the slack, whose windows are not whole any
// more, is told as of the customer's own day: what it holds more comes then, what it holds less leaves.

// Looks come as often as links count on (affinity.ToldWithin): this does not compile when they do not.
var _ [affinity.ToldWithin - LookEvery]struct{}

// holdings is what a customer's lines and touches say of one day. It is the shard's scratch.
type holdings struct {
	spells
	touches spells
	late    bool // nobody knows when what is held has come
}

// spells is what is held on a day: items by their number at the link level, or touches by theirs.
type spells struct {
	round  uint32
	of     []spell // by number
	bought int     // items a day, summed over the days of the window before the day

	// Numbers: of what is held of an earlier day, what comes on the day, what came on it and is told already, and what was held until the
	// day before.
	held, coming, told, leaving []int32
}

// spell is one item or touch as of the day.
type spell struct {
	round uint32
	seen  sales.Day // last counted in bought
	first sales.Day // in the window before the day, 0 = not there
	prior sales.Day // the last before that window, 0 = not known
	comes bool
}

// at gives the item as it is known so far.
func (p *spells) at(number int32) *spell {
	if it := &p.of[number]; it.round == p.round {
		return it
	}
	p.of[number] = spell{round: p.round}
	return &p.of[number]
}

// see takes up that an item was bought on a day, of each item in the order of days.
func (p *spells) see(number int32, bought, day, start sales.Day) {
	it := p.at(number)
	switch {
	case bought <= start:
		if bought == start && it.prior != start {
			p.leaving = append(p.leaving, number)
		}
		it.prior = max(it.prior, bought) // the past stands in no order of days
	case bought < day:
		if it.first == 0 {
			it.first = bought
			p.held = append(p.held, number)
		}
		if it.seen != bought {
			it.seen = bought
			p.bought++
		}
	case it.first == 0 && !it.comes:
		it.comes = true
		p.coming = append(p.coming, number)
	}
}

// holdingsOn looks at a customer's lines up to a day, on which an item comes that was not bought in the window before, and one leaves that was
// bought last a window ago.
func (s *Shard) holdingsOn(w *window.Window, day sales.Day) *holdings {
	h := &s.step.scratch.holdings
	h.next(s.level.len())
	h.late = false
	start := day - sales.Day(s.rules.WindowDays)
	for _, p := range w.Past() {
		if f := s.level.of(p.Item); f.takesPart {
			h.see(f.number, p.Last, day, start)
		}
	}
	lines := w.Between(math.MinInt32, day)
	for i := range lines {
		l := &lines[i]
		if f := s.level.of(l.Item); l.AmountMinor > 0 && f.takesPart {
			h.see(f.number, l.Day, day, start)
		}
	}
	h.leave()
	s.seeTouches(h, w.Touches(), day, start)
	return h
}

// leave sorts out what was bought a window before the day and again since.
func (p *spells) leave() {
	p.leaving = slices.DeleteFunc(p.leaving, func(number int32) bool { return p.of[number].first != 0 })
}

// next empties the spells and makes room for the numbers below n.
func (p *spells) next(n int) {
	if len(p.of) < n {
		p.of = append(p.of, make([]spell, n-len(p.of))...)
	}
	if p.round++; p.round == 0 { // after four thousand million rounds the old ones would look new
		clear(p.of)
		p.round = 1
	}
	p.held, p.coming, p.told, p.leaving, p.bought = p.held[:0], p.coming[:0], p.told[:0], p.leaving[:0], 0
}

// since is the day on which what is held came, 0 if that was before the window.
func (p *spells) since(number int32, days sales.Day) sales.Day {
	if it := &p.of[number]; it.prior == 0 || it.first-it.prior >= days {
		return it.first
	}
	return 0
}

// known is since when something is held, 0 = nobody knows.
func (h *holdings) known(since sales.Day) sales.Day {
	if h.late {
		return 0
	}
	return since
}

// tellLeaving tells what leaves on a day, which purchases of the day itself change nothing of; with n = −1 it takes that away again.
func (t *tallies) tellLeaving(h *holdings, day sales.Day, n int64) {
	t.tellTouchesLeaving(h, day, n)
	if len(h.leaving) == 0 {
		return
	}
	left := affinity.Left(day)
	if len(h.held) == 0 {
		t.pair(colNone, colNone, left, -n)
	}
	for _, item := range h.leaving {
		t.pair(item, colNone, left, -n)
	}
	switch {
	case len(h.held)+len(h.leaving) <= maxPaired:
		t.pairsWith(h.leaving, h.held, left, -n)
	case len(h.held) <= maxPaired:
		t.pairsWith(h.held, nil, affinity.NoClock(day), n)
	}
}

// tellComing tells what comes on a day, with windows of so many days.
func (t *tallies) tellComing(h *holdings, day, days sales.Day, n int64) {
	t.tellTouchesComing(h, day, days, n)
	if len(h.coming) == 0 {
		return
	}
	came, before := affinity.Came(day, affinity.Stratum(h.bought)), len(h.held)+len(h.told)
	if before == 0 {
		t.pair(colNone, colNone, affinity.Came(day, 0), n)
	}
	for _, item := range h.coming {
		t.pair(item, colNone, came, n)
	}
	switch {
	case before+len(h.coming) <= maxPaired:
		t.tellClocks(h, day, days, came, n)
		t.pairsWith(h.coming, h.told, affinity.SameDay(day), n)
	case before <= maxPaired:
		t.pairsWith(h.held, h.told, affinity.Left(day), -n)
		t.pairsWith(h.told, nil, affinity.Left(day), -n)
	}
}

// tellClocks tells how long ago what is held had come when other items come.
func (t *tallies) tellClocks(h *holdings, day, days sales.Day, came int32, n int64) {
	for _, held := range h.held {
		since := h.known(h.since(held, days))
		t.heldSums.add(t, held, affinity.Horizon(day, since), came, int64(len(h.coming))*n)
		t.tellClock(h, held, day, since, days, n)
	}
}

// tellClock tells of all that comes on a day while something is held that came on the day since.
func (t *tallies) tellClock(h *holdings, held int32, day, since, days sales.Day, n int64) {
	waited := affinity.NoClock(day)
	again := waited
	if since != 0 {
		waited, again = affinity.CameAfter(day, since), affinity.Again(day, since)
	}
	for _, item := range h.coming {
		if prior := h.of[item].prior; prior != 0 && prior+days > since {
			t.pair(item, held, again, n)
		} else {
			t.pair(item, held, waited, n)
		}
	}
}

// pairsWith tells of each pair within the items, and of each that one of them makes with another, in one bucket.
func (t *tallies) pairsWith(items, others []int32, bucket int32, n int64) {
	for i, a := range items {
		for _, b := range items[:i] {
			t.both(a, b, bucket, n)
		}
		for _, b := range others {
			t.both(a, b, bucket, n)
		}
	}
}

// tell tells of the days from one up to another, or with n = −1 takes that away again. Something happens on those with a purchase, and on
// those a window after one.
func (s *Shard) tell(c *Customer, from, to sales.Day, n int64) {
	if from > to || !c.Pairs {
		return
	}
	days := s.eventfulDays(&c.Window, from, to)
	if len(days) > 0 && from > newestLine(&c.Window) {
		s.tellPassing(&c.Window, days, n)
		return
	}
	for _, day := range days {
		s.tellDay(&c.Window, day, n)
	}
}

func (s *Shard) tellDay(w *window.Window, day sales.Day, n int64) {
	h := s.holdingsOn(w, day)
	s.step.tally.tellLeaving(h, day, n)
	s.step.tally.tellComing(h, day, sales.Day(s.rules.WindowDays), n)
}

// tellPassing tells of days after the newest line, on which items can only leave: that needs no more of each than when it was bought last, and
// so one look at the lines for all days.
func (s *Shard) tellPassing(w *window.Window, days []sales.Day, n int64) {
	windowDays, touches := sales.Day(s.rules.WindowDays), w.Touches()
	last := s.lastBought(w, days[0]-windowDays)
	held := len(last)
	for _, day := range days {
		if slices.ContainsFunc(touches, func(t window.Touch) bool { return t.Day == day }) {
			s.tellDay(w, day, n)
			continue
		}
		start, h := day-windowDays, &s.step.scratch.holdings
		for held > 0 && last[held-1].day < start { // they have left before
			held--
		}
		last, h.late = last[:held], false
		for held > 0 && last[held-1].day == start {
			held--
		}
		if held == len(last) && len(touches) == 0 {
			continue
		}
		h.next(s.level.len())
		for i := range last {
			if i < held {
				h.held = append(h.held, last[i].number)
			} else {
				h.leaving = append(h.leaving, last[i].number)
			}
		}
		s.seeTouches(h, touches, day, start)
		s.step.tally.tellLeaving(h, day, n)
	}
}

// lastBought is when an item was bought last.
type lastBought struct {
	number int32
	day    sales.Day
}

// lastBought gives what was bought from a day on, each item once, those that were bought last first. The slice is scratch.
func (s *Shard) lastBought(w *window.Window, from sales.Day) []lastBought {
	sc := &s.step.scratch
	sc.last = sc.last[:0]
	sc.distinct.next(s.level.len())
	lines := w.Between(from-1, math.MaxInt32)
	for i := len(lines) - 1; i >= 0; i-- {
		l := &lines[i]
		if f := s.level.of(l.Item); l.AmountMinor > 0 && f.takesPart && sc.distinct.add(f.number) {
			sc.last = append(sc.last, lastBought{f.number, l.Day})
		}
	}
	return sc.last
}

// newestLine is the day of the newest line, 0 if there is none.
func newestLine(w *window.Window) sales.Day {
	lines := w.Lines()
	if len(lines) == 0 {
		return 0
	}
	return lines[len(lines)-1].Day
}

// tellPurchases tells of the customer's own day, of which all was told but what an order has added to what was bought before.
func (s *Shard) tellPurchases(c *Customer, before []int32) {
	if !c.Pairs || !s.anyComes(&c.Window, c.Day, before) {
		return
	}
	h := s.holdingsOn(&c.Window, c.Day)
	if len(before) > 0 {
		told := s.step.scratch.distinct.of(s.level.len(), before)
		for _, item := range h.coming {
			if told.has(item) {
				h.told = append(h.told, item)
			}
		}
		h.coming = slices.DeleteFunc(h.coming, told.has)
	}
	h.touches.come()
	s.step.tally.tellComing(h, c.Day, sales.Day(s.rules.WindowDays), +1)
}

// anyComes tells whether an item comes on the newest day that is not among those before. Of half the orders of a household, which buys the same
// again, nothing is new.
func (s *Shard) anyComes(w *window.Window, day sales.Day, before []int32) bool {
	fresh, n := &s.step.scratch.distinct, 0
	fresh.next(s.level.len())
	lines := w.Between(day-sales.Day(s.rules.WindowDays), day)
	at := len(lines) - 1
	for ; at >= 0 && lines[at].Day == day; at-- {
		if f := s.level.of(lines[at].Item); lines[at].AmountMinor > 0 && f.takesPart && fresh.add(f.number) {
			n++
		}
	}
	for _, number := range before {
		if fresh.drop(number) {
			n--
		}
	}
	for ; at >= 0 && n > 0; at-- {
		if lines[at].AmountMinor > 0 && fresh.drop(s.level.of(lines[at].Item).number) {
			n--
		}
	}
	return n > 0
}

// boughtOn gives what counts as bought on a day. The slice is scratch.
func (s *Shard) boughtOn(w *window.Window, day sales.Day) []int32 {
	sc := &s.step.scratch
	sc.before = sc.before[:0]
	for _, l := range w.Between(day-1, day) {
		if f := s.level.of(l.Item); l.AmountMinor > 0 && f.takesPart {
			sc.before = append(sc.before, f.number)
		}
	}
	return sc.before
}

// untell begins a change of the customer's lines of a day: it takes away what was told since.
func (s *Shard) untell(c *Customer, day sales.Day) {
	if s.whole(c, day) {
		s.tell(c, day, c.Day, -1)
		return
	}
	sc, h := &s.step.scratch, s.heldBy(c)
	sc.before, sc.touched = append(sc.before[:0], h.held...), append(sc.touched[:0], h.touches.held...)
}

// retell ends it.
func (s *Shard) retell(c *Customer, day sales.Day) {
	if s.whole(c, day) {
		s.tell(c, day, c.Day, +1)
		return
	}
	if !c.Pairs {
		return
	}
	sc, h := &s.step.scratch, s.heldBy(c)
	was, is := sc.distinct.of(s.level.len(), sc.before), sc.taken.of(s.level.len(), h.held)
	h.late = true
	h.leaving = slices.DeleteFunc(append(h.leaving, sc.before...), is.has)
	h.coming = slices.DeleteFunc(append(h.coming, h.held...), was.has)
	h.held = slices.DeleteFunc(h.held, func(number int32) bool { return !was.has(number) })
	h.touches.newSince(sc.touched)
	s.step.tally.tellLeaving(h, c.Day, +1)
	s.step.tally.tellComing(h, c.Day, sales.Day(s.rules.WindowDays), +1)
}

// whole tells whether the customer's window of a day is all there.
func (s *Shard) whole(c *Customer, day sales.Day) bool {
	return day == c.Day || day > c.Day-sales.Day(s.rules.SlackDays)
}

// heldBy is what the customer holds on its own day, without what comes or leaves on it.
func (s *Shard) heldBy(c *Customer) *holdings {
	h := s.holdingsOn(&c.Window, c.Day+1)
	for _, p := range [...]*spells{&h.spells, &h.touches} {
		p.held = append(p.held, p.leaving...)
		p.leaving, p.coming = p.leaving[:0], p.coming[:0]
	}
	return h
}

// eventfulDays gives the days between two on which anything may come or leave. The slice is scratch.
func (s *Shard) eventfulDays(w *window.Window, from, to sales.Day) []sales.Day {
	sc, days := &s.step.scratch, sales.Day(s.rules.WindowDays)
	sc.days = sc.days[:0]
	see := func(day sales.Day) {
		if len(sc.days) == 0 || sc.days[len(sc.days)-1] != day {
			sc.days = append(sc.days, day)
		}
	}
	for _, l := range w.Between(from-days-1, to-days) {
		see(l.Day + days)
	}
	if from <= newestLine(w) {
		for _, l := range w.Between(from-1, to) {
			see(l.Day)
		}
	}
	for _, t := range w.Touches() {
		for _, day := range [...]sales.Day{t.Day, t.Day + days} {
			if day >= from && day <= to {
				see(day)
			}
		}
	}
	slices.Sort(sc.days)
	return slices.Compact(sc.days)
}

// tellFirst tells of a customer whose blob is of a release without this tally, up to the last look, before it makes anything be forgotten. Until
// then nothing of the customer was told.
func (s *Shard) tellFirst(e *entry) {
	c := &e.state
	if s.cfg.Job != nil || c.Pairs {
		return
	}
	c.Pairs = true
	to := c.Day
	if e.due.Look != c.LookDay {
		to = max(to, e.due.Look-LookEvery)
	}
	s.tell(c, math.MinInt32/2, to, +1)
}

// tellErased lets a customer who is forgotten leave everything on the day after its last.
func (s *Shard) tellErased(c *Customer) {
	if !c.Pairs {
		return
	}
	h := s.heldBy(c)
	for _, p := range [...]*spells{&h.spells, &h.touches} {
		p.leaving, p.held = p.held, p.leaving
	}
	s.step.tally.tellLeaving(h, c.Day+1, +1)
}
