package engine

import (
	"cmp"
	"math"
	"slices"

	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// What an item is to a customer, as ranking sees it. Sums of many terms are counted in whole parts, so that they do not depend on the order of
// the terms, which is the dictionary's: a customer who moves to another shard is offered the same.
const (
	parts       = 1 << 20
	recentDays  = 60 // antecedents are what was bought in so many days
	fading      = 30 // days in which an antecedent loses half its weight
	enough      = 40 // antecedents; the day with which there are so many is the last that is looked at; of touches as many
	antecedents = 5  // of an item, the best, count in damped confidence
)

// ageWeight is an antecedent's weight by its age in days.
var ageWeight = func() (w [recentDays]float64) {
	for age := range w {
		w[age] = math.Exp2(-float64(age) / fading)
	}
	return w
}()

// candidate is an item that links lead to from what was bought lately, or looked at.
type candidate struct {
	number  int32 // at the links' level; −1 while no item has the name
	link    *resolved
	score   float64            // the link's
	cosine  int64              // to the antecedents, in parts
	best    [antecedents]int64 // damped confidences, ascending, in parts
	since   sales.Day          // on which what the link leads from was bought last, or touched
	from    int                // antecedents that lead to it
	before  int                // days on which it was bought before the window
	alike   int64              // the square root of the cosine, in parts of 2^16
	damped  int64              // the sum of the best
	fit     float64            // the two in standard deviations above the other candidates' mean, together
	logOdds float64            // what the card says of it
	value   float64            // the probability times the margin, where that of every candidate is known
}

// fitness is what ranks best offline, not in bins: it decides between equal log odds.
func (c *candidate) fitness() float64 { return c.fit + 2*math.Log1p(float64(c.before)) }

// crossSellValues is how many characteristics the card of cross-sell has.
const crossSellValues = scorecard.Told + 1

// collect gathers what links lead to from the order, from what the customer bought lately and from what it was touched by, and what may be offered,
// and adds up how near that is to all of these. The taken ones must be marked.
func (s *Shard) collect(e *entry, o *order) []candidate {
	sc := &s.step.scratch
	sc.candidates = sc.candidates[:0]
	sc.candidateAt.next(s.level.len())
	sc.distinct.next(s.level.len())
	for i := range o.lines {
		line := &o.lines[i]
		if !line.linked || !sc.distinct.add(line.number) {
			continue
		}
		from := s.leadsFrom(line.number)
		for i := range from.links {
			s.consider(&from.near[i], &from.links[i], o.day)
		}
	}
	s.compare(e, o)
	s.compareTouches(e, o)
	s.passRefused(e, o)
	return sc.candidates
}

// consider takes up the item to which a link leads from what was bought or touched on a day, and gives its place; −1 if it must not be offered. It
// looks at hundreds of links an order, at most of them only as a lead.
func (s *Shard) consider(to *lead, l *resolved, bought sales.Day) int32 {
	sc, number := &s.step.scratch, to.to
	if number >= 0 && sc.taken.has(number) || to.gone {
		if s.step.batch.Explain {
			sc.refused = append(sc.refused, refusal{number, l})
		}
		return -1
	}
	at := s.candidateAt(number, l)
	if at < 0 {
		at = int32(len(sc.candidates))
		if number >= 0 {
			sc.candidateAt.put(number, at)
		}
		sc.candidates = append(sc.candidates, candidate{number: number, link: l, score: to.score, since: bought})
	} else if c := &sc.candidates[at]; to.score > c.score || to.score == c.score && l != c.link && better(l.link, c.link.link) {
		c.link, c.score, c.since = l, to.score, bought
	}
	return at
}

// refusal is a link whose item must not be offered.
type refusal struct {
	number int32
	link   *resolved
}

// passRefused tells why items that links lead to are no candidates, each once. One that another link leads to may be one.
func (s *Shard) passRefused(e *entry, o *order) {
	sc := &s.step.scratch
	if len(sc.refused) == 0 {
		return
	}
	sc.distinct.next(s.level.len())
	for _, r := range sc.refused {
		if r.number >= 0 && (sc.candidateAt.get(r.number) >= 0 || !sc.distinct.add(r.number)) {
			continue
		}
		why := PassedCatalogue
		if r.number >= 0 && sc.taken.has(r.number) {
			why = s.whyTaken(e, r.number, o.day)
		}
		s.pass(e, sales.CrossSell, r.link.link.To, o.OccurredAt, why)
	}
	sc.refused = sc.refused[:0]
}

// candidateAt is the place of the candidate of a number to which the link leads, −1 if it is none. One without a number is found by its name.
func (s *Shard) candidateAt(number int32, l *resolved) int32 {
	sc := &s.step.scratch
	if number >= 0 {
		return sc.candidateAt.get(number)
	}
	return int32(slices.IndexFunc(sc.candidates, func(c candidate) bool { return c.number < 0 && c.link.link.To == l.link.To }))
}

// compare goes through what the customer bought lately, which may lead to more candidates, and adds up how near they are to it.
func (s *Shard) compare(e *entry, o *order) {
	sc := &s.step.scratch
	lines := e.state.Window.Between(o.day-recentDays, math.MaxInt32)
	sc.distinct.next(s.level.len())
	n, day := 0, sales.Day(math.MaxInt32)
	for i := len(lines) - 1; i >= 0; i-- {
		line := &lines[i]
		if line.Day != day {
			if n >= enough {
				return
			}
			day = line.Day
		}
		f := s.level.of(line.Item)
		if line.AmountMinor <= 0 || !f.takesPart || !sc.distinct.add(f.number) {
			continue
		}
		n++
		s.follow(s.leadsFrom(f.number), o, day)
	}
}

// compareTouches does the same with what the customer was touched by lately, of each kind about each category with the last time.
func (s *Shard) compareTouches(e *entry, o *order) {
	sc, touches := &s.step.scratch, e.state.Window.Touches()
	if len(touches) == 0 {
		return
	}
	sc.touchesSeen.next(s.level.numberTouches(touches))
	n, day := 0, sales.Day(math.MaxInt32)
	for i := len(touches) - 1; i >= 0 && touches[i].Day > o.day-recentDays; i-- {
		t := &touches[i]
		number, ok := s.level.touch(*t)
		if !ok || t.Day > o.day || !sc.touchesSeen.add(number) {
			continue
		}
		if t.Day != day && n >= enough {
			return
		}
		day = t.Day
		n++
		s.follow(s.leadsAfter(number, t), o, day)
	}
}

// follow takes up all that leads from what was bought or touched on a day.
func (s *Shard) follow(from *leads, o *order, day sales.Day) {
	sc, weight := &s.step.scratch, ageWeight[max(0, o.day-day)]
	for i := range from.near {
		l := &from.near[i]
		if at := s.consider(l, &from.links[i], day); at >= 0 {
			sc.candidates[at].add(l, weight)
		}
	}
}

// add takes up an antecedent by the link that leads from it.
func (c *candidate) add(l *lead, weight float64) {
	c.from++
	c.cosine += int64(parts*weight*l.cosine + 0.5)
	for i := 0; i < antecedents && l.damped > c.best[i]; i++ {
		if i > 0 {
			c.best[i-1] = c.best[i]
		}
		c.best[i] = l.damped
	}
}

// countBefore counts the days on which candidates were bought before the window.
func (s *Shard) countBefore(e *entry, o *order) {
	sc, w := &s.step.scratch, &e.state.Window
	count := func(item window.ItemID, days int) {
		if at := sc.candidateAt.get(s.level.of(item).number); at >= 0 {
			sc.candidates[at].before += days
		}
	}
	for _, p := range w.Past() {
		count(p.Item, int(p.Days))
	}
	lines := w.Between(math.MinInt32, o.day-sales.Day(s.rules.WindowDays))
	for i := range lines {
		if lines[i].AmountMinor > 0 {
			count(lines[i].Item, 1)
		}
	}
}

// question is what the card asks about the candidates of an order, as far as it is the same for all of them.
type question struct {
	likeness, confidence standard
	bought               bought
	answers, active      float64
	history, told        float64
	byValue              bool // the margins of all candidates are known: who offers what brings most is better off
}

// ask asks the card about each candidate.
func (s *Shard) ask(e *entry, o *order) *question {
	sc := &s.step.scratch
	sc.question = question{bought: sc.bought, answers: pastAnswers(&e.state), active: s.active(e, o.day), history: float64(o.day - e.state.FirstDay),
		told: s.told(e)}
	q := &sc.question
	q.byValue = true
	for i := range sc.candidates {
		c := &sc.candidates[i]
		c.sumUp()
		q.byValue = q.byValue && c.link.worth > 0
		q.likeness.add(c.alike)
		q.confidence.add(c.damped)
	}
	q.likeness.close()
	q.confidence.close()
	card := s.card(scorecard.CrossSell())
	answers, active := card.Points(scorecard.PastAnswers, q.answers), card.Points(scorecard.Activity, q.active)
	history, told := card.Points(scorecard.History, q.history), card.Points(scorecard.Told, q.told)
	for i := range sc.candidates {
		c := &sc.candidates[i]
		alike, damped := q.likeness.of(c.alike), q.confidence.of(c.damped)
		c.fit = alike + damped
		points := [crossSellValues]float64{
			scorecard.Similarity:       card.Points(scorecard.Similarity, alike),
			scorecard.DampedConfidence: card.Points(scorecard.DampedConfidence, damped),
			scorecard.BoughtBefore:     card.Points(scorecard.BoughtBefore, float64(c.before)),
			scorecard.LinkOdds:         c.link.oddsPoints,
			scorecard.Popularity:       c.link.popularityPoints,
			scorecard.Season:           c.link.seasonPoints,
			scorecard.PriceRatio:       card.Points(scorecard.PriceRatio, q.bought.priceRatio(c.link.link.TypicalMinor)),
			scorecard.PastAnswers:      answers,
			scorecard.Activity:         active,
			scorecard.History:          history,
			scorecard.Told:             told,
		}
		c.logOdds = card.Sum(points[:])
		if q.byValue {
			c.value = card.Probability(c.logOdds) * c.link.worth
		}
	}
	return q
}

// values are the answers about a candidate, whose points have led to its log odds.
func (q *question) values(c *candidate) [crossSellValues]float64 {
	return [crossSellValues]float64{
		scorecard.Similarity:       q.likeness.of(c.alike),
		scorecard.DampedConfidence: q.confidence.of(c.damped),
		scorecard.BoughtBefore:     float64(c.before),
		scorecard.LinkOdds:         c.link.odds,
		scorecard.Popularity:       c.link.link.Baseline,
		scorecard.Season:           c.link.season,
		scorecard.PriceRatio:       q.bought.priceRatio(c.link.link.TypicalMinor),
		scorecard.PastAnswers:      q.answers,
		scorecard.Activity:         q.active,
		scorecard.History:          q.history,
		scorecard.Told:             q.told,
	}
}

// logOdds are the card's for what the values are.
func logOdds(card *scorecard.Score, values []float64) float64 {
	var attributes [scorecard.MaxCharacteristics]int
	return card.LogOdds(bins(card.Card(), values, &attributes))
}

// code is what is kept of the values.
func code(card *scorecard.Card, values []float64) uint64 {
	var attributes [scorecard.MaxCharacteristics]int
	return card.Code(bins(card, values, &attributes))
}

// bins puts values into the card's bins.
func bins(card *scorecard.Card, values []float64, into *[scorecard.MaxCharacteristics]int) []int {
	for i, v := range values {
		into[i] = card.Characteristics[i].Attribute(v)
	}
	return into[:len(values)]
}

// ahead tells whether a candidate is offered before another: the one that is worth more, by probability and margin; where a margin is not
// known, the likelier one.
func ahead(a, b *candidate) int {
	if c := cmp.Compare(b.value, a.value); c != 0 {
		return c
	}
	if c := cmp.Compare(b.logOdds, a.logOdds); c != 0 {
		return c
	}
	if c := cmp.Compare(b.fitness(), a.fitness()); c != 0 {
		return c
	}
	return rank(a.link.link, b.link.link)
}

// sumUp says what the antecedents come to.
func (c *candidate) sumUp() {
	c.alike = int64(math.Sqrt(float64(c.cosine)/parts)*(1<<16) + 0.5)
	c.damped = 0
	for _, v := range c.best {
		c.damped += v
	}
}

// standard is mean and deviation of a value over the candidates, so that none outweighs the others: by whole sums.
type standard struct {
	count, total, squares int64
	n, sum                float64
	deviations            float64 // n times the standard deviation
}

func (d *standard) add(v int64) {
	d.count++
	d.total += v
	d.squares += v * v
}

// close says that all values were added.
func (d *standard) close() {
	d.n, d.sum = float64(d.count), float64(d.total)
	variance := float64(d.n*float64(d.squares)) - float64(d.sum*d.sum)
	d.deviations = math.Sqrt(max(variance, 0))
}

// of is how many standard deviations the value lies above the mean; 0 when all are the same.
func (d *standard) of(v int64) float64 {
	if d.deviations <= 0 {
		return 0
	}
	return (float64(d.n*float64(v)) - d.sum) / d.deviations
}

// bought is what the lines of the customer's window come to.
type bought struct{ lines, amount int64 }

// priceRatio is an amount over that of the customer's mean line; 1 while either is unknown.
func (b bought) priceRatio(typical int64) float64 {
	if typical <= 0 || b.amount <= 0 {
		return 1
	}
	return float64(typical) * float64(b.lines) / float64(b.amount)
}

// pastAnswers is the share of earlier offers that the customer took up, with one of ten in advance.
func pastAnswers(c *Customer) float64 { return (float64(c.TakenUp) + 1) / (float64(c.Offered) + 10) }

// active is how much the customer bought in the window before the day, in classes.
func (s *Shard) active(e *entry, day sales.Day) float64 {
	return float64(affinity.Stratum(len(e.state.Window.Between(day-sales.Day(s.rules.WindowDays), day-1))))
}

// told is 1 if the customer's alerts are told to somebody, 0 if not.
func (s *Shard) told(e *entry) float64 { return flag(s.suppression(e) == sales.NotSuppressed) }

// card gives the points of now.
func (s *Shard) card(c *scorecard.Card) *scorecard.Score {
	cards := &s.step.scratch.cards
	for _, known := range *cards {
		if known.Card() == c {
			return known
		}
	}
	known := s.step.batch.Knowledge.Models.Score(c)
	*cards = append(*cards, known)
	return known
}
