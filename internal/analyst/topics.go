package analyst

import (
	"slices"
	"strings"

	"leadline/internal/sales"
)

// topics are the names of the tenant's topics that the analyst reads and writes.
type topics struct {
	tallies   string // followed by the kind
	state     string
	links     string
	forecasts string
	models    string

	channelAlerts string
	source        string // of its alerts, as CloudEvents name it
}

func newTopics(prefix string) topics {
	return topics{
		tallies:   prefix + "leadline.tallies.",
		state:     prefix + "leadline.knowledge-state",
		links:     prefix + "product-links",
		forecasts: prefix + "forecasts",
		models:    prefix + "leadline.models",

		channelAlerts: prefix + sales.Channel.Topic(),
		source:        "/leadline/" + prefix + "analyst",
	}
}

func (t topics) of(kind sales.TallyKind) string { return t.tallies + string(kind) }

// inputs lists the tally topics.
func (t topics) inputs() []string {
	var names []string
	for _, kind := range sales.TallyKinds() {
		names = append(names, t.of(kind))
	}
	return names
}

// outputs lists what the analyst writes, and reads back when it starts.
func (t topics) outputs() []string { return []string{t.state, t.links, t.forecasts, t.models} }

// kind is the tally kind of an input.
func (t topics) kind(topic string) (sales.TallyKind, bool) {
	kind := sales.TallyKind(strings.TrimPrefix(topic, t.tallies))
	return kind, slices.Contains(sales.TallyKinds(), kind)
}
