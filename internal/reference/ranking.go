package reference

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// candidate is what may be offered, and what a scorecard says of it.
type candidate struct {
	link    sales.Link
	cosine  int64   // in parts of 2^20, to what was bought or touched in the last 60 days
	damped  []int64 // damped confidence of each antecedent, in the same parts
	before  int     // days with a purchase before the window
	values  []float64
	bins    []int
	logOdds float64
	fitness float64
	earns   float64 // the margin when it is taken, 0 where that is not known
	adds    float64 // upsell: the same, or the price where the margin is not known
	value   float64 // the probability times the margin, if that is known of all candidates
}

// antecedent is what a link leads from: what was bought, or touched by way of a kind.
type antecedent struct{ via, text string }

// candidates are what links lead to from the order's lines and from what was bought or touched lately, without what the customer holds or was offered
// lately.
func (m *Model) candidates(c *customer, o *order) []*candidate {
	from := map[antecedent]bool{}
	for i, it := range o.items {
		if m.linked(o, i) {
			from[antecedent{text: m.name(it).text}] = true
		}
	}
	for a := range m.antecedents(c, o) {
		from[a] = true
	}
	found := map[string]*candidate{}
	held := m.held(c, o.day-sales.Day(m.rules.WindowDays))
	for a := range from {
		for _, l := range m.known.leading[a.text] {
			switch {
			case l.Via != a.via, held[l.To] || !m.follows(&l) || m.saidLately(c, sales.CrossSell, name{level: l.Level, text: l.To}, o.day, false):
			case found[l.To] == nil:
				found[l.To] = &candidate{link: l}
			case rank(&l, &found[l.To].link) < 0:
				found[l.To].link = l
			}
		}
	}
	return slices.Collect(maps.Values(found))
}

// follows tells whether a link may be followed under the rules, and leads to what is sold.
func (m *Model) follows(l *sales.Link) bool {
	return l.Level == m.rules.LinkLevel && !m.excluded(l.To) && (l.To != l.From || l.Via != "") && !m.useless(sales.CrossSell, l.To) &&
		(!m.known.sells(m.leadingItem(l)) || m.known.sells(m.linkItem(l.To)))
}

// leadingItem is what a link leads from: a touch is about a category, whatever the level.
func (m *Model) leadingItem(l *sales.Link) window.Item {
	if l.Via != "" {
		return window.Item{Category: l.From}
	}
	return m.linkItem(l.From)
}

// rank orders links: by score, equal ones by name.
func rank(a, b *sales.Link) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Via, b.Via))
}

// look fills in what the card of cross-sell asks about the candidates.
func (m *Model) look(c *customer, o *order, all []*candidate) {
	antecedents := m.antecedents(c, o)
	lines, amount, active := 0, int64(0), 0
	before := map[string]int{}
	for it, p := range c.past {
		before[m.name(it).text] += int(p.days)
	}
	for day, items := range c.bought {
		for it, s := range items {
			switch {
			case day <= o.day-sales.Day(m.rules.WindowDays):
				if s.amount > 0 {
					before[m.name(it).text]++
				}
				continue
			case s.amount > 0:
				lines, amount = lines+1, amount+s.amount
			}
			if day < o.day {
				active++
			}
		}
	}
	for _, k := range all {
		for from, age := range antecedents {
			for _, l := range m.known.leading[from.text] {
				if l.Via == from.via && l.To == k.link.To && m.follows(&l) {
					similar := 0.0
					if l.FromHolders > 0 && l.ToHolders > 0 {
						similar = float64(l.Both) / math.Sqrt(float64(l.FromHolders)*float64(l.ToHolders))
					}
					k.cosine += int64(math.Exp2(-float64(age)/30)*similar*(1<<20) + 0.5)
					k.damped = append(k.damped, int64(l.Score*(1<<20)+0.5))
				}
			}
		}
		k.before = before[k.link.To]
	}
	likeness := standardised(all, func(k *candidate) int64 { return int64(math.Sqrt(float64(k.cosine)/(1<<20))*(1<<16) + 0.5) })
	damped := standardised(all, func(k *candidate) (sum int64) {
		slices.SortFunc(k.damped, func(a, b int64) int { return cmp.Compare(b, a) })
		for i := 0; i < len(k.damped) && i < 5; i++ {
			sum += k.damped[i]
		}
		return sum
	})
	for i, k := range all {
		price := 1.0
		if k.link.TypicalMinor > 0 && amount > 0 {
			price = float64(k.link.TypicalMinor) * float64(lines) / float64(amount)
		}
		given := 1 - math.Pow(1-k.link.Confidence, 30/float64(m.rules.WindowDays))
		if k.link.Starts > 0 {
			given = k.link.Within30.P
		}
		k.values = []float64{likeness[i], damped[i], float64(k.before), odds(given), k.link.Baseline, cmp.Or(k.link.Season, 1), price, c.answers(),
			float64(affinity.Stratum(active)), float64(o.day - c.before.first), m.told(c)}
		k.fitness = likeness[i] + damped[i] + 2*math.Log1p(float64(k.before))
		m.score(scorecard.CrossSell(), k)
	}
	m.weighValues(all)
}

// told is 1 of a customer whose alerts are told, else 0.
func (m *Model) told(c *customer) float64 {
	if m.suppression(c) == sales.NotSuppressed {
		return 1
	}
	return 0
}

// weighValues says what candidates are worth, if that is known of all of them.
func (m *Model) weighValues(all []*candidate) {
	for _, k := range all {
		if margin, ok := m.known.margin(m.linkItem(k.link.To)); ok {
			k.earns = margin * float64(k.link.TypicalMinor)
		}
	}
	m.weigh(scorecard.CrossSell(), all)
}

// weigh ranks candidates by the probability times what they earn, if that is known of all of them.
func (m *Model) weigh(card *scorecard.Card, all []*candidate) {
	if slices.ContainsFunc(all, func(k *candidate) bool { return k.earns <= 0 }) {
		return
	}
	for _, k := range all {
		k.value = m.probability(card, k) * k.earns
	}
}

// antecedents are what was bought and paid for in the last 60 days, with its age in days, from the newest day back to the one with which
// there are forty; and as many touches.
func (m *Model) antecedents(c *customer, o *order) map[antecedent]int {
	ages := m.touched(c, o)
	touches := len(ages)
	days := slices.Sorted(maps.Keys(c.bought))
	slices.Reverse(days)
	for _, day := range days {
		if day <= o.day-60 || len(ages)-touches >= 40 {
			break
		}
		for it, s := range c.bought[day] {
			a := antecedent{text: m.name(it).text}
			if _, ok := ages[a]; !ok && s.amount > 0 && !m.excluded(it.Category) {
				ages[a] = int(max(0, o.day-day))
			}
		}
	}
	return ages
}

// touched are the kinds of touches about categories of the 60 days up to the order's.
func (m *Model) touched(c *customer, o *order) map[antecedent]int {
	ages := map[antecedent]int{}
	for day := o.day; day > o.day-60 && len(ages) < 40; day-- {
		for t := range c.touches {
			a := antecedent{t.kind.String(), t.about}
			if _, ok := ages[a]; !ok && t.day == day && t.about != "" && !m.excluded(t.about) {
				ages[a] = int(o.day - day)
			}
		}
	}
	return ages
}

// standardised is how many standard deviations each one's value lies above the mean of all.
func standardised(all []*candidate, value func(*candidate) int64) []float64 {
	var sum, squares int64
	for _, k := range all {
		sum += value(k)
		squares += value(k) * value(k)
	}
	n := float64(len(all))
	deviations := math.Sqrt(max(0, n*float64(squares)-float64(sum)*float64(sum)))
	out := make([]float64, len(all))
	for i, k := range all {
		if deviations > 0 {
			out[i] = (n*float64(value(k)) - float64(sum)) / deviations
		}
	}
	return out
}

// odds are the log odds of a probability, which is kept a little away from none and all.
func odds(p float64) float64 {
	p = max(0.0001, min(p, 1-0.0001))
	return math.Log(p / (1 - p))
}

// answers is the share of earlier offers that were taken up, with one of ten in advance.
func (c *customer) answers() float64 {
	return (float64(c.before.taken) + 1) / (float64(c.before.offered) + 10)
}

// points are those of the card that hold now.
func (m *Model) points(card *scorecard.Card) sales.Model {
	model, ok := m.known.models[card.Name]
	if ok && model.Version == card.Version {
		return model
	}
	prior := sales.Model{Constant: card.Constant}
	for _, ch := range card.Characteristics {
		prior.Characteristics = append(prior.Characteristics, sales.Characteristic{Points: ch.Prior})
	}
	return prior
}

// score adds up the points of the candidate's values.
func (m *Model) score(card *scorecard.Card, k *candidate) {
	points := m.points(card)
	k.logOdds, k.bins = points.Constant, nil
	for i, ch := range card.Characteristics {
		bin := 0
		for _, cut := range ch.Cuts {
			if k.values[i] >= cut {
				bin++
			}
		}
		k.bins = append(k.bins, bin)
		k.logOdds += points.Characteristics[i].Points[bin]
	}
}

// code is the candidate's bins as they are kept with the offer.
func (k *candidate) code(card *scorecard.Card) uint64 {
	code, radix := uint64(card.Version), uint64(64)
	for i, ch := range card.Characteristics {
		code += uint64(k.bins[i]) * radix
		radix *= uint64(len(ch.Prior))
	}
	return code
}

// probability is that of the candidate's log odds, calibrated.
func (m *Model) probability(card *scorecard.Card, k *candidate) float64 {
	z, knots := k.logOdds, m.points(card).Calibration
	for i, knot := range knots {
		last := i == len(knots)-1
		switch {
		case i == 0 && k.logOdds <= knot.LogOdds, last && k.logOdds > knot.LogOdds:
			z = k.logOdds + knot.Calibrated - knot.LogOdds
		case i > 0 && k.logOdds > knots[i-1].LogOdds && k.logOdds <= knot.LogOdds:
			share := (k.logOdds - knots[i-1].LogOdds) / (knot.LogOdds - knots[i-1].LogOdds)
			z = knots[i-1].Calibrated + share*(knot.Calibrated-knots[i-1].Calibrated)
		}
	}
	return 1 / (1 + math.Exp(-z))
}

// reasons are the three characteristics that say most for or against, by their bins, against what is usual.
func (m *Model) reasons(card *scorecard.Card, bins []int) []string {
	points := m.points(card)
	weights := map[string]float64{}
	var codes []string
	for i, bin := range bins {
		name := card.Characteristics[i].Name
		weights[name] = math.Abs(points.Characteristics[i].Points[bin] - points.Characteristics[i].Mean)
		if weights[name] >= 0.1 && name != scorecard.NameTold {
			codes = append(codes, name)
		}
	}
	slices.SortStableFunc(codes, func(a, b string) int { return cmp.Compare(weights[b], weights[a]) })
	return codes[:min(3, len(codes))]
}

// choose takes the best, or in a share of the events any of the first ten; and how probable that was.
func (m *Model) choose(o *order, all []*candidate) (*candidate, float64) {
	slices.SortFunc(all, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(b.logOdds, a.logOdds), cmp.Compare(b.fitness, a.fitness), rank(&a.link, &b.link))
	})
	share, first := float64(m.rules.ExploreShare), min(10, len(all))
	at := 0
	if m.drawn("explore", o, share) {
		at = int(m.lot("which", o) % uint64(first))
	}
	if at == 0 {
		return all[0], 1 - share + share/float64(first)
	}
	return all[at], share / float64(first)
}

// drawn tells whether the lot falls on the order, as on such a share of all.
func (m *Model) drawn(about string, o *order, share float64) bool {
	return float64(m.lot(about, o)) < share*math.Exp2(64)
}

func (m *Model) lot(about string, o *order) uint64 {
	return xxhash.Sum64String(m.prefix + "\x00" + about + "\x00" + o.EventID)
}

// is tells whether a product is what the item stands for.
func (k *Knowledge) is(p *sales.Product, of window.Item) bool {
	switch {
	case of.Product != "":
		return p.ProductID == of.Product
	case of.Department != "":
		return cmp.Or(p.Department, p.Category) == of.Department
	case of.Type != "":
		return cmp.Or(p.Type, p.Category) == of.Type
	default:
		return p.Category == of.Category
	}
}

// sells tells whether any product is of what the item names.
func (k *Knowledge) sells(of window.Item) bool {
	for _, p := range k.products {
		if k.is(&p, of) {
			return true
		}
	}
	return false
}

// margin is the mean of the known ones.
func (k *Knowledge) margin(of window.Item) (share float64, ok bool) {
	return k.meanMargin(func(p *sales.Product) bool { return k.is(p, of) })
}

// tierMargin is that of the products of a type's tier.
func (m *Model) tierMargin(typ string, tier int32) (share float64, ok bool) {
	return m.known.meanMargin(func(p *sales.Product) bool {
		it := m.known.item(p.ProductID, "", &m.rules)
		return it.Type == typ && it.Tier == tier
	})
}

func (k *Knowledge) meanMargin(of func(p *sales.Product) bool) (share float64, ok bool) {
	n, sum := 0.0, 0.0
	for _, p := range k.products {
		if of(&p) && !math.IsNaN(p.MarginShare) {
			n++
			sum += math.Round(1e6 * p.MarginShare)
		}
	}
	return sum / n / 1e6, n > 0
}
