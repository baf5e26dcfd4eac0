package simulate

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// follow counts the starts of a link that the world shows for so many days, and those after which To was bought in them; if fresh, of starts by
// customers who did not hold To.
func (m made) follow(l Link, within int, fresh bool) (starts, followed int) {
	for _, orders := range m.orders {
		last, bought := -1000, m.days(orders, product(l.To))
		for _, day := range m.days(orders, product(l.From)) {
			first := day-last >= effectDays
			last = day
			held := slices.ContainsFunc(bought, func(b int) bool { return b > day-effectDays && b <= day })
			if !first || day+within >= m.truth.World.Days || fresh && held {
				continue
			}
			starts++
			if slices.ContainsFunc(bought, func(b int) bool { return b > day && b <= day+within }) {
				followed++
			}
		}
	}
	return starts, followed
}

// TestLinksAreAsTrueAsTold counts, in the output alone, how often To follows From. With everything else at work: season, a shock, absences,
// campaigns, chains and two links into one type.
func TestLinksAreAsTrueAsTold(t *testing.T) {
	w := small(12_000, 365)
	w.Orders.Lines, w.Touches, w.Tiers = 1, 0, nil // for speed
	w.Shocks = []Shock{{From: 200, Factor: 0.7}}
	w.Absence.PerYear = 1
	link := Link{From: "a", To: "b", FromShare: 0.6, ToShare: 0.1, Lift: 3, LagDays: 20, LagShape: 3}
	chain, also, none := link, link, link
	chain.From, chain.To, chain.FromShare = "b", "c", 0.1
	also.From, also.LagDays = "c", 90
	also.FromShare, also.Lift = 0.1, 2
	none.From, none.To, none.FromShare, none.Lift = "b", "d", 0.1, 1
	w.Links = []Link{link, chain, also, none}
	m := generate(t, w)
	for i, l := range m.truth.Links {
		for k, want := range slices.Concat(l.Within, l.Fresh) {
			starts, followed := m.follow(w.Links[i], want.Days, k >= len(l.Within))
			if int64(starts) != want.Starts || starts < 500 {
				t.Errorf("%s to %s in %d days: %d starts, %d are told", l.From, l.To, want.Days, starts, want.Starts)
			}
			n, p := float64(want.Starts), want.Probability
			likely(t, l.From+" to "+l.To, float64(followed), n*p, n*p*(1-p))
		}
	}
	if l := m.truth.Links[0].Within[2]; l.Lift < 2 || l.Lift > 3 {
		t.Errorf("planted with 3, the lift of probabilities is %g", l.Lift)
	}
	if l := m.truth.Links[3].Within[2]; l.Lift != 1 {
		t.Errorf("planted with no effect, the lift is %g", l.Lift)
	}
}

// TestCurve holds the purchases that follow, by their lag, against the gamma density that was asked for.
func TestCurve(t *testing.T) {
	w := small(3000, 600)
	w.Absence, w.Season, w.Campaigns, w.Prospects, w.Touches = Absence{BackDays: 1}, Season{Week: [7]float64{1, 1, 1, 1, 1, 1, 1}, Peak: 1}, nil, Prospects{}, 0
	w.Links = []Link{{From: "a", To: "b", FromShare: 0.3, ToShare: 0.05, Lift: 20, LagDays: 30, LagShape: 4}}
	m := generate(t, w)
	var lags []int
	for _, orders := range m.orders {
		last, bought := -1000, m.days(orders, "b")
		for _, day := range m.days(orders, "a") {
			first := day-last >= effectDays
			last = day
			if !first || day+effectDays >= w.Days {
				continue
			}
			for _, b := range bought {
				if b > day && b <= day+effectDays {
					lags = append(lags, b-day)
				}
			}
		}
	}
	gamma, n := distuv.Gamma{Alpha: 4, Beta: 4.0 / 30}, float64(len(lags))
	for _, upTo := range []int{10, 20, 30, 45, 60, 90} {
		share := (float64(upTo)/effectDays + 19*gamma.CDF(float64(upTo))/gamma.CDF(effectDays)) / 20
		count := len(slices.DeleteFunc(slices.Clone(lags), func(lag int) bool { return lag > upTo }))
		likely(t, fmt.Sprintf("%d purchases up to %d days", len(lags), upTo), float64(count), n*share, n*share*(1-share))
	}
	for i, days := range m.truth.Links[0].ExtraDays {
		if q := gamma.CDF(float64(days)); math.Abs(q-float64(i+1)/4) > 0.03 {
			t.Errorf("quartile %d is told as %d days, by when %.2f of the extra purchases come", i+1, days, q)
		}
	}
}

// TestNoLinkButAnAppearance: in a world without effects nothing follows anything, and a naive count says otherwise, because who orders often buys
// more of everything.
func TestNoLinkButAnAppearance(t *testing.T) {
	w := small(3000, 365)
	for i := range w.Links {
		w.Links[i].Lift, w.Links[i].FromShare = 1, 0.2
	}
	m := generate(t, w)
	var followed, expected, variance, starts, customers, buyers float64
	for i, l := range m.truth.Links {
		if l.ExtraDays != [3]int{} || l.Within[2].Lift != 1 {
			t.Errorf("a link that is none: %+v", l)
		}
		n, f := m.follow(w.Links[i], effectDays, false)
		p := l.Within[2].Baseline
		starts, followed, expected, variance = starts+float64(n), followed+float64(f), expected+float64(n)*p, variance+float64(n)*p*(1-p)
		for _, orders := range m.orders {
			customers++
			if slices.ContainsFunc(m.days(orders, product(l.To)), func(d int) bool { return d < effectDays }) {
				buyers++
			}
		}
	}
	likely(t, "purchases of To", followed, expected, variance)
	if naive := followed / starts / (buyers / customers); naive < 1.2 {
		t.Errorf("the naive lift is %g: the world holds no trap", naive)
	}
}

func TestLinksCanBeLeftOut(t *testing.T) {
	w, err := Parse([]byte("links: []\ncustomers: 50\ndays: 30\n"))
	if err != nil {
		t.Fatal(err)
	}
	if m := generate(t, w); len(m.truth.Links) != 0 || len(m.events) == 0 {
		t.Errorf("%d links, %d events", len(m.truth.Links), len(m.events))
	}
}

// TestSupportAsAsked: the shares hold when nobody is away and no season acts.
func TestSupportAsAsked(t *testing.T) {
	w := small(10_000, effectDays)
	w.Orders.PerDay = 0.05
	w.Absence, w.Season, w.Campaigns, w.Prospects, w.Tiers = Absence{BackDays: 1}, Season{Week: [7]float64{1, 1, 1, 1, 1, 1, 1}, Peak: 1}, nil, Prospects{}, nil
	w.Orders.Lines, w.Touches = 1, 0
	w.Links = w.Links[:1]
	w.Links[0].Lift = 1
	m := generate(t, w)
	var from, to float64
	for _, orders := range m.orders {
		from += float64(min(1, len(m.days(orders, "printer"))))
		to += float64(min(1, len(m.days(orders, "ink"))))
	}
	likely(t, "buyers of From", from, 200, 200*0.98)
	likely(t, "buyers of To", to, 500, 500*0.95)
}
