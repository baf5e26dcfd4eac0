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
	WindowDays int // what was bought in so many days before the cut is no candidate
	MinBuyers  int // an item must have before the cut
	Offers     int // how many a customer is made
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
	Cases       []Case       `json:"cases,omitempty"`
}

// RankerLine is what one ranker came to. Over* are paired differences in nDCG.
type RankerLine struct {
	Name           string   `json:"name"`
	About          string   `json:"about"`
	NDCG           Estimate `json:"ndcg"`
	OverPopularity Estimate `json:"ndcg_over_popularity"`
	Precision      Estimate `json:"precision"`
	Recall         Estimate `json:"recall"`
	Hit            Estimate `json:"hit"`
	Lift           float64  `json:"lift_per_offer"` // precision over that of popularity
	Coverage       float64  `json:"coverage"`       // share of the items that anybody was offered
}

// Case is one customer's part, for paired comparison with others' figures.
type Case struct {
	CustomerID string             `json:"customer_id"`
	Relevant   int                `json:"relevant"`
	NDCG       map[string]float64 `json:"ndcg"`
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
		report.Cuts = append(report.Cuts, q.report(o.Offers))
	}
	return report, nil
}

func (q *question) report(offers int) CutLinks {
	out := CutLinks{Day: q.cut.String(), HorizonDays: int(q.horizon), Items: q.n, Customers: len(q.cases)}
	for i := range q.cases {
		out.Relevant += float64(q.cases[i].wanted) / float64(len(q.cases))
		out.Cases = append(out.Cases, Case{CustomerID: q.cases[i].id, Relevant: q.cases[i].wanted, NDCG: map[string]float64{}})
	}
	all := rankers()
	popular := all[slices.IndexFunc(all, func(r ranker) bool { return r.name == Popularity })]
	plain := q.measure(popular, offers)
	for _, r := range all {
		m := q.measure(r, offers)
		out.Rankers = append(out.Rankers, RankerLine{Name: r.name, About: r.about, NDCG: bootstrap(m.ndcg),
			OverPopularity: bootstrap(minus(m.ndcg, plain.ndcg)), Precision: bootstrap(m.precision), Recall: bootstrap(m.recall), Hit: bootstrap(m.hit),
			Lift: mean(m.precision) / mean(plain.precision), Coverage: float64(len(m.offered)) / float64(q.n)})
		for i := range out.Cases {
			out.Cases[i].NDCG[r.name] = m.ndcg[i]
		}
	}
	slices.SortStableFunc(out.Rankers, func(a, b RankerLine) int { return cmp.Compare(b.NDCG.Mean, a.NDCG.Mean) })
	return out
}
