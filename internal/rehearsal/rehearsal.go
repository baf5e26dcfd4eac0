// Package rehearsal plays a history through the engine as if it came today, with links and scorecards learned week by week as the analyst learns them,
// and measures how well offers are ranked and how true their probabilities are: by prior points, by points that know nothing, and by what was learned
// from either. Others' beginnings stand beside: any order, and popularity.
//
// It guarantees that whatever ranks an order was learned from what came before the order's week alone, that all rows rank the same candidates, and
// that equal histories and options give equal reports. Each learner plays the history for itself: what it learns from are the offers that it made. Nobody
// is really told anything, so what telling adds cannot be seen here: an offer is taken when the customer buys the item within the offer's time.
//
// It is pure: no clock, no IO, no random source but the seeded ones of its resampling. It does not know topics, and what the analyst does besides. The
// commands give it the history.
package rehearsal

import (
	"cmp"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/engine"
	"leadline/internal/sales"
)

// Options say how the history is played.
type Options struct {
	Rules    engine.Rules
	Links    affinity.LinkRules // the learner's part of the rules
	Calendar sales.Calendar
	From     sales.Day // judged are the orders from this day on; 0: from the middle of the history
}

// Rehearsal is a history to be played. Make it with New, give it products and purchases, then Run it once.
type Rehearsal struct {
	o         Options
	catalogue *catalogue.Catalogue
	events    []sales.Event
}

// New is an empty one.
func New(o Options) *Rehearsal {
	r := &Rehearsal{o: o, catalogue: catalogue.New()}
	r.catalogue.SetBrandTiers(o.Rules.Upsell.BrandTiers)
	return r
}

// Product tells what a product is: for the whole of the history, as if all had been told before it began.
func (r *Rehearsal) Product(p *sales.Product) { r.catalogue.Set(*p) }

// Purchase takes an order or a refund, in any order.
func (r *Rehearsal) Purchase(p *sales.Purchase) {
	own := *p
	r.events = append(r.events, sales.Event{Kind: sales.PurchaseEvent, Purchase: &own, Source: sales.Source{Offset: int64(len(r.events))}})
}

// batch is how many events a step takes at most.
const batch = 250

// Run plays the history. It fails where there is nothing to judge.
func (r *Rehearsal) Run() (*Report, error) {
	slices.SortStableFunc(r.events, func(a, b sales.Event) int { return cmp.Compare(a.Purchase.OccurredAt, b.Purchase.OccurredAt) })
	if len(r.events) == 0 {
		return nil, errors.New("the history has no purchases")
	}
	arms := r.arms()
	j := r.newJudge(arms)
	day := j.day
	if r.o.From == 0 {
		r.o.From = day(0) + (j.last-day(0))/2
	}
	learner := newLearner(&r.o, r.catalogue)
	for from := 0; from < len(r.events); {
		learner.learn(arms, day(from))
		to := from + 1
		for to < len(r.events) && to-from < batch && day(to).Week() == day(from).Week() {
			to++
		}
		for n, a := range arms {
			d := a.step(r.events[from:to], learner.knowledge(a))
			if n == 0 {
				learner.count(&d)
				j.rank(from, d.Weighed, arms)
			}
			j.hear(n, d.Alerts)
		}
		from = to
	}
	switch {
	case j.orders == 0:
		return nil, fmt.Errorf("no order from %s on has candidates and its time over: no links were learned by then, or the history ends too soon", r.o.From)
	case sum(j.row(Prior).all.wanted) == 0:
		return nil, fmt.Errorf("of the candidates of %d orders from %s on none was taken: there is nothing to tell apart", j.orders, r.o.From)
	}
	return j.report(arms), nil
}

// judges tells whether the customer is of the half that judges. Off the other half points may be read; the prior ones of cross-sell were read off it.
func judges(id string) bool {
	hash := md5.Sum([]byte(id)) // as those who have read off the prior points split the customers
	return hash[0]&1 == 1
}

// version names what has been learned so far.
func version(week int32) sales.KnowledgeVersion {
	return sales.KnowledgeVersion(strconv.Itoa(int(week)))
}
