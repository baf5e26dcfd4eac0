package engine

import (
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// The log odds that rank, of points found once a link and once an order, are to the last bit what the card says of the values that the alert names.
func TestRankedByTheValues(t *testing.T) {
	t.Parallel()
	ranked := 0
	rapid.Check(t, func(t *rapid.T) {
		k, links := worldKnowledge(t)
		draw := func(what string, most int) float64 { return float64(rapid.IntRange(0, most).Draw(t, what)) }
		for _, l := range links {
			l.TypicalMinor, l.Baseline, l.Score = int64(draw("typical", 600)), draw("baseline", 99)/100, l.Score/7
			l.Both, l.FromHolders, l.ToHolders = int64(draw("both", 9)), 10, 20
			k.Links.Set(l)
		}
		r := newRig(t, k)
		for _, e := range worldEvents(t) {
			r.shard.step.scratch.candidates = nil
			r.step([]sales.Event{e}, 0)
			sc := &r.shard.step.scratch
			for i := range sc.candidates {
				values := sc.question.values(&sc.candidates[i])
				if want := logOdds(r.shard.card(scorecard.CrossSell()), values[:]); sc.candidates[i].logOdds != want {
					t.Fatalf("candidate %d of %d has log odds of %g, its values %v of %g", i, len(sc.candidates), sc.candidates[i].logOdds, values, want)
				}
				ranked++
			}
		}
	})
	if ranked == 0 {
		t.Error("nothing was ranked")
	}
}
