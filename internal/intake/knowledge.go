package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"leadline/internal/activity"
	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/engine"
	"leadline/internal/feedback"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/wire"
)

// KnowledgeTopics are without prefix and of one partition each, in the order of the version string. Nobody changes it.
var KnowledgeTopics = [...]string{"forecasts", "leadline.models", "product-links", "products"}

// since says which of them earlier releases did not know: a version without them knew nothing of them.
var since = map[string]bool{"leadline.models": true}

// Positions is the next offset of each of KnowledgeTopics.
type Positions [len(KnowledgeTopics)]int64

// Version names what is known at these positions.
func (p Positions) Version() sales.KnowledgeVersion {
	parts := make([]string, len(p))
	for i, t := range KnowledgeTopics {
		parts[i] = t + ":" + strconv.FormatInt(p[i], 10)
	}
	return sales.KnowledgeVersion(strings.Join(parts, ","))
}

// ParseVersion reads what Version writes, and wrote before there were all of KnowledgeTopics.
func ParseVersion(v sales.KnowledgeVersion) (Positions, error) {
	var p Positions
	parts := strings.Split(string(v), ",")
	for i, t := range KnowledgeTopics {
		digits, ok := "", false
		if len(parts) > 0 {
			digits, ok = strings.CutPrefix(parts[0], t+":")
		}
		if !ok && since[t] {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil || n < 0 {
			return p, fmt.Errorf("knowledge version %q: want %s:<offset> in place %d", v, t, i+1)
		}
		p[i], parts = n, parts[1:]
	}
	if len(parts) > 0 {
		return p, fmt.Errorf("knowledge version %q: goes on after %s", v, KnowledgeTopics[len(p)-1])
	}
	return p, nil
}

// Knowledge is the fold of the knowledge topics. It belongs to one goroutine; what Engine gives may be read by several as
// long as nothing is taken in.
type Knowledge struct {
	calendar sales.Calendar
	decoder  *wire.Decoder
	next     Positions
	now      engine.Knowledge
}

// NewKnowledge has read nothing.
func NewKnowledge(calendar sales.Calendar, decoder *wire.Decoder) *Knowledge {
	k := &Knowledge{calendar: calendar, decoder: decoder}
	k.now = engine.Knowledge{Links: affinity.NewTable(), Activity: activity.NewIndex(), Catalogue: catalogue.New(), Models: scorecard.NewModels(),
		Feedback: feedback.NewTable()}
	k.Stamp()
	return k
}

// Engine is what is known now, under the version of the last Stamp.
func (k *Knowledge) Engine() *engine.Knowledge { return &k.now }

// Stamp makes the version that of what was taken in.
func (k *Knowledge) Stamp() { k.now.Version = k.next.Version() }

// StampAs makes it the version that a journal gives to the same positions: an earlier release's names fewer topics.
func (k *Knowledge) StampAs(v sales.KnowledgeVersion) { k.now.Version = v }

// Next is how far the topics were taken in.
func (k *Knowledge) Next() Positions { return k.next }

// SetRules tells it the rules that the catalogue's tiers hang on.
func (k *Knowledge) SetRules(r engine.Rules) { k.now.Catalogue.SetBrandTiers(r.Upsell.BrandTiers) }

// Take takes in one record of a topic, named without its prefix. After an error (a *wire.Poison, wire.ErrUnknownSchema or
// passing) it has not: Pass goes past the record.
func (k *Knowledge) Take(ctx context.Context, topic string, offset int64, key, value []byte) error {
	if err := k.set(ctx, topic, key, value); err != nil {
		return err
	}
	k.Pass(topic, offset)
	return nil
}

// Pass goes past a record without taking it in: a transaction's marker, or one that cannot be read. That one is passed over by
// every engine and every replay alike.
func (k *Knowledge) Pass(topic string, offset int64) {
	k.next[slices.Index(KnowledgeTopics[:], topic)] = offset + 1
}

func (k *Knowledge) set(ctx context.Context, topic string, key, value []byte) error {
	switch topic {
	case "product-links":
		return k.setLink(ctx, key, value)
	case "products":
		return k.setProduct(ctx, key, value)
	case "leadline.models":
		return k.setModel(ctx, key, value)
	default:
		return k.setForecast(ctx, key, value)
	}
}

func (k *Knowledge) setLink(ctx context.Context, key, value []byte) error {
	var l sales.Link
	switch err := k.decoder.Link(ctx, value, &l); {
	case errors.Is(err, wire.ErrTombstone):
		k.now.Links.Delete(string(key))
	case err != nil:
		return err
	default:
		l.Level, l.From, l.To = strings.Clone(l.Level), strings.Clone(l.From), strings.Clone(l.To) // not the record's bytes
		k.now.Links.Set(l)
	}
	return nil
}

func (k *Knowledge) setProduct(ctx context.Context, key, value []byte) error {
	var p sales.Product
	switch err := k.decoder.Product(ctx, value, &p); {
	case errors.Is(err, wire.ErrTombstone):
		k.now.Catalogue.Delete(string(key))
	case err != nil:
		return err
	default:
		k.now.Catalogue.Set(p)
	}
	return nil
}

func (k *Knowledge) setModel(ctx context.Context, key, value []byte) error {
	var m sales.Model
	switch err := k.decoder.Model(ctx, value, &m); {
	case errors.Is(err, wire.ErrTombstone):
		k.now.Models.Delete(string(key))
	case err != nil:
		return err
	default:
		m.Name = strings.Clone(m.Name) // not the record's bytes, nor are the names of the characteristics
		for i := range m.Characteristics {
			m.Characteristics[i].Name = strings.Clone(m.Characteristics[i].Name)
		}
		k.now.Models.Set(m)
	}
	return nil
}

// setForecast takes everyone's activity, and what reps make of alerts; other series are not the shards' business.
func (k *Knowledge) setForecast(ctx context.Context, key, value []byte) error {
	var f sales.Forecast
	switch err := k.decoder.Forecast(ctx, value, &f); {
	case errors.Is(err, wire.ErrTombstone):
		k.now.Feedback.Delete(feedback.SeriesOfKey(string(key)))
	case err != nil:
		return err
	case feedback.IsSeries(f.Series):
		k.now.Feedback.Set(f.Series, f.Observed)
	case f.Series == sales.ActivitySeries:
		k.now.Activity.Set(k.calendar.Day(f.PeriodStart), f.Observed, f.Complete)
	}
	return nil
}
