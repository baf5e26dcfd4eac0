package engine

import (
	"slices"

	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// Touches in the tally of pairs: "viewed B, then bought A". A kind of touch about a category comes and leaves by the days of its touches as an
// item does by those of its purchases, and is told of when the customer's own time has come there: at its next purchase or look.

// seeTouches takes up the touches up to a day.
func (s *Shard) seeTouches(h *holdings, touches []window.Touch, day, start sales.Day) {
	h.touches.next(s.level.numberTouches(touches))
	for _, t := range touches {
		if number, ok := s.level.touch(t); ok && t.Day <= day {
			h.touches.see(number, t.Day, day, start)
		}
	}
	h.touches.leave()
}

// tellTouchesLeaving tells what of the touches and of their pairs ends on a day.
func (t *tallies) tellTouchesLeaving(h *holdings, day sales.Day, n int64) {
	touched, left := &h.touches, affinity.Left(day)
	for _, touch := range touched.leaving {
		t.pair(touchCode(touch), colNone, left, -n)
	}
	items, touches := len(h.held)+len(h.leaving), len(touched.held)+len(touched.leaving)
	switch {
	case items <= maxPaired && touches <= maxPaired:
		t.touchPairs(h.leaving, touched.held, left, -n)
		t.touchPairs(h.leaving, touched.leaving, left, -n)
		t.touchPairs(h.held, touched.leaving, left, -n)
	case len(h.held) <= maxPaired && len(touched.held) <= maxPaired:
		t.touchPairs(h.held, touched.held, affinity.NoClock(day), n)
	}
}

// tellTouchesComing tells what of the touches comes on a day, and what comes while they are held.
func (t *tallies) tellTouchesComing(h *holdings, day, days sales.Day, n int64) {
	touched, came := &h.touches, affinity.Came(day, affinity.Stratum(h.bought))
	if len(touched.held)+len(touched.coming)+len(touched.told) == 0 {
		return
	}
	for _, touch := range touched.coming {
		t.pair(touchCode(touch), colNone, came, n)
	}
	items, touches := len(h.held)+len(h.told), len(touched.held)+len(touched.told)
	switch {
	case items+len(h.coming) <= maxPaired && touches+len(touched.coming) <= maxPaired:
		t.touchPairs(h.held, touched.coming, affinity.TouchCame(day), n)
		sameDay := affinity.SameDay(day)
		t.touchPairs(h.told, touched.coming, sameDay, n)
		t.touchPairs(h.coming, touched.coming, sameDay, n)
		t.touchPairs(h.coming, touched.told, sameDay, n)
		for _, touch := range touched.held {
			t.whileTouched(h, touch, day, days, came, n)
		}
	case items <= maxPaired && touches <= maxPaired:
		for _, all := range [...][]int32{h.held, h.told} {
			t.touchPairs(all, touched.held, affinity.Left(day), -n)
			t.touchPairs(all, touched.told, affinity.Left(day), -n)
		}
	}
}

// whileTouched tells of the items that come while a touch is held.
func (t *tallies) whileTouched(h *holdings, touch int32, day, days sales.Day, came int32, n int64) {
	if len(h.coming) == 0 {
		return
	}
	since := h.known(h.touches.since(touch, days))
	t.pair(touchCode(touch), colHeld-int32(affinity.Horizon(day, since)), came, int64(len(h.coming))*n)
	t.tellClock(h, touchCode(touch), day, since, days, n)
}

// touchPairs tells of each pair of an item and a touch, in one bucket.
func (t *tallies) touchPairs(items, touches []int32, bucket int32, n int64) {
	for _, item := range items {
		for _, touch := range touches {
			t.pair(item, touchCode(touch), bucket, n)
		}
	}
}

// come says that what comes on the day is told already.
func (p *spells) come() {
	p.told = append(p.told, p.coming...)
	p.coming = p.coming[:0]
}

// newSince takes for coming what was not held before.
func (p *spells) newSince(before []int32) {
	was := func(number int32) bool { return slices.Contains(before, number) }
	p.coming = slices.DeleteFunc(append(p.coming, p.held...), was)
	p.held = slices.DeleteFunc(p.held, func(number int32) bool { return !was(number) })
}

// addTouch adds a touch to the window, and tells what it changes of the days to which the customer's own time has come already.
func (s *Shard) addTouch(c *Customer, t window.Touch, hash uint32) {
	known := slices.ContainsFunc(c.Window.Touches(), func(k window.Touch) bool { return k.Day == t.Day && k.Kind == t.Kind && k.About == t.About })
	if t.Day > c.Day || t.About == window.NoItem || known {
		c.Window.AddTouch(t.Day, t.Kind, t.About, hash)
		return
	}
	s.untell(c, t.Day)
	c.Window.AddTouch(t.Day, t.Kind, t.About, hash)
	s.retell(c, t.Day)
}
