package evaluate

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteText writes the report for people: a table a cut and one of all together, the best score first.
func (r *DecliningReport) WriteText(to io.Writer) error {
	meant := fmt.Sprintf("no purchase in the %d days from the cut on", r.HorizonDays)
	if r.Label == Halved {
		meant = fmt.Sprintf("purchase days in the %d days from the cut on at a rate below half of that in the %d days before it", r.HorizonDays, r.WindowDays)
	}
	fmt.Fprintf(to, "slipped (%s) = %s\nIt looks ahead: who is slipping away, not whose purchases fell before the cut.\n", r.Label, meant)
	for i := range r.Cuts {
		c := &r.Cuts[i]
		fmt.Fprintf(to, "\n%s: learned from %d examples before it\n", c.Day, c.Examples)
		if err := c.writeText(to, r.MinDays); err != nil {
			return err
		}
	}
	if r.Pooled != nil {
		fmt.Fprintf(to, "\nall %d cuts together\n", len(r.Cuts))
		if err := r.Pooled.writeText(to, r.MinDays); err != nil {
			return err
		}
	}
	fmt.Fprint(to, "\nin brackets: 95% intervals, by customers drawn anew; leadline over it: AUC of leadline minus this one, paired; ECE: expected\n"+
		"calibration error; lost per contact: what slipped customers spent less than usual, in minor units, when so many are contacted\n"+
		"who warns sooner: by a model learned before those days, at the lowest threshold at which its warnings are right as often as the rule's;\n"+
		"days earlier: leadline's first right warning of a customer before the rule's; who does not warn of it is taken to do so after the cut\n\n")
	for _, l := range r.Cuts[0].Scores {
		if _, err := fmt.Fprintf(to, "%s: %s\n", l.Name, l.About); err != nil {
			return err
		}
	}
	return nil
}

func (c *CutDeclining) writeText(to io.Writer, minDays int) error {
	fmt.Fprintf(to, "%d cases of %d customers with at least %d purchase days in the window: %d slipped (%.3f)\n", c.Cases, c.Customers, minDays,
		c.Slipped, float64(c.Slipped)/float64(c.Cases))
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "score\tAUC\tleadline over it\taverage precision\tin the top tenth\tECE")
	for _, share := range contacted {
		fmt.Fprintf(w, "\tlost per contact, %.0f%%", 100*share)
	}
	fmt.Fprintln(w)
	for i := range c.Scores {
		l := &c.Scores[i]
		over, ece := "", ""
		if l.Name != Leadline {
			over = fmt.Sprintf("%+.3f (%+.3f to %+.3f)", l.LeadlineOver.Mean, l.LeadlineOver.Low, l.LeadlineOver.High)
		}
		if l.ECE != nil {
			ece = fmt.Sprintf("%.3f", *l.ECE)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s", l.Name, l.AUC, over, l.AveragePrecision, l.TopTenth, ece)
		for _, k := range l.Caught {
			fmt.Fprintf(w, "\t%.0f (%.0f to %.0f)", k.PerContact.Mean, k.PerContact.Low, k.PerContact.High)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return c.writeEarlier(to)
}

func (c *CutDeclining) writeEarlier(to io.Writer) error {
	if len(c.Earlier) == 0 {
		_, err := fmt.Fprintf(to, "who warns sooner: not measured, too little was bought before the last %d days\n", watchDays)
		return err
	}
	fmt.Fprintf(to, "who warns sooner, in silences that began in the last %d days:\n", watchDays)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "rule\tsilences\twarnings\tright\tprecision\tleadline's threshold\twarnings\tright\tdays earlier, found by either\tfound by both")
	for i := range c.Earlier {
		e := &c.Earlier[i]
		fmt.Fprintf(w, "silent for %d weeks\t%d\t%d\t%d\t%s\t%.2f\t%d\t%d\t%s of %d\t%s of %d\n", e.Weeks, e.Silences, e.Warnings, e.Right,
			e.Precision, e.Threshold, e.Leadline, e.Own, inDays(e.Days), e.Customers, inDays(e.DaysBoth), e.Both)
	}
	return w.Flush()
}

func inDays(e Estimate) string { return fmt.Sprintf("%+.1f (%+.1f to %+.1f)", e.Mean, e.Low, e.High) }
