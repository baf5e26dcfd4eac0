package evaluate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/simulate"
	"leadline/internal/slipping"
)

// spend is an order of so much on the day.
func spend(h *History, who string, day sales.Day, minor int64) {
	h.Purchase(&sales.Purchase{CustomerID: who, OccurredAt: sales.Calendar{}.Start(begin + day),
		Lines: []sales.Line{{ProductID: "p", Quantity: 1, AmountMinor: minor}}})
}

// Ann comes as often as ever, bob once where four days were usual, cem not at all; dan had too few days, and eve never came before.
func TestWhoSlipped(t *testing.T) {
	h := NewHistory(Merchandise{})
	for day := range sales.Day(40) {
		if day%10 == 5 {
			spend(h, "ann", day, 100)
			spend(h, "ann", day, 50) // the same day once more
			spend(h, "bob", day, 200)
			spend(h, "cem", day, 300)
		}
	}
	spend(h, "dan", 1, 100)
	spend(h, "dan", 39, 100)
	for day := range sales.Day(40) {
		if day%10 == 0 {
			spend(h, "ann", 40+day, 150)
		}
	}
	spend(h, "bob", 45, 210)
	spend(h, "eve", 45, 100)
	h.Purchase(&sales.Purchase{CustomerID: "cem", OccurredAt: sales.Calendar{}.Start(begin + 50), Lines: []sales.Line{{ProductID: "p", Quantity: 0, AmountMinor: 9}}})
	m := &moment{at: begin + 40, question: slipping.Question{WindowDays: 40, HorizonDays: 40}, minDays: 3, label: Halved}
	for label, want := range map[Label]string{Halved: "ann false 0, bob true 590, cem true 1200", None: "ann false 0, bob false 0, cem true 1200"} {
		m.label = label
		var got []string
		for _, c := range h.sorted() {
			if k, ok := m.look(c, m.question, m.at); ok {
				got = append(got, fmt.Sprint(k.id, " ", k.slipped, " ", k.lost))
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %v, want %s", label, got, want)
		}
	}
}

// shoppers is a history of customers of whom some come less and less, up to a day; what comes after is drawn by another seed.
func shoppers(customers int, upTo sales.Day, later uint64) *History {
	h := NewHistory(Merchandise{})
	for c := range customers {
		past, future := rand.New(rand.NewPCG(8, uint64(c))), rand.New(rand.NewPCG(later, uint64(c)))
		rate, fade := 0.05+0.3*past.Float64(), past.Float64()*0.01
		for day := range sales.Day(300) {
			rng := past
			if day >= upTo {
				rng = future
			}
			if rng.Float64() < rate*math.Exp(-fade*float64(day)) {
				spend(h, fmt.Sprint("c", c), day, 100+rng.Int64N(900))
			}
		}
	}
	spend(h, "end", 300, 1)
	return h
}

// Whatever happens from the cut on, every score is the same to the last digit; what came of it is not.
func TestDecliningSeesNothingFromTheCutOn(t *testing.T) {
	ask := func(later uint64) []SlipCase {
		r, err := shoppers(120, 200, later).Declining(DecliningOptions{Cuts: []Cut{{begin + 200, 60}}, WindowDays: 60, MinDays: 2, Label: Halved})
		if err != nil {
			t.Fatal(err)
		}
		return r.Cuts[0].Each
	}
	a, b := ask(1), ask(2)
	if len(a) < 50 || len(a) != len(b) {
		t.Fatalf("%d and %d cases", len(a), len(b))
	}
	others := 0
	for i := range a {
		if x, y := fmt.Sprint(a[i].CustomerID, a[i].Scores), fmt.Sprint(b[i].CustomerID, b[i].Scores); x != y || len(a[i].Scores) != len(scorers()) {
			t.Fatalf("%s with another future %s", x, y)
		}
		if a[i].Slipped != b[i].Slipped {
			others++
		}
	}
	if others == 0 {
		t.Error("the futures are no different")
	}
}

// No example's horizon reaches the cut: the last of the windows learned from ends where the question begins.
func TestExamplesEndBeforeTheCut(t *testing.T) {
	h := shoppers(40, 200, 1)
	m := &moment{at: begin + 200, first: h.first, question: slipping.Question{WindowDays: 60, HorizonDays: 45}, minDays: 1, label: None, all: h.sorted()}
	want := 0
	for _, days := range []int{45, 30, 15} {
		for at := 200 - days; at >= 60; at -= 10 {
			for _, c := range m.all {
				if _, ok := m.look(c, slipping.Question{WindowDays: 60, HorizonDays: days}, begin+sales.Day(at)); ok {
					want++
				}
			}
		}
	}
	if got := len(m.examples()); got != want || got == 0 {
		t.Errorf("%d examples, want %d", got, want)
	}
}

// Each figure against its definition, customers drawn several times being several customers, and groups of equal scores every order of them.
func TestFiguresAgainstTheirDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "cases")
		cases, scores, times := make([]slipCase, n), make([]float64, n), make([]float64, n)
		var slipped []bool
		var lost, score []float64
		for i := range n {
			cases[i].slipped = i == 0 || i > 1 && rapid.Bool().Draw(t, "slipped")
			if cases[i].slipped {
				cases[i].lost = rapid.Int64Range(0, 50).Draw(t, "lost")
			}
			scores[i] = float64(rapid.IntRange(0, 4).Draw(t, "score"))
			times[i] = float64(rapid.IntRange(0, 3).Draw(t, "times"))
			if i < 2 {
				times[i]++
			}
			for range int(times[i]) {
				slipped, lost, score = append(slipped, cases[i].slipped), append(lost, float64(cases[i].lost)), append(score, scores[i])
			}
		}
		var pairs, right, hits, precision float64
		var caught [len(contacted)]float64
		top := 0.0
		for i := range score {
			above, equal, hitsUpTo := 0.0, 0.0, 0.0
			for j := range score {
				switch {
				case score[j] > score[i]:
					above++
				case score[j] == score[i]:
					equal++
				}
				if score[j] >= score[i] && slipped[j] {
					hitsUpTo++
				}
				if slipped[i] && !slipped[j] {
					pairs++
					right += map[bool]float64{score[i] > score[j]: 1, score[i] == score[j]: 0.5}[true]
				}
			}
			// The share of the orders in which the case stands among the first so many, or what of it is in when that is no whole number.
			in := func(share float64) float64 { return max(0, min(1, (share*float64(len(score))-above)/equal)) }
			if slipped[i] {
				hits++
				precision += hitsUpTo / (above + equal)
				top += in(0.1)
			}
			for k, share := range contacted {
				caught[k] += in(share) * lost[i]
			}
		}
		all := float64(len(score))
		want := figures{right / pairs, precision / hits, top / (0.1 * all)}
		for k, share := range contacted {
			want[3+k] = caught[k] / (share * all)
		}
		o := orderBy(scores)
		got := o.figures(cases, times)
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-9*(1+want[i]) {
				t.Fatalf("figures %v, want %v", got, want)
			}
		}
	})
}

func TestCalibrationError(t *testing.T) {
	probabilities, cases := make([]float64, 1000), make([]slipCase, 1000)
	for i := range cases {
		probabilities[i] = float64(i%10) / 10
		cases[i].slipped = i/10 < 10*(i%10)
	}
	if e, _ := calibration(probabilities, cases); e > 1e-9 {
		t.Errorf("error %g of probabilities that are shares", e)
	}
	for i := range probabilities {
		probabilities[i] += 0.05
	}
	if e, _ := calibration(probabilities, cases); math.Abs(e-0.05) > 1e-9 {
		t.Errorf("error %g of probabilities that are 0.05 too high", e)
	}
}

func TestQuintiles(t *testing.T) {
	if got := fmt.Sprint(quintiles([]float64{9, 1, 5, 3, 7})); got != "[5 1 3 2 4]" {
		t.Errorf("of five: %s", got)
	}
	if got := fmt.Sprint(quintiles([]float64{0, 0, 0, 0, 0, 0, 0, 0, 1, 2})); got != "[2 2 2 2 2 2 2 2 5 5]" {
		t.Errorf("of mostly equal ones: %s", got)
	}
}

// In a world whose decliners are known, Leadline tells better than silence who slips; its probabilities are near the shares; a frequent
// buyer who has left in the weeks before is thought likelier to slip. Equal histories give equal reports, in whatever order they come.
func TestDeclinersOfTheSimulatedWorld(t *testing.T) {
	w := simulate.Default()
	w.Customers, w.Days, w.Links, w.Campaigns, w.Touches, w.Absence.PerYear = 1_200, 330, nil, nil, 0, 1
	var purchases []*sales.Purchase
	truth, err := w.Generate(func(e simulate.Event) error {
		if p, ok := e.Record.(*sales.Purchase); ok {
			purchases = append(purchases, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() *DecliningReport {
		h := NewHistory(Merchandise{})
		for _, p := range purchases {
			h.Purchase(p)
		}
		start := h.First()
		r, err := h.Declining(DecliningOptions{Cuts: []Cut{{start + 210, 60}, {start + 269, 60}}, WindowDays: 90, MinDays: 3, Label: Halved})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := ask()
	lines := map[string]ScoreLine{}
	for _, l := range r.Pooled.Scores {
		lines[l.Name] = l
	}
	for _, plain := range []string{Recency, Frequency, RFM, OwnHistory} {
		if lines[plain].LeadlineOver.Low <= 0 {
			t.Errorf("Leadline over %s by %v", plain, lines[plain].LeadlineOver)
		}
	}
	if e := lines[Leadline].ECE; e == nil || *e > 0.08 {
		t.Errorf("calibration error %v", *e)
	}
	gone := map[string]bool{}
	for _, d := range truth.Decliners {
		if d.Factor == 0 && d.PerDay > 0.1 && d.Day >= 150 && d.Day < 200 && (d.Back == nil || *d.Back > 240) {
			gone[d.CustomerID] = true
		}
	}
	var left, stayed []float64
	for _, k := range r.Cuts[0].Each {
		if gone[k.CustomerID] {
			left = append(left, k.Scores[Leadline])
		} else {
			stayed = append(stayed, k.Scores[Leadline])
		}
	}
	if len(left) < 8 || mean(left) < 1.3*mean(stayed) {
		t.Errorf("%d who have just left are given %.2f, the others %.2f", len(left), mean(left), mean(stayed))
	}
	if r.Pooled.Cases != r.Cuts[0].Cases+r.Cuts[1].Cases || r.Pooled.Customers >= r.Pooled.Cases {
		t.Errorf("pooled %d cases of %d customers", r.Pooled.Cases, r.Pooled.Customers)
	}
	slices.Reverse(purchases)
	a, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(ask()); err != nil || string(a) != string(b) {
		t.Errorf("%v: backwards it is another report", err)
	}
}

// What cannot be asked is said with the reason.
func TestDecliningRefuses(t *testing.T) {
	h := shoppers(30, 300, 1)
	for want, o := range map[string]DecliningOptions{
		"history goes from":     {Cuts: []Cut{{begin + 290, 60}}, WindowDays: 60, MinDays: 1, Label: None},
		"nothing to tell apart": {Cuts: []Cut{{begin + 200, 60}}, WindowDays: 60, MinDays: 100, Label: None},
		"0 of 0 examples":       {Cuts: []Cut{{begin + 61, 60}}, WindowDays: 60, MinDays: 1, Label: None},
		"60 and 30 days":        {Cuts: []Cut{{begin + 150, 60}, {begin + 200, 30}}, WindowDays: 60, MinDays: 1, Label: None},
	} {
		if _, err := h.Declining(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("said %v, want %q", err, want)
		}
	}
}

// The scorecard asks for the signs, one characteristic each.
func TestTheScorecardAsksForTheSigns(t *testing.T) {
	if n := len(scorecard.Declining().Characteristics); n != slipping.Signs {
		t.Errorf("%d characteristics for %d signs", n, slipping.Signs)
	}
}
