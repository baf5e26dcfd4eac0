package engine

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/feedback"
	"leadline/internal/sales"
)

// TestWhatRepsSayAddsUp: however reports, repetitions and undoings come, the sums of all differences are what the reports that stand say, counted
// anew; and customers about whom the same stands hold the same.
func TestWhatRepsSayAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := emptyKnowledge()
		k.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: "category", From: "PASTA", To: "SAUCE", Score: 0.5, Confidence: 0.5})
		r := newRig(t, k)
		rules := testRules()
		rules.Channels.Attributes = []string{"age"}
		r.shard.SetRules(rules)
		for _, who := range []string{"anna", "ben"} {
			r.step([]sales.Event{{Kind: sales.CustomerEvent, Customer: &sales.Customer{CustomerID: who, Attributes: map[string]string{"age": "young"}}}}, 0)
		}
		alerts := map[string]string{}
		for _, who := range []string{"anna", "ben", "carl"} {
			d := r.step([]sales.Event{buy(who, noon, "pasta-"+who, "PASTA")}, 0)
			alerts[who] = d.Alerts[0].AlertID
		}
		var said []*sales.Outcome
		undone := map[string]bool{}
		for i := range rapid.IntRange(1, 40).Draw(t, "reports") {
			who := rapid.SampledFrom([]string{"anna", "ben", "carl"}).Draw(t, "who")
			o := &sales.Outcome{EventID: fmt.Sprint("o", i), AlertID: alerts[who], CustomerID: who, OccurredAt: noon + sales.Millis(rapid.IntRange(0, 5).Draw(t, "day"))*sales.DayMillis,
				Result: rapid.SampledFrom([]string{"contacted", "no_answer", "not_useful", "interested", "won"}).Draw(t, "result")}
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				o.Undoes = fmt.Sprint("o", rapid.IntRange(0, i+3).Draw(t, "undone"))
				undone[who+o.Undoes] = true
			case 1:
				if len(said) > 0 {
					o = said[rapid.IntRange(0, len(said)-1).Draw(t, "again")]
				}
			}
			said = append(said, o)
			r.step([]sales.Event{{Kind: sales.OutcomeEvent, Outcome: o}}, 0)
			if rapid.Bool().Draw(t, "restarts") {
				r.restart()
			}
		}
		got := map[string]int64{}
		for _, d := range r.decisions {
			for _, cell := range d.Tallies[2].Cells {
				if ofSegment := strings.HasPrefix(cell.Row, AttributeRow) && cell.Col != "" && cell.Col != AttributeMembers; ofSegment || strings.HasPrefix(cell.Row, "outcome|") {
					got[cell.Row+" "+cell.Col] += cell.N
				}
			}
		}
		maps.DeleteFunc(got, func(_ string, n int64) bool { return n == 0 })
		if diff := gocmp.Diff(dumbSums(said, undone), got); diff != "" {
			t.Fatalf("(-counted +summed):\n%s", diff)
		}
	})
}

// dumbSums counts the alerts of each customer that the standing outcomes are about, by what is offered and by the segment that anna and ben are of.
func dumbSums(said []*sales.Outcome, undone map[string]bool) map[string]int64 {
	columns := map[string]map[string]bool{}
	for _, o := range said {
		if o.Undoes != "" || undone[o.CustomerID+o.EventID] {
			continue
		}
		if columns[o.CustomerID] == nil {
			columns[o.CustomerID] = map[string]bool{}
		}
		columns[o.CustomerID][o.Result] = true
	}
	sums := map[string]int64{}
	for who, heard := range columns {
		rows := []string{feedback.Row(sales.CrossSell, "SAUCE")}
		if who != "carl" {
			rows = append(rows, AttributeRow+"age=young")
		}
		for _, row := range rows {
			for result := range heard {
				sums[row+" "+result]++
			}
			if (heard["contacted"] || heard["interested"] || heard["won"]) && !heard["not_useful"] {
				sums[row+" of_use"]++
			}
		}
	}
	return sums
}

// TestManyReports: of more than a customer remembers the oldest go first, who was assigned stays known, and the blob stays small.
func TestManyReports(t *testing.T) {
	t.Parallel()
	k := emptyKnowledge()
	k.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: "category", From: "PASTA", To: "SAUCE", Score: 0.5, Confidence: 0.5})
	r := newRig(t, k)
	id := r.step([]sales.Event{buy("anna", noon, "e", "PASTA")}, 0).Alerts[0].AlertID
	report := func(i int, result, to string) sales.Event {
		return sales.Event{Kind: sales.OutcomeEvent, Outcome: &sales.Outcome{EventID: fmt.Sprint("o", i), AlertID: id, CustomerID: "anna", OccurredAt: noon, Result: result, ToRepID: to}}
	}
	d := r.step([]sales.Event{report(0, "assigned", "rep-9")}, 0)
	if len(d.Alerts) != 1 || d.Alerts[0].Status != sales.Updated || d.Alerts[0].OwnerID != "rep-9" {
		t.Fatalf("assigned: %+v", d.Alerts)
	}
	for i := range 100 {
		d = r.step([]sales.Event{report(1+i, "no_answer", "")}, 0)
	}
	c := r.shard.cache.entries["anna"].state
	if len(c.Reports) != maxReports || c.Owner() != "rep-9" || len(d.Changes[0].Blob) > 1_500 {
		t.Errorf("%d reports, owner %q, %d bytes", len(c.Reports), c.Owner(), len(d.Changes[0].Blob))
	}
	if d = r.step([]sales.Event{report(100, "no_answer", "")}, 0); d.Duplicates != 1 || len(d.Changes) != 0 {
		t.Errorf("the last one again: %+v", d)
	}
}

// TestUpdatesEnd: an episode has room for so many revisions; then it is still ended, and nothing more is said in between.
func TestUpdatesEnd(t *testing.T) {
	t.Parallel()
	k := emptyKnowledge()
	k.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: "category", From: "PASTA", To: "SAUCE", Score: 0.5, Confidence: 0.5})
	r := newRig(t, k)
	a := r.step([]sales.Event{buy("anna", noon, "e", "PASTA")}, 0).Alerts[0]
	last := a.Revision
	for i := range 40 {
		o := &sales.Outcome{EventID: fmt.Sprint("o", i), AlertID: a.AlertID, CustomerID: "anna", OccurredAt: noon, Result: "survey_answered"}
		for _, said := range r.step([]sales.Event{{Kind: sales.OutcomeEvent, Outcome: o}}, 0).Alerts {
			if said.Revision != last+1 || said.AlertID != a.AlertID {
				t.Fatalf("revision %d of %s follows %d", said.Revision, said.AlertID, last)
			}
			last = said.Revision
		}
	}
	d := r.step([]sales.Event{buy("anna", noon+sales.DayMillis, "f", "SAUCE")}, 0)
	if last != 1+maxUpdates || len(d.Alerts) != 1 || d.Alerts[0].Revision != last+1 || d.Alerts[0].Status != sales.Resolved {
		t.Errorf("after revision %d: %+v", last, d.Alerts)
	}
}

// TestOutcomesThatCannotBe: ahead of the clock is a dead letter, behind what is remembered is late.
func TestOutcomesThatCannotBe(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	r.step([]sales.Event{buy("anna", noon, "e", "PASTA")}, 0)
	o := sales.Outcome{EventID: "o", AlertID: "a", CustomerID: "anna", OccurredAt: farClock + MaxAhead + 1, Result: "won"}
	d := r.step([]sales.Event{{Kind: sales.OutcomeEvent, Outcome: &o}}, 0)
	if len(d.Rejected) != 1 || d.Rejected[0].Class != sales.DeadTime {
		t.Errorf("ahead of the clock: %+v", d)
	}
	late := o
	late.OccurredAt = noon - 40*sales.DayMillis
	if d = r.step([]sales.Event{{Kind: sales.OutcomeEvent, Outcome: &late}}, 0); len(d.Late) != 1 {
		t.Errorf("forty days late: %+v", d)
	}
	none := o
	none.OccurredAt = noon
	if d = r.step([]sales.Event{{Kind: sales.OutcomeEvent, Outcome: &none}}, 0); d.Unheeded != 1 || len(d.Changes)+len(d.Alerts) != 0 {
		t.Errorf("about no alert: %+v", d)
	}
}
