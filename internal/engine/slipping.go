package engine

import (
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/slipping"
)

// SlipQuestion is what the push asks: will the customer buy on less than half as many days in the next 30 as the 90 before let expect?
var SlipQuestion = slipping.Question{WindowDays: 90, HorizonDays: 30}

const (
	// MinSlipDays is how many purchase days in the window of SlipQuestion the push wants, to say anything.
	MinSlipDays = 3
	// slipKept is how much history the push needs: a look a horizon ago must still see all of its own.
	slipKept = slipping.Reach + slipping.MaxHorizon
	// slipExamples is about how many examples a week all shards together teach: few enough for the analyst to keep, of however many customers.
	slipExamples = 1_000
	// slipUsual is how many calendar days the horizon of an example may take. Who leaves does so by the calendar: when business is down and a
	// horizon takes longer, more customers leave within one, and points learned from that would make the push speak too soon.
	slipUsual = 36
)

// slip is what the push says of a customer at a look.
type slip struct {
	chance  float64   // of slipping away, 0..1; 0 where it was not asked
	fires   bool      // the chance is high enough, and there is something to say, if only to the ledger
	atRisk  float64   // where it is high enough: what the customer spends in a horizon, in minor units
	worth   float64   // of an alert (feedback.Worth)
	least   float64   // that the rep has room for
	telling sales.Day // of the first look before the next weekly one at which silence alone would make it fire; 0 = none
}

// held tells whether the rep has no room for the alert.
func (v *slip) held() bool { return v.worth < v.least }

// slips asks the push about a customer that is in no spell. Nobody has learned the points yet: then it says nothing. If by the next look silence
// alone would make it fire, it looks for the day on which that begins.
func (s *Shard) slips(e *entry, day sales.Day) (v slip) {
	if s.slipCard() == nil {
		return slip{}
	}
	v.chance = s.slipChance(&e.state, day+1, day+1)
	v.fires = v.chance >= s.rules.Declining.least()
	if !v.fires && s.slipChance(&e.state, day+1, day+1+LookEvery) < s.rules.Declining.least() {
		return v
	}
	if s.unspoken(e, day) != "" {
		return slip{}
	}
	if v.fires {
		s.weigh(e, day, &v)
		return v
	}
	for next := day + 1; next < day+LookEvery; next++ {
		if s.slipChance(&e.state, day+1, next+1) >= s.rules.Declining.least() {
			v.telling = next
			break
		}
	}
	return v
}

// slipCard is the scorecard with the points that were learned; nil: there are none, or too little history is kept for it.
func (s *Shard) slipCard() *scorecard.Score {
	sc := &s.step.scratch
	if !sc.slipKnown {
		sc.slipKnown, sc.slipCard = true, nil
		if s.rules.keptDays() >= slipKept {
			sc.slipCard = s.step.batch.Knowledge.Models.Learned(scorecard.Declining())
		}
		for i := range sc.slipBest {
			if sc.slipCard != nil {
				sc.slipBest[i] = sc.slipCard.Best(i)
			}
		}
	}
	return sc.slipCard
}

// population is what was learned of how customers come and leave.
func (s *Shard) population() *slipping.Population {
	sc := &s.step.scratch
	if sc.population == nil {
		p := slipping.Usual
		if m, ok := s.step.batch.Knowledge.Models.Model(slipping.ModelName); ok {
			p = slipping.PopulationOf(&m)
		}
		sc.population = &p
	}
	return sc.population
}

// slipChance is the probability that the customer slips away, as of the start of a day at, if nothing happens from the day known on: what has come
// from there must not count, or the answer would hang on whether it came before the look or after it. 0 for one with too few
// purchase days, and for one whom the push would not speak of whatever the dearer signs were: mostly that is the answer.
func (s *Shard) slipChance(c *Customer, known, at sales.Day) float64 {
	l, season, counts := s.slipKnown(c, known, at)
	if counts.InWindow < MinSlipDays {
		return 0
	}
	score, card := s.slipCard(), scorecard.Declining()
	attributes := s.step.scratch.slipBest
	attributes[slipping.SignDays] = card.Characteristics[slipping.SignDays].Attribute(float64(counts.InWindow))
	attributes[slipping.SignRecent] = card.Characteristics[slipping.SignRecent].Attribute(float64(counts.Recent))
	if score.Probability(score.LogOdds(attributes[:])) < s.rules.Declining.least() {
		return 0
	}
	s.slipAttributes(c, known, season, &l, &counts, &attributes)
	return score.Probability(score.LogOdds(attributes[:]))
}

// slipKnown is the customer as of the start of a day at by what came before the day known, in everyone's time, and its purchase days.
func (s *Shard) slipKnown(c *Customer, known, at sales.Day) (slipping.Look, *slipping.Season, slipping.Counts) {
	l, season := s.slipLook(c, at), s.season(at)
	unknown, _ := slices.BinarySearch(l.Days, known)
	later, _ := slices.BinarySearch(l.Days, at)
	l.Days, l.Ever = l.Days[:unknown], l.Ever-(later-unknown)
	return l, season, season.Count(&l)
}

// slipSigns are the answers to what the card asks of a customer.
func (s *Shard) slipSigns(c *Customer, known sales.Day, season *slipping.Season, l *slipping.Look, counts *slipping.Counts, signs *[slipping.Signs]float64) {
	s.slipContext(c, known, l)
	season.Ask(l, counts, s.population(), signs)
}

// slipAttributes are where they lie.
func (s *Shard) slipAttributes(c *Customer, known sales.Day, season *slipping.Season, l *slipping.Look, counts *slipping.Counts, attributes *[slipping.Signs]int) {
	var signs [slipping.Signs]float64
	s.slipSigns(c, known, season, l, counts, &signs)
	card := scorecard.Declining()
	for i := range attributes {
		attributes[i] = card.Characteristics[i].Attribute(signs[i])
	}
}

// slipLook is the customer as it was, or will be if nothing happens, at the start of a day.
func (s *Shard) slipLook(c *Customer, at sales.Day) slipping.Look {
	sc := &s.step.scratch
	sc.orderDays = sc.orderDays[:0]
	after := 0
	for _, o := range c.Window.Orders() {
		switch n := len(sc.orderDays); {
		case o.Refund || o.Day < at-slipping.Reach || n > 0 && sc.orderDays[n-1] == o.Day:
		case o.Day >= at:
			after++
			fallthrough
		default:
			sc.orderDays = append(sc.orderDays, o.Day)
		}
	}
	ever := max(int(c.DaysEver), len(sc.orderDays)) - after
	return slipping.Look{Days: sc.orderDays, First: c.FirstDay, Ever: ever}
}

// slipContext adds to a look what was bought on its days, and the touches before the day known.
func (s *Shard) slipContext(c *Customer, known sales.Day, l *slipping.Look) {
	sc := &s.step.scratch
	sc.orderBought = sc.orderBought[:0]
	lines := c.Window.Lines()
	for _, day := range l.Days {
		var b slipping.Bought
		for len(lines) > 0 && lines[0].Day < day {
			lines = lines[1:]
		}
		for len(lines) > 0 && lines[0].Day == day {
			b.SpentMinor, b.Kinds, lines = b.SpentMinor+lines[0].AmountMinor, b.Kinds+1, lines[1:]
		}
		sc.orderBought = append(sc.orderBought, b)
	}
	l.Bought = sc.orderBought
	for _, t := range c.Window.Touches() {
		l.Touch(t.Kind, t.Day, known)
	}
}

// seasons is how many are kept: those of the looks of a step, of the week after them and of a horizon before them.
const seasons = 64

// season is everyone's time before a day, made once for the many customers that are looked at as of it.
func (s *Shard) season(at sales.Day) *slipping.Season {
	sc := &s.step.scratch
	if sc.seasons == nil {
		sc.seasons = make([]slipping.Season, seasons)
	}
	kept := &sc.seasons[at&(seasons-1)]
	if kept.At() != at {
		everyone := s.step.batch.Knowledge.Activity
		*kept = SlipQuestion.NewSeason(at, everyone.Sum, everyone.Level(at-1, slipping.LevelDays))
	}
	return kept
}

// teach makes an example of a customer that the lot falls on: as it was a horizon ago, and what has come of it. The lot is drawn for each look,
// and the more everyone buys, the fewer are taken, so that small sellers learn soon and large ones not too much.
func (s *Shard) teach(e *entry, day sales.Day) {
	if s.cfg.Job != nil || s.rules.keptDays() < slipKept {
		return
	}
	if !s.someOf(s.slipLot(e.id, day), slipExamples, day) {
		return
	}
	back, known := s.season(day + 1).Back()
	began := day + 1 - back
	if !known || back > slipUsual || e.state.FirstDay >= began {
		return
	}
	l, season := s.slipLook(&e.state, began), s.season(began)
	counts := season.Count(&l)
	if counts.InWindow < MinSlipDays {
		return
	}
	inHorizon := 0
	for _, bought := range l.Days {
		if bought >= began && bought <= day {
			inHorizon++
		}
	}
	var attributes [slipping.Signs]int
	s.slipAttributes(&e.state, began, season, &l, &counts, &attributes)
	card := scorecard.Declining()
	s.step.tally.examples = append(s.step.tally.examples, example{card: card.Name, code: card.Code(attributes[:]),
		taken: season.Slipped(counts.InWindow, inHorizon), week: day.Week(), n: 1})
}

// slipLot is the customer's lot at a look.
func (s *Shard) slipLot(id string, day sales.Day) uint64 {
	b := append(append(s.step.scratch.name[:0], s.cfg.Prefix...), "\x00slipping\x00"...)
	b = append(append(strconv.AppendInt(b, int64(day), 10), '\x00'), id...)
	s.step.scratch.name = b
	return xxhash.Sum64(b)
}

// openSlip says that the customer is slipping away: to the rep, or to the ledger.
func (s *Shard) openSlip(e *entry, v slip, day sales.Day, due sales.Millis) {
	weight, say := s.weight(sales.Declining, e.state.Owner()), s.openSpell
	if v.held() {
		say = s.holdBack
		s.pass(e, sales.Declining, "", due, PassedCapacity)
	}
	s.tellDemand(e, v.worth, day)
	a := say(e, day, due, v.chance*weight)
	s.slipWords(e, a, &v, day)
	a.Reasons = seldomUseful(a.Reasons, weight)
}
