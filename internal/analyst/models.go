package analyst

import (
	"context"
	"maps"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// addModels fits the scorecards anew when a week of event time has passed, and says those that have changed. Examples count by the week in which
// their time was up, and only those of weeks that every shard has left behind: in between there is nothing new to learn.
func (s *session) addModels(e *edition) error {
	sums := s.memory.sums
	reached := s.cfg.Calendar.Day(sums.reached(sales.TallyExamples))
	e.models, e.fittedIn = maps.Clone(s.memory.models), reached.Week()
	if e.fittedIn == s.memory.fittedIn {
		return nil
	}
	for _, card := range scorecard.Cards() {
		examples := sums.examples.Examples(card, reached)
		if !scorecard.Enough(examples) {
			continue
		}
		m := scorecard.Learn(card, examples)
		m.LearnedTo = s.cfg.Calendar.Start(reached)
		if err := s.addModel(e, m); err != nil {
			return err
		}
	}
	return nil
}

// addModel says a model, unless it says nothing else than the one before.
func (s *session) addModel(e *edition, m sales.Model) error {
	if before, ok := e.models[m.Name]; ok && sameModel(&before, &m) {
		return nil
	}
	value, err := s.deps.Encoder.AppendModel(nil, &m)
	if err != nil {
		return err
	}
	e.models[m.Name] = m
	e.add(s.topics.models, m.Name, value)
	return nil
}

// sameModel tells whether a model says nothing else than another: examples that only fade change no probability by much.
func sameModel(a, b *sales.Model) bool {
	alike := func(a, b []float64) bool {
		return slices.EqualFunc(a, b, func(a, b float64) bool { return !differ(a, b) })
	}
	return a.Version == b.Version && !differ(a.Constant, b.Constant) && slices.Equal(a.Calibration, b.Calibration) && alike(a.Parameters, b.Parameters) &&
		slices.EqualFunc(a.Characteristics, b.Characteristics, func(a, b sales.Characteristic) bool {
			return a.Name == b.Name && alike(a.Points, b.Points)
		})
}

// rememberModels takes up what was published. The week of the fit is not known any more: the next commit fits again, to the same points.
func (s *session) rememberModels(ctx context.Context, m *memory, kept lasting) error {
	for key, rec := range kept {
		var model sales.Model
		if err := s.deps.Decoder.Model(ctx, slices.Clone(rec.Value), &model); err != nil { // a copy of its own: the model aliases it
			return unreadable(err, rec.Topic, rec.Offset)
		}
		m.models[key] = model
	}
	return nil
}
