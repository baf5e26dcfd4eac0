package evaluate

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteText writes the report for people: the tables of each cut, the best ranker first.
func (r *LinksReport) WriteText(to io.Writer) error {
	for i := range r.Cuts {
		c := &r.Cuts[i]
		fmt.Fprintf(to, "\nlearned before %s, judged by the %d days from it on: %d customers, %d items (%s), %.1f new items a customer, %d offers each\n",
			c.Day, c.HorizonDays, c.Customers, c.Items, r.Level, c.Relevant, r.Offers)
		if err := c.writeText(to, r.Offers); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(to, `
in brackets: 95% intervals, by customers drawn anew
lift per offer: precision over that of popularity; coverage: share of the items that anybody was offered, counted
as live: at each of a customer's shopping days from the cut on, by what all had bought before that day, judged by what it buys that is
new to it from that day to the end of the horizon; mean over its days, then over customers
hold: holders of A without B take up B more often than customers without either who bought as much in the window
over the cut's: as live minus the offers made at the cut, judged at the same days
`)
	return err
}

func (c *CutLinks) writeText(to io.Writer, offers int) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	live := c.Rankers[0].Live != nil
	fmt.Fprintf(w, "ranker\tnDCG@%d\tover popularity", offers)
	if live {
		fmt.Fprint(w, "\tas live\tover popularity\tover the cut's")
	}
	fmt.Fprintln(w)
	for i := range c.Rankers {
		l := &c.Rankers[i]
		fmt.Fprintf(w, "%s\t%s\t%s", l.Name, l.NDCG, l.OverPopularity.signed())
		if live {
			fmt.Fprintf(w, "\t%s\t%s\t%s", *l.Live, l.LiveOverPopularity.signed(), l.LiveOverCut.signed())
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\nranker\tprecision\trecall\thit\tlift per offer\tcoverage\n")
	for i := range c.Rankers {
		l := &c.Rankers[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.3f\n", l.Name, l.Precision, l.Recall, l.Hit, l.Lift, l.Coverage)
	}
	for i := range c.Peers {
		if i == 0 {
			fmt.Fprintf(w, "\npeer\tnDCG@5\tleadline over it\tcustomers\tasked otherwise\n")
		}
		p := &c.Peers[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", p.Name, p.NDCG, p.LeadlineOver.signed(), p.Customers, p.Unlike)
	}
	if k := c.Calibration; k != nil {
		fmt.Fprintf(w, "\nleadline's chances, learned from %d days of %s on: ECE %s; %d offers to %d customers, said %.3f, taken %s\n", k.LearnedDays,
			k.LearnedFrom, k.ECE, k.Offers, k.Customers, k.Said, k.Taken)
		fmt.Fprint(w, "said\tmean\ttaken\toffers\n")
		for _, b := range k.Bins {
			fmt.Fprintf(w, "%.3f to %.3f\t%.3f\t%s\t%d\n", b.Low, b.High, b.Said, b.Taken, b.Offers)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if c.Holds != nil {
		c.Holds.writeText(to)
	}
	return nil
}

// writeText says how many statements held.
func (h *Holds) writeText(to io.Writer) {
	fmt.Fprintf(to, "\n%d links would have been published; of the top %d by G², %d hold in the %d days from the cut on: %s, pooled adjusted lift %.2f\n",
		h.Published, h.Top.Statements, h.Top.Held, h.Days, h.Top.Share, h.Top.PooledLift)
	fmt.Fprintf(to, "of %d drawn pairs with the support, whatever the tests say, %d: %s, pooled adjusted lift %.2f\n", h.Random.Statements, h.Random.Held,
		h.Random.Share, h.Random.PooledLift)
}

// String gives the mean with its interval.
func (e Estimate) String() string { return fmt.Sprintf("%.3f (%.3f to %.3f)", e.Mean, e.Low, e.High) }

// signed is that of a difference.
func (e Estimate) signed() string {
	return fmt.Sprintf("%+.3f (%+.3f to %+.3f)", e.Mean, e.Low, e.High)
}
