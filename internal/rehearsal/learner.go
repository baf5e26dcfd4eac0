package rehearsal

import (
	"maps"
	"math"
	"slices"

	"leadline/internal/activity"
	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// learner learns links and activity, which are the same whatever is offered, and gives each arm its points: at the beginning of each week of event
// time, from what the shards have told before.
type learner struct {
	o      *Options
	shared engine.Knowledge
	counts *affinity.Counts
	days   map[sales.Day]int64 // purchase days
	week   int32
}

func newLearner(o *Options, products *catalogue.Catalogue) *learner {
	return &learner{o: o, counts: affinity.NewCounts(o.Links.MaxCandidates), days: map[sales.Day]int64{}, week: math.MinInt32,
		shared: engine.Knowledge{Links: affinity.NewTable(), Activity: activity.NewIndex(), Catalogue: products}}
}

// count takes what the first arm's shard has told.
func (l *learner) count(d *engine.Decision) {
	for _, t := range d.Tallies {
		l.counts.Add(t.Kind, t.Cells)
		if t.Kind != sales.TallyActivity {
			continue
		}
		for _, c := range t.Cells {
			if c.Row == engine.PurchaseDaysRow {
				l.days[sales.Day(c.Bucket)] += c.N
			}
		}
	}
}

// learn says what is known when a week begins, unless that was said.
func (l *learner) learn(arms []*arm, day sales.Day) {
	if day.Week() == l.week {
		return
	}
	l.week = day.Week()
	reached := arms[0].shard.Now()
	l.shared.Version, l.shared.Links = version(l.week), affinity.NewTable()
	for _, link := range l.counts.Links(l.o.Links, reached) {
		l.shared.Links.Set(link)
	}
	l.shared.Activity = activity.NewIndex()
	complete := l.o.Calendar.Day(reached - sales.Millis(l.o.Rules.AllowedLateness.Milliseconds()))
	for _, d := range slices.Sorted(maps.Keys(l.days)) {
		l.shared.Activity.Set(d, float64(l.days[d]), d < complete)
	}
	for _, a := range arms {
		a.learn(l.o.Calendar.Day(a.shard.Now()))
	}
}

// knowledge is what the arm knows this week.
func (l *learner) knowledge(a *arm) *engine.Knowledge {
	if a.known == nil || a.known.Version != l.shared.Version {
		k := l.shared
		k.Models = a.models
		a.known = &k
	}
	return a.known
}

// arm is one way to come by points, which plays the history on a shard of its own.
type arm struct {
	name, about string
	cards       []*scorecard.Card // with the points that it begins with
	learns      bool
	toldOnly    bool // but not from what was watched, or held out
	weighs      bool // its candidates are those that are ranked

	shard    *engine.Shard
	csn      int64
	examples *scorecard.Sums
	models   *scorecard.Models
	known    *engine.Knowledge
	score    *scorecard.Score // of cross-sell, this week
}

func (r *Rehearsal) arms() []*arm {
	prior, blank := []*scorecard.Card{scorecard.CrossSell(), scorecard.Upsell()}, []*scorecard.Card{}
	for _, card := range prior {
		blank = append(blank, card.Blank(scorecard.NameLinkOdds))
	}
	all := []*arm{
		{name: Prior, about: "the prior points all the time", cards: prior, weighs: true},
		{name: Blank, about: "no points but for the link's odds, all the time", cards: blank},
		{name: Told, about: "learned from what it told, beginning with the prior points", cards: prior, learns: true, toldOnly: true},
		{name: ToldBlank, about: "learned from what it told, beginning with those of blank", cards: blank, learns: true, toldOnly: true},
		{name: Learned, about: "learned from what it told, held out and watched, beginning with the prior points", cards: prior, learns: true},
		{name: LearnedBlank, about: "learned from what it told, held out and watched, beginning with those of blank", cards: blank, learns: true},
	}
	for i, a := range all {
		a.shard = engine.NewShard(engine.Config{Partitions: 1, Clock: engine.Data, Calendar: r.o.Calendar, Rules: r.o.Rules})
		a.examples, a.models = scorecard.NewSums(), scorecard.NewModels()
		if i == 0 {
			continue // its cards have the points
		}
		for _, card := range a.cards {
			a.models.Set(scorecard.Learn(card, nil))
		}
	}
	return all
}

// learn fits the arm's points to what has ended.
func (a *arm) learn(today sales.Day) {
	models := scorecard.NewModels()
	for _, card := range a.cards {
		model, begun := a.models.Model(card.Name)
		if examples := a.examples.Examples(card, today); a.learns && scorecard.Enough(examples) {
			model, begun = scorecard.Learn(card, examples), true
		}
		if begun {
			models.Set(model)
		}
	}
	a.models, a.score = models, models.Score(scorecard.CrossSell())
}

// learned is what the points of cross-sell were learned from.
func (a *arm) learned() Examples {
	m, _ := a.models.Model(scorecard.CrossSell().Name)
	return Examples{m.Examples, m.Taken}
}

// attributesOf takes a candidate's code apart.
func attributesOf(k *engine.WeighedItem) []int {
	card := scorecard.CrossSell()
	attributes := make([]int, len(card.Characteristics))
	card.Attributes(k.Code, attributes)
	return attributes
}

// forever is a wall clock that no event is ahead of.
const forever = sales.Millis(math.MaxInt64 / 2)

// step plays a batch, of one event at least.
func (a *arm) step(events []sales.Event, known *engine.Knowledge) engine.Decision {
	p := a.shard.Plan(events, engine.Readiness{Clock: forever, PurchasesDrained: true, TouchpointsDrained: true})
	a.csn++
	d := a.shard.Step(engine.Batch{CSN: a.csn, Events: events, Plan: p, Clock: forever, Knowledge: known, RunID: sales.LiveRun, Weigh: a.weighs})
	a.shard.Commit()
	for _, t := range d.Tallies {
		if t.Kind == sales.TallyExamples {
			a.examples.Add(slices.DeleteFunc(slices.Clone(t.Cells), func(c sales.Cell) bool { return a.toldOnly && !wasTold(&c) }))
		}
	}
	return d
}

// wasTold tells whether the example is of an offer that somebody was told of.
func wasTold(c *sales.Cell) bool {
	code, _, err := scorecard.ParseCol(c.Col)
	for _, card := range scorecard.Cards() {
		at := slices.IndexFunc(card.Characteristics, func(ch scorecard.Characteristic) bool { return ch.Name == scorecard.NameTold })
		attributes := make([]int, len(card.Characteristics))
		if card.Name == c.Row && at >= 0 && err == nil && card.Attributes(code, attributes) {
			return attributes[at] == 1
		}
	}
	return false
}

// telling is what the points say that telling adds, in log odds.
func (a *arm) telling(card *scorecard.Card) float64 {
	m, _ := a.models.Model(card.Name)
	for _, ch := range m.Characteristics {
		if ch.Name == scorecard.NameTold {
			return ch.Points[1] - ch.Points[0]
		}
	}
	return 0
}
