package comparison

import (
	"encoding/binary"
	"iter"
	"slices"

	"github.com/cespare/xxhash/v2"

	"leadline/internal/sales"
)

// Alerts are the alerts of a run, in no order. Two runs that said the same have the same Sum.
type Alerts struct {
	N    int
	Sum  uint64 // of the hashes of key and value
	seen map[uint64]int
}

// Add takes in an alert as its topic has it.
func (a *Alerts) Add(key, value []byte) {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(key) // a hash never fails
	_, _ = d.Write(value)
	h := d.Sum64()
	if a.seen == nil {
		a.seen = map[uint64]int{}
	}
	a.N++
	a.Sum += h
	a.seen[h]++
}

// Against counts what is missing of the wanted alerts, what was said again, and what should never have been said.
func (a *Alerts) Against(want *Alerts) (lost, twice, foreign int) {
	for h, n := range want.seen {
		lost += max(0, n-a.seen[h])
	}
	for h, n := range a.seen {
		if want.seen[h] == 0 {
			foreign += n
		} else {
			twice += max(0, n-want.seen[h])
		}
	}
	return lost, twice, foreign
}

// Expect plays the job to the letter on maps that forget nothing, which is what an engine's run is held against. The orders come in the order
// in which their customers' partitions have them.
func Expect(rules []Rule, orders iter.Seq[*sales.Purchase]) *Alerts {
	all, customers := &Alerts{}, map[string]*past{}
	for p := range orders {
		c := customers[p.CustomerID]
		if c == nil {
			c = &past{orders: map[int64]int{}, bought: map[string][]int64{}, alerted: map[string]int64{}}
			customers[p.CustomerID] = c
		}
		c.order(rules, p, func(value []byte) { all.Add([]byte(p.CustomerID), value) })
	}
	return all
}

// past is what the plain job remembers of a customer.
type past struct {
	orders  map[int64]int      // by day
	bought  map[string][]int64 // days, by category
	alerted map[string]int64   // day of the last alert, by category; the empty one is the declining alert
}

func (c *past) order(rules []Rule, p *sales.Purchase, say func([]byte)) {
	day := floorDiv(int64(p.OccurredAt), int64(sales.DayMillis))
	c.orders[day]++
	var categories []string
	for _, l := range p.Lines {
		c.bought[l.Category] = append(c.bought[l.Category], day)
		if !slices.Contains(categories, l.Category) {
			categories = append(categories, l.Category)
		}
	}
	for _, from := range categories {
		for _, r := range rules {
			held := slices.ContainsFunc(c.bought[r.To], func(d int64) bool { return d > day-180 && d <= day })
			if r.From == from && !held && c.first(r.To, day) {
				say(value(p, "cross_sell:"+p.EventID+":"+r.To, "cross_sell", &r))
			}
		}
	}
	recent, before := 0, 0
	for d, n := range c.orders {
		switch {
		case d > day-30 && d <= day:
			recent += n
		case d > day-180 && d <= day-30:
			before += n
		}
	}
	if before >= 15 && 10*recent < before && c.first("", day) {
		say(value(p, "declining:"+p.EventID, "declining", nil))
	}
}

// first tells whether the alert about the category, which is noted, is the first within 30 days.
func (c *past) first(category string, day int64) bool {
	if last, ok := c.alerted[category]; ok && day-last < 30 {
		return false
	}
	c.alerted[category] = day
	return true
}

// value writes an alert by the comparison's schema.
func value(p *sales.Purchase, id, kind string, r *Rule) []byte {
	v := binary.BigEndian.AppendUint32([]byte{0}, alertID)
	v = appendText(appendText(appendText(v, id), kind), p.CustomerID)
	if r == nil {
		r = &Rule{}
	}
	v = appendOptional(appendOptional(v, r.From), r.To)
	v = binary.AppendVarint(v, int64(p.OccurredAt))
	v = appendShare(appendShare(v, r.Confidence), r.Lift)
	return appendText(v, p.EventID)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
