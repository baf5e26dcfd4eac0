package evaluate

import (
	"cmp"
	"maps"
	"slices"

	"leadline/internal/activity"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/slipping"
)

// scorePush is what shards would say: the scorecard, learned from coded examples of the question at earlier cuts.
func scorePush(m *moment, t *trial) ([]float64, error) {
	p := push{card: scorecard.Declining(), population: m.population(), everyone: m.everyone()}
	sums := map[uint64]scorecard.Example{}
	for q, k := range m.earlier() {
		if q != m.question {
			continue // the others are of shorter horizons
		}
		code := p.code(q, &k.past, k.touches)
		e := sums[code]
		e.Code = code
		if k.slipped {
			e.Taken++
		} else {
			e.Not++
		}
		sums[code] = e
	}
	byCode := slices.SortedFunc(maps.Values(sums), func(a, b scorecard.Example) int { return cmp.Compare(a.Code, b.Code) })
	model := scorecard.Learn(p.card, byCode)
	score := scorecard.NewScore(p.card, &model)
	out := make([]float64, len(t.cases))
	for i := range t.cases {
		p.code(m.question, &t.cases[i].past, t.cases[i].touches)
		out[i] = score.Probability(score.LogOdds(p.attributes[:]))
	}
	return out, nil
}

// push codes customers.
type push struct {
	card       *scorecard.Card
	population slipping.Population
	everyone   *activity.Index
	season     slipping.Season
	asked      slipping.Question
	days       []sales.Day
	bought     []slipping.Bought
	attributes [slipping.Signs]int
}

func (p *push) code(q slipping.Question, past *slipping.Past, touches []touch) uint64 {
	if p.season.At() != past.At || p.asked != q {
		p.season, p.asked = q.NewSeason(past.At, p.everyone.Sum, p.everyone.Level(past.At-1, slipping.LevelDays)), q
	}
	p.days, p.bought = p.days[:0], p.bought[:0]
	for _, v := range past.Visits {
		p.days, p.bought = append(p.days, v.Day), append(p.bought, slipping.Bought{SpentMinor: v.SpentMinor, Kinds: v.Kinds})
	}
	var signs [slipping.Signs]float64
	l := slipping.Look{Days: p.days, Bought: p.bought, First: past.First, Ever: past.Days}
	for _, t := range touches {
		l.Touch(t.kind, t.day, past.At)
	}
	if c := p.season.Count(&l); c.InWindow > 0 {
		p.season.Ask(&l, &c, &p.population, &signs)
	}
	for i, value := range signs {
		p.attributes[i] = p.card.Characteristics[i].Attribute(value)
	}
	return p.card.Code(p.attributes[:])
}
