package evaluate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"leadline/internal/sales"
)

// Counted day by day is what is counted at once.
func TestCountedByDays(t *testing.T) {
	h := random(6, 40, 25, 300)
	all := h.sorted()
	q, err := h.ask(all, begin+200, 60, 120, 3)
	if err != nil {
		t.Fatal(err)
	}
	for day := begin + 201; day <= begin+260; day++ {
		q.see(q.dense, all, day)
	}
	at := newCounted(q.n, h.first)
	at.see(q.dense, all, begin+260)
	if !slices.Equal(q.both, at.both) || !slices.Equal(q.buyers, at.buyers) || !slices.Equal(q.ever, at.ever) || !slices.Equal(q.lately, at.lately) ||
		q.people != at.people {
		t.Error("the counts differ")
	}
	for b := range q.n {
		lately := 0.0
		for _, c := range all {
			for _, x := range c.between(begin+260-latelyDays, begin+260) {
				if q.dense[x.item] == int32(b) {
					lately++
				}
			}
		}
		if lately != q.lately[b] {
			t.Errorf("%s lately: %v, want %v", q.names[b], q.lately[b], lately)
		}
	}
}

// As live is what a question of its own at each shopping day would give, and as of the cut the offers of the cut's question.
func TestLiveAgainstQuestionsOfTheirOwn(t *testing.T) {
	const horizon, window = 40, 120
	h := random(7, 30, 20, 300)
	all := h.sorted()
	items, err := h.ask(all, begin+200, horizon, window, 3)
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := h.ask(all, begin+200, horizon, window, 3)
	if err != nil {
		t.Fatal(err)
	}
	ms := items.measure(rankers(), 3)
	items.live(all, ms, 3)
	for j, m := range ms {
		for i, c := range frozen.cases {
			live, stale, days := 0.0, 0.0, 0.0
			for day := begin + 200; day < begin+200+horizon; day++ {
				if len(c.customer.between(day, day+1)) == 0 {
					continue
				}
				q := *frozen
				q.counted = newCounted(q.n, h.first)
				q.see(q.dense, all, day)
				k := q.about(c.customer, day, begin+200+horizon)
				if k.wanted == 0 {
					continue
				}
				days++
				scores := make([]float64, q.n)
				rankers()[j].score(&q, &k, scores)
				live += k.ndcg(k.best(scores, 3), 3)
				clear(c.parts)
				rankers()[j].score(frozen, &c, scores)
				k.held = slices.Clone(k.held)
				for b := range k.held {
					k.held[b] = k.held[b] || c.held[b] // what has left the window since was not ranked at the cut
				}
				stale += k.ndcg(k.best(scores, 3), 3)
			}
			if math.Abs(m.live[i]-live/days) > 1e-12 || math.Abs(m.stale[i]-stale/days) > 1e-12 {
				t.Errorf("%s, %s: live %v, want %v; as of the cut %v, want %v", m.name, c.customer.id, m.live[i], live/days, m.stale[i], stale/days)
			}
		}
	}
}

// Offers that are taken as often as said are off by chance only; those that are said to be sure and never taken, wholly.
func TestCalibration(t *testing.T) {
	var right, wrong []Said
	for i := range 2_000 {
		p := float64(i%10) / 10
		right = append(right, Said{Customer: i % 100, Probability: p, Taken: map[bool]float64{true: 1}[i/10%10 < i%10]})
		wrong = append(wrong, Said{Customer: i % 100, Probability: 1})
	}
	if c := Judge(right, 100); c.ECE.Mean > 1e-9 || len(c.Bins) != 10 || c.Bins[3].Offers != 200 || math.Abs(c.Bins[3].Taken.Mean-0.3) > 1e-9 || math.Abs(c.Taken.Mean-0.45) > 1e-9 {
		t.Errorf("right: %+v", c)
	}
	if c := Judge(wrong, 100); math.Abs(c.ECE.Low-1) > 1e-9 || math.Abs(c.ECE.High-1) > 1e-9 || c.Taken.Mean != 0 {
		t.Errorf("wrong: %+v", c)
	}
}

// Chances are learned before the cut alone, and come true where the world goes on as it was.
func TestChancesComeTrue(t *testing.T) {
	report := func(upTo sales.Day) *Calibration {
		h := random(8, 300, 40, upTo)
		all := h.sorted()
		q, err := h.ask(all, begin+280, 15, 50, 3)
		if err != nil {
			t.Fatal(err)
		}
		c := h.learnChances(all, Cut{begin + 280, 15}, 50, 3, 5)
		if c == nil {
			t.Fatal("nothing was learned")
		}
		out := q.calibration(c, 5)
		for i := range out.Bins { // what is said, not what came of it
			out.Bins[i].Taken = Estimate{}
		}
		return out
	}
	a, b := report(300), report(295)
	if a.ECE.Mean > 0.05 || a.LearnedFrom != (begin+265).String() || a.LearnedDays != 15 {
		t.Errorf("%+v", a)
	}
	if fmt.Sprint(a.Bins) != fmt.Sprint(b.Bins) {
		t.Errorf("said %v, with another future %v", a.Bins, b.Bins)
	}
}

func TestLinkPeers(t *testing.T) {
	h := random(9, 40, 25, 300)
	q, err := h.ask(h.sorted(), begin+200, 60, 120, 3)
	if err != nil {
		t.Fatal(err)
	}
	own, table := make([]float64, len(q.cases)), "cut,H,customer_id,relevant,low_ndcg5,high_hit5,high_ndcg5\n"
	for i := range q.cases {
		own[i] = 0.5
		cut := strconv.Itoa(dayOfYear(q.cut, begin))
		table += fmt.Sprintf("%s,60,%s,%d,0.25,1,0.75\n", cut, q.cases[i].customer.id, q.cases[i].wanted)
	}
	p, err := ReadLinkPeers(strings.NewReader(table + strconv.Itoa(dayOfYear(q.cut, begin)) + ",60,nobody,3,0,0,0\n"))
	if err != nil {
		t.Fatal(err)
	}
	n := len(q.cases)
	want := []PeerLine{{"high", Estimate{0.75, 0.75, 0.75}, Estimate{-0.25, -0.25, -0.25}, n, 1}, {"low", Estimate{0.25, 0.25, 0.25}, Estimate{0.25, 0.25, 0.25}, n, 1}}
	if got := p.beside(q, begin, own); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for text, want := range map[string]string{
		"":                         "read the head",
		"cut,H,customer_id\n":      "want columns cut, H, customer_id, relevant and NAME_ndcg5",
		table + "x,60,ann,1,0,0,0": "cut \"x\"",
		table + "1,60,ann,1,?,0,0": "low_ndcg5",
	} {
		if _, err := ReadLinkPeers(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}
