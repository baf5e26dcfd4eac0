package affinity

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"leadline/internal/sales"
	"leadline/internal/simulate"
)

// make truth runs a hundred worlds, make test one.
var (
	seeds    = flag.Int("seeds", 1, "worlds of TestTruth")
	fromSeed = flag.Int("seed", 1, "seed of the first of them")
)

// truthWorld is four years of 20,000 customers who order 11 times a year on average, some often and most seldom, two things at a time of 20
// usual types, with seasons, and absences. Of each From 2% hold it within 180 days, and of each To 5% but for the link. Six links raise what is
// bought of To by half, with six curves; two are none.
func truthWorld(seed int) simulate.World {
	w := simulate.Default()
	w.Seed, w.Days = uint64(seed), 4*365
	w.Orders = simulate.Orders{PerDay: 0.03, Shape: 1.5, Lines: 2, Types: 20, Zipf: 0.4}
	w.Tiers, w.Touches, w.Prospects.Share, w.Campaigns, w.Links = nil, 0, 0, nil, nil
	for i, lag := range []float64{10, 20, 30, 45, 60, 90, 30, 60} {
		l := simulate.Link{From: fmt.Sprint("from", i), To: fmt.Sprint("to", i), FromShare: 0.02, ToShare: 0.05, Lift: 1.5, LagDays: lag,
			LagShape: float64(1 + i%3)}
		if i >= 6 {
			l.Lift = 1
		}
		w.Links = append(w.Links, l)
	}
	return w
}

// truthRules let nothing fade: the world does not change, and how much is known after so many years is asked.
func truthRules() LinkRules {
	r := DefaultLinkRules()
	r.HalfLifeDays = 36_500
	return r
}

// shopping is everybody's purchases.
type shopping struct {
	histories [][]Bought
	last      sales.Day
	truth     *simulate.Truth
}

func shop(t *testing.T, w simulate.World) shopping {
	t.Helper()
	var s shopping
	ids, seen := map[string]int{}, map[*sales.Purchase]bool{}
	truth, err := w.Generate(func(e simulate.Event) error {
		p, ok := e.Record.(*sales.Purchase)
		if !ok || seen[p] {
			return nil
		}
		if e.Due > p.OccurredAt {
			seen[p] = true // it may come twice
		}
		id, known := ids[p.CustomerID]
		if !known {
			id = len(s.histories)
			ids[p.CustomerID], s.histories = id, append(s.histories, nil)
		}
		day := sales.Calendar{}.Day(p.OccurredAt)
		s.last = max(s.last, day)
		for i := range p.Lines {
			s.histories[id] = append(s.histories[id], Bought{Day: day, Item: p.Lines[i].ProductID, Lines: 1, AmountMinor: p.Lines[i].AmountMinor})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.truth = truth
	return s
}

// permute deals all items anew over the lines of all orders: who buys how much and when stays, and nothing has to do with anything.
func (s *shopping) permute(seed int) {
	var all []string
	for _, h := range s.histories {
		for _, b := range h {
			all = append(all, b.Item)
		}
	}
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, h := range s.histories {
		for i := range h {
			h[i].Item, all = all[0], all[1:]
		}
	}
}

func (s *shopping) learn() *Counts {
	c := NewCounts(DefaultMaxCandidates)
	for _, h := range s.histories {
		c.Add(sales.TallyPairs, Contribution(h, 180, s.last))
	}
	return c
}

func (s *shopping) end() sales.Millis { return sales.Calendar{}.Start(s.last + 1) }

// reaches are the days for which links tell the chance.
var reaches = [...]int{30, 90, 180}

// findings is what all worlds come to.
type findings struct {
	mu              sync.Mutex
	worlds          int
	all, faded      said  // of what nothing fades of, and by default
	both            int64 // customers who hold both of a planted link, of all of them
	within          [3][2]int
	curve           [2]int // of all weeks: the interval holds the truth, and weeks
	base            []float64
	naive, adjusted []float64 // lifts of pairs that have nothing to do with each other
	naivePairs      [2]int    // of the permuted pairs, those that plain counting calls links
}

// said is what links come to under some rules.
type said struct {
	found, permuted     [2]int // of planted links, those found; of permuted worlds, those with a link
	strange, falseLinks int    // links that were not planted, and those in permuted data
}

// planted holds links against those that were planted.
func (s *said) planted(links []sales.Link, truth *simulate.Truth) {
	said := map[[2]string]bool{}
	for _, l := range links {
		said[[2]string{l.From, l.To}] = true
	}
	for _, l := range truth.Links {
		if l.Lift == 1 {
			continue
		}
		s.found[1]++
		if key := [2]string{l.From, l.To}; said[key] {
			s.found[0]++
			delete(said, key)
		}
	}
	s.strange += len(said)
}

// dealt takes up the links of a permuted world.
func (s *said) dealt(t *testing.T, links []sales.Link) {
	s.falseLinks += len(links)
	s.permuted[0] += min(1, len(links))
	s.permuted[1]++
	for _, l := range links {
		t.Logf("permuted: %s to %s, lift %.2f, q %.3f", l.From, l.To, l.Lift, l.Q)
	}
}

// bar fails when fewer than 95 in 100 planted links are found, or more than 5 in 100 are false.
func (s *said) bar(t *testing.T, rules string) {
	t.Logf("%s: %d of %d planted links found (recall %.3f), %d others said; %d of %d permuted worlds show a link (%.3f), %d in all", rules, s.found[0], s.found[1],
		part(s.found), s.strange, s.permuted[0], s.permuted[1], part(s.permuted), s.falseLinks)
	if part(s.found) < 0.95-slack(0.95, s.found[1]) {
		t.Errorf("%s: fewer than 95 in 100 planted links are found", rules)
	}
	if part(s.permuted) > 0.05+slack(0.05, s.permuted[1]) {
		t.Errorf("%s: more than 5 in 100 worlds without a link show one", rules)
	}
	if n := s.strange + s.found[0]; part([2]int{s.strange, n}) > 0.05+slack(0.05, n) {
		t.Errorf("%s: more than 5 in 100 links were not planted", rules)
	}
}

func part(n [2]int) float64 { return float64(n[0]) / float64(n[1]) }

// slack is 3 standard deviations of a share among so many.
func slack(p float64, n int) float64 { return 3 * math.Sqrt(p*(1-p)/float64(n)) }

func (f *findings) world(t *testing.T, seed int) {
	began := time.Now()
	s := shop(t, truthWorld(seed))
	counts := s.learn()
	f.mu.Lock()
	f.worlds++
	f.check(counts, &s)
	f.mu.Unlock()
	s.permute(seed)
	counts = s.learn()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all.dealt(t, counts.Links(truthRules(), s.end()))
	f.faded.dealt(t, counts.Links(DefaultLinkRules(), s.end()))
	for _, k := range counts.judge(truthRules(), s.end()).candidates() {
		f.naivePairs[1]++
		if k.table.gSquared() > 10.83 && naiveLift(k.table) > 1 {
			f.naivePairs[0]++
		}
	}
	t.Logf("seed %d: %d orders, %s", seed, s.truth.Orders, time.Since(began).Round(time.Second))
}

// check holds what was learned against what was planted. Curves are looked at whether or not their link was found: those that are found
// were lucky.
func (f *findings) check(c *Counts, s *shopping) {
	f.all.planted(c.Links(truthRules(), s.end()), s.truth)
	f.faded.planted(c.Links(DefaultLinkRules(), s.end()), s.truth)
	j := c.judge(truthRules(), s.end())
	all := j.candidates()
	for _, l := range s.truth.Links {
		from, to := c.ids[l.From], c.ids[l.To]
		at, ok := find(all, from, to)
		if !ok {
			continue
		}
		lift := all[at].evidence.lift()
		if l.Lift > 1 {
			f.both += all[at].table.both
		} else {
			f.naive, f.adjusted = append(f.naive, naiveLift(all[at].table)), append(f.adjusted, lift.value)
		}
		tm := j.timing(from)
		place, _ := slices.BinarySearch(c.items[from].row.to, to)
		table := tm.tables[place]
		table.setBaseline(tm.rhythm(place), 1/lift.value)
		for _, w := range l.Fresh {
			got := table.within(w.Days, 180)
			holds := 0
			if got.Low <= w.Probability && w.Probability <= got.High {
				holds = 1
			}
			if i := slices.Index(reaches[:], w.Days); i >= 0 {
				f.within[i][0] += holds
				f.within[i][1]++
			}
			f.curve[0] += holds
			f.curve[1]++
			if w.Days == 180 {
				f.base = append(f.base, got.Baseline/w.Baseline)
			}
		}
	}
}

// naiveLift is P(A and B) / (P(A) P(B)) of the holders.
func naiveLift(t table) float64 {
	return float64(t.both) * float64(t.all) / (float64(t.a) * float64(t.b))
}

func mean(v []float64) (m, sd float64) {
	for _, x := range v {
		m += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - m) * (x - m) / float64(len(v))
	}
	return m, math.Sqrt(sd)
}

// TestTruth finds what was planted, and nothing where nothing is: the share of planted links that are found, the share of worlds without any
// link in which one is said, and the share of intervals that hold the truth. What may be due to chance with so few worlds passes.
func TestTruth(t *testing.T) {
	var f findings
	t.Run("worlds", func(t *testing.T) {
		for seed := *fromSeed; seed < *fromSeed+*seeds; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				f.world(t, seed)
			})
		}
	})
	base, baseSD := mean(f.base)
	naive, _ := mean(f.naive)
	adjusted, _ := mean(f.adjusted)
	t.Logf("%d worlds; customers with both of a planted link, mean: %.0f", f.worlds, float64(f.both)/float64(f.all.found[1]))
	f.all.bar(t, "nothing fades")
	f.faded.bar(t, fmt.Sprintf("default half-life of %d days", DefaultLinkRules().HalfLifeDays))
	t.Logf("95%% intervals that hold the truth: by 30 days %.3f, by 90 %.3f, by 180 %.3f, all points of the curves %.3f", part(f.within[0]),
		part(f.within[1]), part(f.within[2]), part(f.curve))
	t.Logf("baseline by 180 days over the true one: mean %.3f, standard deviation %.3f", base, baseSD)
	t.Logf("lift of pairs without a link: %.2f by plain counting, %.2f adjusted; of permuted pairs plain counting calls %d of %d links", naive,
		adjusted, f.naivePairs[0], f.naivePairs[1])

	for i, days := range reaches {
		if math.Abs(part(f.within[i])-0.95) > 0.01+slack(0.95, f.within[i][1]) {
			t.Errorf("by %d days %.3f of the intervals hold the truth", days, part(f.within[i]))
		}
	}
	if math.Abs(base-1) > 0.05 {
		t.Errorf("baselines are %.3f times the true ones", base)
	}
	if naive < 1.3 || math.Abs(adjusted-1) > 0.03+0.3/math.Sqrt(float64(len(f.adjusted))) || part(f.naivePairs) < 0.5 {
		t.Error("plain counting should be fooled by activity here, and what is adjusted should not")
	}
}
