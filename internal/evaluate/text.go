package evaluate

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteText writes the report for people: a table a cut, the best ranker first.
func (r *LinksReport) WriteText(to io.Writer) error {
	for _, c := range r.Cuts {
		fmt.Fprintf(to, "\nlearned before %s, judged by the %d days from it on: %d customers, %d items (%s), %.1f new items a customer, %d offers each\n",
			c.Day, c.HorizonDays, c.Customers, c.Items, r.Level, c.Relevant, r.Offers)
		w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "ranker\tnDCG@%d\tover popularity\tprecision\trecall\thit\tlift per offer\tcoverage\n", r.Offers)
		for _, l := range c.Rankers {
			fmt.Fprintf(w, "%s\t%s\t%+.3f (%+.3f to %+.3f)\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f\n", l.Name, l.NDCG, l.OverPopularity.Mean,
				l.OverPopularity.Low, l.OverPopularity.High, l.Precision.Mean, l.Recall.Mean, l.Hit.Mean, l.Lift, l.Coverage)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(to, "\nin brackets: 95% intervals, by customers drawn anew; lift per offer: precision over that of popularity")
	return err
}

// String gives the mean with its interval.
func (e Estimate) String() string { return fmt.Sprintf("%.3f (%.3f to %.3f)", e.Mean, e.Low, e.High) }
