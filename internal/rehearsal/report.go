package rehearsal

import (
	"fmt"
	"io"
	"text/tabwriter"

	"leadline/internal/evaluate"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// The ways to rank.
const (
	Random       = "random"
	Popularity   = "popularity"
	Prior        = "prior"
	Blank        = "blank"
	Told         = "told alone"
	ToldBlank    = "told alone, from blank"
	Learned      = "learned"
	LearnedBlank = "learned from blank"
)

// Report says how well each way has ranked, and how true the probabilities of what it told were, of the customers that judge.
type Report struct {
	Level      string   `json:"level"`
	From       string   `json:"from"`
	To         string   `json:"to"`
	ExpiryDays int      `json:"expiry_days"`
	Customers  int      `json:"customers"`
	Orders     int      `json:"orders"` // from From on, with candidates, whose time is over
	Candidates float64  `json:"candidates"`
	Rows       []Row    `json:"rows"`
	Told       []Offers `json:"told"`   // from From on
	Months     []Month  `json:"months"` // all of the history
}

// Row is how well one way ranked. Over the prior: paired by customer.
type Row struct {
	Name           string            `json:"name"`
	About          string            `json:"about,omitempty"`
	First          evaluate.Estimate `json:"first_taken"` // share of the orders
	FirstOverPrior evaluate.Estimate `json:"first_taken_over_prior"`
	NDCG           evaluate.Estimate `json:"ndcg"` // of the orders of whose candidates anything was taken
	NDCGOverPrior  evaluate.Estimate `json:"ndcg_over_prior"`
	Learned        *Examples         `json:"learned,omitempty"` // of a month: what cross-sell had learned from before it
}

// Examples is how many there were, those that are old counting less, and how many of them were taken.
type Examples struct {
	All   float64 `json:"all"`
	Taken float64 `json:"taken"`
}

// Offers is probabilities of told offers beside what came of them.
type Offers struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`
	Telling float64 `json:"telling,omitempty"` // what was learned by the end of the history that telling adds, in log odds
	evaluate.Judged
}

// Month is one month of the history.
type Month struct {
	Month  string   `json:"month"`
	Orders float64  `json:"orders"`
	Rows   []Row    `json:"rows"`
	Told   []Offers `json:"told"`
}

func (j *judge) report(arms []*arm) *Report {
	r := &Report{Level: j.o.Rules.LinkLevel, From: j.o.From.String(), To: j.last.String(), ExpiryDays: j.o.Rules.ExpiryDays, Customers: len(j.customers),
		Orders: j.orders, Candidates: float64(j.weighed) / float64(j.orders)}
	prior := j.row(Prior)
	for _, row := range j.rows {
		r.Rows = append(r.Rows, row.all.row(row, &prior.all))
	}
	r.Told = j.judged(arms, func(o *offer) bool { return o.day >= j.o.From })
	for i := range r.Told {
		r.Told[i].Telling = telling(arms, &r.Told[i])
	}
	for n, name := range j.months {
		m := Month{Month: name, Orders: sum(prior.months[n].orders)}
		if m.Orders == 0 || sum(prior.months[n].wanted) == 0 {
			continue
		}
		for i, row := range j.rows {
			line := row.months[n].row(row, &prior.months[n])
			if line.About = ""; i >= len(j.rows)-len(arms) {
				line.Learned = &row.months[n].learned
			}
			m.Rows = append(m.Rows, line)
		}
		m.Told = j.judged(arms, func(o *offer) bool { return o.month == n })
		r.Months = append(r.Months, m)
	}
	return r
}

func (j *judge) row(name string) *row {
	for _, row := range j.rows {
		if row.name == name {
			return row
		}
	}
	return nil
}

func (t *tally) row(r *row, prior *tally) Row {
	return Row{Name: r.name, About: r.about, First: evaluate.Ratio(t.first, t.orders), FirstOverPrior: evaluate.Ratio(evaluate.Minus(t.first, prior.first), t.orders),
		NDCG: evaluate.Ratio(t.ndcg, t.wanted), NDCGOverPrior: evaluate.Ratio(evaluate.Minus(t.ndcg, prior.ndcg), t.wanted)}
}

// judged judges the probabilities of the offers that count, by kind and arm.
func (j *judge) judged(arms []*arm, counts func(*offer) bool) (out []Offers) {
	for _, kind := range []sales.AlertKind{sales.CrossSell, sales.Upsell} {
		for n, a := range arms {
			var all []evaluate.Said
			for i := range j.offers[n] {
				o := &j.offers[n][i]
				if o.kind != kind || o.mistaken || !counts(o) {
					continue
				}
				said := evaluate.Said{Customer: o.customer, Probability: o.p}
				if o.taken {
					said.Taken = 1
				}
				all = append(all, said)
			}
			if len(all) > 0 {
				out = append(out, Offers{Name: a.name, Kind: kind.String(), Judged: evaluate.Judge(all, len(j.customers))})
			}
		}
	}
	return out
}

// telling is what the arm of the offers has learned that telling adds.
func telling(arms []*arm, of *Offers) float64 {
	card := scorecard.CrossSell()
	if of.Kind == sales.Upsell.String() {
		card = scorecard.Upsell()
	}
	for _, a := range arms {
		if a.name == of.Name {
			return a.telling(card)
		}
	}
	return 0
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// WriteText writes the report for people.
func (r *Report) WriteText(to io.Writer) error {
	fmt.Fprintf(to, "%d orders of %d customers from %s to %s, links between what %s says, %.1f candidates an order; taken: bought within %d days\n", r.Orders,
		r.Customers, r.From, r.To, r.Level, r.Candidates, r.ExpiryDays)
	fmt.Fprint(to, "learned week by week from what came before; the customers are the half that judges; telling adds: log odds, where in truth nobody was told anything\n\n")
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ranked by\tfirst taken\tover prior\tnDCG\tover prior")
	for i := range r.Rows {
		l := &r.Rows[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Name, fine(l.First), signed(l.FirstOverPrior), fine(l.NDCG), signed(l.NDCGOverPrior))
	}
	fmt.Fprintln(w, "\ntold by\tkind\toffers\tsaid\ttaken\tECE\ttelling adds")
	for i := range r.Told {
		l := &r.Told[i]
		fmt.Fprintf(w, "%s\t%s\t%d\t%.4f\t%s\t%s\t%+.2f\n", l.Name, l.Kind, l.Judged.Offers, l.Said, fine(l.Taken), fine(l.ECE), l.Telling)
	}
	fmt.Fprintln(w, "\nmonth\tranked by\tlearned from\ttaken\tfirst taken\tnDCG\tover prior\ttold cross-sell: said\ttaken\tupsell: said\ttaken")
	for m := range r.Months {
		for i := range r.Months[m].Rows {
			r.Months[m].writeRow(w, &r.Months[m].Rows[i])
		}
	}
	return w.Flush()
}

func (m *Month) writeRow(w io.Writer, l *Row) {
	if l.Learned == nil {
		return
	}
	fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%.4f\t%.4f\t%s", m.Month, l.Name, l.Learned.All, l.Learned.Taken, l.First.Mean, l.NDCG.Mean, signed(l.NDCGOverPrior))
	for _, kind := range []sales.AlertKind{sales.CrossSell, sales.Upsell} {
		said, taken := "", ""
		for i := range m.Told {
			if t := &m.Told[i]; t.Name == l.Name && t.Kind == kind.String() {
				said, taken = fmt.Sprintf("%.3f", t.Said), fmt.Sprintf("%.3f of %d", t.Taken.Mean, t.Judged.Offers)
			}
		}
		fmt.Fprintf(w, "\t%s\t%s", said, taken)
	}
	fmt.Fprintln(w)
}

func fine(e evaluate.Estimate) string {
	return fmt.Sprintf("%.4f (%.4f to %.4f)", e.Mean, e.Low, e.High)
}

func signed(e evaluate.Estimate) string {
	return fmt.Sprintf("%+.4f (%+.4f to %+.4f)", e.Mean, e.Low, e.High)
}
