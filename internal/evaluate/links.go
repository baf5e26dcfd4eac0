package evaluate

import (
	"cmp"
	"fmt"
	"slices"

	"leadline/internal/sales"
)

// LinksOptions say what is asked of a history.
type LinksOptions struct {
	Cuts       []Cut
	WindowDays int        // what was bought in so many days before the cut is no candidate
	MinBuyers  int        // an item must have before the cut
	Offers     int        // how many a customer is made
	Live       bool       // as live too: it takes much longer
	Holds      bool       // how many published links hold: it takes longer
	Peers      *LinkPeers // others' figures, nil: none
}

// LinksReport says, for each cut, what each ranker's offers came to.
type LinksReport struct {
	Level      Level      `json:"level"`
	WindowDays int        `json:"window_days"`
	Offers     int        `json:"offers"`
	Cuts       []CutLinks `json:"cuts"`
}

// CutLinks is one cut's part of the report.
type CutLinks struct {
	Day         string       `json:"day"`
	HorizonDays int          `json:"horizon_days"`
	Items       int          `json:"items"`
	Customers   int          `json:"customers"` // who bought before and something new after
	Relevant    float64      `json:"relevant"`  // new items a customer
	Rankers     []RankerLine `json:"rankers"`
	Peers       []PeerLine   `json:"peers,omitempty"`
	Calibration *Calibration `json:"calibration,omitempty"` // absent where the history before the cut teaches nothing
	Holds       *Holds       `json:"holds,omitempty"`       // absent where the history ends too soon, and unless asked for
	Cases       []Case       `json:"cases,omitempty"`
}

// RankerLine is what one ranker came to. Over* are paired differences in nDCG.
type RankerLine struct {
	Name               string    `json:"name"`
	About              string    `json:"about"`
	NDCG               Estimate  `json:"ndcg"`
	OverPopularity     Estimate  `json:"ndcg_over_popularity"`
	Live               *Estimate `json:"ndcg_live,omitempty"`                 // as live, at each shopping day from the cut on
	LiveOverCut        *Estimate `json:"ndcg_live_over_cut,omitempty"`        // that minus the offers as of the cut, at the same days
	LiveOverPopularity *Estimate `json:"ndcg_live_over_popularity,omitempty"` // that minus popularity, as live too
	Precision          Estimate  `json:"precision"`
	Recall             Estimate  `json:"recall"`
	Hit                Estimate  `json:"hit"`
	Lift               Estimate  `json:"lift_per_offer"` // precision over that of popularity
	Coverage           float64   `json:"coverage"`       // share of the items that anybody was offered: a count, hence without interval
}

// Case is one customer's part, for paired comparison with others' figures.
type Case struct {
	CustomerID string             `json:"customer_id"`
	Relevant   int                `json:"relevant"`
	NDCG       map[string]float64 `json:"ndcg"`
	Live       map[string]float64 `json:"ndcg_live,omitempty"`
}

// Links asks, at each cut, what each customer will buy that it does not hold: learned from what was bought before the cut, judged by what
// was bought within the horizon from the cut on.
func (h *History) Links(o LinksOptions) (*LinksReport, error) {
	report := &LinksReport{Level: h.m.Level, WindowDays: o.WindowDays, Offers: o.Offers}
	all := h.sorted()
	for _, cut := range o.Cuts {
		if err := h.reaches(cut); err != nil {
			return nil, err
		}
		q, err := h.ask(all, cut.Day, sales.Day(cut.HorizonDays), sales.Day(o.WindowDays), o.MinBuyers)
		if err != nil {
			return nil, fmt.Errorf("cut %s: %w", cut.Day, err)
		}
		ms := q.measure(rankers(), o.Offers)
		line := q.report(ms)
		leadline := ms[slices.IndexFunc(ms, func(m measured) bool { return m.name == Leadline })]
		line.Peers = o.Peers.beside(q, h.first, leadline.ndcg)
		if c := h.learnChances(all, cut, q.window, o.MinBuyers, o.Offers); c != nil {
			line.Calibration = q.calibration(c, o.Offers)
		}
		if o.Holds && cut.Day+holdsDays-1 <= h.last {
			line.Holds = h.holds(all, q)
		}
		if o.Live {
			q.live(all, ms, o.Offers) // the last, as it leaves the question at the end of the horizon
			line.addLive(ms)
		}
		slices.SortStableFunc(line.Rankers, func(a, b RankerLine) int { return compareDown(a.NDCG.Mean, b.NDCG.Mean) })
		report.Cuts = append(report.Cuts, line)
	}
	return report, nil
}

func compareDown(a, b float64) int { return cmp.Compare(b, a) }

// report is the cut's, the rankers in the order of what was measured.
func (q *question) report(ms []measured) CutLinks {
	out := CutLinks{Day: q.cut.String(), HorizonDays: int(q.horizon), Items: q.n, Customers: len(q.cases)}
	for i := range q.cases {
		out.Relevant += float64(q.cases[i].wanted) / float64(len(q.cases))
		out.Cases = append(out.Cases, Case{CustomerID: q.cases[i].customer.id, Relevant: q.cases[i].wanted, NDCG: map[string]float64{}})
	}
	plain := popularity(ms)
	for _, m := range ms {
		out.Rankers = append(out.Rankers, RankerLine{Name: m.name, About: m.about, NDCG: bootstrap(m.ndcg),
			OverPopularity: bootstrap(Minus(m.ndcg, plain.ndcg)), Precision: bootstrap(m.precision), Recall: bootstrap(m.recall), Hit: bootstrap(m.hit),
			Lift: Ratio(m.precision, plain.precision), Coverage: float64(len(m.offered)) / float64(q.n)})
		for i := range out.Cases {
			out.Cases[i].NDCG[m.name] = m.ndcg[i]
		}
	}
	return out
}

func popularity(ms []measured) *measured {
	return &ms[slices.IndexFunc(ms, func(m measured) bool { return m.name == Popularity })]
}

// addLive adds what was measured as live.
func (c *CutLinks) addLive(ms []measured) {
	for i := range c.Cases {
		c.Cases[i].Live = map[string]float64{}
	}
	plain := popularity(ms)
	for j, m := range ms {
		live, over, overPop := bootstrap(m.live), bootstrap(Minus(m.live, m.stale)), bootstrap(Minus(m.live, plain.live))
		c.Rankers[j].Live, c.Rankers[j].LiveOverCut, c.Rankers[j].LiveOverPopularity = &live, &over, &overPop
		for i := range c.Cases {
			c.Cases[i].Live[m.name] = m.live[i]
		}
	}
}
